//! Organisations from files: a fixture in JSON, or a folder of `.ics` files.
//!
//! In a folder every mailbox is a file `ada@corp.test.ics` or a folder `ada@corp.test/` of such files. Addresses
//! that begin with `room` are rooms. Series are expanded over the requested weeks, because the sandbox stores
//! single events; attendees are ignored, because each of them has a file of their own.

use std::{collections::BTreeMap, path::Path};

use chrono::{Datelike, Days, NaiveDate, NaiveTime};
use domain::{
    BusyKind, ParseBudget, TimeRange, Zone,
    ical::{BusyStatus, Calendar, Classification, Instance, busy_kind, expand},
};
use serde_json::Value;

use crate::{
    Error,
    fixture::{MeetingFixture, OrganisationFixture, RoomFixture, UserFixture, default_administrator},
    model::{DelaySettings, ShowAs},
};

/// Options for reading an organisation from a folder of calendars.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct FolderOptions {
    /// The organisation's name; derived from its domain if absent.
    #[arg(long)]
    pub name: Option<String>,
    /// IANA time zone for times without a zone and for all-day events.
    #[arg(long, default_value = "Europe/Berlin")]
    pub zone: Zone,
    /// First day to read; the Monday of this week if absent.
    #[arg(long)]
    pub from: Option<NaiveDate>,
    /// Number of weeks to read.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=520))]
    pub weeks: u64,
}

/// Reads the organisation in a file or folder, in the sandbox's format.
pub(super) fn read(path: &Path, reading: &FolderOptions, today: NaiveDate) -> Result<Value, Error> {
    if path.is_dir() {
        let fixture = calendars(path, reading, today)?;
        return serde_json::to_value(fixture).map_err(|error| unusable(path, &error.to_string()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unusable(path, &error.to_string()))?;
    let fixture: OrganisationFixture =
        serde_json::from_str(&text).map_err(|error| unusable(path, &error.to_string()))?;
    serde_json::to_value(fixture).map_err(|error| unusable(path, &error.to_string()))
}

fn unusable(path: &Path, why: &str) -> Error {
    Error::Order(format!("{} cannot be used: {why}.", path.display()))
}

fn calendars(folder: &Path, reading: &FolderOptions, today: NaiveDate) -> Result<OrganisationFixture, Error> {
    let monday = today - Days::new(u64::from(today.weekday().num_days_from_monday()));
    let from = reading.from.unwrap_or(monday);
    let window = from
        .checked_add_days(Days::new(reading.weeks * 7))
        .and_then(|to| TimeRange::new(start_of(from, &reading.zone)?, start_of(to, &reading.zone)?))
        .ok_or_else(|| unusable(folder, "no calendar reaches to these weeks"))?;
    let mailboxes = mailboxes(folder)?;
    let domains = mailboxes.keys().filter_map(|address| address.split_once('@')).map(|(_, domain)| domain);
    let domain = domains.clone().next().ok_or_else(|| unusable(folder, "no file is called by an address"))?;
    if domains.clone().any(|other| !other.eq_ignore_ascii_case(domain)) {
        return Err(unusable(folder, "its addresses are of several domains"));
    }
    let mut fixture = OrganisationFixture {
        name: reading.name.clone().unwrap_or_else(|| domain.to_owned()),
        domain: domain.to_owned(),
        zone: reading.zone.name().to_owned(),
        users: Vec::new(),
        rooms: Vec::new(),
        events: Vec::new(),
        settings: DelaySettings::default(),
    };
    for (address, files) in &mailboxes {
        let mut name = None;
        for file in files {
            let text = std::fs::read(file).map_err(|error| unusable(file, &error.to_string()))?;
            let calendar = Calendar::parse(&text).map_err(|error| unusable(file, &error.to_string()))?;
            name = name.or_else(|| calendar.tree.get("X-WR-CALNAME").map(domain::ical::Property::as_text));
            fixture.events.extend(events(address, &calendar, window, &reading.zone, file)?);
        }
        add(&mut fixture, address, name.unwrap_or_else(|| named(address)));
    }
    Ok(fixture)
}

/// The calendar files of each mailbox, by email address.
fn mailboxes(folder: &Path) -> Result<BTreeMap<String, Vec<std::path::PathBuf>>, Error> {
    let mut found: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for path in entries(folder)? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && name.contains('@') {
            let files = entries(&path)?.into_iter().filter(|file| is_calendar(file));
            found.entry(name.to_owned()).or_default().extend(files);
        } else if let Some(address) = name.strip_suffix(".ics").filter(|address| address.contains('@')) {
            found.entry(address.to_owned()).or_default().push(path.clone());
        }
    }
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<std::path::PathBuf>, Error> {
    let failed = |error: std::io::Error| unusable(folder, &error.to_string());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.sort();
    Ok(paths)
}

fn is_calendar(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("ics"))
}

fn start_of(day: NaiveDate, zone: &Zone) -> Option<domain::Timestamp> {
    zone.instant_range(day.and_time(NaiveTime::MIN)).map(|(first, _)| first)
}

fn add(fixture: &mut OrganisationFixture, address: &str, name: String) {
    if address.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("room")) {
        fixture.rooms.push(RoomFixture {
            address: address.to_owned(),
            name,
            capacity: None,
            building: None,
            floor: None,
            equipment: Vec::new(),
            auto_accept: true,
            allow_conflicts: false,
            approver: None,
            replaces_titles: true,
            in_scope: true,
        });
    } else {
        let user = UserFixture { admin: false, ..default_administrator(&fixture.domain) };
        fixture.users.push(UserFixture { address: address.to_owned(), name, ..user });
    }
}

/// The display name derived from an email address: `ada.lovelace@corp.test` becomes Ada Lovelace.
fn named(address: &str) -> String {
    let local = address.split('@').next().unwrap_or(address);
    let words = local.split(['.', '-', '_']).filter(|word| !word.is_empty()).map(|word| {
        let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
        first.to_uppercase() + rest
    });
    words.collect::<Vec<_>>().join(" ")
}

fn events(
    address: &str,
    calendar: &Calendar,
    window: TimeRange,
    zone: &Zone,
    file: &Path,
) -> Result<Vec<MeetingFixture>, Error> {
    let found = expand(calendar, window, zone, &mut ParseBudget::for_provider_response());
    if let Some(mark) = found.unreadable.first() {
        return Err(unusable(
            file,
            &format!("the event {} in it cannot be read ({})", mark.uid, mark.reason.code()),
        ));
    }
    Ok(found.instances.iter().map(|instance| planted(address, instance)).collect())
}

fn planted(address: &str, instance: &Instance<'_>) -> MeetingFixture {
    let event = instance.event;
    let show_as = match (event.busy_status, busy_kind(event, &[address])) {
        (_, None) => ShowAs::Free,
        (Some(BusyStatus::Away), _) => ShowAs::Oof,
        (_, Some(BusyKind::Tentative)) => ShowAs::Tentative,
        (_, Some(BusyKind::Busy)) => ShowAs::Busy,
    };
    MeetingFixture {
        mailbox: address.to_owned(),
        subject: event.summary.clone().unwrap_or_else(|| "(no title)".to_owned()),
        start: instance.range.start,
        end: instance.range.end,
        show_as,
        sensitivity: if event.class == Classification::Private { "private" } else { "normal" }.to_owned(),
        all_day: instance.all_day,
        attendees: Vec::new(),
    }
}
