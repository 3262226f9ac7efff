//! Connect links: invitations for IT administrators, who need no account in the vendor's product, and links that users
//! who may connect calendars create for themselves.
//!
//! A connect link opens the connect page and nothing else. Its token has 256 random bits, of which only a digest is
//! stored, so the link can be shown only once, to its creator.

mod own;

use domain::{
    Id, Permission, StandardRole, Timestamp,
    access::{Denied, Rule},
    ids, may,
    state::Feature,
};
use entity::{
    connect_link::{self, ActiveModel, Column, Entity, Model},
    connect_session,
    store::ReadTransaction,
    tenant_lookup::{self, Kind},
    tenant_user,
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, sea_query::Expr};
use serde_json::json;

use crate::{
    Error, Refusal, Result, Tx,
    audit::AuditFacts,
    authority::permissions_of_actor,
    integrations,
    page::{self, Page, PageArgs},
    proof::{Allowed, Anyone, Member},
    roles,
    tenants::require_feature,
    users::{self, parse_email},
};

pub(crate) use self::own::{end_own_links, may_set_service_mailbox};

crate::noun! {
    /// Invitations for IT administrators.
    Links
}

/// Details of a new invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInvitation {
    /// Email address of the invited person.
    pub email: String,
    /// The URL to which the browser returns at the end; must be one of the tenant's return URLs or lie below one.
    pub return_url: Option<String>,
    /// An existing integration to connect.
    pub integration: Option<Id<ids::Integration>>,
    /// Roles for the invited person; Calendar Connector if empty.
    pub roles: Vec<Id<ids::Role>>,
}

/// A link to be stored.
struct NewLink {
    email: String,
    user: Id<ids::User>,
    integration: Option<Id<ids::Integration>>,
    return_url: Option<String>,
}

/// A valid connect link that somebody has opened.
///
/// Only [`Links`] creates this value, so it proves that the caller has a valid link, or a session that one opened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OpenedLink {
    /// The link's own row.
    pub link: Model,
    /// The tenant whose calendar system is to be connected.
    pub tenant: entity::tenant::Model,
}

impl Links {
    /// Invites an IT administrator. Also returns the link to be sent, which is not shown again.
    ///
    /// The invited person becomes a user with the roles, or an existing user with this email address receives them. The
    /// caller must have every permission of the roles, and `ROLE_EDIT` for any role but the default one.
    pub async fn invite(&self, by: &Allowed<may::UserCreate>, new: NewInvitation) -> Result<(Model, String)> {
        let (mut tx, by) = self.services.begin_access_change(by).await?;
        require_feature(tx.conn(), tx.tenant(), Feature::ServiceAccount).await?;
        let email = parse_email(&new.email, "email")?;
        require_integration(&tx, new.integration).await?;
        let user = self.invited(&mut tx, &by, &email, &new.roles).await?;
        let NewInvitation { integration, return_url, .. } = new;
        let created = self.insert(&mut tx, &by, NewLink { email, user, integration, return_url }).await?;
        tx.commit().await?;
        Ok(created)
    }

    /// Stores a link. Returns its URL too.
    async fn insert(&self, tx: &mut Tx, by: &Member, new: NewLink) -> Result<(Model, String)> {
        if let Some(url) = &new.return_url {
            self.services.tenants().require_return_url(tx.conn(), tx.tenant(), url).await?;
        }
        let token = self.services.ids.random_secret();
        let id = self.services.ids.make::<ids::ConnectLink>();
        let link = Model {
            id,
            tenant_id: tx.tenant(),
            token_hash: self.services.secrets().digest(&token).await?,
            email: new.email,
            user_id: Some(new.user),
            integration_id: new.integration,
            return_url: new.return_url,
            created_by: by.actor(),
            created_at: tx.now(),
            expires_at: tx.now() + self.services.settings.link_lifetime,
        };
        Entity::insert(ActiveModel::from(link.clone())).exec_without_returning(tx.conn()).await?;
        let facts = AuditFacts::for_creation(json!({
            "user": link.user_id, "email": link.email, "expiresAt": link.expires_at,
            "integration": new.integration, "returnUrl": link.return_url,
        }));
        tx.audit(&by.actor(), "link.create", id.to_string(), facts);
        Ok((link, self.services.settings.absolute_url(&format!("/connect/{token}"))))
    }

