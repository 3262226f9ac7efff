//! What can be asked of a running sandbox and told to it.

mod say;
mod values;

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{ArgAction::Set, Subcommand, ValueEnum};
use domain::{Clock, SystemClock, Timestamp};
use serde_json::{Value, json};

use self::values::{Fault, Kind, Reach, Verdict};
use super::{
    client::Request,
    folder::{self, Reading},
};
use crate::Error;

/// A command for a running sandbox. An organisation is named by its domain or its id.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum Order {
    /// Lists the organisations.
    Organisations,
    /// Shows an organisation with everybody in it, as JSON.
    Show { organisation: String },
    /// Makes an organisation of believable people, rooms and meetings.
    Generate {
        /// Its name.
        name: String,
        /// Its domain; made of the name when absent.
        #[arg(long)]
        domain: Option<String>,
        /// How many people, the administrator among them.
        #[arg(long, default_value_t = 12)]
        users: usize,
        /// How many rooms.
        #[arg(long, default_value_t = 3)]
        rooms: usize,
        /// How many weeks of meetings.
        #[arg(long, default_value_t = 3)]
        weeks: u64,
        /// The first day; the Monday of this week when absent.
        #[arg(long)]
        from: Option<NaiveDate>,
        /// Another number, other people.
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// How many people's mailboxes applications may not reach.
        #[arg(long, default_value_t = 0)]
        out_of_scope: usize,
    },
    /// Makes the organisation that a file (JSON) or a folder of calendars (.ics) describes.
    Load {
        /// The file or folder.
        path: PathBuf,
        #[command(flatten)]
        reading: Reading,
    },
    /// Lists the events of an organisation, or of one of its mailboxes.
    Events {
        organisation: String,
        /// The mailbox's address.
        #[arg(long)]
        mailbox: Option<String>,
    },
    /// Puts a meeting into everybody's calendar, as if it had been accepted long ago.
    Plant {
        organisation: String,
        /// The organiser's address.
        #[arg(long)]
        mailbox: String,
        /// The title.
        #[arg(long)]
        subject: String,
        /// The beginning, such as `2026-12-01T09:00:00Z`.
        #[arg(long)]
        start: Timestamp,
        /// The end.
        #[arg(long)]
        end: Timestamp,
        /// Somebody or some room that takes part; may be given several times.
        #[arg(long)]
        attendee: Vec<String>,
        /// `free`, `tentative`, `busy`, `oof` or `workingElsewhere`.
        #[arg(long, default_value = "busy")]
        show_as: String,
        /// `normal`, `personal`, `private` or `confidential`.
        #[arg(long, default_value = "normal")]
        sensitivity: String,
        /// Whole days.
        #[arg(long)]
        all_day: bool,
    },
    /// Lists the mails that would have been sent.
    Mails { organisation: String },
    /// Lists what was asked of the providers.
    Journal {
        /// Only what came after the n-th entry.
        #[arg(long)]
        after: Option<u64>,
        /// Waits so many milliseconds at most for the first entry.
        #[arg(long)]
        wait_ms: Option<u64>,
    },
    /// Plants faults, lists them, takes them back.
    #[command(subcommand)]
    Fault(FaultOrder),
    /// Shows the clock, moves it forward, or lets the token endpoints' clock go wrong.
    #[command(subcommand)]
    Clock(ClockOrder),
    /// Takes back the consent that an organisation gave to an application.
    Revoke {
        organisation: String,
        /// The application's client id.
        client: String,
        /// Blocks the application and leaves it in place.
        #[arg(long)]
        disable: bool,
    },
    /// Moves a mailbox into or out of the applications' reach.
    Scope {
        organisation: String,
        /// Its address.
        mailbox: String,
        /// Which of the two.
        reach: Reach,
    },
    /// Changes where a mailbox lives and what it shows.
    Mailbox {
        organisation: String,
        /// Its address.
        address: String,
        /// In the cloud, nowhere, or on a server of the organisation.
        #[arg(long)]
        kind: Option<Kind>,
        /// Whether others see when the owner is busy and nothing more.
        #[arg(long, action = Set)]
        hide_details: Option<bool>,
        /// Whether its calendar may have online meetings.
        #[arg(long, action = Set)]
        online_meetings: Option<bool>,
    },
    /// Changes how a room answers.
    Room {
        organisation: String,
        /// Its address.
        address: String,
        /// Whether it answers by itself; otherwise it never does.
        #[arg(long, action = Set)]
        auto_accept: Option<bool>,
        /// Whether it accepts overlapping meetings.
        #[arg(long, action = Set)]
        allow_conflicts: Option<bool>,
        /// Whether its calendar shows who booked it in place of what for.
        #[arg(long, action = Set)]
        replaces_titles: Option<bool>,
        /// Who decides about its meetings; an empty one stands for nobody.
        #[arg(long)]
        approver: Option<String>,
    },
    /// Answers for a room whose meetings somebody decides about.
    Answer {
        organisation: String,
        /// Its address.
        room: String,
        /// Yes or no.
        verdict: Verdict,
        /// The event's id or iCalUId; every one that waits when absent.
        #[arg(long)]
        event: Option<String>,
    },
    /// Sets the delays of an organisation; what is not named goes back to none.
    Settings {
        organisation: String,
        /// Seconds until rooms answer.
        #[arg(long, default_value_t = 0)]
        room_delay_s: u32,
        /// Seconds until an online meeting can be joined.
        #[arg(long, default_value_t = 0)]
        meeting_delay_s: u32,
        /// Seconds until a consent reaches new tokens.
        #[arg(long, default_value_t = 0)]
        consent_delay_s: u32,
        /// The earliest instant at which a consent reaches new tokens.
        #[arg(long)]
        consent_from: Option<Timestamp>,
    },
    /// Registers an application.
    App {
        /// Its client id.
        client: String,
        /// The name that consent pages show.
        #[arg(long, default_value = "Calendar application")]
        name: String,
        /// Its secret.
        #[arg(long)]
        secret: Option<String>,
        /// Where browsers may be sent back to; may be given several times.
        #[arg(long)]
        redirect_uri: Vec<String>,
    },
    /// Gives an application another secret, or an end to the one it has.
    Secret {
        /// Its client id.
        client: String,
        /// The new secret; the old one stays when absent.
        #[arg(long)]
        secret: Option<String>,
        /// When the secret expires; never when absent.
        #[arg(long)]
        expires_at: Option<Timestamp>,
    },
    /// Makes every access token that was issued so far expire.
    Expire {
        /// Refresh tokens as well.
        #[arg(long)]
        refresh: bool,
    },
    /// Forgets every sync cursor that was given away so far.
    Forget,
}

