//! State databases: SQLite for one process, PostgreSQL for replicas.
