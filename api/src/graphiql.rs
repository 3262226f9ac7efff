//! GraphiQL at `/graphiql`, served from the binary without network access.
//!
//! `graphiql/build` creates the bundle from the sources beside it; the bundle is part of the repository. The page
//! reads its settings from a JSON element, so that the content security policy needs no inline scripts.

use std::borrow::Cow;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderMap},
    web,
};
use rust_embed::Embed;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::state::State;

const POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; \
    style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(Embed)]
#[folder = "graphiql/dist"]
struct Bundle;

/// A document of the GraphiQL page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tab {
    /// The GraphQL document.
    pub query: String,
    /// Its variables, in JSON; empty if there are none.
    pub variables: String,
}

macro_rules! tasks {
    ($($name:literal),* $(,)?) => {
        [$((
            include_str!(concat!("../graphiql/tasks/", $name, ".graphql")),
            include_str!(concat!("../graphiql/tasks/", $name, ".json")),
        )),*]
    };
}

/// What administrators do most, each with its variables.
pub const TASKS: [(&str, &str); 10] = tasks![
    "who_is_connected",
    "find_user",
    "integrations",
    "connect_calendar_system",
    "invite_administrator",
    "activate_everybody",
    "free_times",
    "book",
    "bookings",
    "who_changed_this",
];

/// Initial settings of the GraphiQL page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GraphiQl {
    /// URL for queries and mutations, relative to the page's origin.
    pub url: String,
    /// URL for subscriptions, relative to the page's origin.
    pub subscription_url: String,
    /// Documents that are opened in a tab each; what a person has changed in the browser takes their place.
    pub tabs: Vec<Tab>,
    /// Headers of every tab. Under `dev` they contain a token: never serve such a page on a public address.
    pub headers: Map<String, Value>,
}

impl Default for GraphiQl {
    fn default() -> Self {
        Self {
            url: "/graphql".to_owned(),
            subscription_url: "/graphql/ws".to_owned(),
            tabs: TASKS
                .map(|(query, variables)| Tab { query: query.to_owned(), variables: variables.to_owned() })
                .to_vec(),
            headers: Map::new(),
        }
    }
}

/// Serves the page `/graphiql`.
pub async fn serve_page(state: web::Data<State>) -> HttpResponse {
    let (Some(settings), Some(template)) = (&state.config.graphiql, Bundle::get("index.html")) else {
        return HttpResponse::NotFound().finish();
    };
    let mut settings = settings.clone();
    settings.headers.extend(state.graphiql_headers());
    let settings = serde_json::to_string(&settings).unwrap_or_default().replace('<', "\\u003c");
    let template = String::from_utf8_lossy(&template.data);
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .body(template.replacen("{\"settings\":true}", &settings, 1))
}

/// Serves `/graphiql/{file}`.
pub async fn serve_file(request: HttpRequest, path: web::Path<String>) -> HttpResponse {
    let name = path.into_inner();
    let Some(file) = Bundle::get(&name).filter(|_| name != "index.html") else {
        return HttpResponse::NotFound().finish();
    };
    let tag = format!("\"{:032x}\"", u128::from_be_bytes(first_half(file.metadata.sha256_hash())));
    let mut response =
        if is_known(request.headers(), &tag) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::CONTENT_TYPE, file.metadata.mimetype()))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::ETAG, tag.clone()));
    if is_known(request.headers(), &tag) {
        return response.finish();
    }
    match file.data {
        Cow::Borrowed(bytes) => response.body(bytes),
        Cow::Owned(bytes) => response.body(bytes),
    }
}

/// Half of the file's hash as an entity tag, which is enough to distinguish two versions of the file.
fn first_half(hash: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes())
}
