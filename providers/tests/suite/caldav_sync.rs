//! Following the changes of calendars on real servers, and seeing no more than busy times.

use crate::caldav_server as server;

use domain::{BusyKind, TimeRange, state::Answer};
use providers::{
    Attendee, AttendeeRole, ChangeFeed as _, Changes, ErrorKind, Event, EventChange, Events as _,
    NamedAddress, NewEvent, Remedy, Session, caldav::CalDav,
};
use server::{Kind, Server, at, caldav};

const ADA: &str = "ada.lovelace@corp.test";
const BO: &str = "bo.lindqvist@corp.test";
const OLGA: &str = "olga.outside@corp.test";
const SERVERS: [Kind; 2] = [Kind::Radicale, Kind::Xandikos];

/// The three weeks of the fixture's events.
fn weeks() -> TimeRange {
    TimeRange::new(at("2026-11-30T00:00:00Z"), at("2026-12-21T00:00:00Z")).unwrap()
}

fn resource(uid: &str, lines: &str) -> String {
    let text = format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Other program//EN\nBEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20261101T000000Z\n\
         {lines}\nEND:VEVENT\nEND:VCALENDAR\n"
    );
    text.replace('\n', "\r\n")
}

async fn changes(caldav: &CalDav, session: &Session, mailbox: &str, cursor: Option<&str>) -> Changes {
    caldav.changes(session, mailbox, weeks(), cursor).await.unwrap()
}

fn days(events: &[Event], title: &str) -> Vec<String> {
    let mut days: Vec<String> = events
        .iter()
        .filter(|event| event.title.as_deref() == Some(title))
        .map(|event| event.range.start.format("%d %H:%M").to_string())
        .collect();
    days.sort_unstable();
    days
}

