//! Mutations that register, authorise, verify and reconnect integrations, and that invite the administrator who does
//! so.

use async_graphql::{Context, Enum, ID, InputObject, Object};
use domain::{ids, may};
use messages::Language;
use services::{integrations::NewIntegration, links::NewInvitation};

use super::Integration;
use crate::graphql::{
    context::{ContextExt, format_id, parse_id},
    enums::{AccessLevel, ProviderKind},
    failure::Result,
    payload::{catch_refusals, payload},
    role,
    run::{self, Run},
    scalar::{DateTime, EmailAddress, Url},
};

/// Fields of a new integration.
#[derive(InputObject)]
pub struct CreateIntegrationInput {
    /// Calendar system to connect.
    provider: ProviderKind,
    /// Display name, 1 to 200 characters.
    name: String,
    /// How much of the calendar system the service account may access. `FREE_BUSY` is rejected because a service
    /// account must be able to write events.
    access_level: AccessLevel,
    /// The customer's name for the mailbox group to which `RESTRICTED` access is limited; up to 256 characters.
    scope_group: Option<String>,
    /// Address of the service mailbox, if already known.
    service_mailbox: Option<EmailAddress>,
    /// Return URL to which the browser is redirected after the consent; must be, or be below, one of the tenant's
    /// `returnUrls`.
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

/// Selects the integration to authorise.
#[derive(InputObject)]
pub struct AuthoriseIntegrationInput {
    /// Identifier of the integration to authorise.
    id: ID,
}

/// Selects the integration to verify.
#[derive(InputObject)]
pub struct VerifyIntegrationInput {
    /// Identifier of the integration to verify.
    id: ID,
}

/// Selects the integration to reconnect.
#[derive(InputObject)]
pub struct ReconnectIntegrationInput {
    /// Identifier of the integration to reconnect.
    id: ID,
}

/// The integration and the mailbox that becomes its service mailbox.
#[derive(InputObject)]
pub struct SetServiceMailboxInput {
    /// Identifier of the integration that owns the service mailbox.
    integration_id: ID,
    /// Address of the mailbox. It replaces the current service mailbox only after its verification has succeeded.
    mailbox: EmailAddress,
}

/// Language of the pages that a link opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum PageLanguage {
    /// The original texts, which every page has.
    English,
    /// The pages are in German, with the formal form of address.
    German,
}

impl PageLanguage {
    /// Adds the language to a link.
    pub(in crate::graphql) fn add_to(language: Option<Self>, url: String) -> Url {
        let language = language.map(|language| match language {
            Self::English => Language::English,
            Self::German => Language::German,
        });
        Url(language.map_or(url.clone(), |language| format!("{url}?lang={}", language.tag())))
    }
}

/// Details of an invitation to an IT administrator.
#[derive(InputObject)]
pub struct InviteAdministratorInput {
    /// Email address of the invited person, who becomes a user with the given roles.
    email: EmailAddress,
    /// Identifiers of the roles to assign, up to 20; the caller must have every permission that they grant. Defaults
    /// to the role Calendar Connector.
    role_ids: Option<Vec<ID>>,
    /// Return URL to which the browser is redirected at the end; must be, or be below, one of the tenant's
    /// `returnUrls`.
    return_url: Option<Url>,
    /// Identifier of an existing integration to connect; omit to let the invited person create one.
    integration_id: Option<ID>,
    /// Language of the pages; if omitted, the one that the browser prefers.
    language: Option<PageLanguage>,
}

/// Details of a link with which the caller connects a calendar system.
#[derive(InputObject)]
pub struct CreateConnectLinkInput {
    /// Identifier of an existing integration to connect, such as one from `createIntegration` or one that is to be
    /// connected again; omit to create an integration on the pages.
    integration_id: Option<ID>,
    /// Return URL to which the browser is redirected at the end; must be, or be below, one of the tenant's
    /// `returnUrls`.
    return_url: Option<Url>,
    /// Language of the pages; if omitted, the one that the browser prefers.
    language: Option<PageLanguage>,
}

