//! Connections: mailboxes accessed through an integration.

mod change;

use async_graphql::{Context, Description, Enum, ID, InputObject, Object, SimpleObject};
use domain::{Id, Route as Way, ids, may};
use services::{
    Caller, Services,
    connections::{self, ConnectionFilter},
    rows::connection::Model,
};

use super::{
    context::{ContextExt, format_id, parse_id},
    enums::{ConnectedMailboxState, Route},
    failure::{Result, null_if_missing},
    integration::{self, Integration},
    page::{connection, parse_page_args},
    reason::Reason,
    room::{self, Room},
    scalar::{DateTime, EmailAddress, TimeZone},
    user::{self, User},
};
pub use change::ConnectionMutation;

/// A mailbox of a user or room that Muster accesses through an integration.
#[derive(Description, Debug, Clone)]
pub struct ConnectedMailbox(Model);

impl From<Model> for ConnectedMailbox {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl ConnectedMailbox {
    /// Identifier; starts with `con_`.
    pub(super) async fn id(&self) -> ID {
        format_id(self.0.id)
    }

    /// Email address of the mailbox.
    async fn address(&self) -> EmailAddress {
        self.0.address.clone().into()
    }

    /// Current state of the connected mailbox.
    async fn state(&self) -> ConnectedMailboxState {
        (&self.0.state).into()
    }

    /// Why the connected mailbox is in its current state and what to do next; null if there is nothing to explain.
    async fn reason(&self) -> Option<Reason> {
        Reason::from_stored(self.0.reason.as_ref())
    }

    /// Time at which the connected mailbox entered its current state.
    async fn since(&self) -> DateTime {
        self.0.since.into()
    }

    /// What Muster can do with the mailbox, as determined by the most recent check.
    async fn capabilities(&self) -> Capabilities {
        connections::capabilities(&self.0).into()
    }

    /// Route by which Muster accesses the mailbox.
    async fn route(&self) -> Route {
        (&self.0.route).into()
    }

    /// Whether Muster accesses the mailbox through the service account rather than with the user's own consent.
    async fn via_service_account(&self) -> bool {
        self.0.route != Way::Own
    }

    /// Time at which the calendar was last read; null if it has never been read.
    async fn as_of(&self) -> Option<DateTime> {
        self.0.as_of.map(DateTime)
    }

    /// Until when the provider reports changes of the calendar by a push channel, which is renewed in time; null if there
    /// is none, so that changes are found only when the calendar is read again.
    async fn changes_reported_until(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        let channels = ctx.loaders().channels.load(self.0.id).await;
        channels
            .map(|channels| channels.and_then(|all| all.first().map(|channel| channel.expires_at.into())))
            .transpose()
    }

    /// Time zone of the mailbox; null if the provider does not report one.
    async fn time_zone(&self) -> Option<TimeZone> {
        self.0.time_zone.clone().map(TimeZone)
    }

    /// Calendars of the mailbox as listed at its last activation, the default calendar first.
    async fn calendars(&self) -> Vec<MailboxCalendar> {
        connections::calendars(&self.0).into_iter().map(MailboxCalendar::from).collect()
    }

    /// Identifiers of the calendars that make the owner busy, as set by `setCountedCalendars`; null if the provider's
    /// default selection applies, which `calendars.counts` reports.
    async fn counted_calendar_ids(&self) -> Option<Vec<String>> {
        connections::chosen_calendars(&self.0)
    }

    /// Items that could not be read when the calendar was last read. Items whose times are partly known count as busy
    /// for as long as they may last; items whose times are unknown block no time.
    async fn unreadable(&self) -> UnreadableItems {
        let examples =
            connections::unreadable_examples(&self.0).into_iter().map(UnreadableItem::from).collect();
        UnreadableItems { count: self.0.unreadable_count, unknown: self.0.unknown_count, examples }
    }

