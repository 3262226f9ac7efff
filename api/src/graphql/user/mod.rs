//! Users of a tenant and the state of their calendars.

mod change;

use async_graphql::{Context, Description, ID, InputObject, Object};
use domain::{Id, ids, may};
use services::{
    Caller, Services,
    rows::{connection, tenant_user::Model},
};

pub use self::change::UserMutation;
use super::{
    connection::ConnectedMailbox,
    context::{ContextExt, format_id, parse_id},
    enums::ConnectedMailboxState,
    failure::{Result, null_if_missing},
    page::{connection, parse_page_args},
    reason::Reason,
    role::Role,
    scalar::{DateTime, EmailAddress, TimeZone},
};

/// Selects users. A user must match every field that is given.
#[derive(Default, InputObject)]
pub struct UserFilter {
    /// Only the user with this email address.
    email: Option<EmailAddress>,
    /// Only users with (`true`) or without (`false`) a calendar address.
    has_calendar_address: Option<bool>,
}

impl From<UserFilter> for services::users::UserFilter {
    fn from(filter: UserFilter) -> Self {
        Self { email: filter.email.map(|email| email.0), has_calendar_address: filter.has_calendar_address }
    }
}

/// A person who belongs to the tenant.
#[derive(Description, Debug, Clone)]
pub struct User(Model);

impl From<Model> for User {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl User {
    /// Identifier; starts with `usr_`.
    pub(in crate::graphql) async fn id(&self) -> ID {
        format_id(self.0.id)
    }

    /// Email address; unique within the tenant.
    async fn email(&self) -> EmailAddress {
        self.0.email.clone().into()
    }

    /// Display name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Address of the mailbox whose calendar belongs to the user; null if the user has none.
    async fn calendar_address(&self) -> Option<EmailAddress> {
        self.0.calendar_address.clone().map(EmailAddress)
    }

    /// Time zone of the user; null if unknown.
    async fn time_zone(&self) -> Option<TimeZone> {
        self.0.time_zone.clone().map(TimeZone)
    }

    /// Roles assigned to the user.
    async fn roles(&self, ctx: &Context<'_>) -> Option<Result<Vec<Role>>> {
        let roles = ctx.loaders().roles.load(self.0.id).await;
        Some(roles.map(|roles| roles.unwrap_or_default().into_iter().map(Role::from).collect()))
    }

    /// State of the user's calendar. Needs `USER_VIEW` unless the caller is that user.
    async fn calendar(&self, ctx: &Context<'_>) -> Option<Result<UserCalendar>> {
        let mailboxes = ctx.loaders().mailboxes.load(self.0.id.any()).await;
        Some(mailboxes.map(|mailboxes| UserCalendar::best(mailboxes.unwrap_or_default())))
    }

    /// Time at which the user was created.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Incremented on every change; pass as `ifVersion`.
    async fn version(&self) -> i64 {
        self.0.version
    }
}

connection!(User, Model, UserConnection, UserEdge, "users", |row| row.id.uuid());

/// How a user's calendar is connected.
#[derive(Description)]
pub struct UserCalendar(Option<connection::Model>);

impl UserCalendar {
    /// Selects the most useful of several connections: a writable one, otherwise a readable one, otherwise a pending
    /// one, otherwise any.
    fn best(mailboxes: Vec<connection::Model>) -> Self {
        use domain::state::ConnectionState as S;
        let rank = |row: &connection::Model| match row.state.known() {
            Some(S::Active) => 0,
            Some(S::FreeBusyOnly) => 1,
            Some(S::Verifying | S::Pending) => 2,
            Some(S::Unreachable) | None => 3,
            Some(S::Discovered | S::Excluded | S::Disconnected) => 4,
        };
        Self(mailboxes.into_iter().min_by_key(|row| (rank(row), row.id)))
    }
}

#[Object(use_type_description)]
impl UserCalendar {
    /// State of the connection; `DISCONNECTED` if the calendar has never been connected.
    async fn state(&self) -> ConnectedMailboxState {
        self.0.as_ref().map_or(ConnectedMailboxState::Disconnected, |row| (&row.state).into())
    }

    /// Why the calendar is in its current state and what to do next; null if there is nothing to explain.
    async fn reason(&self) -> Option<Reason> {
        let Some(row) = &self.0 else {
            return Some(Reason::from_domain(&services::connections::never_connected_reason(), None));
        };
        Reason::from_stored(row.reason.as_ref())
    }

    /// Time at which the calendar was last read; null if it has never been read.
    async fn as_of(&self) -> Option<DateTime> {
        self.0.as_ref()?.as_of.map(DateTime)
    }

    /// The connection through which Muster accesses the calendar; null if there is none. Needs `CONNECTION_VIEW`.
    async fn connected_mailbox(&self, ctx: &Context<'_>) -> Option<Result<ConnectedMailbox>> {
        let row = self.0.clone()?;
        let asked = ctx.caller().allow::<may::ConnectionView>();
        Some(asked.map(|_| row.into()).map_err(Into::into))
    }
}

/// The user with this id in the caller's tenant. Needs `USER_VIEW` unless it is the caller.
pub(super) async fn read(ctx: &Context<'_>, id: &ID) -> Result<User> {
    let id = parse_id::<ids::User>(id, "user", "id")?;
    let users = ctx.services().users();
    match ctx.caller().allow_own() {
        Ok(own) if own.user() == id => Ok(users.me(&own).await?.into()),
        _ => Ok(users.get(&ctx.caller().allow::<may::UserView>()?, id).await?.into()),
    }
}

/// The user that a mutation changed; `None` if the caller lacks `USER_VIEW`, because permission to change does not
/// include permission to see.
pub(super) async fn read_if_visible(
    services: &Services,
    caller: &Caller,
    id: domain::Id<ids::User>,
) -> Result<Option<User>> {
    match (caller.allow_own(), caller.allow::<may::UserView>()) {
        (Ok(own), _) if own.user() == id => Ok(Some(services.users().me(&own).await?.into())),
        (_, Ok(by)) => Ok(Some(services.users().get(&by, id).await?.into())),
        _ => Ok(None),
    }
}

/// A user that another object refers to. Needs `USER_VIEW` unless the caller is that user.
pub(super) async fn load_referenced(ctx: &Context<'_>, id: Option<Id<ids::User>>) -> Option<Result<User>> {
    let is_own = ctx.caller().allow_own().is_ok_and(|own| Some(own.user()) == id);
    null_if_missing(async {
        if id.is_some() && !is_own {
            ctx.caller().allow::<may::UserView>()?;
        }
        let user = ctx.loaders().users.load_optional(id).await?;
        Ok(user.ok_or_else(|| services::Error::not_found("user"))?.into())
    })
    .await
}

#[derive(Default)]
pub struct UserQuery;

#[Object]
impl UserQuery {
    /// Finds a user by id; null if the tenant has no such user. Needs `USER_VIEW` unless the caller is that user.
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Identifier of the user.")] id: ID,
    ) -> Option<Result<User>> {
        null_if_missing(read(ctx, &id)).await
    }

    /// Lists the users of the tenant, oldest first by creation. Needs `USER_VIEW`.
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Selects users; defaults to all.")] filter: Option<UserFilter>,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<UserConnection>> {
        null_if_missing(async {
            let by = ctx.caller().allow::<may::UserView>()?;
            let args = parse_page_args(first, last, after, before)?;
            let page = ctx.services().users().list(&by, filter.unwrap_or_default().into(), args).await?;
            Ok(UserConnection::from_page(page, None))
        })
        .await
    }
}
