//! Links between users and their identities at an issuer, set by an administrator.

use domain::{Id, ids, may, text::Shape};
use entity::openid_identity::{Column, Model, delete, of};
use sea_orm::{ColumnTrait, QueryFilter};
use serde_json::json;

use super::{Issuers, person};
use crate::{
    Error, Page, PageArgs, Refusal, Result, Tx,
    access::Access,
    audit::AuditFacts,
    page,
    proof::{Allowed, Member},
    roles, text,
};

/// Longest subject identifier in characters.
const LONGEST: usize = 255;

impl Issuers {
    /// Links a user to an identity at an issuer, replacing any previous link. Who may do that could sign in as the
    /// user, so it needs every permission of the user.
    pub async fn link(
        &self,
        by: &Allowed<may::UserEdit>,
        issuer: Id<ids::OpenIdIssuer>,
        user: Id<ids::User>,
        subject: &str,
    ) -> Result<Model> {
        text::check(subject, Shape::Line, LONGEST, "subject")?;
        if subject.is_empty() {
            return Err(Refusal::new("TEXT_MALFORMED", "Enter the user's subject at the issuer.")
                .at("subject")
                .into());
        }
        let (mut tx, by) = self.services.begin_access_change(by).await?;
        let issuer = person::held(&tx, issuer).await?;
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
        remove(&mut tx, issuer.id, user).await?;
        let row = person::insert(&mut tx, &issuer, user, subject.to_owned(), &by.actor()).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Removes a user's link to an issuer and revokes what the user obtained through the issuer; the next sign-in
    /// links again by verified email address. Returns whether there was a link.
    pub async fn unlink(
        &self,
        by: &Allowed<may::UserEdit>,
        issuer: Id<ids::OpenIdIssuer>,
        user: Id<ids::User>,
    ) -> Result<bool> {
        let (mut tx, by) = self.services.begin_access_change(by).await?;
        let issuer = person::held(&tx, issuer).await?;
        may_take(&tx, &by, user).await?;
        let was_there = remove(&mut tx, issuer.id, user).await?;
        if was_there {
            tx.audit(
                &by.actor(),
                "identity.unlink",
                user.to_string(),
                AuditFacts::deleted(json!({ "issuer": issuer.id })),
            );
        }
        tx.commit().await?;
        Ok(was_there)
    }

    /// One page of the links between the tenant's users and an issuer.
    pub async fn identities(
        &self,
        by: &Allowed<may::UserView>,
        issuer: Id<ids::OpenIdIssuer>,
        args: PageArgs,
    ) -> Result<Page<Model>> {
        let tenant = by.tenant();
        self.find(tenant, issuer).await?;
        let txn = self.services.store.read(tenant).await?;
        page::read(of(tenant).filter(Column::IssuerId.eq(issuer)), Column::Id, args, &txn).await
    }
}

async fn remove(tx: &mut Tx, issuer: Id<ids::OpenIdIssuer>, user: Id<ids::User>) -> Result<bool> {
    let rows = delete(tx.tenant()).filter(Column::IssuerId.eq(issuer)).filter(Column::UserId.eq(user));
    let was_there = rows.exec(tx.conn()).await?.rows_affected > 0;
    if was_there {
        Access::revoke_through(tx, issuer, Some(user)).await?;
    }
    Ok(was_there)
}

async fn may_take(tx: &Tx, by: &Member, user: Id<ids::User>) -> Result<()> {
    let held = roles::permissions_within(tx.conn(), by.tenant(), user).await?;
    roles::may_take(by, &held.ok_or_else(|| Error::not_found("user"))?)
}
