//! NATS JetStream: subjects, streams, typed publish and consume, spool, dead letters.
