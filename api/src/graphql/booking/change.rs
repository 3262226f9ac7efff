//! Making, moving and cancelling bookings.

use async_graphql::{Context, ID, InputObject, Object};
use domain::Permission;
use services::bookings::{Guest, NewBooking, NewTime, Placed};

use super::Booking;
use crate::graphql::{
    availability::input::{OnUnreadable, minutes},
    context::{Ask, all_named, named, seen},
    failure::{Failure, Result},
    payload::{answer, payload},
    run::{self, Run},
    scalar::{DateTime, EmailAddress, TimeZone},
};

/// A booking to be made.
#[derive(InputObject)]
pub struct CreateBookingInput {
    /// The user whose appointment it is; takes part.
    organiser_id: ID,
    /// The title, 1 to 255 characters.
    title: String,
    /// The description, up to 10,000 characters.
    #[graphql(default)]
    description: String,
    /// When it begins: in the future.
    start: DateTime,
    /// When it ends: within 24 hours of the start.
    end: DateTime,
    /// The time zone it is shown in.
    time_zone: TimeZone,
    /// The other people of the tenant, up to 100.
    #[graphql(default)]
    user_ids: Vec<ID>,
    /// The rooms, up to 100.
    #[graphql(default)]
    room_ids: Vec<ID>,
    /// People from elsewhere, up to 100. Their time is not checked.
    #[graphql(default)]
    guests: Vec<GuestInput>,
    /// What is blocked before it, in minutes: 0 to 240.
    #[graphql(default)]
    buffer_before_minutes: i32,
    /// What is blocked after it, in minutes: 0 to 240.
    #[graphql(default)]
    buffer_after_minutes: i32,
    /// Whether people whose calendars are unknown are booked all the same. Unknown rooms never are.
    #[graphql(default)]
    ignore_unknown: bool,
    /// What an item of a participant's calendar does that cannot be read, and of whose times nothing is known.
    #[graphql(default_with = "OnUnreadable::Offer")]
    on_unreadable: OnUnreadable,
    /// Whether it is to have an online meeting of the calendar system's. Refused with `ONLINE_MEETING_UNAVAILABLE` where
    /// the calendar that it goes to has none.
    #[graphql(default)]
    online_meeting: bool,
    /// Made up by the caller, 1 to 128 characters: the same request with the same key, within 24 hours, makes one
    /// booking and answers it again, read afresh.
    idempotency_key: String,
}

/// Somebody from elsewhere.
#[derive(InputObject)]
pub struct GuestInput {
    /// The name, up to 255 characters.
    name: String,
    /// The email address.
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
            organiser: named(&input.organiser_id, "user", "organiserId")?,
            title: input.title,
            description: input.description,
            start: input.start.0,
            end: input.end.0,
            zone: input.time_zone.0,
            users: all_named(&input.user_ids, "user", "userIds")?,
            rooms: all_named(&input.room_ids, "room", "roomIds")?,
            guests: input.guests.into_iter().map(Guest::from).collect(),
            buffer_before_minutes: minutes(input.buffer_before_minutes),
            buffer_after_minutes: minutes(input.buffer_after_minutes),
            ignore_unknown: input.ignore_unknown,
            on_unreadable: input.on_unreadable.into(),
            online_meeting: input.online_meeting,
        })
    }
}

/// A booking to be moved.
#[derive(InputObject)]
pub struct MoveBookingInput {
    /// The booking.
    id: ID,
    /// When it begins: in the future.
    start: DateTime,
    /// When it ends: within 24 hours of the start.
    end: DateTime,
    /// The time zone it is shown in; stays when absent.
    time_zone: Option<TimeZone>,
    /// Whether people whose calendars are unknown are booked all the same. Unknown rooms never are.
    #[graphql(default)]
    ignore_unknown: bool,
    /// What an item of a participant's calendar does that cannot be read, and of whose times nothing is known.
    #[graphql(default_with = "OnUnreadable::Offer")]
    on_unreadable: OnUnreadable,
    /// The version that the move is based on: refused when somebody changed the booking since.
    if_version: Option<i64>,
    /// Made up by the caller, 1 to 128 characters: the same request with the same key, within 24 hours, moves once.
    idempotency_key: String,
}

