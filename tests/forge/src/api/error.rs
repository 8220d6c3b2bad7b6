//! Errors in GitHub's JSON shape.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde_json::{Value, json};

#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    message: String,
    errors: Option<Value>,
    pub(crate) location: Option<String>,
    /// `X-GitHub-SSO`
    pub(crate) sign_on: Option<String>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: &str) -> Self {
        Self { status, message: message.to_owned(), errors: None, location: None, sign_on: None }
    }
}

/// What GitHub answers for all that is absent, and for all that must look absent.
pub(crate) fn not_found() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "Not Found")
}

/// 422 with one entry in `errors`.
pub(crate) fn invalid(resource: &str, message: &str) -> ApiError {
    let mut error = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed");
    error.errors = Some(json!([{ "resource": resource, "code": "custom", "message": message }]));
    error
}

pub(crate) fn unprocessable(message: &str) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, message)
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut body = json!({
            "message": self.message,
            "documentation_url": "https://docs.github.com/rest",
            "status": self.status.as_str(),
        });
        if let Some(errors) = &self.errors {
            body["errors"] = errors.clone();
        }
        let mut builder = HttpResponse::build(self.status);
        if let Some(location) = &self.location {
            body["url"] = json!(location);
            builder.insert_header(("location", location.as_str()));
        }
        if let Some(sign_on) = &self.sign_on {
            builder.insert_header(("x-github-sso", sign_on.as_str()));
        }
        builder.json(body)
    }
}

/// A failing git call is the forge's own fault.
impl From<anyhow::Error> for ApiError {
    fn from(error: anyhow::Error) -> Self {
        tracing::error!("an API call failed: {error:#}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Server Error")
    }
}
