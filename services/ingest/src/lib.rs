//! The session recording server: SIPREC in, chunks of RTP out to the bus.
