//! Commands for a running sandbox, and the requests that they send.

mod clock;
mod describe;
mod event;
mod values;

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{ArgAction::Set, Subcommand, ValueEnum};
use domain::{Clock, SystemClock, Timestamp};
use serde_json::{Value, json};

use self::{
    clock::ClockCommand,
    event::EventCommand,
    values::{ApplicationAccess, FaultKind, HostingKind, RoomVerdict},
};
use super::{
    client::Request,
    folder::{self, FolderOptions},
};
use crate::Error;

/// A command for a running sandbox. An organisation is named by its domain or its id.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum ControlCommand {
    /// Lists the organisations.
    Organisations,
    /// Shows an organisation with its people and rooms, as JSON.
    Show { organisation: String },
    /// Creates an organisation with plausible people, rooms and meetings.
    Generate {
        /// Display name of the organisation, such as "Acme".
        name: String,
        /// The mail domain; derived from the name by default.
        #[arg(long)]
        domain: Option<String>,
        /// Number of people, including the administrator.
        #[arg(long, default_value_t = 12)]
        users: usize,
        /// Number of rooms.
        #[arg(long, default_value_t = 3)]
        rooms: usize,
        /// Number of weeks with meetings.
        #[arg(long, default_value_t = 3)]
        weeks: u64,
        /// The first day with meetings; the Monday of this week by default.
        #[arg(long)]
        from: Option<NaiveDate>,
        /// The seed: different seeds generate different people.
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// Number of people whose mailboxes applications cannot access.
        #[arg(long, default_value_t = 0)]
        out_of_scope: usize,
    },
    /// Creates the organisation that a file (JSON) or a folder of calendars (.ics) describes.
    Load {
        /// The file or folder.
        path: PathBuf,
        #[command(flatten)]
        reading: FolderOptions,
    },
    /// Lists the events of an organisation, or of one of its mailboxes.
    Events {
        organisation: String,
        /// Only the events of the mailbox with this address.
        #[arg(long)]
        mailbox: Option<String>,
    },
    /// Adds a meeting that all participants have accepted to their calendars.
    Plant {
        organisation: String,
        /// The organiser's email address.
        #[arg(long)]
        mailbox: String,
        /// The title.
        #[arg(long)]
        subject: String,
        /// When the meeting begins, such as `2026-12-01T09:00:00Z`.
        #[arg(long)]
        start: Timestamp,
        /// When the meeting ends, in the same form.
        #[arg(long)]
        end: Timestamp,
        /// The email address of an attendee or room; may be specified several times.
        #[arg(long)]
        attendee: Vec<String>,
        /// How the time is shown: `free`, `tentative`, `busy`, `oof` or `workingElsewhere`.
        #[arg(long, default_value = "busy")]
        show_as: String,
        /// Who may see the details: `normal`, `personal`, `private` or `confidential`.
        #[arg(long, default_value = "normal")]
        sensitivity: String,
        /// Makes the meeting an all-day event.
        #[arg(long)]
        all_day: bool,
    },
    /// Lists the mails that the providers would have sent.
    Mails { organisation: String },
    /// Lists the requests that the sandbox received.
    Journal {
        /// Lists only entries with a sequence number greater than this.
        #[arg(long)]
        after: Option<u64>,
        /// Maximum time to wait for the first entry, in milliseconds.
        #[arg(long)]
        wait_ms: Option<u64>,
    },
    /// Injects, lists and removes faults.
    #[command(subcommand)]
    Fault(FaultCommand),
    /// Shows the clock, moves it forward, or shifts the token endpoints' clock.
    #[command(subcommand)]
    Clock(ClockCommand),
    /// Does with an event what its organiser or an attendee would do.
    #[command(subcommand)]
    Event(EventCommand),
    /// Revokes the consent that an organisation gave to an application.
    Revoke {
        organisation: String,
        /// The application's client id.
        client: String,
        /// Disables the application instead of removing it.
        #[arg(long)]
        disable: bool,
    },
    /// Adds a mailbox to, or removes it from, the mailboxes that applications can access.
    Scope {
        organisation: String,
        /// The mailbox's address.
        mailbox: String,
        /// Whether applications can access the mailbox.
        reach: ApplicationAccess,
    },
    /// Changes where a mailbox is hosted and which details it shows.
    Mailbox {
        organisation: String,
        /// The mailbox to change, by any of its addresses.
        address: String,
        /// Whether the mailbox is in the cloud, on a server of the organisation, or does not exist.
        #[arg(long)]
        kind: Option<HostingKind>,
        /// Whether other users see only when the owner is busy.
        #[arg(long, action = Set)]
        hide_details: Option<bool>,
        /// Whether the calendar permits online meetings.
        #[arg(long, action = Set)]
        online_meetings: Option<bool>,
    },
    /// Changes how a room responds to invitations.
    Room {
        organisation: String,
        /// The room to change, by any of its addresses.
        address: String,
        /// Whether the room responds automatically; otherwise it never responds.
        #[arg(long, action = Set)]
        auto_accept: Option<bool>,
        /// Whether the room accepts overlapping meetings.
        #[arg(long, action = Set)]
        allow_conflicts: Option<bool>,
        /// Whether the room's calendar shows the organiser's name in place of the title.
        #[arg(long, action = Set)]
        replaces_titles: Option<bool>,
        /// The email address of the person who approves the room's meetings; empty if no approval is needed.
        #[arg(long)]
        approver: Option<String>,
    },
    /// Accepts or declines meetings for a room whose meetings a person approves.
    Answer {
        organisation: String,
        /// The room's address.
        room: String,
        /// Whether the room accepts or declines.
        verdict: RoomVerdict,
        /// The event's id or iCalUId; by default all events without a decision.
        #[arg(long)]
        event: Option<String>,
    },
    /// Sets the delays of an organisation; omitted delays are reset to none.
    Settings {
        organisation: String,
        /// Seconds until rooms respond.
        #[arg(long, default_value_t = 0)]
        room_delay_s: u32,
        /// Seconds until an online meeting can be joined.
        #[arg(long, default_value_t = 0)]
        meeting_delay_s: u32,
        /// Seconds until new tokens contain the permissions of a consent.
        #[arg(long, default_value_t = 0)]
        consent_delay_s: u32,
        /// The earliest time at which new tokens contain the permissions of a consent.
        #[arg(long)]
        consent_from: Option<Timestamp>,
    },
    /// Registers an application.
    App {
        /// The application's client id.
        client: String,
        /// The name that consent pages show.
        #[arg(long, default_value = "Calendar application")]
        name: String,
        /// The client secret to accept; none by default.
        #[arg(long)]
        secret: Option<String>,
        /// A redirect URI of the application; may be specified several times.
        #[arg(long)]
        redirect_uri: Vec<String>,
    },
    /// Changes an application's client secret, or sets when the current one expires.
    Secret {
        /// The application's client id.
        client: String,
        /// The new secret; the current one is kept by default.
        #[arg(long)]
        secret: Option<String>,
        /// When the secret expires; never by default.
        #[arg(long)]
        expires_at: Option<Timestamp>,
    },
    /// Makes every access token issued so far expire.
    Expire {
        /// Makes refresh tokens expire too.
        #[arg(long)]
        refresh: bool,
    },
    /// Invalidates every sync cursor issued so far.
    Forget,
}

