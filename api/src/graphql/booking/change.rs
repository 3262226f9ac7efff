//! Mutations that create, move, restore and cancel bookings.

use async_graphql::{Context, ID, InputObject, Object};
use domain::{Permission, may};
use services::bookings::{BookingReceipt, Guest, NewBooking, NewTime};

use super::Booking;
use crate::graphql::{
    availability::input::{OnUnreadable, to_unsigned_minutes},
    context::{ContextExt, if_visible, parse_id, parse_ids},
    failure::{Failure, Result},
    payload::{catch_refusals, payload},
    run::{self, Run},
    scalar::{DateTime, EmailAddress, TimeZone},
};

/// Fields of a new booking.
#[derive(InputObject)]
pub struct CreateBookingInput {
    /// Identifier of the user who organises the meeting; always a participant.
    organiser_id: ID,
    /// Title, 1 to 255 characters.
    title: String,
    /// Description, up to 10,000 characters.
    #[graphql(default)]
    description: String,
    /// Start of the meeting; must be in the future.
    start: DateTime,
    /// End of the meeting; at most 24 hours after `start`.
    end: DateTime,
    /// Time zone in which the calendar event is shown.
    time_zone: TimeZone,
    /// Identifiers of the other participating users of the tenant, up to 100.
    #[graphql(default)]
    user_ids: Vec<ID>,
    /// Identifiers of the rooms, up to 100.
    #[graphql(default)]
    room_ids: Vec<ID>,
    /// Guests from outside the tenant, up to 100. Their availability is not checked.
    #[graphql(default)]
    guests: Vec<GuestInput>,
    /// Time blocked before the meeting, in minutes, 0 to 240.
    #[graphql(default)]
    buffer_before_minutes: i32,
    /// Time blocked after the meeting, in minutes, 0 to 240.
    #[graphql(default)]
    buffer_after_minutes: i32,
    /// Whether to book users whose calendars are unknown. Rooms whose calendars are unknown are always refused.
    #[graphql(default)]
    ignore_unknown: bool,
    /// How to treat items in participants' calendars that cannot be read and whose times are unknown.
    #[graphql(default_with = "OnUnreadable::Offer")]
    on_unreadable: OnUnreadable,
    /// Whether to add an online meeting hosted by the calendar system. Refused with `ONLINE_MEETING_UNAVAILABLE` if
    /// the target calendar does not support online meetings.
    #[graphql(default)]
    online_meeting: bool,
    /// Key chosen by the client, 1 to 128 characters. Repeating the same request with the same key within 24 hours
    /// creates no second booking and returns the first one in its current state.
    idempotency_key: String,
}

/// A participant from outside the tenant.
#[derive(InputObject)]
pub struct GuestInput {
    /// Name, up to 255 characters.
    name: String,
    /// Email address to which the invitation is sent.
    email: EmailAddress,
}

impl From<GuestInput> for Guest {
    fn from(guest: GuestInput) -> Self {
        Self { name: guest.name, email: guest.email.0 }
    }
}

impl TryFrom<CreateBookingInput> for NewBooking {
    type Error = Failure;

    fn try_from(input: CreateBookingInput) -> Result<Self> {
        Ok(Self {
            organiser: parse_id(&input.organiser_id, "user", "organiserId")?,
            title: input.title,
            description: input.description,
            start: input.start.0,
            end: input.end.0,
            zone: input.time_zone.0,
            users: parse_ids(&input.user_ids, "user", "userIds")?,
            rooms: parse_ids(&input.room_ids, "room", "roomIds")?,
            guests: input.guests.into_iter().map(Guest::from).collect(),
            buffer_before_minutes: to_unsigned_minutes(input.buffer_before_minutes),
            buffer_after_minutes: to_unsigned_minutes(input.buffer_after_minutes),
            ignore_unknown: input.ignore_unknown,
            on_unreadable: input.on_unreadable.into(),
            online_meeting: input.online_meeting,
        })
    }
}

