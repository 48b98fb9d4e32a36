//! The durable work list per target: retry, pause, set aside.
