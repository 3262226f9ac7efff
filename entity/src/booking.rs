//! An appointment written by Muster.

crate::table::tenant_table! {
    /// An appointment written by Muster.
    "booking" {
        /// The organiser id.
        organiser_id: Uuid,
        /// The title.
        title: String,
        /// The description.
        description: String,
        /// When it begins.
        start_at: DateTimeUtc,
        /// When it ends.
        end_at: DateTimeUtc,
        /// The buffer before minutes.
        buffer_before_minutes: i32,
        /// The buffer after minutes.
        buffer_after_minutes: i32,
        /// The time zone.
        time_zone: String,
        /// The state, as one of the words of `domain::state`.
        state: String,
        /// Why: a `domain::Reason`.
        reason: Option<Json>,
        /// Since when it is in this state.
        since: DateTimeUtc,
        /// The written via.
        written_via: Option<String>,
        /// The integration.
        integration_id: Option<Uuid>,
        /// The service account id.
        service_account_id: Option<Uuid>,
        /// The mailbox.
        mailbox: Option<String>,
        /// The external id.
        external_id: Option<String>,
        /// The iCalendar UID of the written event.
        event_uid: Option<String>,
        /// What became of the online meeting that was asked for, as one of the words of `domain::state`.
        online_meeting: Option<String>,
        /// Where the online meeting is joined.
        online_meeting_url: Option<String>,
        /// The generation.
        generation: i32,
        /// The run.
        run_id: Uuid,
        /// The created by.
        created_by: String,
        /// When it was made.
        created_at: DateTimeUtc,
        /// Grows with every change.
        version: i64,
    }
}
