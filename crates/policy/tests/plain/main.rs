//! Rules in plain language (F-04): every combination by properties, chosen ones word by word.

mod chosen;
mod combinations;
mod firm;
mod whom;
