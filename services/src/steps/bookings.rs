//! What steps read of bookings.

use domain::{Id, TimeRange, ids};
use entity::booking;

use super::StepServices;
use crate::{
    Result,
    bookings::{BookingDetails, TargetCalendar},
    change::{OwnEvent, WriteTarget},
};

impl StepServices {
    /// A booking with its participants; `None` if it was removed.
    pub async fn booking(
        &self,
        tenant: Id<ids::Tenant>,
        id: Id<ids::Booking>,
    ) -> Result<Option<BookingDetails>> {
        self.system.bookings().details(&self.system, tenant, id).await
    }

    /// Runs of a booking that have not ended, oldest first: only one of them may act at a time.
    pub async fn live_booking_runs(
        &self,
        tenant: Id<ids::Tenant>,
        id: Id<ids::Booking>,
    ) -> Result<Vec<entity::run::Model>> {
        self.system.bookings().live_runs(&self.system, tenant, id).await
    }

    /// Whether the booking blocks this time for all its participants.
    pub async fn booking_occupies(&self, booking: &booking::Model, time: TimeRange) -> Result<bool> {
        self.system.bookings().blocks_time(&self.system, booking, time).await
    }

    /// Chooses the calendar to which a booking is written. `without` lists mailboxes that have just refused access.
    pub async fn choose_target(
        &self,
        tenant: Id<ids::Tenant>,
        booking: &booking::Model,
        without: &[String],
    ) -> Result<Option<WriteTarget>> {
        self.system.bookings().choose_target(&self.system, tenant, booking, without).await
    }

    /// Opens the calendar that was chosen for a booking; see
    /// [`Bookings::open_target_calendar`](crate::bookings::Bookings::open_target_calendar).
    pub async fn open_target_calendar(&self, booking: &booking::Model) -> Result<Option<TargetCalendar>> {
        self.system.bookings().open_target_calendar(&self.system, booking).await
    }

    /// Whether the calendar of a booking may still be read; see
    /// [`Bookings::is_followable`](crate::bookings::Bookings::is_followable).
    pub async fn is_followable(&self, booking: &booking::Model) -> Result<bool> {
        self.system.bookings().is_followable(&self.system, booking).await
    }

    /// The booking's event, to be written to or removed from the copies of its participants' calendars: at `range`, or
    /// removed if `None`.
    pub async fn build_own_event(
        &self,
        details: &BookingDetails,
        ids: (&str, &str),
        range: Option<TimeRange>,
    ) -> Result<OwnEvent> {
        self.system.bookings().build_own_event(&self.system, details, ids, range).await
    }
}
