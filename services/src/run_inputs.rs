//! Inputs of the runs that use cases enqueue: each is the initial memory of its workflow.
//!
//! `workflows` claims these runs and sets version and first state; a test in that crate checks that every variant has
//! its workflow.

use domain::{AnyId, Id, TimeRange, ids, state::Lane};
use runs::NewRun;
use sea_orm::prelude::Json;
use serde::{Deserialize, Serialize};

/// Name of the workflow of [`FollowBooking`].
pub(crate) const FOLLOW_BOOKING: &str = "follow_booking";
/// Name of the workflow of [`RefreshCalendar`].
pub(crate) const REFRESH_CALENDAR: &str = "refresh_calendar";
/// Name of the workflow of [`CheckIntegration`].
pub(crate) const CHECK_INTEGRATION: &str = "check_integration";
/// Name of the workflow of [`OpenChannel`].
pub(crate) const OPEN_CHANNEL: &str = "open_channel";

/// A run to be enqueued.
#[derive(Debug, Clone, PartialEq)]
pub enum RunInput {
    /// Connects an integration, from the terms to the first campaign.
    Connect(Connect),
    /// Repeats the verification, or verifies a new service mailbox.
    Verify(Verify),
    /// Activates every mailbox of a campaign.
    Campaign(Campaign),
    /// Activates one mailbox.
    Activate(Activate),
    /// Writes a booking to a calendar.
    WriteBooking(WriteBooking),
    /// Moves a written booking.
    MoveBooking(MoveBooking),
    /// Cancels a written booking.
    CancelBooking(CancelBooking),
    /// Compares a written booking with its event in the calendar.
    FollowBooking(FollowBooking),
    /// Reads a mailbox's calendar again.
    RefreshCalendar(RefreshCalendar),
    /// Checks whether the provider still accepts an integration's consent.
    CheckIntegration(CheckIntegration),
    /// Opens or renews the push channel of a mailbox.
    OpenChannel(OpenChannel),
    /// Deletes what is stored of a disconnected mailbox.
    DisconnectMailbox(DisconnectMailbox),
    /// Stops the work on a retiring integration, then closes and deletes what there is of it.
    DisconnectIntegration(DisconnectIntegration),
    /// Deletes the tenant that owns the run, with the run itself.
    EraseTenant(EraseTenant),
}

/// See [`RunInput::DisconnectMailbox`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DisconnectMailbox {
    /// Identifier of the connection to the mailbox.
    #[serde(with = "domain::ids::plain")]
    pub connection: Id<ids::Connection>,
}

/// See [`RunInput::DisconnectIntegration`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DisconnectIntegration {
    /// Identifier of the integration to disconnect.
    #[serde(with = "domain::ids::plain")]
    pub integration: Id<ids::Integration>,
}

/// See [`RunInput::EraseTenant`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EraseTenant {
    /// Identifier of the tenant to erase, which owns the run.
    #[serde(with = "domain::ids::plain")]
    pub erased: Id<ids::Tenant>,
}

/// See [`RunInput::FollowBooking`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FollowBooking {
    /// Identifier of the booking to compare.
    #[serde(with = "domain::ids::plain")]
    pub booking: Id<ids::Booking>,
}

/// See [`RunInput::RefreshCalendar`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefreshCalendar {
    /// Identifier of the connection to the mailbox.
    #[serde(with = "domain::ids::plain")]
    pub connection: Id<ids::Connection>,
}

/// See [`RunInput::CheckIntegration`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckIntegration {
    /// Identifier of the integration to check.
    #[serde(with = "domain::ids::plain")]
    pub integration: Id<ids::Integration>,
}

/// See [`RunInput::OpenChannel`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenChannel {
    /// Identifier of the connection to the mailbox.
    #[serde(with = "domain::ids::plain")]
    pub connection: Id<ids::Connection>,
}

/// See [`RunInput::Connect`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Connect {
    /// Identifier of the integration to connect.
    #[serde(with = "domain::ids::plain")]
    pub integration: Id<ids::Integration>,
    /// Whether the integration was connected before.
    pub again: bool,
}

/// See [`RunInput::Verify`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verify {
    /// Identifier of the integration to verify.
    #[serde(with = "domain::ids::plain")]
    pub integration: Id<ids::Integration>,
    /// The service mailbox to make current if its verification passes.
    pub candidate: Option<String>,
}

/// See [`RunInput::Campaign`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Campaign {
    /// Identifier of the campaign to carry out.
    #[serde(with = "domain::ids::plain")]
    pub campaign: Id<ids::Campaign>,
    /// Identifier of the integration that owns the mailboxes.
    #[serde(with = "domain::ids::plain")]
    pub integration: Id<ids::Integration>,
    /// Whether to activate only the mailboxes already listed by the campaign (a retry), instead of every mailbox that
    /// is not active yet.
    pub listed_only: bool,
}

