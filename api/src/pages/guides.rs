//! The pages with the guides for IT administrators, and the legal documents that they accept.

use actix_web::{HttpResponse, web};
use domain::ProviderKind;
use maud::html;
use services::{Refusal, Services};

use super::layout;
use crate::guides::Guide;

pub(super) async fn guide_page(services: web::Data<Services>, provider: web::Path<String>) -> HttpResponse {
    let Some(provider) = ProviderKind::parse(&provider.to_uppercase().replace('-', "_")) else {
        return layout::error_page(&Refusal::new("NOT_FOUND", "There is no such guide.").into());
    };
    let guide = Guide::of(provider, &services);
    layout::render_page(guide.title, guide.html())
}

pub(super) async fn terms_page(services: web::Data<Services>) -> HttpResponse {
    let body = html! {
        p.dim { "Version " (services.settings.terms_version) }
        p { "By connecting, you confirm that you are authorised to allow this service, on behalf of your organisation, to read and write its calendars for the sole purpose of making appointments. You can end the connection at any time, here or in your calendar system, with immediate effect." }
    };
    layout::render_english_page("Terms of service", body)
}

pub(super) async fn privacy_page(services: web::Data<Services>) -> HttpResponse {
    let body = html! {
        p.dim { "Version " (services.settings.privacy_version) }
        p { "This service stores the names and email addresses of the connected users and rooms, the times and titles of their appointments within the coming weeks, and the credentials of the connection, encrypted with a key that is specific to your organisation. It does not read mail. All stored data is deleted when the connection is removed." }
    };
    layout::render_english_page("Privacy policy", body)
}
