//! Layout and security headers of all pages.

use ::messages::Language;
use actix_web::{HttpResponse, http::StatusCode, http::header};
use domain::Message;
use maud::{DOCTYPE, Markup, html};
use services::Error;

use super::own_calendar::CHOICES;
use crate::{messages, wording};

/// Page URLs contain tokens, so other origins receive no referrer. `no-referrer` would go too far: browsers then send
/// `Origin: null` with our own forms.
const REFERRER: &str = "same-origin";

/// Forms may redirect to a provider's page, so `form-action` cannot be restricted to our own origin.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1c2330;--dim:#5b6577;--line:#d6dbe4;--paper:#fff;--ground:#f2f4f8;--deed:#1a56c4}
@media(prefers-color-scheme:dark){:root{--ink:#e8ecf4;--dim:#a3adbf;--line:#39424f;--paper:#1b2028;--ground:#12161c;--deed:#7fa8f5}}
*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
main{max-width:40rem;margin:6vh auto;background:var(--paper);border:1px solid var(--line);border-radius:12px;padding:2rem 2.25rem}
h1{font-size:1.45rem;line-height:1.25;margin:0 0 1rem}h2{font-size:1.05rem;margin:1.5rem 0 .5rem}
pre{white-space:pre-wrap}pre,code{overflow-wrap:anywhere;font-size:.9rem}ol,ul{padding-left:1.25rem}li{margin:.35rem 0}.dim{color:var(--dim);font-size:.92rem}
button{font:inherit;font-weight:600;border:0;border-radius:8px;padding:.65rem 1.2rem;background:var(--deed);color:var(--paper);cursor:pointer;margin:.25rem .5rem .25rem 0}
button.quiet{background:none;color:var(--dim);border:1px solid var(--line)}
label{display:block;margin:.6rem 0}input[type=text],input[type=url],input[type=email],input[type=password]{font:inherit;width:100%;padding:.5rem .65rem;border:1px solid var(--line);border-radius:8px;background:var(--ground);color:var(--ink)}
.checks{list-style:none;padding:0}.box{border:1px solid var(--line);border-radius:8px;padding:.9rem 1.1rem;margin:1rem 0}a{color:var(--deed)}
footer{max-width:40rem;margin:0 auto 4vh;padding:0 2.25rem;color:var(--dim);font-size:.85rem}";

/// The text of a message in the reader's language.
pub(super) fn text(message: Message) -> String {
    wording::render_message(&message)
}

/// Renders a complete page.
pub(super) fn render_page(title: &str, body: Markup) -> HttpResponse {
    respond(StatusCode::OK, title, None, body)
}

/// Renders a page that exists in English only, whatever the reader's language is.
pub(super) fn render_english_page(title: &str, body: Markup) -> HttpResponse {
    wording::speaking(Language::English, || respond_in(None, StatusCode::OK, title, None, body))
}

/// Renders a page that shows pending work; the script at this path keeps it up to date.
pub(super) fn render_waiting_page(title: &str, script: &str, body: Markup) -> HttpResponse {
    respond(StatusCode::OK, title, Some(script), body)
}

/// Renders the page of a form. After a refusal, the page says why and is shown with the status of the refusal; nothing
/// has been changed, and the form can be submitted again.
pub(super) fn render_form(title: &str, refusal: Option<&Error>, form: Markup) -> HttpResponse {
    let status = refusal.map_or(StatusCode::OK, status);
    let body = html! {
        @if let Some(error) = refusal { div.box role="alert" { (sentence(error)) } }
        (form)
    };
    respond(status, title, None, body)
}

fn respond(status: StatusCode, title: &str, script: Option<&str>, body: Markup) -> HttpResponse {
    respond_in(Some(other(wording::language())), status, title, script, body)
}

/// Renders a page that offers to change to another language, if it exists in one.
fn respond_in(
    other: Option<Language>,
    status: StatusCode,
    title: &str,
    script: Option<&str>,
    body: Markup,
) -> HttpResponse {
    let language = wording::language();
    let policy = match script {
        Some(_) => format!("{POLICY}; script-src 'self'; connect-src 'self'"),
        None => POLICY.to_owned(),
    };
    let text = html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content=(REFERRER);
                @if let Some(script) = script { script type="module" src=(script) {} }
                title { (title) " - Muster" }
                style { (maud::PreEscaped(STYLE)) }
            }
            body {
                main data-muster-wait[script.is_some()] { h1 { (title) } (body) }
                footer {
                    p { (text(messages::page_footer())) }
                    @if let Some(other) = other {
                        p lang=(other.tag()) { a href=(format!("?lang={}", other.tag())) { (other.name()) } }
                    }
                }
            }
        }
    };
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_LANGUAGE, language.tag()))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, REFERRER))
        .body(text.into_string())
}

/// Renders a page that explains why a request was refused. Nothing has been changed.
pub(super) fn error_page(error: &Error) -> HttpResponse {
    respond(status(error), &text(messages::page_failed()), None, sentence(error))
}

/// As [`error_page`], for a step of the connect pages, with a way back to them.
pub(super) fn connect_error(error: &Error) -> HttpResponse {
    let body = html! {
        (sentence(error))
        @if status(error) != StatusCode::GONE { p { a href="/connect/progress" { (text(messages::page_back_to_the_connection())) } } }
    };
    respond(status(error), &text(messages::page_failed()), None, body)
}

/// As [`error_page`], for a user who connects their own calendar: another account or calendar system may be chosen.
pub(super) fn own_calendar_error(error: &Error) -> HttpResponse {
    let body = html! {
        (sentence(error))
        @if status(error) != StatusCode::GONE { p { a href=(CHOICES) { (text(messages::own_choose_again())) } } }
    };
    respond(status(error), &text(messages::page_failed()), None, body)
}

fn status(error: &Error) -> StatusCode {
    match error {
        Error::Refused(refusal) if matches!(refusal.code, "LINK_UNKNOWN" | "NOT_FOUND") => {
            StatusCode::NOT_FOUND
        }
        Error::Refused(refusal)
            if matches!(refusal.code, "LINK_EXPIRED" | "LINK_WITHDRAWN" | "SESSION_OVER") =>
        {
            StatusCode::GONE
        }
        Error::Refused(_) => StatusCode::BAD_REQUEST,
        Error::Denied(_) => StatusCode::FORBIDDEN,
        Error::Provider(_) => StatusCode::BAD_GATEWAY,
        Error::Overloaded
        | Error::Database(_)
        | Error::Queue(_)
        | Error::MasterKeyUnknown { .. }
        | Error::Unreadable { .. }
        | Error::UnknownWord(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// What an error says to the reader of a page.
fn sentence(error: &Error) -> Markup {
    let said = match error {
        Error::Database(_) | Error::Queue(_) | Error::MasterKeyUnknown { .. } | Error::Unreadable { .. } => {
            tracing::error!(%error, "a page failed");
            text(messages::page_unavailable())
        }
        error => wording::render_message(&error.message()),
    };
    html! { p { (said) } p.dim data-muster-code=(error.code()) { (text(messages::page_code(error.code()))) } }
}

/// The language to which a page offers to change.
fn other(language: Language) -> Language {
    match language {
        Language::English => Language::German,
        Language::German => Language::English,
    }
}
