//! Moves and cancels bookings. Every caller with the permission may do so, because a booking belongs to the tenant.

use domain::{
    Id, ids, may,
    state::{BookingState, Lane},
    text::LineMode,
};
use entity::{booking, occupancy};
use sea_orm::{ColumnTrait, ExprTrait, QueryFilter, QuerySelect, sea_query::Expr};
use serde_json::json;

use super::{
    BookingReceipt, Bookings, NewTime, Outcome, blocked_range,
    check::{self, SlotRequest},
    input, route, time_of,
};
use crate::{
    Refusal, Result, Tx,
    audit::AuditFacts,
    events::topic,
    idempotency::{self, BeginOutcome, PendingRequest},
    proof::{Allowed, Member},
    run_inputs::{CancelBooking, MoveBooking, RunInput},
    text,
};

/// Workflows that must have ended before a booking is moved again.
const CHANGING: [&str; 2] = ["move_booking", "cancel_booking"];
/// Maximum length of the message to attendees in characters.
const LONGEST_MESSAGE: usize = 2_000;

impl Bookings {
    /// Moves a booking, unless it has changed since `if_version`. Needs `BOOKING_EDIT`.
    ///
    /// The new time is blocked in addition to the old one until the calendar event has been moved.
    pub async fn move_to(
        &self,
        by: &Allowed<may::BookingEdit>,
        id: Id<ids::Booking>,
        to: NewTime,
        if_version: Option<i64>,
        idempotency_key: &str,
    ) -> Outcome<BookingReceipt> {
        let (to, tenant) = (to.validate()?, by.tenant());
        let Some(request) = self.request(tenant, id, &to).await? else {
            return Err(crate::Error::not_found("booking").into());
        };
        let moved =
            self.retry_on_contention(|| self.move_once(by, &request, &to, if_version, idempotency_key)).await;
        self.add_alternatives(tenant, &request, moved).await
    }

    /// Determines the participants and the time of a move. Participants never change, so they can be read before
    /// anything is locked.
    async fn request(
        &self,
        tenant: Id<ids::Tenant>,
        id: Id<ids::Booking>,
        to: &NewTime,
    ) -> Result<Option<SlotRequest>> {
        let Some(details) = self.with_participants(tenant, id).await? else { return Ok(None) };
        let row = &details.booking;
        let minutes = |minutes: i32| u32::try_from(minutes).unwrap_or_default();
        Ok(Some(SlotRequest {
            users: details.participants.iter().filter_map(|one| one.user_id).collect(),
            rooms: details.participants.iter().filter_map(|one| one.room_id).collect(),
            time: to.time(),
            before: minutes(row.buffer_before_minutes),
            after: minutes(row.buffer_after_minutes),
            zone: to.zone.clone().unwrap_or_else(|| row.time_zone.clone()),
            except: Some(details.booking),
            on_unreadable: to.on_unreadable,
        }))
    }

    async fn move_once(
        &self,
        by: &Member,
        request: &SlotRequest,
        to: &NewTime,
        if_version: Option<i64>,
        key: &str,
    ) -> Outcome<BookingReceipt> {
        let id = request.except.as_ref().map(|row| row.id).unwrap_or_default();
        let mut tx = self.services.begin(by.tenant()).await?;
        let ticket = match self.begin(&tx, by, "moveBooking", key, &(id.uuid(), to, if_version)).await? {
            Ok(ticket) => ticket,
            Err(replay) => return Ok(replay),
        };
        check::lock_participants(tx.conn(), &request.participant_ids()).await?;
        let row = present(&tx, id, if_version).await?;
        may_move(&tx, &row).await?;
        input::require_future(request.time, tx.now())?;
        let snapshot =
            request.snapshot(&self.services, tx.conn(), tx.tenant(), request.blocked_range()).await?;
        let routes = route::find_routes(tx.conn(), tx.tenant(), row.organiser_id, &[]).await?;
        check::require_known_calendars(&snapshot, to.ignore_unknown, routes.service.is_some())?;
        check::require_free(&snapshot, request.blocked_range())?;
        let (from, actor) = (time_of(&row), by.actor());
        let is_same_time = blocked_range(&row, from) == request.blocked_range();
        if is_same_time && row.state == BookingState::Conflicting {
            // Only those who were free are blocked yet.
            occupancy::delete(tx.tenant())
                .filter(occupancy::Column::BookingId.eq(id))
                .exec(tx.conn())
                .await?;
        }
        if !is_same_time || row.state == BookingState::Conflicting {
            self.insert_occupancy(&tx, id, &request.participant_ids(), request.blocked_range()).await?;
        }
        let order =
            RunInput::MoveBooking(MoveBooking { booking: id, from, to: request.time, by: actor.clone() });
        let run = tx.enqueue(order, &actor, Lane::Interactive).await?.ok_or_else(in_progress)?;
        let facts = AuditFacts::for_change(json!(from), json!(request.time));
        tx.audit(&actor, "booking.move", id.to_string(), facts);
        self.ordered(tx, ticket, row, run, Some(&request.zone)).await
    }