    /// Ends an invitation and the connect sessions that it opened. The invited user is kept, with all roles.
    pub async fn revoke(&self, by: &Allowed<may::UserCreate>, id: Id<ids::ConnectLink>) -> Result<()> {
        let (mut tx, by) = self.services.begin_access_change(by).await?;
        let link = connect_link::by_id(tx.tenant(), id).lock_exclusive().one(tx.conn()).await?;
        let link = link.ok_or_else(|| Error::not_found("invitation"))?;
        let ended = connect_session::delete(tx.tenant())
            .filter(connect_session::Column::LinkId.eq(link.id))
            .exec(tx.conn())
            .await?;
        connect_link::update(tx.tenant())
            .filter(Column::Id.eq(link.id))
            .col_expr(Column::ExpiresAt, Expr::value(link.expires_at.min(tx.now())))
            .exec(tx.conn())
            .await?;
        let facts = AuditFacts::for_deletion(json!({
            "user": link.user_id, "email": link.email, "expiresAt": link.expires_at,
            "sessions": ended.rows_affected,
        }));
        tx.audit(&by.actor(), "link.revoke", id.to_string(), facts);
        tx.commit().await
    }

    /// One page of the tenant's invitations; those that have ended are included only on request.
    pub async fn list(
        &self,
        by: &Allowed<may::UserCreate>,
        include_ended: bool,
        args: PageArgs,
    ) -> Result<Page<Model>> {
        let txn = self.services.read(by.tenant()).await?;
        let mut links = connect_link::of(by.tenant());
        if !include_ended {
            links = links.filter(Column::ExpiresAt.gt(self.services.now()));
        }
        page::read_page(links, Column::Id, args, &txn).await
    }

    /// The link with this token, if it is still valid.
    pub async fn open(&self, _by: Anyone, token: &str) -> Result<OpenedLink> {
        let digest = self.services.secrets().digest(token).await?;
        let store = &self.services.store;
        let tenant =
            tenant_lookup::tenant_of(store, Kind::ConnectLink, &digest).await?.ok_or_else(link_unknown)?;
        let txn = store.read(tenant).await?;
        let found = connect_link::of(tenant).filter(Column::TokenHash.eq(digest)).one(&txn).await?;
        self.opened(txn, found).await
    }

    /// The link that opened a connect session, if it is still valid: its pages may be opened again from the session.
    pub(crate) async fn opened_by_session(
        &self,
        tenant: Id<ids::Tenant>,
        id: Id<ids::ConnectLink>,
    ) -> Result<OpenedLink> {
        let txn = self.services.read(tenant).await?;
        let found = connect_link::by_id(tenant, id).one(&txn).await?;
        self.opened(txn, found).await
    }

    async fn opened(&self, txn: ReadTransaction, link: Option<Model>) -> Result<OpenedLink> {
        let link = link.ok_or_else(link_unknown)?;
        require_valid(&txn, &link, self.services.now()).await?;
        // Whoever waits for a second connection while holding one can bring a full pool to a halt.
        drop(txn);
        let tenant = self.services.tenants().find(link.tenant_id).await?;
        Ok(OpenedLink { link, tenant: tenant.ok_or_else(link_unknown)? })
    }

