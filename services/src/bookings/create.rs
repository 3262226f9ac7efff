//! Creates bookings.

use std::{collections::BTreeSet, time::Duration};

use domain::{
    AnyId, Id, TimeRange, ids, may,
    state::{Answer, BookingState, Lane, OnlineMeetingState, ParticipantKind},
};
use entity::{booking, booking_participant, occupancy};
use sea_orm::EntityTrait;
use serde_json::json;

use super::{
    BookingReceipt, Bookings, Error, NewBooking, Outcome, SlotTaken,
    check::{self, SlotRequest},
    input, online, route,
};
use crate::{
    Refusal, Result, Tx,
    audit::AuditFacts,
    availability::{Holder, snapshot::CalendarSnapshot},
    error::is_time_taken,
    events::topic,
    idempotency::{self, BeginOutcome},
    proof::{Allowed, Member},
    run_inputs::{RunInput, WriteBooking},
};

/// Maximum number of attempts for a transaction that conflicts with another.
const ATTEMPTS: u32 = 5;

impl Bookings {
    /// Creates a booking. The checks, the occupancy and the run that writes the calendar event are committed together.
    /// Needs `BOOKING_EDIT`.
    ///
    /// A repeated idempotency key returns the same booking and run, in their current state.
    pub async fn create(
        &self,
        by: &Allowed<may::BookingEdit>,
        new: NewBooking,
        idempotency_key: &str,
    ) -> Outcome<BookingReceipt> {
        let new = new.validate()?;
        let request = SlotRequest {
            users: new.user_ids(),
            rooms: new.rooms.clone(),
            time: new.time(),
            before: new.buffer_before_minutes,
            after: new.buffer_after_minutes,
            zone: new.zone.clone(),
            except: None,
            on_unreadable: new.on_unreadable,
        };
        let made = self.retry_on_contention(|| self.place(by, &new, &request, idempotency_key)).await;
        self.add_alternatives(by.tenant(), &request, made).await
    }

    async fn place(
        &self,
        by: &Member,
        new: &NewBooking,
        request: &SlotRequest,
        key: &str,
    ) -> Outcome<BookingReceipt> {
        let mut tx = self.services.begin(by.tenant()).await?;
        let begun = idempotency::begin(&tx, "createBooking", &by.actor(), key, new).await?;
        let ticket = match begun {
            BeginOutcome::New(ticket) => ticket,
            BeginOutcome::Replay(run) => return Ok(self.receipt_of_run(&tx, run.with_kind()).await?),
        };
        input::require_future(request.time, tx.now())?;
        check::lock_participants(tx.conn(), &request.participant_ids()).await?;
        organiser_exists(&tx, new.organiser).await?;
        let snapshot =
            request.snapshot(&self.services, tx.conn(), tx.tenant(), request.blocked_range()).await?;
        let routes = route::find_routes(tx.conn(), tx.tenant(), new.organiser, &[]).await?;
        check::require_known_calendars(&snapshot, new.ignore_unknown, routes.service.is_some())?;
        check::require_free(&snapshot, request.blocked_range())?;
        let Some(via) = routes.decide() else {
            let message = "Neither the organiser's calendar nor a service mailbox can be written to. Ask an \
                administrator to activate one of them.";
            return Err(Refusal::new("NO_CALENDAR_TO_WRITE", message).at("organiserId").into());
        };
        if new.online_meeting {
            online::require_online_meetings(&self.services, tx.conn(), tx.tenant(), &via).await?;
        }
        let receipt = self.write(&mut tx, by, new, &snapshot, request.blocked_range()).await?;
        ticket.finish(&tx, receipt.run).await?;
        tx.commit().await?;
        Ok(receipt)
    }

    /// Inserts all rows of a new booking.
    async fn write(
        &self,
        tx: &mut Tx,
        by: &Member,
        new: &NewBooking,
        snapshot: &CalendarSnapshot,
        blocked: TimeRange,
    ) -> Outcome<BookingReceipt> {
        let id: Id<ids::Booking> = self.services.ids.make();
        let order = RunInput::WriteBooking(WriteBooking { booking: id });
        let run = tx.enqueue(order, &by.actor(), Lane::Interactive).await?;
        let run = run.ok_or(crate::Error::Unreadable { what: "order" })?;
        let booking = row(tx, id, run, by, new);
        booking::Entity::insert(booking::ActiveModel::from(booking.clone()))
            .exec_without_returning(tx.conn())
            .await?;
        let participants = self.participants(id, new, snapshot)?;
        let participants = participants.into_iter().map(booking_participant::ActiveModel::from);
        booking_participant::Entity::insert_many(participants).exec_without_returning(tx.conn()).await?;
        let holders: Vec<AnyId> = snapshot.calendars().map(|calendar| calendar.holder.any()).collect();
        self.insert_occupancy(tx, id, &holders, blocked).await?;
        tx.add_event(topic::BOOKING, id);
        let facts = AuditFacts::for_creation(
            json!({ "start": new.start, "end": new.end, "organiser": new.organiser }),
        );
        tx.audit(&by.actor(), "booking.create", id.to_string(), facts);
        let notice = route::service_account_notice(tx.conn(), &booking, &[]).await?;
        Ok(BookingReceipt { booking, run, notice })
    }

