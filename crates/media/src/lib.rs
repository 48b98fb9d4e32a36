//! RTP timeline, loss, G.711 and the WAV writer; no I/O beyond Read and Write, no tokio.
