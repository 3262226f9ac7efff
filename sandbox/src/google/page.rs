//! Pages for people. Each has one form marked `data-muster-next`: submitting it unchanged continues successfully;
//! forms marked `data-refuse` decline. Error pages have neither.

use std::fmt::Write as _;

use crate::{
    model::{Mailbox, Organisation},
    wire::WireResponse,
};

const STYLE: &str = "body{margin:0;font:16px/1.5 system-ui,sans-serif;background:#f0f4f9;color:#1f1f1f}\
.ribbon{background:#7a4a00;color:#fff;text-align:center;padding:.4rem;font-size:.85rem}\
main{max-width:30rem;margin:3rem auto;background:#fff;padding:2.2rem 2.5rem;border-radius:1.4rem}\
h1{font-size:1.5rem;font-weight:500;margin:0 0 1rem}label{display:block;padding:.5rem .2rem;\
border-bottom:1px solid #dde3ea}small{color:#5c6670}button{font:inherit;padding:.5rem 1.4rem;border:0;\
border-radius:1.2rem;background:#0b57d0;color:#fff;cursor:pointer}form{margin:1rem 0 0}\
form[data-refuse] button{background:#fff;color:#0b57d0}.many{max-height:22rem;overflow:auto}\
input[type=text]{font:inherit;width:100%;box-sizing:border-box}";

/// Maximum number of accounts listed on the page; the user can type the address of any other account.
const LISTED: usize = 60;

fn page(status: u16, title: &str, content: &str) -> WireResponse {
    WireResponse::html(
        status,
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width\"><title>{title} - Sandbox</title><style>{STYLE}</style></head>\n\
             <body><div class=\"ribbon\">Sandbox: an emulation of Google sign-in. No real account is used.</div>\n\
             <main><h1>{title}</h1>\n{content}</main></body></html>\n"
        ),
    )
}

/// An error page, which ends the sign-in or consent flow.
pub fn error_page(status: u16, code: &str, text: &str) -> WireResponse {
    let content = format!("<p>{}</p><p><small>Error {status}: {}</small></p>\n", escape(text), escape(code));
    page(status, "Access blocked", &content)
}

/// The page on which the user selects an account; the first account is preselected.
pub fn account_page(
    path: &str,
    flow: &str,
    application: &str,
    accounts: &[(&Organisation, &Mailbox)],
) -> WireResponse {
    let mut list = String::new();
    for (index, (_, account)) in accounts.iter().take(LISTED).enumerate() {
        let _ = writeln!(
            list,
            "<label><input type=\"radio\" name=\"account\" value=\"{}\"{}> {} <small>{}</small></label>",
            escape(&account.address),
            if index == 0 { " checked" } else { "" },
            escape(&account.name),
            escape(&account.address),
        );
    }
    let content = format!(
        "<p>to continue to <b>{}</b></p>\n<form method=\"post\" action=\"{}\" data-muster-next>\n{}{}\
         <div class=\"many\">{list}</div>\n\
         <label>Use another account <input type=\"text\" name=\"address\" value=\"\"></label>\n\
         <p><button type=\"submit\">Next</button></p></form>\n{}",
        escape(application),
        escape(path),
        hidden("flow", flow),
        hidden("step", "account"),
        refuse(path, flow),
    );
    page(200, "Choose an account", &content)
}

/// The page that lists the requested scopes, each of which the user can deselect.
pub fn consent_page(
    path: &str,
    flow: &str,
    application: &str,
    account: &Mailbox,
    asked: &[&str],
) -> WireResponse {
    let mut list = String::new();
    for scope in asked {
        let _ = writeln!(
            list,
            "<label><input type=\"checkbox\" name=\"scope\" value=\"{0}\" checked> {0}</label>",
            escape(scope)
        );
    }
    let content = format!(
        "<p><small>{}</small></p>\n<p>Select what <b>{}</b> can access</p>\n\
         <form method=\"post\" action=\"{}\" data-muster-next>\n{}{}{}{list}\
         <p><button type=\"submit\">Continue</button></p></form>\n{}",
        escape(&account.address),
        escape(application),
        escape(path),
        hidden("flow", flow),
        hidden("step", "consent"),
        hidden("account", &account.address),
        refuse(path, flow),
    );
    page(200, "Access to your account", &content)
}

fn refuse(path: &str, flow: &str) -> String {
    format!(
        "<form method=\"post\" action=\"{}\" data-refuse>\n{}{}<button type=\"submit\">Cancel</button></form>\n",
        escape(path),
        hidden("flow", flow),
        hidden("decision", "refuse"),
    )
}

fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n", escape(value))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
