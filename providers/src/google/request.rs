//! Builds requests to Google's APIs, which [`crate::rest`] sends.
//!
//! Every request names the mailbox whose quota it uses (`quotaUser`; otherwise everything would be charged to the
//! service account).

use std::time::Duration;

use async_trait::async_trait;
use domain::Ids;
use http::{Method, Request, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use super::{
    Google,
    classify::{self, RequestSubject},
    scopes::Scope,
    tokens::SigningAccount,
};
use crate::{
    Credential, Error, ErrorKind, Remedy, Result, Session, messages,
    rest::{self, RestApi, url_below},
};

/// Suffix of the addresses of resource calendars: rooms, which cannot be impersonated.
const RESOURCE: &str = "@resource.calendar.google.com";

/// A request to one of Google's APIs.
pub(super) type Call<'a> = rest::Call<'a, RequestDetails>;

/// Google-specific details of a request.
#[derive(Debug, Clone)]
pub(crate) struct RequestDetails {
    version: Option<String>,
    scope: Scope,
    subject: RequestSubject,
    /// Whether the service account acts for the mailbox's owner; otherwise for the administrator.
    acts_for_owner: bool,
}

impl<'a> Call<'a> {
    pub(super) fn get(url: Url, scope: Scope) -> Self {
        let detail = RequestDetails {
            version: None,
            scope,
            subject: RequestSubject::Directory,
            acts_for_owner: false,
        };
        Self::new_read_only(Method::GET, url, detail)
    }

    pub(super) fn post(url: Url, scope: Scope, body: Value) -> Self {
        Self { method: Method::POST, body: Some(body), writes: true, ..Self::get(url, scope) }
    }

    /// Creates a PATCH request that applies only if the resource has this version.
    pub(super) fn patch(url: Url, body: Value, version: &str) -> Self {
        let call = Self { method: Method::PATCH, ..Self::post(url, Scope::Events, body) };
        let version = Some(version.to_owned()).filter(|version| !version.is_empty());
        Self { detail: RequestDetails { version, ..call.detail }, ..call }
    }

    pub(super) fn delete(url: Url) -> Self {
        Self { method: Method::DELETE, writes: true, ..Self::get(url, Scope::Events) }
    }

    /// Sets the mailbox that the request is about; the service account acts for its owner, or for the administrator
    /// if it is a room.
    pub(super) fn for_mailbox(self, mailbox: &'a str) -> Self {
        let acts_for_owner = !is_resource_mailbox(mailbox);
        let detail = RequestDetails { acts_for_owner, subject: RequestSubject::Calendar, ..self.detail };
        Self { mailbox: Some(mailbox), detail, ..self }
    }

    /// Sets the directory user that the request is about; the service account acts for the administrator.
    pub(super) fn about_user(self, mailbox: &'a str) -> Self {
        let detail = RequestDetails { acts_for_owner: false, subject: RequestSubject::Person, ..self.detail };
        Self { mailbox: Some(mailbox), detail, ..self }
    }

    /// The user for whom the service account acts; `None` if that is the administrator.
    fn acts(&self) -> Option<&'a str> {
        self.mailbox.filter(|_| self.detail.acts_for_owner)
    }

    /// Sets the subject by which "not found" and "forbidden" are interpreted.
    pub(super) fn with_subject(self, subject: RequestSubject) -> Self {
        Self { detail: RequestDetails { subject, ..self.detail }, ..self }
    }
}

/// Whether the address belongs to a room or another resource.
pub(super) fn is_resource_mailbox(mailbox: &str) -> bool {
    mailbox.to_ascii_lowercase().ends_with(RESOURCE)
}

#[async_trait]
impl RestApi for Google {
    type RequestDetails = RequestDetails;
    const NAME: &'static str = "Google";

    fn client(&self) -> &http::Client {
        &self.client
    }

    fn ids(&self) -> &Ids {
        &self.ids
    }

    /// A service account has one token for each user on whose behalf it acts; a user's own consent has a single
    /// token.
    async fn token(
        &self,
        session: &Session,
        call: &Call<'_>,
        credential: &Credential,
        refused: Option<(&SecretString, &Response)>,
    ) -> Result<SecretString> {
        let account = match credential {
            Credential::ServiceAccount(key) => Some(SigningAccount::Key(key)),
            Credential::Keyless(address) => Some(SigningAccount::Keyless(address)),
            _ => None,
        };
        if let Some(account) = account {
            let subject = call.acts().unwrap_or(&session.account);
            let refused = refused.map(|(token, _)| token);
            return self
                .token_for_subject(&session.scope, account, subject, call.detail.scope, refused)
                .await;
        }
        let fresh = match refused {
            Some(_) => session.credentials.renewed(credential, None).await?,
            None => credential.clone(),
        };
        match fresh {
            Credential::Bearer(token) => Ok(token),
            _ => Err(Error::new(
                ErrorKind::Misconfigured,
                Remedy::Never,
                "KEY_NEEDED",
                messages::google_key_needed(),
            )),
        }
    }

    fn request(&self, session: &Session, call: &Call<'_>, token: &SecretString) -> Request {
        let mut url = call.url.clone();
        let quota = call.acts().unwrap_or(&session.account);
        url.query_pairs_mut().append_pair("quotaUser", quota);
        let mut request = Request::new(call.method.clone(), url)
            .authorization(&format!("Bearer {}", token.expose_secret()))
            .header(http::header::ACCEPT, "application/json");
        if let Some(body) = &call.body {
            request = request.body("application/json", body.to_string());
        }
        if let Some(version) = &call.detail.version {
            request = request.header(http::header::IF_MATCH, version);
        }
        request
    }

    fn classify(&self, answer: &Response, call: &Call<'_>, jitter: Duration) -> Error {
        classify::error_from_response(answer, call.detail.subject, call.writes, jitter)
    }

    fn consent_lost(&self, error: Error) -> Error {
        classify::consent_lost(error)
    }
}

impl Google {
    /// The URL of a resource in a mailbox's calendar.
    pub(super) fn calendar_url(&self, mailbox: &str, parts: &[&str]) -> Result<Url> {
        url_below(&self.config.calendar, &[&["calendars", mailbox], parts].concat())
    }

    /// The URL of a resource in the directory.
    pub(super) fn directory_url(&self, parts: &[&str]) -> Result<Url> {
        url_below(&self.config.directory, parts)
    }
}

/// The URL with these query parameters.
pub(super) fn with_query(mut url: Url, query: &[(&str, &str)]) -> Url {
    url.query_pairs_mut().extend_pairs(query);
    url
}

pub(super) fn unreadable_response() -> Error {
    rest::unexpected_response(Google::NAME)
}

/// The error for a list with more pages than the maximum, which is treated as an endless loop.
pub(super) fn too_many_pages() -> Error {
    rest::too_many_pages(Google::NAME)
}
