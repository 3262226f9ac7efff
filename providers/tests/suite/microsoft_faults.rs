//! What goes wrong at Microsoft, planted in the sandbox, and what the connector says must be done about it.

use crate::microsoft_setup;

use chrono::Duration;
use domain::{BusyKind, TimeRange, state::Answer};
use microsoft_setup::{Setup, text};
use providers::{
    Attendee, AttendeeRole, Error, ErrorKind, Event, Events as _, NamedAddress, NewEvent, Remedy, Result,
    Session,
};
use serde_json::{Value, json};

const CLIENT: &str = "11111111-2222-4333-8444-555555555555";

struct Acme {
    setup: Setup,
    session: Session,
    domain: String,
    ada: NamedAddress,
    room: NamedAddress,
}

fn party(mailbox: &Value) -> NamedAddress {
    NamedAddress { name: text(&mailbox["name"]).to_owned(), address: text(&mailbox["address"]).to_owned() }
}

fn hour() -> TimeRange {
    let start = "2026-12-01T09:00:00Z".parse().unwrap();
    TimeRange::new(start, start + Duration::hours(1)).unwrap()
}

impl Acme {
    async fn start() -> Self {
        let setup = Setup::start().await;
        let organisation = setup.organisation("Acme", 4, 1).await;
        setup.consent(&organisation).await;
        let session = setup.session(&organisation);
        Self {
            session,
            domain: text(&organisation["domain"]).to_owned(),
            ada: party(&organisation["users"][1]),
            room: party(&organisation["rooms"][0]),
            setup,
        }
    }

    async fn tell(&self, path: &str, body: Value) {
        self.setup.control(&format!("organisations/{}/{path}", self.domain), &body).await;
    }

    /// A meeting of Ada's in the room.
    async fn book(&self) -> Event {
        let room = Attendee { party: self.room.clone(), role: AttendeeRole::Room, answer: Answer::None };
        let event = NewEvent {
            effect_key: "key".to_owned(),
            title: "Interview".to_owned(),
            text: "Agenda".to_owned(),
            range: hour(),
            zone: "Europe/Berlin".to_owned(),
            location: None,
            organiser: self.ada.clone(),
            attendees: vec![room],
            busy: Some(BusyKind::Busy),
            online_meeting: false,
        };
        self.setup.microsoft.create_event(&self.session, &self.ada.address, &event).await.unwrap()
    }

    async fn answer_of_room(&self, event: &Event) -> Answer {
        let found = self.setup.microsoft.event(&self.session, &self.ada.address, &event.id).await;
        found.unwrap().unwrap().attendees[0].answer
    }

    async fn events(&self) -> Result<Vec<Event>> {
        let page = self.setup.microsoft.events(&self.session, &self.ada.address, hour(), None).await;
        page.map(|page| page.items)
    }
}

fn verdict<T: std::fmt::Debug>(result: Result<T>) -> (ErrorKind, Remedy, String) {
    let Error { kind, remedy, code, .. } = result.unwrap_err();
    (kind, remedy, code)
}

#[tokio::test]
async fn an_expired_secret_is_the_operators_affair_and_no_lost_consent() {
    let acme = Acme::start().await;
    let path = format!("apps/{CLIENT}/secret");
    acme.setup.control(&path, &json!({ "expires_at": "2026-11-30T08:00:00Z" })).await;
    let (kind, remedy, code) = verdict(acme.events().await);
    assert_eq!((kind, remedy, code.as_str()), (ErrorKind::Misconfigured, Remedy::Never, "AADSTS7000222"));
    acme.setup.control(&path, &json!({})).await;
    assert!(acme.events().await.is_ok(), "once there is a good one, all is well");
}

#[tokio::test]
async fn a_mailbox_that_is_gone_or_on_premises_is_skipped_and_the_others_served() {
    for kind in ["none", "onprem"] {
        let acme = Acme::start().await;
        acme.tell("mailbox", json!({ "address": acme.ada.address, "kind": kind })).await;
        let (error, remedy, _) = verdict(acme.events().await);
        assert_eq!(remedy, Remedy::SkipMailbox, "{kind}");
        assert!(matches!(error, ErrorKind::NotServed | ErrorKind::NoMailbox), "{kind}: {error:?}");
        let room = acme.setup.microsoft.events(&acme.session, &acme.room.address, hour(), None).await;
        assert!(room.is_ok(), "{kind}: {room:?}");
    }
}

#[tokio::test]
async fn s4_16_hidden_details_are_private_and_their_times_count() {
    let acme = Acme::start().await;
    acme.book().await;
    acme.tell("mailbox", json!({ "address": acme.ada.address, "hides_details": true })).await;
    let events = acme.events().await.unwrap();
    assert_eq!((events.len(), events[0].range, events[0].busy), (1, hour(), Some(BusyKind::Busy)));
    assert!(events[0].private && events[0].title.as_deref() != Some("Interview"), "{:?}", events[0]);
    assert!(events[0].attendees.is_empty());
}

#[tokio::test]
async fn b16_a_room_that_waits_for_somebody_or_says_nothing_has_not_accepted() {
    let acme = Acme::start().await;
    let room = |change: Value| {
        let mut body = change;
        body["address"] = json!(acme.room.address);
        body
    };
    acme.tell("room", room(json!({ "approver": acme.ada.address }))).await;
    let event = acme.book().await;
    assert_eq!(acme.answer_of_room(&event).await, Answer::Tentative);
    acme.tell("room/answer", json!({ "room": acme.room.address, "accept": true })).await;
    assert_eq!(acme.answer_of_room(&event).await, Answer::Accepted);

    let silent = Acme::start().await;
    silent.tell("room", json!({ "address": silent.room.address, "auto_accept": false })).await;
    let event = silent.book().await;
    silent.setup.clock.advance(Duration::minutes(30));
    assert_eq!(silent.answer_of_room(&event).await, Answer::None);
}

#[tokio::test]
async fn a_clock_that_is_wrong_at_microsoft_costs_a_new_token_and_no_consent() {
    let acme = Acme::start().await;
    acme.setup.control("clock/skew", &json!({ "seconds": 300 })).await;
    assert!(acme.events().await.is_ok(), "a token from the near future is used as it is");
    let late = Acme::start().await;
    late.setup.control("clock/skew", &json!({ "seconds": -7200 })).await;
    let (_, remedy, _) = verdict(late.events().await);
    assert_ne!(remedy, Remedy::SkipMailbox, "no mailbox is to blame for it");
    late.setup.control("clock/skew", &json!({ "seconds": 0 })).await;
    assert!(late.events().await.is_ok(), "nothing was lost");
}

#[tokio::test]
async fn b3_a_consent_that_has_not_spread_yet_is_told_from_one_that_is_missing() {
    let setup = Setup::start().await;
    let organisation = setup.organisation("Acme", 3, 0).await;
    let path = format!("organisations/{}/settings", text(&organisation["id"]));
    setup.control(&path, &json!({ "consent_from": "2026-11-30T09:00:00Z" })).await;
    setup.consent(&organisation).await;
    let ada = party(&organisation["users"][1]);
    let before = setup.microsoft.calendar(&setup.session(&organisation), &ada.address).await;
    let (kind, remedy, _) = verdict(before);
    assert_ne!((kind, remedy), (ErrorKind::NoMailbox, Remedy::SkipMailbox));
    setup.clock.advance(Duration::hours(1));
    assert!(setup.microsoft.calendar(&setup.session(&organisation), &ada.address).await.is_ok());
}
