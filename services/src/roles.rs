//! Roles: named sets of permissions, and their assignment to users.
//!
//! Callers can grant and revoke only permissions that they have: a caller who lacks a permission can neither create,
//! change, assign nor unassign a role that grants it ([`require_grantable_by`], [`require_revocable_by`]). A tenant
//! that has an administrator always keeps at least one. No role grants staff permissions.

mod permissions;

use std::collections::{BTreeSet, HashMap};

use domain::{Id, Ids, Permission, StandardRole, Timestamp, ids, may};
use entity::{
    role::{ActiveModel, Column, Entity, Model},
    user_role,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    prelude::Json,
    sea_query::{Expr, OnConflict},
};
use serde_json::json;

pub use self::permissions::role_permissions;
pub(crate) use self::permissions::{
    parse_permissions, permission_names, permissions_in_tx, require_every, require_grantable,
    require_grantable_by, require_revocable, require_revocable_by,
};
use crate::{
    Error, Refusal, Result, System, Tx,
    access::revoke_exceeding_requester,
    audit::AuditFacts,
    error::is_duplicate,
    issuers::identity::unlink_exceeding_creator,
    proof::{Allowed, Member, TenantScope},
    tenants::validate_name,
};

/// Maximum number of roles of a tenant, including the standard roles.
const MAX: u64 = 200;
/// Maximum number of roles that a user has.
const MAX_HELD: u64 = 50;

crate::noun! {
    /// Roles and permissions.
    Roles
}

/// Fields of a new custom role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRole {
    /// Display name; unique within the tenant.
    pub name: String,
    /// Permissions that the role grants.
    pub permissions: BTreeSet<Permission>,
}

/// Fields of a custom role to change; omitted fields keep their value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoleChange {
    /// New display name.
    pub name: Option<String>,
    /// Complete new set of permissions.
    pub permissions: Option<BTreeSet<Permission>>,
}

impl Roles {
    /// All roles of the tenant, standard roles first.
    pub async fn list(&self, by: &Allowed<may::RoleEdit>) -> Result<Vec<Model>> {
        let tenant = by.tenant();
        let txn = self.services.read(tenant).await?;
        let roles = entity::role::of(tenant);
        Ok(roles.order_by_desc(Column::Standard).order_by_asc(Column::Id).all(&txn).await?)
    }

    /// Creates a custom role.
    pub async fn create(&self, by: &Allowed<may::RoleEdit>, new: NewRole) -> Result<Model> {
        let name = validate_name(&new.name)?;
        let (mut tx, by) = self.services.begin_access_change(by).await?;
        require_grantable_by(&by, &new.permissions)?;
        let count = entity::role::of(tx.tenant()).count(tx.conn()).await?;
        if count >= MAX {
            let refusal = Refusal::new("TOO_MANY", format!("A tenant has at most {MAX} roles."));
            return Err(refusal.exceeding(MAX, count + 1).into());
        }
        let id = self.services.ids.make::<ids::Role>();
        let role = row(id, &tx, name, false, &new.permissions);
        let inserted =
            Entity::insert(ActiveModel::from(role.clone())).exec_without_returning(tx.conn()).await;
        inserted.map_err(name_taken)?;
        tx.audit(&by.actor(), "role.create", id.to_string(), AuditFacts::for_creation(audit_json(&role)));
        tx.commit().await?;
        Ok(role)
    }

    /// Changes a custom role and thereby the permissions of all users who have it.
    pub async fn update(
        &self,
        by: &Allowed<may::RoleEdit>,
        id: Id<ids::Role>,
        change: RoleChange,
    ) -> Result<Model> {
        let (mut tx, by) = self.services.begin_access_change(by).await?;
        let role = custom(&tx, id).await?;
        let mut statement = entity::role::update(tx.tenant()).filter(Column::Id.eq(role.id));
        if let Some(permissions) = &change.permissions {
            let had = role_permissions(&role);
            require_grantable_by(&by, &permissions.difference(&had).copied().collect())?;
            require_revocable_by(&by, &had.difference(permissions).copied().collect())?;
            tx.notify_access_changed();
            statement = statement.col_expr(Column::Permissions, Expr::value(permission_names(permissions)));
        }
        let name = change.name.as_deref().map_or(Ok(role.name.clone()), validate_name)?;
        statement = statement.col_expr(Column::Name, Expr::value(name));
        statement.exec(tx.conn()).await.map_err(name_taken)?;
        let before = role;
        let role = custom(&tx, id).await?;
        if change.permissions.is_some() {
            let holders = holders(&tx, role.id).await?;
            end_outgrown(&mut tx, &by, &holders).await?;
        }
        tx.audit(
            &by.actor(),
            "role.update",
            id.to_string(),
            AuditFacts::for_change(audit_json(&before), audit_json(&role)),
        );
        tx.commit().await?;
        Ok(role)
    }

