//! The page that shows what becomes of a connect attempt: the second step, the result, and the ways on.

use actix_web::HttpResponse;
use domain::state::IntegrationState;
use maud::{Markup, html};
use services::connect::{Phase, Progress};

use super::{CHOOSE_AGAIN, layout, session_field};
use crate::wording;

pub(super) fn progress_page(progress: &Progress) -> HttpResponse {
    let title = match progress.phase {
        Phase::Unfinished => "The connection is not finished",
        Phase::Working if progress.state == IntegrationState::Verifying => "The connection is being verified",
        Phase::Working => "Trying the access",
        Phase::Authorisation => "One last step",
        Phase::Propagation => "Your calendar system is applying the permission",
        Phase::Ended if progress.state.is_usable() => "Your calendars are connected",
        Phase::Ended => "The calendars are not connected",
    };
    let body = html! {
        @match progress.phase {
            Phase::Authorisation => (authorisation(progress)),
            _ => (outcome(progress)),
        }
        p.dim data-muster-state=(progress.state.as_str()) { "State: " (progress.state.as_str()) }
    };
    layout::render_page(title, progress.phase == Phase::Working, body)
}

/// The second, explicit step.
fn authorisation(progress: &Progress) -> Markup {
    html! {
        p { (progress.integration.external_name.as_deref().unwrap_or("The calendar system")) " granted access. No mailbox has been touched yet." }
        p { "Authorise Muster to use this access for " strong { (progress.tenant) } ": to read when people and rooms are busy, and to write appointments." }
        form method="post" action="/connect/authorise" data-muster-next { (session_field(progress.session)) button { "Authorise" } }
        form method="post" action="/connect/decline" data-refuse { (session_field(progress.session)) button.quiet { "Do not authorise" } }
    }
}

/// What is known so far, and the ways on: corrections, and back to the vendor's product.
fn outcome(progress: &Progress) -> Markup {
    let reason = progress.reason.as_ref().map(|reason| wording::render_reason(reason, None));
    html! {
        @if let Some(reason) = reason {
            div.box {
                p { (reason.message) }
                @if let Some(next) = &reason.next_action { p.dim { (next) } }
                p.dim data-muster-code=(reason.code) { "Code: " (reason.code) }
            }
        } @else if progress.state.is_usable() {
            p { "Users and rooms are being activated. You are done and can close this page." }
        }
        @if progress.phase == Phase::Propagation {
            p { "You can close this page: Muster goes on by itself as soon as the permission is in effect." }
        }
        @if progress.is_correctable {
            @if progress.takes_credentials {
                p { a href="/connect/credentials" { "Correct what you entered" } }
            }
            p { a href=(CHOOSE_AGAIN) data-muster-correct { "Change your choices and try again" } }
        }
        @if let Some(landing) = &progress.landing {
            p { a href=(landing.as_str()) data-muster-landing { "Back to the calendar settings" } }
        }
    }
}
