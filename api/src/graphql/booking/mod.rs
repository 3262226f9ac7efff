//! Appointments.

mod change;
mod participant;

use async_graphql::{Context, Description, ID, InputObject, Object, SimpleObject};
use domain::{Caller, Id, Permission, ids};
use services::{
    Services,
    bookings::Filter,
    entity::{booking::Model, booking_change, booking_participant},
};

pub use self::change::BookingMutation;
use self::participant::Participant;
use super::{
    context::{Ask, named, shown},
    failure::{Result, found},
    integration::{self, Integration, ServiceAccount},
    page::{args, connection},
    reason::Reason,
    run::Run,
    scalar::{DateTime, EmailAddress, TimeZone},
    user::{self, User},
    words::{BookingState, OnlineMeetingState, WrittenVia},
};

/// How a booking is marked that was written through a service account (S4.7).
const SERVICE_LABEL: &str = "This booking has been made via a service account";

/// An appointment written by Muster. It belongs to the tenant, not to a colleague's calendar.
#[derive(Description, Debug, Clone)]
pub struct Booking(Model);

impl From<Model> for Booking {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

impl Booking {
    fn via(&self) -> Option<domain::WrittenVia> {
        domain::WrittenVia::parse(self.0.written_via.as_deref()?)
    }

    async fn everybody(&self, ctx: &Context<'_>) -> Result<Vec<booking_participant::Model>> {
        Ok(ctx.loaders().participants.load(self.0.id).await?.unwrap_or_default())
    }
}

#[Object(use_type_description)]
impl Booking {
    /// The id; it begins with `bkg_`.
    pub(in crate::graphql) async fn id(&self) -> ID {
        shown::<ids::Booking>(self.0.id)
    }

    /// The title.
    async fn title(&self) -> &str {
        &self.0.title
    }

    /// The description; empty when there is none.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// When it begins.
    async fn start(&self) -> DateTime {
        self.0.start_at.into()
    }

    /// When it ends.
    async fn end(&self) -> DateTime {
        self.0.end_at.into()
    }

    /// The time zone it is shown in.
    async fn time_zone(&self) -> TimeZone {
        self.0.time_zone.clone().into()
    }

    /// What is blocked before it, in minutes.
    async fn buffer_before_minutes(&self) -> i32 {
        self.0.buffer_before_minutes
    }

    /// What is blocked after it, in minutes.
    async fn buffer_after_minutes(&self) -> i32 {
        self.0.buffer_after_minutes
    }

    /// Where it stands.
    async fn state(&self) -> BookingState {
        use domain::state::BookingState as S;
        S::parse(&self.0.state).unwrap_or(S::Requested).into()
    }

    /// Why, and what to do; null when there is nothing to say.
    async fn reason(&self) -> Option<Reason> {
        Reason::stored(self.0.reason.as_ref())
    }

    /// Since when it is in this state.
    async fn since(&self) -> DateTime {
        self.0.since.into()
    }

    /// Whose appointment it is, whichever calendar it was written to. Needs `USER_VIEW`, or to be that user.
    async fn organiser(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        user::referred(ctx, Some(self.0.organiser_id)).await
    }

    /// The line that names the real organiser in the event's text: `Organised by <name>`.
    async fn organiser_line(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        found(async {
            let organiser =
                self.everybody(ctx).await?.into_iter().find(|one| one.user_id == Some(self.0.organiser_id));
            let organiser = organiser.ok_or_else(|| services::Error::not_found("organiser"))?;
            Ok(format!("Organised by {}", organiser.name))
        })
        .await
    }

    /// Everybody who takes part with what they answered, the organiser first. Up to 301.
    async fn participants(&self, ctx: &Context<'_>) -> Option<Result<Vec<Participant>>> {
        let everybody = self.everybody(ctx).await;
        let of = |row| Participant::of(row, self.0.organiser_id);
        Some(everybody.map(|all| all.into_iter().map(of).collect()))
    }

    /// Which calendar it was written to; null before it is decided.
    async fn written_via(&self) -> Option<WrittenVia> {
        self.via().map(WrittenVia::from)
    }

    /// The mark of a booking that was written through a service account; null for others.
    async fn service_account_label(&self) -> Option<&'static str> {
        (self.via() == Some(domain::WrittenVia::ServiceAccount)).then_some(SERVICE_LABEL)
    }

    /// The service account that it was written with; null when it was written to the organiser's own calendar.
    async fn service_account(&self, ctx: &Context<'_>) -> Option<Result<ServiceAccount>> {
        let (id, integration) = (self.0.service_account_id?, self.0.integration_id?);
        let accounts = ctx.loaders().service_accounts.load(integration).await;
        let accounts = accounts.map(|rows| rows.unwrap_or_default().into_iter().find(|row| row.id == id));
        accounts.map(|row| row.map(ServiceAccount::from)).transpose()
    }

