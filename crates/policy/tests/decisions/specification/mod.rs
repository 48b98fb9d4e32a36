//! Read as a specification: each feature by its number (F-03 … F-24), each statement with both
//! outcomes. A line of a table is a call, and what becomes of it.

mod by_hand;
mod consent;
mod members;
mod numbers;
mod order;
mod scope;
mod trace;
mod wishes;

/// A number outside.
const OUTSIDE: &str = "+4922198765";