/// Selects the invitation to revoke.
#[derive(InputObject)]
pub struct RevokeInvitationInput {
    /// Identifier of the invitation, as `inviteAdministrator` and `invitations` return it.
    id: ID,
}

payload! {
    /// Result of `createIntegration`.
    CreateIntegrationPayload {
        /// The new integration. Connecting continues in the background; subscribe to `integrationStatus` for progress.
        integration: Integration,
    }
}
payload! {
    /// Result of `authoriseIntegration`.
    AuthoriseIntegrationPayload {
        /// The authorised integration.
        integration: Integration,
    }
}
payload! {
    /// Result of `verifyIntegration`.
    VerifyIntegrationPayload {
        /// The run that performs the verification.
        run: Run,
    }
}
payload! {
    /// Result of `reconnectIntegration`.
    ReconnectIntegrationPayload {
        /// The run that waits for the new consent.
        run: Run,
    }
}
payload! {
    /// Result of `setServiceMailbox`.
    SetServiceMailboxPayload {
        /// The run that verifies the mailbox. Null if the integration is not connected and nobody is connecting it: the
        /// mailbox is then verified with the connection.
        run: Run,
    }
}
payload! {
    /// Result of `inviteAdministrator`.
    InviteAdministratorPayload {
        /// Link to send to the invited person, who needs no account. Returned only here.
        url: Url,
        /// Time at which the link expires.
        expires_at: DateTime,
        /// Identifier of the invitation, for `revokeInvitation`; starts with `lnk_`.
        invitation_id: ID,
    }
}
payload! {
    /// Result of `createConnectLink`.
    CreateConnectLinkPayload {
        /// Link to the pages on which the caller connects the calendar system. Returned only here.
        url: Url,
        /// Time at which the link expires.
        expires_at: DateTime,
        /// Identifier of the link, for `revokeInvitation`; starts with `lnk_`.
        invitation_id: ID,
    }
}
payload! {
    /// Result of `revokeInvitation`.
    RevokeInvitationPayload {
        /// Identifier of the revoked invitation.
        revoked_invitation_id: ID,
    }
}

#[derive(Default)]
pub struct IntegrationMutation;

