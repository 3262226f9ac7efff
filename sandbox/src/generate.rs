//! Generates plausible organisations. The same options always generate the same people, rooms and meetings.

mod planner;

use chrono::{Datelike as _, Days, NaiveDate};
use domain::Timestamp;
use serde::Deserialize;

use self::planner::Planner;
use crate::{
    fixture::{OrganisationFixture, RoomFixture, UserFixture, default_administrator},
    microsoft::{graph::zones::Zone, identity::keys::sha256},
    model::{DelaySettings, MailboxPurpose},
};

/// Options for generating an organisation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerateOptions {
    /// Display name of the organisation.
    pub name: String,
    /// Mail domain; derived from the name if absent.
    pub domain: Option<String>,
    /// Number of people, including the administrator.
    pub users: usize,
    /// Number of rooms.
    pub rooms: usize,
    /// Number of weeks with meetings.
    #[serde(default = "three")]
    pub weeks: u64,
    /// First day with meetings; the Monday of this week if absent.
    pub from: Option<NaiveDate>,
    /// Seed: different seeds generate different people.
    #[serde(default)]
    pub seed: u64,
    /// Number of people whose mailboxes applications cannot access; `true` means one.
    #[serde(default)]
    pub out_of_scope: GeneratedCount,
    /// Time zone of the mailboxes.
    #[serde(default = "berlin")]
    pub zone: String,
    /// Whether rooms have addresses as Google assigns them, instead of addresses in the domain.
    #[serde(default)]
    pub resource_calendars: bool,
}

fn three() -> u64 {
    3
}

fn berlin() -> String {
    "W. Europe Standard Time".to_owned()
}

/// Number of objects to generate: an integer, or a boolean for none or one.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
pub enum GeneratedCount {
    /// None for `false`, one for `true`.
    Any(bool),
    /// Exactly this number.
    Exactly(usize),
}

impl Default for GeneratedCount {
    fn default() -> Self {
        Self::Exactly(0)
    }
}

const GIVEN: [&str; 32] = [
    "Ada", "Ben", "Clara", "David", "Elif", "Felix", "Grace", "Hugo", "Ines", "Jonas", "Katrin", "Liam",
    "Mara", "Noah", "Olga", "Paul", "Quinn", "Rosa", "Samir", "Tessa", "Umut", "Vera", "Wanda", "Xenia",
    "Yusuf", "Zoe", "Anton", "Bianca", "Carlos", "Dana", "Emil", "Frida",
];
const FAMILY: [&str; 29] = [
    "Albers", "Becker", "Costa", "Dietrich", "Ebert", "Fischer", "Gruber", "Hansen", "Ivanov", "Jansen",
    "Keller", "Lorenz", "Moreau", "Novak", "Otto", "Petrov", "Quist", "Richter", "Sommer", "Tanaka",
    "Ulrich", "Vogel", "Weber", "Xu", "Yilmaz", "Ziegler", "Andersen", "Bauer", "Conti",
];
const ROOMS: [&str; 12] = [
    "Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Ivy", "Juniper", "Linden",
    "Maple",
];
const EQUIPMENT: [&str; 4] = ["Video conference", "Whiteboard", "Large display", "Speakerphone"];
/// Generates the organisation for these options.
pub fn generate_fixture(options: &GenerateOptions, now: Timestamp) -> OrganisationFixture {
    let mut random = Random(options.seed ^ 0x5eed);
    let domain = options.domain.clone().unwrap_or_else(|| format!("{}.test", slug(&options.name)));
    let mut users = people(options, &domain, &mut random);
    let mut rooms = rooms(options.rooms, &domain, &mut random);
    for room in rooms.iter_mut().filter(|_| options.resource_calendars) {
        room.address = resource_address(&room.address);
    }
    let from = options.from.unwrap_or_else(|| {
        let today = now.date_naive();
        today - Days::new(u64::from(today.weekday().num_days_from_monday()))
    });
    let zone = Zone::find(&options.zone).unwrap_or_else(|_| Zone::utc());
    let events = Planner::new(&users, &rooms, zone, &mut random).plan(from, options.weeks);
    users.push(UserFixture {
        purpose: MailboxPurpose::Shared,
        admin: false,
        name: "Bookings".to_owned(),
        address: format!("bookings@{domain}"),
        ..default_administrator(&domain)
    });
    let settings = DelaySettings::default();
    OrganisationFixture {
        name: options.name.clone(),
        domain,
        zone: options.zone.clone(),
        users,
        rooms,
        events,
        settings,
    }
}

