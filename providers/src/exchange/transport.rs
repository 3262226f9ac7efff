//! Sends all requests of the connector to Exchange.
//!
//! Every request acquires a permit, carries a request id, names the mailbox by which it is routed, and is repeated at
//! most once after a refused token. A refused password is never sent again, because servers lock accounts.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderName, Method, Request, Response, StatusCode, header};
use secrecy::ExposeSecret;
use url::Url;

use super::{
    Exchange,
    failure::{self, RequestSubject, ResponseCode},
    soap::{self, MESSAGES, SOAP},
};
use crate::{Credential, Error, ErrorKind, Remedy, Result, Session, body::BodyRejected, parts, xml::Element};

const XML: &str = "text/xml; charset=utf-8";
/// Header that routes a request to the server that hosts the mailbox.
const ANCHOR: HeaderName = HeaderName::from_static("x-anchormailbox");
/// Header with the request id, by which Muster's logs can be matched with the server's.
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");

/// An operation to be sent, without credentials.
#[derive(Debug, Clone)]
pub(super) struct SoapRequest<'a> {
    name: &'static str,
    body: String,
    mailbox: Option<&'a str>,
    about: RequestSubject,
    writes: bool,
    discovers: bool,
}

impl<'a> SoapRequest<'a> {
    /// Creates an operation executed as the service account itself. `name` is the name of the operation, `body`
    /// its element.
    pub(super) fn new(name: &'static str, body: String) -> Self {
        Self { name, body, mailbox: None, about: RequestSubject::Server, writes: false, discovers: false }
    }

    /// Executes the operation inside a mailbox, as its owner.
    pub(super) fn in_mailbox(self, mailbox: &'a str) -> Self {
        Self { mailbox: Some(mailbox), about: RequestSubject::Mailbox, ..self }
    }

    /// Marks the operation as one about single events.
    pub(super) fn about_items(self) -> Self {
        Self { about: RequestSubject::Item, ..self }
    }

    /// Marks the operation as a test for whether there is an Exchange server at all.
    pub(super) fn for_discovery(self) -> Self {
        Self { discovers: true, ..self }
    }

    /// Marks the operation as a write.
    pub(super) fn for_write(self) -> Self {
        Self { writes: true, ..self }
    }
}

/// A response, with the context that determines what errors in its messages mean.
#[derive(Debug)]
pub(super) struct SoapResponse {
    /// The response element of the operation.
    pub response: Element,
    refused: failure::FailureContext,
    request_id: Option<String>,
}

impl SoapResponse {
    /// The response messages, one for each requested item, each a success or an error.
    pub(super) fn messages(&self) -> impl Iterator<Item = Result<&Element>> {
        let all = self.response.child(MESSAGES, "ResponseMessages");
        all.into_iter().flat_map(|all| &all.children).map(|message| self.check_message(message))
    }

    /// Like [`Self::messages`], by value.
    pub(super) fn into_messages(mut self) -> Vec<Result<Element>> {
        let all = self
            .response
            .take_child(MESSAGES, "ResponseMessages")
            .map(|all| all.children)
            .unwrap_or_default();
        all.into_iter().map(|message| self.check_message(&message).map(drop).map(|()| message)).collect()
    }

    /// The only response message.
    pub(super) fn single_message(&self) -> Result<&Element> {
        self.messages().next().unwrap_or_else(|| Err(self.unreadable_error()))
    }

    /// Returns the message, or the error if it reports one or was not processed.
    pub(super) fn check_message<'e>(&self, message: &'e Element) -> Result<&'e Element> {
        self.check_message_about(message, self.refused.about)
    }

    /// Like [`Self::check_message`], for a message about another subject than the request as a whole.
    pub(super) fn check_message_about<'e>(
        &self,
        message: &'e Element,
        about: RequestSubject,
    ) -> Result<&'e Element> {
        let stopped = || message.child_text(MESSAGES, "ResponseCode") == Some("ErrorBatchProcessingStopped");
        match message.attribute("ResponseClass") {
            Some("Success") => Ok(message),
            Some("Warning") if !stopped() => Ok(message),
            Some("Warning" | "Error") => {
                let error = failure::error_from_code(
                    &ResponseCode::from_message(message),
                    failure::FailureContext { about, ..self.refused },
                    false,
                );
                Err(Error { request_id: self.request_id.clone(), ..error })
            }
            _ => Err(self.unreadable_error()),
        }
    }

    /// The error for an unexpected response; a write may have taken effect.
    pub(super) fn unreadable_error(&self) -> Error {
        let error = Error { request_id: self.request_id.clone(), ..failure::unexpected_response() };
        if self.refused.writes { error.with_unknown_outcome() } else { error }
    }
}

