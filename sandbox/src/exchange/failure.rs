//! Errors of Exchange.

use std::borrow::Cow;

use super::xml::{ERRORS, SOAP, TYPES, escape_attribute, text_element};
use crate::{Error, wire::WireResponse};

/// An error with its response code and message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The response code.
    pub code: Cow<'static, str>,
    /// Human-readable message.
    pub message: String,
    /// Requested wait (`BackOffMilliseconds`); `None` for none.
    pub back_off_ms: Option<u64>,
}

/// Why a request was not served.
#[derive(Debug)]
pub enum RequestError {
    /// The request is invalid or not permitted.
    Because(Failure),
    /// The user name or password is wrong.
    NotLoggedIn,
    /// An internal error of the sandbox.
    Broken(Error),
}

impl From<Failure> for RequestError {
    fn from(failure: Failure) -> Self {
        Self::Because(failure)
    }
}

impl From<Error> for RequestError {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

impl Failure {
    /// Builds an error.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), back_off_ms: None }
    }

    /// The error for an event that does not exist.
    pub fn item_not_found() -> Self {
        Self::new("ErrorItemNotFound", "The specified object was not found in the store.")
    }

    /// The error for a missing permission.
    pub fn access_denied() -> Self {
        Self::new("ErrorAccessDenied", "Access is denied. Check credentials and try again.")
    }

    /// The error for an element that the schema does not allow at its position.
    pub fn schema_violation(element: &str) -> Self {
        Self::new(
            "ErrorSchemaValidation",
            format!("The request failed schema validation: the element '{element}' is not expected here."),
        )
    }

    fn message_xml(&self) -> String {
        self.back_off_ms.map_or_else(String::new, |ms| {
            format!(r#"<t:MessageXml xmlns:t="{TYPES}"><t:Value Name="BackOffMilliseconds">{ms}</t:Value></t:MessageXml>"#)
        })
    }

    /// The error as a SOAP fault, for the whole request.
    pub fn to_soap_fault(&self) -> WireResponse {
        let text = format!(
            r#"<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{SOAP}"><s:Body><s:Fault><faultcode xmlns:a="{TYPES}">a:{code}</faultcode><faultstring xml:lang="en-US">{message}</faultstring><detail><e:ResponseCode xmlns:e="{ERRORS}">{code}</e:ResponseCode><e:Message xmlns:e="{ERRORS}">{message}</e:Message>{more}</detail></s:Fault></s:Body></s:Envelope>"#,
            code = self.code,
            message = escape_attribute(&self.message),
            more = self.message_xml(),
        );
        WireResponse::xml(500, text)
    }

    /// The error as a response message about one item.
    pub fn to_item_message(&self, operation: &str) -> String {
        self.to_message(&format!("m:{operation}ResponseMessage"))
    }

    /// The error as a response message with this name.
    pub fn to_message(&self, name: &str) -> String {
        format!(r#"<{name} ResponseClass="Error">{}</{name}>"#, self.message_content())
    }

    /// The content of a response message.
    pub fn message_content(&self) -> String {
        format!(
            "{}<m:ResponseCode>{}</m:ResponseCode><m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>",
            text_element("m:MessageText", &self.message),
            self.code
        )
    }
}

/// The response to a throttled request. `retry_after` is in seconds.
pub fn throttle_response(retry_after: Option<u32>) -> WireResponse {
    let message = "The server cannot service this request right now. Try again later.";
    let back_off_ms = retry_after.map(|seconds| u64::from(seconds) * 1_000);
    Failure { back_off_ms, ..Failure::new("ErrorServerBusy", message) }.to_soap_fault()
}

/// The error for the whole request, with any response code.
pub fn error_response(code: &str) -> WireResponse {
    Failure::new(code.to_owned(), "The request was refused.").to_soap_fault()
}

/// The response to every request during an outage of the web server.
pub fn outage_response() -> WireResponse {
    WireResponse::html(503, "<html><body>Service Unavailable</body></html>".to_owned())
}
