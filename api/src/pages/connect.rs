//! The connect pages, in order: explanation, terms, consent, authorisation and confirmation.

use actix_web::{HttpRequest, HttpResponse, web};
use domain::{AccessLevel, Id, ProviderKind, ids, state::IntegrationState};
use maud::{Markup, html};
use serde::Deserialize;
use services::{
    Anyone, Error, Refusal, Services,
    connect::{
        ConnectChoices, ConsentFlow, EnteredCredentials, NextPage, Progress, RedirectParams, provider_label,
    },
    links::OpenedLink,
};

use super::{cookie, is_own_form, layout, onward};
use crate::wording;

pub(super) fn configure(routes: &mut web::ServiceConfig) {
    routes
        .service(web::resource("/connect/{system}/signed-in").get(signed_in))
        .service(web::resource("/connect/{system}/consented").get(consented))
        .service(web::resource("/connect/consent").get(asked).post(ask))
        .service(web::resource("/connect/credentials").get(credentials).post(typed))
        .service(web::resource("/connect/progress").get(progress))
        .service(web::resource("/connect/authorise").post(authorise))
        .service(web::resource("/connect/decline").post(decline))
        .service(web::resource("/connect/{token}").get(read))
        .service(web::resource("/connect/{token}/choose").get(choose).post(chosen));
}

/// The first page: explains what will happen before anything is sent (S1.6).
async fn read(services: web::Data<Services>, token: web::Path<String>) -> HttpResponse {
    let open = match services.links().open(Anyone, &token).await {
        Ok(open) => open,
        Err(error) => return layout::error_page(&error),
    };
    let body = html! {
        p { "You have been invited to connect the calendars of " strong { (open.tenant.name) } ". This is what will happen:" }
        ol {
            li { "You choose your calendar system and accept the terms. " strong { "Nothing is sent before that." } }
            li { "You sign in to your calendar system as an administrator and grant access, or enter the credentials of a service account." }
            li { "You return to this page and authorise Muster to use the access. Until then, Muster accesses no mailbox." }
            li { "The connection is verified, and the calendars of users and rooms are activated. No other user has to sign in." }
        }
        p.dim { "You need: a reachable calendar system, an administrator's account, and about five minutes. Nothing is installed." }
        form method="get" action=(format!("/connect/{token}/choose")) data-muster-next { button { "Connect" } }
    };
    layout::render_page("Connect your calendars", false, body)
}

/// The second page: offers one button for each calendar system that the tenant may use (S1.7), and the terms
/// (S1.8).
async fn choose(services: web::Data<Services>, token: web::Path<String>) -> HttpResponse {
    match offered(&services, &token).await {
        Ok((open, kinds)) => {
            layout::render_page("Choose your calendar system", false, choice(&token, &open, &kinds))
        }
        Err(error) => layout::error_page(&error),
    }
}

async fn offered(services: &Services, token: &str) -> services::Result<(OpenedLink, Vec<ProviderKind>)> {
    let open = services.links().open(Anyone, token).await?;
    let only = services.links().integration(&open).await?;
    let fits = |kind: &ProviderKind| only.as_ref().is_none_or(|row| row.provider == *kind);
    let kinds = services.connectors.kinds().filter(fits).collect();
    Ok((open, kinds))
}

fn choice(token: &str, open: &OpenedLink, kinds: &[ProviderKind]) -> Markup {
    html! {
        p { "You connect the calendars of " strong { (open.tenant.name) } ", invited as " strong { (open.link.email) } "." }
        p.dim { "Your calendar system will ask you, as its administrator, to let Muster read the list of people and rooms, and read and write their calendars. Muster does not request access to mail, files or chats." }
        form method="post" action=(format!("/connect/{token}/choose")) data-muster-next {
            label { input type="checkbox" name="terms" value="yes" required; " I accept the " a href="/terms" { "terms of service" } "." }
            label { input type="checkbox" name="privacy" value="yes" required; " I have read the " a href="/privacy" { "privacy policy" } "." }
            h2 { "How much may the service account access?" }
            label { input type="radio" name="access" value="FULL" checked; " All calendars of the organisation" }
            label { input type="radio" name="access" value="RESTRICTED"; " Only the calendars of a group, limited in the calendar system itself" }
            label { input type="radio" name="access" value="FREE_BUSY"; " Only when people are busy" }
            h2 { "Service mailbox" }
            label {
                span.dim { "Bookings for people whose mailbox cannot be reached are written to this \
                    mailbox. You can add it later." }
                input type="email" name="service_mailbox" placeholder="bookings@example.com";
            }
            h2 { "Your calendar system" }
            @for kind in kinds {
                button name="provider" value=(kind.as_str()) { (provider_label(*kind)) }
            }
        }
        p.dim {
            "Guides: "
            @for (index, kind) in kinds.iter().enumerate() {
                @if index > 0 { ", " }
                a href=(format!("/guides/{}", kind.as_str().to_lowercase().replace('_', "-"))) { (provider_label(*kind)) }
            }
        }
    }
}

