//! Simulates a provider's asynchronous work: invitations, responses of rooms, online meetings.

use domain::state::Answer;

use super::record::{DEFAULT_CALENDAR, StoredEvent, SystemState};
use crate::{AttendeeRole, Event, OnlineMeeting};

impl SystemState {
    /// Brings invitations, responses of rooms and online meetings up to date with the events.
    pub(super) fn finish_pending_work(&mut self) {
        for key in self.event_keys_where(|entry| entry.event.online_meeting == Some(OnlineMeeting::Pending)) {
            let ready = OnlineMeeting::Ready(format!("https://meet.memory.example/{key}"));
            self.change(key, |entry| entry.event.online_meeting = Some(ready));
        }
        self.withdraw();
        for key in
            self.event_keys_where(|entry| entry.invited_by.is_none() && !entry.event.attendees.is_empty())
        {
            self.invite(key);
        }
    }

    /// Removes invitations to events that no longer exist or no longer include the mailbox.
    fn withdraw(&mut self) {
        let stands = |record: &Self, entry: &StoredEvent| {
            let by = entry.invited_by.as_ref();
            let original = record.entries.values().find(|one| Some(&one.event.id) == by && !one.deleted);
            original.is_some_and(|one| invites(&one.event, &entry.mailbox))
        };
        let left: Vec<u64> = self.event_keys_where(|entry| entry.invited_by.is_some());
        for key in left {
            if self.entries.get(&key).is_some_and(|entry| !stands(self, entry)) {
                self.change(key, |entry| entry.deleted = true);
            }
        }
    }

    /// Delivers the invitations to one event, and sets the responses of its rooms.
    fn invite(&mut self, key: u64) {
        let Some(original) = self.entries.get(&key).cloned() else { return };
        for attendee in &original.event.attendees {
            let at = attendee.party.address.clone();
            let answer = match (attendee.role, attendee.answer) {
                (AttendeeRole::Room, Answer::None) if self.is_free(&at, &original) => Answer::Accepted,
                (AttendeeRole::Room, Answer::None) => Answer::Declined,
                (_, answer) => answer,
            };
            if answer != attendee.answer {
                self.change(key, |entry| {
                    let mut listed = entry.event.attendees.iter_mut();
                    listed
                        .find(|one| one.party.address == at)
                        .into_iter()
                        .for_each(|one| one.answer = answer);
                });
            }
            if answer != Answer::Declined && at != original.mailbox {
                self.deliver(&at, &original);
            }
        }
    }

    /// Adds an invitation to a mailbox, or updates the existing one.
    fn deliver(&mut self, mailbox: &str, original: &StoredEvent) {
        let copies = |entry: &StoredEvent| {
            entry.mailbox == mailbox && entry.invited_by.as_ref() == Some(&original.event.id)
        };
        let invitation = Event { effect_key: None, ..original.event.clone() };
        let Some(key) = self.event_keys_where(copies).first().copied() else {
            let invited_by = Some(original.event.id.clone());
            self.add(StoredEvent {
                mailbox: mailbox.to_owned(),
                calendar: DEFAULT_CALENDAR.to_owned(),
                event: invitation,
                invited_by,
                ..original.clone()
            });
            return;
        };
        let is_stale = self.entries.get(&key).is_some_and(|entry| {
            entry.event.range != invitation.range || entry.event.title != invitation.title
        });
        if is_stale {
            self.change(key, |entry| {
                entry.event = Event { id: entry.event.id.clone(), ..invitation };
            });
        }
    }

    /// Whether a room is free at the time of an event.
    fn is_free(&self, room: &str, wanted: &StoredEvent) -> bool {
        let other = |entry: &&StoredEvent| {
            entry.invited_by.as_ref() != Some(&wanted.event.id) && entry.event.busy.is_some()
        };
        !self.events_of(room).filter(other).any(|entry| entry.event.range.overlaps(&wanted.event.range))
    }
}

fn invites(event: &Event, mailbox: &str) -> bool {
    event.attendees.iter().any(|attendee| attendee.party.address == mailbox)
}
