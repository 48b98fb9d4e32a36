//! Storage targets: put, verify, open, list, delete, test.
