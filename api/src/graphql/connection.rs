//! Mailboxes that are reached through an integration.

use async_graphql::{Context, Description, Enum, ID, InputObject, Object, SimpleObject};
use domain::{Caller, Id, Permission, Route as Way, ids};
use services::{
    Services,
    connections::{self, Wanted},
    entity::connection::Model,
};

use super::{
    context::{Ask, named, seen, shown},
    failure::{Result, found},
    integration::{self, Integration},
    page::{args, connection},
    payload::{answer, payload},
    reason::Reason,
    room::{self, Room},
    run::{self, Run},
    scalar::{DateTime, EmailAddress, TimeZone},
    user::{self, User},
    words::{ConnectionState, Route},
};

/// One mailbox, of a user or of a room, reached through an integration.
#[derive(Description, Debug, Clone)]
pub struct Connection(Model);

impl From<Model> for Connection {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

impl Connection {
    fn way(&self) -> Option<Way> {
        Way::parse(&self.0.route)
    }
}

#[Object(use_type_description)]
impl Connection {
    /// The id; it begins with `con_`.
    pub(super) async fn id(&self) -> ID {
        shown::<ids::Connection>(self.0.id)
    }

    /// The mailbox address.
    async fn address(&self) -> EmailAddress {
        self.0.address.clone().into()
    }

    /// Where it stands.
    async fn state(&self) -> ConnectionState {
        connections::state(&self.0).into()
    }

    /// Why, and what to do; null when there is nothing to say.
    async fn reason(&self) -> Option<Reason> {
        Reason::stored(self.0.reason.as_ref())
    }

    /// Since when it is in this state.
    async fn since(&self) -> DateTime {
        self.0.since.into()
    }

    /// What it was measured to be able to do. Measured, never assumed.
    async fn capabilities(&self) -> Capabilities {
        connections::capabilities(&self.0).into()
    }

    /// By which way it is reached. Null for a way that this server does not know.
    async fn route(&self) -> Option<Route> {
        self.way().map(Route::from)
    }

    /// Whether it came through the service account, and not by the user's own consent.
    async fn via_service_account(&self) -> bool {
        self.way() != Some(Way::Own)
    }

    /// When its calendar was last read; null when it never was.
    async fn as_of(&self) -> Option<DateTime> {
        self.0.as_of.map(DateTime)
    }

    /// The mailbox's time zone; null when the provider does not tell it.
    async fn time_zone(&self) -> Option<TimeZone> {
        self.0.time_zone.clone().map(TimeZone)
    }

    /// The mailbox's calendars, the one that bookings go into first, as they were listed when it was activated last.
    async fn calendars(&self) -> Vec<MailboxCalendar> {
        connections::calendars(&self.0).into_iter().map(MailboxCalendar::from).collect()
    }

    /// The ids of the calendars that make the owner busy by `setCountedCalendars`; null where the calendar system's own
    /// rule decides, which `calendars.counts` shows.
    async fn counted_calendar_ids(&self) -> Option<Vec<String>> {
        connections::counted(&self.0)
    }

    /// The items of its calendar that could not be read when it was last read. An item whose times are known in part
    /// counts as busy for as long as it may last; one of whose times nothing is known blocks nothing.
    async fn unreadable(&self) -> UnreadableItems {
        let examples = connections::unreadable(&self.0).into_iter().map(UnreadableItem::from).collect();
        UnreadableItems { count: self.0.unreadable_count, unknown: self.0.unknown_count, examples }
    }

    /// Why the last attempt at the mailbox failed, and when it is tried again; null when it succeeded.
    async fn failure(&self) -> Option<ConnectionFailure> {
        let (way, since) = (self.0.failing_code.as_deref()?, self.0.failing_since?);
        let code = way.split_whitespace().next().unwrap_or_default().to_owned();
        let (attempts, retry_at) = (self.0.failures, self.0.retry_at.map(DateTime));
        Some(ConnectionFailure { code, since: since.into(), attempts, retry_at })
    }

    /// The user whose mailbox it is; null for a room's. Needs `USER_VIEW`, or to be that user.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        user::referred(ctx, self.0.user_id).await
    }

    /// The room whose mailbox it is; null for a user's.
    async fn room(&self, ctx: &Context<'_>) -> Option<Result<Room>> {
        room::referred(ctx, self.0.room_id).await
    }

    /// The integration that it is reached through.
    async fn integration(&self, ctx: &Context<'_>) -> Option<Result<Integration>> {
        integration::referred(ctx, Some(self.0.integration_id)).await
    }

    /// Grows with every change.
    async fn version(&self) -> i64 {
        self.0.version
    }
}

connection!(Connection, Model, ConnectionConnection, ConnectionEdge, "connections", |row| row.id);

