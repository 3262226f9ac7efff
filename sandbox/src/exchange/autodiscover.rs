//! POX Autodiscover: reports the server that hosts the mailboxes of a domain.

use std::sync::Arc;

use super::{
    account,
    failure::RequestError,
    xml::{Element, text_element},
};
use crate::{
    app::App,
    wire::{JournalDetails, Request, WireResponse},
};

const REQUEST: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006";
const RESPONSE: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";

/// Handles `POST /autodiscover/autodiscover.xml`.
pub fn handle_autodiscover(
    app: &Arc<App>,
    request: &Request,
    note: &mut JournalDetails,
) -> Result<WireResponse, RequestError> {
    let (tenant, account) = account::log_in(app, request)?;
    note.app = Some(account.user);
    let asked = Element::parse(&request.body);
    let asked = asked.as_ref().and_then(|root| root.child(REQUEST, "Request"));
    let address = asked.and_then(|asked| asked.child(REQUEST, "EMailAddress")).map(|one| one.text.trim());
    let domain = address.and_then(|address| address.rsplit_once('@')).map(|(_, domain)| domain);
    let store = app.store();
    let organisation = store.state().organisations.get(&tenant);
    let known = organisation.filter(|found| domain.is_some_and(|at| at.eq_ignore_ascii_case(&found.domain)));
    let inside = match known {
        Some(found) => {
            let service = text_element("EwsUrl", &format!("{}/EWS/Exchange.asmx", request.origin));
            let protocol = |kind: &str| format!("<Protocol><Type>{kind}</Type>{service}</Protocol>");
            format!(
                "<User>{}</User><Account><AccountType>email</AccountType><Action>settings</Action>{}{}</Account>",
                text_element("DisplayName", &found.name),
                protocol("EXCH"),
                protocol("EXPR"),
            )
        }
        None => r#"<Error Time="00:00:00.0000000" Id="1"><ErrorCode>500</ErrorCode><Message>The email address can't be found.</Message><DebugData/></Error>"#.to_owned(),
    };
    Ok(WireResponse::xml(
        200,
        format!(
            r#"<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"><Response xmlns="{RESPONSE}">{inside}</Response></Autodiscover>"#
        ),
    ))
}
