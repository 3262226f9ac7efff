//! Making, changing and removing people, and connecting their calendars.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use domain::{Permission, ids};
use services::users::{NewUser, UserChange};

use super::{User, visible};
use crate::graphql::{
    context::{Ask, all_named, changed, named},
    failure::Result,
    payload::{answer, payload},
    run::{self, Run},
    scalar::{EmailAddress, TimeZone, Url},
};

/// A user to be made.
#[derive(InputObject)]
pub struct CreateUserInput {
    /// The email address; one of its kind within the tenant.
    email: EmailAddress,
    /// The name, for people: 1 to 200 characters.
    name: String,
    /// The mailbox whose calendar is this user's; no other user may have it.
    calendar_address: Option<EmailAddress>,
    /// The time zone.
    time_zone: Option<TimeZone>,
    /// The roles, up to 20. Giving any needs `ROLE_EDIT` and all that they allow.
    #[graphql(default)]
    role_ids: Vec<ID>,
}

impl TryFrom<CreateUserInput> for NewUser {
    type Error = crate::graphql::failure::Failure;

    fn try_from(input: CreateUserInput) -> Result<Self> {
        Ok(Self {
            email: input.email.0,
            name: input.name,
            calendar_address: input.calendar_address.map(|address| address.0),
            time_zone: input.time_zone.map(|zone| zone.0),
            roles: all_named::<ids::Role>(&input.role_ids, "role", "roleIds")?,
        })
    }
}

/// Users to be made.
#[derive(InputObject)]
pub struct CreateUsersInput {
    /// The users, up to 500: all of them are made, or none.
    users: Vec<CreateUserInput>,
}

/// What of a user is to be changed; what is absent stays.
#[derive(InputObject)]
pub struct UpdateUserInput {
    /// The user.
    id: ID,
    /// The email address; one of its kind within the tenant.
    email: Option<EmailAddress>,
    /// The name, for people: 1 to 200 characters.
    name: Option<String>,
    /// The mailbox whose calendar is this user's; null takes it away.
    calendar_address: MaybeUndefined<EmailAddress>,
    /// The time zone; null takes it away.
    time_zone: MaybeUndefined<TimeZone>,
    /// The version that the change is based on: refused when somebody changed the user since.
    if_version: Option<i64>,
}

/// A user to be removed.
#[derive(InputObject)]
pub struct DeleteUserInput {
    /// The user.
    id: ID,
}

/// Whose calendar is to be connected.
#[derive(InputObject)]
pub struct ActivateUserCalendarInput {
    /// The user.
    user_id: ID,
}

payload! {
    /// What `createUser` answers.
    CreateUserPayload {
        /// The new user.
        user: User,
    }
}
payload! {
    /// What `createUsers` answers.
    CreateUsersPayload {
        /// The new users, in the order of the input.
        users: Vec<User>,
    }
}
payload! {
    /// What `updateUser` answers.
    UpdateUserPayload {
        /// The user as it stands now; null for a caller who may not see users.
        user: User,
    }
}
payload! {
    /// What `deleteUser` answers.
    DeleteUserPayload {
        /// The id of the user that is gone.
        deleted_user_id: ID,
    }
}
payload! {
    /// What `activateUserCalendar` answers.
    ActivateUserCalendarPayload {
        /// The run that connects the calendar.
        run: Run,
    }
}
payload! {
    /// What `activateMyCalendar` answers.
    ActivateMyCalendarPayload {
        /// The run that connects the calendar.
        run: Run,
    }
}
payload! {
    /// What `connectOwnCalendar` answers.
    ConnectOwnCalendarPayload {
        /// Where the user's browser is to be sent; it works once.
        url: Url,
    }
}

#[derive(Default)]
pub struct UserMutation;

#[Object]
impl UserMutation {
    /// Makes a user. A user with a calendar address is connected by itself once the tenant has a live integration.
    /// Needs `USER_CREATE`.
    async fn create_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user.")] input: CreateUserInput,
    ) -> Result<CreateUserPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::UserCreate)?;
            let user = ctx.services().users().create(&by, input.try_into()?).await?;
            Ok(CreateUserPayload::done(User(user)))
        })
        .await
    }

    /// Makes up to 500 users: all of them, or none. Needs `USER_CREATE`.
    async fn create_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The users.")] input: CreateUsersInput,
    ) -> Result<CreateUsersPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::UserCreate)?;
            let new = input.users.into_iter().map(NewUser::try_from).collect::<Result<_>>()?;
            let users = ctx.services().users().create_many(&by, new).await?;
            Ok(CreateUsersPayload::done(users.into_iter().map(User).collect::<Vec<_>>()))
        })
        .await
    }

    /// Changes a user. Another calendar address disconnects the old mailbox and connects the new one. Needs
    /// `USER_EDIT`.
    async fn update_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The change.")] input: UpdateUserInput,
    ) -> Result<UpdateUserPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::UserEdit)?;
            let id = named(&input.id, "user", "id")?;
            let change = UserChange {
                email: input.email.map(|email| email.0),
                name: input.name,
                calendar_address: changed(input.calendar_address, |address| address.0),
                time_zone: changed(input.time_zone, |zone| zone.0),
            };
            ctx.services().users().update(&by, id, change, input.if_version).await?;
            Ok(UpdateUserPayload::done(visible(ctx.services(), ctx.caller(), id).await?))
        })
        .await
    }

    /// Removes a user with the user's own consents. A user who takes part in bookings stays. Needs `USER_DELETE`.
    async fn delete_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user.")] input: DeleteUserInput,
    ) -> Result<DeleteUserPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::UserDelete)?;
            ctx.services().users().delete(&by, named(&input.id, "user", "id")?).await?;
            Ok(DeleteUserPayload::done(input.id))
        })
        .await
    }

    /// Connects a user's calendar through the service account; the user signs in nowhere. Needs `USER_EDIT`.
    async fn activate_user_calendar(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user.")] input: ActivateUserCalendarInput,
    ) -> Result<ActivateUserCalendarPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::UserEdit)?;
            let user = named(&input.user_id, "user", "userId")?;
            let run = ctx.services().connections().activate_user(&by, user).await?;
            Ok(ActivateUserCalendarPayload::done(run::of(ctx, &by, run).await?))
        })
        .await
    }

    /// Connects the caller's own calendar through the service account, without a login at the provider. Any user may.
    async fn activate_my_calendar(&self, ctx: &Context<'_>) -> Result<ActivateMyCalendarPayload> {
        answer(async {
            let (by, user) = ctx.caller().allow_own()?;
            let run = ctx.services().connections().activate_user(&by, user).await?;
            Ok(ActivateMyCalendarPayload::done(run::of(ctx, &by, run).await?))
        })
        .await
    }

    /// Begins the caller's own consent, for a calendar that the service account does not reach. Any user may.
    async fn connect_own_calendar(&self, ctx: &Context<'_>) -> Result<ConnectOwnCalendarPayload> {
        answer(async {
            let (by, user) = ctx.caller().allow_own()?;
            let url = ctx.services().connect().own(&by, user).await?;
            Ok(ConnectOwnCalendarPayload::done(Url(url)))
        })
        .await
    }
}
