//! Endpoints for push notifications of providers. They respond at once; a run processes the notification.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use serde::Deserialize;
use services::{
    Anyone, Services,
    channels::{GOOGLE_HOOK, MICROSOFT_HOOK, Notice},
};

/// Maximum length of a validation token that is echoed, in bytes.
const LONGEST_TOKEN: usize = 1024;

/// Maximum number of notifications in one POST, which may concern several subscriptions and tenants.
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
    /// Set if the notification is about the subscription itself.
    lifecycle_event: Option<String>,
}

impl Notification {
    /// Converts the notification. Of the lifecycle events, `missed` is treated like a change: it only says that the
    /// mailbox must be read.
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

/// Microsoft Graph. The handshake echoes the token as plain text. Notifications are always answered with 202, so that
/// nobody can probe which channels exist.
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
    match services.channels().handle_notices(Anyone, &notices).await {
        Ok(0) => tracing::info!("a push came for no channel of ours"),
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(%error, "a push could not be stored; the provider sends it again");
            return HttpResponse::ServiceUnavailable().finish();
        }
    }
    HttpResponse::Accepted().finish()
}

/// Google. A notification has no body: its headers name the channel and repeat our secret. The first one of a channel
/// (`sync`) only says that it is open. Always answered with 202, or 503 to have it sent again.
async fn google(services: web::Data<Services>, request: HttpRequest) -> HttpResponse {
    let header =
        |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if header("x-goog-resource-state") == "sync" {
        return HttpResponse::Accepted().finish();
    }
    match services
        .channels()
        .handle_push(Anyone, header("x-goog-channel-id"), header("x-goog-channel-token"))
        .await
    {
        Ok(true) => {}
        Ok(false) => tracing::info!("a push came for no channel of ours"),
        Err(error) => {
            tracing::warn!(%error, "a push could not be stored; the provider sends it again");
            return HttpResponse::ServiceUnavailable().finish();
        }
    }
    HttpResponse::Accepted().finish()
}
