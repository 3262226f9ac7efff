//! One request to the server: the gate, the credential, redirects within the server.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, Method, StatusCode, header};
use secrecy::ExposeSecret;
use url::Url;

use super::{
    CalDav, RoomRule,
    directory::Located,
    failure::{self, About},
    href,
    multistatus::{self, Resource},
};
use crate::{Credential, Error, ErrorKind, Remedy, Result, Session};

/// How often a server may send a request on.
const HOPS: usize = 5;
const XML: &str = "application/xml; charset=utf-8";
const CALENDAR: &str = "text/calendar; charset=utf-8";

/// The server of a session, seen by requests about one mailbox, or about the directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dav<'a> {
    /// The rules and the client.
    pub caldav: &'a CalDav,
    /// Credentials and gate.
    pub session: &'a Session,
    /// Where the administrator says the server is.
    pub server: &'a Url,
    mailbox: Option<&'a str>,
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Call {
    method: &'static [u8],
    url: Url,
    headers: Vec<(header::HeaderName, String)>,
    body: Option<(&'static str, String)>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// How long the server wants us to wait.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Vec<u8>,
    /// Who answered, after redirects.
    pub url: Url,
}

impl Answer {
    /// The entity tag, byte for byte.
    pub(super) fn etag(&self) -> Option<String> {
        self.headers.get(header::ETAG)?.to_str().ok().map(str::to_owned)
    }
}

impl Call {
    fn new(method: &'static [u8], url: &Url) -> Self {
        Self { method, url: url.clone(), headers: Vec::new(), body: None }
    }

    /// OPTIONS.
    pub(super) fn options(url: &Url) -> Self {
        Self::new(b"OPTIONS", url)
    }

    /// PROPFIND or REPORT.
    pub(super) fn xml(method: &'static [u8], url: &Url, depth: &str, body: String) -> Self {
        let headers = vec![(header::HeaderName::from_static("depth"), depth.to_owned())];
        Self { headers, body: Some((XML, body)), ..Self::new(method, url) }
    }

    /// GET of an event.
    pub(super) fn get(url: &Url) -> Self {
        Self { headers: vec![(header::ACCEPT, "text/calendar".to_owned())], ..Self::new(b"GET", url) }
    }

    /// PUT of an event: a new one, or the next version of the one with this entity tag.
    pub(super) fn put(url: &Url, text: String, replaces: Option<&str>) -> Self {
        let guard = match replaces {
            Some(etag) => (header::IF_MATCH, etag.to_owned()),
            None => (header::IF_NONE_MATCH, "*".to_owned()),
        };
        Self { headers: vec![guard], body: Some((CALENDAR, text)), ..Self::new(b"PUT", url) }
    }

    /// DELETE of exactly this version. An attendee's copy goes without a word to the organiser (RFC 6638
    /// section 8.1); of an organiser's event the attendees are told all the same.
    pub(super) fn delete(url: &Url, etag: &str) -> Self {
        let quietly = (header::HeaderName::from_static("schedule-reply"), "F".to_owned());
        Self { headers: vec![(header::IF_MATCH, etag.to_owned()), quietly], ..Self::new(b"DELETE", url) }
    }

    /// POST of a question to a scheduling outbox.
    pub(super) fn post(url: &Url, text: String) -> Self {
        Self { body: Some((CALENDAR, text)), ..Self::new(b"POST", url) }
    }

    fn writes(&self) -> bool {
        matches!(self.method, b"PUT" | b"DELETE")
    }
}

impl<'a> Dav<'a> {
    pub(super) fn new(caldav: &'a CalDav, session: &'a Session, mailbox: Option<&'a str>) -> Result<Self> {
        let missing = || {
            let message = "The address of the calendar server is missing.";
            Error::new(ErrorKind::Misconfigured, Remedy::Never, "NO_SERVER", message)
        };
        let server = session.server.as_ref().ok_or_else(missing)?;
        Ok(Self { caldav, session, server, mailbox })
    }

    /// The same server for requests about another mailbox.
    pub(super) fn about(self, mailbox: &'a str) -> Self {
        Self { mailbox: Some(mailbox), ..self }
    }

    /// Whether `mailbox` is the service account's own.
    pub(super) fn is_account(&self, mailbox: &str) -> bool {
        let account = &self.session.account;
        let with_domain = || format!("{account}@{}", self.domain());
        account.eq_ignore_ascii_case(mailbox)
            || (!account.contains('@') && with_domain().eq_ignore_ascii_case(mailbox))
    }

    /// Which principals are rooms.
    pub(super) fn rooms(&self) -> &RoomRule {
        self.session.rooms.as_deref().unwrap_or(&self.caldav.config.rooms)
    }

    /// The mail domain of principals whose name holds none.
    pub(super) fn domain(&self) -> String {
        let configured = self.caldav.config.addresses.domain.clone();
        let account = || self.session.account.split_once('@').map(|(_, domain)| domain.to_owned());
        configured.or_else(account).unwrap_or_else(|| self.server.host_str().unwrap_or_default().to_owned())
    }

    /// The address of an event by its id. Only events below the mailbox's own calendars can be named.
    pub(super) fn object(&self, place: &Located, id: &str) -> Result<Url> {
        let url = href::resolve(self.server, id);
        let own =
            |url: &Url| href::is_below(&place.principal.url, url) || href::is_below(&place.calendar.url, url);
        url.filter(own).ok_or_else(|| {
            let message = "The id names no event of this mailbox.";
            Error::new(ErrorKind::Invalid, Remedy::Never, "FOREIGN_ID", message)
        })
    }

    /// PROPFIND.
    pub(super) async fn propfind(
        &self,
        url: &Url,
        depth: &str,
        body: &str,
        about: About,
    ) -> Result<Vec<Resource>> {
        let answer = self.send(Call::xml(b"PROPFIND", url, depth, body.to_owned())).await?;
        match answer.status {
            StatusCode::MULTI_STATUS => {
                let found = multistatus::read(&answer.url, &answer.body).ok_or_else(failure::nonsense)?;
                // Some servers wrap the refusal of the whole request into a list of one.
                let own = found.iter().find(|one| href::same(&one.url, &href::normalise(url.clone())));
                match own.and_then(|own| own.status).and_then(|code| StatusCode::from_u16(code).ok()) {
                    Some(status) if !status.is_success() => {
                        Err(failure::error(&Answer { status, ..answer }, about, false))
                    }
                    _ => Ok(found),
                }
            }
            status if status.is_success() => Err(failure::nonsense()),
            _ => Err(failure::error(&answer, about, false)),
        }
    }

    /// Sends a request. Every status but 401 is the caller's to judge.
    pub(super) async fn send(&self, call: Call) -> Result<Answer> {
        let writes = call.writes();
        let mut credential = self.session.credentials.current().await?;
        let mut url = call.url.clone();
        let (mut hops, mut renewed) = (0, false);
        loop {
            let answer = self.once(&call, &url, &credential).await.map_err(|mut error| {
                error.unknown &= writes;
                error
            })?;
            if answer.status == StatusCode::UNAUTHORIZED {
                if renewed {
                    return Err(failure::refused());
                }
                renewed = true;
                credential = self.session.credentials.renewed(&credential, None).await?;
                continue;
            }
            match redirected(&answer) {
                Some(next) if hops < HOPS => {
                    hops += 1;
                    url = next;
                }
                _ => return Ok(answer),
            }
        }
    }

    async fn once(&self, call: &Call, url: &Url, credential: &Credential) -> Result<Answer> {
        let _permit = self.session.gate.enter(self.mailbox).await?;
        let method = Method::from_bytes(call.method).map_err(|_| failure::nonsense())?;
        let mut request = http::Request::new(method, url.clone()).authorization(&authorization(credential));
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
        Ok(Answer { status, headers, retry_after, body, url: url.clone() })
    }
}

/// Where a redirect within the server leads.
fn redirected(answer: &Answer) -> Option<Url> {
    let redirect = matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = redirect.then(|| answer.headers.get(header::LOCATION)).flatten()?;
    href::resolve(&answer.url, location.to_str().ok()?)
}

fn authorization(credential: &Credential) -> String {
    match credential {
        Credential::Bearer(token) => format!("Bearer {}", token.expose_secret()),
        Credential::Basic { user, password } => {
            format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{}", password.expose_secret())))
        }
        // A key signs tokens for providers that take them; what a CalDAV server makes of none is its refusal.
        Credential::ServiceAccount(_) | Credential::Keyless(_) => String::new(),
    }
}
