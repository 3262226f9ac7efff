//! Authenticates EWS requests and determines the mailbox that each request accesses.

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use uuid::Uuid;

use super::{
    failure::{Failure, RequestError},
    xml::{Element, TYPES},
};
use crate::{
    app::App,
    microsoft::graph::zones::Zone,
    model::{ExchangeServiceAccount, Hosting, Mailbox, Organisation},
    store::{CalendarKey, State},
    wire::{JournalDetails, Request},
};

/// An authenticated EWS request.
#[derive(Debug)]
pub struct CallContext<'a> {
    /// The sandbox.
    pub app: &'a Arc<App>,
    /// The details for the journal.
    pub note: &'a mut JournalDetails,
    /// The id of the organisation.
    pub tenant: Uuid,
    /// The mailbox that the request accesses; `None` for an account without a mailbox.
    pub mailbox: Option<Mailbox>,
    /// The zone of times without an offset.
    pub zone: Zone,
}

/// Checks user name and password.
pub fn log_in(app: &App, request: &Request) -> Result<(Uuid, ExchangeServiceAccount), RequestError> {
    let header = request.header("authorization").unwrap_or_default();
    let basic = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    let plain = basic.and_then(|(_, token)| BASE64_STANDARD.decode(token.trim()).ok());
    let plain = plain.and_then(|plain| String::from_utf8(plain).ok()).unwrap_or_default();
    let (user, password) = plain.split_once(':').ok_or(RequestError::NotLoggedIn)?;
    let store = app.store();
    let found =
        store.state().exchange_accounts.iter().find(|(_, known)| known.user.eq_ignore_ascii_case(user));
    let (tenant, account) = found.ok_or(RequestError::NotLoggedIn)?;
    if account.password != password {
        return Err(RequestError::NotLoggedIn);
    }
    Ok((*tenant, account.clone()))
}

impl<'a> CallContext<'a> {
    /// Determines from the request's header which user the account impersonates.
    pub fn from_request(
        app: &'a Arc<App>,
        note: &'a mut JournalDetails,
        tenant: Uuid,
        account: ExchangeServiceAccount,
        header: &Element,
    ) -> Result<Self, Failure> {
        let zone = zone(header)?;
        let wanted = header.child(TYPES, "ExchangeImpersonation");
        let store = app.store();
        let state = store.state();
        let organisation = state.organisations.get(&tenant);
        let find = |key: &str| organisation.and_then(|all| all.find(key)).cloned();
        let mailbox = match wanted {
            None => find(&account.user).filter(|own| own.hosting != Hosting::None),
            Some(wanted) => {
                let sid = wanted.child(TYPES, "ConnectingSID").and_then(|sid| sid.children.first());
                let address = sid.map(|sid| sid.text.trim()).unwrap_or_default();
                note.mailbox = Some(address.to_owned());
                Some(impersonated(&account, find(address))?)
            }
        };
        if let Some(mailbox) = &mailbox {
            note.mailbox = Some(mailbox.address.clone());
        }
        drop(store);
        Ok(Self { app, note, tenant, mailbox, zone })
    }

    /// Looks up the account's organisation; fails if it was deleted after the authentication.
    pub fn organisation<'s>(&self, state: &'s State) -> Result<&'s Organisation, Failure> {
        let found = state.organisations.get(&self.tenant);
        found.ok_or_else(|| Failure::new("ErrorADOperation", "The directory cannot be asked."))
    }

    /// The calendar of the accessed mailbox.
    pub fn own_calendar(&self) -> Result<CalendarKey, Failure> {
        match &self.mailbox {
            Some(mailbox) => Ok((self.tenant, mailbox.id.clone())),
            None => Err(Failure::new(
                "ErrorMissingEmailAddress",
                "The e-mail address associated with the account is missing.",
            )),
        }
    }

    /// The calendar of the accessed mailbox, if `folder` names it by its distinguished name or its id.
    pub fn calendar_of_folder(&self, folder: &Element) -> Result<CalendarKey, Failure> {
        let owner = self.own_calendar()?;
        let id = folder.attribute("Id").unwrap_or_default();
        let not_found =
            || Failure::new("ErrorFolderNotFound", "The specified folder could not be found in the store.");
        match folder.name.as_str() {
            "DistinguishedFolderId" if id == "calendar" => {
                let other =
                    folder.child(TYPES, "Mailbox").and_then(|mailbox| mailbox.child_text("EmailAddress"));
                let own = self.mailbox.as_ref().is_some_and(|mailbox| {
                    other.is_none_or(|other| mailbox.address.eq_ignore_ascii_case(other))
                });
                // Nobody has shared a calendar with the account.
                if own { Ok(owner) } else { Err(Failure::access_denied()) }
            }
            "FolderId" if id == super::folders::folder_id(&owner, "calendar") => Ok(owner),
            _ => Err(not_found()),
        }
    }
}

fn zone(header: &Element) -> Result<Zone, Failure> {
    let context =
        header.child(TYPES, "TimeZoneContext").and_then(|one| one.child(TYPES, "TimeZoneDefinition"));
    let Some(name) = context.and_then(|zone| zone.attribute("Id")) else { return Ok(Zone::utc()) };
    super::zones::find_zone(name)
}

fn impersonated(account: &ExchangeServiceAccount, mailbox: Option<Mailbox>) -> Result<Mailbox, Failure> {
    if !account.impersonates {
        let message = "The account does not have the right to impersonate.";
        return Err(Failure::new("ErrorImpersonationDenied", message));
    }
    let missing =
        || Failure::new("ErrorNonExistentMailbox", "The SMTP address has no mailbox associated with it.");
    let mailbox = mailbox.filter(|found| found.hosting != Hosting::None).ok_or_else(missing)?;
    if mailbox.hosting == Hosting::Disabled {
        return Err(Failure::new("ErrorAccountDisabled", "Account is disabled."));
    }
    if !mailbox.in_scope {
        let message = "The account does not have permission to impersonate the requested user.";
        return Err(Failure::new("ErrorImpersonateUserDenied", message));
    }
    Ok(mailbox)
}