#[Object]
impl IntegrationMutation {
    /// Registers an integration that accesses the tenant's calendars through a service account. Needs permission to
    /// connect: `CALENDAR_CONNECT`, `PLATFORM_ADMINISTRATION`, or all of `USER_VIEW`, `USER_EDIT`, `USER_CREATE` and
    /// `USER_DELETE`.
    async fn create_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `createIntegration`.")] input: CreateIntegrationInput,
    ) -> Result<CreateIntegrationPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::ConnectCalendars>()?;
            let row = ctx.services().integrations().create(&by, input.into()).await?;
            Ok(CreateIntegrationPayload::done(Integration(row)))
        })
        .await
    }

    /// Authorises Muster to use the access that the provider granted. Until then, Muster accesses no mailbox. Needs
    /// permission to connect (see `createIntegration`).
    async fn authorise_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `authoriseIntegration`.")] input: AuthoriseIntegrationInput,
    ) -> Result<AuthoriseIntegrationPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::ConnectCalendars>()?;
            let id = parse_id(&input.id, "integration", "id")?;
            let row = ctx.services().integrations().authorise(&by, id).await?;
            Ok(AuthoriseIntegrationPayload::done(Integration(row)))
        })
        .await
    }

    /// Repeats the verification of an integration. Needs permission to connect (see `createIntegration`).
    async fn verify_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `verifyIntegration`.")] input: VerifyIntegrationInput,
    ) -> Result<VerifyIntegrationPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::ConnectCalendars>()?;
            let id = parse_id(&input.id, "integration", "id")?;
            let run = ctx.services().integrations().verify(&by, id).await?;
            Ok(VerifyIntegrationPayload::done(run::read_enqueued(ctx, &by, run).await?))
        })
        .await
    }

    /// Requests a new consent for an integration whose consent was revoked or never completed. Mailboxes and bookings
    /// stay as they are. The run waits for somebody to open a link of `createConnectLink` or `inviteAdministrator`. Needs permission to connect (see `createIntegration`).
    async fn reconnect_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `reconnectIntegration`.")] input: ReconnectIntegrationInput,
    ) -> Result<ReconnectIntegrationPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::ConnectCalendars>()?;
            let id = parse_id(&input.id, "integration", "id")?;
            let run = ctx.services().integrations().reconnect(&by, id).await?;
            Ok(ReconnectIntegrationPayload::done(run::read_enqueued(ctx, &by, run).await?))
        })
        .await
    }

    /// Sets the service mailbox of an integration. The current mailbox stays in use until the new one has passed its
    /// verification, and existing bookings remain in the mailbox to which they were written. For an integration that
    /// was never connected, it corrects the mailbox that is verified with the connection. Needs
    /// `SERVICE_ACCOUNT_EDIT`.
    async fn set_service_mailbox(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `setServiceMailbox`.")] input: SetServiceMailboxInput,
    ) -> Result<SetServiceMailboxPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::ServiceAccountEdit>()?;
            let id = parse_id(&input.integration_id, "integration", "integrationId")?;
            let run = ctx.services().service_accounts().propose_mailbox(&by, id, &input.mailbox.0).await?;
            let run = match run {
                Some(run) => Some(run::read_enqueued(ctx, &by, run).await?),
                None => None,
            };
            Ok(SetServiceMailboxPayload::done(run))
        })
        .await
    }

    /// Invites an IT administrator to connect the organisation's calendar system. The administrator needs no account
    /// in the product that uses Muster. Needs `USER_CREATE` and every permission of the assigned roles; any role other
    /// than Calendar Connector also needs `ROLE_EDIT`. The invitation becomes invalid before it expires if its sender
    /// loses `USER_CREATE` or the invited user loses the permission to connect.
    async fn invite_administrator(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `inviteAdministrator`.")] input: InviteAdministratorInput,
    ) -> Result<InviteAdministratorPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::UserCreate>()?;
            let of = |id| parse_id::<ids::Integration>(&id, "integration", "integrationId");
            let integration = input.integration_id.map(of).transpose()?;
            let return_url = input.return_url.map(|url| url.0);
            let roles = role::parse_role_ids(&input.role_ids.unwrap_or_default())?;
            let new = NewInvitation { email: input.email.0, return_url, integration, roles };
            let (link, url) = ctx.services().links().invite(&by, new).await?;
            let (url, expires_at) = (PageLanguage::add_to(input.language, url), DateTime(link.expires_at));
            Ok(InviteAdministratorPayload::done(url, expires_at, format_id(link.id)))
        })
        .await
    }

    /// Creates a link with which the calling user connects a calendar system in a browser, or connects one again. Needs
    /// permission to connect (see `createIntegration`). The link ends with that permission, and when the user's access
    /// tokens are revoked. Vendor keys use `inviteAdministrator`.
    async fn create_connect_link(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `createConnectLink`.")] input: CreateConnectLinkInput,
    ) -> Result<CreateConnectLinkPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::ConnectCalendars>()?;
            let of = |id| parse_id::<ids::Integration>(&id, "integration", "integrationId");
            let integration = input.integration_id.map(of).transpose()?;
            let return_url = input.return_url.map(|url| url.0);
            let (link, url) = ctx.services().links().create_own(&by, integration, return_url).await?;
            let (url, expires_at) = (PageLanguage::add_to(input.language, url), DateTime(link.expires_at));
            Ok(CreateConnectLinkPayload::done(url, expires_at, format_id(link.id)))
        })
        .await
    }

    /// Revokes an invitation and the page sessions started with it. The invited user and the user's roles remain.
    /// Needs `USER_CREATE`.
    async fn revoke_invitation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `revokeInvitation`.")] input: RevokeInvitationInput,
    ) -> Result<RevokeInvitationPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::UserCreate>()?;
            ctx.services().links().revoke(&by, parse_id(&input.id, "invitation", "id")?).await?;
            Ok(RevokeInvitationPayload::done(input.id))
        })
        .await
    }
}
