//! Sends all requests of the connector to Google's APIs.
//!
//! Every request passes the gate, names the mailbox whose quota it uses (`quotaUser`; otherwise everything would be
//! charged to the service account), is repeated at most once after a refused token, and ends as a success or a
//! classified [`Error`]. A write without a response is marked as unknown.

use http::{Method, Request, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::{
    Google,
    classify::{self, Subject},
    scopes::Scope,
    tokens::Account,
};
use crate::{Credential, Error, ErrorKind, Remedy, Result, Session, json, parts};

/// Maximum number of pages of a list; a longer list is treated as an endless loop.
pub(super) const MAX_PAGES: usize = 2_000;

/// Suffix of the addresses of resource calendars: rooms, which cannot be impersonated.
const RESOURCE: &str = "@resource.calendar.google.com";

/// A request to be sent, without a token.
#[derive(Debug, Clone)]
pub(super) struct Call<'a> {
    method: Method,
    url: Url,
    body: Option<Value>,
    version: Option<String>,
    scope: Scope,
    subject: Subject,
    writes: bool,
    /// The mailbox that the request is about; `None` for the directory.
    mailbox: Option<&'a str>,
    /// The user for whom the service account acts; the administrator if `None`.
    acts: Option<&'a str>,
}

impl<'a> Call<'a> {
    pub(super) fn get(url: Url, scope: Scope) -> Self {
        Self {
            method: Method::GET,
            url,
            body: None,
            version: None,
            scope,
            subject: Subject::Directory,
            writes: false,
            mailbox: None,
            acts: None,
        }
    }

    pub(super) fn post(url: Url, scope: Scope, body: Value) -> Self {
        Self { method: Method::POST, body: Some(body), writes: true, ..Self::get(url, scope) }
    }

    /// Creates a PATCH request that applies only if the resource has this version.
    pub(super) fn patch(url: Url, body: Value, version: &str) -> Self {
        let version = Some(version.to_owned()).filter(|version| !version.is_empty());
        Self { method: Method::PATCH, version, ..Self::post(url, Scope::Events, body) }
    }

    pub(super) fn delete(url: Url) -> Self {
        Self { method: Method::DELETE, writes: true, ..Self::get(url, Scope::Events) }
    }

    /// Sets the mailbox that the request is about; the service account acts for its owner, or for the administrator
    /// if it is a room.
    pub(super) fn of(self, mailbox: &'a str) -> Self {
        let acts = Some(mailbox).filter(|mailbox| !is_resource(mailbox));
        Self { mailbox: Some(mailbox), acts, subject: Subject::Calendar, ..self }
    }

    /// Sets the directory user that the request is about; the service account acts for the administrator.
    pub(super) fn about(self, mailbox: &'a str) -> Self {
        Self { mailbox: Some(mailbox), acts: None, subject: Subject::Person, ..self }
    }

    /// Sets the subject by which "not found" and "forbidden" are interpreted.
    pub(super) fn on(self, subject: Subject) -> Self {
        Self { subject, ..self }
    }

    /// Marks the request as one that reads, although its method is POST.
    pub(super) fn asks(self) -> Self {
        Self { writes: false, ..self }
    }
}

/// Whether the address belongs to a room or another resource.
pub(super) fn is_resource(mailbox: &str) -> bool {
    mailbox.to_ascii_lowercase().ends_with(RESOURCE)
}

impl Google {
    /// Sends a request; an error response becomes an error.
    pub(super) async fn call(&self, session: &Session, call: &Call<'_>) -> Result<Response> {
        let permit = session.gate.enter(call.mailbox).await?;
        let credential = session.credentials.current().await?;
        let token = self.token(session, call, &credential, None).await?;
        let answer = self.send(session, call, &token).await?;
        drop(permit);
        if answer.status != StatusCode::UNAUTHORIZED {
            return self.judge(session, call, answer).await;
        }
        let fresh = self.token(session, call, &credential, Some(&token)).await?;
        let _permit = session.gate.enter(call.mailbox).await?;
        let answer = self.send(session, call, &fresh).await?;
        self.judge(session, call, answer).await.map_err(|error| match error.kind {
            // A fresh token that is refused too is not a question of age.
            ErrorKind::TokenRefused => classify::grant_lost(error),
            _ => error,
        })
    }

