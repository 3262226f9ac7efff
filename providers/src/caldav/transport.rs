//! Requests to a CalDAV server: rate limits, credentials, and redirects within the server.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, header};
use url::Url;

use super::{
    CalDav, RoomRule,
    auth::{self, UnauthorizedOutcome},
    failure::{self, RequestSubject},
    href,
    locate::LocatedMailbox,
    multistatus::{self, Resource},
};
use crate::{Credential, Error, ErrorKind, Remedy, Result, Session, messages};

/// Maximum number of redirects that are followed.
const HOPS: usize = 5;
const XML: &str = "application/xml; charset=utf-8";
const CALENDAR: &str = "text/calendar; charset=utf-8";

/// A client for the CalDAV server of a session, for requests about one mailbox or about the directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct DavClient<'a> {
    /// The connector with its rules and HTTP client.
    pub caldav: &'a CalDav,
    /// The credentials and rate limits.
    pub session: &'a Session,
    /// The server's URL as the administrator typed it.
    pub server: &'a Url,
    mailbox: Option<&'a str>,
}

/// A request to be sent; [`DavClient::send`] adds the credential.
#[derive(Debug, Clone)]
pub(super) struct DavRequest {
    method: &'static [u8],
    url: Url,
    headers: Vec<(header::HeaderName, String)>,
    body: Option<(&'static str, String)>,
}

/// A response whose body was read, after redirects.
#[derive(Debug)]
pub(super) struct DavResponse {
    /// The HTTP status code; never 401, which is handled before.
    pub status: StatusCode,
    /// All headers of the last response.
    pub headers: HeaderMap,
    /// The wait that the server requests; `None` when it requests none.
    pub retry_after: Option<Duration>,
    /// The whole content, undecoded.
    pub body: Vec<u8>,
    /// The URL that responded, after redirects.
    pub url: Url,
}

impl DavResponse {
    /// The entity tag, byte for byte.
    pub(super) fn etag(&self) -> Option<String> {
        self.headers.get(header::ETAG)?.to_str().ok().map(str::to_owned)
    }
}

impl DavRequest {
    fn new(method: &'static [u8], url: &Url) -> Self {
        Self { method, url: url.clone(), headers: Vec::new(), body: None }
    }

    /// Builds an OPTIONS request, whose response lists what the server supports.
    pub(super) fn options(url: &Url) -> Self {
        Self::new(b"OPTIONS", url)
    }

    /// Builds a PROPFIND or REPORT request with an XML body.
    pub(super) fn xml(method: &'static [u8], url: &Url, depth: &str, body: String) -> Self {
        let headers = vec![(header::HeaderName::from_static("depth"), depth.to_owned())];
        Self { headers, body: Some((XML, body)), ..Self::new(method, url) }
    }

    /// Builds a GET request for an event.
    pub(super) fn get(url: &Url) -> Self {
        Self { headers: vec![(header::ACCEPT, "text/calendar".to_owned())], ..Self::new(b"GET", url) }
    }

    /// Builds a PUT request for an event: a new one, or the next version of the one with this entity tag. If the server
    /// sends no tag (an empty one), the request is unconditional.
    pub(super) fn put(url: &Url, text: String, replaces: Option<&str>) -> Self {
        let guard = match replaces {
            Some("") => Vec::new(),
            Some(etag) => vec![(header::IF_MATCH, etag.to_owned())],
            None => vec![(header::IF_NONE_MATCH, "*".to_owned())],
        };
        Self { headers: guard, body: Some((CALENDAR, text)), ..Self::new(b"PUT", url) }
    }

    /// Builds a DELETE request for exactly this version. Deleting an attendee's copy does not notify the organiser (RFC
    /// 6638 section 8.1); deleting an organiser's event does notify the attendees.
    pub(super) fn delete(url: &Url, etag: &str) -> Self {
        let quietly = (header::HeaderName::from_static("schedule-reply"), "F".to_owned());
        let guard = (!etag.is_empty()).then(|| (header::IF_MATCH, etag.to_owned()));
        let headers = guard.into_iter().chain([quietly]).collect();
        Self { headers, ..Self::new(b"DELETE", url) }
    }

    /// Builds a POST request for a scheduling outbox.
    pub(super) fn post(url: &Url, text: String) -> Self {
        Self { body: Some((CALENDAR, text)), ..Self::new(b"POST", url) }
    }

    fn writes(&self) -> bool {
        matches!(self.method, b"PUT" | b"DELETE")
    }
}

impl<'a> DavClient<'a> {
    pub(super) fn new(caldav: &'a CalDav, session: &'a Session, mailbox: Option<&'a str>) -> Result<Self> {
        let missing = || {
            let message = messages::caldav_server_missing();
            Error::new(ErrorKind::Misconfigured, Remedy::Never, "NO_SERVER", message)
        };
        let server = session.server.as_ref().ok_or_else(missing)?;
        Ok(Self { caldav, session, server, mailbox })
    }

    /// A client for the same server, for requests about another mailbox.
    pub(super) fn for_mailbox(self, mailbox: &'a str) -> Self {
        Self { mailbox: Some(mailbox), ..self }
    }

    /// The rule that decides which principals are rooms.
    pub(super) fn room_rule(&self) -> &RoomRule {
        self.session.rooms.as_deref().unwrap_or(&self.caldav.config.rooms)
    }

    /// The key under which a value is cached. It includes the session's scope, so that other sessions never read it.
    pub(super) fn cache_key(&self, name: &str) -> String {
        format!("{}\n{}\n{name}", self.session.scope, self.server)
    }

    /// Whether the request is about one mailbox.
    pub(super) const fn is_about_mailbox(&self) -> bool {
        self.mailbox.is_some()
    }

