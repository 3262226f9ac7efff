//! Finds the user to whom a verified token belongs.
//!
//! A linked user is found only by the subject identifier, because an email address can be reassigned and a subject
//! identifier cannot; at the first sign-in the user is found by the email address that the issuer has verified. All
//! look-ups are limited to the registration's tenant, so that no user of another tenant is ever found.

use domain::{Id, ids};
use entity::{openid_identity, openid_issuer::Model, openid_unlinked, tenant_user};
use providers::openid::Claims;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, prelude::Json};
use serde_json::json;

use crate::{Error, Refusal, Result, Tx, audit::AuditFacts, roles};

/// The user linked to the token's subject.
pub(crate) async fn find_linked_user(
    conn: &impl ConnectionTrait,
    issuer: &Model,
    claims: &Claims,
) -> Result<Option<Id<ids::User>>> {
    use openid_identity::Column;
    let subject = claims.subject(&issuer.subject_claim).ok_or_else(nobody)?;
    let row = openid_identity::of(issuer.tenant_id)
        .filter(Column::IssuerId.eq(issuer.id))
        .filter(Column::Subject.eq(subject))
        .one(conn)
        .await?;
    Ok(row.map(|row| row.user_id))
}

/// Returns the user of a token: already linked, or found by the verified email address and linked now.
pub(crate) async fn find_or_link_user(
    tx: &mut Tx,
    issuer: Id<ids::OpenIdIssuer>,
    claims: &Claims,
) -> Result<Id<ids::User>> {
    // Held, so that the first two requests of a person make one link, and none is made of an issuer that is removed.
    let issuer = lock_issuer(tx, issuer).await?;
    if let Some(user) = find_linked_user(tx.conn(), &issuer, claims).await? {
        return Ok(user);
    }
    require_not_unlinked(tx, &issuer, claims).await?;
    let claim = issuer.email_claim.as_deref().ok_or_else(nobody)?;
    let email = claims.verified_email(claim).ok_or_else(nobody)?;
    let user =
        tenant_user::of(tx.tenant()).filter(tenant_user::Column::Email.eq(email)).one(tx.conn()).await?;
    let user = user.ok_or_else(nobody)?;
    let vouched = roles::parse_permissions(&user.email_set_with);
    let held = roles::permissions_in_tx(tx.conn(), tx.tenant(), user.id).await?.unwrap_or_default();
    if !held.is_subset(&vouched) {
        let message = "Your address was entered by somebody with fewer permissions than you have. Ask an \
            administrator with all your permissions to confirm it.";
        return Err(Error::refuse("ADDRESS_UNCONFIRMED", message));
    }
    if find_identity(tx, issuer.id, user.id).await?.is_some() {
        let message = "This address belongs to a user who is linked to a different account of your \
            organisation's sign-in. Ask your administrator to link your account.";
        return Err(Error::refuse("IDENTITY_TAKEN", message));
    }
    let subject = claims.subject(&issuer.subject_claim).ok_or_else(nobody)?.to_owned();
    let by = issuer.id.to_string();
    insert_identity(tx, &issuer, user.id, subject, (&by, Some(user.email_set_with))).await?;
    Ok(user.id)
}

/// Refuses a subject that an administrator has unlinked; otherwise its next sign-in would restore the link.
async fn require_not_unlinked(tx: &Tx, issuer: &Model, claims: &Claims) -> Result<()> {
    use openid_unlinked::Column;
    let subject = claims.subject(&issuer.subject_claim).ok_or_else(nobody)?;
    let row = openid_unlinked::of(tx.tenant()).filter(Column::IssuerId.eq(issuer.id));
    if row.filter(Column::Subject.eq(subject)).one(tx.conn()).await?.is_none() {
        return Ok(());
    }
    let message = "An administrator has unlinked this account. Ask your administrator to link it again.";
    Err(Error::refuse("IDENTITY_UNLINKED", message))
}

/// The identity of a user at an OpenID issuer.
pub(crate) async fn find_identity(
    tx: &Tx,
    issuer: Id<ids::OpenIdIssuer>,
    user: Id<ids::User>,
) -> Result<Option<openid_identity::Model>> {
    use openid_identity::Column;
    let row =
        openid_identity::of(tx.tenant()).filter(Column::IssuerId.eq(issuer)).filter(Column::UserId.eq(user));
    Ok(row.one(tx.conn()).await?)
}

/// Links a user to a subject. Also stores the permissions of the person responsible for the link: its creator, or the
/// person who set the email address by which a sign-in found the user.
pub(super) async fn insert_identity(
    tx: &mut Tx,
    issuer: &Model,
    user: Id<ids::User>,
    subject: String,
    (by, linked_with): (&str, Option<Json>),
) -> Result<openid_identity::Model> {
    let row = openid_identity::Model {
        id: tx.ids().make::<ids::OpenIdIdentity>(),
        tenant_id: tx.tenant(),
        issuer_id: issuer.id,
        user_id: user,
        subject,
        created_at: tx.now(),
        linked_with,
    };
    let stored = openid_identity::ActiveModel::from(row.clone());
    openid_identity::Entity::insert(stored).exec_without_returning(tx.conn()).await?;
    let facts = AuditFacts::for_creation(json!({ "issuer": issuer.id, "subject": row.subject }));
    tx.audit(by, "identity.link", user.to_string(), facts);
    Ok(row)
}

/// The registration's row, locked until the transaction ends.
pub(crate) async fn lock_issuer(tx: &Tx, issuer: Id<ids::OpenIdIssuer>) -> Result<Model> {
    let row = entity::openid_issuer::by_id(tx.tenant(), issuer).lock_exclusive().one(tx.conn()).await?;
    row.ok_or_else(|| Error::not_found("issuer"))
}

fn nobody() -> Error {
    let message = "No user matches this sign-in. Ask your administrator to enter your address exactly as \
        your organisation's sign-in has it.";
    Refusal::new("SIGN_IN_UNKNOWN", message).into()
}
