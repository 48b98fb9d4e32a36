//! All services in one process, and the tools: demo, verify, explain, load.
