//! Invitations for IT administrators, who need no account in the vendor's product.
//!
//! A link opens the connect page and nothing else. Its token has 256 random bits, of which only a digest is stored, so
//! that a link is shown only once, to whoever created it.

use domain::{Allowed, Id, StandardRole, ids, state::Feature};
use entity::{
    connect_link::{self, ActiveModel, Column, Entity, Model},
    tenant_lookup::{self, Kind},
    tenant_user,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use uuid::Uuid;

use crate::{Error, Result, Tx, audit::AuditFacts, roles, tenants::require_feature, users::checked_email};

crate::noun! {
    /// Invitations for IT administrators.
    Links
}

/// Details of a new invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLink {
    /// Email address of the invited person.
    pub email: String,
    /// Where to redirect the browser at the end; must lie below one of the tenant's return URLs.
    pub return_url: Option<String>,
    /// An existing integration to connect.
    pub integration: Option<Id<ids::Integration>>,
    /// Roles for the invited person; Calendar Connector if empty.
    pub roles: Vec<Id<ids::Role>>,
}

/// A link that was opened before it expired.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenLink {
    /// The link's own row.
    pub link: Model,
    /// The tenant whose calendar system is to be connected.
    pub tenant: entity::tenant::Model,
}

impl Links {
    /// Invites an IT administrator. Also returns the link to send, which is not shown again.
    ///
    /// The invited person becomes a user with the roles, or an existing user with this email address receives them.
    /// The caller must hold every permission of the roles.
    pub async fn invite(&self, by: &Allowed, new: NewLink) -> Result<(Model, String)> {
        let mut tx = self.services.begin(by.tenant().uuid()).await?;
        require_feature(tx.conn(), tx.tenant(), Feature::ServiceAccount).await?;
        let email = checked_email(&new.email, "email")?;
        if let Some(url) = &new.return_url {
            self.services.tenants().require_return(tx.conn(), tx.tenant(), url).await?;
        }
        if let Some(integration) = new.integration {
            let found = entity::integration::one(tx.tenant(), integration.uuid()).one(tx.conn()).await?;
            found.ok_or_else(|| Error::not_found("integration"))?;
        }
        let user = self.invited(&mut tx, by, &email, &new.roles).await?;
        let token = self.services.ids.secret();
        let id = self.services.ids.make::<ids::ConnectLink>();
        let link = Model {
            id: id.uuid(),
            tenant_id: tx.tenant(),
            token_hash: self.services.secrets().digest(&token).await?,
            email,
            user_id: Some(user),
            integration_id: new.integration.map(Id::uuid),
            return_url: new.return_url,
            created_by: by.actor(),
            created_at: tx.now(),
            expires_at: tx.now() + self.services.settings.link_lifetime,
        };
        Entity::insert(ActiveModel::from(link.clone())).exec_without_returning(tx.conn()).await?;
        let facts = AuditFacts::created(json!({
            "user": Id::<ids::User>::from_uuid(user), "email": link.email, "expiresAt": link.expires_at,
            "integration": new.integration, "returnUrl": link.return_url,
        }));
        tx.audit(&by.actor(), "link.create", id.to_string(), facts);
        tx.commit().await?;
        Ok((link, self.services.settings.link(&format!("/connect/{token}"))))
    }

    /// The link with this token, if it has not expired.
    pub async fn open(&self, token: &str) -> Result<OpenLink> {
        let unknown =
            || Error::refuse("LINK_UNKNOWN", "This link is not known. Check that the address is complete.");
        let digest = self.services.secrets().digest(token).await?;
        let store = &self.services.store;
        let tenant =
            tenant_lookup::tenant_of(store, Kind::ConnectLink, &digest).await?.ok_or_else(unknown)?;
        let txn = store.read(tenant).await?;
        let found = connect_link::of(tenant).filter(Column::TokenHash.eq(digest)).one(&txn).await?;
        // Whoever waits for a second connection while holding one can bring a full pool to a halt.
        drop(txn);
        let link = found.ok_or_else(unknown)?;
        if link.expires_at <= self.services.now() {
            let message = "This link has expired. Ask the person who sent it for a new one.";
            return Err(Error::refuse("LINK_EXPIRED", message));
        }
        let tenant = self.services.tenants().find(Id::from_uuid(link.tenant_id)).await?;
        Ok(OpenLink { link, tenant: tenant.ok_or_else(unknown)? })
    }

    /// The user with this email, created if there is none, with the roles of the invitation.
    async fn invited(&self, tx: &mut Tx, by: &Allowed, email: &str, roles: &[Id<ids::Role>]) -> Result<Uuid> {
        let present =
            tenant_user::of(tx.tenant()).filter(tenant_user::Column::Email.eq(email)).one(tx.conn()).await?;
        let user = match present {
            Some(user) => user.id,
            None => self.newcomer(tx, email).await?,
        };
        let default = [Id::from_uuid(roles::standard(tx, StandardRole::CalendarConnector).await?.id)];
        let roles = if roles.is_empty() { &default } else { roles };
        roles::give(tx, by, &[user], roles).await?;
        Ok(user)
    }

    async fn newcomer(&self, tx: &mut Tx, email: &str) -> Result<Uuid> {
        let user = tenant_user::Model {
            id: self.services.ids.uuid(),
            tenant_id: tx.tenant(),
            email: email.to_owned(),
            name: email.to_owned(),
            calendar_address: None,
            time_zone: None,
            version: 1,
            created_at: tx.now(),
        };
        let row = tenant_user::ActiveModel::from(user.clone());
        tenant_user::Entity::insert(row).exec_without_returning(tx.conn()).await?;
        Ok(user.id)
    }
}
