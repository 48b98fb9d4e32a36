//! Keys in AWS Key Management Service.

mod connect;
mod fault;
mod kms;
mod options;

pub(crate) use self::connect::connect;
pub use self::options::AwsOptions;
