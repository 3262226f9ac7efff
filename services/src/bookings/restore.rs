//! What people do about a booking whose event was deleted or moved in the calendar.

use domain::{
    Id, ids, may,
    state::{Answer, BookingState, Lane, OnlineMeetingState},
};
use entity::{booking, booking_participant};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    ColumnTrait, QueryFilter,
    sea_query::Expr,
};
use serde_json::json;

use super::{BookingReceipt, Bookings, Outcome, check, input, revise, route, time_of};
use crate::{
    Error, Result,
    audit::AuditFacts,
    events::topic,
    proof::{Allowed, Member},
    run_inputs::{RunInput, WriteBooking},
};

impl Bookings {
    /// Writes the event of a `MISSING` booking again, with the checks of a new booking, unless the booking has changed
    /// since `if_version`. Needs `BOOKING_EDIT`.
    pub async fn restore(
        &self,
        by: &Allowed<may::BookingEdit>,
        id: Id<ids::Booking>,
        if_version: Option<i64>,
        idempotency_key: &str,
    ) -> Outcome<BookingReceipt> {
        let tenant = by.tenant();
        let Some(details) = self.with_participants(tenant, id).await? else {
            return Err(Error::not_found("booking").into());
        };
        let request = super::follow::request(&details, time_of(&details.booking));
        let restored =
            self.retry_on_contention(|| self.restore_once(by, &request, if_version, idempotency_key)).await;
        self.add_alternatives(tenant, &request, restored).await
    }

    async fn restore_once(
        &self,
        by: &Member,
        request: &check::SlotRequest,
        if_version: Option<i64>,
        key: &str,
    ) -> Outcome<BookingReceipt> {
        let id = request.except.as_ref().map(|row| row.id).unwrap_or_default();
        let mut tx = self.services.begin(by.tenant()).await?;
        let ticket = match self.begin(&tx, by, "restoreBooking", key, &(id, if_version)).await? {
            Ok(ticket) => ticket,
            Err(replay) => return Ok(replay),
        };
        check::lock_participants(tx.conn(), &request.participant_ids()).await?;
        let row = revise::present(&tx, id, if_version).await?;
        if row.state.require().map_err(Error::from)? != BookingState::Missing {
            let message = "The event of this booking was not deleted. There is nothing to write again.";
            return Err(Error::refuse("BOOKING_NOT_MISSING", message).into());
        }
        input::require_future(request.time, tx.now())?;
        let snapshot =
            request.snapshot(&self.services, tx.conn(), tx.tenant(), request.blocked_range()).await?;
        let routes = route::find_routes(tx.conn(), tx.tenant(), row.organiser_id, &[]).await?;
        check::require_known_calendars(&snapshot, false, routes.service.is_some())?;
        check::require_free(&snapshot, request.blocked_range())?;
        self.insert_occupancy(&tx, id, &request.participant_ids(), request.blocked_range()).await?;
        booking_participant::update(tx.tenant())
            .filter(booking_participant::Column::BookingId.eq(id))
            .col_expr(booking_participant::Column::Answer, Expr::value(Answer::None.as_str()))
            .exec(tx.conn())
            .await?;
        let actor = by.actor();
        let order = RunInput::WriteBooking(WriteBooking { booking: id });
        let run = tx.enqueue(order, &actor, Lane::Interactive).await?.ok_or_else(revise::in_progress)?;
        let booking = unwritten(&row, run, tx.now()).update(tx.conn()).await?;
        tx.add_event(topic::BOOKING, id);
        let facts = AuditFacts::for_change(json!({ "state": row.state }), json!({ "state": booking.state }));
        tx.audit(&actor, "booking.restore", id.to_string(), facts);
        ticket.finish(&tx, run).await?;
        tx.commit().await?;
        Ok(BookingReceipt { booking, run, notice: None })
    }

    /// Accepts the time of a `CONFLICTING` booking: it stays blocked for those who were free. Refused if the booking has
    /// changed since `if_version`. Needs `BOOKING_EDIT`.
    pub async fn accept_time(
        &self,
        by: &Allowed<may::BookingEdit>,
        id: Id<ids::Booking>,
        if_version: Option<i64>,
    ) -> Result<booking::Model> {
        let mut tx = self.services.begin(by.tenant()).await?;
        let row = revise::present(&tx, id, if_version).await?;
        if row.state.require()? != BookingState::Conflicting {
            let message = "This booking is not in conflict. There is nothing to accept.";
            return Err(Error::refuse("BOOKING_NOT_CONFLICTING", message));
        }
        let change = booking::ActiveModel {
            state: Set(BookingState::Confirmed.into()),
            reason: Set(None),
            since: Set(tx.now()),
            version: Set(row.version + 1),
            ..unchanged(&row)
        };
        let accepted = change.update(tx.conn()).await?;
        tx.add_event(topic::BOOKING, id);
        let facts = AuditFacts::for_change(json!({ "state": row.state }), json!({ "state": accepted.state }));
        tx.audit(&by.actor(), "booking.accept_time", id.to_string(), facts);
        tx.commit().await?;
        Ok(accepted)
    }
}

/// The row of a booking whose event is to be written anew, perhaps to another calendar.
fn unwritten(row: &booking::Model, run: Id<ids::Run>, now: domain::Timestamp) -> booking::ActiveModel {
    booking::ActiveModel {
        state: Set(BookingState::Held.into()),
        reason: Set(None),
        since: Set(now),
        written_via: Set(None),
        integration_id: Set(None),
        service_account_id: Set(None),
        mailbox: Set(None),
        external_id: Set(None),
        event_uid: Set(None),
        online_meeting: Set(row.online_meeting.as_ref().map(|_| OnlineMeetingState::Pending.into())),
        online_meeting_url: Set(None),
        // The effect key of the deleted event finds nothing that could be written again.
        generation: Set(row.generation + 1),
        followed_at: Set(None),
        run_id: Set(run),
        version: Set(row.version + 1),
        ..unchanged(row)
    }
}

/// The row's key, with nothing to write.
fn unchanged(row: &booking::Model) -> booking::ActiveModel {
    booking::ActiveModel { created_at: NotSet, ..booking::ActiveModel::from(row.clone()) }
}