    /// Sends a request and parses the JSON response.
    pub(super) async fn call_json<T: DeserializeOwned + Send + 'static>(
        &self,
        session: &Session,
        call: &Call<'_>,
    ) -> Result<T> {
        let answer = self.call(session, call).await?;
        json::read(&answer.body).await.map_err(|refused| Error {
            unknown: call.writes,
            ..parts::unreadable(refused, &answer.body, "Google")
        })
    }

    /// The token for a request: a service account has one for each user for whom it acts, a user's own consent has
    /// one for everything.
    async fn token(
        &self,
        session: &Session,
        call: &Call<'_>,
        credential: &Credential,
        refused: Option<&SecretString>,
    ) -> Result<SecretString> {
        let account = match credential {
            Credential::ServiceAccount(key) => Some(Account::Key(key)),
            Credential::Keyless(address) => Some(Account::Keyless(address)),
            _ => None,
        };
        if let Some(account) = account {
            let subject = call.acts.unwrap_or(&session.account);
            return self.acting_as(&session.scope, account, subject, call.scope, refused).await;
        }
        let fresh = match (credential, refused) {
            (credential, Some(_)) => session.credentials.renewed(credential, None).await?,
            (credential, None) => credential.clone(),
        };
        match fresh {
            Credential::Bearer(token) => Ok(token),
            _ => Err(Error::new(
                ErrorKind::Misconfigured,
                Remedy::Never,
                "KEY_NEEDED",
                "Google Workspace is reached with a service account's key and not with a password.",
            )),
        }
    }

    async fn send(&self, session: &Session, call: &Call<'_>, token: &SecretString) -> Result<Response> {
        let mut url = call.url.clone();
        let quota = call.acts.unwrap_or(&session.account);
        url.query_pairs_mut().append_pair("quotaUser", quota);
        let mut request = Request::new(call.method.clone(), url)
            .authorization(&format!("Bearer {}", token.expose_secret()))
            .header(http::header::ACCEPT, "application/json");
        if let Some(body) = &call.body {
            request = request.body("application/json", body.to_string());
        }
        if let Some(version) = &call.version {
            request = request.header(http::header::IF_MATCH, version);
        }
        self.client.send(request).await.map_err(|error| {
            let error = Error::from(error);
            Error { unknown: error.unknown && call.writes, ..error }
        })
    }

    async fn judge(&self, session: &Session, call: &Call<'_>, answer: Response) -> Result<Response> {
        if answer.status.is_success() {
            return Ok(answer);
        }
        let jitter = std::time::Duration::from_millis(self.ids.below(2_000));
        let error = classify::refusal(&answer, call.subject, call.writes, jitter);
        tracing::info!(
            status = answer.status.as_u16(),
            code = error.code,
            method = %call.method,
            "Google refused a request"
        );
        if let (Remedy::RetryAfter(wait), true) =
            (error.remedy, error.kind == ErrorKind::Throttled || answer.retry_after().is_some())
        {
            session.gate.throttled(call.mailbox, wait).await;
        }
        Err(error)
    }

    /// The URL of a resource in a mailbox's calendar.
    pub(super) fn calendar_url(&self, mailbox: &str, parts: &[&str]) -> Result<Url> {
        below(&self.config.calendar, &[&["calendars", mailbox], parts].concat())
    }

    /// The URL of a resource in the directory.
    pub(super) fn directory_url(&self, parts: &[&str]) -> Result<Url> {
        below(&self.config.directory, parts)
    }
}

/// A URL below `base`; each part becomes one percent-encoded segment.
pub(super) fn below(base: &Url, parts: &[&str]) -> Result<Url> {
    let malformed = || {
        Error::new(
            ErrorKind::Invalid,
            Remedy::Never,
            "MALFORMED_ADDRESS",
            "This is not a valid address or id.",
        )
    };
    // Dot segments would vanish and turn a request about one thing into a request about another.
    if parts.iter().any(|part| part.is_empty() || part.chars().all(|c| c == '.')) {
        return Err(malformed());
    }
    let mut url = base.clone();
    url.path_segments_mut().map_err(|()| malformed())?.pop_if_empty().extend(parts);
    Ok(url)
}

/// The URL with these query parameters.
pub(super) fn with_query(mut url: Url, query: &[(&str, &str)]) -> Url {
    url.query_pairs_mut().extend_pairs(query);
    url
}

pub(super) fn unreadable() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        Remedy::RetryAfter(std::time::Duration::from_secs(5)),
        "ANSWER_UNREADABLE",
        "Google sent a response that cannot be understood.",
    )
}

/// The error for a list that never ends.
pub(super) fn endless() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        Remedy::RetryAfter(std::time::Duration::from_mins(1)),
        "ENDLESS_LIST",
        "Google returned an endless list.",
    )
}
