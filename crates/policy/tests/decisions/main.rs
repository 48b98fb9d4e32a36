//! What is recorded and what is not: the specification as tables, and properties that hold for
//! all of them.

mod acme;
mod properties;
mod question;
mod specification;
