//! The local spool of an ingest node.
