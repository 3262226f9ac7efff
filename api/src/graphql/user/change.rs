//! Mutations that create, change and remove users and connect their calendars.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use domain::{ids, may};
use services::users::{NewUser, UserChange};

use super::{User, read_if_visible};
use crate::graphql::{
    context::{ContextExt, parse_id, parse_ids, patch_field},
    failure::Result,
    payload::{catch_refusals, payload},
    run::{self, Run},
    scalar::{EmailAddress, TimeZone, Url},
};

/// Fields of a new user.
#[derive(InputObject)]
pub struct CreateUserInput {
    /// Email address; unique within the tenant.
    email: EmailAddress,
    /// Display name, 1 to 200 characters.
    name: String,
    /// Address of the user's mailbox; unique within the tenant. Omit if the user has no calendar.
    calendar_address: Option<EmailAddress>,
    /// Time zone of the user; omit if unknown.
    time_zone: Option<TimeZone>,
    /// Identifiers of the roles to assign, up to 20. If not empty, the caller needs `ROLE_EDIT` and every permission
    /// that the roles grant.
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
            roles: parse_ids::<ids::Role>(&input.role_ids, "role", "roleIds")?,
        })
    }
}

/// Selects the users to create.
#[derive(InputObject)]
pub struct CreateUsersInput {
    /// The new users, up to 500. Either all of them are created or none.
    users: Vec<CreateUserInput>,
}

/// Fields of a user to change; omitted fields keep their value.
#[derive(InputObject)]
pub struct UpdateUserInput {
    /// Identifier of the user to change.
    id: ID,
    /// Email address; unique within the tenant.
    email: Option<EmailAddress>,
    /// Display name, 1 to 200 characters.
    name: Option<String>,
    /// Address of the user's mailbox; null removes it and disconnects the calendar.
    calendar_address: MaybeUndefined<EmailAddress>,
    /// Time zone of the user; null clears it.
    time_zone: MaybeUndefined<TimeZone>,
    /// Whether to confirm the email address; the caller needs every permission of the user. If the user has
    /// permissions that the person who entered the address lacked, the address does not identify the user at the first
    /// sign-in through an OpenID issuer until it is confirmed.
    #[graphql(default)]
    confirm_email: bool,
    /// `version` of the user as last read; refused with `VERSION_CONFLICT` if it has changed since.
    if_version: Option<i64>,
}

/// Selects the user to remove.
#[derive(InputObject)]
pub struct DeleteUserInput {
    /// Identifier of the user to remove.
    id: ID,
}

/// Selects the user whose calendar is to be connected.
#[derive(InputObject)]
pub struct ActivateUserCalendarInput {
    /// Identifier of the user whose calendar is connected.
    user_id: ID,
}

payload! {
    /// Result of `createUser`.
    CreateUserPayload {
        /// The new user.
        user: User,
    }
}
payload! {
    /// Result of `createUsers`.
    CreateUsersPayload {
        /// The new users, in the order of the input.
        users: Vec<User>,
    }
}
payload! {
    /// Result of `updateUser`.
    UpdateUserPayload {
        /// The updated user; null if the caller lacks `USER_VIEW`.
        user: User,
    }
}
payload! {
    /// Result of `deleteUser`.
    DeleteUserPayload {
        /// Identifier of the removed user.
        deleted_user_id: ID,
    }
}
payload! {
    /// Result of `activateUserCalendar`.
    ActivateUserCalendarPayload {
        /// The run that connects the calendar.
        run: Run,
    }
}
payload! {
    /// Result of `activateMyCalendar`.
    ActivateMyCalendarPayload {
        /// The run that connects the calendar.
        run: Run,
    }
}
/// How the caller's own calendar is connected.
#[derive(InputObject)]
pub struct ConnectOwnCalendarInput {
    /// Return URL to which the browser is redirected at the end; must be, or be below, one of the tenant's
    /// `returnUrls`. If omitted, the browser stays on Muster's page.
    return_url: Option<Url>,
}

payload! {
    /// Result of `connectOwnCalendar`.
    ConnectOwnCalendarPayload {
        /// URL to open in the user's browser for the consent; valid for one use.
        url: Url,
    }
}