    /// The integration that it was written through; null before it is decided.
    async fn integration(&self, ctx: &Context<'_>) -> Option<Result<Integration>> {
        integration::referred(ctx, self.0.integration_id).await
    }

    /// The mailbox in whose calendar it stands; null before it is decided.
    async fn mailbox(&self) -> Option<EmailAddress> {
        self.0.mailbox.clone().map(EmailAddress)
    }

    /// What became of the online meeting that it was asked to have; null when none was asked for.
    async fn online_meeting(&self) -> Option<OnlineMeetingState> {
        use domain::state::OnlineMeetingState as S;
        self.0.online_meeting.as_deref().map(|word| S::parse(word).unwrap_or(S::Unavailable).into())
    }

    /// Where the online meeting is joined: an https address, there when `onlineMeeting` is `READY`.
    async fn online_meeting_url(&self) -> Option<&str> {
        self.0.online_meeting_url.as_deref()
    }

    /// The run that writes it, or that last changed it.
    async fn run(&self, ctx: &Context<'_>) -> Option<Result<Run>> {
        ctx.loaders().runs.load(self.0.run_id).await.map(|run| run.map(Run::from)).transpose()
    }

    /// Its moves and its cancellation, oldest first.
    async fn changes(&self, ctx: &Context<'_>) -> Option<Result<Vec<BookingChange>>> {
        let changes = ctx.loaders().changes.load(self.0.id).await;
        Some(changes.map(|all| all.unwrap_or_default().into_iter().map(BookingChange::from).collect()))
    }

    /// Who made it: the id of a user or a key.
    async fn created_by(&self) -> &str {
        &self.0.created_by
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Grows with every change; for `ifVersion`.
    async fn version(&self) -> i64 {
        self.0.version
    }
}

connection!(Booking, Model, BookingConnection, BookingEdge, "bookings", |row| row.id);

/// A move or the cancellation of a booking.
#[derive(SimpleObject)]
pub struct BookingChange {
    /// What was done: `MOVE` or `CANCEL`.
    what: String,
    /// When the booking began before.
    old_start: DateTime,
    /// When it ended before.
    old_end: DateTime,
    /// Who did it: the id of a user or a key.
    by_whom: String,
    /// When.
    at: DateTime,
}

impl From<booking_change::Model> for BookingChange {
    fn from(row: booking_change::Model) -> Self {
        Self {
            what: row.what,
            old_start: row.old_start.into(),
            old_end: row.old_end.into(),
            by_whom: row.by_whom,
            at: row.at.into(),
        }
    }
}

/// Which bookings are wanted; absent members do not matter.
#[derive(Default, InputObject)]
pub struct BookingFilter {
    /// Organised by this user.
    organiser_id: Option<ID>,
    /// In this room.
    room_id: Option<ID>,
    /// Not over before this.
    from: Option<DateTime>,
    /// Beginning before this.
    until: Option<DateTime>,
    /// In this state.
    state: Option<BookingState>,
}

impl BookingFilter {
    fn wanted(self) -> Result<Filter> {
        let user = |id| named::<ids::User>(&id, "user", "organiserId");
        let room = |id| named::<ids::Room>(&id, "room", "roomId");
        Ok(Filter {
            organiser: self.organiser_id.map(user).transpose()?,
            room: self.room_id.map(room).transpose()?,
            from: self.from.map(|at| at.0),
            until: self.until.map(|at| at.0),
            state: self.state.map(Into::into),
        })
    }
}

/// One booking of the tenant.
pub(super) async fn read(ctx: &Context<'_>, id: &ID) -> Result<Booking> {
    visible(ctx.services(), ctx.caller(), named(id, "booking", "id")?).await
}

/// The same, for a subscription.
pub(super) async fn visible(services: &Services, caller: &Caller, id: Id<ids::Booking>) -> Result<Booking> {
    let by = caller.allow(Permission::BookingView)?;
    Ok(services.bookings().get(&by, id).await?.into())
}

#[derive(Default)]
pub struct BookingQuery;

#[Object]
impl BookingQuery {
    /// One booking; null when there is none in the tenant. Needs `BOOKING_VIEW`.
    async fn booking(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The booking.")] id: ID,
    ) -> Option<Result<Booking>> {
        found(read(ctx, &id)).await
    }

    /// The bookings of the tenant, in the order in which they were made. Needs `BOOKING_VIEW`.
    async fn bookings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which bookings; all when absent.")] filter: Option<BookingFilter>,
        #[graphql(desc = "The first so many, 1 to 100; 50 when neither is given.")] first: Option<i32>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Option<Result<BookingConnection>> {
        Some(
            async {
                let by = ctx.caller().allow(Permission::BookingView)?;
                let wanted = filter.unwrap_or_default().wanted()?;
                let page = args(first, last, after, before)?;
                let page = ctx.services().bookings().list(&by, wanted, page).await?;
                Ok(BookingConnection::of(page, None))
            }
            .await,
        )
    }
}
