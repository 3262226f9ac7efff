//! Writes events so that every write can be repeated.
//!
//! Exchange executes a repeated request again. Therefore a new event is searched for by its key before it is
//! created, a change names the version on which it is based, and removing an event that no longer exists succeeds.
//! The elements of a calendar item are in the order of the schema, which servers check.

use domain::BusyKind;

use super::{
    Exchange, failure, item,
    read::ReadItem,
    soap::{self, DEFAULT_CALENDAR, MESSAGES},
    transport::SoapRequest,
    zones,
};
use crate::{Attendee, AttendeeRole, Error, ErrorKind, Event, EventChange, NewEvent, Result, Session};

/// How an event is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RemovalMode {
    /// Deletes the event permanently, without notifying anybody.
    Quiet,
    /// Moves the event to the folder Deleted Items and notifies the attendees, if there are any.
    Told,
}

impl Exchange {
    /// Writes a new event, or returns the existing one.
    pub(super) async fn write_event(
        &self,
        session: &Session,
        mailbox: &str,
        new: &NewEvent,
    ) -> Result<Event> {
        if let Some(there) = self.search_event(session, mailbox, &new.effect_key).await? {
            return Ok(there);
        }
        let call = SoapRequest::new("CreateItem", creation(new)).in_mailbox(mailbox).for_write();
        let answer = self.call(session, call).await?;
        let message = answer.single_message()?;
        let made = message.child(MESSAGES, "Items").and_then(|items| items.children.first());
        let made = made.and_then(item::item_id).ok_or_else(|| answer.unreadable_error())?;
        let read = self.read_item(session, mailbox, &made.id).await.map_err(Error::with_unknown_outcome)?;
        read.and_then(|read| read.event).ok_or_else(|| failure::unexpected_response().with_unknown_outcome())
    }

