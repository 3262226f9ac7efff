//! A user's own consent: one address that works once, the provider's page, and back.

use actix_web::{HttpRequest, HttpResponse, web};
use services::{
    Services,
    connect::{self, RedirectAnswer},
};

use super::{cookie, layout, onward};

pub(super) fn configure(routes: &mut web::ServiceConfig) {
    routes
        .service(web::resource("/connect/own/{secret}").get(opened))
        .service(web::resource(connect::OWN_CONSENTED).get(consented))
        .service(web::resource(connect::GOOGLE_OWN_CONSENTED).get(consented_at_google));
}

async fn opened(services: web::Data<Services>, secret: web::Path<String>) -> HttpResponse {
    match services.connect().own_opened(&secret).await {
        Ok((cookie, next)) => onward(&services, next, Some(cookie)),
        Err(error) => layout::problem(&error),
    }
}

async fn consented(
    request: HttpRequest,
    services: web::Data<Services>,
    answer: web::Query<RedirectAnswer>,
) -> HttpResponse {
    let answer = answer.into_inner();
    shown(&services, services.connect().own_consented(&cookie(&request, &services), answer).await)
}

async fn consented_at_google(
    request: HttpRequest,
    services: web::Data<Services>,
    answer: web::Query<RedirectAnswer>,
) -> HttpResponse {
    let answer = answer.into_inner();
    shown(&services, services.connect().own_consented_at_google(&cookie(&request, &services), answer).await)
}

fn shown(services: &Services, consented: services::Result<connect::Onward>) -> HttpResponse {
    match consented {
        Ok(connect::Onward::Progress) => {
            let body = maud::html! { p { "You can close this page." } };
            layout::page("Your calendar is connected", false, body)
        }
        Ok(next) => onward(services, next, None),
        Err(error) => layout::problem(&error),
    }
}
