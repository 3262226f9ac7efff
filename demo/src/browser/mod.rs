//! A small browser without scripts that completes the connect pages as an administrator would.
//!
//! It stores cookies by origin, follows redirects, reloads pages that show pending work, and submits the one marked
//! form of a page. A walk ends at the vendor's return URL, which is not requested, because the demo includes no vendor
//! product.

mod jar;
mod page;

use std::time::Duration;

use http::{Client, Method, Request, Response, header};
pub use jar::CookieJar;
pub use page::{FieldKind, Form, Page};
use url::{Url, form_urlencoded};

use crate::{
    backoff::{self, PollResult},
    error::{Error, Result, unexpected},
    wire,
};

/// The form answers that accept all mandatory terms.
pub const ACCEPTED_TERMS: &[(&str, &str)] = &[("terms", "yes"), ("privacy", "yes")];
const MOST_REDIRECTS: usize = 20;
const MOST_PAGES: usize = 20;
/// Maximum time for which the browser reloads a page that shows pending work.
const WAITS: Duration = Duration::from_mins(2);

/// The place at which the browser has stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// On a page with a form or a message.
    Page(Box<Page>),
    /// At the vendor's return URL, which is not requested.
    Landed(Url),
}

impl Location {
    /// The page; an error if the browser has already returned to the vendor.
    pub fn page(self) -> Result<Page> {
        match self {
            Self::Page(page) => Ok(*page),
            Self::Landed(url) => Err(unexpected(format!("the browser was sent back too early, to {url}"))),
        }
    }
}

/// An HTTP client for servers on this machine.
pub fn local_client() -> Result<Client> {
    client_for_hosts(["127.0.0.1".to_owned(), "localhost".to_owned()])
}

/// An HTTP client that may call these hosts even if their IP addresses are private.
pub fn client_for_hosts(hosts: impl IntoIterator<Item = String>) -> Result<Client> {
    let config = http::Config { allowance: http::AllowedHosts::from_hosts(hosts), ..http::Config::default() };
    Client::new(config).map_err(|error| Error::Client(error.to_string()))
}

/// A browser session across several sites, with cookies and answers to forms.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    answers: Vec<(String, String)>,
    landing: Option<Url>,
    jar: CookieJar,
    /// Whether a request was repeated, so that the first attempt may have used up a single-use token.
    pub repeated: bool,
}

impl Browser {
    /// A browser whose user fills in forms with these answers, by field name.
    pub fn new(client: Client, answers: Vec<(String, String)>) -> Self {
        Self { client, answers, landing: None, jar: CookieJar::default(), repeated: false }
    }

    /// Sets the URL at which walks end.
    #[must_use]
    pub fn with_landing(self, landing: Url) -> Self {
        Self { landing: Some(landing), ..self }
    }

    /// Follows a connect link to the end: accepts the terms, fills in forms, consents and authorises. Returns the
    /// return URL, or the page without a form for the next step.
    pub async fn complete_pages(&mut self, link: &str) -> Result<Location> {
        let link = link.parse().map_err(|_| unexpected(format!("{link} is no address")))?;
        let mut location = self.open(link).await?;
        for _ in 0..MOST_PAGES {
            location = self.wait(location).await?;
            let Location::Page(page) = location else { return Ok(location) };
            if let Some(landing) = page.landing {
                return Ok(Location::Landed(landing));
            }
            if page.next.is_none() {
                // Nobody has to wait while the provider applies a permission.
                let may_leave = page.code.is_none() || page.state.as_deref() == Some("AWAITING_PROPAGATION");
                return if may_leave { Ok(Location::Page(page)) } else { Err(page.stop_error()) };
            }
            location = self.submit(&page, ACCEPTED_TERMS).await?;
        }
        Err(unexpected("the pages do not end"))
    }

    /// The `Cookie` header for a URL.
    pub fn cookie_header(&self, url: &Url) -> Option<String> {
        self.jar.cookie_header(url)
    }

    /// Requests a URL.
    pub async fn open(&mut self, url: Url) -> Result<Location> {
        self.go(Method::GET, url, None).await
    }

    /// Submits a page's marked form with the user's answers, and `more` answers for this page.
    pub async fn submit(&mut self, page: &Page, more: &[(&str, &str)]) -> Result<Location> {
        let form = page.form()?;
        let answers = self.answers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let known: Vec<_> = more.iter().copied().chain(answers).collect();
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        pairs.extend_pairs(form.fill_in(&known));
        let sent = pairs.finish();
        if form.is_post {
            // As the Fetch standard has it: forms of a page that keeps its address to itself come from nowhere.
            let origin =
                if page.hides_origin { "null".to_owned() } else { page.url.origin().ascii_serialization() };
            return self.go(Method::POST, form.action.clone(), Some((sent, origin))).await;
        }
        let mut to = form.action.clone();
        to.set_query((!sent.is_empty()).then_some(&sent));
        self.go(Method::GET, to, None).await
    }

    /// Reloads a page until it is no longer marked as pending.
    pub async fn wait(&mut self, location: Location) -> Result<Location> {
        let mut location = Some(location);
        backoff::poll_until("the page's progress", WAITS, async || match location.take() {
            Some(Location::Page(page)) if page.waits => {
                let state = page.state.clone().unwrap_or_else(|| page.title.clone());
                location = Some(self.open(page.url).await?);
                Ok(PollResult::NotYet(state))
            }
            Some(there) => Ok(PollResult::Done(there)),
            None => Err(unexpected("the browser is on no page")),
        })
        .await
    }

