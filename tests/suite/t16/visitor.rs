//! A browser that goes one step at a time, so that an attacker can change each of them.

use demo::browser::{self, CookieJar};
use http::{Method, Request, Response, header};
use scraper::{Html, Selector};
use url::{Url, form_urlencoded};

/// How many pages a sign-in has at most.
const PAGES: usize = 15;

/// A browser.
#[derive(Clone)]
pub struct Visitor {
    client: http::Client,
    pub jar: CookieJar,
}

impl Visitor {
    pub fn new() -> Self {
        Self { client: browser::local_client().unwrap(), jar: CookieJar::default() }
    }

    /// Opens an address; a redirect is not followed.
    pub async fn get(&mut self, url: &Url) -> Response {
        self.send(url, Request::new(Method::GET, url.clone())).await
    }

    /// Sends a form.
    pub async fn post(&mut self, url: &Url, fields: &[(String, String)]) -> Response {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let form = "application/x-www-form-urlencoded";
        self.send(url, Request::new(Method::POST, url.clone()).body(form, body.finish())).await
    }

    /// Signs in at an issuer, from its authorization endpoint to where it sends the browser back, which is not opened.
    pub async fn sign_in(&mut self, begin: &Url, name: &str) -> Url {
        let mut answer = self.get(begin).await;
        let mut at = begin.clone();
        for _ in 0..PAGES {
            if answer.status.is_redirection() {
                let to = location(&at, &answer);
                if to.origin() != begin.origin() {
                    return to;
                }
                (at, answer) = (to.clone(), self.get(&to).await);
            } else {
                let (to, fields) = form(&at, &answer.text(), name);
                (at, answer) = (to.clone(), self.post(&to, &fields).await);
            }
        }
        panic!("{name} is not signed in after {PAGES} pages, at {at}")
    }

    async fn send(&mut self, url: &Url, mut request: Request) -> Response {
        if let Some(cookies) = self.jar.cookie_header(url) {
            request = request.header(header::COOKIE, &cookies);
        }
        let answer = self.client.send(request).await.unwrap();
        for cookie in answer.headers.get_all(header::SET_COOKIE) {
            self.jar.store_cookie(url, cookie.to_str().unwrap());
        }
        answer
    }
}

/// Where an answer sends a browser.
pub fn location(from: &Url, answer: &Response) -> Url {
    let to = answer.header("location").unwrap_or_else(|| panic!("{from} sends nowhere: {}", answer.text()));
    from.join(to).unwrap()
}

/// A page's one form, filled in.
fn form(page: &Url, html: &str, name: &str) -> (Url, Vec<(String, String)>) {
    let html = Html::parse_document(html);
    let form = html.select(&Selector::parse("form").unwrap()).next();
    let form = form.unwrap_or_else(|| panic!("{page} has no form: {}", html.html()));
    let action = page.join(form.attr("action").unwrap_or_default()).unwrap();
    let filled = |input: scraper::ElementRef<'_>| {
        let field = input.attr("name")?.to_owned();
        let value = match field.as_str() {
            "login" => name,
            "password" => "any",
            _ => input.attr("value").unwrap_or_default(),
        };
        Some((field, value.to_owned()))
    };
    (action, form.select(&Selector::parse("input").unwrap()).filter_map(filled).collect())
}

/// A query's parameter.
pub fn parameter(url: &Url, name: &str) -> String {
    let found = url.query_pairs().find(|(each, _)| each == name);
    found.map_or_else(|| panic!("{url} has no {name}"), |(_, value)| value.into_owned())
}

/// The same address with other parameters.
pub fn with(url: &Url, change: impl FnOnce(&mut Vec<(String, String)>)) -> Url {
    let mut pairs = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    change(&mut pairs);
    let mut url = url.clone();
    url.query_pairs_mut().clear().extend_pairs(pairs);
    url
}

/// The code of a page that says why something was not done.
pub fn code_of(answer: &Response) -> Option<String> {
    let html = Html::parse_document(&answer.text());
    let code = html.select(&Selector::parse("[data-muster-code]").unwrap()).next()?;
    code.attr("data-muster-code").map(str::to_owned)
}

/// The token that a page shows.
pub fn token_of(answer: &Response) -> Option<String> {
    let html = Html::parse_document(&answer.text());
    let shown = html.select(&Selector::parse("[data-muster-token]").unwrap()).next()?;
    Some(shown.text().collect())
}
