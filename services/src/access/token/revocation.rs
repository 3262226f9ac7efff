//! Revocation of access tokens: on request, when a way of signing in ends, and when users are given permissions.

use std::collections::BTreeMap;

use domain::{Id, ids, may};
use entity::access_token::Column;
use sea_orm::{ColumnTrait, QueryFilter, sea_query::Expr};
use serde_json::json;

use super::{super::Access, CLOCK_LEEWAY_SECONDS};
use crate::{
    Error, Result, Tx, links,
    proof::{Member, OwnOr},
    roles,
};

impl Access {
    /// Revokes the tokens and codes that one user, or every user, obtained by signing in through an issuer; called when
    /// that way of signing in ends.
    pub(crate) async fn revoke_from_issuer(
        tx: &mut Tx,
        issuer: Id<ids::OpenIdIssuer>,
        user: Option<Id<ids::User>>,
    ) -> Result<()> {
        let mut statement = entity::access_token::update(tx.tenant())
            .filter(Column::IssuerId.eq(issuer))
            .filter(Column::RevokedAt.is_null())
            .col_expr(Column::RevokedAt, Expr::value(tx.now()));
        if let Some(user) = user {
            statement = statement.filter(Column::UserId.eq(user));
        }
        statement.exec(tx.conn()).await?;
        end_codes(tx, Some(issuer), user).await?;
        end_own_consents(tx, user).await?;
        tx.notify_access_changed();
        Ok(())
    }

    /// Revokes the given access tokens of the proof's user, or all if `None`, and closes the sockets opened with them
    /// on every node. Returns how many valid tokens issued by Muster were revoked. Revoking all also invalidates
    /// unused sign-in codes, the tokens that the tenant's own issuers have issued to the user so far, and links with
    /// which the user was to connect a calendar.
    ///
    /// To act on another user, the caller also needs every permission of that user, so that nobody can lock out a user
    /// with more permissions.
    pub async fn revoke(
        &self,
        by: &OwnOr<may::UserEdit>,
        tokens: Option<&[Id<ids::AccessToken>]>,
    ) -> Result<u64> {
        // Locked: a code could be exchanged between the look at the tokens and their end.
        let (mut tx, _) = self.services.begin_locked(by.tenant()).await?;
        let user = by.user();
        let held = roles::permissions_in_tx(tx.conn(), by.tenant(), user).await?;
        if !by.is_own() {
            let held = held.ok_or_else(|| Error::not_found("user"))?;
            roles::require_revocable_by(by, &held)?;
        }
        let mut statement = entity::access_token::update(tx.tenant())
            .filter(Column::UserId.eq(user))
            .filter(Column::RevokedAt.is_null())
            // A token is accepted a little longer than it lasts.
            .filter(Column::ExpiresAt.gt(tx.now() - chrono::Duration::seconds(CLOCK_LEEWAY_SECONDS)))
            .col_expr(Column::RevokedAt, Expr::value(tx.now()));
        if let Some(tokens) = tokens {
            statement = statement.filter(Column::Id.is_in(tokens.iter().copied()));
        }
        let revoked = statement.exec(tx.conn()).await?.rows_affected;
        if tokens.is_none() {
            end_codes(&tx, None, Some(user)).await?;
            end_foreign_tokens(&tx, user).await?;
            end_own_consents(&tx, Some(user)).await?;
        } else if revoked == 0 {
            return Ok(0);
        }
        tx.notify_access_changed();
        tx.audit(
            &by.actor(),
            "token.revoke",
            user.to_string(),
            json!({ "tokens": tokens, "revoked": revoked }),
        );
        tx.commit().await?;
        Ok(revoked)
    }
}

/// Ends the unfinished consents of one user, or every user, for their own calendars, and the links that they created to
/// connect a calendar system: whoever stole a token may hold such a link.
async fn end_own_consents(tx: &Tx, user: Option<Id<ids::User>>) -> Result<()> {
    use entity::connect_session::{Column, delete};
    let statement = match user {
        Some(user) => delete(tx.tenant()).filter(Column::UserId.eq(user)),
        None => delete(tx.tenant()).filter(Column::UserId.is_not_null()),
    };
    statement.exec(tx.conn()).await?;
    links::end_own_links(tx, user).await
}

/// Invalidates sign-in codes that have not been exchanged yet.
async fn end_codes(
    tx: &Tx,
    issuer: Option<Id<ids::OpenIdIssuer>>,
    user: Option<Id<ids::User>>,
) -> Result<()> {
    use entity::sign_in::{Column, update};
    let mut statement = update(tx.tenant())
        .filter(Column::CodeHash.is_not_null())
        .filter(Column::RedeemedAt.is_null())
        .col_expr(Column::RedeemedAt, Expr::value(tx.now()));
    if let Some(issuer) = issuer {
        statement = statement.filter(Column::IssuerId.eq(issuer));
    }
    if let Some(user) = user {
        statement = statement.filter(Column::UserId.eq(user));
    }
    statement.exec(tx.conn()).await?;
    Ok(())
}

/// Revokes the tokens of users who now hold a permission that the requester of the token lacks; the requester could
/// otherwise act with more permissions than their own. Called after every change that gives users permissions, within
/// its transaction.
pub(crate) async fn revoke_exceeding_requester(
    tx: &mut Tx,
    by: &Member,
    users: &[Id<ids::User>],
) -> Result<()> {
    let live = entity::access_token::of(tx.tenant())
        .filter(Column::UserId.is_in(users.iter().copied()))
        .filter(Column::IssuedWith.is_not_null())
        .filter(Column::RevokedAt.is_null())
        .filter(Column::ExpiresAt.gt(tx.now() - chrono::Duration::seconds(CLOCK_LEEWAY_SECONDS)));
    let mut outgrown: BTreeMap<Id<ids::User>, Vec<Id<ids::AccessToken>>> = BTreeMap::new();
    for token in live.all(tx.conn()).await? {
        let held = roles::permissions_in_tx(tx.conn(), tx.tenant(), token.user_id).await?.unwrap_or_default();
        let issued_with = token.issued_with.as_ref().map(roles::parse_permissions).unwrap_or_default();
        if !held.is_subset(&issued_with) {
            outgrown.entry(token.user_id).or_default().push(token.id);
        }
    }
    for (user, tokens) in outgrown {
        entity::access_token::update(tx.tenant())
            .filter(Column::Id.is_in(tokens.iter().copied()))
            .col_expr(Column::RevokedAt, Expr::value(tx.now()))
            .exec(tx.conn())
            .await?;
        tx.notify_access_changed();
        let facts =
            json!({ "tokens": tokens, "revoked": tokens.len(), "because": "the user was given permissions" });
        tx.audit(&by.actor(), "token.revoke", user.to_string(), facts);
    }
    Ok(())
}

/// Invalidates all tokens that the tenant's own issuers have issued to a user so far.
async fn end_foreign_tokens(tx: &Tx, user: Id<ids::User>) -> Result<()> {
    use entity::tenant_user::{Column, update};
    update(tx.tenant())
        .filter(Column::Id.eq(user))
        .col_expr(Column::TokensSince, Expr::value(tx.now()))
        .exec(tx.conn())
        .await?;
    Ok(())
}