    /// Cancels a booking and notifies its attendees. Needs `BOOKING_EDIT`.
    ///
    /// A booking that is still being written or moved is cancelled as soon as that is finished; a booking that is
    /// already cancelled is returned unchanged.
    pub async fn cancel(
        &self,
        by: &Allowed<may::BookingEdit>,
        id: Id<ids::Booking>,
        message: &str,
        idempotency_key: &str,
    ) -> Outcome<BookingReceipt> {
        input::check_length(message, LONGEST_MESSAGE, "MESSAGE_TOO_LONG", "message")?;
        text::check(message, LineMode::Lines, LONGEST_MESSAGE, "message")?;
        self.retry_on_contention(|| self.cancel_once(by, id, message, idempotency_key)).await
    }

    async fn cancel_once(
        &self,
        by: &Member,
        id: Id<ids::Booking>,
        message: &str,
        key: &str,
    ) -> Outcome<BookingReceipt> {
        let mut tx = self.services.begin(by.tenant()).await?;
        let ticket = match self.begin(&tx, by, "cancelBooking", key, &(id, message)).await? {
            Ok(ticket) => ticket,
            Err(replay) => return Ok(replay),
        };
        let row = present(&tx, id, None).await?;
        let state = row.state.require().map_err(crate::Error::from)?;
        if state == BookingState::Failed {
            return Err(over().into());
        }
        let live = check::live_runs(tx.conn(), tx.tenant(), row.id).await?;
        let cancelling = live.iter().find(|run| run.workflow == "cancel_booking").map(|run| run.id);
        if let Some(run) = cancelling.or_else(|| (state == BookingState::Cancelled).then_some(row.run_id)) {
            ticket.finish(&tx, run).await?;
            tx.commit().await?;
            return Ok(BookingReceipt { booking: row, run, notice: None });
        }
        let actor = by.actor();
        let (booking, message) = (row.id, message.to_owned());
        let order = RunInput::CancelBooking(CancelBooking { booking, message, by: actor.clone() });
        let run = tx.enqueue(order, &actor, Lane::Interactive).await?.ok_or_else(in_progress)?;
        tx.audit(
            &actor,
            "booking.cancel",
            id.to_string(),
            AuditFacts::for_deletion(json!({ "start": row.start_at, "end": row.end_at })),
        );
        self.ordered(tx, ticket, row, run, None).await
    }

    /// Begins a request; `Err` contains the earlier result if the request is repeated.
    pub(super) async fn begin(
        &self,
        tx: &Tx,
        by: &Member,
        field: &str,
        key: &str,
        parameters: &impl serde::Serialize,
    ) -> Result<std::result::Result<PendingRequest, BookingReceipt>> {
        Ok(match idempotency::begin(tx, field, &by.actor(), key, parameters).await? {
            BeginOutcome::New(ticket) => Ok(ticket),
            BeginOutcome::Replay(run) => Err(self.receipt_of_run(tx, run.with_kind()).await?),
        })
    }

    /// Records which run changes the booking, and commits the transaction.
    async fn ordered(
        &self,
        mut tx: Tx,
        ticket: PendingRequest,
        row: booking::Model,
        run: Id<ids::Run>,
        zone: Option<&str>,
    ) -> Outcome<BookingReceipt> {
        use booking::{Column, update};
        let zone = zone.unwrap_or(&row.time_zone).to_owned();
        update(tx.tenant())
            .filter(Column::Id.eq(row.id))
            .col_expr(Column::RunId, Expr::value(run))
            .col_expr(Column::TimeZone, Expr::value(zone.clone()))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .exec(tx.conn())
            .await?;
        tx.add_event(topic::BOOKING, row.id);
        ticket.finish(&tx, run).await?;
        tx.commit().await?;
        let booking = booking::Model { run_id: run, time_zone: zone, version: row.version + 1, ..row };
        Ok(BookingReceipt { booking, run, notice: None })
    }
}

/// Reads the booking and locks it until the transaction ends.
pub(super) async fn present(
    tx: &Tx,
    id: Id<ids::Booking>,
    if_version: Option<i64>,
) -> Result<booking::Model> {
    let row = booking::by_id(tx.tenant(), id).lock_exclusive().one(tx.conn()).await?;
    let row = row.ok_or_else(|| crate::Error::not_found("booking"))?;
    if if_version.is_some_and(|version| version != row.version) {
        let message = "This booking was changed in the meantime. Reload it, then repeat your change.";
        return Err(Refusal::new("VERSION_CONFLICT", message).at("ifVersion").into());
    }
    Ok(row)
}

async fn may_move(tx: &Tx, row: &booking::Model) -> Result<()> {
    use BookingState as S;
    match row.state.require()? {
        S::Failed | S::Cancelled => return Err(over()),
        _ if row.end_at <= tx.now() => return Err(over()),
        S::Written | S::RoomPending | S::Confirmed | S::RoomDeclined | S::Conflicting => {}
        S::Missing => {
            let message = "The event of this booking was deleted from the calendar. Write it again with \
                `restoreBooking` before you move it.";
            return Err(crate::Error::refuse("BOOKING_MISSING", message));
        }
        S::Requested | S::Held => return Err(in_progress()),
    }
    let live = check::live_runs(tx.conn(), tx.tenant(), row.id).await?;
    let changes = live.iter().any(|run| CHANGING.contains(&run.workflow.as_str()));
    if changes { Err(in_progress()) } else { Ok(()) }
}

pub(super) fn in_progress() -> crate::Error {
    let message = "This booking is being written or changed. Try again in a moment.";
    crate::Error::refuse("BOOKING_IN_PROGRESS", message)
}

fn over() -> crate::Error {
    crate::Error::refuse("BOOKING_OVER", "This booking has ended and can no longer be changed.")
}
