//! Pages for a user's own consent: an explanation, the provider's page, and the return to Muster. The link works once.
//! Only the button on the page consumes it, so that a mail filter that opens the link does not.

use actix_web::{HttpRequest, HttpResponse, web};
use maud::html;
use services::{
    Anyone, Services,
    connect::{self, RedirectParams, provider_label},
};

use super::{connect::foreign_form_error, cookie, is_own_form, layout, onward};

pub(super) fn configure(routes: &mut web::ServiceConfig) {
    routes
        .service(web::resource("/connect/own/{secret}").get(invited).post(opened))
        .service(web::resource("/connect/{system}/own").get(consented));
}

async fn invited(services: web::Data<Services>, secret: web::Path<String>) -> HttpResponse {
    let invitation = match services.connect().own_consent_invitation(Anyone, &secret).await {
        Ok(invitation) => invitation,
        Err(error) => return layout::error_page(&error),
    };
    let system = provider_label(invitation.provider);
    let body = html! {
        p { strong { (invitation.tenant) } " asks you to connect your own calendar in " (system) "." }
        ul {
            li { "The account: " strong { (invitation.address) } ". Sign in with this one; another one is refused." }
            li { "Muster asks to read your calendar and to write appointments to it, even while you are not \
                signed in." }
            li { "You can end it at any time in the settings of your account, or by asking " (invitation.tenant) " to remove it." }
        }
        form method="post" action=(format!("/connect/own/{secret}")) data-muster-next { button { "Continue to " (system) } }
    };
    layout::render_page("Connect your calendar", body)
}

async fn opened(
    request: HttpRequest,
    services: web::Data<Services>,
    secret: web::Path<String>,
) -> HttpResponse {
    if !is_own_form(&request, &services) {
        return layout::error_page(&foreign_form_error());
    }
    match services.connect().open_own_consent(Anyone, &secret).await {
        Ok((cookie, next)) => onward(&services, next, Some(cookie)),
        Err(error) => layout::error_page(&error),
    }
}

async fn consented(
    request: HttpRequest,
    services: web::Data<Services>,
    answer: web::Query<RedirectParams>,
) -> HttpResponse {
    let (cookie, answer) = (cookie(&request, &services), answer.into_inner());
    shown(&services, services.connect().complete_own_consent(Anyone, &cookie, request.path(), answer).await)
}

fn shown(services: &Services, consented: services::Result<connect::NextPage>) -> HttpResponse {
    match consented {
        Ok(connect::NextPage::Progress) => {
            let body = html! { p { "You can close this page." } };
            layout::render_page("Your calendar is connected", body)
        }
        Ok(next) => onward(services, next, None),
        Err(error) => layout::error_page(&error),
    }
}
