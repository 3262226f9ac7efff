//! A booking in the owner's calendar and its copy in the room's, after somebody moved or deleted one of them.

use domain::{BusyKind, state::Answer};
use providers::{EventChange, Events as _, NamedAddress, NewEvent};

use super::{ADA, home};
use crate::{
    caldav_script::{caldav, saturday},
    caldav_setup::{Setup, calendar, principal},
};

/// A server with a room, and a booking of Ada's in it.
async fn booked(more: &[(&'static str, String)]) -> (Setup, providers::Event) {
    let mut all = vec![
        ("/p/room-atlas/", principal("Atlas", &["atlas@corp.test"], &["/c/atlas/"])),
        ("/c/atlas/", "<resourcetype><collection/></resourcetype>".to_owned()),
        ("/c/atlas/calendar/", calendar("")),
        ("/c/ada/office/", calendar("")),
    ];
    all.extend(more.iter().cloned());
    let setup = home(&all);
    let attendee = providers::Attendee {
        party: NamedAddress { name: "Atlas".to_owned(), address: "atlas@corp.test".to_owned() },
        role: providers::AttendeeRole::Room,
        answer: Answer::None,
    };
    let new = NewEvent {
        effect_key: "k".to_owned(),
        title: "Talk".to_owned(),
        text: String::new(),
        range: saturday(),
        zone: "Europe/Berlin".to_owned(),
        location: None,
        organiser: NamedAddress { name: "Ada".to_owned(), address: ADA.to_owned() },
        attendees: vec![attendee],
        busy: Some(BusyKind::Busy),
        online_meeting: false,
    };
    let written = caldav().create_event(&setup.session(), ADA, &new).await.unwrap();
    (setup, written)
}

#[tokio::test]
async fn a_copy_of_an_event_that_was_deleted_by_hand_is_removed_by_its_key() {
    let (setup, written) = booked(&[]).await;
    let (caldav, session) = (caldav(), setup.session());
    setup.nodes().remove(&written.id).expect("the event is where its id says");
    assert!(setup.nodes().contains_key("/c/atlas/calendar/muster-k.ics"));
    let rooms = ["atlas@corp.test".to_owned(), "gone@corp.test".to_owned()];
    for _ in 0..2 {
        caldav.cancel_event(&session, ADA, &written.id, "Sorry").await.unwrap();
        caldav.remove_copies(&session, ADA, "k", &rooms).await.unwrap();
        assert!(!setup.nodes().keys().any(|path| path.contains(".ics")), "{:?}", setup.nodes().keys());
    }
    // A copy that the server, or somebody, has put under another name, or in the calendar that is the default no more.
    for (path, name) in [("/c/atlas/calendar/", "moved.ics"), ("/c/atlas/old/", "muster-k.ics")] {
        let (setup, written) = booked(&[("/c/atlas/old/", calendar(""))]).await;
        setup.nodes().remove(&written.id).unwrap();
        let copy = setup.nodes().remove("/c/atlas/calendar/muster-k.ics").unwrap();
        setup.nodes().insert(format!("{path}{name}"), copy);
        crate::caldav_script::caldav().remove_copies(&setup.session(), ADA, "k", &rooms).await.unwrap();
        assert!(!setup.nodes().keys().any(|path| path.contains(".ics")), "{path}{name}");
    }
}

#[tokio::test]
async fn a_room_whose_copy_we_write_stays_accepted_when_the_event_moves() {
    let (setup, written) = booked(&[]).await;
    // A server that schedules asks everybody again when an event is written.
    let asked = setup.nodes()[&written.id].replace("PARTSTAT=ACCEPTED", "PARTSTAT=NEEDS-ACTION");
    assert!(asked.contains("NEEDS-ACTION"));
    setup.nodes().insert(written.id.clone(), asked);
    let to = domain::TimeRange::new(saturday().end, saturday().end + chrono::Duration::hours(1));
    let change = EventChange { range: to, ..EventChange::default() };
    let moved = caldav().update_event(&setup.session(), ADA, &written.id, &change).await.unwrap();
    assert_eq!(moved.attendees[0].answer, Answer::Accepted);
    let copy = setup.nodes()["/c/atlas/calendar/muster-k.ics"].clone();
    assert!(copy.contains("DTSTART:20261206T000000Z"), "{copy}");
}

#[tokio::test]
async fn an_event_that_its_owner_moved_to_another_calendar_is_found_by_its_key_and_not_written_twice() {
    let (setup, written) = booked(&[("/c/ada/zz/", calendar(""))]).await;
    let moved = setup.nodes().remove(&written.id).unwrap();
    setup.nodes().insert("/c/ada/zz/else.ics".to_owned(), moved);
    let found = caldav().find_event(&setup.session(), ADA, "k").await.unwrap();
    assert_eq!(found.unwrap().id, "/c/ada/zz/else.ics");
}