/// What a connection was measured to be able to do.
#[derive(SimpleObject)]
pub struct Capabilities {
    /// The calendar is listed.
    list: bool,
    /// Busy times can be read.
    free_busy: bool,
    /// Titles and attendees can be read.
    read_details: bool,
    /// Events can be created.
    create: bool,
    /// Events can be changed.
    update: bool,
    /// Events can be deleted.
    delete: bool,
    /// Events can have an online meeting: offer `onlineMeeting` of `createBooking` to this user.
    online_meetings: bool,
}

impl From<domain::provider::Capabilities> for Capabilities {
    fn from(measured: domain::provider::Capabilities) -> Self {
        let domain::provider::Capabilities {
            list,
            free_busy,
            read_details,
            create,
            update,
            delete,
            online_meetings,
        } = measured;
        Self { list, free_busy, read_details, create, update, delete, online_meetings }
    }
}

/// One calendar of a mailbox.
#[derive(SimpleObject)]
pub struct MailboxCalendar {
    /// The calendar system's id; pass it to `setCountedCalendars`.
    id: String,
    /// The name, for people.
    name: String,
    /// What it is.
    kind: CalendarKind,
    /// Whether its events make the owner busy.
    counts: bool,
}

impl From<connections::CalendarListing> for MailboxCalendar {
    fn from(listed: connections::CalendarListing) -> Self {
        let connections::CalendarListing { id, name, kind, counts } = listed;
        Self { id, name, kind: kind.into(), counts }
    }
}

/// What a calendar of a mailbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "connections::CalendarKind")]
pub enum CalendarKind {
    /// The one that bookings go into.
    Default,
    /// Another one of the owner's.
    Secondary,
    /// Made by the calendar system from other data, such as birthdays or holidays.
    Generated,
    /// One of another owner that was shared with this one.
    Shared,
}

/// Why an item of a calendar cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::UnreadableReason")]
pub enum UnreadableReason {
    /// It has no start or end that can be understood.
    NoTimes,
    /// Its recurrence rule cannot be understood.
    Recurrence,
    /// Its time zone is described nowhere.
    TimeZone,
    /// It is not in the form that its calendar system prescribes.
    Malformed,
    /// It is larger than what is read of one item.
    TooLarge,
    /// Expanding its recurrences costs more than what is spent on one item.
    TooCostly,
    /// The calendar system lists it and does not hand it out.
    NotDelivered,
}

/// Attempts at a mailbox that failed one after the other. It is tried less and less, and keeps its state at first; where
/// a refusal lasts, it becomes `UNREACHABLE`.
#[derive(SimpleObject)]
pub struct ConnectionFailure {
    /// The stable code; docs/errors.md explains each.
    code: String,
    /// Since when every attempt has failed in this way.
    since: DateTime,
    /// Number of attempts that failed.
    attempts: i32,
    /// When it is tried again.
    retry_at: Option<DateTime>,
}

/// The items of a calendar that cannot be read.
#[derive(SimpleObject)]
pub struct UnreadableItems {
    /// How many there are.
    count: i32,
    /// How many of them block no time, because nothing is known of their times. `availability` counts them as
    /// `unreadable`, and refuses this person with `onUnreadable: REFUSE`.
    unknown: i32,
    /// Up to 20 of them, those that block no time first.
    examples: Vec<UnreadableItem>,
}

/// An item of a calendar that cannot be read.
#[derive(SimpleObject)]
pub struct UnreadableItem {
    /// Its iCalendar UID; the calendar system's own id where no UID can be read.
    uid: String,
    /// Why it cannot be read.
    reason: UnreadableReason,
    /// Whether it counts as busy, for as long as it may last. False where nothing is known of its times.
    blocks: bool,
}

impl From<domain::Unreadable> for UnreadableItem {
    fn from(item: domain::Unreadable) -> Self {
        let domain::Unreadable { uid, reason, blocks } = item;
        Self { uid, reason: reason.into(), blocks }
    }
}

/// Which connections are wanted; absent members do not matter.
#[derive(Default, InputObject)]
pub struct ConnectionFilter {
    /// Only those of this integration.
    integration_id: Option<ID>,
    /// Only those in this state.
    state: Option<ConnectionState>,
    /// Only rooms' (true) or only people's (false).
    rooms: Option<bool>,
}

impl ConnectionFilter {
    fn wanted(&self) -> Result<Wanted> {
        let of = |id| named::<ids::Integration>(id, "integration", "integrationId");
        let integration = self.integration_id.as_ref().map(of).transpose()?.map(Id::uuid);
        Ok(Wanted { integration, state: self.state.map(Into::into), rooms: self.rooms })
    }
}

/// One connection of the tenant.
pub(super) async fn read(ctx: &Context<'_>, id: &ID) -> Result<Connection> {
    visible(ctx.services(), ctx.caller(), named(id, "connection", "id")?).await
}

