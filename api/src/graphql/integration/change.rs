//! Registering, authorising, verifying and reconnecting integrations, and inviting whoever does it.

use async_graphql::{Context, ID, InputObject, Object};
use domain::{Permission, ids};
use services::{integrations::NewIntegration, links::NewLink};

use super::Integration;
use crate::graphql::{
    context::{Ask, named},
    failure::Result,
    payload::{answer, payload},
    role,
    run::{self, Run},
    scalar::{DateTime, EmailAddress, Url},
    words::{AccessLevel, ProviderKind},
};

/// An integration to be registered.
#[derive(InputObject)]
pub struct CreateIntegrationInput {
    /// The calendar system.
    provider: ProviderKind,
    /// Its name, for people: 1 to 200 characters.
    name: String,
    /// How much the service account may reach. `FREE_BUSY` is refused: it cannot write.
    access_level: AccessLevel,
    /// The group that restricted access is limited to, as the customer calls it: up to 256 characters.
    scope_group: Option<String>,
    /// The service mailbox, if it is known already.
    service_mailbox: Option<EmailAddress>,
    /// Where the browser lands when the consent is over; a place that the vendor allowed beforehand.
    return_url: Option<Url>,
}

impl From<CreateIntegrationInput> for NewIntegration {
    fn from(input: CreateIntegrationInput) -> Self {
        Self {
            provider: input.provider.into(),
            name: input.name,
            access_level: input.access_level.into(),
            scope_group: input.scope_group,
            service_mailbox: input.service_mailbox.map(|address| address.0),
            return_url: input.return_url.map(|url| url.0),
        }
    }
}

/// An integration to be authorised.
#[derive(InputObject)]
pub struct AuthoriseIntegrationInput {
    /// The integration.
    id: ID,
}

/// An integration to be verified.
#[derive(InputObject)]
pub struct VerifyIntegrationInput {
    /// The integration.
    id: ID,
}

/// An integration to be reconnected.
#[derive(InputObject)]
pub struct ReconnectIntegrationInput {
    /// The integration.
    id: ID,
}

/// A service mailbox to be added or changed.
#[derive(InputObject)]
pub struct SetServiceMailboxInput {
    /// The integration.
    integration_id: ID,
    /// The address of the mailbox. It becomes the current one only when its verification has succeeded.
    mailbox: EmailAddress,
}

/// An IT person to be invited.
#[derive(InputObject)]
pub struct InviteAdministratorInput {
    /// Whom to invite. Becomes a user with the roles.
    email: EmailAddress,
    /// The roles that the invited person gets, up to 20; the caller must have all that they allow. The role Calendar
    /// Connector if absent.
    role_ids: Option<Vec<ID>>,
    /// Where the browser goes back to at the end; a place that the vendor allowed beforehand.
    return_url: Option<Url>,
    /// The integration to connect, where there is one already.
    integration_id: Option<ID>,
}

payload! {
    /// What `createIntegration` answers.
    CreateIntegrationPayload {
        /// The new integration. Its connection goes on by itself; `integrationStatus` tells how far it is.
        integration: Integration,
    }
}
payload! {
    /// What `authoriseIntegration` answers.
    AuthoriseIntegrationPayload {
        /// The integration as it stood when it was authorised.
        integration: Integration,
    }
}
payload! {
    /// What `verifyIntegration` answers.
    VerifyIntegrationPayload {
        /// The run that climbs the ladder of checks.
        run: Run,
    }
}
payload! {
    /// What `reconnectIntegration` answers.
    ReconnectIntegrationPayload {
        /// The run that waits for the new consent.
        run: Run,
    }
}
payload! {
    /// What `setServiceMailbox` answers.
    SetServiceMailboxPayload {
        /// The run that verifies the mailbox.
        run: Run,
    }
}
payload! {
    /// What `inviteAdministrator` answers.
    InviteAdministratorPayload {
        /// The address to send to the invited person, who needs no account. It is shown this once.
        url: Url,
        /// When it ends.
        expires_at: DateTime,
    }
}

