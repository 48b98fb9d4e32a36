//! The decision core: policy, facts and time in, decision and trace out; no I/O.
