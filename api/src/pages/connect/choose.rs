//! The page on which an administrator accepts the terms and chooses a calendar system.

use actix_web::HttpResponse;
use domain::AccessLevel;
use maud::{Markup, html};
use services::{
    Error,
    connect::{ConnectOffer, provider_label},
};

use super::{
    layout::{self, text},
    session_field,
};
use crate::{guides, messages};

/// The page for choices, with the choices made before and, after a refusal, its reason.
pub(super) fn choice_page(action: &str, offer: &ConnectOffer, refusal: Option<&Error>) -> HttpResponse {
    layout::render_form(&text(messages::choose_title()), refusal, choice(action, offer))
}

fn choice(action: &str, offer: &ConnectOffer) -> Markup {
    let opened = &offer.opened;
    html! {
        p { (text(messages::choose_invited_as(opened.tenant.name.as_str(), opened.link.email.as_str()))) }
        p.dim { (text(messages::choose_what_is_asked())) }
        form method="post" action=(action) data-muster-next {
            @if let Some(session) = offer.session { (session_field(session)) }
            label { input type="checkbox" name="terms" value="yes" required; " " (text(messages::choose_accept_terms())) }
            label { input type="checkbox" name="privacy" value="yes" required; " " (text(messages::choose_read_privacy())) }
            p.dim {
                a href="/terms" { (text(messages::choose_terms())) } ", "
                a href="/privacy" { (text(messages::choose_privacy())) }
            }
            @if offer.is_reconnection { p { (text(messages::choose_reconnection())) } } @else { (scope_fields(offer)) }
            h2 { (text(messages::choose_your_system())) }
            @for kind in &offer.providers {
                button name="provider" value=(kind.as_str()) { (provider_label(*kind)) }
            }
        }
        p.dim {
            (text(messages::choose_guides())) " "
            @for (index, kind) in offer.providers.iter().enumerate() {
                @if index > 0 { ", " }
                a href=(guides::path(*kind)) { (provider_label(*kind)) }
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
        (AccessLevel::Full, messages::choose_full()),
        (AccessLevel::Restricted, messages::choose_restricted()),
        (AccessLevel::FreeBusy, messages::choose_free_busy()),
    ];
    html! {
        fieldset {
            legend { (text(messages::choose_how_much())) }
            @for (one, label) in levels {
                label { input type="radio" name="access" value=(one.as_str()) checked[one == level]; " " (text(label)) }
            }
        }
        @if offer.may_set_mailbox {
            label {
                (text(messages::choose_service_mailbox()))
                input type="email" name="service_mailbox" placeholder="bookings@example.com" value=[mailbox]
                    aria-describedby="mailbox-for";
            }
            p.dim id="mailbox-for" { (text(messages::choose_service_mailbox_for())) }
        }
    }
}
