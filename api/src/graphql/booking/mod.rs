//! Bookings: the object, its filter, and the queries that read it.

mod change;
mod participant;

use async_graphql::{Context, Description, ID, InputObject, Object, SimpleObject};
use domain::{Id, ids, may};
use services::{
    Caller, Services,
    bookings::Filter,
    rows::{booking::Model, booking_change, booking_participant},
};

pub use self::change::BookingMutation;
use self::participant::Participant;
use super::{
    context::{ContextExt, format_id, parse_id},
    enums::{BookingChangeKind, BookingState, OnlineMeetingState, WrittenVia},
    failure::{Result, null_if_missing},
    integration::{self, Integration, ServiceAccount},
    page::{connection, parse_page_args},
    reason::Reason,
    run::Run,
    scalar::{DateTime, EmailAddress, TimeZone},
    user::{self, User},
};

/// Label of a booking that was written through a service account (S4.7).
const SERVICE_LABEL: &str = "This booking has been made via a service account";

/// A meeting that Muster writes to a calendar. It belongs to the tenant, not to the user who created it.
#[derive(Description, Debug, Clone)]
pub struct Booking(Model);

impl From<Model> for Booking {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

impl Booking {
    async fn everybody(&self, ctx: &Context<'_>) -> Result<Vec<booking_participant::Model>> {
        Ok(ctx.loaders().participants.load(self.0.id).await?.unwrap_or_default())
    }
}

#[Object(use_type_description)]
impl Booking {
    /// Identifier; starts with `bkg_`.
    pub(in crate::graphql) async fn id(&self) -> ID {
        format_id(self.0.id)
    }

    /// Title of the meeting.
    async fn title(&self) -> &str {
        &self.0.title
    }

    /// Description; empty if there is none.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// Start of the meeting, without the buffer before it.
    async fn start(&self) -> DateTime {
        self.0.start_at.into()
    }

    /// End of the meeting, without the buffer after it.
    async fn end(&self) -> DateTime {
        self.0.end_at.into()
    }

    /// Time zone in which the calendar event is shown.
    async fn time_zone(&self) -> TimeZone {
        self.0.time_zone.clone().into()
    }

    /// Time blocked before the meeting, in minutes.
    async fn buffer_before_minutes(&self) -> i32 {
        self.0.buffer_before_minutes
    }

    /// Time blocked after the meeting, in minutes.
    async fn buffer_after_minutes(&self) -> i32 {
        self.0.buffer_after_minutes
    }

    /// Current state of the booking.
    async fn state(&self) -> BookingState {
        (&self.0.state).into()
    }

    /// Why the booking is in its current state and what to do next; null if there is nothing to explain.
    async fn reason(&self) -> Option<Reason> {
        Reason::from_stored(self.0.reason.as_ref())
    }

    /// Time at which the booking entered its current state.
    async fn since(&self) -> DateTime {
        self.0.since.into()
    }

    /// The user who organises the meeting, whichever calendar it is written to. Needs `USER_VIEW` unless the caller is
    /// that user.
    async fn organiser(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        user::load_referenced(ctx, Some(self.0.organiser_id)).await
    }

    /// The line `Organised by <name>`, which is added to the event's description if the event is written through a
    /// service account.
    async fn organiser_line(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        null_if_missing(async {
            let organiser =
                self.everybody(ctx).await?.into_iter().find(|one| one.user_id == Some(self.0.organiser_id));
            let organiser = organiser.ok_or_else(|| services::Error::not_found("organiser"))?;
            Ok(format!("Organised by {}", organiser.name))
        })
        .await
    }

    /// All participants and their responses, organiser first; up to 301.
    async fn participants(&self, ctx: &Context<'_>) -> Option<Result<Vec<Participant>>> {
        let everybody = self.everybody(ctx).await;
        let of = |row| Participant::from_row(row, self.0.organiser_id);
        Some(everybody.map(|all| all.into_iter().map(of).collect()))
    }

    /// The calendar to which the event is written: the organiser's own or that of the service mailbox; null until
    /// Muster has selected one.
    async fn written_via(&self) -> Option<WrittenVia> {
        self.0.written_via.as_ref().map(WrittenVia::from)
    }

    /// Label for clients to show on a booking written through a service account; null for other bookings.
    async fn service_account_label(&self) -> Option<&'static str> {
        let via = self.0.written_via.as_ref()?.known();
        (via == Some(domain::WrittenVia::ServiceAccount)).then_some(SERVICE_LABEL)
    }

    /// The service account in whose mailbox the event is; null if it is in the organiser's own calendar.
    async fn service_account(&self, ctx: &Context<'_>) -> Option<Result<ServiceAccount>> {
        let (id, integration) = (self.0.service_account_id?, self.0.integration_id?);
        let accounts = ctx.loaders().service_accounts.load(integration).await;
        let accounts = accounts.map(|rows| rows.unwrap_or_default().into_iter().find(|row| row.id == id));
        accounts.map(|row| row.map(ServiceAccount::from)).transpose()
    }

    /// The integration through which the event is written; null until Muster has selected one.
    async fn integration(&self, ctx: &Context<'_>) -> Option<Result<Integration>> {
        integration::load_referenced(ctx, self.0.integration_id).await
    }

