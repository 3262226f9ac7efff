//! Access tokens, and the callers that they identify.

use std::{collections::BTreeSet, sync::Arc};

use chrono::Duration;
use serde_json::json;
use uuid::Uuid;

use super::failure::Failure;
use crate::{
    Error,
    app::App,
    model::{Hosting, Mailbox, MailboxPurpose, Organisation},
    store::{CalendarKey, State},
    wire::{JournalDetails, Request},
};

/// The prefix of access tokens.
const MARK: &str = "ya29.";
/// The lifetime of an access token, in seconds.
pub const TOKEN_LIFETIME_S: i64 = 3_599;
/// Maximum number of concurrent requests of one client to one mailbox.
const CONCURRENT: u32 = 16;

/// The account that an access token authenticates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The organisation of the account.
    pub organisation: Uuid,
    /// The account's directory id.
    pub account: String,
    /// The client: a service account's numeric id, or an application's.
    pub client_id: String,
    /// Whether a service account impersonates the account.
    pub delegated: bool,
    /// The permissions of the token.
    pub scopes: BTreeSet<String>,
    /// The number of consents withdrawn before the token was issued, for an application's token.
    pub epoch: u64,
}

/// A caller's role in a calendar, which determines the caller's permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CalendarRole {
    /// The caller sees when the owner is busy.
    FreeBusyReader,
    /// The caller sees the events.
    Reader,
    /// The caller reads and changes everything.
    Owner,
}

impl CalendarRole {
    /// The role's name in lists.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FreeBusyReader => "freeBusyReader",
            Self::Reader => "reader",
            Self::Owner => "owner",
        }
    }
}

impl Caller {
    /// Issues a signed access token that is valid until it expires or `token_epoch` changes.
    pub fn issue_token(&self, app: &App, token_epoch: u64) -> Result<String, Error> {
        let claims = json!({
            "org": self.organisation, "sub": self.account, "azp": self.client_id, "dwd": self.delegated,
            "scope": self.scopes, "epoch": self.epoch, "all": token_epoch, "jti": app.new_guid(),
            "exp": (app.now() + Duration::seconds(TOKEN_LIFETIME_S)).timestamp(),
        });
        Ok(format!("{MARK}{}", app.signer.sign(&claims)?))
    }

    /// The caller of a request; fails if the token is no longer valid.
    pub fn authenticate(app: &App, request: &Request) -> Result<Self, Failure> {
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let store = app.store();
        token.and_then(|token| Self::read(app, store.state(), token)).ok_or_else(Failure::unauthenticated)
    }

    fn read(app: &App, state: &State, token: &str) -> Option<Self> {
        let claims = app.signer.verify(token.strip_prefix(MARK)?)?;
        let text = |name: &str| claims[name].as_str().map(str::to_owned);
        let caller = Self {
            organisation: Uuid::try_parse(claims["org"].as_str()?).ok()?,
            account: text("sub")?,
            client_id: text("azp")?,
            delegated: claims["dwd"].as_bool()?,
            scopes: serde_json::from_value(claims["scope"].clone()).ok()?,
            epoch: claims["epoch"].as_u64()?,
        };
        let organisation = state.organisations.get(&caller.organisation)?;
        let alive = claims["exp"].as_i64()? > app.now().timestamp() && claims["all"] == state.token_epoch;
        let granted = if caller.delegated {
            let key = (caller.organisation, caller.client_id.clone());
            state.google.delegations.get(&key).is_some_and(|held| caller.scopes.is_subset(&held.scopes))
        } else {
            let consent = organisation.consents.get(&caller.client_id);
            consent
                .is_some_and(|consent| consent.present && !consent.disabled && consent.epoch == caller.epoch)
        };
        (alive && granted).then_some(caller)
    }
}

/// A request with a valid token.
#[derive(Debug)]
pub struct CallContext<'a> {
    /// The sandbox.
    pub app: &'a Arc<App>,
    /// The request as received, with its path and body.
    pub request: &'a Request,
    /// The details for the journal.
    pub note: &'a mut JournalDetails,
    /// The account and client of the token.
    pub caller: Caller,
}

impl CallContext<'_> {
    /// Returns an error if the token has none of these scopes, which are specified without Google's prefix.
    pub fn require_scope(&self, any: &[&str]) -> Result<(), Failure> {
        let held =
            |name: &&str| self.caller.scopes.contains(&format!("https://www.googleapis.com/auth/{name}"));
        if any.iter().any(held) { Ok(()) } else { Err(Failure::missing_scope()) }
    }

    /// The caller's organisation.
    pub fn organisation<'s>(&self, state: &'s State) -> Result<&'s Organisation, Failure> {
        state.organisations.get(&self.caller.organisation).ok_or_else(Failure::unauthenticated)
    }

    /// The mailbox whose token the request carries; fails if it no longer exists.
    pub fn own_mailbox<'s>(&self, state: &'s State) -> Result<&'s Mailbox, Failure> {
        let account = self.organisation(state)?.mailboxes.get(&self.caller.account);
        account.ok_or_else(Failure::unauthenticated)
    }

    /// The calendar that `key` names, and the caller's role in it. Owners have full access to their own calendar,
    /// administrators to the calendars of rooms; other callers see the events of rooms and the busy times of people.
    pub fn calendar_access<'s>(
        &mut self,
        state: &'s State,
        key: &str,
    ) -> Result<(CalendarKey, &'s Mailbox, CalendarRole), Failure> {
        let account = self.own_mailbox(state)?;
        check(account)?;
        let mailbox = match key {
            "primary" => account,
            key => self.organisation(state)?.find(key).ok_or_else(Failure::not_found)?,
        };
        self.note.mailbox = Some(mailbox.address.clone());
        let role = match (mailbox.id == account.id, mailbox.purpose) {
            (true, _) => CalendarRole::Owner,
            (false, MailboxPurpose::Room) if account.admin => CalendarRole::Owner,
            (false, MailboxPurpose::Room) => CalendarRole::Reader,
            (false, _) => CalendarRole::FreeBusyReader,
        };
        check(mailbox)?;
        let owner = (self.caller.organisation, mailbox.id.clone());
        if self.note.permit.is_none() {
            let permit = self.app.gates.try_acquire(&self.caller.client_id, &owner, CONCURRENT);
            let limit = || Failure::rate_limited(403, "rateLimitExceeded", "Rate Limit Exceeded");
            self.note.permit = Some(permit.ok_or_else(limit)?);
        }
        Ok((owner, mailbox, role))
    }
}

/// Fails unless the mailbox has an accessible calendar.
fn check(mailbox: &Mailbox) -> Result<(), Failure> {
    match (mailbox.hosting, mailbox.in_scope) {
        (Hosting::Normal, true) => Ok(()),
        (Hosting::Normal, false) => Err(Failure::forbidden()),
        _ => Err(Failure::calendar_disabled()),
    }
}
