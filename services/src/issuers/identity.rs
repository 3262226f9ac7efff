//! Links between users and their subjects at an OpenID issuer, set by an administrator.

use domain::{Id, ids, may, text::LineMode};
use entity::{
    openid_identity::{Column, Model, delete, of, update},
    openid_unlinked as unlinked,
};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, OnConflict},
};
use serde_json::json;

use super::{Issuers, token_user};
use crate::{
    Error, Page, PageArgs, Refusal, Result, Tx,
    access::Access,
    audit::AuditFacts,
    page,
    proof::{Allowed, Member},
    roles, text,
};

/// Maximum length of a subject identifier in characters.
const LONGEST: usize = 255;

impl Issuers {
    /// Links a user to a subject at an issuer, replacing any previous link. The link allows signing in as the user, so
    /// the caller needs every permission of the user.
    pub async fn link_identity(
        &self,
        by: &Allowed<may::UserEdit>,
        issuer: Id<ids::OpenIdIssuer>,
        user: Id<ids::User>,
        subject: &str,
    ) -> Result<Model> {
        text::check(subject, LineMode::Line, LONGEST, "subject")?;
        if subject.is_empty() {
            return Err(Refusal::new("TEXT_MALFORMED", "Enter the subject that identifies the user.")
                .at("subject")
                .into());
        }
        let (mut tx, by) = self.services.begin_access_change(by).await?;
        let issuer = token_user::lock_issuer(&tx, issuer).await?;
        may_take(&tx, &by, user).await?;
        let same = of(tx.tenant()).filter(Column::IssuerId.eq(issuer.id)).filter(Column::Subject.eq(subject));
        match same.one(tx.conn()).await? {
            Some(row) if row.user_id == user => return Ok(row),
            Some(_) => {
                let message = "Another user is already linked to this subject.";
                return Err(Refusal::new("IDENTITY_TAKEN", message).at("subject").into());
            }
            None => {}
        }
        if let Some(former) = remove(&mut tx, issuer.id, user).await? {
            remember_unlinked(&tx, &former).await?;
            audit_unlinked(&mut tx, &by.actor(), &former);
        }
        unlinked::delete(tx.tenant())
            .filter(unlinked::Column::IssuerId.eq(issuer.id))
            .filter(unlinked::Column::Subject.eq(subject))
            .exec(tx.conn())
            .await?;
        let by = (by.actor(), Some(roles::permission_names(by.permissions())));
        let row =
            token_user::insert_identity(&mut tx, &issuer, user, subject.to_owned(), (&by.0, by.1)).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Removes a user's link to an issuer and revokes the user's tokens and codes of that issuer. Afterwards only
    /// [`Issuers::link_identity`] links the same subject again, not a sign-in; a different subject is still linked by
    /// its verified email address. Returns whether there was a link.
    pub async fn unlink_identity(
        &self,
        by: &Allowed<may::UserEdit>,
        issuer: Id<ids::OpenIdIssuer>,
        user: Id<ids::User>,
    ) -> Result<bool> {
        let (mut tx, by) = self.services.begin_access_change(by).await?;
        let issuer = token_user::lock_issuer(&tx, issuer).await?;
        may_take(&tx, &by, user).await?;
        let former = remove(&mut tx, issuer.id, user).await?;
        if let Some(former) = &former {
            remember_unlinked(&tx, former).await?;
            audit_unlinked(&mut tx, &by.actor(), former);
        }
        tx.commit().await?;
        Ok(former.is_some())
    }

    /// One page of the links between the tenant's users and an issuer.
    pub async fn list_identities(
        &self,
        by: &Allowed<may::UserView>,
        issuer: Id<ids::OpenIdIssuer>,
        args: PageArgs,
    ) -> Result<Page<Model>> {
        let tenant = by.tenant();
        self.find(tenant, issuer).await?;
        let txn = self.services.read(tenant).await?;
        page::read_page(of(tenant).filter(Column::IssuerId.eq(issuer)), Column::Id, args, &txn).await
    }
}

/// Removes the links of users who now have a permission that the creator of the link lacks; the creator could otherwise
/// sign in as somebody with more permissions. Called after every change that gives users permissions, within its
/// transaction.
pub(crate) async fn unlink_exceeding_creator(
    tx: &mut Tx,
    by: &Member,
    users: &[Id<ids::User>],
) -> Result<()> {
    let linked = of(tx.tenant())
        .filter(Column::UserId.is_in(users.iter().copied()))
        .filter(Column::LinkedWith.is_not_null());
    for row in linked.all(tx.conn()).await? {
        let held = roles::permissions_in_tx(tx.conn(), tx.tenant(), row.user_id).await?.unwrap_or_default();
        let linked_with = row.linked_with.as_ref().map(roles::parse_permissions).unwrap_or_default();
        if !held.is_subset(&linked_with)
            && let Some(former) = remove(tx, row.issuer_id, row.user_id).await?
        {
            audit_unlinked(tx, &by.actor(), &former);
        }
    }
    Ok(())
}

/// Makes a user's links also depend on the permissions of the person who changes the user's email address, because the
/// address determines who can sign in. The links are removed once the user has more permissions than that person; see
/// [`unlink_exceeding_creator`].
pub(crate) async fn bind_links_to_editor(tx: &Tx, by: &Member, user: Id<ids::User>) -> Result<()> {
    for link in of(tx.tenant()).filter(Column::UserId.eq(user)).all(tx.conn()).await? {
        let mut with = by.permissions().clone();
        if let Some(linked_with) = &link.linked_with {
            let linked_with = roles::parse_permissions(linked_with);
            with.retain(|permission| linked_with.contains(permission));
        }
        let with = Expr::value(roles::permission_names(&with));
        let one = update(tx.tenant()).filter(Column::Id.eq(link.id));
        one.col_expr(Column::LinkedWith, with).exec(tx.conn()).await?;
    }
    Ok(())
}

/// Removes a user's link to an issuer, if there is one, and revokes the tokens and codes that the user obtained through
/// the issuer.
async fn remove(tx: &mut Tx, issuer: Id<ids::OpenIdIssuer>, user: Id<ids::User>) -> Result<Option<Model>> {
    let Some(row) = token_user::find_identity(tx, issuer, user).await? else { return Ok(None) };
    delete(tx.tenant()).filter(Column::Id.eq(row.id)).exec(tx.conn()).await?;
    Access::revoke_from_issuer(tx, issuer, Some(user)).await?;
    Ok(Some(row))
}

/// Prevents an unlinked subject from being linked again at its next sign-in.
async fn remember_unlinked(tx: &Tx, former: &Model) -> Result<()> {
    let row = unlinked::Model {
        id: tx.ids().make::<ids::Row>(),
        tenant_id: tx.tenant(),
        issuer_id: former.issuer_id,
        user_id: former.user_id,
        subject: former.subject.clone(),
        unlinked_at: tx.now(),
    };
    let again = OnConflict::columns([
        unlinked::Column::TenantId,
        unlinked::Column::IssuerId,
        unlinked::Column::Subject,
    ])
    .update_columns([unlinked::Column::UserId, unlinked::Column::UnlinkedAt])
    .to_owned();
    let insert = unlinked::Entity::insert(unlinked::ActiveModel::from(row)).on_conflict(again);
    insert.exec_without_returning(tx.conn()).await?;
    Ok(())
}

fn audit_unlinked(tx: &mut Tx, by: &str, row: &Model) {
    let facts = AuditFacts::for_deletion(json!({ "issuer": row.issuer_id, "subject": row.subject }));
    tx.audit(by, "identity.unlink", row.user_id.to_string(), facts);
}

async fn may_take(tx: &Tx, by: &Member, user: Id<ids::User>) -> Result<()> {
    let held = roles::permissions_in_tx(tx.conn(), by.tenant(), user).await?;
    roles::require_revocable_by(by, &held.ok_or_else(|| Error::not_found("user"))?)
}
