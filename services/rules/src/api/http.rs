//! The API over HTTP: each route builds the message of the proto out of path, body and query, and
//! performs it. Bodies are proto3 JSON; errors are `{"error": "…"}`.

use std::collections::HashMap;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Query, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post, put},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use wire::control_v1::{
    GetConsentRequest, GetOverrideRequest, ListMembershipsRequest, PressPhoneButtonRequest,
    SetConsentRequest, SetMembershipRequest, SetOverrideRequest, StartRecordingRequest, StopRecordingRequest,
};

use super::{ApiError, ControlApi, Operation, auth};

const MAX_BODY: usize = 16 << 10;

/// The routes, to be merged with others.
pub(crate) fn routes(api: ControlApi) -> Router {
    Router::new()
        .route("/v1/tenants/{tenant}/groups/{group}/members", get(json::<ListMembershipsRequest>))
        .route("/v1/tenants/{tenant}/groups/{group}/members/{user}", put(json::<SetMembershipRequest>))
        .route(
            "/v1/tenants/{tenant}/calls/{callId}/override",
            put(json::<SetOverrideRequest>).get(json::<GetOverrideRequest>),
        )
        .route(
            "/v1/tenants/{tenant}/calls/{callId}/consent",
            put(json::<SetConsentRequest>).get(json::<GetConsentRequest>),
        )
        .route("/v1/tenants/{tenant}/calls/{callId}/recording:start", post(json::<StartRecordingRequest>))
        .route("/v1/tenants/{tenant}/calls/{callId}/recording:stop", post(json::<StopRecordingRequest>))
        .route("/v1/tenants/{tenant}/phone-button", get(phone_button).post(phone_button))
        .route("/v1/{*rest}", MethodRouter::new().fallback(unknown))
        .method_not_allowed_fallback(async || ApiError::WrongMethod)
        .with_state(api)
}

/// An operation whose message comes as path and JSON body.
async fn json<O>(
    State(api): State<ControlApi>,
    Path(path): Path<HashMap<String, String>>,
    request: Request,
) -> Result<Response, ApiError>
where
    O: Operation + DeserializeOwned,
    O::Answer: Serialize,
{
    let token = bearer(request.headers());
    let read = async {
        // A stranger's body is not even looked at.
        api.admit(path.get("tenant").map_or("", String::as_str), token.as_deref())?;
        message::<O>(&body(request.into_body()).await?, &path)
    };
    match read.await {
        Ok(operation) => {
            let answer = api.perform(operation, token.as_deref(), "http").await?;
            let text = serde_json::to_string(&answer)
                .map_err(|_| ApiError::Unavailable("the answer cannot be written".to_owned()))?;
            Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
        }
        Err(error) => {
            api.count::<O>("http", Some(&error));
            Err(error)
        }
    }
}

/// What stands in the URL of a phone's button. It is a URL that somebody types into a phone: the
/// token may stand in it.
#[derive(serde::Deserialize)]
struct Button {
    #[serde(default)]
    call: String,
    #[serde(default)]
    user: String,
    token: Option<String>,
}

/// Answers by text for the phone's display.
async fn phone_button(
    State(api): State<ControlApi>,
    method: Method,
    Path(tenant): Path<String>,
    Query(button): Query<Button>,
    headers: HeaderMap,
) -> Response {
    if method == Method::HEAD {
        // A GET's handler is asked for HEAD too: whoever only looks must not press the button.
        return ApiError::WrongMethod.into_response();
    }
    let token = button.token.or_else(|| bearer(&headers));
    let operation = PressPhoneButtonRequest { tenant, call_id: button.call, user: button.user };
    match api.perform(operation, token.as_deref(), "http").await {
        Ok(answer) => (StatusCode::OK, format!("{}\n", answer.shown)).into_response(),
        Err(error) => (error.http(), format!("{error}\n")).into_response(),
    }
}

async fn unknown() -> ApiError {
    ApiError::NotFound("there is no such address; see docs/control-api.md".to_owned())
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let header = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    auth::bearer(header).map(str::to_owned)
}

async fn body(body: Body) -> Result<Bytes, ApiError> {
    axum::body::to_bytes(body, MAX_BODY).await.map_err(|_| ApiError::TooLarge)
}

/// The message out of the body and the path. A field of the path may stand in the body as well,
/// when it says the same.
fn message<O: DeserializeOwned>(body: &[u8], path: &HashMap<String, String>) -> Result<O, ApiError> {
    let mut fields = match body.trim_ascii() {
        [] => Map::new(),
        body => serde_json::from_slice::<Map<String, Value>>(body)
            .map_err(|_| ApiError::Invalid("the body is not a JSON object".to_owned()))?,
    };
    for (name, value) in path {
        let value = Value::from(value.as_str());
        if fields.insert(name.clone(), value.clone()).is_some_and(|inside| inside != value) {
            let text = format!("field {name}: the body says something else than the address");
            return Err(ApiError::Invalid(text));
        }
    }
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let (field, problem) = (error.path().to_string(), error.inner().to_string());
        // The texts of other errors repeat the value, which may be a number or a name.
        ApiError::Invalid(if problem.starts_with("unknown field") {
            problem
        } else {
            format!("field {field}: its value is of the wrong kind; see docs/control-api.md")
        })
    })
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let text = serde_json::json!({ "error": self.to_string() }).to_string();
        let response = (self.http(), [(header::CONTENT_TYPE, "application/json")], text);
        match self {
            Self::Unauthenticated => ([(header::WWW_AUTHENTICATE, "Bearer")], response).into_response(),
            _ => response.into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<SetMembershipRequest, String> {
        let path = [("tenant", "acme"), ("group", "desk"), ("user", "erika")];
        let path = path.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        message(body.as_bytes(), &path).map_err(|error| error.to_string())
    }

    #[test]
    fn path_and_body_make_one_message() {
        let read_ = read(r#"{"active": true, "group": "desk"}"#).unwrap();
        assert_eq!((read_.user.as_str(), read_.active), ("erika", Some(true)));
        assert_eq!(read("").unwrap().active, None);
    }

    #[test]
    fn what_is_wrong_with_a_body_is_said_without_its_values() {
        for (body, said) in [
            ("[1]", "the body is not a JSON object"),
            (r#"{"group": "other"}"#, "field group: the body says something else than the address"),
            (
                r#"{"activ": true}"#,
                "unknown field `activ`, expected one of `tenant`, `group`, `user`, `active`",
            ),
            (
                r#"{"active": "+4970311234"}"#,
                "field active: its value is of the wrong kind; see docs/control-api.md",
            ),
        ] {
            assert_eq!(read(body).unwrap_err(), said);
        }
    }
}