/// Selects a booking and its new time.
#[derive(InputObject)]
pub struct MoveBookingInput {
    /// Identifier of the booking to move.
    id: ID,
    /// New start of the meeting; must be in the future.
    start: DateTime,
    /// New end of the meeting; at most 24 hours after `start`.
    end: DateTime,
    /// Time zone in which the calendar event is shown; omit to keep the current one.
    time_zone: Option<TimeZone>,
    /// Whether to move the booking even if the calendars of some users are unknown. Rooms whose calendars are unknown
    /// are always refused.
    #[graphql(default)]
    ignore_unknown: bool,
    /// How to treat items in participants' calendars that cannot be read and whose times are unknown.
    #[graphql(default_with = "OnUnreadable::Offer")]
    on_unreadable: OnUnreadable,
    /// `version` of the booking as last read; refused with `VERSION_CONFLICT` if it has changed since.
    if_version: Option<i64>,
    /// Key chosen by the client, 1 to 128 characters. Repeating the same request with the same key within 24 hours
    /// moves the booking only once.
    idempotency_key: String,
}

/// Selects the booking to cancel.
#[derive(InputObject)]
pub struct CancelBookingInput {
    /// Identifier of the booking to cancel.
    id: ID,
    /// Message to the attendees, up to 2,000 characters.
    #[graphql(default)]
    message: String,
    /// Key chosen by the client, 1 to 128 characters. Repeating the same request with the same key within 24 hours
    /// cancels the booking only once.
    idempotency_key: String,
}

/// Selects the booking whose event is to be written again.
#[derive(InputObject)]
pub struct RestoreBookingInput {
    /// Identifier of the booking to restore; it must be `MISSING`.
    id: ID,
    /// `version` of the booking as last read; refused with `VERSION_CONFLICT` if it has changed since.
    if_version: Option<i64>,
    /// Key chosen by the client, 1 to 128 characters. Repeating the same request with the same key within 24 hours
    /// writes the event only once.
    idempotency_key: String,
}

/// Selects the booking whose time is to be accepted.
#[derive(InputObject)]
pub struct AcceptBookingTimeInput {
    /// Identifier of the booking; it must be `CONFLICTING`.
    id: ID,
    /// `version` of the booking as last read; refused with `VERSION_CONFLICT` if it has changed since.
    if_version: Option<i64>,
}

payload! {
    /// Result of `restoreBooking`.
    RestoreBookingPayload {
        /// The booking, which blocks its time again; null if the caller lacks `BOOKING_VIEW`.
        booking: Booking,
        /// The run that writes the calendar event.
        run: Run,
    }
}
payload! {
    /// Result of `acceptBookingTime`.
    AcceptBookingTimePayload {
        /// The accepted booking; null if the caller lacks `BOOKING_VIEW`.
        booking: Booking,
    }
}
payload! {
    /// Result of `createBooking`.
    CreateBookingPayload {
        /// The new booking, which blocks its time from now on; null on failure.
        booking: Booking,
        /// The run that writes the booking to the calendar.
        run: Run,
        /// Notice about the booking for the organiser, in one sentence; null if there is none.
        notice: String,
    }
}
payload! {
    /// Result of `moveBooking`.
    MoveBookingPayload {
        /// The booking. It blocks both the old and the new time until the calendar event has moved. Null if the caller
        /// lacks `BOOKING_VIEW`.
        booking: Booking,
        /// The run that moves the calendar event.
        run: Run,
        /// Notice about the move for the organiser, in one sentence; null if there is none.
        notice: String,
    }
}
payload! {
    /// Result of `cancelBooking`.
    CancelBookingPayload {
        /// The cancelled booking; null if the caller lacks `BOOKING_VIEW`.
        booking: Booking,
        /// The run that removes the calendar event.
        run: Run,
    }
}

