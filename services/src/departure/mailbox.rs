//! Disconnects one mailbox (S6.6): its copy, its push channel and its owner's own consent go. Appointments stay in the
//! calendar.

use domain::{
    Id, Reason, Route, ids, may,
    state::{ConnectionState, Lane},
};
use entity::{busy_bitmap, calendar_event, channel, connection, consent_grant, integration};
use sea_orm::{ColumnTrait, ExprTrait, QueryFilter, QuerySelect, sea_query::Expr};
use serde_json::json;

use super::{count, future_bookings};
use crate::{
    Error, Page, PageArgs, Refusal, Result, System, Tx,
    audit::AuditFacts,
    change::reason_to_json,
    connections::Connections,
    events::topic,
    messages, page,
    proof::Allowed,
    run_inputs::{DisconnectMailbox, RunInput},
};

/// What goes and what stays if a mailbox is disconnected now.
#[derive(Debug, Clone, PartialEq)]
pub struct MailboxDeparture {
    /// The row as read for the preview; its version is that to pass on.
    pub connection: connection::Model,
    /// Number of events in the stored copy of the calendar.
    pub events: u64,
    /// Whether the provider reports changes of the calendar.
    pub has_channel: bool,
    /// Whether the owner's own consent goes, and whether the provider withdraws it at Muster's request.
    pub own_consent: Option<bool>,
    /// Number of bookings that are not over and stand in the mailbox's calendar.
    pub bookings: u64,
}

impl Connections {
    /// What goes and what stays if a mailbox is disconnected now.
    pub async fn preview_disconnection(
        &self,
        by: &Allowed<may::ConnectionView>,
        id: Id<ids::Connection>,
    ) -> Result<MailboxDeparture> {
        let (tenant, now) = (by.tenant(), self.services.now());
        let txn = self.services.read(tenant).await?;
        let row = connection::by_id(tenant, id).one(&txn).await?;
        let row = row.ok_or_else(|| Error::not_found("connection"))?;
        let copy = calendar_event::of(tenant).filter(calendar_event::Column::ConnectionId.eq(id));
        let channels = channel::of(tenant).filter(channel::Column::ConnectionId.eq(id));
        let own = match row.user_id {
            Some(user) => own_consents(tenant, &row, user).one(&txn).await?,
            None => None,
        };
        Ok(MailboxDeparture {
            events: count(copy, &txn).await?,
            has_channel: count(channels, &txn).await? > 0,
            own_consent: own.map(|consent| self.services.is_revocable(&consent)),
            bookings: count(bookings_in(tenant, &row, now), &txn).await?,
            connection: row,
        })
    }

    /// One page of the bookings that are not over and stand in a mailbox's calendar.
    pub async fn bookings_in(
        &self,
        by: &Allowed<may::BookingView>,
        row: &connection::Model,
        args: PageArgs,
    ) -> Result<Page<entity::booking::Model>> {
        let txn = self.services.read(by.tenant()).await?;
        let rows = bookings_in(by.tenant(), row, self.services.now());
        page::read_page(rows, entity::booking::Column::Id, args, &txn).await
    }

    /// Disconnects a mailbox, unless it has changed since `if_version`: it is neither read nor written any more, and a
    /// run deletes its copy, its channel and its owner's own consent. Only a person's activation connects it again; an
    /// excluded mailbox stays excluded. Returns the run.
    pub async fn disconnect(
        &self,
        by: &Allowed<may::UserEdit>,
        id: Id<ids::Connection>,
        if_version: Option<i64>,
    ) -> Result<Id<ids::Run>> {
        let mut tx = self.services.begin(by.tenant()).await?;
        let row = connection::by_id(tx.tenant(), id).lock_exclusive().one(tx.conn()).await?;
        let row = row.ok_or_else(|| Error::not_found("connection"))?;
        if if_version.is_some_and(|version| version != row.version) {
            let message = "This mailbox was changed in the meantime. Reload it, then repeat your request.";
            return Err(Refusal::new("VERSION_CONFLICT", message).at("ifVersion").into());
        }
        let after = leave_out(&mut tx, &row).await?;
        let facts = AuditFacts::for_change(json!({ "state": row.state }), json!({ "state": after.as_str() }));
        tx.audit(&by.actor(), "connection.disconnect", id.to_string(), facts);
        let input = RunInput::DisconnectMailbox(DisconnectMailbox { connection: id });
        let run = match tx.enqueue(input, &by.actor(), Lane::Interactive).await? {
            Some(run) => run,
            None => super::live_run(&tx, "disconnect_mailbox", id.any()).await?,
        };
        tx.commit().await?;
        Ok(run)
    }
}