    /// The URL of an event by its id. Only events in the mailbox's own calendars can be addressed.
    pub(super) fn event_url(&self, located: &LocatedMailbox, id: &str) -> Result<Url> {
        let url = href::resolve(self.server, id);
        url.filter(|url| located.calendar_containing(url).is_some()).ok_or_else(|| {
            let message = messages::caldav_no_such_event();
            Error::new(ErrorKind::Invalid, Remedy::Never, "FOREIGN_ID", message)
        })
    }

    /// Reads properties of a resource, and of the resources in it if `depth` is `1`.
    pub(super) async fn propfind(
        &self,
        url: &Url,
        depth: &str,
        body: &str,
        about: RequestSubject,
    ) -> Result<Vec<Resource>> {
        let answer = self.send(DavRequest::xml(b"PROPFIND", url, depth, body.to_owned())).await?;
        read_propfind(url, answer, about)
    }

    /// Reads properties of a URL that may not exist. A refused credential is not conclusive there.
    pub(super) async fn try_propfind(&self, url: &Url, depth: &str, body: &str) -> Result<Vec<Resource>> {
        let call = DavRequest::xml(b"PROPFIND", url, depth, body.to_owned());
        let answer = self.exchange(&call, true).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            return Err(failure::out_of_scope("401"));
        }
        read_propfind(url, answer, RequestSubject::Mailbox)
    }

    /// Sends a request. The caller handles every status except 401.
    pub(super) async fn send(&self, call: DavRequest) -> Result<DavResponse> {
        self.exchange(&call, false).await
    }

    async fn exchange(&self, call: &DavRequest, is_guess: bool) -> Result<DavResponse> {
        let logins = &self.caldav.logins;
        let origin = self.server.origin().ascii_serialization();
        let mut credential = self.session.credentials.current().await?;
        let mut url = call.url.clone();
        let (mut hops, mut renewed, mut challenged) = (0, false, false);
        loop {
            let key = auth::credential_key(self.session, &origin, &credential);
            if !logins.is_credential_refused(&key) {
                let answer = self.once(call, &url, &credential, &key).await.map_err(|mut error| {
                    error.unknown &= call.writes();
                    error
                })?;
                if answer.status != StatusCode::UNAUTHORIZED {
                    match redirected(&answer) {
                        Some(next) if hops < HOPS => {
                            hops += 1;
                            url = next;
                            continue;
                        }
                        _ => return Ok(answer),
                    }
                }
                match logins.handle_unauthorized(&key, &credential, &answer.headers, challenged) {
                    UnauthorizedOutcome::Again => {
                        challenged = true;
                        continue;
                    }
                    UnauthorizedOutcome::Unspoken(schemes) => {
                        return Err(failure::unsupported_login(&schemes));
                    }
                    UnauthorizedOutcome::Refused if is_guess => return Ok(answer),
                    UnauthorizedOutcome::Refused => logins.record_refusal(key),
                }
            }
            if renewed {
                return Err(failure::login_refused());
            }
            (renewed, challenged) = (true, false);
            credential = self.session.credentials.renewed(&credential, None).await?;
        }
    }

    async fn once(
        &self,
        call: &DavRequest,
        url: &Url,
        credential: &Credential,
        key: &str,
    ) -> Result<DavResponse> {
        let _permit = self.session.gate.enter(self.mailbox).await?;
        let method = Method::from_bytes(call.method).map_err(|_| failure::not_caldav())?;
        let proof = self.caldav.logins.authorization_header(key, credential, method.as_str(), path_of(url));
        let mut request = http::Request::new(method, url.clone()).authorization(&proof);
        if let Some((content_type, body)) = &call.body {
            request = request.body(content_type, body.clone());
        }
        for (name, value) in &call.headers {
            request = request.header(name.clone(), value);
        }
        let response = self.caldav.client.send(request).await?;
        let retry_after = response.retry_after();
        if matches!(response.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
            && let Some(wait) = retry_after
        {
            self.session.gate.throttled(self.mailbox, wait).await;
        }
        let (status, headers, body) = (response.status, response.headers, response.body.to_vec());
        Ok(DavResponse { status, headers, retry_after, body, url: url.clone() })
    }
}

/// The target of a redirect within the server; `None` for any other response.
fn redirected(answer: &DavResponse) -> Option<Url> {
    let redirect = matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = redirect.then(|| answer.headers.get(header::LOCATION)).flatten()?;
    href::resolve(&answer.url, location.to_str().ok()?)
}

/// The path and query of a URL, as sent in a request line.
fn path_of(url: &Url) -> &str {
    &url[url::Position::BeforePath..url::Position::AfterQuery]
}

fn read_propfind(url: &Url, answer: DavResponse, about: RequestSubject) -> Result<Vec<Resource>> {
    match answer.status {
        StatusCode::MULTI_STATUS => {
            let found = multistatus::parse(&answer.url, &answer.body)
                .ok_or_else(|| failure::unreadable_response_about(about))?;
            // Some servers wrap the refusal of the whole request into a list of one.
            let asked = href::normalise(url.clone());
            let own = found.iter().find(|one| href::is_same_resource(&one.url, &asked));
            let refused =
                own.and_then(Resource::refusal_status).and_then(|code| StatusCode::from_u16(code).ok());
            match refused {
                Some(status) => {
                    Err(failure::error_from_response(&DavResponse { status, ..answer }, about, false))
                }
                None => Ok(found),
            }
        }
        status if status.is_success() => Err(failure::unreadable_response_about(about)),
        _ => Err(failure::error_from_response(&answer, about, false)),
    }
}