#[derive(Default)]
pub struct IntegrationMutation;

#[Object]
impl IntegrationMutation {
    /// Registers a technical account of a calendar system as the tenant's service account. Needs the right to connect:
    /// `CALENDAR_CONNECT`, `PLATFORM_ADMINISTRATION`, or `USER_VIEW`, `USER_EDIT`, `USER_CREATE` and `USER_DELETE`
    /// together.
    async fn create_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration.")] input: CreateIntegrationInput,
    ) -> Result<CreateIntegrationPayload> {
        answer(async {
            let by = ctx.caller().allow_connecting()?;
            let row = ctx.services().integrations().create(&by, input.into()).await?;
            Ok(CreateIntegrationPayload::done(Integration(row)))
        })
        .await
    }

    /// Authorises Muster to use what the provider granted; before it no mailbox is touched. Needs the right to
    /// connect.
    async fn authorise_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration.")] input: AuthoriseIntegrationInput,
    ) -> Result<AuthoriseIntegrationPayload> {
        answer(async {
            let by = ctx.caller().allow_connecting()?;
            let id = named(&input.id, "integration", "id")?;
            let row = ctx.services().integrations().authorise(&by, id).await?;
            Ok(AuthoriseIntegrationPayload::done(Integration(row)))
        })
        .await
    }

    /// Climbs the ladder of checks once more. Needs the right to connect.
    async fn verify_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration.")] input: VerifyIntegrationInput,
    ) -> Result<VerifyIntegrationPayload> {
        answer(async {
            let by = ctx.caller().allow_connecting()?;
            let id = named(&input.id, "integration", "id")?;
            let run = ctx.services().integrations().verify(&by, id).await?;
            Ok(VerifyIntegrationPayload::done(run::of(ctx, &by, run).await?))
        })
        .await
    }

    /// Begins the consent anew, for an integration whose consent was lost or never finished. Its mailboxes and
    /// bookings stay as they are. Needs the right to connect.
    async fn reconnect_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration.")] input: ReconnectIntegrationInput,
    ) -> Result<ReconnectIntegrationPayload> {
        answer(async {
            let by = ctx.caller().allow_connecting()?;
            let id = named(&input.id, "integration", "id")?;
            let run = ctx.services().integrations().reconnect(&by, id).await?;
            Ok(ReconnectIntegrationPayload::done(run::of(ctx, &by, run).await?))
        })
        .await
    }

    /// Adds or changes the service mailbox of an integration. It is verified first; until then, and if it fails, the
    /// former one stays. Bookings keep the account they were made with. Needs `SERVICE_ACCOUNT_EDIT`.
    async fn set_service_mailbox(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration and the mailbox.")] input: SetServiceMailboxInput,
    ) -> Result<SetServiceMailboxPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::ServiceAccountEdit)?;
            let id = named(&input.integration_id, "integration", "integrationId")?;
            let run = ctx.services().service_accounts().propose(&by, id, &input.mailbox.0).await?;
            Ok(SetServiceMailboxPayload::done(run::of(ctx, &by, run).await?))
        })
        .await
    }

    /// Invites an IT person, who connects the calendar system without an account in the vendor's product. Needs
    /// `USER_CREATE` and all that the roles of the invited person allow.
    async fn invite_administrator(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The invitation.")] input: InviteAdministratorInput,
    ) -> Result<InviteAdministratorPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::UserCreate)?;
            let of = |id| named::<ids::Integration>(&id, "integration", "integrationId");
            let integration = input.integration_id.map(of).transpose()?;
            let return_url = input.return_url.map(|url| url.0);
            let roles = role::at_most(&input.role_ids.unwrap_or_default())?;
            let new = NewLink { email: input.email.0, return_url, integration, roles };
            let (link, url) = ctx.services().links().invite(&by, new).await?;
            Ok(InviteAdministratorPayload::done(Url(url), DateTime(link.expires_at)))
        })
        .await
    }
}
