//! What a request to Graph looks like; [`crate::rest`] sends it. Every request carries an id of ours.

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::Ids;
use http::{HeaderName, Method, Request, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::{Microsoft, classify};
use crate::{
    Credential, Error, ErrorKind, Remedy, Result, Session, messages,
    rest::{self, RestApi, below},
};

/// Requests ids that stay the same when an item is moved within its mailbox, and times in UTC. Never mixed with
/// other kinds of ids.
const PREFER: &str = r#"IdType="ImmutableId", outlook.timezone="UTC""#;

/// Header by which our logs can be matched with Microsoft's.
pub(super) const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");

/// A request to Graph.
pub(super) type Call<'a> = rest::Call<'a, Detail>;

/// What Graph needs to know of a request besides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Detail {
    /// Whether "not found" means a single object and not the whole mailbox.
    item: bool,
    /// Page size, if the query cannot set it.
    page: Option<usize>,
}

impl<'a> Call<'a> {
    pub(super) fn get(url: Url) -> Self {
        Self::reading(Method::GET, url, Detail::default())
    }

    pub(super) fn post(url: Url, body: Value) -> Self {
        Self { method: Method::POST, body: Some(body), writes: true, ..Self::get(url) }
    }

    pub(super) fn patch(url: Url, body: Value) -> Self {
        Self { method: Method::PATCH, ..Self::post(url, body) }
    }

    pub(super) fn delete(url: Url) -> Self {
        Self { method: Method::DELETE, writes: true, ..Self::get(url) }
    }

    /// Sets the mailbox that the request is about.
    pub(super) fn of(self, mailbox: &'a str) -> Self {
        Self { mailbox: Some(mailbox), ..self }
    }

    /// Marks the request as one about a single object, such as an event.
    pub(super) fn item(self) -> Self {
        Self { detail: Detail { item: true, ..self.detail }, ..self }
    }

    /// Sets the page size.
    pub(super) fn pages_of(self, members: usize) -> Self {
        Self { detail: Detail { page: Some(members), ..self.detail }, ..self }
    }

    /// The request as the `n`th member of a batch; its URL is relative to Graph's root.
    pub(super) fn in_batch(&self, n: usize, root: &Url) -> Value {
        let address = &self.url[url::Position::BeforePath..];
        let address = address.strip_prefix(root.path().trim_end_matches('/')).unwrap_or(address);
        let mut headers = json!({ "Prefer": self.preferences() });
        if self.body.is_some() {
            headers["Content-Type"] = "application/json".into();
        }
        let mut item = json!({ "id": n.to_string(), "method": self.method.as_str(), "url": address, "headers": headers });
        if let Some(body) = &self.body {
            item["body"] = body.clone();
        }
        item
    }

    fn preferences(&self) -> String {
        self.detail
            .page
            .map_or_else(|| PREFER.to_owned(), |page| format!("{PREFER}, odata.maxpagesize={page}"))
    }

    pub(super) fn subject(&self) -> classify::Subject {
        match (self.detail.item, self.mailbox) {
            (true, Some(_)) => classify::Subject::Item,
            (false, Some(_)) => classify::Subject::Mailbox,
            (_, None) => classify::Subject::Directory,
        }
    }
}

#[async_trait]
impl RestApi for Microsoft {
    type Detail = Detail;
    const NAME: &'static str = "Microsoft 365";

    fn client(&self) -> &http::Client {
        &self.client
    }

    fn ids(&self) -> &Ids {
        &self.ids
    }

    async fn token(
        &self,
        session: &Session,
        _call: &Call<'_>,
        credential: &Credential,
        refused: Option<(&SecretString, &Response)>,
    ) -> Result<SecretString> {
        let fresh = match refused {
            Some((_, answer)) => {
                session.credentials.renewed(credential, claims_challenge(answer).as_deref()).await?
            }
            None => credential.clone(),
        };
        match fresh {
            Credential::Bearer(token) => Ok(token),
            _ => Err(Error::new(
                ErrorKind::Misconfigured,
                Remedy::Never,
                "TOKEN_NEEDED",
                messages::microsoft_token_needed(),
            )),
        }
    }

    fn request(&self, _session: &Session, call: &Call<'_>, token: &SecretString) -> Request {
        let request = Request::new(call.method.clone(), call.url.clone())
            .authorization(&format!("Bearer {}", token.expose_secret()))
            .header(CLIENT_REQUEST_ID, &self.ids.uuid().to_string())
            .header(http::header::ACCEPT, "application/json")
            .header(HeaderName::from_static("prefer"), &call.preferences());
        match &call.body {
            Some(body) => request.body("application/json", body.to_string()),
            None => request,
        }
    }

    fn classify(&self, answer: &Response, call: &Call<'_>, jitter: Duration) -> Error {
        classify::graph(answer, call.subject(), call.writes, jitter)
    }

    fn grant_lost(&self, error: Error) -> Error {
        classify::grant_lost(error)
    }

    fn request_id(&self, answer: &Response) -> Option<String> {
        answer.header("request-id").map(str::to_owned)
    }
}

impl Microsoft {
    /// The URL of a resource below Graph's root; each part becomes one segment.
    pub(super) fn url(&self, parts: &[&str]) -> Result<Url> {
        below(&self.config.graph, parts)
    }

    /// The URL of a resource in a mailbox.
    pub(super) fn mailbox_url(&self, mailbox: &str, parts: &[&str]) -> Result<Url> {
        if let Some(rest) = mailbox.strip_prefix('$') {
            // OData would read a leading `$` as a keyword.
            let user = format!("users('${}')", rest.replace('\'', "''"));
            return self.url(&[&[user.as_str()], parts].concat());
        }
        self.url(&[&["users", mailbox], parts].concat())
    }

    /// The URL of the next page. A link to any other host than Graph's is refused, because our token would be sent
    /// to it.
    pub(super) fn follow(&self, link: &str) -> Result<Url> {
        let base = &self.config.graph;
        let root = base.path().trim_end_matches('/');
        Url::parse(link)
            .ok()
            .filter(|url| {
                url.origin() == base.origin() && url.username().is_empty() && url.password().is_none()
            })
            .filter(|url| url.path().strip_prefix(root).is_some_and(|rest| rest.starts_with('/')))
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Invalid,
                    Remedy::Resync,
                    "FOREIGN_LINK",
                    messages::microsoft_position_foreign(),
                )
            })
    }
}

/// The URL with these query parameters; names are sent unchanged, spaces in values as `%20`.
pub(super) fn with_query(mut url: Url, query: &[(&str, &str)]) -> Url {
    let text: Vec<String> = query
        .iter()
        .map(|(name, value)| {
            let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            format!("{name}={}", value.replace('+', "%20"))
        })
        .collect();
    url.set_query(Some(&text.join("&")));
    url
}

/// The claims that the next token must contain, as demanded by continuous access evaluation.
fn claims_challenge(answer: &Response) -> Option<String> {
    let challenge = answer.header("www-authenticate")?;
    let encoded = challenge.split_once("claims=\"")?.1.split_once('"')?.0;
    String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
}

/// The error for a list that never ends.
pub(super) fn endless() -> Error {
    rest::endless(Microsoft::NAME)
}
