//! People of a tenant, and the state of their calendars.

mod change;

use async_graphql::{Context, Description, ID, Object};
use domain::{Caller, Permission, ids};
use services::{
    Services,
    entity::{connection, tenant_user::Model},
};

pub use self::change::UserMutation;
use super::{
    connection::Connection,
    context::{Ask, named, shown},
    failure::{Result, found},
    page::{args, connection},
    reason::Reason,
    role::Role,
    scalar::{DateTime, EmailAddress, TimeZone},
    words::ConnectionState,
};

/// A person of the tenant.
#[derive(Description, Debug, Clone)]
pub struct User(Model);

impl From<Model> for User {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl User {
    /// The id; it begins with `usr_`.
    pub(in crate::graphql) async fn id(&self) -> ID {
        shown::<ids::User>(self.0.id)
    }

    /// The email address; one of its kind within the tenant.
    async fn email(&self) -> EmailAddress {
        self.0.email.clone().into()
    }

    /// The name, for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The mailbox whose calendar is this user's; null when the user has none.
    async fn calendar_address(&self) -> Option<EmailAddress> {
        self.0.calendar_address.clone().map(EmailAddress)
    }

    /// The time zone; null when it is not known.
    async fn time_zone(&self) -> Option<TimeZone> {
        self.0.time_zone.clone().map(TimeZone)
    }

    /// The roles.
    async fn roles(&self, ctx: &Context<'_>) -> Option<Result<Vec<Role>>> {
        let roles = ctx.loaders().roles.load(self.0.id).await;
        Some(roles.map(|roles| roles.unwrap_or_default().into_iter().map(Role::from).collect()))
    }

    /// The state of the user's calendar. Visible to the user, and to whoever may see users.
    async fn calendar(&self, ctx: &Context<'_>) -> Option<Result<UserCalendar>> {
        let mailboxes = ctx.loaders().mailboxes.load(self.0.id).await;
        Some(mailboxes.map(|mailboxes| UserCalendar::best(mailboxes.unwrap_or_default())))
    }

    /// When the user was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Grows with every change; for `ifVersion`.
    async fn version(&self) -> i64 {
        self.0.version
    }
}

connection!(User, Model, UserConnection, UserEdge, "users", |row| row.id);

/// How a user's calendar is connected.
#[derive(Description)]
pub struct UserCalendar(Option<connection::Model>);

impl UserCalendar {
    /// Of several mailboxes, the one that works best counts: written, read, on its way there, none of it.
    fn best(mailboxes: Vec<connection::Model>) -> Self {
        use domain::state::ConnectionState as S;
        let rank = |row: &connection::Model| match services::connections::state(row) {
            S::Active => 0,
            S::FreeBusyOnly => 1,
            S::Verifying | S::Pending => 2,
            S::Unreachable => 3,
            S::Discovered | S::Excluded | S::Disconnected => 4,
        };
        Self(mailboxes.into_iter().min_by_key(|row| (rank(row), row.id)))
    }
}

#[Object(use_type_description)]
impl UserCalendar {
    /// Where it stands; `DISCONNECTED` when nothing was ever connected.
    async fn state(&self) -> ConnectionState {
        use domain::state::ConnectionState as S;
        self.0.as_ref().map_or(S::Disconnected, services::connections::state).into()
    }

    /// Why, and what to do; null when there is nothing to say.
    async fn reason(&self) -> Option<Reason> {
        let Some(row) = &self.0 else {
            let reason = domain::Reason::new("CALENDAR_NOT_CONNECTED", "This calendar is not connected.");
            return Some(reason.act("Connect the calendar.").into());
        };
        Reason::stored(row.reason.as_ref())
    }

    /// When it was last read; null when it never was.
    async fn as_of(&self) -> Option<DateTime> {
        self.0.as_ref()?.as_of.map(DateTime)
    }

    /// The connection. Needs `CONNECTION_VIEW`.
    async fn connection(&self, ctx: &Context<'_>) -> Option<Result<Connection>> {
        let row = self.0.clone()?;
        let asked = ctx.caller().allow(Permission::ConnectionView);
        Some(asked.map(|_| row.into()).map_err(Into::into))
    }
}

/// One user of the tenant, or the caller's own.
pub(super) async fn read(ctx: &Context<'_>, id: &ID) -> Result<User> {
    let id = named::<ids::User>(id, "user", "id")?;
    let by = match ctx.caller().allow_own() {
        Ok((own, user)) if user == id => own,
        _ => ctx.caller().allow(Permission::UserView)?,
    };
    Ok(ctx.services().users().get(&by, id).await?.into())
}

/// A user that was changed, as far as the caller may see users: changing is not seeing.
pub(super) async fn visible(
    services: &Services,
    caller: &Caller,
    id: domain::Id<ids::User>,
) -> Result<Option<User>> {
    let by = match caller.allow_own() {
        Ok((own, user)) if user == id => Some(own),
        _ => caller.allow(Permission::UserView).ok(),
    };
    match by {
        Some(by) => Ok(Some(services.users().get(&by, id).await?.into())),
        None => Ok(None),
    }
}

/// A user that something else refers to. Needs `USER_VIEW`, or to be that user.
pub(super) async fn referred(ctx: &Context<'_>, id: Option<uuid::Uuid>) -> Option<Result<User>> {
    let is_own = ctx.caller().allow_own().is_ok_and(|(_, own)| Some(own.uuid()) == id);
    found(async {
        if id.is_some() && !is_own {
            ctx.caller().allow(Permission::UserView)?;
        }
        let user = ctx.loaders().users.load_some(id).await?;
        Ok(user.ok_or_else(|| services::Error::not_found("user"))?.into())
    })
    .await
}

#[derive(Default)]
pub struct UserQuery;

#[Object]
impl UserQuery {
    /// One user; null when there is none in the tenant. Needs `USER_VIEW`, or to be that user.
    async fn user(&self, ctx: &Context<'_>, #[graphql(desc = "The user.")] id: ID) -> Option<Result<User>> {
        found(read(ctx, &id)).await
    }

    /// The users of the tenant, in the order in which they were made. Needs `USER_VIEW`.
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100; 50 when neither is given.")] first: Option<i32>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Option<Result<UserConnection>> {
        found(async {
            let by = ctx.caller().allow(Permission::UserView)?;
            let page = ctx.services().users().list(&by, args(first, last, after, before)?).await?;
            Ok(UserConnection::of(page, None))
        })
        .await
    }
}