/// The same, for a subscription.
pub(super) async fn visible(
    services: &Services,
    caller: &Caller,
    id: Id<ids::Connection>,
) -> Result<Connection> {
    let by = caller.allow(Permission::ConnectionView)?;
    Ok(services.connections().get(&by, id).await?.into())
}

/// One page of connections, counted when the count is asked for.
pub(super) async fn list(
    ctx: &Context<'_>,
    wanted: Wanted,
    page: services::PageArgs,
) -> Result<ConnectionConnection> {
    let by = ctx.caller().allow(Permission::ConnectionView)?;
    let connections = ctx.services().connections();
    let is_counted = ctx.look_ahead().field("totalCount").exists();
    let total = if is_counted { Some(connections.count(&by, &wanted).await?) } else { None };
    Ok(ConnectionConnection::of(connections.list(&by, &wanted, page).await?, total))
}

#[derive(Default)]
pub struct ConnectionQuery;

#[Object]
impl ConnectionQuery {
    /// One connection; null when there is none in the tenant. Needs `CONNECTION_VIEW`.
    async fn connection(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The connection.")] id: ID,
    ) -> Option<Result<Connection>> {
        found(read(ctx, &id)).await
    }

    /// The tenant's connections, in the order in which they were found. Needs `CONNECTION_VIEW`.
    async fn connections(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which connections; all when absent.")] filter: Option<ConnectionFilter>,
        #[graphql(desc = "The first so many, 1 to 100; 50 when neither is given.")] first: Option<i32>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Option<Result<ConnectionConnection>> {
        Some(
            async {
                let wanted = filter.unwrap_or_default().wanted()?;
                list(ctx, wanted, args(first, last, after, before)?).await
            }
            .await,
        )
    }
}

/// A mailbox to be activated.
#[derive(InputObject)]
pub struct ActivateConnectionInput {
    /// The connection.
    id: ID,
}

/// A mailbox to be left out.
#[derive(InputObject)]
pub struct ExcludeConnectionInput {
    /// The connection.
    id: ID,
}

/// The calendars of a mailbox that make its owner busy.
#[derive(InputObject)]
pub struct SetCountedCalendarsInput {
    /// The connection.
    connection_id: ID,
    /// The ids of the calendars, from `calendars` of the connection; null leaves it to the calendar system.
    calendar_ids: Option<Vec<String>>,
    /// The version that the change is based on: refused when somebody changed the connection since.
    if_version: Option<i64>,
}

payload! {
    /// What `setCountedCalendars` answers.
    SetCountedCalendarsPayload {
        /// The connection as it stands now. It is read again at once; null without `CONNECTION_VIEW`.
        connection: Connection,
    }
}
payload! {
    /// What `activateConnection` answers.
    ActivateConnectionPayload {
        /// The run that activates it.
        run: Run,
    }
}
payload! {
    /// What `excludeConnection` answers.
    ExcludeConnectionPayload {
        /// The connection as it stands now; null without `CONNECTION_VIEW`.
        connection: Connection,
    }
}

#[derive(Default)]
pub struct ConnectionMutation;

#[Object]
impl ConnectionMutation {
    /// Activates a mailbox again, or for the first time. Needs `USER_EDIT`.
    async fn activate_connection(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The connection.")] input: ActivateConnectionInput,
    ) -> Result<ActivateConnectionPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::UserEdit)?;
            let run =
                ctx.services().connections().activate(&by, named(&input.id, "connection", "id")?).await?;
            Ok(ActivateConnectionPayload::done(run::of(ctx, &by, run).await?))
        })
        .await
    }

    /// Decides which calendars of a mailbox make its owner busy. Needs `USER_EDIT`.
    async fn set_counted_calendars(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The connection and its calendars.")] input: SetCountedCalendarsInput,
    ) -> Result<SetCountedCalendarsPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::UserEdit)?;
            let id = named(&input.connection_id, "connection", "connectionId")?;
            let connections = ctx.services().connections();
            let row = connections.count_calendars(&by, id, input.calendar_ids, input.if_version).await?;
            Ok(SetCountedCalendarsPayload::done(seen(ctx, Permission::ConnectionView, Connection(row))))
        })
        .await
    }

    /// Leaves a mailbox out on purpose: it is not read or written any more. Needs `USER_EDIT`.
    async fn exclude_connection(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The connection.")] input: ExcludeConnectionInput,
    ) -> Result<ExcludeConnectionPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::UserEdit)?;
            let row =
                ctx.services().connections().exclude(&by, named(&input.id, "connection", "id")?).await?;
            Ok(ExcludeConnectionPayload::done(seen(ctx, Permission::ConnectionView, Connection(row))))
        })
        .await
    }
}