    /// The mailbox whose calendar contains the event; null until Muster has selected one.
    async fn mailbox(&self) -> Option<EmailAddress> {
        self.0.mailbox.clone().map(EmailAddress)
    }

    /// State of the booking's online meeting; null if none was requested.
    async fn online_meeting(&self) -> Option<OnlineMeetingState> {
        self.0.online_meeting.as_ref().map(OnlineMeetingState::from)
    }

    /// URL for joining the online meeting; null unless `onlineMeeting` is `READY`.
    async fn online_meeting_url(&self) -> Option<&str> {
        self.0.online_meeting_url.as_deref()
    }

    /// The run that wrote the calendar event or most recently changed it.
    async fn run(&self, ctx: &Context<'_>) -> Option<Result<Run>> {
        ctx.loaders().runs.load(self.0.run_id).await.map(|run| run.map(Run::from)).transpose()
    }

    /// Moves and the cancellation of the booking, oldest first.
    async fn changes(&self, ctx: &Context<'_>) -> Option<Result<Vec<BookingChange>>> {
        let changes = ctx.loaders().changes.load(self.0.id).await;
        Some(changes.map(|all| all.unwrap_or_default().into_iter().map(BookingChange::from).collect()))
    }

    /// Who created the booking: the id of a user or vendor key.
    async fn created_by(&self) -> &str {
        &self.0.created_by
    }

    /// Time at which the booking was created.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Incremented on every change; pass as `ifVersion`.
    async fn version(&self) -> i64 {
        self.0.version
    }
}

connection!(Booking, Model, BookingConnection, BookingEdge, "bookings", |row| row.id.uuid());

/// One move, or the cancellation, of a booking.
#[derive(SimpleObject)]
pub struct BookingChange {
    /// How the booking was changed.
    what: BookingChangeKind,
    /// Start of the meeting before the change.
    old_start: DateTime,
    /// End of the meeting before the change.
    old_end: DateTime,
    /// Who made the change: the id of a user or vendor key, or `calendar` if somebody moved the event there.
    by_whom: String,
    /// Time of the change.
    at: DateTime,
}

impl From<booking_change::Model> for BookingChange {
    fn from(row: booking_change::Model) -> Self {
        Self {
            what: (&row.what).into(),
            old_start: row.old_start.into(),
            old_end: row.old_end.into(),
            by_whom: row.by_whom,
            at: row.at.into(),
        }
    }
}

/// Selects bookings. A booking must match every field that is given.
#[derive(Default, InputObject)]
pub struct BookingFilter {
    /// Only bookings organised by this user.
    organiser_id: Option<ID>,
    /// Only bookings of this room.
    room_id: Option<ID>,
    /// Only bookings in which this user takes part, as organiser or otherwise.
    participant_id: Option<ID>,
    /// Only bookings to which the guest with this email address is invited.
    guest_email: Option<EmailAddress>,
    /// Only bookings that end after this time.
    from: Option<DateTime>,
    /// Only bookings that start before this time.
    until: Option<DateTime>,
    /// Only bookings in this state.
    state: Option<BookingState>,
}

impl BookingFilter {
    fn wanted(self) -> Result<Filter> {
        let user = |id, name| parse_id::<ids::User>(&id, "user", name);
        let room = |id| parse_id::<ids::Room>(&id, "room", "roomId");
        Ok(Filter {
            organiser: self.organiser_id.map(|id| user(id, "organiserId")).transpose()?,
            room: self.room_id.map(room).transpose()?,
            participant: self.participant_id.map(|id| user(id, "participantId")).transpose()?,
            guest: self.guest_email.map(|email| email.0),
            from: self.from.map(|at| at.0),
            until: self.until.map(|at| at.0),
            state: self.state.map(Into::into),
        })
    }
}

/// The booking with this id in the caller's tenant. Needs `BOOKING_VIEW`.
pub(super) async fn read(ctx: &Context<'_>, id: &ID) -> Result<Booking> {
    read_for_caller(ctx.services(), &ctx.caller(), parse_id(id, "booking", "id")?).await
}

/// Reads a booking as [`read`] does, for a subscription, which has no query context.
pub(super) async fn read_for_caller(
    services: &Services,
    caller: &Caller,
    id: Id<ids::Booking>,
) -> Result<Booking> {
    let by = caller.allow::<may::BookingView>()?;
    Ok(services.bookings().get(&by, id).await?.into())
}

#[derive(Default)]
pub struct BookingQuery;

#[Object]
impl BookingQuery {
    /// Finds a booking by id; null if the tenant has no such booking. Needs `BOOKING_VIEW`.
    async fn booking(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Identifier of the booking.")] id: ID,
    ) -> Option<Result<Booking>> {
        null_if_missing(read(ctx, &id)).await
    }

    /// Lists the bookings of the tenant, oldest first by creation. Needs `BOOKING_VIEW`.
    async fn bookings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Selects bookings; defaults to all.")] filter: Option<BookingFilter>,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<BookingConnection>> {
        Some(
            async {
                let by = ctx.caller().allow::<may::BookingView>()?;
                let wanted = filter.unwrap_or_default().wanted()?;
                let page = parse_page_args(first, last, after, before)?;
                let page = ctx.services().bookings().list(&by, wanted, page).await?;
                Ok(BookingConnection::from_page(page, None))
            }
            .await,
        )
    }
}