#[tokio::test]
async fn a_series_that_another_program_changed_is_told_as_a_whole() {
    for kind in SERVERS {
        let (server, caldav) = (Server::start(kind), caldav());
        let session = server.session();
        let daily = "DTSTART:20261207T120000Z\nDURATION:PT30M\nSUMMARY:Daily\nRRULE:FREQ=DAILY;COUNT=3";
        assert!(
            matches!(server.put(ADA, "daily.ics", &resource("daily", daily)).await, 201 | 204),
            "{kind:?}"
        );
        let first = changes(&caldav, &session, ADA, None).await;
        assert!(first.gone.is_empty() && !first.more, "{kind:?}");
        assert_eq!(days(&first.changed, "Daily"), ["07 12:00", "08 12:00", "09 12:00"], "{kind:?}");
        let series = first.changed.iter().find(|event| event.uid == "daily").unwrap().series.clone().unwrap();

        let changed = format!("{daily}\nEXDATE:20261208T120000Z").replace("Daily", "Stand-up");
        assert!(matches!(server.put(ADA, "daily.ics", &resource("daily", &changed)).await, 201 | 204));
        let next = changes(&caldav, &session, ADA, Some(&first.cursor)).await;
        assert_eq!(next.gone, *std::slice::from_ref(&series), "{kind:?}: the whole series is told anew");
        assert_eq!(days(&next.changed, "Stand-up"), ["07 12:00", "09 12:00"], "{kind:?}");
        assert_eq!(next.changed.len(), 2, "{kind:?}: and nothing else");
        assert!(next.changed.iter().all(|event| event.series.as_deref() == Some(series.as_str())));

        let single = "DTSTART:20270301T120000Z\nDURATION:PT30M\nSUMMARY:Much later";
        assert!(matches!(server.put(ADA, "daily.ics", &resource("daily", single)).await, 201 | 204));
        let last = changes(&caldav, &session, ADA, Some(&next.cursor)).await;
        assert_eq!((last.gone, last.changed), (vec![series], vec![]), "{kind:?}: it has left the window");
        let quiet = changes(&caldav, &session, ADA, Some(&last.cursor)).await;
        assert!(quiet.gone.is_empty() && quiet.changed.is_empty(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_cursor_of_another_mailbox_or_of_long_ago_or_of_nobody_is_refused() {
    for kind in SERVERS {
        let (server, clock) = (Server::start(kind), server::clock());
        let (caldav, session) = (server::caldav_at(clock.clone()), server.session());
        let first = changes(&caldav, &session, ADA, None).await;
        for cursor in [first.cursor.as_str(), "nonsense", ""] {
            let error = caldav.changes(&session, BO, weeks(), Some(cursor)).await.unwrap_err();
            assert_eq!((error.kind, error.remedy), (ErrorKind::Gone, Remedy::Resync), "{kind:?} {cursor}");
        }
        clock.advance(chrono::Duration::days(13));
        changes(&caldav, &session, ADA, Some(&first.cursor)).await;
        clock.advance(chrono::Duration::days(1));
        let error = caldav.changes(&session, ADA, weeks(), Some(&first.cursor)).await.unwrap_err();
        assert_eq!((error.kind, error.remedy), (ErrorKind::Gone, Remedy::Resync), "{kind:?}");
    }
}

#[tokio::test]
async fn s4_16_a_calendar_that_shows_no_more_than_busy_times_is_still_read_and_followed() {
    let (server, caldav) = (Server::xandikos(), caldav());
    let session = server.session();
    let open = caldav.busy(&session, &[BO.to_owned()], weeks()).await.unwrap().remove(0).1.unwrap().busy;
    server.close(BO);
    let rights = caldav.calendar(&session, BO).await.unwrap().capabilities;
    assert!(rights.list && rights.free_busy && !rights.read_details && !rights.can_write(), "{rights:?}");
    let busy = caldav.busy(&session, &[BO.to_owned()], weeks()).await.unwrap().remove(0).1.unwrap().busy;
    assert!(!busy.is_empty());
    for one in &busy {
        let covered = |known: &domain::BusyTime| known.range.contains(&one.range);
        assert!(open.iter().any(covered), "{one:?} is among what the events say");
    }
    let first = changes(&caldav, &session, BO, None).await;
    let private = |event: &Event| event.private && event.title.is_none() && event.busy.is_some();
    assert!(first.changed.len() == busy.len() && first.changed.iter().all(private));
    let again = caldav.event(&session, BO, &first.changed[0].id).await.unwrap();
    assert_eq!(again.as_ref(), Some(&first.changed[0]));
    let quiet = changes(&caldav, &session, BO, Some(&first.cursor)).await;
    assert!(quiet.gone.is_empty() && quiet.changed.is_empty());

    server.close("nobody");
    let new = "DTSTART:20261212T120000Z\nDURATION:PT30M\nSUMMARY:Secret";
    assert_eq!(server.put(BO, "new.ics", &resource("new", new)).await, 201);
    server.close(BO);
    let next = changes(&caldav, &session, BO, Some(&first.cursor)).await;
    assert_eq!(next.gone, [first.changed[0].series.clone().unwrap()], "all its times are told anew");
    assert_eq!(next.changed.len(), busy.len() + 1);
    let saturday = |event: &&Event| event.range.start == at("2026-12-12T12:00:00Z");
    assert_eq!(next.changed.iter().find(saturday).unwrap().busy, Some(BusyKind::Busy));
}

#[tokio::test]
async fn an_outbox_that_answers_for_its_owner_alone_leaves_others_out_of_reach() {
    let (server, caldav) = (Server::xandikos(), caldav());
    let session = server.session();
    let asked = [OLGA.to_owned(), "nobody@corp.test".to_owned(), ADA.to_owned()];
    let verdicts = caldav.busy(&session, &asked, weeks()).await.unwrap();
    let kinds: Vec<_> = verdicts.iter().map(|(_, one)| one.as_ref().err().map(|error| error.kind)).collect();
    assert_eq!(kinds, [Some(ErrorKind::OutOfScope), Some(ErrorKind::NoMailbox), None]);
}

#[tokio::test]
async fn rooms_follow_a_booking_on_every_server() {
    let hour = |hour: u32| {
        TimeRange::new(
            at(&format!("2026-12-05T{hour:02}:00:00Z")),
            at(&format!("2026-12-05T{hour:02}:30:00Z")),
        )
        .unwrap()
    };
    let invited = |address: &str, role| Attendee {
        party: NamedAddress { name: address.to_owned(), address: address.to_owned() },
        role,
        answer: Answer::None,
    };
    for kind in SERVERS {
        let (server, caldav) = (Server::start(kind), caldav());
        let session = server.session();
        let room = "room-atlas@corp.test".to_owned();
        let event = NewEvent {
            effect_key: "rooms".to_owned(),
            title: "Interview".to_owned(),
            text: "Agenda".to_owned(),
            range: hour(9),
            zone: "Europe/Berlin".to_owned(),
            location: Some("Atlas".to_owned()),
            organiser: NamedAddress { name: "Ada".to_owned(), address: ADA.to_owned() },
            attendees: vec![invited(BO, AttendeeRole::Required), invited(&room, AttendeeRole::Room)],
            busy: Some(BusyKind::Busy),
            online_meeting: false,
        };
        let taken = async || {
            let day = TimeRange::new(at("2026-12-05T00:00:00Z"), at("2026-12-06T00:00:00Z")).unwrap();
            let verdict = caldav.busy(&session, std::slice::from_ref(&room), day).await.unwrap().remove(0).1;
            verdict.unwrap().busy.into_iter().map(|busy| busy.range).collect::<Vec<_>>()
        };
        let written = caldav.create_event(&session, ADA, &event).await.unwrap();
        assert_eq!(taken().await, [hour(9)], "{kind:?}");
        let change = EventChange { range: Some(hour(14)), ..EventChange::default() };
        for _ in 0..2 {
            let moved = caldav.update_event(&session, ADA, &written.id, &change).await.unwrap();
            assert_eq!((moved.range, taken().await), (hour(14), vec![hour(14)]), "{kind:?}");
        }
        caldav.cancel_event(&session, ADA, &written.id, "It is off.").await.unwrap();
        assert!(taken().await.is_empty(), "{kind:?}");
    }
}
