//! Properties of a calendar item, in the order of the schema.

/// The elements of `CalendarItemType` and its base types, in the order of types.xsd.
pub const SCHEMA_ORDER: &[&str] = &[
    "MimeContent",
    "ItemId",
    "ParentFolderId",
    "ItemClass",
    "Subject",
    "Sensitivity",
    "Body",
    "Attachments",
    "DateTimeReceived",
    "Size",
    "Categories",
    "Importance",
    "InReplyTo",
    "IsSubmitted",
    "IsDraft",
    "IsFromMe",
    "IsResend",
    "IsUnmodified",
    "InternetMessageHeaders",
    "DateTimeSent",
    "DateTimeCreated",
    "ResponseObjects",
    "ReminderDueBy",
    "ReminderIsSet",
    "ReminderNextTime",
    "ReminderMinutesBeforeStart",
    "DisplayCc",
    "DisplayTo",
    "DisplayBcc",
    "HasAttachments",
    "ExtendedProperty",
    "Culture",
    "EffectiveRights",
    "LastModifiedName",
    "LastModifiedTime",
    "IsAssociated",
    "WebClientReadFormQueryString",
    "WebClientEditFormQueryString",
    "ConversationId",
    "UniqueBody",
    "UID",
    "RecurrenceId",
    "DateTimeStamp",
    "Start",
    "End",
    "OriginalStart",
    "IsAllDayEvent",
    "LegacyFreeBusyStatus",
    "Location",
    "When",
    "IsMeeting",
    "IsCancelled",
    "IsRecurring",
    "MeetingRequestWasSent",
    "IsResponseRequested",
    "CalendarItemType",
    "MyResponseType",
    "Organizer",
    "RequiredAttendees",
    "OptionalAttendees",
    "Resources",
    "ConflictingMeetingCount",
    "AdjacentMeetingCount",
    "ConflictingMeetings",
    "AdjacentMeetings",
    "Duration",
    "TimeZone",
    "AppointmentReplyTime",
    "AppointmentSequenceNumber",
    "AppointmentState",
    "Recurrence",
    "FirstOccurrence",
    "LastOccurrence",
    "ModifiedOccurrences",
    "DeletedOccurrences",
    "MeetingTimeZone",
    "StartTimeZone",
    "EndTimeZone",
    "ConferenceType",
    "AllowNewTimeProposal",
    "IsOnlineMeeting",
    "MeetingWorkspaceUrl",
    "NetShowUrl",
];

/// The first element that is unknown to the schema or in the wrong position.
pub fn first_misplaced_element<'n>(names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let mut last = 0;
    for name in names {
        match SCHEMA_ORDER.iter().position(|known| *known == name) {
            // Extended properties may come several times in a row.
            Some(at) if at > last || (at == last && (name == "ExtendedProperty" || last == 0)) => last = at,
            _ => return Some(name),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_order_of_the_schema_is_taken() {
        assert_eq!(
            first_misplaced_element(["Subject", "Body", "Start", "End", "Location"].into_iter()),
            None
        );
        assert_eq!(
            first_misplaced_element(["ExtendedProperty", "ExtendedProperty", "UID"].into_iter()),
            None
        );
        assert_eq!(first_misplaced_element(["Start", "Subject"].into_iter()), Some("Subject"));
        assert_eq!(first_misplaced_element(["Start", "Start"].into_iter()), Some("Start"));
        assert_eq!(first_misplaced_element(["Subject", "Colour"].into_iter()), Some("Colour"));
    }
}
