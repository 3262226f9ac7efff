//! OpenID issuers through which users of a tenant sign in.
//!
//! Whoever controls an issuer can sign in as any user, so changing issuers needs every permission within the tenant.
//! Removing an issuer revokes all tokens and codes obtained through it.

pub(crate) mod identity;
mod input;
pub(crate) mod token_user;

use domain::{
    Id, ids, may,
    openid::{IssuerTokens, SigningAlgorithm},
};
use entity::openid_issuer::{ActiveModel, Column, Entity, Model};
use providers::openid::Issuer;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, prelude::Json, sea_query::Expr};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::{
    Error, Page, PageArgs, Refusal, Result, Settings, Tx,
    access::Access,
    audit::AuditFacts,
    customer_calls::CustomerServer,
    error::is_duplicate,
    page,
    proof::{Allowed, Member},
    vault::{Column as SealedColumn, SealContext},
};

/// Maximum number of issuers of a tenant.
const MAX: u64 = 10;

crate::noun! {
    /// OpenID issuers.
    Issuers
}

/// Fields of a new issuer.
#[derive(Debug, Clone)]
pub struct NewIssuer {
    /// Display name.
    pub name: String,
    /// Issuer identifier, exactly as the issuer publishes it.
    pub issuer: String,
    /// Client id that the issuer assigned to this installation.
    pub client_id: String,
    /// Client secret; `None` for a public client.
    pub client_secret: Option<SecretString>,
    /// Signature algorithms accepted from the issuer.
    pub algorithms: Vec<SigningAlgorithm>,
    /// Which of the issuer's tokens the API accepts directly.
    pub accepts: IssuerTokens,
    /// Required audience of the issuer's access tokens; defaults to [`audience_of`] the tenant.
    pub audience: Option<String>,
    /// Token claim that permanently identifies a person.
    pub subject_claim: String,
    /// Token claim with the verified email address by which a user is found at the first sign-in; `None` if users are
    /// linked beforehand.
    pub email_claim: Option<String>,
}

/// Fields of an issuer to change; omitted fields keep their value.
#[derive(Debug, Clone, Default)]
pub struct IssuerChange {
    /// New display name.
    pub name: Option<String>,
    /// New client id.
    pub client_id: Option<String>,
    /// New client secret; `Some(None)` makes the client public.
    pub client_secret: Option<Option<SecretString>>,
    /// New list of accepted signature algorithms.
    pub algorithms: Option<Vec<SigningAlgorithm>>,
    /// Which of the issuer's tokens the API accepts directly from now on.
    pub accepts: Option<IssuerTokens>,
    /// New required audience of access tokens.
    pub audience: Option<String>,
    /// New claim of the email address; `Some(None)` removes it.
    pub email_claim: Option<Option<String>>,
}

impl Issuers {
    /// Registers an issuer, if its published configuration is usable. Needs every permission within the tenant.
    pub async fn create(&self, by: &Allowed<may::RoleEdit>, new: NewIssuer) -> Result<Model> {
        governs(by)?;
        let tenant = by.tenant();
        let id = self.services.ids.make::<ids::OpenIdIssuer>();
        let secret = new.client_secret.clone();
        let mut row = input::new_row(id, tenant, &new, &self.services)?;
        self.try_out(&row).await?;
        let (mut tx, by) = self.services.begin_access_change(by).await?;
        governs(&by)?;
        row.client_secret = self.sealed(&tx, &row, secret.as_ref()).await?;
        let count = entity::openid_issuer::of(tx.tenant()).count(tx.conn()).await?;
        if count >= MAX {
            let refusal = Refusal::new("TOO_MANY", format!("A tenant has at most {MAX} issuers."));
            return Err(refusal.exceeding(MAX, count + 1).into());
        }
        let insert = Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(tx.conn());
        insert.await.map_err(taken)?;
        tx.audit(&by.actor(), "issuer.create", id.to_string(), AuditFacts::for_creation(audit_json(&row)));
        tx.commit().await?;
        Ok(row)
    }

