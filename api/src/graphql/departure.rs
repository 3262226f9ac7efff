//! The way out: previews of disconnections, and the mutations that disconnect, remove and erase.

mod erasure;

use async_graphql::{Context, Description, ID, InputObject, Object};
use domain::may;
use services::departure::{IntegrationDeparture, MailboxDeparture};

pub use self::erasure::{ErasureMutation, ErasureQuery};
use super::{
    booking::BookingConnection,
    connection::ConnectedMailbox,
    context::{ContextExt, parse_id},
    failure::{Result, null_if_missing},
    integration::Integration,
    page::parse_page_args,
    payload::{catch_refusals, payload},
    run::{self, Run},
};

/// What goes and what stays if an integration is disconnected now.
#[derive(Description, Debug, Clone)]
pub struct IntegrationDisconnectionPreview(IntegrationDeparture);

#[Object(use_type_description)]
impl IntegrationDisconnectionPreview {
    /// The integration; pass its `version` as `ifVersion`.
    async fn integration(&self) -> Integration {
        self.0.integration.clone().into()
    }

    /// Number of mailboxes that are disconnected.
    async fn mailboxes(&self) -> u64 {
        self.0.mailboxes
    }

    /// Number of stored copies of calendars that are deleted.
    async fn calendar_copies(&self) -> u64 {
        self.0.copies
    }

    /// Number of push channels that are closed at the provider.
    async fn channels(&self) -> u64 {
        self.0.channels
    }

    /// Number of users' own consents that are deleted.
    async fn own_consents(&self) -> u64 {
        self.0.own_consents
    }

    /// Number of users' own consents that Muster also withdraws at the provider. The users withdraw the others there.
    async fn own_consents_withdrawn(&self) -> u64 {
        self.0.own_consents_withdrawn
    }

    /// Number of stored secrets of the organisation that are deleted.
    async fn secrets(&self) -> u64 {
        self.0.secrets
    }

    /// Whether Muster withdraws the organisation's consent at the provider. If not, the `reason` of the removed
    /// integration says what the provider's administrator has to do.
    async fn consent_withdrawn(&self) -> bool {
        self.0.consent_withdrawn
    }

    /// Number of bookings that are not over and stay in the calendars to which they were written.
    async fn booking_count(&self) -> u64 {
        self.0.bookings
    }

    /// The bookings that are not over and stay in the calendars. Afterwards Muster can no longer move or cancel their
    /// events. Needs `BOOKING_VIEW`.
    async fn bookings(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<BookingConnection>> {
        null_if_missing(async {
            let by = ctx.caller().allow::<may::BookingView>()?;
            let (id, args) = (self.0.integration.id, parse_page_args(first, last, after, before)?);
            let page = ctx.services().integrations().future_bookings(&by, id, args).await?;
            Ok(BookingConnection::from_page(page, Some(self.0.bookings)))
        })
        .await
    }
}

/// What goes and what stays if a mailbox is disconnected now.
#[derive(Description, Debug, Clone)]
pub struct MailboxDisconnectionPreview(MailboxDeparture);

#[Object(use_type_description)]
impl MailboxDisconnectionPreview {
    /// The mailbox; pass its `version` as `ifVersion`.
    async fn connected_mailbox(&self) -> ConnectedMailbox {
        self.0.connection.clone().into()
    }

    /// Number of events in the stored copy of the calendar, which is deleted.
    async fn events(&self) -> u64 {
        self.0.events
    }

    /// Whether a push channel is closed at the provider.
    async fn has_channel(&self) -> bool {
        self.0.has_channel
    }

    /// Whether the owner's own consent is deleted.
    async fn has_own_consent(&self) -> bool {
        self.0.own_consent.is_some()
    }

    /// Whether Muster also withdraws the owner's own consent at the provider; null if there is none.
    async fn own_consent_withdrawn(&self) -> Option<bool> {
        self.0.own_consent
    }

    /// Number of bookings that are not over and stay in the mailbox's calendar.
    async fn booking_count(&self) -> u64 {
        self.0.bookings
    }

    /// The bookings that are not over and stay in the mailbox's calendar. Needs `BOOKING_VIEW`.
    async fn bookings(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<BookingConnection>> {
        null_if_missing(async {
            let by = ctx.caller().allow::<may::BookingView>()?;
            let args = parse_page_args(first, last, after, before)?;
            let page = ctx.services().connections().bookings_in(&by, &self.0.connection, args).await?;
            Ok(BookingConnection::from_page(page, Some(self.0.bookings)))
        })
        .await
    }
}

#[derive(Default)]
pub struct DepartureQuery;

#[Object]
impl DepartureQuery {
    /// What goes and what stays if an integration is disconnected now; null if the tenant has no such integration.
    /// Needs `CONNECTION_VIEW` or permission to connect (see `createIntegration`).
    async fn integration_disconnection_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Identifier of the integration.")] id: ID,
    ) -> Option<Result<IntegrationDisconnectionPreview>> {
        null_if_missing(async {
            let by = ctx.caller().allow::<may::SeeIntegrations>()?;
            let id = parse_id(&id, "integration", "id")?;
            let preview = ctx.services().integrations().preview_disconnection(&by, id).await?;
            Ok(IntegrationDisconnectionPreview(preview))
        })
        .await
    }