    /// The user with this email address, created if there is none, with the roles of the invitation.
    async fn invited(
        &self,
        tx: &mut Tx,
        by: &Member,
        email: &str,
        roles: &[Id<ids::Role>],
    ) -> Result<Id<ids::User>> {
        let present =
            tenant_user::of(tx.tenant()).filter(tenant_user::Column::Email.eq(email)).one(tx.conn()).await?;
        let default = [roles::find_standard_role(tx, StandardRole::CalendarConnector).await?.id];
        let roles = if roles.is_empty() { &default } else { roles };
        if roles != default && !by.has_permission(Permission::RoleEdit) {
            return Err(Denied::Forbidden(Permission::RoleEdit).into());
        }
        let actor = by.actor();
        let user = match present {
            Some(user) => {
                let facts = AuditFacts::for_creation(json!({ "roles": roles }));
                tx.audit(&actor, "role.assign", user.id.to_string(), facts);
                user.id
            }
            None => self.newcomer(tx, by, email, roles).await?,
        };
        roles::grant_roles(tx, by, &[user], roles).await?;
        if !may_connect(tx.conn(), tx.tenant(), user).await? {
            let message = "With these roles the invited person may not connect a calendar system. Add the role \
                Calendar Connector.";
            return Err(Refusal::new("ROLES_MISSING", message).at("roleIds").into());
        }
        Ok(user)
    }

    async fn newcomer(
        &self,
        tx: &mut Tx,
        by: &Member,
        email: &str,
        given: &[Id<ids::Role>],
    ) -> Result<Id<ids::User>> {
        let user = tenant_user::Model {
            id: self.services.ids.make(),
            tenant_id: tx.tenant(),
            email: email.to_owned(),
            email_set_with: roles::permission_names(by.permissions()),
            name: email.to_owned(),
            calendar_address: None,
            time_zone: None,
            tokens_since: None,
            version: 1,
            created_at: tx.now(),
        };
        let row = tenant_user::ActiveModel::from(user.clone());
        tenant_user::Entity::insert(row).exec_without_returning(tx.conn()).await?;
        let facts =
            AuditFacts::for_creation(users::audit_json(&user)).with_details(json!({ "roles": given }));
        tx.audit(&by.actor(), "user.create", user.id.to_string(), facts);
        Ok(user.id)
    }
}

fn link_unknown() -> Error {
    Error::refuse("LINK_UNKNOWN", "This link is not valid. Check that it is complete.")
}

/// Refuses an integration that the tenant does not have.
async fn require_integration(tx: &Tx, integration: Option<Id<ids::Integration>>) -> Result<()> {
    if let Some(id) = integration {
        integrations::require_organisation_wide(&integrations::find(tx, id).await?)?;
    }
    Ok(())
}

/// Refuses an invitation that has expired, or that [`require_entitled`] refuses.
pub(crate) async fn require_valid(conn: &impl ConnectionTrait, link: &Model, now: Timestamp) -> Result<()> {
    if link.expires_at <= now {
        let message = "This link has expired. Ask the person who sent it for a new one.";
        return Err(Error::refuse("LINK_EXPIRED", message));
    }
    require_entitled(conn, link, now).await
}

/// Refuses an invitation whose sender may no longer invite, or whose user may no longer connect calendars, and an
/// invitation to a tenant whose plan or features no longer include it.
pub(crate) async fn require_entitled(
    conn: &impl ConnectionTrait,
    link: &Model,
    now: Timestamp,
) -> Result<()> {
    require_feature(conn, link.tenant_id, Feature::ServiceAccount).await?;
    let sender = permissions_of_actor(conn, link.tenant_id, &link.created_by, now).await?;
    let may_send = is_own(link) || may::UserCreate::is_met(&sender);
    let invited = match link.user_id {
        Some(user) => may_connect(conn, link.tenant_id, user).await?,
        None => false,
    };
    if invited && may_send {
        return Ok(());
    }
    let message =
        "This invitation is no longer valid. Ask an administrator of your organisation for a new one.";
    Err(Error::refuse("LINK_WITHDRAWN", message))
}

/// Whether a user created the link for themselves.
fn is_own(link: &Model) -> bool {
    link.user_id.is_some_and(|user| user.to_string() == link.created_by)
}

async fn may_connect(
    conn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    user: Id<ids::User>,
) -> Result<bool> {
    let held = roles::permissions_in_tx(conn, tenant, user).await?;
    Ok(held.is_some_and(|held| may::ConnectCalendars::is_met(&held)))
}
