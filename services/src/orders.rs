//! The runs that use cases order, each with the first memory of its workflow.
//!
//! `workflows` claims them and sets version and first state; a test there checks that every order has its workflow.

use domain::{TimeRange, state::Lane};
use queue::jobs::NewRun;
use sea_orm::prelude::Json;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A run that a use case wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Connect an integration, from the terms to the first campaign.
    Connect(Connect),
    /// Climb the ladder of checks once more, or prove a new service mailbox.
    Verify(Verify),
    /// Activate every mailbox of a campaign.
    Campaign(Campaign),
    /// Activate one mailbox.
    Activate(Activate),
    /// Write a booking to a calendar.
    WriteBooking(WriteBooking),
    /// Move a written booking.
    MoveBooking(MoveBooking),
    /// Cancel a written booking.
    CancelBooking(CancelBooking),
}

/// See [`Order::Connect`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Connect {
    /// The integration.
    pub integration: Uuid,
    /// Whether it was connected before.
    pub again: bool,
}

/// See [`Order::Verify`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verify {
    /// The integration.
    pub integration: Uuid,
    /// The service mailbox that becomes the current one if it passes.
    pub candidate: Option<String>,
}

/// See [`Order::Campaign`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Campaign {
    /// The campaign.
    pub campaign: Uuid,
    /// The integration.
    pub integration: Uuid,
    /// Only the mailboxes that the campaign already lists (a retry); otherwise everybody who is not active yet.
    pub listed_only: bool,
}

/// See [`Order::Activate`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Activate {
    /// The connection.
    pub connection: Uuid,
    /// The campaign that counts the result.
    pub campaign: Option<Uuid>,
}

/// See [`Order::WriteBooking`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WriteBooking {
    /// The booking.
    pub booking: Uuid,
}

/// See [`Order::MoveBooking`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MoveBooking {
    /// The booking.
    pub booking: Uuid,
    /// Where it was.
    pub from: TimeRange,
    /// Where it goes. Both times are blocked until the move is done.
    pub to: TimeRange,
    /// Who moves it.
    pub by: String,
}

/// See [`Order::CancelBooking`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CancelBooking {
    /// The booking.
    pub booking: Uuid,
    /// What the attendees are told.
    pub message: String,
    /// Who cancels it.
    pub by: String,
}

impl Order {
    /// The names of all workflows that use cases order.
    pub const WORKFLOWS: &'static [&'static str] = &[
        "connect_integration",
        "verify_integration",
        "campaign",
        "activate_mailbox",
        "write_booking",
        "move_booking",
        "cancel_booking",
    ];

    fn parts(&self) -> (&'static str, Uuid, Json) {
        fn memory(order: &impl Serialize) -> Json {
            serde_json::to_value(order).unwrap_or(Json::Null)
        }
        match self {
            Self::Connect(o) => ("connect_integration", o.integration, memory(o)),
            Self::Verify(o) => ("verify_integration", o.integration, memory(o)),
            Self::Campaign(o) => ("campaign", o.campaign, memory(o)),
            Self::Activate(o) => ("activate_mailbox", o.connection, memory(o)),
            Self::WriteBooking(o) => ("write_booking", o.booking, memory(o)),
            Self::MoveBooking(o) => ("move_booking", o.booking, memory(o)),
            Self::CancelBooking(o) => ("cancel_booking", o.booking, memory(o)),
        }
    }

    /// The row that is inserted. One live run per workflow and subject.
    pub(crate) fn into_run(self, id: Uuid, tenant: Uuid, asked_by: &str, lane: Lane) -> NewRun {
        let (workflow, subject, memory) = self.parts();
        let business_key = subject.simple().to_string();
        NewRun { id, tenant, workflow, business_key, subject, asked_by: asked_by.to_owned(), lane, memory }
    }
}