impl Exchange {
    /// Sends an operation and returns its response element. Items inside it may still be errors.
    pub(super) async fn call(&self, session: &Session, call: SoapRequest<'_>) -> Result<SoapResponse> {
        let endpoint = self.endpoint(session).await?;
        let credential = session.credentials.current().await?;
        let mut answer = self.once(session, &endpoint, &call, &credential).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            if let Credential::Basic { .. } = credential {
                return Err(failure::login_refused(&answer));
            }
            let fresh = session.credentials.renewed(&credential, None).await?;
            answer = self.once(session, &endpoint, &call, &fresh).await?;
        }
        let judged = self.judge(&call, &answer).await;
        match &judged {
            Err(error) => self.heed(session, error).await,
            // A busy server may say so in an item as well.
            Ok(answer) => {
                if let Some(Err(error)) =
                    answer.messages().find(|message| is_throttled(message.as_ref().err()))
                {
                    self.heed(session, &error).await;
                }
            }
        }
        judged
    }

    /// Sends a request without mailbox and impersonation, such as to Autodiscover. The caller handles every status.
    pub(super) async fn post(&self, session: &Session, url: &Url, body: String) -> Result<Response> {
        let credential = session.credentials.current().await?;
        let call = SoapRequest::new("Autodiscover", body);
        self.send(session, url, &call, call.body.clone(), &credential).await
    }

    async fn once(
        &self,
        session: &Session,
        endpoint: &Url,
        call: &SoapRequest<'_>,
        credential: &Credential,
    ) -> Result<Response> {
        let owner = call.mailbox.filter(|mailbox| !is_login(session, credential, mailbox));
        let body = soap::soap_envelope(owner, &call.body);
        match self.send(session, endpoint, call, body, credential).await {
            Err(error) if error.code == "PROVIDER_UNREACHABLE" => {
                self.forget_endpoint(session).await;
                Err(error)
            }
            answer => answer,
        }
    }

    async fn send(
        &self,
        session: &Session,
        url: &Url,
        call: &SoapRequest<'_>,
        body: String,
        credential: &Credential,
    ) -> Result<Response> {
        let _permit = session.gate.enter(call.mailbox).await?;
        let account = Some(session.account.as_str()).filter(|account| account.contains('@'));
        let mut request = Request::new(Method::POST, url.clone())
            .authorization(&authorization(credential))
            .header(header::ACCEPT, "text/xml")
            .header(CLIENT_REQUEST_ID, &self.ids.uuid().to_string())
            .body(XML, body);
        if let Some(anchor) = call.mailbox.or(account) {
            request = request.header(ANCHOR, anchor);
        }
        self.client.send(request).await.map_err(|error| {
            let error = Error::from(error);
            Error { unknown: error.unknown && call.writes, ..error }
        })
    }

    async fn judge(&self, call: &SoapRequest<'_>, answer: &Response) -> Result<SoapResponse> {
        let jitter = Duration::from_millis(self.ids.random_below(2_000));
        let refused = failure::FailureContext { about: call.about, writes: call.writes, jitter };
        let request_id = answer.header("request-id").map(str::to_owned);
        let read = Element::parse_async(&answer.body).await;
        let refusal = read.as_ref().err().copied();
        let envelope = read.ok();
        let response = format!("{}Response", call.name);
        let found = envelope.as_ref().filter(|_| answer.status.is_success()).and_then(|envelope| {
            envelope.child(SOAP, "Body")?.children.iter().position(|one| one.has_name(MESSAGES, &response))
        });
        let error = match (found, envelope) {
            (Some(position), Some(mut envelope)) => {
                let body = envelope.children.iter_mut().find(|one| one.has_name(SOAP, "Body"));
                let response = body.map(|body| body.children.swap_remove(position)).unwrap_or_default();
                return Ok(SoapResponse { response, refused, request_id });
            }
            (_, envelope) => match envelope.as_ref().and_then(ResponseCode::from_fault) {
                Some(code) => failure::error_from_code(&code, refused, true),
                None if answer.status.is_success() && !call.discovers => {
                    let refusal = refusal.unwrap_or(BodyRejected::Malformed);
                    let error = parts::unreadable_body(refusal, &answer.body, parts::EXCHANGE_SERVER);
                    if call.writes { error.with_unknown_outcome() } else { error }
                }
                None => failure::error_from_status(answer, refused),
            },
        };
        tracing::info!(
            status = answer.status.as_u16(),
            code = error.code,
            request_id,
            operation = call.name,
            "Exchange refused a request"
        );
        Err(Error { request_id, ..error })
    }

    /// Reacts to an error: a busy server pauses all requests of the account; an unreachable one is discovered
    /// again.
    async fn heed(&self, session: &Session, error: &Error) {
        match (error.kind, error.remedy) {
            (ErrorKind::Throttled, Remedy::RetryAfter(wait)) => session.gate.throttled(None, wait).await,
            (ErrorKind::Misconfigured, _) => self.forget_endpoint(session).await,
            _ if error.code == failure::NOT_SERVED_HERE => self.forget_endpoint(session).await,
            _ => {}
        }
    }
}

fn is_throttled(error: Option<&Error>) -> bool {
    error.is_some_and(|error| error.kind == ErrorKind::Throttled)
}

/// Whether the login belongs to the mailbox itself, so that no impersonation is needed.
fn is_login(session: &Session, credential: &Credential, mailbox: &str) -> bool {
    let user = match credential {
        Credential::Basic { user, .. } => user,
        Credential::Bearer(_) => return session.own,
        Credential::ServiceAccount(_) | Credential::Keyless(_) => return false,
    };
    session.own || user.eq_ignore_ascii_case(mailbox)
}

fn authorization(credential: &Credential) -> String {
    match credential {
        // A key signs tokens for providers that take them; what the server makes of none is its refusal.
        Credential::ServiceAccount(_) | Credential::Keyless(_) => String::new(),
        Credential::Bearer(token) => format!("Bearer {}", token.expose_secret()),
        Credential::Basic { user, password } => {
            format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{}", password.expose_secret())))
        }
    }
}
