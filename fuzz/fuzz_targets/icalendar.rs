#![no_main]

use domain::{
    TimeRange, Zone,
    budget::ParseBudget,
    ical::{Calendar, expand},
};

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let at = |text: &str| text.parse().expect("a time");
    let window = TimeRange { start: at("2026-12-01T00:00:00Z"), end: at("2027-01-30T00:00:00Z") };
    let mut budget = ParseBudget::for_provider_response();
    if let Ok(calendar) = Calendar::parse_within(text, &mut budget) {
        expand(&calendar, window, &Zone::UTC, &mut budget);
    }
    let _ = domain::ical::parse_free_busy(text);
    let _ = domain::ical::parse_vtimezone(text);
});
