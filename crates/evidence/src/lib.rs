//! Info, journal text, hash list, signature, chain and verification; no I/O beyond Read and Write.
