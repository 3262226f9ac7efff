//! The connect pages, in order: explanation, terms, consent, authorisation and confirmation.

mod choose;
mod credentials;
mod events;
mod progress;

use actix_web::{HttpRequest, HttpResponse, web};
use domain::{AccessLevel, Id, ProviderKind, ids};
use maud::{Markup, html};
use serde::Deserialize;
use services::{
    Anyone, Error, Refusal, Services,
    connect::{ConnectChoices, EnteredCredentials, NextPage, RedirectParams},
};

use self::{choose::choice_page, credentials::credentials_page, progress::progress_page};
use super::{
    cookie, is_own_form,
    layout::{self, text},
    onward,
};
use crate::messages;

/// The page on which the browser of a connect session corrects its choices.
const CHOOSE_AGAIN: &str = "/connect/choose";

pub(super) fn configure(routes: &mut web::ServiceConfig) {
    routes
        .service(web::resource("/connect/{system}/signed-in").get(signed_in))
        .service(web::resource("/connect/{system}/consented").get(consented))
        .service(web::resource("/connect/consent").get(asked).post(ask))
        .service(web::resource("/connect/credentials").get(enter).post(typed))
        .service(web::resource("/connect/choose").get(choose_again).post(chosen_again))
        .service(web::resource("/connect/progress").get(watch))
        .service(web::resource("/connect/progress/events").get(follow))
        .service(web::resource("/connect/progress.js").get(script))
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
        p { (text(messages::explain_invited(open.tenant.name))) }
        ol {
            li { (text(messages::explain_choose())) }
            li { (text(messages::explain_sign_in())) }
            li { (text(messages::explain_authorise())) }
            li { (text(messages::explain_verified())) }
        }
        p.dim { (text(messages::explain_needed())) }
        form method="get" action=(format!("/connect/{token}/choose")) data-muster-next { button { (text(messages::page_connect())) } }
    };
    layout::render_page(&text(messages::explain_title()), body)
}

/// The second page: offers one button for each calendar system that the tenant may use (S1.7), and the terms
/// (S1.8).
async fn choose(services: web::Data<Services>, token: web::Path<String>) -> HttpResponse {
    match services.connect().offer(Anyone, &token).await {
        Ok(offer) => choice_page(&format!("/connect/{token}/choose"), &offer, None),
        Err(error) => layout::error_page(&error),
    }
}

/// The second page once more, from the session of this browser: the answers can be corrected (S6.2).
async fn choose_again(request: HttpRequest, services: web::Data<Services>) -> HttpResponse {
    match services.connect().offer_again(Anyone, &cookie(&request, &services)).await {
        Ok(offer) => choice_page(CHOOSE_AGAIN, &offer, None),
        Err(error) => layout::connect_error(&error),
    }
}

#[derive(Deserialize)]
struct ChoiceForm {
    provider: String,
    terms: Option<String>,
    privacy: Option<String>,
    access: Option<String>,
    service_mailbox: Option<String>,
    #[serde(default)]
    session: String,
}

impl ChoiceForm {
    fn choices(&self) -> services::Result<ConnectChoices> {
        let provider = ProviderKind::parse(&self.provider);
        let access_level = self.access.as_deref().map(AccessLevel::parse);
        let (Some(provider), None | Some(Some(_))) = (provider, access_level) else {
            return Err(Refusal::new("BAD_REQUEST", messages::page_choose_an_offered_system()).into());
        };
        Ok(ConnectChoices {
            provider,
            terms: self.terms.is_some(),
            privacy: self.privacy.is_some(),
            access_level: access_level.flatten(),
            service_mailbox: self.service_mailbox.clone().filter(|address| !address.trim().is_empty()),
        })
    }
}

async fn chosen(
    request: HttpRequest,
    services: web::Data<Services>,
    token: web::Path<String>,
    form: web::Form<ChoiceForm>,
) -> HttpResponse {
    if !is_own_form(&request, &services) {
        return layout::connect_error(&foreign_form_error());
    }
    let chosen = async { services.connect().submit_choices(Anyone, &token, form.choices()?).await };
    match chosen.await {
        Ok((secret, next)) => onward(&services, next, Some(secret)),
        Err(error) => match services.connect().offer(Anyone, &token).await {
            Ok(offer) => choice_page(&format!("/connect/{token}/choose"), &offer, Some(&error)),
            Err(_) => layout::connect_error(&error),
        },
    }
}

