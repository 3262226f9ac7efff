//! Connect links that users create for themselves: whoever may connect calendars needs nobody's invitation (S6.1).

use domain::{CallerKind, Id, Permission, access::Rule, ids, may, state::Feature};
use entity::{
    connect_link::{self, Column, Model},
    connect_session,
};
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, sea_query::Expr};

use super::{Links, NewLink, is_own, require_integration};
use crate::{
    Error, Result, Tx, authority::permissions_of_actor, messages, proof::Allowed, tenants::require_feature,
};

impl Links {
    /// Creates a link with which the caller connects a calendar system in a browser. Returns the link's URL too, which
    /// is not shown again. Refused for keys, which have no browser.
    ///
    /// The link ends with the caller's permission to connect, and when all access tokens of the caller are revoked.
    pub async fn create_own(
        &self,
        by: &Allowed<may::ConnectCalendars>,
        integration: Option<Id<ids::Integration>>,
        return_url: Option<String>,
    ) -> Result<(Model, String)> {
        let (mut tx, by) = self.services.begin_access_change(by).await?;
        require_feature(tx.conn(), tx.tenant(), Feature::ServiceAccount).await?;
        require_integration(&tx, integration).await?;
        let CallerKind::User(user) = by.kind() else {
            return Err(Error::refuse("USER_NEEDED", messages::invite_an_administrator()));
        };
        let user = entity::tenant_user::by_id(tx.tenant(), user).one(tx.conn()).await?;
        let user = user.ok_or_else(|| Error::not_found("user"))?;
        let new = NewLink { email: user.email, user: user.id, integration, return_url };
        let created = self.insert(&mut tx, &by, new).await?;
        tx.commit().await?;
        Ok(created)
    }
}

/// Whether the holder of a link may choose the service mailbox. Whoever created the link for themselves needs the
/// permission (S4.18); an invitation gives it.
pub(crate) async fn may_set_service_mailbox(
    conn: &impl ConnectionTrait,
    link: &Model,
    now: domain::Timestamp,
) -> Result<bool> {
    if !is_own(link) {
        return Ok(true);
    }
    let held = permissions_of_actor(conn, link.tenant_id, &link.created_by, now).await?;
    Ok(held.contains(&Permission::PlatformAdministration) || may::ServiceAccountEdit::is_met(&held))
}

/// Ends the links, with their sessions, that a user, or every user, created for themselves: whoever stole a token may
/// hold one.
pub(crate) async fn end_own_links(tx: &Tx, user: Option<Id<ids::User>>) -> Result<()> {
    let mut rows = connect_link::of(tx.tenant()).filter(Column::ExpiresAt.gt(tx.now()));
    if let Some(user) = user {
        rows = rows.filter(Column::UserId.eq(user));
    }
    let own: Vec<_> = rows.all(tx.conn()).await?.into_iter().filter(is_own).map(|link| link.id).collect();
    connect_session::delete(tx.tenant())
        .filter(connect_session::Column::LinkId.is_in(own.clone()))
        .exec(tx.conn())
        .await?;
    connect_link::update(tx.tenant())
        .filter(Column::Id.is_in(own))
        .col_expr(Column::ExpiresAt, Expr::value(tx.now()))
        .exec(tx.conn())
        .await?;
    Ok(())
}