#[derive(Default)]
pub struct UserMutation;

#[Object]
impl UserMutation {
    /// Creates a user. If the user has a calendar address, the calendar is connected as soon as the tenant has an
    /// active integration. Needs `USER_CREATE`.
    async fn create_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `createUser`.")] input: CreateUserInput,
    ) -> Result<CreateUserPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::UserCreate>()?;
            let user = ctx.services().users().create(&by, input.try_into()?).await?;
            Ok(CreateUserPayload::done(User(user)))
        })
        .await
    }

    /// Creates up to 500 users, either all of them or none. Needs `USER_CREATE`.
    async fn create_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `createUsers`.")] input: CreateUsersInput,
    ) -> Result<CreateUsersPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::UserCreate>()?;
            let new = input.users.into_iter().map(NewUser::try_from).collect::<Result<_>>()?;
            let users = ctx.services().users().create_many(&by, new).await?;
            Ok(CreateUsersPayload::done(users.into_iter().map(User).collect::<Vec<_>>()))
        })
        .await
    }

    /// Changes a user. A new calendar address disconnects the old mailbox and connects the new one. Needs `USER_EDIT`.
    async fn update_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `updateUser`.")] input: UpdateUserInput,
    ) -> Result<UpdateUserPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::UserEdit>()?;
            let id = parse_id(&input.id, "user", "id")?;
            let change = UserChange {
                email: input.email.map(|email| email.0),
                name: input.name,
                calendar_address: patch_field(input.calendar_address, |address| address.0),
                time_zone: patch_field(input.time_zone, |zone| zone.0),
                confirm_email: input.confirm_email,
            };
            ctx.services().users().update(&by, id, change, input.if_version).await?;
            Ok(UpdateUserPayload::done(read_if_visible(ctx.services(), &ctx.caller(), id).await?))
        })
        .await
    }

    /// Removes a user and the user's own calendar consents. Refused while the user takes part in bookings. Needs
    /// `USER_DELETE`.
    async fn delete_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `deleteUser`.")] input: DeleteUserInput,
    ) -> Result<DeleteUserPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::UserDelete>()?;
            ctx.services().users().delete(&by, parse_id(&input.id, "user", "id")?).await?;
            Ok(DeleteUserPayload::done(input.id))
        })
        .await
    }

    /// Connects a user's calendar through the service account, without the user signing in anywhere. Needs
    /// `USER_EDIT`.
    async fn activate_user_calendar(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `activateUserCalendar`.")] input: ActivateUserCalendarInput,
    ) -> Result<ActivateUserCalendarPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::UserEdit>()?;
            let user = parse_id(&input.user_id, "user", "userId")?;
            let run = ctx.services().connections().activate_user(&by, user).await?;
            Ok(ActivateUserCalendarPayload::done(run::read_enqueued(ctx, &by, run).await?))
        })
        .await
    }

    /// Connects the caller's own calendar through the service account, without signing in at the provider. Any user
    /// may call it, unless an administrator excluded the mailbox.
    async fn activate_my_calendar(&self, ctx: &Context<'_>) -> Result<ActivateMyCalendarPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow_own()?;
            let run = ctx.services().connections().activate_own(&by).await?;
            Ok(ActivateMyCalendarPayload::done(run::read_enqueued(ctx, &by, run).await?))
        })
        .await
    }

    /// Starts connecting the caller's calendar with the caller's own consent. Any user may call it, in every plan: the
    /// calendar is connected through the organisation-wide integration if that takes users' own consents, and otherwise
    /// through a `PERSONAL` integration, for which the user chooses the calendar system in the browser.
    async fn connect_own_calendar(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `connectOwnCalendar`.")] input: ConnectOwnCalendarInput,
    ) -> Result<ConnectOwnCalendarPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow_own()?;
            let return_url = input.return_url.map(|url| url.0);
            let url = ctx.services().connect().begin_own_consent(&by, return_url).await?;
            Ok(ConnectOwnCalendarPayload::done(Url(url)))
        })
        .await
    }
}
