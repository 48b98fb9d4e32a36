//! Brings sealed recordings to every storage target.