/// The address that Google assigns to a room's calendar.
fn resource_address(room: &str) -> String {
    let hash = sha256(room.as_bytes());
    let digits = hash.iter().take(12).fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    format!("c_188{digits}@resource.calendar.google.com")
}

/// A name converted to a part of a domain.
fn slug(name: &str) -> String {
    let words: Vec<String> = name
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    if words.is_empty() { "organisation".to_owned() } else { words.join("-") }
}

fn people(options: &GenerateOptions, domain: &str, random: &mut Random) -> Vec<UserFixture> {
    let start = random.below(GIVEN.len() * FAMILY.len());
    let mut users = vec![default_administrator(domain)];
    for index in 0..options.users.saturating_sub(1) {
        // The two lists share no divisor, so every pair comes once before one comes again.
        let at = start + index;
        let (given, family) = (GIVEN[at % GIVEN.len()], FAMILY[at % FAMILY.len()]);
        let round = index / (GIVEN.len() * FAMILY.len());
        let number = if round == 0 { String::new() } else { (round + 1).to_string() };
        users.push(UserFixture {
            address: format!("{}.{}{number}@{domain}", given.to_lowercase(), family.to_lowercase()),
            name: format!("{given} {family}"),
            admin: false,
            ..default_administrator(domain)
        });
    }
    let out = match options.out_of_scope {
        GeneratedCount::Any(any) => usize::from(any),
        GeneratedCount::Exactly(count) => count,
    };
    // The last ones, so that the first people that a test picks are within reach.
    for user in users.iter_mut().skip(1).rev().take(out) {
        user.in_scope = false;
    }
    users
}

fn rooms(count: usize, domain: &str, random: &mut Random) -> Vec<RoomFixture> {
    (0..count)
        .map(|index| {
            let tree = ROOMS[index % ROOMS.len()];
            let name = if index < ROOMS.len() {
                tree.to_owned()
            } else {
                format!("{tree} {}", index / ROOMS.len() + 1)
            };
            RoomFixture {
                address: format!("room-{}@{domain}", slug(&name)),
                name: format!("Room {name}"),
                capacity: Some(4 + 2 * random.below(8) as u32),
                building: Some(if index % 2 == 0 { "North" } else { "South" }.to_owned()),
                floor: Some(index as i32 / 4 + 1),
                equipment: EQUIPMENT
                    .iter()
                    .filter(|_| random.below(2) == 0)
                    .map(|name| (*name).to_owned())
                    .collect(),
                auto_accept: true,
                allow_conflicts: false,
                approver: None,
                replaces_titles: true,
                in_scope: true,
            }
        })
        .collect()
}

/// A SplitMix64 random number generator, sufficient for generated data.
struct Random(u64);

impl Random {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % below.max(1) as u64).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn order(seed: u64) -> GenerateOptions {
        serde_json::from_value(serde_json::json!({
            "name": "Acme Works", "users": 40, "rooms": 6, "weeks": 3, "from": "2026-11-16", "seed": seed, "out_of_scope": true
        }))
        .unwrap()
    }

    #[test]
    fn the_same_order_gives_the_same_organisation_and_another_seed_another_one() {
        let one = generate_fixture(&order(7), Timestamp::UNIX_EPOCH);
        assert_eq!(one, generate_fixture(&order(7), Timestamp::MAX_UTC));
        assert_ne!(one.users, generate_fixture(&order(8), Timestamp::UNIX_EPOCH).users);
    }

    #[test]
    fn an_order_is_filled_with_people_rooms_and_meetings_that_do_not_overlap() {
        let made = generate_fixture(&order(7), Timestamp::UNIX_EPOCH);
        assert_eq!(made.domain, "acme-works.test");
        assert_eq!(made.users.iter().filter(|user| user.purpose == MailboxPurpose::User).count(), 40);
        assert_eq!(made.users.iter().filter(|user| !user.in_scope).count(), 1);
        assert_eq!(made.rooms.len(), 6);
        assert!(made.events.len() > 300, "{}", made.events.len());
        let mut taken: BTreeMap<&str, Vec<(Timestamp, Timestamp)>> = BTreeMap::new();
        for event in &made.events {
            for address in event.attendees.iter().chain([&event.mailbox]) {
                let held = taken.entry(address).or_default();
                assert!(
                    held.iter().all(|(start, end)| event.end <= *start || *end <= event.start),
                    "{address}"
                );
                held.push((event.start, event.end));
            }
        }
    }
}
