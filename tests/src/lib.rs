//! Starts the real servers for tests: NATS, PostgreSQL, SSH, SoftHSM.