    /// Changes a registration, unless it has changed since `if_version`. Authentication results based on the previous
    /// registration are discarded. Needs every permission within the tenant.
    pub async fn update(
        &self,
        by: &Allowed<may::RoleEdit>,
        id: Id<ids::OpenIdIssuer>,
        change: IssuerChange,
        if_version: Option<i64>,
    ) -> Result<Model> {
        governs(by)?;
        let tenant = by.tenant();
        let before = self.find(tenant, id).await?;
        let secret = change.client_secret.clone();
        let mut after = input::apply_change(&before, change)?;
        if before.algorithms != after.algorithms {
            self.try_out(&after).await?;
        }
        let (mut tx, by) = self.services.begin_access_change(by).await?;
        governs(&by)?;
        let mut statement = entity::openid_issuer::update(tenant)
            .filter(Column::Id.eq(id))
            .filter(Column::Version.eq(if_version.unwrap_or(before.version)))
            .col_expr(Column::Name, Expr::value(after.name.clone()))
            .col_expr(Column::ClientId, Expr::value(after.client_id.clone()))
            .col_expr(Column::Algorithms, Expr::value(after.algorithms.clone()))
            .col_expr(Column::Accepts, Expr::value(after.accepts.clone()))
            .col_expr(Column::Audience, Expr::value(after.audience.clone()))
            .col_expr(Column::EmailClaim, Expr::value(after.email_claim.clone()))
            .col_expr(Column::Version, Expr::value(after.version));
        let mut facts = AuditFacts::for_change(audit_json(&before), audit_json(&after));
        // Only a new secret is written: the former one may be sealed anew in this moment.
        if let Some(secret) = secret {
            after.client_secret = self.sealed(&tx, &after, secret.as_ref()).await?;
            statement = statement.col_expr(Column::ClientSecret, Expr::value(after.client_secret.clone()));
            facts = facts.with_details(json!({ "clientSecret": secret.is_some() }));
        }
        if statement.exec(tx.conn()).await?.rows_affected == 0 {
            let message = "This issuer was changed in the meantime. Reload it, then repeat your change.";
            return Err(Refusal::new("VERSION_CONFLICT", message).at("ifVersion").into());
        }
        tx.notify_access_changed();
        tx.audit(&by.actor(), "issuer.update", id.to_string(), facts);
        tx.commit().await?;
        Ok(after)
    }

    /// Removes an issuer and its identities. All tokens obtained through it are revoked, and the WebSockets opened with
    /// them are closed. Needs every permission within the tenant.
    pub async fn delete(&self, by: &Allowed<may::RoleEdit>, id: Id<ids::OpenIdIssuer>) -> Result<()> {
        let (mut tx, by) = self.services.begin_access_change(by).await?;
        governs(&by)?;
        let issuer = token_user::lock_issuer(&tx, id).await?;
        Access::revoke_from_issuer(&mut tx, issuer.id, None).await?;
        entity::openid_issuer::delete(tx.tenant()).filter(Column::Id.eq(issuer.id)).exec(tx.conn()).await?;
        tx.audit(&by.actor(), "issuer.delete", id.to_string(), AuditFacts::for_deletion(audit_json(&issuer)));
        tx.commit().await?;
        if let Ok(openid) = self.services.connectors.openid() {
            openid.forget_issuer(issuer.id.uuid());
        }
        Ok(())
    }

    /// One page of the tenant's issuers.
    pub async fn list(&self, by: &Allowed<may::RoleEdit>, args: PageArgs) -> Result<Page<Model>> {
        let tenant = by.tenant();
        let txn = self.services.read(tenant).await?;
        page::read_page(entity::openid_issuer::of(tenant), Column::Id, args, &txn).await
    }

