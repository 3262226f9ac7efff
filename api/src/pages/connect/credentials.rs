//! The page on which an administrator enters credentials, for systems without consent pages.

use actix_web::HttpResponse;
use maud::{Markup, html};
use services::{
    Anyone, Error, Services,
    connect::{ConsentFlow, NextPage, Progress, provider_label},
};

use super::{
    CHOOSE_AGAIN,
    layout::{self, text},
    onward, session_field,
};
use crate::messages;

/// The form for credentials and, after a refusal, its reason.
pub(super) async fn credentials_page(
    services: &Services,
    cookie: &str,
    refusal: Option<&Error>,
) -> HttpResponse {
    let open = match services.connect().progress(Anyone, cookie).await {
        Ok(open) => open,
        Err(error) => return layout::connect_error(refusal.unwrap_or(&error)),
    };
    let provider = open.integration.provider.known();
    let connector = provider.and_then(|kind| services.connectors.get(kind).ok());
    match connector.map(|connector| connector.consent_flow()) {
        Some(ConsentFlow::ServiceAccount { scopes, keyless }) => {
            let form = service_account(&open, scopes, keyless);
            layout::render_form(&text(messages::account_title()), refusal, form)
        }
        Some(ConsentFlow::Login { finds_server }) => {
            layout::render_form(&text(messages::credentials_title()), refusal, login(&open, finds_server))
        }
        Some(ConsentFlow::Pages) | None => onward(services, NextPage::Progress, None),
    }
}

/// The form for an account on the customer's own server.
fn login(open: &Progress, is_found: bool) -> Markup {
    let system = open.integration.provider.known().map(provider_label);
    let system = system.map_or_else(|| text(messages::page_calendar_system()), str::to_owned);
    html! {
        p { (text(messages::credentials_of(open.tenant.as_str(), system))) }
        form method="post" action="/connect/credentials" data-muster-next {
            (session_field(open.session))
            label { (text(messages::credentials_server())) input type="url" name="server" required[!is_found] placeholder="https://calendar.example.com/"; }
            @if is_found { p.dim { (text(messages::credentials_autodiscover())) } }
            label { (text(messages::page_user_name())) input type="text" name="user" required autocomplete="off"; }
            label { (text(messages::page_password())) input type="password" name="password" required autocomplete="off"; }
            button { (text(messages::page_connect())) }
        }
        p { a href=(CHOOSE_AGAIN) { (text(messages::credentials_change_choices())) } }
    }
}

/// The form for a Google service account: its key, or its email address if the installation signs for accounts without
/// a key.
fn service_account(open: &Progress, scopes: &[&str], is_keyless: bool) -> Markup {
    html! {
        p { (text(messages::account_of(open.tenant.as_str()))) }
        pre { @for scope in scopes { (scope) "\n" } }
        p.dim { (text(messages::account_takes_a_day())) }
        form method="post" action="/connect/credentials" data-muster-next {
            (session_field(open.session))
            label { (text(messages::account_administrator())) input type="email" name="user" required autocomplete="off"; }
            label { (text(messages::account_key())) textarea name="key" required[!is_keyless] rows="8" autocomplete="off" {} }
            @if is_keyless {
                label { (text(messages::account_address_alone())) input type="email" name="service_account" autocomplete="off" placeholder="calendars@project.iam.gserviceaccount.com"; }
                p.dim { (text(messages::account_without_key())) }
            }
            button { (text(messages::page_connect())) }
        }
        p { a href=(CHOOSE_AGAIN) { (text(messages::credentials_change_choices())) } }
    }
}
