//! Queries the CalDAV server independently of Muster, to check its events and whether it accepts the service account.

mod access_control;
mod event;
mod multistatus;
mod principal;
mod write;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Client, HeaderName, Method, Request, StatusCode};
use url::Url;

use self::multistatus::Resource;
pub use self::{access_control::AccessControl, event::Event};
use super::{
    error::{Result, ensure, unexpected},
    wire,
};

const DEPTH: HeaderName = HeaderName::from_static("depth");
/// Maximum number of redirects followed per request.
const REDIRECTS: usize = 4;
const EVERYTHING: &str = r#"<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"/></C:comp-filter></C:filter></C:calendar-query>"#;

/// A CalDAV server with the service account's credentials.
#[derive(Debug, Clone)]
pub struct DavClient {
    client: Client,
    /// The base URL of the server, ending in a slash.
    pub url: Url,
    /// The user name of the service account.
    pub user: String,
    lock: AccessControl,
}

/// A response of the server.
struct Answer {
    /// The URL that responded, after redirects.
    url: Url,
    status: StatusCode,
    text: String,
}

impl DavClient {
    /// The server at `url`, to which a trailing slash is added.
    pub fn new(client: Client, mut url: Url, user: String, lock: AccessControl) -> Self {
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Self { client, url, user, lock }
    }

    /// Whether the server accepts the service account's login.
    pub async fn accepts_login(&self, password: &str) -> Result<bool> {
        Ok(self.own_principal(password).await?.is_some())
    }

    /// The service account's email address: the published one, otherwise its user name if that is an email address,
    /// otherwise its user name at the server's host.
    pub async fn account_address(&self, password: &str) -> Result<String> {
        let host = self.url.host_str().unwrap_or_default();
        Ok(match self.own_address(password).await? {
            Some(published) => published,
            None if self.user.contains('@') => self.user.clone(),
            None => format!("{}@{host}", self.user),
        })
    }

    /// Whether the service account can write to a calendar of this mailbox.
    pub async fn can_write_to(&self, mailbox: &str, password: &str) -> Result<bool> {
        Ok(!self.calendars(mailbox, password).await?.targets.is_empty())
    }

    /// The events of a mailbox's calendars.
    pub async fn events(&self, mailbox: &str, password: &str) -> Result<Vec<Event>> {
        let calendars = self.calendars(mailbox, password).await?;
        let mut found = Vec::new();
        for calendar in &calendars.all {
            let is_in_target = calendars.targets.contains(calendar);
            let answer = self.send(b"REPORT", calendar, "1", EVERYTHING, password).await?;
            let status = answer.status;
            ensure(status.is_success(), || format!("the calendar server answered {status} to {calendar}"))?;
            let events = Resource::parse_all(&answer.url, &answer.text)?;
            let events = events.iter().flat_map(|resource| Event::parse_all(resource.text("calendar-data")));
            found.extend(events.map(|event| Event { is_in_target, ..event }));
        }
        Ok(found)
    }

    /// The properties of a resource and, at depth 1, of the resources in it; empty if the resource does not exist or
    /// access is denied.
    async fn list(&self, place: &Url, depth: &str, body: &str, password: &str) -> Result<Vec<Resource>> {
        let answer = self.send(b"PROPFIND", place, depth, body, password).await?;
        if answer.status.is_success() {
            return Resource::parse_all(&answer.url, &answer.text);
        }
        let absent = [
            StatusCode::UNAUTHORIZED,
            StatusCode::FORBIDDEN,
            StatusCode::NOT_FOUND,
            StatusCode::METHOD_NOT_ALLOWED,
        ];
        let status = answer.status;
        ensure(absent.contains(&status), || format!("the calendar server answered {status} to {place}"))?;
        Ok(Vec::new())
    }

    /// Sends a request and follows redirects within the server.
    async fn send(
        &self,
        method: &[u8],
        url: &Url,
        depth: &str,
        body: &str,
        password: &str,
    ) -> Result<Answer> {
        let mut url = url.clone();
        for _ in 0..REDIRECTS {
            let request = self.request(method, &url, password)?.header(DEPTH, depth);
            let request = request.body("application/xml; charset=utf-8", body.to_owned());
            let answer = wire::send(&self.client, request).await?;
            let next = answer.header("location").filter(|_| answer.status.is_redirection());
            match next.and_then(|next| url.join(next).ok()) {
                Some(next) => {
                    ensure(next.origin() == url.origin(), || {
                        format!("{url} leads to another server: {next}")
                    })?;
                    url = next;
                }
                None => return Ok(Answer { url, status: answer.status, text: answer.text() }),
            }
        }
        Err(unexpected(format!("the calendar server leads on and on, at last to {url}")))
    }

    fn request(&self, method: &[u8], url: &Url, password: &str) -> Result<Request> {
        let method = Method::from_bytes(method).map_err(|_| unexpected("this is no method"))?;
        let basic = STANDARD.encode(format!("{}:{password}", self.user));
        Ok(Request::new(method, url.clone()).authorization(&format!("Basic {basic}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        browser::client_for_hosts,
        test_server::{response, start_server},
    };

    const LED_ON: &str = "301 Moved Permanently\r\nlocation: ";
    const ACCOUNT: &str = r#"<multistatus xmlns="DAV:"><response><href>/dav/</href><propstat><prop>
        <current-user-principal><href>/p/svc/</href></current-user-principal></prop></propstat></response></multistatus>"#;

    fn dav(url: &Url) -> DavClient {
        let client = client_for_hosts(["127.0.0.1".to_owned()]).unwrap();
        let lock = AccessControl::Commands { revoke: String::new(), restore: String::new() };
        DavClient::new(client, url.clone(), "svc".to_owned(), lock)
    }

    #[tokio::test]
    async fn the_account_is_found_where_the_well_known_address_leads() {
        let answers = vec![
            response("404 Not Found", ""),
            response(&format!("{LED_ON}/dav"), ""),
            response("207 Multi-Status", ACCOUNT),
        ];
        let (url, asked, _tasks) = start_server(answers).await;
        assert!(dav(&url).accepts_login("secret").await.unwrap());
        let asked = asked.lock().unwrap();
        let places: Vec<_> = asked.iter().map(|request| request.lines().next().unwrap()).collect();
        let expected = ["/", "/.well-known/caldav", "/dav"];
        assert_eq!(places, expected.map(|place| format!("PROPFIND {place} HTTP/1.1")));
    }

    #[tokio::test]
    async fn somebody_whom_the_server_takes_for_anonymous_is_not_let_in() {
        let anonymous = ACCOUNT.replace("<href>/p/svc/</href>", "<unauthenticated/>");
        let anonymous = response("207 Multi-Status", &anonymous);
        let (url, _asked, _tasks) =
            start_server(vec![anonymous.clone(), response("401 Unauthorized", ""), anonymous]).await;
        assert!(!dav(&url).accepts_login("secret").await.unwrap());
    }

    #[tokio::test]
    async fn the_password_goes_to_no_other_server_and_nowhere_for_ever() {
        let (url, asked, _tasks) =
            start_server(vec![response(&format!("{LED_ON}http://localhost:1/"), "")]).await;
        let refused = dav(&url).accepts_login("secret").await.unwrap_err().to_string();
        assert!(refused.contains("leads to another server"), "{refused}");
        assert_eq!(asked.lock().unwrap().len(), 1);
        let (url, _asked, _tasks) = start_server(vec![response(&format!("{LED_ON}/"), ""); REDIRECTS]).await;
        let refused = dav(&url).accepts_login("secret").await.unwrap_err().to_string();
        assert!(refused.contains("leads on and on"), "{refused}");
    }
}