    async fn go(&mut self, method: Method, url: Url, body: Option<(String, String)>) -> Result<Location> {
        let (mut method, mut url, mut body) = (method, url, body);
        for _ in 0..MOST_REDIRECTS {
            if self.landing.as_ref().is_some_and(|landing| is_at(&url, landing)) {
                return Ok(Location::Landed(url));
            }
            let answer = self.request(&method, &url, body.as_ref()).await?;
            if !answer.status.is_redirection() {
                let hides_origin =
                    answer.header("referrer-policy").is_some_and(|policy| policy == "no-referrer");
                return Ok(Location::Page(Box::new(Page::parse(url, &answer.text(), hides_origin)?)));
            }
            let to = answer.header("location").and_then(|to| url.join(to).ok());
            url = to.ok_or_else(|| unexpected(format!("{url} redirects to nowhere")))?;
            if !matches!(answer.status.as_u16(), 307 | 308) {
                (method, body) = (Method::GET, None);
            }
        }
        Err(unexpected(format!("{url} redirects without end")))
    }

    async fn request(
        &mut self,
        method: &Method,
        url: &Url,
        body: Option<&(String, String)>,
    ) -> Result<Response> {
        let mut request = Request::new(method.clone(), url.clone()).header(header::ACCEPT, "text/html");
        if let Some(cookies) = self.jar.cookie_header(url) {
            request = request.header(header::COOKIE, &cookies);
        }
        if let Some((sent, origin)) = body {
            let form = "application/x-www-form-urlencoded";
            request = request.header(header::ORIGIN, origin).body(form, sent.clone());
        }
        let answer = wire::send_reporting_repeat(&self.client, request, &mut self.repeated).await?;
        for header in answer.headers.get_all(header::SET_COOKIE) {
            if let Ok(header) = header.to_str() {
                self.jar.store_cookie(url, header);
            }
        }
        Ok(answer)
    }
}

fn is_at(url: &Url, location: &Url) -> bool {
    url.origin() == location.origin() && url.path() == location.path()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_server::{response, start_server};

    fn browser() -> Browser {
        let answers = vec![("user".to_owned(), "a b".to_owned())];
        Browser::new(local_client().unwrap(), answers)
            .with_landing("https://vendor.test/settings".parse().unwrap())
    }

    #[tokio::test]
    async fn it_follows_redirects_with_its_cookies_and_sends_the_form_it_finds() {
        let form = "<form method=\"post\" action=\"/go\" data-muster-next><input name=\"user\"></form>";
        let (url, asked, _tasks) = start_server(vec![
            response("303 See Other\r\nlocation: /form\r\nset-cookie: s=1; Path=/", ""),
            response("200 OK", form),
            response("302 Found\r\nlocation: https://vendor.test/settings?state=VERIFYING", ""),
        ])
        .await;
        let mut browser = browser();
        let page = browser.open(url.join("/begin").unwrap()).await.unwrap().page().unwrap();
        let location = browser.submit(&page, &[]).await.unwrap();
        let Location::Landed(landed) = location else { panic!("it must land: {location:?}") };
        assert_eq!(landed.query(), Some("state=VERIFYING"));
        let asked = asked.lock().unwrap();
        assert!(asked[1].starts_with("GET /form ") && asked[1].contains("cookie: s=1"), "{}", asked[1]);
        assert!(asked[2].starts_with("POST /go ") && asked[2].ends_with("\r\n\r\nuser=a+b"), "{}", asked[2]);
        let origin = format!("origin: {}", url.origin().ascii_serialization());
        assert!(asked[2].contains(&origin), "{}", asked[2]);
    }

    #[tokio::test]
    async fn it_reads_a_page_again_while_the_page_waits() {
        let waits = "<main data-muster-wait><p data-muster-state=\"AWAITING_CONSENT\">State</p></main>";
        let (url, _asked, _tasks) = start_server(vec![
            response("200 OK", waits),
            response("200 OK", waits),
            response("200 OK", "<h1>Done</h1>"),
        ])
        .await;
        let mut browser = browser();
        let location = browser.open(url).await.unwrap();
        let page = browser.wait(location).await.unwrap().page().unwrap();
        assert_eq!(page.title, "Done");
    }

    #[tokio::test]
    async fn it_walks_from_the_link_to_the_last_page() {
        let form = "<form data-muster-next><input type=\"checkbox\" name=\"terms\" value=\"yes\"></form>";
        let (url, asked, _tasks) =
            start_server(vec![response("200 OK", form), response("200 OK", "<h1>Done</h1>")]).await;
        let location = browser().complete_pages(url.as_str()).await.unwrap();
        assert_eq!(location.page().unwrap().title, "Done");
        assert!(asked.lock().unwrap()[1].starts_with("GET /?terms=yes "), "the box must be ticked");
    }

    #[tokio::test]
    async fn a_walk_that_ends_on_a_problem_is_an_error() {
        let problem = "<h1>No</h1><p data-muster-code=\"LINK_UNKNOWN\">x</p>";
        let (url, _asked, _tasks) = start_server(vec![response("404 Not Found", problem)]).await;
        assert_eq!(browser().complete_pages(url.as_str()).await.unwrap_err().code(), "LINK_UNKNOWN");
    }

    #[tokio::test]
    async fn the_forms_of_a_page_without_referrer_come_from_nowhere() {
        let form = "<form method=\"post\" data-muster-next></form>";
        let (url, asked, _tasks) = start_server(vec![
            response("200 OK\r\nreferrer-policy: no-referrer", form),
            response("200 OK", "<h1>Done</h1>"),
        ])
        .await;
        let mut browser = browser();
        let page = browser.open(url).await.unwrap().page().unwrap();
        browser.submit(&page, &[]).await.unwrap();
        assert!(asked.lock().unwrap()[1].contains("origin: null"), "as real browsers do");
    }
}