#[derive(Default)]
pub struct BookingMutation;

#[Object]
impl BookingMutation {
    /// Creates a booking. Its time is checked and blocked before the mutation returns; a run then writes the calendar
    /// event. Needs `BOOKING_EDIT`.
    async fn create_booking(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `createBooking`.")] input: CreateBookingInput,
    ) -> Result<CreateBookingPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::BookingEdit>()?;
            let key = input.idempotency_key.clone();
            let BookingReceipt { booking, run, notice } =
                Box::pin(ctx.services().bookings().create(&by, input.try_into()?, &key)).await?;
            Ok(CreateBookingPayload::done(Booking(booking), run::read_enqueued(ctx, &by, run).await?, notice))
        })
        .await
    }

    /// Moves any booking of the tenant, whoever created it. Needs `BOOKING_EDIT`.
    async fn move_booking(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `moveBooking`.")] input: MoveBookingInput,
    ) -> Result<MoveBookingPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::BookingEdit>()?;
            let (id, key) = (parse_id(&input.id, "booking", "id")?, &input.idempotency_key);
            let to = NewTime {
                start: input.start.0,
                end: input.end.0,
                zone: input.time_zone.map(|zone| zone.0),
                ignore_unknown: input.ignore_unknown,
                on_unreadable: input.on_unreadable.into(),
            };
            let BookingReceipt { booking, run, notice } =
                ctx.services().bookings().move_to(&by, id, to, input.if_version, key).await?;
            Ok(MoveBookingPayload::done(
                if_visible(ctx, Permission::BookingView, Booking(booking)),
                run::read_enqueued(ctx, &by, run).await?,
                notice,
            ))
        })
        .await
    }

    /// Writes the event of a booking again that somebody deleted from the calendar (`MISSING`). Its time is checked and
    /// blocked as for a new booking, and everybody is invited again. Needs `BOOKING_EDIT`.
    async fn restore_booking(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `restoreBooking`.")] input: RestoreBookingInput,
    ) -> Result<RestoreBookingPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::BookingEdit>()?;
            let (id, key) = (parse_id(&input.id, "booking", "id")?, &input.idempotency_key);
            let BookingReceipt { booking, run, .. } =
                Box::pin(ctx.services().bookings().restore(&by, id, input.if_version, key)).await?;
            Ok(RestoreBookingPayload::done(
                if_visible(ctx, Permission::BookingView, Booking(booking)),
                run::read_enqueued(ctx, &by, run).await?,
            ))
        })
        .await
    }

    /// Accepts the time to which somebody moved the event of a booking in the calendar although not everybody is free
    /// then (`CONFLICTING`). The booking is `CONFIRMED`; whoever is taken stays taken. Needs `BOOKING_EDIT`.
    async fn accept_booking_time(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `acceptBookingTime`.")] input: AcceptBookingTimeInput,
    ) -> Result<AcceptBookingTimePayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::BookingEdit>()?;
            let id = parse_id(&input.id, "booking", "id")?;
            let booking = ctx.services().bookings().accept_time(&by, id, input.if_version).await?;
            Ok(AcceptBookingTimePayload::done(if_visible(ctx, Permission::BookingView, Booking(booking))))
        })
        .await
    }

    /// Cancels any booking of the tenant, whoever created it. Needs `BOOKING_EDIT`.
    async fn cancel_booking(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `cancelBooking`.")] input: CancelBookingInput,
    ) -> Result<CancelBookingPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::BookingEdit>()?;
            let (id, key) = (parse_id(&input.id, "booking", "id")?, &input.idempotency_key);
            let BookingReceipt { booking, run, .. } =
                ctx.services().bookings().cancel(&by, id, &input.message, key).await?;
            Ok(CancelBookingPayload::done(
                if_visible(ctx, Permission::BookingView, Booking(booking)),
                run::read_enqueued(ctx, &by, run).await?,
            ))
        })
        .await
    }
}
