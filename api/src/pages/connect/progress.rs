//! The page that shows what becomes of a connect attempt: the second step, the result, and the ways on.

use actix_web::HttpResponse;
use domain::state::{IntegrationState, Verdict};
use maud::{Markup, html};
use services::{
    connect::{Phase, Progress},
    verification::Check,
};

use super::{
    CHOOSE_AGAIN,
    layout::{self, text},
    session_field,
};
use crate::{messages, wording};

pub(super) fn progress_page(progress: &Progress) -> HttpResponse {
    let title = match progress.phase {
        Phase::Unfinished => text(messages::progress_unfinished()),
        Phase::Working => working_title(progress),
        Phase::Authorisation => text(messages::progress_last_step()),
        Phase::Propagation => text(messages::progress_propagating()),
        Phase::Ended if progress.state.is_usable() => text(messages::progress_connected()),
        Phase::Ended => text(messages::progress_not_connected()),
    };
    let body = html! {
        @match progress.phase {
            Phase::Authorisation => (authorisation(progress)),
            Phase::Working => (working(progress)),
            _ => (outcome(progress)),
        }
        p.dim data-muster-state=(progress.state.as_str()) { (text(messages::page_state(progress.state.as_str()))) }
    };
    match progress.phase {
        Phase::Working => layout::render_waiting_page(&title, "/connect/progress.js", body),
        _ => layout::render_page(&title, body),
    }
}

fn working_title(progress: &Progress) -> String {
    match progress.state {
        IntegrationState::Verifying => text(messages::progress_verifying()),
        _ => text(messages::progress_trying()),
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
        Verdict::Passed => messages::check_passed(),
        Verdict::Failed => messages::check_failed(),
        Verdict::Warned => messages::check_warned(),
        Verdict::Skipped => messages::check_skipped(),
    };
    let mailbox = check.mailbox.as_deref().map(|mailbox| format!(" {mailbox}:")).unwrap_or_default();
    let evidence = wording::render_message(&check.evidence);
    let next = check.next_action.as_ref().map(|next| format!(" {}", wording::render_message(next)));
    format!("{}:{mailbox} {evidence}{}", text(verdict), next.unwrap_or_default())
}

/// What happens at present; the script of the page keeps it up to date.
fn working(progress: &Progress) -> Markup {
    html! {
        p role="status" { (status_text(progress)) }
        @if let Some(reason) = &progress.reason { span hidden data-muster-code=(reason.code) {} }
        ul.checks data-muster-checks {}
        p { a href="/connect/progress" { (text(messages::progress_refresh())) } }
    }
}

/// The second, explicit step.
fn authorisation(progress: &Progress) -> Markup {
    let system = progress.integration.external_name.clone();
    let system = system.unwrap_or_else(|| text(messages::progress_the_system()));
    let session = || session_field(progress.session);
    html! {
        p { (text(messages::progress_granted(system))) }
        p { (text(messages::progress_authorise_what(progress.tenant.as_str()))) }
        form method="post" action="/connect/authorise" data-muster-next { (session()) button { (text(messages::progress_authorise())) } }
        form method="post" action="/connect/decline" data-refuse { (session()) button.quiet { (text(messages::progress_do_not_authorise())) } }
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
                p.dim data-muster-code=(reason.code) { (text(messages::page_code(reason.code.as_str()))) }
            }
        }
        @if progress.state.is_usable() { (connected(progress)) }
        @if !progress.checks.is_empty() {
            h2 { (text(messages::progress_checked())) }
            ul.checks { @for check in &progress.checks { li { (check_line(check)) } } }
        }
        @if progress.phase == Phase::Propagation {
            p { (text(messages::progress_may_close())) }
        }
        @if progress.is_correctable {
            @if progress.takes_credentials {
                p { a href="/connect/credentials" { (text(messages::progress_correct())) } }
            }
            p { a href=(CHOOSE_AGAIN) data-muster-correct { (text(messages::progress_change())) } }
        }
        @if let Some(landing) = &progress.landing {
            p { a href=(landing.as_str()) data-muster-landing { (text(messages::progress_back())) } }
        }
    }
}

/// What is connected now, and what comes next.
fn connected(progress: &Progress) -> Markup {
    let (active, known) = progress.mailboxes;
    html! {
        @match &progress.integration.service_mailbox {
            Some(mailbox) => p { (text(messages::progress_service_mailbox(mailbox.as_str()))) },
            None => p { (text(messages::progress_no_service_mailbox())) },
        }
        p { (text(messages::progress_active(active, known))) }
        p { (text(messages::progress_activating())) }
    }
}
