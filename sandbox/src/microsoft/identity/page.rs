//! The sign-in and consent pages of the Microsoft emulator.
//!
//! Each has one form marked `data-muster-next`: submitting it unchanged continues successfully; forms marked
//! `data-refuse` decline. Error pages, which end a flow, have neither.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use super::permissions;
use crate::{
    model::{Mailbox, Organisation},
    wire::WireResponse,
};

const STYLE: &str = "body{margin:0;font:16px/1.5 system-ui,sans-serif;background:#eef1f6;color:#1b1f27}\
.ribbon{background:#7a4a00;color:#fff;text-align:center;padding:.4rem;font-size:.85rem}\
main{max-width:27rem;margin:3rem auto;background:#fff;padding:2rem 2.2rem;border-radius:.6rem;\
box-shadow:0 2px 14px #1b1f2722}h1{font-size:1.35rem;margin:0 0 1rem}\
label{display:block;padding:.45rem .2rem;border-bottom:1px solid #e4e7ee}small{color:#596273}\
li{margin:.35rem 0}button{font:inherit;padding:.5rem 1.2rem;border:0;border-radius:.3rem;background:#0b5cad;\
color:#fff;cursor:pointer}form{margin:1rem 0 0}form[data-refuse] button{background:#dfe3ea;color:#1b1f27}\
.many{max-height:22rem;overflow:auto}input[type=text]{font:inherit;width:100%;box-sizing:border-box}";

/// Maximum number of accounts listed on the page; the user can type the address of any other account.
const LISTED: usize = 60;

fn page(status: u16, title: &str, content: &str) -> WireResponse {
    WireResponse::html(
        status,
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width\"><title>{title} - Sandbox</title><style>{STYLE}</style></head>\n\
             <body><div class=\"ribbon\">Sandbox: an emulation of Microsoft sign-in. No real account is used.</div>\n\
             <main><h1>{title}</h1>\n{content}</main></body></html>\n"
        ),
    )
}

/// An error page, which ends the sign-in or consent flow.
pub fn error_page(status: u16, title: &str, text: &str) -> WireResponse {
    page(status, &escape(title), &format!("<p>{}</p>\n", escape(text)))
}

/// The page on which the user selects an account; the first account is preselected.
pub fn account_page(
    path: &str,
    flow: &str,
    title: &str,
    accounts: &[(&Organisation, &Mailbox)],
) -> WireResponse {
    let mut list = String::new();
    for (index, (organisation, account)) in accounts.iter().take(LISTED).enumerate() {
        let _ = writeln!(
            list,
            "<label><input type=\"radio\" name=\"account\" value=\"{}/{}\"{}> {} <small>{}{}</small></label>",
            organisation.id,
            account.id,
            if index == 0 { " checked" } else { "" },
            escape(&account.name),
            escape(&account.upn),
            if account.admin { " · administrator" } else { "" },
        );
    }
    page(
        200,
        title,
        &format!(
            "<form method=\"post\" action=\"{}\" data-muster-next>\n{}{}<div class=\"many\">{list}</div>\n\
             <label>or another address <input type=\"text\" name=\"address\" value=\"\"></label>\n\
             <p><button type=\"submit\">Next</button></p></form>\n{}",
            escape(path),
            hidden("flow", flow),
            hidden("step", "account"),
            refuse(path, flow, "", "Cancel"),
        ),
    )
}

/// The page on which the user grants or denies the requested permissions.
pub fn consent_page(
    path: &str,
    flow: &str,
    account: &ConsentSubject<'_>,
    asked: &[String],
    everybody: bool,
) -> WireResponse {
    let mut list = String::new();
    for name in asked {
        let _ = writeln!(
            list,
            "<li>{} <small>{}</small></li>",
            permissions::describe_permission(name),
            escape(name)
        );
    }
    let whom = if everybody {
        format!(
            "This gives <b>{}</b> access for everybody in {}.",
            escape(account.application),
            escape(account.organisation)
        )
    } else {
        format!("<b>{}</b> asks for this access to your account.", escape(account.application))
    };
    page(
        200,
        "Permissions requested",
        &format!(
            "<p><small>{}</small></p>\n<p>{whom}</p>\n<ul>{list}</ul>\n\
             <form method=\"post\" action=\"{}\" data-muster-next>\n{}{}{}{}\
             <button type=\"submit\">Accept</button></form>\n{}",
            escape(account.upn),
            escape(path),
            hidden("flow", flow),
            hidden("step", "consent"),
            hidden("account", account.key),
            hidden("decision", "accept"),
            refuse(path, flow, account.key, "Cancel"),
        ),
    )
}

/// The page that reports that this account may not grant the permissions. Submitting its form leads to the selection
/// of another account.
pub fn administrator_page(path: &str, flow: &str, account: &ConsentSubject<'_>) -> WireResponse {
    page(
        403,
        "Need admin approval",
        &format!(
            "<p><small>{}</small></p>\n<p>AADSTS90094: <b>{}</b> needs permission to access resources in {} \
             that only an administrator can grant.</p>\n\
             <form method=\"post\" action=\"{}\" data-muster-next>\n{}{}\
             <button type=\"submit\">Use another account</button></form>\n{}",
            escape(account.upn),
            escape(account.application),
            escape(account.organisation),
            escape(path),
            hidden("flow", flow),
            hidden("step", "choose"),
            refuse(path, flow, account.key, "Return without granting"),
        ),
    )
}

/// Who consents, and to which application.
#[derive(Debug)]
pub struct ConsentSubject<'a> {
    /// The organisation and the account, as encoded in form fields.
    pub key: &'a str,
    /// The account's sign-in name.
    pub upn: &'a str,
    /// The application's name.
    pub application: &'a str,
    /// The organisation's name.
    pub organisation: &'a str,
}

fn refuse(path: &str, flow: &str, account: &str, label: &str) -> String {
    format!(
        "<form method=\"post\" action=\"{}\" data-refuse>\n{}{}{}{}<button type=\"submit\">{label}</button></form>\n",
        escape(path),
        hidden("flow", flow),
        hidden("step", "consent"),
        hidden("account", account),
        hidden("decision", "refuse"),
    )
}

fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n", escape(value))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Encodes the parameters of a flow, so that its pages can carry them.
pub fn encode_flow(flow: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(flow).unwrap_or_default())
}

/// Decodes the parameters of a flow; `None` if they are malformed.
pub fn decode_flow<T: DeserializeOwned>(flow: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(flow).ok()?).ok()
}

/// A redirect URL with further query parameters.
pub fn redirect_url(uri: &str, members: &[(&str, Option<&str>)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in members {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let separator = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{separator}{}", query.finish())
}
