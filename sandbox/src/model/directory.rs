//! Organisations, their accounts and rooms, and the consents that they have given.

use std::collections::{BTreeMap, BTreeSet};

use domain::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An application registered by a vendor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// The id that clients send when they sign in, a UUID at Microsoft.
    pub client_id: String,
    /// The name that consent pages show.
    pub name: String,
    /// The client secret; `None` for an application without one.
    pub secret: Option<String>,
    /// When the secret expires; `None` for never.
    #[serde(default)]
    pub secret_expires_at: Option<Timestamp>,
    /// The redirect URIs of the application, compared as strings.
    pub redirect_uris: Vec<String>,
    /// The certificates (DER, base64) whose keys may sign client assertions.
    pub certificates: Vec<String>,
    /// The application permissions that it is configured with.
    pub permissions: BTreeSet<String>,
}

/// A customer's directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// The tenant id.
    pub id: Uuid,
    /// A number that increases with every organisation created.
    pub serial: u64,
    /// A display name.
    pub name: String,
    /// The only verified domain.
    pub domain: String,
    /// The zone of the mailboxes, by its Windows name.
    pub zone: String,
    /// When the directory was set up, by the sandbox's clock.
    pub created_at: Timestamp,
    /// Accounts and rooms, by directory id.
    pub mailboxes: BTreeMap<String, Mailbox>,
    /// The consents given to applications, by client id.
    #[serde(default)]
    pub consents: BTreeMap<String, Consent>,
    /// The delays of the organisation's services.
    #[serde(default)]
    pub settings: DelaySettings,
    /// Directory ids by lower-case address; derived from `mailboxes`.
    #[serde(skip)]
    pub addresses: BTreeMap<String, String>,
}

/// The delays of an organisation's services.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DelaySettings {
    /// Seconds until rooms respond.
    pub room_delay_s: u32,
    /// Seconds until an online meeting can be joined.
    pub meeting_delay_s: u32,
    /// Seconds until new tokens contain the permissions of a consent.
    pub consent_delay_s: u32,
    /// The earliest time at which new tokens contain the permissions of a consent, whatever the delay.
    pub consent_from: Option<Timestamp>,
}

impl Organisation {
    /// Finds a mailbox by its directory id or any of its addresses.
    pub fn find(&self, key: &str) -> Option<&Mailbox> {
        self.mailboxes.get(key).or_else(|| {
            let key = key.to_lowercase();
            self.mailboxes.get(&key).or_else(|| self.mailboxes.get(self.addresses.get(&key)?))
        })
    }

    /// Rebuilds `addresses`.
    pub fn rebuild_index(&mut self) {
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

    /// The accounts that can sign in, administrators first, then by address.
    pub fn sign_in_accounts(&self) -> Vec<&Mailbox> {
        let mut accounts: Vec<&Mailbox> =
            self.mailboxes.values().filter(|mailbox| mailbox.purpose == MailboxPurpose::User).collect();
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
    /// A display name.
    pub name: String,
    /// Who uses the mailbox.
    pub purpose: MailboxPurpose,
    /// Whether the account is a Global Administrator.
    pub admin: bool,
    /// Where the mailbox is hosted.
    pub hosting: Hosting,
    /// Whether applications can access the mailbox.
    pub in_scope: bool,
    /// Whether other users see only when the owner is busy.
    #[serde(default)]
    pub hides_details: bool,
    /// Whether the calendar permits online meetings.
    #[serde(default = "yes")]
    pub online_meetings: bool,
    /// The details of a room; only with [`MailboxPurpose::Room`].
    pub room: Option<Room>,
}

impl Mailbox {
    fn addresses(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.address).chain(std::iter::once(&self.upn)).chain(&self.aliases)
    }
}

/// Who uses a mailbox, in the words of `userPurpose`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailboxPurpose {
    /// One person.
    User,
    /// The mailbox is shared by several people.
    Shared,
    /// The mailbox belongs to a bookable room.
    Room,
}

/// Where a mailbox is hosted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hosting {
    /// The mailbox is in the cloud.
    Normal,
    /// There is no mailbox: the account has no licence.
    None,
    /// The mailbox is on a server of the organisation.
    OnPrem,
    /// The mailbox is in the cloud or on a server, but the account is disabled and Exchange refuses all access.
    Disabled,
}

/// The details of a room, and how it responds to invitations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Number of seats; `None` if the directory does not list it.
    pub capacity: Option<u32>,
    /// Building of the room; `None` if the directory does not list it.
    pub building: Option<String>,
    /// Floor number; `None` if the directory does not list it.
    pub floor: Option<i32>,
    /// Equipment of the room, as listed in the directory.
    pub equipment: Vec<String>,
    /// Whether the room responds automatically.
    pub auto_accept: bool,
    /// Whether the room accepts overlapping meetings.
    pub allow_conflicts: bool,
    /// The email address of the person who approves the room's meetings; until a decision, the room's response is
    /// tentative. `None` if no approval is needed.
    #[serde(default)]
    pub approver: Option<String>,
    /// Whether the room's calendar shows the organiser's name in place of the title.
    #[serde(default = "yes")]
    pub replaces_titles: bool,
}

fn yes() -> bool {
    true
}

/// The permissions that an organisation granted to an application. The record exists only as long as the service
/// principal exists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Consent {
    /// The application permissions granted.
    pub roles: BTreeSet<String>,
    /// When new tokens begin to contain the permissions.
    pub effective_at: Option<Timestamp>,
    /// Delegated permissions granted for all users.
    pub scopes: BTreeSet<String>,
    /// Delegated permissions granted by single accounts, by directory id.
    pub by_account: BTreeMap<String, BTreeSet<String>>,
    /// Whether the service principal exists.
    pub present: bool,
    /// Whether an administrator disabled the application.
    pub disabled: bool,
    /// Number of revocations: tokens of an earlier epoch are refused.
    pub epoch: u64,
}
