//! Sends all requests of the connector to Graph.
//!
//! Every request passes the gate, carries an id of ours, is repeated at most once after a refused token, and ends
//! as a success or a classified [`Error`]. A write without a response is marked as unknown.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, Method, Request, Response, StatusCode};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

use super::{Microsoft, classify, wire};
use crate::{Credential, Error, ErrorKind, Remedy, Result, Session, json, parts};

/// Requests ids that stay the same when an item is moved within its mailbox, and times in UTC. Never mixed with
/// other kinds of ids.
const PREFER: &str = r#"IdType="ImmutableId", outlook.timezone="UTC""#;

/// Header by which our logs can be matched with Microsoft's.
pub(super) const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");

/// Maximum number of pages of a list; a longer list is treated as an endless loop.
pub(super) const MAX_PAGES: usize = 2_000;

/// A request to be sent, without a token.
#[derive(Debug, Clone)]
pub(super) struct Call<'a> {
    method: Method,
    url: Url,
    body: Option<Value>,
    writes: bool,
    /// The mailbox that the request is about; `None` for the directory.
    mailbox: Option<&'a str>,
    /// Whether "not found" means a single object and not the whole mailbox.
    item: bool,
    /// Page size, if the query cannot set it.
    page: Option<usize>,
}

impl<'a> Call<'a> {
    pub(super) fn get(url: Url) -> Self {
        Self { method: Method::GET, url, body: None, writes: false, mailbox: None, item: false, page: None }
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
        Self { item: true, ..self }
    }

    /// Sets the page size.
    pub(super) fn pages_of(self, members: usize) -> Self {
        Self { page: Some(members), ..self }
    }

    /// Marks the request as one that reads, although its method is POST.
    pub(super) fn asks(self) -> Self {
        Self { writes: false, ..self }
    }

    /// The mailbox it is about.
    pub(super) fn mailbox(&self) -> Option<&'a str> {
        self.mailbox
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
        self.page.map_or_else(|| PREFER.to_owned(), |page| format!("{PREFER}, odata.maxpagesize={page}"))
    }

    pub(super) fn subject(&self) -> classify::Subject {
        match (self.item, self.mailbox) {
            (true, Some(_)) => classify::Subject::Item,
            (false, Some(_)) => classify::Subject::Mailbox,
            (_, None) => classify::Subject::Directory,
        }
    }
}

impl Microsoft {
    /// Sends a request; an error response becomes an error.
    pub(super) async fn call(&self, session: &Session, call: &Call<'_>) -> Result<Response> {
        let permit = session.gate.enter(call.mailbox).await?;
        let credential = session.credentials.current().await?;
        let answer = self.send(call, &credential).await?;
        drop(permit);
        if answer.status != StatusCode::UNAUTHORIZED {
            return self.judge(session, call, answer).await;
        }
        let claims = claims_challenge(&answer);
        let fresh = session.credentials.renewed(&credential, claims.as_deref()).await?;
        let _permit = session.gate.enter(call.mailbox).await?;
        let answer = self.send(call, &fresh).await?;
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
        read(call, &answer).await
    }

    /// Requests one page of a list.
    pub(super) async fn call_list<T: DeserializeOwned + Send + 'static>(
        &self,
        session: &Session,
        call: &Call<'_>,
    ) -> Result<wire::List<T>> {
        self.call_json(session, call).await
    }

    async fn send(&self, call: &Call<'_>, credential: &Credential) -> Result<Response> {
        let Credential::Bearer(token) = credential else {
            return Err(Error::new(
                ErrorKind::Misconfigured,
                Remedy::Never,
                "TOKEN_NEEDED",
                "Microsoft 365 is reached with a token and not with a password.",
            ));
        };
        let mut request = Request::new(call.method.clone(), call.url.clone())
            .authorization(&format!("Bearer {}", token.expose_secret()))
            .header(CLIENT_REQUEST_ID, &self.ids.uuid().to_string())
            .header(http::header::ACCEPT, "application/json")
            .header(HeaderName::from_static("prefer"), &call.preferences());
        if let Some(body) = &call.body {
            request = request.body("application/json", body.to_string());
        }
        self.client.send(request).await.map_err(|error| {
            let error = Error::from(error);
            Error { unknown: error.unknown && call.writes, ..error }
        })
    }

    pub(super) async fn judge(
        &self,
        session: &Session,
        call: &Call<'_>,
        answer: Response,
    ) -> Result<Response> {
        if answer.status.is_success() {
            return Ok(answer);
        }
        let jitter = std::time::Duration::from_millis(self.ids.below(2_000));
        let error = classify::graph(&answer, call.subject(), call.writes, jitter);
        tracing::info!(
            status = answer.status.as_u16(),
            code = error.code,
            request_id = error.request_id,
            method = %call.method,
            "Graph refused a request"
        );
        if let (Remedy::RetryAfter(wait), true) =
            (error.remedy, error.kind == ErrorKind::Throttled || answer.retry_after().is_some())
        {
            session.gate.throttled(call.mailbox, wait).await;
        }
        Err(error)
    }

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
                    "The stored sync position does not belong to Microsoft 365.",
                )
            })
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

/// Parses the JSON of a response.
pub(super) async fn read<T: DeserializeOwned + Send + 'static>(
    call: &Call<'_>,
    answer: &Response,
) -> Result<T> {
    json::read(&answer.body).await.map_err(|refused| {
        let error = parts::unreadable(refused, &answer.body, "Microsoft 365");
        let request_id = answer.header("request-id").map(str::to_owned);
        Error { request_id, unknown: call.writes, ..error }
    })
}
