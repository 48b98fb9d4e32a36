//! Life cycle of a service: logs, metrics, health, drain.