/// A command that injects, lists or removes faults.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum FaultCommand {
    /// Injects a fault into later requests or notifications.
    Plant {
        /// The kind of fault.
        action: FaultKind,
        /// Only requests with this method, or notifications about this kind of change.
        #[arg(long)]
        method: Option<String>,
        /// Only requests whose path contains this string, or notifications about a matching mailbox.
        #[arg(long)]
        path: Option<String>,
        /// Number of requests that the fault affects.
        #[arg(long, default_value_t = 1)]
        times: u32,
        /// Number of matching requests that are processed normally first.
        #[arg(long, default_value_t = 0)]
        skip: u32,
        /// The duration in milliseconds, for faults that take time.
        #[arg(long)]
        ms: Option<u64>,
        /// Value of `Retry-After` in a throttled response, in seconds.
        #[arg(long)]
        retry_after: Option<u32>,
    },
    /// Lists the faults that will still affect requests.
    List,
    /// Removes all faults.
    Clear,
}

/// The spelling of a value on the command line.
fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

impl ControlCommand {
    /// Converts the command to a request.
    pub(super) fn request(&self) -> Result<Request, Error> {
        let of = |organisation: &str, rest: &[&str], body: Value| {
            Request::post(["organisations", organisation].into_iter().chain(rest.iter().copied()), body)
        };
        Ok(match self {
            Self::Organisations => Request::get(["organisations"]),
            Self::Show { organisation } => Request::get(["organisations", organisation]),
            Self::Generate { name, domain, users, rooms, weeks, from, seed, out_of_scope } => Request::post(
                ["organisations", "generate"],
                json!({ "name": name, "domain": domain, "users": users, "rooms": rooms, "weeks": weeks,
                    "from": from, "seed": seed, "out_of_scope": out_of_scope }),
            ),
            Self::Load { path, reading } => {
                Request::post(["organisations"], folder::read(path, reading, today())?)
            }
            Self::Events { organisation, mailbox } => Request::get(["organisations", organisation, "events"])
                .with_query("mailbox", mailbox.as_ref()),
            Self::Plant {
                organisation,
                mailbox,
                subject,
                start,
                end,
                attendee,
                show_as,
                sensitivity,
                all_day,
            } => of(
                organisation,
                &["events"],
                json!({ "mailbox": mailbox, "subject": subject, "start": start, "end": end,
                    "attendees": attendee, "show_as": show_as, "sensitivity": sensitivity, "all_day": all_day }),
            ),
            Self::Mails { organisation } => Request::get(["organisations", organisation, "mails"]),
            Self::Journal { after, wait_ms } => {
                Request::get(["journal"]).with_query("after", *after).with_query("wait_ms", *wait_ms)
            }
            Self::Fault(fault) => fault.request(),
            Self::Clock(clock) => clock.request(),
            Self::Event(event) => event.request(),
            Self::Revoke { organisation, client, disable } => {
                of(organisation, &["revoke-consent"], json!({ "client_id": client, "disable": disable }))
            }
            Self::Scope { organisation, mailbox, reach } => of(
                organisation,
                &["scope"],
                json!({ "mailbox": mailbox, "in_scope": *reach == ApplicationAccess::In }),
            ),
            Self::Mailbox { organisation, address, kind, hide_details, online_meetings } => of(
                organisation,
                &["mailbox"],
                json!({ "address": address, "kind": kind.map(name), "hides_details": hide_details,
                    "online_meetings": online_meetings }),
            ),
            Self::Room { organisation, address, auto_accept, allow_conflicts, replaces_titles, approver } => {
                of(
                    organisation,
                    &["room"],
                    json!({ "address": address, "auto_accept": auto_accept, "allow_conflicts": allow_conflicts,
                    "replaces_titles": replaces_titles, "approver": approver }),
                )
            }
            Self::Answer { organisation, room, verdict, event } => of(
                organisation,
                &["room", "answer"],
                json!({ "room": room, "event": event, "accept": *verdict == RoomVerdict::Accept }),
            ),
            Self::Settings { organisation, room_delay_s, meeting_delay_s, consent_delay_s, consent_from } => {
                let delays = json!({ "room_delay_s": room_delay_s, "meeting_delay_s": meeting_delay_s,
                    "consent_delay_s": consent_delay_s, "consent_from": consent_from });
                of(organisation, &["settings"], delays)
            }
            Self::App { client, name, secret, redirect_uri } => Request::post(
                ["apps"],
                json!({ "client_id": client, "name": name, "secret": secret, "redirect_uris": redirect_uri }),
            ),
            Self::Secret { client, secret, expires_at } => {
                let body = json!({ "secret": secret, "expires_at": expires_at });
                Request::post(["apps", client, "secret"], body)
            }
            Self::Expire { refresh } => Request::post(["tokens", "expire"], json!({ "refresh": refresh })),
            Self::Forget => Request::post(["cursors", "forget"], json!({})),
        })
    }
}

impl FaultCommand {
    fn request(&self) -> Request {
        match self {
            Self::List => Request::get(["faults"]),
            Self::Clear => Request::delete(["faults"]),
            Self::Plant { action, method, path, times, skip, ms, retry_after } => {
                let mut body = json!({
                    "match": { "method": method, "path_contains": path }, "times": times, "skip": skip,
                    "action": name(*action).replace('-', "_"),
                });
                if let Some(ms) = ms {
                    body["ms"] = json!(ms);
                }
                if let Some(seconds) = retry_after {
                    body["retry_after"] = json!(seconds);
                }
                Request::post(["faults"], body)
            }
        }
    }
}

/// The current day by the machine's clock, for reading a folder; independent of the running sandbox's clock.
fn today() -> NaiveDate {
    SystemClock.now().date_naive()
}
