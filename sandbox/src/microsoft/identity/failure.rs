//! Errors of the identity platform, with their `AADSTS` numbers.

use serde_json::{Value, json};

use crate::{
    app::App,
    wire::{Request, WireResponse},
};

/// An error with its `AADSTS` number and message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The `AADSTS` number.
    pub code: u32,
    /// Human-readable text of the error.
    pub text: String,
    /// Value of `suberror`; `None` if there is none.
    pub suberror: Option<&'static str>,
}

impl Failure {
    /// Builds an error.
    pub fn new(code: u32, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), suberror: None }
    }

    /// The error for a missing parameter.
    pub fn missing_parameter(name: &str) -> Self {
        Self::new(900_144, format!("The request body must contain the following parameter: '{name}'."))
    }

    /// The error for an application that does not exist in the directory.
    pub fn unknown_application(client_id: &str, tenant: &str) -> Self {
        Self::new(
            700_016,
            format!(
                "Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."
            ),
        )
    }

    /// The error for an application blocked in the directory.
    pub fn disabled_application(client_id: &str) -> Self {
        Self::new(7_000_112, format!("Application '{client_id}' is disabled."))
    }

    /// The error for an expired client secret.
    pub fn expired_secret(client_id: &str) -> Self {
        Self::new(
            7_000_222,
            format!(
                "The provided client secret keys for app '{client_id}' are expired. Create new keys for your app."
            ),
        )
    }

    /// The error for a missing consent.
    pub fn no_consent(client_id: &str, name: &str) -> Self {
        let text = format!(
            "The user or administrator has not consented to use the application with ID '{client_id}' named '{name}'. Send an interactive authorization request for this user and resource."
        );
        Self { suberror: Some("consent_required"), ..Self::new(65001, text) }
    }

    /// The value of `error` in the response.
    pub fn error_code(&self) -> &'static str {
        match self.code {
            54005 | 65001 | 70000 | 70008 | 700_005 | 700_082 | 501_481 => "invalid_grant",
            7_000_215 | 7_000_218 | 7_000_222 | 700_027 | 50012 | 500_133 => "invalid_client",
            700_016 | 7_000_112 => "unauthorized_client",
            70011 => "invalid_scope",
            70003 => "unsupported_grant_type",
            65004 | 90094 => "access_denied",
            50058 => "login_required",
            700_051 => "unsupported_response_type",
            _ => "invalid_request",
        }
    }

    /// The number and text, as in `error_description`.
    pub fn description(&self) -> String {
        format!("AADSTS{}: {}", self.code, self.text)
    }

    /// The error response of the token endpoint.
    pub fn to_response(&self, app: &App, request: &Request) -> WireResponse {
        let status = if self.error_code() == "invalid_client" { 401 } else { 400 };
        let (trace, correlation) = (app.new_guid().to_string(), correlation(app, request));
        let timestamp = app.now().format("%Y-%m-%d %H:%M:%SZ").to_string();
        let description = format!(
            "{} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}",
            self.description()
        );
        let mut body = json!({
            "error": self.error_code(),
            "error_description": description,
            "error_codes": [self.code],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("{}/error?code={}", request.origin, self.code),
        });
        if let Some(suberror) = self.suberror {
            body["suberror"] = Value::from(suberror);
        }
        WireResponse::json(status, body).with_header("cache-control", "no-store")
    }
}

fn correlation(app: &App, request: &Request) -> String {
    request.header("client-request-id").map_or_else(|| app.new_guid().to_string(), str::to_owned)
}