async fn chosen_again(
    request: HttpRequest,
    services: web::Data<Services>,
    form: web::Form<ChoiceForm>,
) -> HttpResponse {
    let cookie = match own_session(&request, &services, &form.session).await {
        Ok(cookie) => cookie,
        Err(error) => return layout::connect_error(&error),
    };
    let chosen = async { services.connect().correct_choices(Anyone, &cookie, form.choices()?).await };
    match chosen.await {
        Ok((secret, next)) => onward(&services, next, Some(secret)),
        Err(error) => match services.connect().offer_again(Anyone, &cookie).await {
            Ok(offer) => choice_page(CHOOSE_AGAIN, &offer, Some(&error)),
            Err(_) => layout::connect_error(&error),
        },
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
        Err(error) => layout::connect_error(&error),
    }
}

/// The page before the organisation's consent: what is requested, from whom and for whom, and how to decline.
async fn asked(request: HttpRequest, services: web::Data<Services>) -> HttpResponse {
    let asked = match services.connect().consent_question(Anyone, &cookie(&request, &services)).await {
        Ok(asked) => asked,
        Err(error) => return layout::connect_error(&error),
    };
    let session = || session_field(asked.session);
    let body = html! {
        p { (text(messages::ask_signed_in(asked.account, asked.organisation))) }
        p { (text(messages::ask_what(asked.tenant))) }
        ul {
            li { (text(messages::ask_directory())) }
            li { (text(messages::ask_calendars())) }
        }
        p.dim { (text(messages::ask_nothing_else())) }
        form method="post" action="/connect/consent" data-muster-next { (session()) button { (text(messages::ask_continue())) } }
        form method="post" action="/connect/decline" data-refuse { (session()) button.quiet { (text(messages::ask_wrong())) } }
    };
    layout::render_page(&text(messages::ask_title()), body)
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
        Err(error) => layout::connect_error(&error),
    }
}

async fn enter(request: HttpRequest, services: web::Data<Services>) -> HttpResponse {
    credentials_page(&services, &cookie(&request, &services), None).await
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
    let cookie = match own_session(&request, &services, &session).await {
        Ok(cookie) => cookie,
        Err(error) => return layout::connect_error(&error),
    };
    match services.connect().submit_credentials(Anyone, &cookie, typed).await {
        Ok(next) => onward(&services, next, None),
        Err(error) => credentials_page(&services, &cookie, Some(&error)).await,
    }
}

async fn watch(request: HttpRequest, services: web::Data<Services>) -> HttpResponse {
    match services.connect().progress(Anyone, &cookie(&request, &services)).await {
        Ok(progress) => progress_page(&progress),
        Err(error) => layout::connect_error(&error),
    }
}

/// The events with which the script of the page follows the attempt.
async fn follow(request: HttpRequest, services: web::Data<Services>) -> HttpResponse {
    let (services, cookie) = (services.without_request(), cookie(&request, &services));
    match services.connect().follow(Anyone, &cookie).await {
        Ok(heard) => events::respond(services, cookie, heard),
        Err(error) => layout::connect_error(&error),
    }
}

async fn script() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("content-type", "text/javascript; charset=utf-8"))
        .insert_header(("cache-control", "no-cache"))
        .insert_header(("x-content-type-options", "nosniff"))
        .body(include_str!("connect/progress.js"))
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

/// Acts on a form for the session of the cookie and sends the browser on.
async fn submit(
    request: &HttpRequest,
    services: &Services,
    session: &str,
    act: impl AsyncFnOnce(&str) -> services::Result<NextPage>,
) -> HttpResponse {
    let next = match own_session(request, services, session).await {
        Ok(cookie) => act(&cookie).await,
        Err(error) => Err(error),
    };
    match next {
        Ok(next) => onward(services, next, None),
        Err(error) => layout::connect_error(&error),
    }
}

/// The cookie of a form's session. Refuses forms of other sites, and of pages that belong to another session.
async fn own_session(request: &HttpRequest, services: &Services, session: &str) -> services::Result<String> {
    if !is_own_form(request, services) {
        return Err(foreign_form_error());
    }
    let cookie = cookie(request, services);
    services.connect().require_page_of(Anyone, &cookie, session).await?;
    Ok(cookie)
}

pub(super) fn foreign_form_error() -> Error {
    Refusal::new("ORIGIN_REFUSED", messages::page_foreign_form()).into()
}