/// `fault`.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum FaultOrder {
    /// Plants one.
    Plant {
        /// What goes wrong.
        action: Fault,
        /// Only requests with this method, or notifications about this change.
        #[arg(long)]
        method: Option<String>,
        /// Only requests whose path contains this, or notifications about such a mailbox.
        #[arg(long)]
        path: Option<String>,
        /// How many it hits.
        #[arg(long, default_value_t = 1)]
        times: u32,
        /// How many pass unharmed before that.
        #[arg(long, default_value_t = 0)]
        skip: u32,
        /// Milliseconds, where the fault takes time.
        #[arg(long)]
        ms: Option<u64>,
        /// Seconds that a throttled client is told to wait.
        #[arg(long)]
        retry_after: Option<u32>,
    },
    /// Lists those that still wait.
    List,
    /// Takes all back.
    Clear,
}

/// `clock`.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum ClockOrder {
    /// Shows the time.
    Show,
    /// Moves it forward.
    Advance {
        /// By so many seconds.
        seconds: i64,
    },
    /// Lets the clock of the token endpoints be ahead, or behind when negative.
    #[command(allow_negative_numbers = true)]
    Skew {
        /// By so many seconds.
        seconds: i64,
    },
}

/// The name of a value as it stands on the command line.
fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

impl Order {
    /// The request that the sandbox is sent.
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
            Self::Events { organisation, mailbox } => {
                Request::get(["organisations", organisation, "events"]).with("mailbox", mailbox.as_ref())
            }
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
                Request::get(["journal"]).with("after", *after).with("wait_ms", *wait_ms)
            }
            Self::Fault(fault) => fault.request(),
            Self::Clock(ClockOrder::Show) => Request::get(["clock"]),
            Self::Clock(ClockOrder::Advance { seconds }) => {
                Request::post(["clock", "advance"], json!({ "seconds": seconds }))
            }
            Self::Clock(ClockOrder::Skew { seconds }) => {
                Request::post(["clock", "skew"], json!({ "seconds": seconds }))
            }
            Self::Revoke { organisation, client, disable } => {
                of(organisation, &["revoke-consent"], json!({ "client_id": client, "disable": disable }))
            }
            Self::Scope { organisation, mailbox, reach } => {
                of(organisation, &["scope"], json!({ "mailbox": mailbox, "in_scope": *reach == Reach::In }))
            }
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
                json!({ "room": room, "event": event, "accept": *verdict == Verdict::Accept }),
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

impl FaultOrder {
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

/// A folder is read from this week on, whatever the running sandbox's clock shows.
fn today() -> NaiveDate {
    SystemClock.now().date_naive()
}
