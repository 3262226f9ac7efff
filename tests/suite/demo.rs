//! The main job by `muster demo`, for every calendar system, as a newcomer runs it: with a server of its own.

use std::process::{Command, Stdio};

use chrono::Datelike as _;
use domain::{Clock as _, SystemClock};
use serde_json::Value;

use crate::radicale::Radicale;

/// Runs the demo; returns the steps that were not applicable. Fails unless every other one was as it must be.
fn walked(provider: &str, more: &[String]) -> Vec<String> {
    let ran = Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["demo", "--json", "--users", "4", "--provider", provider])
        .args(more)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (said, complained) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}\n{complained}");
    let report: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(report["ok"], true, "{report}");
    let steps = report["steps"].as_array().unwrap();
    let verdict = |step: &Value| step["verdict"].as_str().unwrap().to_owned();
    assert!(
        steps.iter().all(|step| ["done", "not applicable"].contains(&verdict(step).as_str())),
        "{report}"
    );
    let left_out = steps.iter().filter(|step| verdict(step) == "not applicable");
    left_out.map(|step| step["step"].as_str().unwrap().to_owned()).collect()
}

fn monday() -> String {
    let today = SystemClock.now().date_naive();
    (today - chrono::Days::new(u64::from(today.weekday().num_days_from_monday()))).to_string()
}

/// What the demo is told of a CalDAV server.
fn account(server: &Radicale) -> Vec<String> {
    let users = server.users.to_str().unwrap();
    let told = [
        ("--calendar-url", server.url.as_str()),
        ("--calendar-user", "svc"),
        ("--calendar-password", server.password.as_str()),
        ("--calendar-users-file", users),
        ("--out-of-reach", "olga.outside@corp.test"),
    ];
    told.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_owned()]).collect()
}

#[test]
fn b19_the_demo_walks_through_microsoft_365() {
    assert_eq!(walked("microsoft-365", &[]), ["TypeCredentials"]);
}

#[test]
fn b19_the_demo_walks_through_google_workspace() {
    assert_eq!(walked("google-workspace", &[]), ["SignIn", "Consent"]);
}

#[test]
fn b19_the_demo_walks_through_exchange() {
    assert_eq!(walked("exchange", &[]), ["SignIn", "Consent"]);
}

#[test]
fn b19_the_demo_walks_through_caldav_on_radicale() {
    let server = Radicale::start(&monday());
    assert_eq!(walked("caldav", &account(&server)), ["SignIn", "Consent", "RoomAnswer"]);
}

#[test]
fn b19_the_demo_walks_through_caldav_on_xandikos() {
    let server = Radicale::xandikos(&monday());
    assert_eq!(walked("caldav", &account(&server)), ["SignIn", "Consent", "RoomAnswer"]);
}
