//! Assembles calls from the bus, seals them: hash, chain, signature.