    /// Applies a change to an event. A version conflict changes nothing, so the event is then read again and the
    /// change repeated once.
    pub(super) async fn change_event(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
        change: &EventChange,
    ) -> Result<Event> {
        let mut conflict = None;
        for _ in 0..2 {
            let there = self.read_item(session, mailbox, id).await?.ok_or_else(failure::event_gone)?;
            let updates = updates(change);
            if updates.is_empty() {
                return there.event.ok_or_else(failure::unexpected_response);
            }
            match self.update(session, mailbox, &there, change, &updates).await {
                Ok(()) => {
                    let read =
                        self.read_item(session, mailbox, id).await.map_err(Error::with_unknown_outcome)?;
                    return read
                        .ok_or_else(failure::event_gone)?
                        .event
                        .ok_or_else(failure::unexpected_response);
                }
                Err(error) if error.kind == ErrorKind::Conflict => conflict = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(conflict.unwrap_or_else(failure::unexpected_response))
    }

    async fn update(
        &self,
        session: &Session,
        mailbox: &str,
        there: &ReadItem,
        change: &EventChange,
        updates: &str,
    ) -> Result<()> {
        let moves = change.range.is_some()
            || change.title.is_some()
            || change.text.is_some()
            || change.location.is_some();
        let alone = there.attendees.is_empty() && change.attendees.as_ref().is_none_or(Vec::is_empty);
        let told = match (alone, moves) {
            (true, _) => "SendToNone",
            (false, true) => "SendToAllAndSaveCopy",
            (false, false) => "SendToChangedAndSaveCopy",
        };
        let body = format!(
            r#"<m:UpdateItem MessageDisposition="SaveOnly" ConflictResolution="NeverOverwrite" SendMeetingInvitationsOrCancellations="{told}"><m:ItemChanges><t:ItemChange>{}<t:Updates>{updates}</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"#,
            named("t:ItemId", there)
        );
        let call = SoapRequest::new("UpdateItem", body).in_mailbox(mailbox).about_items().for_write();
        self.call(session, call).await?.single_message().map(drop)
    }

    /// Cancels an event with a message. This works only for the organiser's copy of a meeting; any other event is
    /// deleted.
    pub(super) async fn cancel_meeting(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
        message: &str,
    ) -> Result<()> {
        let Some(there) = self.read_item(session, mailbox, id).await? else { return Ok(()) };
        if there.attendees.is_empty() {
            return self.remove(session, mailbox, &there, RemovalMode::Told).await;
        }
        let body = format!(
            r#"<m:CreateItem MessageDisposition="SendAndSaveCopy"><m:Items><t:CancelCalendarItem>{}<t:NewBodyContent BodyType="Text">{}</t:NewBodyContent></t:CancelCalendarItem></m:Items></m:CreateItem>"#,
            named("t:ReferenceItemId", &there),
            soap::escape_text(message)
        );
        let call = SoapRequest::new("CreateItem", body).in_mailbox(mailbox).about_items().for_write();
        match self.call(session, call).await.and_then(|answer| answer.single_message().map(drop)) {
            Err(error) if error.kind == ErrorKind::Gone => Ok(()),
            Err(error) if error.code == "ErrorCalendarIsNotOrganizer" => {
                self.remove(session, mailbox, &there, RemovalMode::Quiet).await
            }
            done => done,
        }
    }

    /// Removes an event regardless of its version. Succeeds if it no longer exists.
    pub(super) async fn remove_event(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
        removal: RemovalMode,
    ) -> Result<()> {
        match self.read_item(session, mailbox, id).await? {
            Some(there) => self.remove(session, mailbox, &there, removal).await,
            None => Ok(()),
        }
    }

    async fn remove(
        &self,
        session: &Session,
        mailbox: &str,
        there: &ReadItem,
        removal: RemovalMode,
    ) -> Result<()> {
        let (kind, told) = match removal {
            RemovalMode::Quiet => ("HardDelete", "SendToNone"),
            RemovalMode::Told if there.attendees.is_empty() => ("MoveToDeletedItems", "SendToNone"),
            RemovalMode::Told => ("MoveToDeletedItems", "SendToAllAndSaveCopy"),
        };
        let body = format!(
            r#"<m:DeleteItem DeleteType="{kind}" SendMeetingCancellations="{told}"><m:ItemIds>{}</m:ItemIds></m:DeleteItem>"#,
            named("t:ItemId", there)
        );
        let call = SoapRequest::new("DeleteItem", body).in_mailbox(mailbox).about_items().for_write();
        match self.call(session, call).await.and_then(|answer| answer.single_message().map(drop)) {
            Err(error) if error.kind == ErrorKind::Gone => Ok(()),
            done => done,
        }
    }
}

/// The element that identifies a version of an item in a request.
fn named(element: &str, there: &ReadItem) -> String {
    let (id, key) = (soap::escape_text(&there.handle.id), soap::escape_text(&there.handle.key));
    format!(r#"<{element} Id="{id}" ChangeKey="{key}"/>"#)
}

fn creation(new: &NewEvent) -> String {
    let told = if new.attendees.is_empty() { "SendToNone" } else { "SendToAllAndSaveCopy" };
    let status = match new.busy {
        Some(BusyKind::Busy) => "Busy",
        Some(BusyKind::Tentative) => "Tentative",
        None => "Free",
    };
    let zone = zones::windows_name(&new.zone).map(soap::escape_text);
    let zoned =
        |name: &str| zone.as_ref().map(|zone| format!(r#"<t:{name} Id="{zone}"/>"#)).unwrap_or_default();
    let item = [
        soap::element("t:Subject", &new.title),
        format!(r#"<t:Body BodyType="Text">{}</t:Body>"#, soap::escape_text(&new.text)),
        format!(
            "<t:ExtendedProperty>{}{}</t:ExtendedProperty>",
            soap::effect_key_field(),
            soap::element("t:Value", &new.effect_key)
        ),
        soap::element("t:Start", &soap::format_instant(new.range.start)),
        soap::element("t:End", &soap::format_instant(new.range.end)),
        "<t:IsAllDayEvent>false</t:IsAllDayEvent>".to_owned(),
        soap::element("t:LegacyFreeBusyStatus", status),
        new.location.as_ref().map(|place| soap::element("t:Location", place)).unwrap_or_default(),
        LISTS.iter().map(|(_, name, role)| list(name, *role, &new.attendees)).collect(),
        zoned("StartTimeZone"),
        zoned("EndTimeZone"),
    ]
    .concat();
    format!(
        r#"<m:CreateItem SendMeetingInvitations="{told}"><m:SavedItemFolderId>{DEFAULT_CALENDAR}</m:SavedItemFolderId><m:Items><t:CalendarItem>{item}</t:CalendarItem></m:Items></m:CreateItem>"#
    )
}

/// The attendee lists: field, element and role.
const LISTS: [(&str, &str, AttendeeRole); 3] = [
    ("calendar:RequiredAttendees", "RequiredAttendees", AttendeeRole::Required),
    ("calendar:OptionalAttendees", "OptionalAttendees", AttendeeRole::Optional),
    ("calendar:Resources", "Resources", AttendeeRole::Room),
];

/// The list of attendees with one role; empty if there are none, because the schema forbids an empty list.
fn list(name: &str, role: AttendeeRole, attendees: &[Attendee]) -> String {
    let those = attendees.iter().filter(|attendee| attendee.role == role);
    let those: String = those
        .map(|attendee| {
            let name = soap::element("t:Name", &attendee.party.name);
            let address = soap::element("t:EmailAddress", &attendee.party.address);
            format!("<t:Attendee><t:Mailbox>{name}{address}</t:Mailbox></t:Attendee>")
        })
        .collect::<Vec<_>>()
        .concat();
    if those.is_empty() { those } else { format!("<t:{name}>{those}</t:{name}>") }
}

/// The updates of a change, one for each property that it sets.
fn updates(change: &EventChange) -> String {
    let set = |field: &str, inside: String| {
        format!(
            r#"<t:SetItemField><t:FieldURI FieldURI="{field}"/><t:CalendarItem>{inside}</t:CalendarItem></t:SetItemField>"#
        )
    };
    let mut all = Vec::new();
    if let Some(title) = &change.title {
        all.push(set("item:Subject", soap::element("t:Subject", title)));
    }
    if let Some(text) = &change.text {
        all.push(set(
            "item:Body",
            format!(r#"<t:Body BodyType="Text">{}</t:Body>"#, soap::escape_text(text)),
        ));
    }
    if let Some(range) = change.range {
        all.push(set("calendar:Start", soap::element("t:Start", &soap::format_instant(range.start))));
        all.push(set("calendar:End", soap::element("t:End", &soap::format_instant(range.end))));
        if let Some(zone) = change.zone.as_deref().and_then(zones::windows_name) {
            for name in ["StartTimeZone", "EndTimeZone"] {
                all.push(set(
                    &format!("calendar:{name}"),
                    format!(r#"<t:{name} Id="{}"/>"#, soap::escape_text(zone)),
                ));
            }
        }
    }
    if let Some(place) = &change.location {
        all.push(set("calendar:Location", soap::element("t:Location", place)));
    }
    if let Some(attendees) = &change.attendees {
        for (field, name, role) in LISTS {
            let list = list(name, role, attendees);
            all.push(match list.is_empty() {
                true => format!(r#"<t:DeleteItemField><t:FieldURI FieldURI="{field}"/></t:DeleteItemField>"#),
                false => set(field, list),
            });
        }
    }
    all.concat()
}
