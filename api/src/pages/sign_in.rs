//! Sign-in through a tenant's issuer. An application that passes a return URL receives an authorisation code at that
//! URL; otherwise the page shows the token.

use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite, time::Duration},
    http::header,
    web,
};
use domain::{Id, ids};
use maud::html;
use serde_json::json;
use services::{
    Anyone, Error, Services,
    access::AccessToken,
    sign_in::{CallbackParams, SignInRequest, SignedIn},
};

use super::{is_encrypted, layout};
use crate::{State, messages, wording};

/// Cookie of a sign-in. On https the prefix prevents other hosts from planting one.
const COOKIE: &str = "__Host-muster_sign_in";
/// Name of the cookie on plain http, which is served only on loopback.
const PLAIN_COOKIE: &str = "muster_sign_in";
/// How long a browser keeps the cookie, in seconds.
const KEPT: i64 = 600;

pub(super) fn configure(routes: &mut web::ServiceConfig) {
    routes
        .service(web::resource("/sign-in/token").post(redeemed))
        .service(web::resource("/sign-in/{tenant}/{issuer}").get(begun))
        .service(web::resource("/sign-in/{tenant}/{issuer}/callback").get(answered));
}

type Place = web::Path<(String, String)>;

async fn begun(request: HttpRequest, services: web::Data<Services>, place: Place) -> HttpResponse {
    match begin(&request, &services, &place).await {
        Ok((cookie, to)) => HttpResponse::SeeOther()
            .insert_header((header::LOCATION, to))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .cookie(planted(&services, cookie, KEPT))
            .finish(),
        Err(error) => layout::error_page(&error),
    }
}

async fn begin(
    request: &HttpRequest,
    services: &Services,
    place: &(String, String),
) -> services::Result<(String, String)> {
    let (tenant, issuer) = ids_of(place)?;
    let asked = CallbackParams::parse(request.query_string())?;
    let text = |name| asked.get(name).map(str::to_owned);
    let asked = SignInRequest {
        return_url: text("return_url"),
        challenge: text("code_challenge"),
        state: text("state"),
    };
    let (cookie, to) = services.sign_in().begin(Anyone, tenant, issuer, asked).await?;
    Ok((cookie, to.into()))
}

async fn answered(request: HttpRequest, services: web::Data<Services>, place: Place) -> HttpResponse {
    let mut response = match answer(&request, &services, &place).await {
        Ok(SignedIn::Return(url)) => HttpResponse::SeeOther()
            .insert_header((header::LOCATION, url.to_string()))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::REFERRER_POLICY, "no-referrer"))
            .finish(),
        Ok(SignedIn::Token(token)) => shown(&token),
        Err(error) => layout::error_page(&error),
    };
    // Whatever came of it, this sign-in is over in this browser.
    if let Err(error) = response.add_cookie(&planted(&services, String::new(), 0)) {
        tracing::warn!(%error, "a cookie was not taken back");
    }
    response
}

async fn answer(
    request: &HttpRequest,
    services: &Services,
    place: &(String, String),
) -> services::Result<SignedIn> {
    let (tenant, issuer) = ids_of(place)?;
    let answer = CallbackParams::parse(request.query_string())?;
    let name = if is_encrypted(services) { COOKIE } else { PLAIN_COOKIE };
    let cookie = request.cookie(name).map(|cookie| cookie.value().to_owned()).unwrap_or_default();
    let state = request.app_data::<web::Data<State>>();
    let from = state.and_then(|state| state.client_address(request));
    services.sign_in().complete(Anyone, from, tenant, issuer, &cookie, &answer).await
}

fn shown(token: &AccessToken) -> HttpResponse {
    let body = html! {
        p { (layout::text(messages::signed_in_token())) }
        pre data-muster-token style="white-space:pre-wrap;overflow-wrap:anywhere" { (token.token) }
        p.dim { (layout::text(messages::signed_in_ends(token.expires_at))) }
    };
    layout::render_page(&layout::text(messages::signed_in_title()), body)
}

/// Exchanges a code for a token, in the form of RFC 6749, section 4.1.3.
async fn redeemed(services: web::Data<Services>, body: web::Bytes) -> HttpResponse {
    let now = services.now();
    let (mut response, body) = match redeem(&services, &body).await {
        Ok(token) => {
            let lasts = (token.expires_at - now).num_seconds();
            let body = json!({ "access_token": token.token, "token_type": "Bearer", "expires_in": lasts });
            (HttpResponse::Ok(), body)
        }
        Err(Error::Refused(refusal)) => {
            let (code, message) = (refusal.code, wording::render_message(&refusal.message));
            let body = json!({ "error": "invalid_grant", "error_description": message, "code": code });
            (HttpResponse::BadRequest(), body)
        }
        Err(error) => {
            tracing::error!(%error, "a code was not exchanged");
            let body = json!({ "error": "temporarily_unavailable", "code": error.code() });
            (HttpResponse::ServiceUnavailable(), body)
        }
    };
    response.insert_header((header::CACHE_CONTROL, "no-store")).json(body)
}

async fn redeem(services: &Services, body: &[u8]) -> services::Result<AccessToken> {
    let form = CallbackParams::parse(std::str::from_utf8(body).unwrap_or_default())?;
    let (code, verifier) =
        (form.get("code").unwrap_or_default(), form.get("code_verifier").unwrap_or_default());
    services.sign_in().redeem(Anyone, code, &verifier.into()).await
}

fn ids_of((tenant, issuer): &(String, String)) -> services::Result<(Id<ids::Tenant>, Id<ids::OpenIdIssuer>)> {
    let unknown = || Error::not_found("sign-in");
    Ok((tenant.parse().map_err(|_| unknown())?, issuer.parse().map_err(|_| unknown())?))
}

fn planted(services: &Services, value: String, seconds: i64) -> Cookie<'static> {
    let is_encrypted = is_encrypted(services);
    let (name, path) = if is_encrypted { (COOKIE, "/") } else { (PLAIN_COOKIE, "/sign-in") };
    // Lax, because the browser comes back from another site.
    Cookie::build(name, value)
        .path(path)
        .http_only(true)
        .secure(is_encrypted)
        .same_site(SameSite::Lax)
        .max_age(Duration::seconds(seconds))
        .finish()
}