#[derive(Deserialize)]
struct ChoiceForm {
    provider: String,
    terms: Option<String>,
    privacy: Option<String>,
    access: Option<String>,
    service_mailbox: Option<String>,
}

async fn chosen(
    request: HttpRequest,
    services: web::Data<Services>,
    token: web::Path<String>,
    form: web::Form<ChoiceForm>,
) -> HttpResponse {
    if !is_own_form(&request, &services) {
        return layout::error_page(&foreign_form_error());
    }
    let provider = ProviderKind::parse(&form.provider);
    let access_level = AccessLevel::parse(form.access.as_deref().unwrap_or("FULL"));
    let (Some(provider), Some(access_level)) = (provider, access_level) else {
        return layout::error_page(
            &Refusal::new("BAD_REQUEST", "Choose one of the offered calendar systems.").into(),
        );
    };
    let choice = ConnectChoices {
        provider,
        terms: form.terms.is_some(),
        privacy: form.privacy.is_some(),
        access_level,
        service_mailbox: form.service_mailbox.clone().filter(|address| !address.trim().is_empty()),
    };
    match services.connect().submit_choices(Anyone, &token, choice).await {
        Ok((secret, next)) => onward(&services, next, Some(secret)),
        Err(error) => layout::error_page(&error),
    }
}

async fn signed_in(
    request: HttpRequest,
    services: web::Data<Services>,
    answer: web::Query<RedirectParams>,
) -> HttpResponse {
    let (cookie, answer) = (cookie(&request, &services), answer.into_inner());
    match services.connect().complete_sign_in(Anyone, &cookie, request.path(), answer).await {
        Ok(next) => onward(&services, next, None),
        Err(error) => layout::error_page(&error),
    }
}

/// The page before the organisation's consent: what is requested, from whom and for whom, and how to decline.
async fn asked(request: HttpRequest, services: web::Data<Services>) -> HttpResponse {
    let asked = match services.connect().consent_question(Anyone, &cookie(&request, &services)).await {
        Ok(asked) => asked,
        Err(error) => return layout::error_page(&error),
    };
    let body = html! {
        p { "You have signed in as " strong { (asked.account) } ", an administrator of the organisation " code { (asked.organisation) } "." }
        p { "Microsoft will now ask you to let Muster, in the name of " strong { (asked.tenant) } " and for this whole organisation:" }
        ul {
            li { "read the list of people and rooms," }
            li { "read their calendars and write appointments in them." }
        }
        p.dim { "Muster does not request access to mail, files or chats. You can withdraw this access at Microsoft at any time." }
        form method="post" action="/connect/consent" data-muster-next { (session_field(asked.session)) button { "Continue to Microsoft" } }
        form method="post" action="/connect/decline" data-refuse { (session_field(asked.session)) button.quiet { "This is the wrong account or organisation" } }
    };
    layout::render_page("Let your organisation grant access", false, body)
}

async fn ask(request: HttpRequest, services: web::Data<Services>, form: web::Form<PageForm>) -> HttpResponse {
    let act = async |cookie: &str| services.connect().redirect_to_consent(Anyone, cookie).await;
    submit(&request, &services, &form.session, act).await
}

async fn consented(
    request: HttpRequest,
    services: web::Data<Services>,
    answer: web::Query<RedirectParams>,
) -> HttpResponse {
    let (cookie, answer) = (cookie(&request, &services), answer.into_inner());
    match services.connect().complete_consent(Anyone, &cookie, request.path(), answer).await {
        Ok(next) => onward(&services, next, None),
        Err(error) => layout::error_page(&error),
    }
}

