//! What has changed since a cursor.

use std::collections::BTreeMap;

use providers::{Attendee, AttendeeRole, ChangeCheck, ErrorKind, Event, EventChange, NewEvent, Remedy};

use super::{Fixture, invited};

/// A copy of a calendar, as whoever follows its changes keeps it.
#[derive(Default)]
struct Copy {
    events: BTreeMap<String, Event>,
    cursor: Option<String>,
}

impl Copy {
    /// Takes in everything that has changed; returns how many pages it took.
    async fn follow(&mut self, f: &Fixture) -> usize {
        for pages in 1.. {
            let mailbox = f.organiser.address.as_str();
            let page = f.provider.changes(&f.session, mailbox, f.day, self.cursor.as_deref()).await.unwrap();
            let is_gone = |id: &String| page.gone.contains(id);
            self.events.retain(|id, event| !is_gone(id) && !event.series.as_ref().is_some_and(is_gone));
            self.events.extend(page.changed.into_iter().map(|event| (event.id.clone(), event)));
            let goes_on = self.cursor.as_deref() != Some(page.cursor.as_str());
            assert!(goes_on || !page.more, "it goes on");
            self.cursor = Some(page.cursor);
            if !page.more {
                return pages;
            }
        }
        unreachable!("pages end")
    }

    /// The titles of what takes time, in their order.
    fn titles(&self) -> Vec<&str> {
        let mut titles: Vec<_> = self
            .events
            .values()
            .filter(|event| event.busy.is_some())
            .filter_map(|event| event.title.as_deref())
            .collect();
        titles.sort_unstable();
        titles
    }
}

pub async fn changes_since_a_cursor_bring_a_copy_up_to_date(f: &Fixture) {
    let mailbox = f.organiser.address.as_str();
    let stays = f.create(&f.meeting("stays", f.hours(8, 9))).await;
    let goes = f.create(&f.meeting("goes", f.hours(9, 10))).await;
    let attendees: Vec<Attendee> = vec![invited(&f.guest, AttendeeRole::Required)];
    let moves = f.create(&NewEvent { attendees, ..f.meeting("moves", f.hours(10, 11)) }).await;
    let leaves = f.create(&f.meeting("leaves", f.hours(11, 12))).await;
    let mut copy = Copy::default();
    copy.follow(f).await;
    assert_eq!(copy.titles(), ["Meeting goes", "Meeting leaves", "Meeting moves", "Meeting stays"]);
    assert_eq!(copy.events[&moves.id].range, f.hours(10, 11));

    f.provider.delete_event(&f.session, mailbox, &goes.id).await.unwrap();
    let to = |start, end, title: &str| EventChange {
        range: Some(f.hours(start, end)),
        zone: Some("Europe/Berlin".to_owned()),
        title: Some(title.to_owned()),
        ..EventChange::default()
    };
    f.provider.update_event(&f.session, mailbox, &moves.id, &to(14, 15, "Moved")).await.unwrap();
    f.provider
        .update_event(&f.session, mailbox, &leaves.id, &to(24 * 40, 24 * 40 + 1, "Left"))
        .await
        .unwrap();
    f.create(&f.meeting("comes", f.hours(16, 17))).await;
    (f.settle)();
    copy.follow(f).await;
    let in_window: Vec<&str> = {
        copy.events.retain(|_, event| event.range.overlaps(&f.day));
        copy.titles()
    };
    assert_eq!(in_window, ["Meeting comes", "Meeting stays", "Moved"]);
    assert_eq!(copy.events[&moves.id].range, f.hours(14, 15));
    assert!(copy.events.contains_key(&stays.id));

    let cursor = copy.cursor.clone();
    let page = f.provider.changes(&f.session, mailbox, f.day, cursor.as_deref()).await.unwrap();
    assert!(page.changed.is_empty() && page.gone.is_empty() && !page.more, "nothing has changed: {page:?}");
}

pub async fn a_cursor_that_was_forgotten_is_said_so(f: &Fixture) {
    let mailbox = f.organiser.address.as_str();
    f.create(&f.meeting("there", f.hours(8, 9))).await;
    let mut copy = Copy::default();
    copy.follow(f).await;
    (f.forget_cursors)();
    let error =
        f.provider.changes(&f.session, mailbox, f.day, copy.cursor.as_deref()).await.expect_err("forgotten");
    assert_eq!((error.kind, error.remedy), (ErrorKind::Gone, Remedy::Resync), "{error:?}");
    let mut again = Copy::default();
    again.follow(f).await;
    assert_eq!(again.titles(), ["Meeting there"]);
}

/// Asks whether the organiser's calendar has changed.
async fn since(f: &Fixture, watermark: Option<&str>) -> ChangeCheck {
    f.provider.poll_changes(&f.session, &f.organiser.address, f.day, watermark).await.unwrap()
}

/// The watermark of an answer that something has changed.
fn changed(answer: ChangeCheck) -> String {
    match answer {
        ChangeCheck::Changed(Some(watermark)) => watermark,
        other => panic!("nothing new to ask with: {other:?}"),
    }
}

/// The watermark of an answer that nothing has.
fn same(answer: ChangeCheck) -> String {
    match answer {
        ChangeCheck::Same(watermark) => watermark,
        ChangeCheck::Changed(_) => panic!("nothing has changed"),
    }
}

pub async fn a_watermark_tells_whether_anything_has_changed(f: &Fixture) {
    let mailbox = f.organiser.address.as_str();
    f.create(&f.meeting("there", f.hours(8, 9))).await;
    let mut at = changed(since(f, None).await);
    at = same(since(f, Some(&at)).await);
    at = same(since(f, Some(&at)).await);
    let event = f.create(&f.meeting("comes", f.hours(9, 10))).await;
    // The answer may be lost: it is given again.
    changed(since(f, Some(&at)).await);
    let created = changed(since(f, Some(&at)).await);
    at = same(since(f, Some(&created)).await);
    let to = EventChange {
        range: Some(f.hours(10, 11)),
        zone: Some("Europe/Berlin".to_owned()),
        ..EventChange::default()
    };
    f.provider.update_event(&f.session, mailbox, &event.id, &to).await.unwrap();
    at = changed(since(f, Some(&at)).await);
    at = same(since(f, Some(&at)).await);
    f.provider.delete_event(&f.session, mailbox, &event.id).await.unwrap();
    at = changed(since(f, Some(&at)).await);
    same(since(f, Some(&at)).await);
}

pub async fn a_watermark_that_was_forgotten_or_is_anothers_is_replaced(f: &Fixture) {
    f.create(&f.meeting("there", f.hours(8, 9))).await;
    let at = changed(since(f, None).await);
    (f.forget_cursors)();
    f.create(&f.meeting("unseen", f.hours(9, 10))).await;
    let mut next = changed(since(f, Some(&at)).await);
    next = same(since(f, Some(&next)).await);
    let guest = f.guest.address.as_str();
    let of_another = f.provider.poll_changes(&f.session, guest, f.day, Some(&next)).await.unwrap();
    let of_another = changed(of_another);
    let again = f.provider.poll_changes(&f.session, guest, f.day, Some(&of_another)).await.unwrap();
    same(again);
    for nonsense in ["", "nonsense", "{}", r#"{"link":"https://graph.evil.test/v1.0/x"}"#] {
        changed(since(f, Some(nonsense)).await);
    }
}
