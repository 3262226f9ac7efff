//! Organisations, who is in them, and what they granted.

use std::collections::{BTreeMap, BTreeSet};

use domain::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A registered application of a vendor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// The client id.
    pub client_id: String,
    /// The name that consent pages show.
    pub name: String,
    /// The client secret, where it has one.
    pub secret: Option<String>,
    /// From when on the secret is no longer taken; never when absent.
    #[serde(default)]
    pub secret_expires_at: Option<Timestamp>,
    /// Where browsers may be sent back to; compared as text.
    pub redirect_uris: Vec<String>,
    /// Certificates (DER, base64) whose keys may sign client assertions.
    pub certificates: Vec<String>,
    /// The application permissions it is configured with.
    pub permissions: BTreeSet<String>,
}

/// A customer's directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// The tenant id.
    pub id: Uuid,
    /// Counts up with every organisation that is made.
    pub serial: u64,
    /// The name, for people.
    pub name: String,
    /// The one verified domain.
    pub domain: String,
    /// The time zone of its mailboxes, as Windows names it.
    pub zone: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Everybody and every room, by directory id.
    pub mailboxes: BTreeMap<String, Mailbox>,
    /// What applications were granted, by client id.
    #[serde(default)]
    pub consents: BTreeMap<String, Consent>,
    /// How the organisation's services behave.
    #[serde(default)]
    pub settings: Settings,
    /// Directory ids by lower-case address; made from `mailboxes`.
    #[serde(skip)]
    pub addresses: BTreeMap<String, String>,
}

/// Delays that an organisation's services have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Seconds until rooms answer.
    pub room_delay_s: u32,
    /// Seconds until an online meeting can be joined.
    pub meeting_delay_s: u32,
    /// Seconds until a consent reaches newly issued tokens.
    pub consent_delay_s: u32,
    /// The earliest instant at which a consent reaches newly issued tokens, whatever the delay.
    pub consent_from: Option<Timestamp>,
}

impl Organisation {
    /// Finds a mailbox by directory id or by any of its addresses.
    pub fn find(&self, key: &str) -> Option<&Mailbox> {
        self.mailboxes.get(key).or_else(|| {
            let key = key.to_lowercase();
            self.mailboxes.get(&key).or_else(|| self.mailboxes.get(self.addresses.get(&key)?))
        })
    }

    /// Makes the address book anew.
    pub fn index(&mut self) {
        self.addresses = self
            .mailboxes
            .values()
            .flat_map(|mailbox| {
                mailbox.addresses().map(|address| (address.to_lowercase(), mailbox.id.clone()))
            })
            .collect();
    }

    /// The administrators, in directory order.
    pub fn administrators(&self) -> impl Iterator<Item = &Mailbox> {
        self.mailboxes.values().filter(|mailbox| mailbox.admin)
    }

    /// Those who can sign in: administrators first, then by address.
    pub fn accounts(&self) -> Vec<&Mailbox> {
        let mut accounts: Vec<&Mailbox> =
            self.mailboxes.values().filter(|mailbox| mailbox.purpose == Purpose::User).collect();
        accounts.sort_by_key(|account| (!account.admin, account.address.clone()));
        accounts
    }
}

/// A person, a shared mailbox or a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    /// The directory id.
    pub id: String,
    /// The primary address.
    pub address: String,
    /// Further addresses.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The sign-in name.
    pub upn: String,
    /// The name, for people.
    pub name: String,
    /// Whose it is.
    pub purpose: Purpose,
    /// Whether the account is a Global Administrator.
    pub admin: bool,
    /// Where the mailbox lives.
    pub hosting: Hosting,
    /// Whether applications may reach it.
    pub in_scope: bool,
    /// Whether others see when its owner is busy and nothing more.
    #[serde(default)]
    pub hides_details: bool,
    /// Whether its calendar may have online meetings.
    #[serde(default = "yes")]
    pub online_meetings: bool,
    /// What a room has; only with [`Purpose::Room`].
    pub room: Option<Room>,
}

impl Mailbox {
    fn addresses(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.address).chain(std::iter::once(&self.upn)).chain(&self.aliases)
    }
}

/// Whose a mailbox is, in the words of `userPurpose`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// A person's.
    User,
    /// Several people's.
    Shared,
    /// A room's.
    Room,
}

/// Where a mailbox lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hosting {
    /// In the cloud.
    Normal,
    /// Nowhere: the account has no licence.
    None,
    /// On a server of the organisation.
    OnPrem,
    /// In the cloud or on a server; but its account is disabled, and Exchange lets nobody act in it.
    Disabled,
}

/// What a room has and how it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// How many people it holds.
    pub capacity: Option<u32>,
    /// The building.
    pub building: Option<String>,
    /// The floor.
    pub floor: Option<i32>,
    /// What stands in it.
    pub equipment: Vec<String>,
    /// Whether it answers by itself.
    pub auto_accept: bool,
    /// Whether it accepts overlapping meetings.
    pub allow_conflicts: bool,
    /// Who decides about its meetings: the room says "perhaps" until then.
    #[serde(default)]
    pub approver: Option<String>,
    /// Whether its calendar shows who booked it in place of what for.
    #[serde(default = "yes")]
    pub replaces_titles: bool,
}

fn yes() -> bool {
    true
}

/// What an application was granted in an organisation. Its being there means the service principal exists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Consent {
    /// Granted application permissions.
    pub roles: BTreeSet<String>,
    /// From when on tokens carry them.
    pub effective_at: Option<Timestamp>,
    /// Delegated permissions granted for everybody.
    pub scopes: BTreeSet<String>,
    /// Delegated permissions granted by single accounts, by directory id.
    pub by_account: BTreeMap<String, BTreeSet<String>>,
    /// Whether the service principal is there.
    pub present: bool,
    /// Whether an administrator blocked it.
    pub disabled: bool,
    /// Counts revocations: tokens of an earlier epoch are refused.
    pub epoch: u64,
}
