//! Places that keep nothing: a real mail server, and real programs.

mod email;
mod parcel;
mod script;
