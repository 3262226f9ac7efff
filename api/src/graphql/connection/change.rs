//! Mutations of connected mailboxes.

use async_graphql::{Context, ID, InputObject, Object};
use domain::{Permission, may};

use super::{
    super::{
        context::{ContextExt, if_visible, parse_id},
        failure::Result,
        payload::{catch_refusals, payload},
        run::{self, Run},
    },
    ConnectedMailbox,
};

/// Selects the mailbox to activate.
#[derive(InputObject)]
pub struct ActivateConnectedMailboxInput {
    /// Identifier of the connected mailbox to activate.
    id: ID,
}

/// Selects the mailbox to exclude.
#[derive(InputObject)]
pub struct ExcludeConnectedMailboxInput {
    /// Identifier of the connected mailbox to exclude.
    id: ID,
}

/// Selects the calendars of a mailbox that make its owner busy.
#[derive(InputObject)]
pub struct SetCountedCalendarsInput {
    /// Identifier of the connected mailbox that owns the calendars.
    connected_mailbox_id: ID,
    /// Identifiers from `ConnectedMailbox.calendars`, up to 100; null applies the provider's own rule.
    calendar_ids: Option<Vec<String>>,
    /// `version` of the connected mailbox as last read; refused with `VERSION_CONFLICT` if it has changed since.
    if_version: Option<i64>,
}

payload! {
    /// Result of `setCountedCalendars`.
    SetCountedCalendarsPayload {
        /// The updated connected mailbox, whose calendar is read again at once; null if the caller lacks
        /// `CONNECTION_VIEW`.
        connected_mailbox: ConnectedMailbox,
    }
}
payload! {
    /// Result of `activateConnectedMailbox`.
    ActivateConnectedMailboxPayload {
        /// The run that activates the mailbox; follow it with `runProgress`.
        run: Run,
    }
}
payload! {
    /// Result of `excludeConnectedMailbox`.
    ExcludeConnectedMailboxPayload {
        /// The connected mailbox, now excluded; null if the caller lacks `CONNECTION_VIEW`.
        connected_mailbox: ConnectedMailbox,
    }
}

#[derive(Default)]
pub struct ConnectionMutation;

#[Object]
impl ConnectionMutation {
    /// Activates a mailbox, whether for the first time or again after a failure or exclusion. Needs `USER_EDIT`.
    async fn activate_connected_mailbox(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `activateConnectedMailbox`.")] input: ActivateConnectedMailboxInput,
    ) -> Result<ActivateConnectedMailboxPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::UserEdit>()?;
            let run =
                ctx.services().connections().activate(&by, parse_id(&input.id, "connection", "id")?).await?;
            Ok(ActivateConnectedMailboxPayload::done(run::read_enqueued(ctx, &by, run).await?))
        })
        .await
    }

    /// Sets which calendars of a mailbox make its owner busy. Needs `USER_EDIT`.
    async fn set_counted_calendars(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `setCountedCalendars`.")] input: SetCountedCalendarsInput,
    ) -> Result<SetCountedCalendarsPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::UserEdit>()?;
            let id = parse_id(&input.connected_mailbox_id, "connection", "connectedMailboxId")?;
            let connections = ctx.services().connections();
            let row =
                connections.set_counted_calendars(&by, id, input.calendar_ids, input.if_version).await?;
            Ok(SetCountedCalendarsPayload::done(if_visible(
                ctx,
                Permission::ConnectionView,
                ConnectedMailbox(row),
            )))
        })
        .await
    }

    /// Excludes a mailbox: Muster no longer reads or writes it. Needs `USER_EDIT`.
    async fn exclude_connected_mailbox(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `excludeConnectedMailbox`.")] input: ExcludeConnectedMailboxInput,
    ) -> Result<ExcludeConnectedMailboxPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::UserEdit>()?;
            let row =
                ctx.services().connections().exclude(&by, parse_id(&input.id, "connection", "id")?).await?;
            Ok(ExcludeConnectedMailboxPayload::done(if_visible(
                ctx,
                Permission::ConnectionView,
                ConnectedMailbox(row),
            )))
        })
        .await
    }
}
