//! The page on which an administrator enters credentials, for systems without consent pages.

use actix_web::HttpResponse;
use maud::{Markup, html};
use services::{
    Anyone, Error, Services,
    connect::{ConsentFlow, NextPage, Progress, provider_label},
};

use super::{CHOOSE_AGAIN, layout, onward, session_field};

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
            layout::render_form("Enter the service account", refusal, form)
        }
        Some(ConsentFlow::Login { finds_server }) => {
            layout::render_form("Enter the credentials", refusal, login(&open, finds_server))
        }
        Some(ConsentFlow::Pages) | None => onward(services, NextPage::Progress, None),
    }
}

/// The form for an account on the customer's own server.
fn login(open: &Progress, is_found: bool) -> Markup {
    let system = open.integration.provider.known().map_or("calendar system", provider_label);
    html! {
        p { "Enter the service account of " strong { (open.tenant) } " on your " (system) " server. The password is stored encrypted and shown to nobody." }
        form method="post" action="/connect/credentials" data-muster-next {
            (session_field(open.session))
            label { "Address of the server" input type="url" name="server" required[!is_found] placeholder="https://calendar.example.com/"; }
            @if is_found {
                p.dim { "Leave the address empty if the user name is an address such as service@example.com \
                    and Autodiscover is set up: Muster then finds the server." }
            }
            label { "User name" input type="text" name="user" required autocomplete="off"; }
            label { "Password" input type="password" name="password" required autocomplete="off"; }
            button { "Connect" }
        }
        p { a href=(CHOOSE_AGAIN) { "Change your choices" } }
    }
}

/// The form for a Google service account: its key, or its email address if the installation signs for accounts without
/// a key.
fn service_account(open: &Progress, scopes: &[&str], is_keyless: bool) -> Markup {
    html! {
        p { "Muster reaches the calendars of " strong { (open.tenant) } " through a service account in a Google Cloud project of yours. In Google's admin console, under Security, API controls, Domain-wide delegation, authorise its client id for these scopes:" }
        pre { @for scope in scopes { (scope) "\n" } }
        p.dim { "Google may take up to a day to apply this everywhere; Muster waits for it. The key is \
            stored encrypted and shown to nobody." }
        form method="post" action="/connect/credentials" data-muster-next {
            (session_field(open.session))
            label { "Address of an administrator, for whom the service account acts in the directory" input type="email" name="user" required autocomplete="off"; }
            label { "Key of the service account, the whole JSON file" textarea name="key" required[!is_keyless] rows="8" autocomplete="off" {} }
            @if is_keyless {
                label { "Or its address alone, if no key may leave Google" input type="email" name="service_account" autocomplete="off" placeholder="calendars@project.iam.gserviceaccount.com"; }
                p.dim { "Without a key, the identity of this installation needs the role Service Account Token Creator on the service account, and you sign in at Google as the administrator above." }
            }
            button { "Connect" }
        }
    }
}