async fn credentials(request: HttpRequest, services: web::Data<Services>) -> HttpResponse {
    let open = match services.connect().progress(Anyone, &cookie(&request, &services)).await {
        Ok(open) => open,
        Err(error) => return layout::error_page(&error),
    };
    let provider = open.integration.provider.known();
    let connector = provider.and_then(|kind| services.connectors.get(kind).ok());
    let is_found = match connector.map(|connector| connector.consent_flow()) {
        Some(ConsentFlow::ServiceAccount { scopes, keyless }) => {
            let form = service_account(&open, scopes, keyless);
            return layout::render_page("Enter the service account", false, form);
        }
        Some(ConsentFlow::Login { finds_server }) => finds_server,
        Some(ConsentFlow::Pages) | None => false,
    };
    let system = provider.map_or("calendar system", provider_label);
    let body = html! {
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
    };
    layout::render_page("Enter the credentials", false, body)
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

#[derive(Deserialize)]
struct TypedForm {
    #[serde(default)]
    server: String,
    user: String,
    #[serde(alias = "key")]
    password: String,
    service_account: Option<String>,
    #[serde(default)]
    session: String,
}

async fn typed(
    request: HttpRequest,
    services: web::Data<Services>,
    form: web::Form<TypedForm>,
) -> HttpResponse {
    let TypedForm { server, user, password, service_account, session } = form.into_inner();
    // A key says by itself whose it is.
    let service_account =
        service_account.filter(|address| !address.trim().is_empty() && password.trim().is_empty());
    let typed = EnteredCredentials { server, user, password: password.into(), service_account };
    let act = async |cookie: &str| services.connect().submit_credentials(Anyone, cookie, typed).await;
    submit(&request, &services, &session, act).await
}

async fn progress(request: HttpRequest, services: web::Data<Services>) -> HttpResponse {
    match services.connect().progress(Anyone, &cookie(&request, &services)).await {
        Ok(progress) => shown(&progress),
        Err(error) => layout::error_page(&error),
    }
}

fn shown(progress: &Progress) -> HttpResponse {
    use IntegrationState as S;
    let asks = progress.state == S::AwaitingAuthorization && !progress.answered;
    let former =
        progress.connecting && matches!(progress.state, S::Failing | S::Failed | S::Expired | S::Declined);
    let under_way = matches!(progress.state, S::Draft | S::AwaitingConsent | S::AwaitingAuthorization);
    let waits = former || (under_way && !asks);
    let title = match progress.state {
        _ if former => "Trying the access",
        S::AwaitingAuthorization if !asks => "Processing your decision",
        S::Draft | S::AwaitingConsent => "Trying the access",
        S::AwaitingAuthorization => "One last step",
        S::Verifying | S::AwaitingPropagation => "The connection is being verified",
        S::Active | S::Degraded => "Your calendars are connected",
        _ => "The calendars are not connected",
    };
    let reason = progress.reason.as_ref().filter(|_| !former);
    let reason = reason.map(|reason| wording::render_reason(reason, None));
    let body = html! {
        @if asks {
            p { (progress.integration.external_name.as_deref().unwrap_or("The calendar system")) " granted access. No mailbox has been touched yet." }
            p { "Authorise Muster to use this access for " strong { (progress.tenant) } ": to read when people and rooms are busy, and to write appointments." }
            form method="post" action="/connect/authorise" data-muster-next { (session_field(progress.session)) button { "Authorise" } }
            form method="post" action="/connect/decline" data-refuse { (session_field(progress.session)) button.quiet { "Do not authorise" } }
        } @else {
            @if let Some(reason) = reason {
                div.box {
                    p { (reason.message) }
                    @if let Some(next) = &reason.next_action { p.dim { (next) } }
                    p.dim data-muster-code=(reason.code) { "Code: " (reason.code) }
                }
            } @else if progress.state.is_usable() {
                p { "Users and rooms are being activated. You are done and can close this page." }
            }
            @if let Some(landing) = progress.landing.as_ref().filter(|_| !waits) {
                p { a href=(landing.as_str()) { "Back to the calendar settings" } }
            }
        }
        p.dim data-muster-state=(progress.state.as_str()) { "State: " (progress.state.as_str()) }
    };
    layout::render_page(title, waits || progress.state == S::Verifying, body)
}

async fn authorise(
    request: HttpRequest,
    services: web::Data<Services>,
    form: web::Form<PageForm>,
) -> HttpResponse {
    let act = async |cookie: &str| services.connect().authorise(Anyone, cookie).await;
    submit(&request, &services, &form.session, act).await
}

async fn decline(
    request: HttpRequest,
    services: web::Data<Services>,
    form: web::Form<PageForm>,
) -> HttpResponse {
    let act = async |cookie: &str| services.connect().decline(Anyone, cookie).await;
    submit(&request, &services, &form.session, act).await
}

/// Names the session of a page in its form.
fn session_field(session: Id<ids::ConnectSession>) -> Markup {
    html! { input type="hidden" name="session" value=(session); }
}

/// The form of a page on which nothing is entered.
#[derive(Deserialize)]
struct PageForm {
    #[serde(default)]
    session: String,
}

/// Acts on a form for the session of the cookie and sends the browser on. Refuses forms of other sites, and of pages
/// that belong to another session.
async fn submit(
    request: &HttpRequest,
    services: &Services,
    session: &str,
    act: impl AsyncFnOnce(&str) -> services::Result<NextPage>,
) -> HttpResponse {
    if !is_own_form(request, services) {
        return layout::error_page(&foreign_form_error());
    }
    let cookie = cookie(request, services);
    let next = match services.connect().require_page_of(Anyone, &cookie, session).await {
        Ok(()) => act(&cookie).await,
        Err(error) => Err(error),
    };
    match next {
        Ok(next) => onward(services, next, None),
        Err(error) => layout::error_page(&error),
    }
}

pub(super) fn foreign_form_error() -> Error {
    Refusal::new("ORIGIN_REFUSED", "This form was not sent from a page of this server. Open the page again.")
        .into()
}
