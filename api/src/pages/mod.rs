//! Pages for browsers: connect pages for IT administrators, a user's own consent, sign-in through a tenant's issuer,
//! guides, and the published signing keys.
//!
//! Pages work without scripts. Every page has at most one form marked `data-muster-next`, which submits the next step.
//! A page that shows pending work is marked `data-muster-wait`; its script keeps it up to date.

mod connect;
mod guides;
mod hooks;
mod layout;
mod own_calendar;
mod sign_in;

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use services::{Anyone, Services, connect::NextPage};

/// Cookie that binds a browser to its connect session. On https the prefix prevents other hosts of the same domain
/// from planting the cookie of an attacker's session, into which an administrator would then enter a password.
const COOKIE: &str = "__Host-muster_connect";
/// Name of the cookie on plain http, which is served only on loopback and where browsers reject the prefix.
const PLAIN_COOKIE: &str = "muster_connect";

/// Registers the routes of all pages.
pub fn configure(routes: &mut web::ServiceConfig, services: &Services) {
    routes
        .app_data(web::Data::new(services.clone()))
        .service(web::resource("/.well-known/jwks.json").get(jwks))
        .service(web::resource("/guides/{provider}").get(guides::guide_page))
        .service(web::resource("/terms").get(guides::terms_page))
        .service(web::resource("/privacy").get(guides::privacy_page));
    hooks::configure(routes);
    own_calendar::configure(routes);
    connect::configure(routes);
    sign_in::configure(routes);
}

async fn jwks(services: web::Data<Services>) -> HttpResponse {
    match services.keys().jwks(Anyone).await {
        Ok(keys) => HttpResponse::Ok().insert_header(("cache-control", "public, max-age=300")).json(keys),
        Err(error) => layout::error_page(&error),
    }
}

/// Name and path of the cookie; the prefix requires the root path.
fn cookie_place(services: &Services) -> (&'static str, &'static str) {
    if is_encrypted(services) { (COOKIE, "/") } else { (PLAIN_COOKIE, "/connect") }
}

fn is_encrypted(services: &Services) -> bool {
    services.settings.public_url.scheme() == "https"
}

/// Secret of the session cookie; empty if there is no cookie, which matches no session.
fn cookie(request: &HttpRequest, services: &Services) -> String {
    let (name, _) = cookie_place(services);
    request.cookie(name).map(|cookie| cookie.value().to_owned()).unwrap_or_default()
}

/// Whether a form was submitted from one of our own pages. Browsers send `Origin` with every POST; a client that does
/// not send it is not a browser, so it has no cookie to abuse.
fn is_own_form(request: &HttpRequest, services: &Services) -> bool {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return true };
    origin.to_str().is_ok_and(|origin| origin == services.settings.public_url.origin().ascii_serialization())
}

/// Redirects the browser to the next step, and sets the session cookie if there is a new one.
fn onward(services: &Services, onward: NextPage, secret: Option<String>) -> HttpResponse {
    let to = match onward {
        NextPage::Provider(url) | NextPage::Land(url) => url.to_string(),
        NextPage::Ask => "/connect/consent".to_owned(),
        NextPage::Credentials => "/connect/credentials".to_owned(),
        NextPage::OwnCredentials => own_calendar::CREDENTIALS.to_owned(),
        NextPage::OwnConnected => own_calendar::CONNECTED.to_owned(),
        NextPage::Progress => "/connect/progress".to_owned(),
    };
    let mut answer = HttpResponse::SeeOther();
    answer.insert_header((header::LOCATION, to)).insert_header((header::CACHE_CONTROL, "no-store"));
    if let Some(secret) = secret {
        let (name, path) = cookie_place(services);
        let cookie = actix_web::cookie::Cookie::build(name, secret)
            .path(path)
            .http_only(true)
            .secure(is_encrypted(services))
            .same_site(actix_web::cookie::SameSite::Lax)
            .finish();
        answer.cookie(cookie);
    }
    answer.finish()
}