    /// The rows of all participants, the organiser first.
    fn participants(
        &self,
        booking: Id<ids::Booking>,
        new: &NewBooking,
        snapshot: &CalendarSnapshot,
    ) -> Result<Vec<booking_participant::Model>> {
        let tenant = snapshot.tenant;
        let one = |kind: ParticipantKind, holder: Option<Holder>, address: &str, name: &str| {
            booking_participant::Model {
                id: self.services.ids.make(),
                tenant_id: tenant,
                booking_id: booking,
                kind: kind.into(),
                user_id: holder.and_then(Holder::user),
                room_id: holder.and_then(Holder::room),
                address: address.to_lowercase(),
                name: name.to_owned(),
                answer: Answer::None.into(),
            }
        };
        let mut seen = BTreeSet::new();
        let mut rows = Vec::new();
        for calendar in snapshot.calendars() {
            let kind = if calendar.holder.is_user() { ParticipantKind::User } else { ParticipantKind::Room };
            let row = one(kind, Some(calendar.holder), &calendar.address, &calendar.name);
            if !seen.insert(row.address.clone()) {
                let message = format!("{} shares a mailbox with another participant.", calendar.name);
                return Err(Refusal::new("MAILBOX_SHARED", message).at("userIds").into());
            }
            rows.push(row);
        }
        // Somebody who is invited as a user of the tenant is not invited again as a guest.
        let guests = new.guests.iter().filter(|guest| seen.insert(guest.email.clone()));
        rows.extend(guests.map(|guest| one(ParticipantKind::Guest, None, &guest.email, &guest.name)));
        Ok(rows)
    }

    /// Blocks a time range for all participants of a booking.
    pub(super) async fn insert_occupancy(
        &self,
        tx: &Tx,
        booking: Id<ids::Booking>,
        holders: &[AnyId],
        time: TimeRange,
    ) -> Result<()> {
        let rows = holders.iter().map(|holder| {
            occupancy::ActiveModel::from(occupancy::Model {
                id: self.services.ids.make(),
                tenant_id: tx.tenant(),
                holder: *holder,
                booking_id: booking,
                start_at: time.start,
                end_at: time.end,
            })
        });
        occupancy::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
        Ok(())
    }

    /// Returns the result for a repeated request: the booking and run created by the first request, in their current
    /// state.
    pub(super) async fn receipt_of_run(&self, tx: &Tx, run: Id<ids::Run>) -> Result<BookingReceipt> {
        let gone = || crate::Error::not_found("booking");
        let order = entity::run::by_id(tx.tenant(), run).one(tx.conn()).await?.ok_or_else(gone)?;
        let row =
            booking::by_id(tx.tenant(), order.subject.with_kind()).one(tx.conn()).await?.ok_or_else(gone)?;
        let notice = route::service_account_notice(tx.conn(), &row, &[]).await?;
        Ok(BookingReceipt { booking: row, run, notice })
    }

    /// Executes a transaction, and repeats it if it conflicts with another.
    pub(super) async fn retry_on_contention<F, T>(&self, attempt: impl Fn() -> F) -> Outcome<T>
    where
        F: Future<Output = Outcome<T>>,
    {
        for failed in 1..ATTEMPTS {
            match attempt().await {
                Err(Error::Other(crate::Error::Database(error)))
                    if error.is_contention() || is_time_taken(&error) =>
                {
                    let wait = self.services.ids.random_below(10 << failed);
                    tokio::time::sleep(Duration::from_millis(wait)).await;
                }
                done => return done,
            }
        }
        match attempt().await {
            Err(Error::Other(crate::Error::Database(error))) if is_time_taken(&error) => {
                Err(Error::SlotTaken(SlotTaken::default()))
            }
            done => done,
        }
    }

    /// Adds alternative times to the error of a refused booking, outside the refused transaction.
    pub(super) async fn add_alternatives<T>(
        &self,
        tenant: Id<ids::Tenant>,
        request: &SlotRequest,
        made: Outcome<T>,
    ) -> Outcome<T> {
        match made {
            Err(Error::SlotTaken(taken)) => {
                let alternatives = check::find_alternatives(&self.services, tenant, request).await?;
                Err(Error::SlotTaken(SlotTaken { alternatives, ..taken }))
            }
            made => made,
        }
    }
}

async fn organiser_exists(tx: &Tx, organiser: Id<ids::User>) -> Result<()> {
    let row = entity::tenant_user::by_id(tx.tenant(), organiser).one(tx.conn()).await?;
    row.map(|_| ())
        .ok_or_else(|| Refusal::new("NOT_FOUND", "There is no such user.").at("organiserId").into())
}

fn row(tx: &Tx, id: Id<ids::Booking>, run: Id<ids::Run>, by: &Member, new: &NewBooking) -> booking::Model {
    booking::Model {
        id,
        tenant_id: tx.tenant(),
        organiser_id: new.organiser,
        title: new.title.clone(),
        description: new.description.clone(),
        start_at: new.start,
        end_at: new.end,
        buffer_before_minutes: new.buffer_before_minutes.cast_signed(),
        buffer_after_minutes: new.buffer_after_minutes.cast_signed(),
        time_zone: new.zone.clone(),
        state: BookingState::Held.into(),
        reason: None,
        since: tx.now(),
        written_via: None,
        integration_id: None,
        service_account_id: None,
        mailbox: None,
        external_id: None,
        event_uid: None,
        online_meeting: new.online_meeting.then(|| OnlineMeetingState::Pending.into()),
        online_meeting_url: None,
        generation: 1,
        followed_at: None,
        run_id: run,
        created_by: by.actor(),
        created_at: tx.now(),
        version: 1,
    }
}
