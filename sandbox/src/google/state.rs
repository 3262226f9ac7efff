//! The state of the Google emulator besides organisations and events: service accounts, their permissions, channels,
//! and the order in which calendars changed.

use std::collections::{BTreeMap, BTreeSet};

use domain::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::iam::ManagedKey;
use crate::store::CalendarKey;

/// The complete state of the Google emulator.
#[derive(Debug, Default)]
pub struct State {
    /// Service accounts by their email addresses.
    pub accounts: BTreeMap<String, ServiceAccount>,
    /// Domain-wide delegations by organisation and numeric client id.
    pub delegations: BTreeMap<(Uuid, String), Delegation>,
    /// Open channels by their ids.
    pub channels: BTreeMap<String, Channel>,
    /// Domains besides an organisation's own, by organisation and name, with whether they are verified.
    pub domains: BTreeMap<(Uuid, String), bool>,
    /// Domains of accounts, if not their organisation's own; by directory id.
    pub hosted: BTreeMap<String, String>,
    /// Directory ids of accounts whose email addresses another person uses to sign in.
    pub namesakes: BTreeSet<String>,
    /// Organisations that another one resells, whose administrators see their directories.
    pub resold: BTreeSet<(Uuid, Uuid)>,
}

/// One mutation of the state.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A new or changed service account.
    Account(ServiceAccount),
    /// A client's permissions in an organisation.
    Delegation(Uuid, String, Delegation),
    /// A client has lost its permissions in an organisation.
    DelegationGone(Uuid, String),
    /// A new channel.
    Channel(Channel),
    /// A channel was stopped.
    ChannelGone(String),
    /// A secondary domain of an organisation, and whether it is verified.
    Domain(Uuid, String, bool),
    /// An account in a domain that is not its organisation's own.
    Hosted(String, String),
    /// The first organisation resells the second.
    Resold(Uuid, Uuid),
    /// Another person has a Google account with the email address of this account.
    Namesake(String),
}

/// A service account of a vendor's or a customer's project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAccount {
    /// The account's email address.
    pub email: String,
    /// The numeric client id.
    pub client_id: String,
    /// The id of the Google Cloud project that owns the account.
    pub project: String,
    /// The public halves of its valid keys (PKCS #1, DER, base64) by key id.
    pub keys: BTreeMap<String, String>,
    /// Whether the account was disabled.
    #[serde(default)]
    pub disabled: bool,
    /// The key that Google keeps for the account; `None` if the account's owner keeps the keys.
    #[serde(default)]
    pub managed: Option<ManagedKey>,
}

/// The scopes that an administrator authorised for a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// The permissions granted, as scope URLs.
    pub scopes: BTreeSet<String>,
    /// When the permissions take effect.
    pub effective_at: Timestamp,
}

/// A subscription to notifications.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// The client's id of the channel.
    pub id: String,
    /// Google's id of the watched resource.
    pub resource_id: String,
    /// The URL of the watched resource.
    pub resource_uri: String,
    /// The watched calendar.
    pub owner: CalendarKey,
    /// The client id and subject that opened the channel.
    pub opener: (String, String),
    /// The URL for notifications.
    pub address: String,
    /// The client's secret, sent with each notification.
    pub token: Option<String>,
    /// When the channel ends.
    pub expires_at: Timestamp,
}

impl State {
    /// Applies a mutation. Returns the channel whose first notification is due.
    pub fn apply(&mut self, change: Change) -> Option<Channel> {
        match change {
            Change::Account(account) => drop(self.accounts.insert(account.email.clone(), account)),
            Change::Delegation(organisation, client, delegation) => {
                self.delegations.insert((organisation, client), delegation);
            }
            Change::DelegationGone(organisation, client) => {
                self.delegations.remove(&(organisation, client));
            }
            Change::Channel(channel) => {
                self.channels.insert(channel.id.clone(), channel.clone());
                return Some(channel);
            }
            Change::ChannelGone(id) => drop(self.channels.remove(&id)),
            Change::Domain(organisation, name, verified) => {
                self.domains.insert((organisation, name), verified);
            }
            Change::Hosted(account, domain) => drop(self.hosted.insert(account, domain)),
            Change::Namesake(account) => drop(self.namesakes.insert(account)),
            Change::Resold(reseller, customer) => {
                self.resold.insert((reseller, customer));
            }
        }
        None
    }
}
