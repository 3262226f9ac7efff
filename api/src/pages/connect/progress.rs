//! The page that shows what becomes of a connect attempt: the second step, the result, and the ways on.

use actix_web::HttpResponse;
use domain::state::{IntegrationState, Verdict};
use maud::{Markup, html};
use services::{
    connect::{Phase, Progress},
    verification::Check,
};

use super::{CHOOSE_AGAIN, layout, session_field};
use crate::wording;

pub(super) fn progress_page(progress: &Progress) -> HttpResponse {
    let title = match progress.phase {
        Phase::Unfinished => "The connection is not finished",
        Phase::Working => working_title(progress),
        Phase::Authorisation => "One last step",
        Phase::Propagation => "Your calendar system is applying the permission",
        Phase::Ended if progress.state.is_usable() => "Your calendars are connected",
        Phase::Ended => "The calendars are not connected",
    };
    let body = html! {
        @match progress.phase {
            Phase::Authorisation => (authorisation(progress)),
            Phase::Working => (working(progress)),
            _ => (outcome(progress)),
        }
        p.dim data-muster-state=(progress.state.as_str()) { "State: " (progress.state.as_str()) }
    };
    match progress.phase {
        Phase::Working => layout::render_waiting_page(title, "/connect/progress.js", body),
        _ => layout::render_page(title, body),
    }
}

fn working_title(progress: &Progress) -> &'static str {
    match progress.state {
        IntegrationState::Verifying => "The connection is being verified",
        _ => "Trying the access",
    }
}

/// What the run is doing, and why its last attempt failed, in one line.
pub(super) fn status_text(progress: &Progress) -> String {
    let reason = progress.reason.as_ref().map(|reason| wording::render_reason(reason, None).message);
    let doing = working_title(progress);
    reason.map_or_else(|| format!("{doing}."), |reason| format!("{doing}. {reason}"))
}

/// One check of a verification in one line.
pub(super) fn check_line(check: &Check) -> String {
    let verdict = match check.verdict {
        Verdict::Passed => "Passed",
        Verdict::Failed => "Failed",
        Verdict::Warned => "Warning",
        Verdict::Skipped => "Skipped",
    };
    let mailbox = check.mailbox.as_deref().map(|mailbox| format!(" {mailbox}:")).unwrap_or_default();
    let evidence = wording::render_message(&check.evidence);
    let next = check.next_action.as_ref().map(|next| format!(" {}", wording::render_message(next)));
    format!("{verdict}:{mailbox} {evidence}{}", next.unwrap_or_default())
}

/// What happens at present; the script of the page keeps it up to date.
fn working(progress: &Progress) -> Markup {
    html! {
        p role="status" { (status_text(progress)) }
        @if let Some(reason) = &progress.reason { span hidden data-muster-code=(reason.code) {} }
        ul.checks data-muster-checks {}
        p { a href="/connect/progress" { "Refresh" } }
    }
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
        }
        @if progress.state.is_usable() { (connected(progress)) }
        @if !progress.checks.is_empty() {
            h2 { "What was checked" }
            ul.checks { @for check in &progress.checks { li { (check_line(check)) } } }
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

/// What is connected now, and what comes next.
fn connected(progress: &Progress) -> Markup {
    let (active, known) = progress.mailboxes;
    html! {
        @match &progress.integration.service_mailbox {
            Some(mailbox) => p { "The service mailbox is " strong { (mailbox) } "." },
            None => p { "There is no service mailbox yet. You can add one in the calendar settings." },
        }
        p { "Calendars active so far: " (active) " of " (known) "." }
        p { "Users and rooms are being activated. You are done and can close this page." }
    }
}
