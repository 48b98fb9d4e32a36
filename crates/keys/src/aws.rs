//! Keys in AWS Key Management Service.

mod connect;
mod fault;
mod kms;
mod options;

pub use self::options::AwsOptions;
pub(crate) use self::connect::connect;