    /// Why the most recent attempts to access the mailbox failed, and when the next one is due; null if the last
    /// attempt succeeded.
    async fn failure(&self) -> Option<ConnectedMailboxFailure> {
        let (way, since) = (self.0.failing_code.as_deref()?, self.0.failing_since?);
        let code = way.split_whitespace().next().unwrap_or_default().to_owned();
        let (attempts, retry_at) = (self.0.failures, self.0.retry_at.map(DateTime));
        Some(ConnectedMailboxFailure { code, since: since.into(), attempts, retry_at })
    }

    /// The user who owns the mailbox; null if a room owns it. Needs `USER_VIEW` unless the caller is that user.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        user::load_referenced(ctx, self.0.user_id).await
    }

    /// The room that owns the mailbox; null if a user owns it.
    async fn room(&self, ctx: &Context<'_>) -> Option<Result<Room>> {
        room::load_referenced(ctx, self.0.room_id).await
    }

    /// The integration through which Muster accesses the mailbox.
    async fn integration(&self, ctx: &Context<'_>) -> Option<Result<Integration>> {
        integration::load_referenced(ctx, Some(self.0.integration_id)).await
    }

    /// Incremented on every change; pass as `ifVersion`.
    async fn version(&self) -> i64 {
        self.0.version
    }
}

connection!(
    ConnectedMailbox,
    Model,
    ConnectedMailboxConnection,
    ConnectedMailboxEdge,
    "connected mailboxes",
    |row| row.id.uuid()
);

/// What Muster can do with a mailbox, as determined by the most recent check.
#[derive(SimpleObject)]
pub struct Capabilities {
    /// Whether the calendar can be listed.
    list: bool,
    /// Whether busy times can be read.
    free_busy: bool,
    /// Whether titles and attendees can be read.
    read_details: bool,
    /// Whether events can be created.
    create: bool,
    /// Whether events can be changed.
    update: bool,
    /// Whether events can be deleted.
    delete: bool,
    /// Whether events can include an online meeting; if so, this user may set `CreateBookingInput.onlineMeeting`.
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
    /// Identifier at the provider; pass to `setCountedCalendars`.
    id: String,
    /// Display name.
    name: String,
    /// Role of the calendar in the mailbox.
    kind: CalendarKind,
    /// Whether events in the calendar make the owner busy.
    counts: bool,
}

impl From<connections::CalendarListing> for MailboxCalendar {
    fn from(listed: connections::CalendarListing) -> Self {
        let connections::CalendarListing { id, name, kind, counts } = listed;
        Self { id, name, kind: kind.into(), counts }
    }
}

/// Role of a calendar in its mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "connections::CalendarKind")]
pub enum CalendarKind {
    /// The default calendar, to which bookings are written.
    Default,
    /// An additional calendar of the mailbox's owner.
    Secondary,
    /// A calendar that the provider generates from other data, such as birthdays or holidays.
    Generated,
    /// Another person's calendar that is shared with the mailbox's owner.
    Shared,
}

/// Why a calendar item cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::UnreadableReason")]
pub enum UnreadableReason {
    /// The item has no valid start or end.
    NoTimes,
    /// The item's recurrence rule cannot be parsed.
    Recurrence,
    /// The item refers to an undefined time zone.
    TimeZone,
    /// The item violates the format of its calendar system.
    Malformed,
    /// The item exceeds the size limit for a single item.
    TooLarge,
    /// Expanding the item's recurrences exceeds the effort limit for a single item.
    TooCostly,
    /// The provider lists the item but does not return its content.
    NotDelivered,
}

/// A series of consecutive failed attempts to access a mailbox. Muster retries at increasing intervals. The mailbox
/// initially keeps its state and becomes `UNREACHABLE` if the provider keeps denying access.
#[derive(SimpleObject)]
pub struct ConnectedMailboxFailure {
    /// Stable, machine-readable code; docs/errors.md lists all codes.
    code: String,
    /// Time of the first failure in this series.
    since: DateTime,
    /// Number of failed attempts in this series.
    attempts: i32,
    /// Time of the next attempt; null if none is planned.
    retry_at: Option<DateTime>,
}