/// Sets the state of a mailbox that is disconnected, and returns it.
async fn leave_out(tx: &mut Tx, row: &connection::Model) -> Result<ConnectionState> {
    use connection::{Column, update};
    let state = row.state.require()?;
    if ConnectionState::LEFT_OUT.contains(&state) {
        return Ok(state);
    }
    let reason = Reason::new("CALENDAR_DISCONNECTED", messages::mailbox_disconnected())
        .with_next_action(messages::activate_to_connect_again());
    update(tx.tenant())
        .filter(Column::Id.eq(row.id))
        .col_expr(Column::State, Expr::value(ConnectionState::Disconnected.as_str()))
        .col_expr(Column::Reason, Expr::value(reason_to_json(Some(reason))))
        .col_expr(Column::Since, Expr::value(tx.now()))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .exec(tx.conn())
        .await?;
    tx.add_event(topic::CONNECTION, row.id);
    Ok(ConnectionState::Disconnected)
}

fn own_consents(
    tenant: Id<ids::Tenant>,
    row: &connection::Model,
    user: Id<ids::User>,
) -> sea_orm::Select<consent_grant::Entity> {
    use consent_grant::{Column, of};
    of(tenant).filter(Column::IntegrationId.eq(row.integration_id)).filter(Column::UserId.eq(user))
}

fn bookings_in(
    tenant: Id<ids::Tenant>,
    row: &connection::Model,
    now: domain::Timestamp,
) -> sea_orm::Select<entity::booking::Entity> {
    use entity::booking::Column;
    future_bookings(tenant, now)
        .filter(Column::IntegrationId.eq(row.integration_id))
        .filter(Column::Mailbox.eq(row.address.clone()))
}

impl System {
    /// Deletes the copy of a disconnected mailbox, its channel and its owner's own consent. Changes nothing if the
    /// mailbox was activated meanwhile.
    pub(crate) async fn delete_mailbox(
        &self,
        tenant: Id<ids::Tenant>,
        id: Id<ids::Connection>,
    ) -> Result<()> {
        let mut tx = self.begin(tenant).await?;
        let row = connection::by_id(tenant, id).lock_exclusive().one(tx.conn()).await?;
        let Some(row) = row else { return Ok(()) };
        if !ConnectionState::LEFT_OUT.contains(&row.state.require()?) {
            return Ok(());
        }
        calendar_event::delete(tenant)
            .filter(calendar_event::Column::ConnectionId.eq(id))
            .exec(tx.conn())
            .await?;
        busy_bitmap::delete(tenant).filter(busy_bitmap::Column::ConnectionId.eq(id)).exec(tx.conn()).await?;
        channel::delete(tenant).filter(channel::Column::ConnectionId.eq(id)).exec(tx.conn()).await?;
        if let Some(user) = row.user_id {
            self.grants().remove(&tx, row.integration_id, Some(user)).await?;
        }
        forget(&tx, &row).await?;
        tx.add_event(topic::CONNECTION, id);
        tx.commit().await
    }
}

/// Clears what is known of a mailbox's calendar. It no longer serves to tell a lost consent from a narrowed scope.
async fn forget(tx: &Tx, row: &connection::Model) -> Result<()> {
    use connection::{Column, update};
    let nothing = || Expr::value(None::<domain::Timestamp>);
    update(tx.tenant())
        .filter(Column::Id.eq(row.id))
        .col_expr(Column::Route, Expr::value(Route::Delegated.as_str()))
        .col_expr(Column::AsOf, nothing())
        .col_expr(Column::ReadFrom, nothing())
        .col_expr(Column::ReadUntil, nothing())
        .col_expr(Column::FailingSince, nothing())
        .col_expr(Column::RetryAt, nothing())
        .col_expr(Column::FailingCode, Expr::value(None::<String>))
        .col_expr(Column::Watermark, Expr::value(None::<String>))
        .col_expr(Column::Calendars, Expr::value(None::<sea_orm::prelude::Json>))
        .col_expr(Column::Unreadable, Expr::value(json!([])))
        .col_expr(Column::UnreadableCount, Expr::value(0))
        .col_expr(Column::UnknownCount, Expr::value(0))
        .col_expr(Column::Failures, Expr::value(0))
        .exec(tx.conn())
        .await?;
    integration::update(tx.tenant())
        .filter(integration::Column::Id.eq(row.integration_id))
        .filter(integration::Column::KnownGood.eq(row.address.clone()))
        .col_expr(integration::Column::KnownGood, Expr::value(None::<String>))
        .exec(tx.conn())
        .await?;
    Ok(())
}
