//! Endpoints for push notifications of providers. They respond at once; a run processes the notification.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use services::{
    Anyone, Services,
    channels::{ChannelNotification, ParsedPush, PushRequest},
};

/// Maximum length of a notification's body, in bytes.
const LONGEST_BODY: usize = 256 * 1024;

pub(super) fn configure(routes: &mut web::ServiceConfig) {
    let body = web::PayloadConfig::new(LONGEST_BODY);
    routes.service(web::resource("/hooks/{system}").app_data(body).post(pushed));
}

/// Handles a push notification of any provider that this installation supports; the provider's connector parses it.
async fn pushed(services: web::Data<Services>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let headers: BTreeMap<String, String> = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let push = PushRequest { query: request.query_string(), headers: &headers, body: &body };
    match services.channels().parse_push(Anyone, request.path(), &push) {
        None => HttpResponse::NotFound().finish(),
        Some(ParsedPush::Malformed) => HttpResponse::BadRequest().finish(),
        Some(ParsedPush::Handshake(token)) => HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .body(token),
        Some(ParsedPush::About(notices)) => taken(&services, &notices).await,
    }
}

/// The response is always 202, so that attackers cannot probe which channels exist, or 503 so that the provider sends
/// the notification again.
async fn taken(services: &Services, notices: &[ChannelNotification]) -> HttpResponse {
    if notices.is_empty() {
        return HttpResponse::Accepted().finish();
    }
    match services.channels().handle_push_request(Anyone, notices).await {
        Ok(0) => tracing::info!("a push came for no channel of ours"),
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(%error, "a push could not be stored; the provider sends it again");
            return HttpResponse::ServiceUnavailable().finish();
        }
    }
    HttpResponse::Accepted().finish()
}