/// Items of a calendar that cannot be read.
#[derive(SimpleObject)]
pub struct UnreadableItems {
    /// Number of unreadable items.
    count: i32,
    /// Number of unreadable items that block no time because their times are unknown. `availability` reports them as
    /// `unreadable` and, with `onUnreadable: REFUSE`, offers no slots for this participant.
    unknown: i32,
    /// Up to 20 unreadable items, those that block no time first.
    examples: Vec<UnreadableItem>,
}

/// A calendar item that cannot be read.
#[derive(SimpleObject)]
pub struct UnreadableItem {
    /// iCalendar UID of the item, or its identifier at the provider if no UID can be read.
    uid: String,
    /// Why the item cannot be read.
    reason: UnreadableReason,
    /// Whether the item counts as busy for as long as it may last; false if its times are unknown.
    blocks: bool,
}

impl From<domain::UnreadableItem> for UnreadableItem {
    fn from(item: domain::UnreadableItem) -> Self {
        let domain::UnreadableItem { uid, reason, blocks } = item;
        Self { uid, reason: reason.into(), blocks }
    }
}

/// Selects connected mailboxes. A connected mailbox must match every field that is given.
#[derive(Default, InputObject)]
pub struct ConnectedMailboxFilter {
    /// Only connected mailboxes of this integration.
    integration_id: Option<ID>,
    /// Only connected mailboxes in this state.
    state: Option<ConnectedMailboxState>,
    /// Only connected mailboxes of rooms (`true`) or only of users (`false`).
    rooms: Option<bool>,
}

impl ConnectedMailboxFilter {
    fn wanted(&self) -> Result<ConnectionFilter> {
        let of = |id| parse_id::<ids::Integration>(id, "integration", "integrationId");
        let integration = self.integration_id.as_ref().map(of).transpose()?;
        Ok(ConnectionFilter { integration, state: self.state.map(Into::into), rooms: self.rooms })
    }
}

/// The connected mailbox with this id in the caller's tenant. Needs `CONNECTION_VIEW`.
pub(super) async fn read(ctx: &Context<'_>, id: &ID) -> Result<ConnectedMailbox> {
    read_for_caller(ctx.services(), &ctx.caller(), parse_id(id, "connection", "id")?).await
}

/// Reads a connected mailbox as [`read`] does, for a subscription, which has no query context.
pub(super) async fn read_for_caller(
    services: &Services,
    caller: &Caller,
    id: Id<ids::Connection>,
) -> Result<ConnectedMailbox> {
    let by = caller.allow::<may::ConnectionView>()?;
    Ok(services.connections().get(&by, id).await?.into())
}

/// One page of connected mailboxes. Counts the whole list only if the query selects `totalCount`.
pub(super) async fn read_page(
    ctx: &Context<'_>,
    wanted: ConnectionFilter,
    page: services::PageArgs,
) -> Result<ConnectedMailboxConnection> {
    let by = ctx.caller().allow::<may::ConnectionView>()?;
    let connections = ctx.services().connections();
    let is_counted = ctx.look_ahead().field("totalCount").exists();
    let total = if is_counted { Some(connections.count(&by, &wanted).await?) } else { None };
    Ok(ConnectedMailboxConnection::from_page(connections.list(&by, &wanted, page).await?, total))
}

#[derive(Default)]
pub struct ConnectionQuery;

#[Object]
impl ConnectionQuery {
    /// Finds a connected mailbox by id; null if the tenant has no such connected mailbox. Needs `CONNECTION_VIEW`.
    async fn connected_mailbox(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Identifier of the connected mailbox.")] id: ID,
    ) -> Option<Result<ConnectedMailbox>> {
        null_if_missing(read(ctx, &id)).await
    }

    /// Lists the connected mailboxes of the tenant, oldest first. Needs `CONNECTION_VIEW`.
    async fn connected_mailboxes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Selects connected mailboxes; defaults to all.")] filter: Option<
            ConnectedMailboxFilter,
        >,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<ConnectedMailboxConnection>> {
        Some(
            async {
                let wanted = filter.unwrap_or_default().wanted()?;
                read_page(ctx, wanted, parse_page_args(first, last, after, before)?).await
            }
            .await,
        )
    }
}
