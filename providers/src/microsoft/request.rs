//! The one way by which the connector calls Graph.
//!
//! Every request asks the gate first, carries an id of ours, is repeated at most once after a refused token, and
//! leaves either as a success or as a classified [`Error`]. A write whose answer is missing is marked unknown.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, Method, Request, Response, StatusCode};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

use super::{Microsoft, classify, wire};
use crate::{Credential, Error, ErrorKind, Remedy, Result, Session, json, parts};

/// Ids that stay when an item moves inside its mailbox, and times in UTC. Never mixed with other kinds of ids.
const PREFER: &str = r#"IdType="ImmutableId", outlook.timezone="UTC""#;

/// The header by which our logs and Microsoft's are matched.
pub(super) const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");

/// No list that Muster reads to its end is longer than this many pages; a longer one is a loop.
pub(super) const MAX_PAGES: usize = 2_000;

/// One request to Graph, before it has a token.
#[derive(Debug, Clone)]
pub(super) struct Call<'a> {
    method: Method,
    url: Url,
    body: Option<Value>,
    writes: bool,
    /// The mailbox it is about; absent for the directory.
    mailbox: Option<&'a str>,
    /// Whether "not found" means a single object and not the whole mailbox.
    item: bool,
    /// How many members a page may have, where the query cannot say it.
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

    /// Names the mailbox it is about.
    pub(super) fn of(self, mailbox: &'a str) -> Self {
        Self { mailbox: Some(mailbox), ..self }
    }

    /// It is about one object, such as an event.
    pub(super) fn item(self) -> Self {
        Self { item: true, ..self }
    }

    /// Requests pages with this number of members.
    pub(super) fn pages_of(self, members: usize) -> Self {
        Self { page: Some(members), ..self }
    }

    /// It is a question although its method is POST.
    pub(super) fn asks(self) -> Self {
        Self { writes: false, ..self }
    }

    /// The mailbox it is about.
    pub(super) fn mailbox(&self) -> Option<&'a str> {
        self.mailbox
    }

    /// As the `n`th member of a batch; its address is relative to Graph's root.
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
    /// Sends a request and returns its success.
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

    /// Sends a request and reads the JSON of its success.
    pub(super) async fn call_json<T: DeserializeOwned + Send + 'static>(
        &self,
        session: &Session,
        call: &Call<'_>,
    ) -> Result<T> {
        let answer = self.call(session, call).await?;
        read(call, &answer).await
    }

    /// Reads one page of a list.
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

    /// The address of a resource below Graph's root; each part becomes one segment.
    pub(super) fn url(&self, parts: &[&str]) -> Result<Url> {
        below(&self.config.graph, parts)
    }

    /// The address of something in a mailbox.
    pub(super) fn mailbox_url(&self, mailbox: &str, parts: &[&str]) -> Result<Url> {
        if let Some(rest) = mailbox.strip_prefix('$') {
            // OData would read a leading `$` as a keyword.
            let user = format!("users('${}')", rest.replace('\'', "''"));
            return self.url(&[&[user.as_str()], parts].concat());
        }
        self.url(&[&["users", mailbox], parts].concat())
    }

    /// The next page of a list. A link to anywhere but Graph is refused: a token would go with it.
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

/// An address below `base`, each part percent-encoded as one segment.
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

/// The address with a query; names are sent as they are, values encoded with `%20` for the space.
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

/// The claims that continuous access evaluation demands of the next token.
fn claims_challenge(answer: &Response) -> Option<String> {
    let challenge = answer.header("www-authenticate")?;
    let encoded = challenge.split_once("claims=\"")?.1.split_once('"')?.0;
    String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
}

/// Reads the JSON of an answer.
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
