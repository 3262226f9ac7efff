//! Renders messages for clients, in the language of the request. The language is selected only here.

use actix_web::{
    HttpRequest,
    body::MessageBody,
    cookie::{Cookie, SameSite, time::Duration},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{self, HeaderValue},
    middleware::Next,
};
use domain::{Message, Reason, Zone};
use messages::{Explanation, Language};

/// Cookie with the language that a reader chose on a page; it counts more than the browser's.
const COOKIE: &str = "muster_lang";
/// How long a chosen language is remembered.
const REMEMBERED: Duration = Duration::days(365);

/// The request header on which every text depends.
const VARIES: &str = "Accept-Language";

tokio::task_local! {
    /// The language of the request that is processed.
    static LANGUAGE: Language;
}

/// The language of the request that is processed; English outside of requests.
pub(crate) fn language() -> Language {
    LANGUAGE.try_with(|language| *language).unwrap_or_default()
}

/// Does something in the language of the present request, in a task or a stream that outlasts its handler.
pub(crate) fn in_language<F: Future>(language: Language, work: F) -> impl Future<Output = F::Output> {
    LANGUAGE.scope(language, work)
}

/// Renders something in another language than that of the request.
pub(crate) fn speaking<T>(language: Language, work: impl FnOnce() -> T) -> T {
    LANGUAGE.sync_scope(language, work)
}

/// Middleware that determines the language of a request: the one in the link, chosen before, or preferred by the client.
pub(crate) async fn choose_language(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let in_link = language_of_query(request.request());
    let language = in_link.unwrap_or_else(|| remembered_or_preferred(request.request()));
    let mut response = LANGUAGE.scope(language, next.call(request)).await?;
    if let Some(chosen) = in_link {
        let cookie = Cookie::build(COOKIE, chosen.tag()).path("/").max_age(REMEMBERED);
        response.response_mut().add_cookie(&cookie.same_site(SameSite::Lax).http_only(true).finish())?;
    }
    let headers = response.response_mut().headers_mut();
    let varies = headers.get(header::VARY).and_then(|varies| varies.to_str().ok());
    let varies = varies.map_or_else(|| VARIES.to_owned(), |varies| format!("{varies}, {VARIES}"));
    if let Ok(varies) = HeaderValue::from_str(&varies) {
        headers.insert(header::VARY, varies);
    }
    Ok(response)
}

/// The language in the query of a page's URL.
fn language_of_query(request: &HttpRequest) -> Option<Language> {
    let pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
    let tag = pairs.into_iter().find_map(|(name, value)| (name == "lang").then_some(value))?;
    Language::from_tag(&tag)
}

fn remembered_or_preferred(request: &HttpRequest) -> Language {
    let remembered = request.cookie(COOKIE).and_then(|cookie| Language::from_tag(cookie.value()));
    let header = request.headers().get(header::ACCEPT_LANGUAGE).and_then(|header| header.to_str().ok());
    remembered.unwrap_or_else(|| header.map(Language::preferred).unwrap_or_default())
}

/// The text of a message, with its times in UTC.
pub(crate) fn render_message(message: &Message) -> String {
    render_message_in(message, None)
}

/// The text of a message, with its times in the reader's time zone if that is known, otherwise in UTC.
pub(crate) fn render_message_in(message: &Message, zone: Option<&Zone>) -> String {
    messages::render_message(message, language(), zone)
}

/// The text of a reason, with its times in the reader's time zone if that is known, otherwise in UTC.
pub(crate) fn render_reason(reason: &Reason, zone: Option<&Zone>) -> Explanation {
    messages::render(reason, language(), zone)
}