/// A booking to be cancelled.
#[derive(InputObject)]
pub struct CancelBookingInput {
    /// The booking.
    id: ID,
    /// What the attendees are told, up to 2,000 characters.
    #[graphql(default)]
    message: String,
    /// Made up by the caller, 1 to 128 characters: the same request with the same key, within 24 hours, cancels once.
    idempotency_key: String,
}

payload! {
    /// What `createBooking` answers.
    CreateBookingPayload {
        /// The booking. Its times are blocked from now on.
        booking: Booking,
        /// The run that writes it to the calendar.
        run: Run,
        /// What the organiser has to know, in one sentence; null when there is nothing.
        notice: String,
    }
}
payload! {
    /// What `moveBooking` answers.
    MoveBookingPayload {
        /// The booking. Its new times are blocked beside the old ones until the calendar says that it has moved; null without `BOOKING_VIEW`.
        booking: Booking,
        /// The run that moves it in the calendar.
        run: Run,
        /// What the organiser has to know, in one sentence; null when there is nothing.
        notice: String,
    }
}
payload! {
    /// What `cancelBooking` answers.
    CancelBookingPayload {
        /// The booking; null without `BOOKING_VIEW`.
        booking: Booking,
        /// The run that cancels it in the calendar.
        run: Run,
    }
}

#[derive(Default)]
pub struct BookingMutation;

#[Object]
impl BookingMutation {
    /// Makes a booking: checks, blocked times and the order for the calendar commit together; the calendar is written
    /// by the run. Needs `BOOKING_EDIT`.
    async fn create_booking(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The booking.")] input: CreateBookingInput,
    ) -> Result<CreateBookingPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::BookingEdit)?;
            let key = input.idempotency_key.clone();
            let Placed { booking, run, notice } =
                Box::pin(ctx.services().bookings().create(&by, input.try_into()?, &key)).await?;
            Ok(CreateBookingPayload::done(Booking(booking), run::of(ctx, &by, run).await?, notice))
        })
        .await
    }

    /// Moves a booking. Needs `BOOKING_EDIT`: a booking belongs to the tenant, whoever made it.
    async fn move_booking(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The booking and its new time.")] input: MoveBookingInput,
    ) -> Result<MoveBookingPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::BookingEdit)?;
            let (id, key) = (named(&input.id, "booking", "id")?, &input.idempotency_key);
            let to = NewTime {
                start: input.start.0,
                end: input.end.0,
                zone: input.time_zone.map(|zone| zone.0),
                ignore_unknown: input.ignore_unknown,
                on_unreadable: input.on_unreadable.into(),
            };
            let Placed { booking, run, notice } =
                ctx.services().bookings().move_to(&by, id, to, input.if_version, key).await?;
            Ok(MoveBookingPayload::done(
                seen(ctx, Permission::BookingView, Booking(booking)),
                run::of(ctx, &by, run).await?,
                notice,
            ))
        })
        .await
    }

    /// Cancels a booking. Needs `BOOKING_EDIT`: a booking belongs to the tenant, whoever made it.
    async fn cancel_booking(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The booking.")] input: CancelBookingInput,
    ) -> Result<CancelBookingPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::BookingEdit)?;
            let (id, key) = (named(&input.id, "booking", "id")?, &input.idempotency_key);
            let Placed { booking, run, .. } =
                ctx.services().bookings().cancel(&by, id, &input.message, key).await?;
            Ok(CancelBookingPayload::done(
                seen(ctx, Permission::BookingView, Booking(booking)),
                run::of(ctx, &by, run).await?,
            ))
        })
        .await
    }
}