/// See [`RunInput::Activate`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Activate {
    /// Identifier of the connection to activate.
    #[serde(with = "domain::ids::plain")]
    pub connection: Id<ids::Connection>,
    /// The campaign that counts the result, if there is one.
    #[serde(with = "domain::ids::plain", default)]
    pub campaign: Option<Id<ids::Campaign>>,
}

/// See [`RunInput::WriteBooking`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WriteBooking {
    /// Identifier of the booking to write.
    #[serde(with = "domain::ids::plain")]
    pub booking: Id<ids::Booking>,
}

/// See [`RunInput::MoveBooking`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MoveBooking {
    /// Identifier of the booking to move.
    #[serde(with = "domain::ids::plain")]
    pub booking: Id<ids::Booking>,
    /// Current time range.
    pub from: TimeRange,
    /// New time range. Both time ranges stay blocked until the move is complete.
    pub to: TimeRange,
    /// Actor who moves the booking, for its history.
    pub by: String,
}

/// See [`RunInput::CancelBooking`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CancelBooking {
    /// Identifier of the booking to cancel.
    #[serde(with = "domain::ids::plain")]
    pub booking: Id<ids::Booking>,
    /// Message to the attendees.
    pub message: String,
    /// Actor who cancels the booking, for its history.
    pub by: String,
}

impl RunInput {
    /// Names of all workflows that use cases enqueue.
    pub const WORKFLOWS: &'static [&'static str] = &[
        "connect_integration",
        "verify_integration",
        "campaign",
        "activate_mailbox",
        "write_booking",
        "move_booking",
        "cancel_booking",
        FOLLOW_BOOKING,
        REFRESH_CALENDAR,
        CHECK_INTEGRATION,
        OPEN_CHANNEL,
        "disconnect_mailbox",
        "disconnect_integration",
        "erase_tenant",
    ];

    fn parts(&self) -> (&'static str, AnyId, Json) {
        fn memory(order: &impl Serialize) -> Json {
            serde_json::to_value(order).unwrap_or(Json::Null)
        }
        match self {
            Self::Connect(o) => ("connect_integration", o.integration.any(), memory(o)),
            Self::Verify(o) => ("verify_integration", o.integration.any(), memory(o)),
            Self::Campaign(o) => ("campaign", o.campaign.any(), memory(o)),
            Self::Activate(o) => ("activate_mailbox", o.connection.any(), memory(o)),
            Self::WriteBooking(o) => ("write_booking", o.booking.any(), memory(o)),
            Self::MoveBooking(o) => ("move_booking", o.booking.any(), memory(o)),
            Self::CancelBooking(o) => ("cancel_booking", o.booking.any(), memory(o)),
            Self::FollowBooking(o) => (FOLLOW_BOOKING, o.booking.any(), memory(o)),
            Self::RefreshCalendar(o) => (REFRESH_CALENDAR, o.connection.any(), memory(o)),
            Self::CheckIntegration(o) => (CHECK_INTEGRATION, o.integration.any(), memory(o)),
            Self::OpenChannel(o) => (OPEN_CHANNEL, o.connection.any(), memory(o)),
            Self::DisconnectMailbox(o) => ("disconnect_mailbox", o.connection.any(), memory(o)),
            Self::DisconnectIntegration(o) => ("disconnect_integration", o.integration.any(), memory(o)),
            Self::EraseTenant(o) => ("erase_tenant", o.erased.any(), memory(o)),
        }
    }

    /// Converts the input to a row to insert. There is at most one unfinished run for each workflow and subject.
    pub(crate) fn into_run(
        self,
        id: Id<ids::Run>,
        tenant: Id<ids::Tenant>,
        asked_by: &str,
        lane: Lane,
    ) -> NewRun {
        let (workflow, subject, memory) = self.parts();
        let business_key = subject.uuid().simple().to_string();
        NewRun { id, tenant, workflow, business_key, subject, asked_by: asked_by.to_owned(), lane, memory }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// During an upgrade, runs enqueued by one version are executed by the other.
    #[test]
    fn inputs_are_stored_with_plain_uuids() {
        let (first, second) = (uuid::Uuid::from_u128(1), uuid::Uuid::from_u128(2));
        let stored = json!({ "connection": first, "campaign": second });
        let input: Activate = serde_json::from_value(stored.clone()).unwrap();
        let expected = Activate { connection: Id::from_uuid(first), campaign: Some(Id::from_uuid(second)) };
        assert_eq!(input, expected);
        assert_eq!(RunInput::Activate(input).parts().2, stored);
        let booking = RunInput::WriteBooking(WriteBooking { booking: Id::from_uuid(first) });
        assert_eq!(booking.parts().2, json!({ "booking": first }));
    }
}
