//! Connects and disconnects a user's mailbox when the user is created, changes the calendar address, or is removed.

use domain::{
    Id, Ids, Reason, ids,
    state::{ConnectionState, IntegrationState, Lane},
};
use entity::{connection, tenant_user};
use sea_orm::{ColumnTrait, ExprTrait, QueryFilter, QueryOrder, sea_query::Expr};

use crate::{
    Result, Tx,
    change::{NewConnection, reason_to_json},
    connections::find_or_insert,
    events::topic,
    integrations, messages,
    run_inputs::{Activate, RunInput},
};

/// Enqueues the activation of a user's mailbox through the oldest usable organisation-wide integration, if there is one and the user has
/// a calendar address.
///
/// The oldest integration is used because it is not known beforehand which integration contains the mailbox. A mailbox
/// that already has an owner, or that an administrator excluded, is not activated.
pub(crate) async fn connect_to_usable_integration(
    ids: &Ids,
    tx: &mut Tx,
    user: &tenant_user::Model,
) -> Result<()> {
    use entity::integration::Column;
    let Some(address) = &user.calendar_address else { return Ok(()) };
    // Through a suspended integration the mailbox is activated once it is resumed.
    let live = [IntegrationState::Active, IntegrationState::Degraded, IntegrationState::Suspended];
    let live = live.map(IntegrationState::as_str);
    let integration = entity::integration::of(tx.tenant())
        .filter(integrations::organisation_wide())
        .filter(Column::State.is_in(live))
        .order_by_asc(Column::Id)
        .one(tx.conn())
        .await?;
    let Some(integration) = integration else { return Ok(()) };
    let (integration, address) = (integration.id, address.clone());
    let new = NewConnection { integration, user: Some(user.id), room: None, address };
    let (connection, is_new) = find_or_insert(ids, tx, new).await?;
    if is_new && connection.state != ConnectionState::Excluded {
        let activate = RunInput::Activate(Activate { connection: connection.id, campaign: None });
        tx.enqueue(activate, &user.id.to_string(), Lane::Interactive).await?;
    }
    Ok(())
}

/// Disconnects the user's mailboxes, removes the user's own consents to them, and cancels their runs.
pub(super) async fn disconnect_mailboxes(tx: &mut Tx, user: &tenant_user::Model) -> Result<()> {
    use connection::Column;
    use entity::consent_grant;
    consent_grant::delete(tx.tenant())
        .filter(consent_grant::Column::UserId.eq(user.id))
        .exec(tx.conn())
        .await?;
    let mine = connection::of(tx.tenant()).filter(Column::UserId.eq(user.id)).all(tx.conn()).await?;
    let reason = Reason::new("NOT_THE_USERS", messages::not_the_users());
    for connection in mine {
        let mut statement = connection::update(tx.tenant())
            .filter(Column::Id.eq(connection.id))
            .col_expr(Column::UserId, Expr::value(None::<Id<ids::User>>))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1));
        // An exclusion stays, also for whoever has the address next.
        if connection.state.require()? != ConnectionState::Excluded {
            statement = statement
                .col_expr(Column::State, Expr::value(ConnectionState::Disconnected.as_str()))
                .col_expr(Column::Reason, Expr::value(reason_to_json(Some(reason.clone()))))
                .col_expr(Column::Since, Expr::value(tx.now()));
        }
        statement.exec(tx.conn()).await?;
        cancel_runs_about(tx, connection.id).await?;
        tx.add_event(topic::CONNECTION, connection.id);
    }
    Ok(())
}

/// Disconnects the user's mailboxes and deletes all data that is stored only for the user.
pub(super) async fn delete_user_data(tx: &mut Tx, user: &tenant_user::Model) -> Result<()> {
    use entity::{connect_link, connect_session};
    disconnect_mailboxes(tx, user).await?;
    let links =
        connect_link::of(tx.tenant()).filter(connect_link::Column::UserId.eq(user.id)).all(tx.conn()).await?;
    let through_links = connect_session::Column::LinkId.is_in(links.into_iter().map(|link| link.id));
    connect_session::delete(tx.tenant())
        .filter(connect_session::Column::UserId.eq(user.id).or(through_links))
        .exec(tx.conn())
        .await?;
    connect_link::update(tx.tenant())
        .filter(connect_link::Column::UserId.eq(user.id))
        .col_expr(connect_link::Column::UserId, Expr::value(None::<Id<ids::User>>))
        .col_expr(connect_link::Column::ExpiresAt, Expr::value(tx.now()))
        .exec(tx.conn())
        .await?;
    Ok(())
}

async fn cancel_runs_about(tx: &mut Tx, subject: Id<ids::Connection>) -> Result<()> {
    use entity::run::Column;
    let live = entity::run::of(tx.tenant())
        .filter(Column::Subject.eq(subject))
        .filter(Column::FinishedAt.is_null())
        .all(tx.conn())
        .await?;
    for run in live {
        if let Some(hint) = runs::request_cancel(tx.conn(), tx.tenant(), run.id, tx.now()).await? {
            tx.add_hint(hint);
        }
    }
    Ok(())
}
