//! Pages for a user's own consent: an explanation, the provider's page, and the return to Muster. The link works once.
//! Only the button on the page consumes it, so that a mail filter that opens the link does not.

use actix_web::{HttpRequest, HttpResponse, web};
use maud::html;
use services::{
    Anyone, Services,
    connect::{self, RedirectParams, provider_label},
};

use super::{
    connect::foreign_form_error,
    cookie, is_own_form,
    layout::{self, text},
    onward,
};
use crate::messages;

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
        p { (text(messages::own_asks(invitation.tenant.as_str(), system))) }
        ul {
            li { (text(messages::own_account(invitation.address))) }
            li { (text(messages::own_what())) }
            li { (text(messages::own_ending(invitation.tenant.as_str()))) }
        }
        form method="post" action=(format!("/connect/own/{secret}")) data-muster-next { button { (text(messages::own_continue(system))) } }
    };
    layout::render_page(&text(messages::own_title()), body)
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
            let body = html! { p { (text(messages::own_close())) } };
            layout::render_page(&text(messages::own_connected()), body)
        }
        Ok(next) => onward(services, next, None),
        Err(error) => layout::error_page(&error),
    }
}