    /// Removes a custom role; the users who had it lose the permissions it granted.
    pub async fn delete(&self, by: &Allowed<may::RoleEdit>, id: Id<ids::Role>) -> Result<()> {
        let (mut tx, by) = self.services.begin_access_change(by).await?;
        let role = custom(&tx, id).await?;
        require_revocable_by(&by, &role_permissions(&role))?;
        tx.notify_access_changed();
        let facts = AuditFacts::for_deletion(audit_json(&role));
        let facts = facts.with_details(json!({ "holders": holders(&tx, role.id).await? }));
        entity::role::delete(tx.tenant()).filter(Column::Id.eq(role.id)).exec(tx.conn()).await?;
        tx.audit(&by.actor(), "role.delete", id.to_string(), facts);
        tx.commit().await
    }

    /// Assigns all of these roles to a user, or none of them if any is refused.
    pub async fn assign(
        &self,
        by: &Allowed<may::RoleEdit>,
        user: Id<ids::User>,
        roles: &[Id<ids::Role>],
    ) -> Result<()> {
        some(roles)?;
        let (mut tx, by) = self.services.begin_access_change(by).await?;
        let user_row = entity::tenant_user::by_id(tx.tenant(), user).one(tx.conn()).await?;
        user_row.ok_or_else(|| Error::not_found("user"))?;
        grant_roles(&mut tx, &by, &[user], roles).await?;
        tx.audit(
            &by.actor(),
            "role.assign",
            user.to_string(),
            AuditFacts::for_creation(json!({ "roles": roles })),
        );
        tx.commit().await
    }

    /// Removes all of these roles from a user, or none of them if any is refused.
    pub async fn unassign(
        &self,
        by: &Allowed<may::RoleEdit>,
        user: Id<ids::User>,
        roles: &[Id<ids::Role>],
    ) -> Result<()> {
        use user_role::{Column, delete};
        some(roles)?;
        let (mut tx, by) = self.services.begin_access_change(by).await?;
        let taken = require_roles(&tx, roles).await?;
        require_revocable_by(&by, &taken.iter().flat_map(role_permissions).collect())?;
        let done = delete(tx.tenant())
            .filter(Column::UserId.eq(user))
            .filter(Column::RoleId.is_in(taken.iter().map(|role| role.id)))
            .exec(tx.conn())
            .await?;
        if done.rows_affected != taken.len() as u64 {
            return Err(Error::not_found("user with this role"));
        }
        if taken.iter().any(is_administrator) {
            require_administrator(&tx).await?;
        }
        tx.notify_access_changed();
        tx.audit(
            &by.actor(),
            "role.unassign",
            user.to_string(),
            AuditFacts::for_deletion(json!({ "roles": roles })),
        );
        tx.commit().await
    }

    /// The roles of several users, for a data loader. Users without a role are left out.
    pub async fn of_users(
        &self,
        scope: TenantScope,
        users: &[Id<ids::User>],
    ) -> Result<HashMap<Id<ids::User>, Vec<Model>>> {
        let txn = self.services.read(scope.tenant()).await?;
        of_users(&txn, scope.tenant(), users.iter().copied()).await
    }

    /// The permissions of a user: the union of the user's roles. `None` if there is no such user.
    pub async fn permissions_of(
        &self,
        _by: &System,
        tenant: Id<ids::Tenant>,
        user: Id<ids::User>,
    ) -> Result<Option<BTreeSet<Permission>>> {
        permissions_in_tx(&self.services.read(tenant).await?, tenant, user).await
    }
}