    /// The redirect URI to be registered at the issuer; each issuer has its own.
    pub fn redirect_uri(&self, row: &Model) -> String {
        self.services.settings.absolute_url(&format!("{}/callback", page_of(row)))
    }

    /// The URL of the page on which users of the tenant start to sign in.
    pub fn sign_in_url(&self, row: &Model) -> String {
        self.services.settings.absolute_url(&page_of(row))
    }

    pub(crate) async fn find(&self, tenant: Id<ids::Tenant>, id: Id<ids::OpenIdIssuer>) -> Result<Model> {
        let txn = self.services.read(tenant).await?;
        let row = entity::openid_issuer::by_id(tenant, id).one(&txn).await?;
        row.ok_or_else(|| Error::not_found("issuer"))
    }

    /// Unseals the client secret of an issuer.
    pub(crate) async fn open_secret(&self, row: &Model) -> Result<Option<SecretString>> {
        let Some(sealed) = &row.client_secret else { return Ok(None) };
        let plain = self.services.secrets().open(seal_context(row), sealed).await?;
        let secret = String::from_utf8(plain).map_err(|_| Error::Unreadable { what: "openid_issuer" })?;
        Ok(Some(secret.into()))
    }

    async fn sealed(&self, tx: &Tx, row: &Model, secret: Option<&SecretString>) -> Result<Option<Vec<u8>>> {
        let Some(secret) = secret else { return Ok(None) };
        let plain = secret.expose_secret().as_bytes();
        Ok(Some(self.services.secrets().seal(tx.conn(), seal_context(row), plain).await?))
    }

    /// Fetches the issuer's published configuration, so that problems appear at registration.
    async fn try_out(&self, row: &Model) -> Result<()> {
        let registered = to_issuer(row);
        let call = self.services.connectors.openid()?.check_issuer(&registered);
        let tried =
            self.services.call_customer_server((row.tenant_id, CustomerServer::IssuerMetadata), call).await?;
        tried.map_err(|error| Refusal::new("ISSUER_UNUSABLE", error.message).at("issuer").into())
    }
}

/// The audience that Muster assigns to a tenant: a request with a token for this audience needs no header to specify
/// the tenant.
pub fn audience_of(settings: &Settings, tenant: Id<ids::Tenant>) -> String {
    settings.absolute_url(&format!("/{tenant}"))
}

/// Converts a registration to the connector's form. Values from a newer version are omitted.
pub(crate) fn to_issuer(row: &Model) -> Issuer {
    let algorithms = row.algorithms.as_array().into_iter().flatten();
    Issuer {
        id: row.id.uuid(),
        url: row.issuer.clone(),
        client_id: row.client_id.clone(),
        algorithms: algorithms.filter_map(|word| SigningAlgorithm::parse(word.as_str()?)).collect(),
    }
}

/// Requires every permission, because control over an issuer allows signing in as any user.
fn governs(by: &Member) -> Result<()> {
    crate::roles::require_every(
        |permission| by.has_permission(permission),
        "An issuer can sign in any user of the tenant",
    )
}

fn page_of(row: &Model) -> String {
    let (tenant, issuer) = (row.tenant_id, row.id);
    format!("/sign-in/{tenant}/{issuer}")
}

fn seal_context(row: &Model) -> SealContext {
    SealedColumn::OpenIdIssuerSecret.at(row.tenant_id, row.id)
}

/// The audit representation of a registration.
fn audit_json(row: &Model) -> Json {
    json!({
        "name": row.name, "issuer": row.issuer, "clientId": row.client_id, "algorithms": row.algorithms,
        "accepts": row.accepts, "audience": row.audience, "subjectClaim": row.subject_claim,
        "emailClaim": row.email_claim,
    })
}

fn taken(error: sea_orm::DbErr) -> Error {
    if is_duplicate(&error) {
        return Refusal::new("ISSUER_TAKEN", "This issuer is already registered.").at("issuer").into();
    }
    error.into()
}
