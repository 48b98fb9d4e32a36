//! Why a request is not fulfilled: one type for both transports, with texts for whoever runs the PBX.
//! They hold no name and no number.

use axum::http::StatusCode;
use bus::BusError;
use tonic::{Code, Status};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApiError {
    /// The same whether the tenant exists, has tokens or not: a stranger learns nothing.
    #[error(
        "the API token is missing or wrong; send one of the tenant's as \"Authorization: Bearer TOKEN\". \
         Tokens are set in the Tenant under spec.api.tokens"
    )]
    Unauthenticated,
    /// The request cannot be what was meant.
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    NotFound(String),
    #[error("the body is larger than 16 KiB")]
    TooLarge,
    #[error("this address does not know that method; see docs/control-api.md")]
    WrongMethod,
    /// A rule, the law or the state of the call is against it.
    #[error("{0}")]
    Refused(String),
    /// Try again later.
    #[error("{0}")]
    Unavailable(String),
}

impl ApiError {
    /// The state could not be read or written.
    pub fn state(error: &BusError) -> Self {
        tracing::warn!(%error, "run-time state is not available");
        Self::Unavailable(format!("{error}; nothing is certain to have been changed, try again"))
    }

    pub fn http(&self) -> StatusCode {
        match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Refused(_) => StatusCode::CONFLICT,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The name of its gRPC code, for metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Invalid(_) => "INVALID_ARGUMENT",
            Self::NotFound(_) => "NOT_FOUND",
            Self::TooLarge => "RESOURCE_EXHAUSTED",
            Self::WrongMethod => "UNIMPLEMENTED",
            Self::Refused(_) => "FAILED_PRECONDITION",
            Self::Unavailable(_) => "UNAVAILABLE",
        }
    }

    pub fn grpc(&self) -> Code {
        match self {
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Invalid(_) => Code::InvalidArgument,
            Self::NotFound(_) => Code::NotFound,
            Self::TooLarge => Code::ResourceExhausted,
            Self::WrongMethod => Code::Unimplemented,
            Self::Refused(_) => Code::FailedPrecondition,
            Self::Unavailable(_) => Code::Unavailable,
        }
    }
}

impl From<ApiError> for Status {
    fn from(error: ApiError) -> Self {
        Self::new(error.grpc(), error.to_string())
    }
}