/// Inserts the standard roles of a new tenant.
pub(crate) async fn insert_standard_roles(ids: &Ids, tx: &Tx) -> Result<()> {
    let rows = StandardRole::ALL.iter().map(|standard| {
        let id = ids.make::<ids::Role>();
        ActiveModel::from(row(id, tx, standard.to_string(), true, &standard.permissions()))
    });
    Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// The tenant's row of a standard role.
pub(crate) async fn find_standard_role(tx: &Tx, role: StandardRole) -> Result<Model> {
    let found = entity::role::of(tx.tenant())
        .filter(Column::Standard.eq(true))
        .filter(Column::Name.eq(role.as_str()))
        .one(tx.conn())
        .await?;
    found.ok_or_else(|| Error::not_found("role"))
}

/// Assigns roles to users, if the caller has every permission that the roles grant.
pub(crate) async fn grant_roles(
    tx: &mut Tx,
    by: &Member,
    users: &[Id<ids::User>],
    roles: &[Id<ids::Role>],
) -> Result<()> {
    let found = require_roles(tx, roles).await?;
    require_grantable_by(by, &found.iter().flat_map(role_permissions).collect())?;
    for role in &found {
        let holder = |user: &Id<ids::User>| user_role::ActiveModel {
            tenant_id: Set(tx.tenant()),
            user_id: Set(*user),
            role_id: Set(role.id),
        };
        user_role::Entity::insert_many(users.iter().map(holder))
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(tx.conn())
            .await?;
    }
    require_few(tx, users).await?;
    tx.notify_access_changed();
    end_outgrown(tx, by, users).await
}

/// Revokes tokens and links with which somebody with fewer permissions could act as one of these users, who were given
/// more permissions.
async fn end_outgrown(tx: &mut Tx, by: &Member, users: &[Id<ids::User>]) -> Result<()> {
    unlink_exceeding_creator(tx, by, users).await?;
    revoke_exceeding_requester(tx, by, users).await
}

/// Returns an error if a user would have too many roles.
async fn require_few(tx: &Tx, users: &[Id<ids::User>]) -> Result<()> {
    use user_role::{Column, of};
    let held = of(tx.tenant()).filter(Column::UserId.is_in(users.iter().copied())).all(tx.conn()).await?;
    let mut counts: HashMap<_, u64> = HashMap::new();
    for held in held {
        *counts.entry(held.user_id).or_default() += 1;
    }
    match counts.into_values().find(|count| *count > MAX_HELD) {
        None => Ok(()),
        Some(count) => {
            let refusal = Refusal::new("TOO_MANY", format!("A user holds at most {MAX_HELD} roles."));
            Err(refusal.at("roleIds").exceeding(MAX_HELD, count).into())
        }
    }
}

/// The tenant's roles with these ids; an unknown id is refused.
async fn require_roles(tx: &Tx, roles: &[Id<ids::Role>]) -> Result<Vec<Model>> {
    let wanted: BTreeSet<Id<ids::Role>> = roles.iter().copied().collect();
    let found = entity::role::by_ids(tx.tenant(), wanted.iter().copied()).all(tx.conn()).await?;
    if found.len() == wanted.len() { Ok(found) } else { Err(Error::not_found("role")) }
}

fn some(roles: &[Id<ids::Role>]) -> Result<()> {
    if roles.is_empty() {
        return Err(Refusal::new("ROLES_MISSING", "Give at least one role.").at("roleIds").into());
    }
    Ok(())
}

pub(crate) fn is_administrator(role: &Model) -> bool {
    role.standard && role.name == StandardRole::Administrator.as_str()
}

/// Returns an error if a change has left the tenant without an administrator; called after the change, within its
/// transaction, which has locked the tenant.
pub(crate) async fn require_administrator(tx: &Tx) -> Result<()> {
    let role = find_standard_role(tx, StandardRole::Administrator).await?;
    let holders = user_role::of(tx.tenant()).filter(user_role::Column::RoleId.eq(role.id));
    if holders.count(tx.conn()).await? > 0 {
        return Ok(());
    }
    let message = "This is the tenant's last administrator. Make another user an administrator first.";
    Err(Error::refuse("LAST_ADMINISTRATOR", message))
}

/// The roles assigned to a user, in no particular order.
pub(crate) async fn roles_of_user(tx: &Tx, user: Id<ids::User>) -> Result<Vec<Model>> {
    let held = of_users(tx.conn(), tx.tenant(), [user]).await?;
    Ok(held.into_values().flatten().collect())
}

/// The users who hold a role.
async fn holders(tx: &Tx, role: Id<ids::Role>) -> Result<Vec<Id<ids::User>>> {
    let held = user_role::of(tx.tenant()).filter(user_role::Column::RoleId.eq(role)).all(tx.conn()).await?;
    Ok(held.into_iter().map(|held| held.user_id).collect())
}

async fn of_users(
    conn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    users: impl IntoIterator<Item = Id<ids::User>>,
) -> Result<HashMap<Id<ids::User>, Vec<Model>>> {
    let held = user_role::of(tenant).filter(user_role::Column::UserId.is_in(users));
    let held = held.order_by_asc(user_role::Column::RoleId).all(conn).await?;
    let wanted: BTreeSet<Id<ids::Role>> = held.iter().map(|held| held.role_id).collect();
    let roles = entity::role::by_ids(tenant, wanted).all(conn).await?;
    let roles: HashMap<Id<ids::Role>, Model> = roles.into_iter().map(|role| (role.id, role)).collect();
    let mut of_users: HashMap<_, Vec<Model>> = HashMap::new();
    for held in held {
        if let Some(role) = roles.get(&held.role_id) {
            of_users.entry(held.user_id).or_default().push(role.clone());
        }
    }
    Ok(of_users)
}

async fn custom(tx: &Tx, id: Id<ids::Role>) -> Result<Model> {
    let role = entity::role::by_id(tx.tenant(), id).one(tx.conn()).await?;
    let role = role.ok_or_else(|| Error::not_found("role"))?;
    if role.standard {
        return Err(Error::refuse(
            "ROLE_STANDARD",
            "Standard roles cannot be changed. Create a custom role instead.",
        ));
    }
    Ok(role)
}

fn row(
    id: Id<ids::Role>,
    tx: &Tx,
    name: String,
    standard: bool,
    permissions: &BTreeSet<Permission>,
) -> Model {
    let created_at: Timestamp = tx.now();
    Model {
        id,
        tenant_id: tx.tenant(),
        name,
        standard,
        permissions: permission_names(permissions),
        created_at,
    }
}

/// The audit representation of a role.
fn audit_json(role: &Model) -> Json {
    json!({ "name": role.name, "permissions": role.permissions })
}

fn name_taken(error: sea_orm::DbErr) -> Error {
    if is_duplicate(&error) {
        return Refusal::new("NAME_TAKEN", "A role with this name already exists.").at("name").into();
    }
    error.into()
}