    /// What goes and what stays if a mailbox is disconnected now; null if the tenant has no such mailbox. Needs
    /// `CONNECTION_VIEW`.
    async fn mailbox_disconnection_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Identifier of the connected mailbox.")] id: ID,
    ) -> Option<Result<MailboxDisconnectionPreview>> {
        null_if_missing(async {
            let by = ctx.caller().allow::<may::ConnectionView>()?;
            let id = parse_id(&id, "connection", "id")?;
            let preview = ctx.services().connections().preview_disconnection(&by, id).await?;
            Ok(MailboxDisconnectionPreview(preview))
        })
        .await
    }
}

/// Selects the integration to disconnect.
#[derive(InputObject)]
pub struct DisconnectIntegrationInput {
    /// Identifier of the integration to disconnect.
    id: ID,
    /// `version` of the integration as read with its preview; refused with `VERSION_CONFLICT` if it has changed since.
    if_version: i64,
}

/// Selects the integration to remove.
#[derive(InputObject)]
pub struct RemoveIntegrationInput {
    /// Identifier of the integration to remove.
    id: ID,
}

/// Selects the mailbox to disconnect.
#[derive(InputObject)]
pub struct DisconnectConnectedMailboxInput {
    /// Identifier of the connected mailbox to disconnect.
    id: ID,
    /// `version` of the connected mailbox as last read; refused with `VERSION_CONFLICT` if it has changed since.
    if_version: Option<i64>,
}

payload! {
    /// Result of `disconnectIntegration`.
    DisconnectIntegrationPayload {
        /// The run that disconnects the integration; follow it with `runProgress`.
        run: Run,
    }
}
payload! {
    /// Result of `removeIntegration`.
    RemoveIntegrationPayload {
        /// Identifier of the removed integration.
        removed_integration_id: ID,
    }
}
payload! {
    /// Result of `disconnectConnectedMailbox`.
    DisconnectConnectedMailboxPayload {
        /// The run that deletes what is stored of the mailbox; follow it with `runProgress`.
        run: Run,
    }
}

#[derive(Default)]
pub struct DepartureMutation;

#[Object]
impl DepartureMutation {
    /// Disconnects an integration: it is `RETIRING` at once, and neither read nor written any more. Its run closes the
    /// push channels at the provider, deletes the copies of calendars and the secrets, withdraws the consents that the
    /// provider lets Muster withdraw, and frees the organisation, which any tenant may then connect. Bookings stay in
    /// the calendars. Read `integrationDisconnectionPreview` first. Needs `SERVICE_ACCOUNT_EDIT` or
    /// `PLATFORM_ADMINISTRATION`.
    async fn disconnect_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `disconnectIntegration`.")] input: DisconnectIntegrationInput,
    ) -> Result<DisconnectIntegrationPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::DisconnectCalendars>()?;
            let id = parse_id(&input.id, "integration", "id")?;
            let run = ctx.services().integrations().disconnect(&by, id, input.if_version).await?;
            Ok(DisconnectIntegrationPayload::done(run::read_enqueued(ctx, &by, run).await?))
        })
        .await
    }

    /// Removes an integration that was never in use, such as one that is `FAILED`, `DECLINED` or `EXPIRED`, and ends
    /// its connect attempt. Its invitations stay valid for another attempt. Needs permission to connect (see
    /// `createIntegration`).
    async fn remove_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `removeIntegration`.")] input: RemoveIntegrationInput,
    ) -> Result<RemoveIntegrationPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::ConnectCalendars>()?;
            let id = parse_id(&input.id, "integration", "id")?;
            ctx.services().integrations().remove(&by, id).await?;
            Ok(RemoveIntegrationPayload::done(input.id))
        })
        .await
    }

    /// Disconnects a mailbox: it is neither read nor written any more, and its copy, its push channel and its owner's
    /// own consent are deleted. Only `activateConnectedMailbox` or its owner connects it again; exclude it to prevent
    /// that. Bookings stay in the calendar. Needs `USER_EDIT`.
    async fn disconnect_connected_mailbox(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `disconnectConnectedMailbox`.")]
        input: DisconnectConnectedMailboxInput,
    ) -> Result<DisconnectConnectedMailboxPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::UserEdit>()?;
            let id = parse_id(&input.id, "connection", "id")?;
            let run = ctx.services().connections().disconnect(&by, id, input.if_version).await?;
            Ok(DisconnectConnectedMailboxPayload::done(run::read_enqueued(ctx, &by, run).await?))
        })
        .await
    }
}
