//! Where providers push to. Answered fast: what a push means is worked out by a run.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use serde::Deserialize;
use services::{
    Services,
    channels::{GOOGLE_HOOK, MICROSOFT_HOOK, Notice},
};

/// The longest validation token that is echoed.
const LONGEST_TOKEN: usize = 1024;

/// One POST may carry items of many subscriptions, of several tenants.
const MOST_ITEMS: usize = 1000;

pub(super) fn configure(routes: &mut web::ServiceConfig) {
    routes
        .service(web::resource(MICROSOFT_HOOK).app_data(web::PayloadConfig::new(256 * 1024)).post(microsoft))
        .service(web::resource(GOOGLE_HOOK).app_data(web::PayloadConfig::new(1024)).post(google));
}

#[derive(Deserialize)]
struct Handshake {
    #[serde(rename = "validationToken")]
    validation_token: Option<String>,
}

#[derive(Deserialize)]
struct Notifications {
    value: Vec<Notification>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notification {
    subscription_id: String,
    client_state: Option<String>,
    /// Set when it is about the subscription itself.
    lifecycle_event: Option<String>,
}

impl Notification {
    /// `missed`, the other word about the subscription itself, says no more than that the mailbox is to be read.
    fn notice(&self) -> Notice<'_> {
        Notice {
            channel: &self.subscription_id,
            secret: self.client_state.as_deref().unwrap_or_default(),
            has_lapsed: matches!(
                self.lifecycle_event.as_deref(),
                Some("reauthorizationRequired" | "subscriptionRemoved")
            ),
        }
    }
}

/// The handshake echoes the token as plain text; notifications are answered 202 whatever is in them, so that nobody
/// learns which channels there are.
async fn microsoft(
    services: web::Data<Services>,
    query: web::Query<Handshake>,
    body: web::Bytes,
) -> HttpResponse {
    if let Some(token) = &query.validation_token {
        if token.len() > LONGEST_TOKEN || token.chars().any(char::is_control) {
            return HttpResponse::BadRequest().finish();
        }
        return HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .body(token.clone());
    }
    let Ok(notifications) = serde_json::from_slice::<Notifications>(&body) else {
        return HttpResponse::BadRequest().finish();
    };
    let notices: Vec<Notice<'_>> =
        notifications.value.iter().take(MOST_ITEMS).map(Notification::notice).collect();
    match services.channels().notified(&notices).await {
        Ok(0) => tracing::info!("a push came for no channel of ours"),
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(%error, "a push could not be stored; the provider sends it again");
            return HttpResponse::ServiceUnavailable().finish();
        }
    }
    HttpResponse::Accepted().finish()
}

/// A notice of Google's has no body: its headers name the channel and repeat our secret. The first one of a channel
/// (`sync`) only says that it is open. Answered 202 whatever is in it; 503 is sent again.
async fn google(services: web::Data<Services>, request: HttpRequest) -> HttpResponse {
    let header =
        |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if header("x-goog-resource-state") == "sync" {
        return HttpResponse::Accepted().finish();
    }
    match services.channels().pushed(header("x-goog-channel-id"), header("x-goog-channel-token")).await {
        Ok(true) => {}
        Ok(false) => tracing::info!("a push came for no channel of ours"),
        Err(error) => {
            tracing::warn!(%error, "a push could not be stored; the provider sends it again");
            return HttpResponse::ServiceUnavailable().finish();
        }
    }
    HttpResponse::Accepted().finish()
}
