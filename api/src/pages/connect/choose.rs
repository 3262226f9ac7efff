//! The page on which an administrator accepts the terms and chooses a calendar system.

use actix_web::HttpResponse;
use domain::AccessLevel;
use maud::{Markup, html};
use services::{
    Error,
    connect::{ConnectOffer, provider_label},
};

use super::{layout, session_field};

/// The page for choices, with the choices made before and, after a refusal, its reason.
pub(super) fn choice_page(action: &str, offer: &ConnectOffer, refusal: Option<&Error>) -> HttpResponse {
    let title = "Choose your calendar system";
    layout::render_form(title, refusal, choice(action, offer))
}

fn choice(action: &str, offer: &ConnectOffer) -> Markup {
    let opened = &offer.opened;
    html! {
        p { "You connect the calendars of " strong { (opened.tenant.name) } ", invited as " strong { (opened.link.email) } "." }
        p.dim { "Your calendar system will ask you, as its administrator, to let Muster read the list of people and rooms, and read and write their calendars. Muster does not request access to mail, files or chats." }
        form method="post" action=(action) data-muster-next {
            @if let Some(session) = offer.session { (session_field(session)) }
            label { input type="checkbox" name="terms" value="yes" required; " I accept the " a href="/terms" { "terms of service" } "." }
            label { input type="checkbox" name="privacy" value="yes" required; " I have read the " a href="/privacy" { "privacy policy" } "." }
            @if offer.is_reconnection {
                p { "The calendars were connected before. Their access is renewed; what may be accessed and the service mailbox stay as they are." }
            } @else {
                (scope_fields(offer))
            }
            h2 { "Your calendar system" }
            @for kind in &offer.providers {
                button name="provider" value=(kind.as_str()) { (provider_label(*kind)) }
            }
        }
        p.dim {
            "Guides: "
            @for (index, kind) in offer.providers.iter().enumerate() {
                @if index > 0 { ", " }
                a href=(format!("/guides/{}", kind.as_str().to_lowercase().replace('_', "-"))) { (provider_label(*kind)) }
            }
        }
    }
}

/// The fields for the access level and the service mailbox.
fn scope_fields(offer: &ConnectOffer) -> Markup {
    let chosen = offer.integration.as_ref();
    let level = chosen.and_then(|row| row.access_level.known()).unwrap_or(AccessLevel::Full);
    let mailbox = chosen.and_then(|row| row.service_mailbox.as_deref());
    let levels = [
        (AccessLevel::Full, " All calendars of the organisation"),
        (AccessLevel::Restricted, " Only the calendars of a group, limited in the calendar system itself"),
        (AccessLevel::FreeBusy, " Only when people are busy"),
    ];
    html! {
        h2 { "How much may the service account access?" }
        @for (one, label) in levels {
            label { input type="radio" name="access" value=(one.as_str()) checked[one == level]; (label) }
        }
        @if offer.may_set_mailbox {
            h2 { "Service mailbox" }
            label {
                span.dim { "Bookings for people whose mailbox cannot be reached are written to this \
                    mailbox. You can add it later." }
                input type="email" name="service_mailbox" placeholder="bookings@example.com" value=[mailbox];
            }
        }
    }
}
