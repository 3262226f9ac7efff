//! Whose mailbox a connection is: it is created for a user or a room, and given to another one once its user has left.

use domain::{Ids, Timestamp, state::ConnectionState};
use entity::connection::{ActiveModel, Entity, Model};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr,
};
use serde_json::Value as Json;

use crate::{
    Error, Result, Tx,
    change::{NewConnection, pending_connection},
    events::topic,
};

/// The connection to the mailbox with this email address, and whether it has just got its owner: it is created if there
/// is none, and one without an owner gets that of `new`.
pub(crate) async fn find_or_insert(ids: &Ids, tx: &mut Tx, new: NewConnection) -> Result<(Model, bool)> {
    use entity::connection::{Column, of};
    let address = new.address.to_lowercase();
    let known = of(tx.tenant())
        .filter(Column::IntegrationId.eq(new.integration))
        .filter(Column::Address.eq(address))
        .one(tx.conn())
        .await?;
    let row = match known {
        Some(row) if !is_without_owner(&row) => return Ok((row, false)),
        Some(row) => take_over(tx.conn(), &row, &new, tx.now()).await?,
        None => {
            let row = pending_connection(ids.make(), tx.tenant(), new, tx.now());
            Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(tx.conn()).await?;
            row
        }
    };
    tx.add_event(topic::CONNECTION, row.id);
    Ok((row, true))
}

/// Selects mailboxes that belong to a user or a room.
pub(crate) fn has_owner() -> Condition {
    use entity::connection::Column;
    Condition::any().add(Column::UserId.is_not_null()).add(Column::RoomId.is_not_null())
}

/// Whether a mailbox belongs to no user and no room, because its user left.
pub fn is_without_owner(row: &Model) -> bool {
    row.user_id.is_none() && row.room_id.is_none()
}

/// Gives a mailbox without an owner to a user or a room. It waits to be activated; an excluded one stays excluded.
pub(crate) async fn take_over(
    conn: &impl ConnectionTrait,
    row: &Model,
    new: &NewConnection,
    now: Timestamp,
) -> Result<Model> {
    use entity::connection::{Column, by_id, update};
    let state = row.state.require()?;
    let mut statement = update(row.tenant_id)
        .filter(Column::Id.eq(row.id))
        .filter(Column::State.eq(state.as_str()))
        .filter(Column::UserId.is_null())
        .filter(Column::RoomId.is_null())
        .col_expr(Column::UserId, Expr::value(new.user))
        .col_expr(Column::RoomId, Expr::value(new.room))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1));
    if state != ConnectionState::Excluded {
        statement = statement
            .col_expr(Column::State, Expr::value(ConnectionState::Pending.as_str()))
            .col_expr(Column::Reason, Expr::value(None::<Json>))
            .col_expr(Column::Since, Expr::value(now));
    }
    if statement.exec(conn).await?.rows_affected == 0 {
        return Err(Error::refuse("IN_PROGRESS", "Try again in a moment."));
    }
    by_id(row.tenant_id, row.id).one(conn).await?.ok_or_else(|| Error::not_found("connection"))
}

/// Refuses a mailbox that an administrator excluded: its user alone does not end the exclusion.
pub(crate) fn require_not_excluded(row: &Model) -> Result<()> {
    if row.state.require()? != ConnectionState::Excluded {
        return Ok(());
    }
    let message = "An administrator has excluded this calendar. Ask an administrator to activate it.";
    Err(Error::refuse("MAILBOX_EXCLUDED", message))
}
