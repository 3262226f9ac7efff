//! Pages on which users connect their own calendars: the choice of the calendar system with an explanation, the
//! provider's page or a form for credentials, and the return to Muster. The link works once. Only a button on the page
//! consumes it, so that a mail filter that opens the link does not; from then on the browser's cookie opens the same
//! pages, so that a wrong choice, account or password is corrected.

use actix_web::{HttpRequest, HttpResponse, web};
use domain::ProviderKind;
use maud::{Markup, html};
use secrecy::SecretString;
use serde::Deserialize;
use services::{
    Anyone, Error, Services,
    connect::{
        EnteredCredentials, NextPage, OwnConsentInvitation, OwnCredentialsForm, RedirectParams,
        provider_label,
    },
};

use super::{
    connect::foreign_form_error,
    cookie, is_own_form,
    layout::{self, text},
    onward,
};
use crate::messages;

/// The choice of the calendar system, for a browser that has opened the link.
pub(super) const CHOICES: &str = "/connect/own";
/// The form for the credentials of the user's own account.
pub(super) const CREDENTIALS: &str = "/connect/own-credentials";
/// The page that says that the calendar is connected.
pub(super) const CONNECTED: &str = "/connect/own-connected";

pub(super) fn configure(routes: &mut web::ServiceConfig) {
    routes
        .service(web::resource("/connect/own").get(choices).post(chosen))
        .service(web::resource("/connect/own-credentials").get(credentials).post(entered))
        .service(web::resource("/connect/own-connected").get(connected))
        .service(web::resource("/connect/own/{secret}").get(invited).post(opened))
        .service(web::resource("/connect/{system}/own").get(consented));
}

/// The form of the button for a calendar system.
#[derive(Debug, Deserialize)]
struct Chosen {
    provider: Option<String>,
}

impl Chosen {
    /// The calendar system; `None` if it is not named, or unknown.
    fn provider(&self) -> Option<ProviderKind> {
        self.provider.as_deref().and_then(ProviderKind::parse)
    }
}

/// The credentials of the user's own account.
#[derive(Deserialize)]
struct Login {
    #[serde(default)]
    server: String,
    user: String,
    password: String,
}

async fn invited(services: web::Data<Services>, secret: web::Path<String>) -> HttpResponse {
    match services.connect().own_consent_invitation(Anyone, &secret).await {
        Ok(invitation) => choices_page(&invitation, &format!("/connect/own/{secret}")),
        Err(error) => layout::error_page(&error),
    }
}

async fn choices(request: HttpRequest, services: web::Data<Services>) -> HttpResponse {
    match services.connect().own_consent_choices(Anyone, &cookie(&request, &services)).await {
        Ok(invitation) => choices_page(&invitation, CHOICES),
        Err(error) => layout::error_page(&error),
    }
}

/// What is connected, and one button for each calendar system. The first button is the marked form.
fn choices_page(invitation: &OwnConsentInvitation, action: &str) -> HttpResponse {
    let OwnConsentInvitation { tenant, systems, address } = invitation;
    let asks = match systems.as_slice() {
        [only] => messages::own_asks(tenant.as_str(), provider_label(*only)),
        _ => messages::own_asks_for_any(tenant.as_str()),
    };
    let body = html! {
        p { (text(asks)) }
        ul {
            li { (text(messages::own_account(address.as_str()))) }
            li { (text(messages::own_what())) }
            li { (text(messages::own_ending(tenant.as_str()))) }
        }
        form method="post" action=(action) data-muster-next {
            @for system in systems {
                button name="provider" value=(system.as_str()) { (text(messages::own_continue(provider_label(*system)))) }
            }
        }
    };
    layout::render_page(&text(messages::own_title()), body)
}

async fn opened(
    request: HttpRequest,
    services: web::Data<Services>,
    secret: web::Path<String>,
    form: web::Form<Chosen>,
) -> HttpResponse {
    if !is_own_form(&request, &services) {
        return layout::error_page(&foreign_form_error());
    }
    match services.connect().open_own_consent(Anyone, &secret, form.provider()).await {
        Ok((cookie, next)) => onward(&services, next, Some(cookie)),
        Err(error) => layout::error_page(&error),
    }
}

async fn chosen(
    request: HttpRequest,
    services: web::Data<Services>,
    form: web::Form<Chosen>,
) -> HttpResponse {
    if !is_own_form(&request, &services) {
        return layout::error_page(&foreign_form_error());
    }
    let cookie = cookie(&request, &services);
    shown(&services, services.connect().choose_own_system(Anyone, &cookie, form.provider()).await)
}

async fn consented(
    request: HttpRequest,
    services: web::Data<Services>,
    answer: web::Query<RedirectParams>,
) -> HttpResponse {
    let (cookie, answer) = (cookie(&request, &services), answer.into_inner());
    shown(&services, services.connect().complete_own_consent(Anyone, &cookie, request.path(), answer).await)
}

async fn credentials(request: HttpRequest, services: web::Data<Services>) -> HttpResponse {
    credentials_page(&services, &cookie(&request, &services), None).await
}

async fn entered(
    request: HttpRequest,
    services: web::Data<Services>,
    form: web::Form<Login>,
) -> HttpResponse {
    if !is_own_form(&request, &services) {
        return layout::error_page(&foreign_form_error());
    }
    let (cookie, Login { server, user, password }) = (cookie(&request, &services), form.into_inner());
    let password = SecretString::from(password);
    let typed = EnteredCredentials { server, user, password, service_account: None };
    match services.connect().submit_own_credentials(Anyone, &cookie, typed).await {
        Ok(next) => onward(&services, next, None),
        Err(error) => credentials_page(&services, &cookie, Some(&error)).await,
    }
}

/// The form for credentials and, after a refusal, its reason: nothing was stored, and it can be submitted again.
async fn credentials_page(services: &Services, cookie: &str, refusal: Option<&Error>) -> HttpResponse {
    match services.connect().own_credentials_form(Anyone, cookie).await {
        Ok(form) => {
            layout::render_form(&text(messages::own_credentials_title()), refusal, credentials_form(&form))
        }
        Err(error) => layout::error_page(refusal.unwrap_or(&error)),
    }
}

fn credentials_form(form: &OwnCredentialsForm) -> Markup {
    let OwnCredentialsForm { tenant, system, address, finds_server } = form;
    html! {
        p { (text(messages::own_credentials_of(tenant.as_str(), provider_label(*system), address.as_str()))) }
        form method="post" action=(CREDENTIALS) data-muster-next {
            label { (text(messages::credentials_server())) input type="url" name="server" required[!finds_server] placeholder="https://calendar.example.com/"; }
            @if *finds_server { p.dim { (text(messages::credentials_autodiscover())) } }
            label { (text(messages::page_user_name())) input type="text" name="user" required autocomplete="username"; }
            label { (text(messages::page_password())) input type="password" name="password" required autocomplete="current-password"; }
            button { (text(messages::page_connect())) }
        }
        p { a href=(CHOICES) { (text(messages::own_choose_again())) } }
    }
}

async fn connected() -> HttpResponse {
    let body = html! { p { (text(messages::own_close())) } };
    layout::render_page(&text(messages::own_connected()), body)
}

/// The next page, or why there is none, with a way to try again.
fn shown(services: &Services, step: services::Result<NextPage>) -> HttpResponse {
    match step {
        Ok(next) => onward(services, next, None),
        Err(error) => layout::own_calendar_error(&error),
    }
}
