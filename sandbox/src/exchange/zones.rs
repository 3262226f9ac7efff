//! Time zones by their Windows names, and the server's description of them.

use chrono::{Datelike as _, Duration, NaiveDate, Utc};
use domain::Timestamp;

use super::{
    account::CallContext,
    failure::Failure,
    xml::{Element, escape_attribute, operation_response, success_message},
};
use crate::microsoft::graph::zones::Zone;

/// Finds a time zone by name; Exchange accepts only Windows names.
pub fn find_zone(name: &str) -> Result<Zone, Failure> {
    let known = name.parse::<windows_timezones::WindowsTimezone>().is_ok();
    let zone = Zone::find(name).ok().filter(|_| known || name == "UTC");
    zone.ok_or_else(|| {
        Failure::new("ErrorTimeZone", format!("The time zone '{name}' is not known to this server."))
    })
}

/// Handles GetServerTimeZones, for zones requested by id.
pub fn get_server_time_zones(call: &CallContext<'_>, operation: &Element) -> String {
    let year = call.app.now().year();
    let all: String = operation
        .children_of("Ids")
        .iter()
        .filter_map(|id| find_zone(id.text.trim()).ok())
        .map(|zone| definition(&zone, year))
        .collect();
    let inside = format!("<m:TimeZoneDefinitions>{all}</m:TimeZoneDefinitions>");
    operation_response("GetServerTimeZones", &[success_message("GetServerTimeZones", &inside)])
}

/// Name of the standard or daylight-saving period of a zone.
fn period(kind: &str, offset_s: i32) -> String {
    let sign = if offset_s > 0 { "-" } else { "" };
    let minutes = offset_s.abs() / 60;
    let bias = format!("{sign}PT{}H{}M", minutes / 60, minutes % 60);
    format!(r#"<t:Period Bias="{bias}" Name="{kind}" Id="trule:{kind}"/>"#)
}

fn definition(zone: &Zone, year: i32) -> String {
    let name = escape_attribute(&zone.name);
    let changes = changes(&zone.rules, year);
    let standard =
        changes.iter().map(|change| change.1).chain(first_offset(&zone.rules, year)).min().unwrap_or(0);
    let mut periods = period("Standard", standard);
    let mut rules = String::new();
    for (at, offset) in &changes {
        let kind = if *offset == standard { "Standard" } else { "Daylight" };
        if kind == "Daylight" {
            periods += &period(kind, *offset);
        }
        rules += &recurring(kind, *at, *offset, &changes);
    }
    if rules.is_empty() {
        rules += r#"<t:Transition><t:To Kind="Period">trule:Standard</t:To></t:Transition>"#;
    }
    format!(
        r#"<t:TimeZoneDefinition Id="{name}" Name="{name}"><t:Periods>{periods}</t:Periods><t:TransitionsGroups><t:TransitionsGroup Id="0">{rules}</t:TransitionsGroup></t:TransitionsGroups><t:Transitions><t:Transition><t:To Kind="Group">0</t:To></t:Transition></t:Transitions></t:TimeZoneDefinition>"#
    )
}

fn first_offset(rules: &domain::Zone, year: i32) -> Option<i32> {
    let start = NaiveDate::from_ymd_opt(year, 1, 1)?.and_hms_opt(0, 0, 0)?.and_utc();
    Some(offset(rules, start))
}

fn offset(rules: &domain::Zone, at: Timestamp) -> i32 {
    rules.at(at).offset().local_minus_utc()
}

/// The offset changes within a year: the instants and the new offsets in seconds.
fn changes(rules: &domain::Zone, year: i32) -> Vec<(Timestamp, i32)> {
    let start = NaiveDate::from_ymd_opt(year, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
    let Some(start) = start.map(|start| start.and_utc()) else { return Vec::new() };
    let mut changes = Vec::new();
    let mut before = offset(rules, start);
    for half_hours in 1..366 * 48 {
        let at = start + Duration::minutes(30 * half_hours);
        let after = offset(rules, at);
        if after != before && at.year() == year {
            changes.push((at, after));
        }
        before = after;
    }
    changes
}

/// A change on the same weekday every year: its first to fourth occurrence in the month, or the last.
fn recurring(kind: &str, at: Timestamp, offset_s: i32, all: &[(Timestamp, i32)]) -> String {
    // The hour is told in the time that ends.
    let before = all.iter().map(|(_, offset)| *offset).find(|other| *other != offset_s).unwrap_or(offset_s);
    let local = at.with_timezone(&Utc).naive_utc() + Duration::seconds(i64::from(before));
    let week = (local.day() - 1) / 7 + 1;
    let is_last = (local + Duration::days(7)).month() != local.month();
    let minutes = local.signed_duration_since(local.date().and_time(chrono::NaiveTime::MIN)).num_minutes();
    format!(
        r#"<t:RecurringDayTransition><t:To Kind="Period">trule:{kind}</t:To><t:TimeOffset>PT{}H{}M</t:TimeOffset><t:Month>{}</t:Month><t:DayOfWeek>{}</t:DayOfWeek><t:Occurrence>{}</t:Occurrence></t:RecurringDayTransition>"#,
        minutes / 60,
        minutes % 60,
        local.month(),
        local.format("%A"),
        if is_last { -1 } else { i64::from(week) },
    )
}
