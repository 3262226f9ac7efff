//! Writing events: creation by key, attendees, and what appears in the calendars of guests and rooms.

use domain::state::Answer;
use providers::{AttendeeRole, ErrorKind, EventChange, NewEvent};

use super::{Fixture, invited, small};

pub async fn an_event_lives_and_dies_by_its_key(f: &Fixture) {
    let mailbox = f.organiser.address.as_str();
    let wanted = NewEvent {
        attendees: vec![invited(&f.guest, AttendeeRole::Required)],
        ..f.meeting("life", f.hours(9, 10))
    };
    assert_eq!(f.find("life").await, None);
    let created = f.create(&wanted).await;
    assert_eq!((created.range, created.effect_key.as_deref()), (wanted.range, Some("life")));
    assert!(!created.uid.is_empty() && !created.version.is_empty());

    let found = f.find("life").await.expect("the event is found by its key");
    assert_eq!((&found.id, &found.uid, found.range), (&created.id, &created.uid, wanted.range));
    assert_eq!(found.title.as_deref(), Some("Meeting life"));
    assert_eq!(
        found.attendees.iter().map(|a| small(&a.party.address)).collect::<Vec<_>>(),
        [small(&f.guest.address)]
    );
    assert_eq!(f.find("lif").await, None, "a part of a key is another key");

    let repeated = f.create(&wanted).await;
    assert_eq!(repeated.id, created.id, "a repeated write answers the event that is there");
    assert_eq!(f.all_events(mailbox, f.day).await.0.len(), 1);

    let change = EventChange {
        range: Some(f.hours(14, 15)),
        zone: Some("Europe/Berlin".to_owned()),
        title: Some("Moved".to_owned()),
        ..EventChange::default()
    };
    for _ in 0..2 {
        let moved = f.provider.update_event(&f.session, mailbox, &created.id, &change).await.unwrap();
        assert_eq!((moved.id.as_str(), moved.range), (created.id.as_str(), f.hours(14, 15)));
    }
    let moved = f.provider.event(&f.session, mailbox, &created.id).await.unwrap().expect("it still stands");
    assert_eq!((moved.title.as_deref(), moved.effect_key.as_deref()), (Some("Moved"), Some("life")));
    assert_ne!(moved.version, found.version, "a change changes the version");
    assert_eq!(moved.attendees.len(), 1, "what is not named stays");

    for _ in 0..2 {
        f.provider.cancel_event(&f.session, mailbox, &created.id, "Sorry").await.unwrap();
    }
    assert_eq!(f.find("life").await, None, "a cancelled event is not live");
    assert_eq!(f.busy(mailbox).await, []);
}

pub async fn attendees_are_replaced_as_a_whole(f: &Fixture) {
    let mailbox = f.organiser.address.as_str();
    let wanted = NewEvent {
        attendees: vec![invited(&f.guest, AttendeeRole::Required)],
        ..f.meeting("people", f.hours(9, 10))
    };
    let created = f.create(&wanted).await;
    let list = vec![invited(&f.room, AttendeeRole::Room)];
    let change = EventChange { attendees: Some(list), ..EventChange::default() };
    f.provider.update_event(&f.session, mailbox, &created.id, &change).await.unwrap();
    let found = f.find("people").await.unwrap();
    let names: Vec<_> = found.attendees.iter().map(|a| (small(&a.party.address), a.role)).collect();
    assert_eq!(names, [(small(&f.room.address), AttendeeRole::Room)]);
    assert_eq!(found.range, wanted.range, "what is not named stays");
}

pub async fn an_invitation_stands_in_the_guests_calendar(f: &Fixture) {
    if !f.provider.features().invitations {
        return;
    }
    let wanted = NewEvent {
        attendees: vec![invited(&f.guest, AttendeeRole::Required)],
        ..f.meeting("guest", f.hours(9, 10))
    };
    let created = f.create(&wanted).await;
    (f.settle)();
    let copies = f.all_events(&f.guest.address, f.day).await.0;
    let copy = copies.iter().find(|event| event.uid == created.uid).expect("the invitation arrived");
    assert_eq!(copy.range, wanted.range);
    let organiser = copy.organiser.as_ref().expect("an invitation names who invites");
    assert_eq!(small(&organiser.address), small(&f.organiser.address));
    f.provider.cancel_event(&f.session, &f.organiser.address, &created.id, "Sorry").await.unwrap();
    (f.settle)();
    let copies = f.all_events(&f.guest.address, f.day).await.0;
    assert!(copies.iter().all(|event| event.busy.is_none()), "a cancelled meeting blocks nobody");
}

pub async fn a_room_answers_its_invitation(f: &Fixture) {
    if !f.provider.features().rooms_answer {
        return;
    }
    let with_room = |key: &str| NewEvent {
        attendees: vec![invited(&f.room, AttendeeRole::Room)],
        ..f.meeting(key, f.hours(9, 10))
    };
    let first = f.create(&with_room("first")).await;
    let answer = async |id: &str| {
        let event = f.provider.event(&f.session, &f.organiser.address, id).await.unwrap().unwrap();
        event.attendees.iter().find(|a| a.role == AttendeeRole::Room).map(|room| room.answer)
    };
    (f.settle)();
    assert_eq!(answer(&first.id).await, Some(Answer::Accepted));
    let second = f.create(&with_room("second")).await;
    (f.settle)();
    assert_eq!(answer(&second.id).await, Some(Answer::Declined), "the room is taken");
}

pub async fn an_event_without_attendees_is_deleted_quietly(f: &Fixture) {
    let mailbox = f.organiser.address.as_str();
    let created = f.create(&f.meeting("probe", f.hours(9, 10))).await;
    for _ in 0..2 {
        f.provider.delete_event(&f.session, mailbox, &created.id).await.unwrap();
    }
    assert_eq!(f.provider.event(&f.session, mailbox, &created.id).await.unwrap(), None);
    assert_eq!(f.find("probe").await, None);
    let other = f.create(&f.meeting("lonely", f.hours(9, 10))).await;
    f.provider.cancel_event(&f.session, mailbox, &other.id, "Sorry").await.unwrap();
    assert_eq!(f.find("lonely").await, None, "an event without attendees can be cancelled too");
}

pub async fn an_event_that_never_was_is_none(f: &Fixture) {
    let mailbox = f.organiser.address.as_str();
    let created = f.create(&f.meeting("gone", f.hours(9, 10))).await;
    f.provider.delete_event(&f.session, mailbox, &created.id).await.unwrap();
    let change = EventChange { title: Some("Late".to_owned()), ..EventChange::default() };
    let error = f.provider.update_event(&f.session, mailbox, &created.id, &change).await.unwrap_err();
    assert_eq!((error.kind, error.unknown), (ErrorKind::Gone, false));
}
