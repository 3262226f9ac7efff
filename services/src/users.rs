//! Use cases for the users of a tenant.
//!
//! Users with a calendar address are connected automatically: creating a user, or setting a calendar address, enqueues
//! the activation in the same transaction if the tenant has a usable integration.

mod check;
mod connect;

use domain::{Id, Permission, access::Denied, ids, may};
use entity::tenant_user::{ActiveModel, Column, Entity, Model};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, prelude::Json, sea_query::Expr};
use serde_json::json;

use crate::{
    Error, Page, PageArgs, Refusal, Result, Tx,
    audit::AuditFacts,
    calendars, issuers, messages, page,
    proof::{Allowed, Member, Own, TenantScope},
    roles,
};

pub(crate) use check::parse_email;
pub(crate) use connect::connect_to_usable_integration;

/// Maximum number of users created by one request.
pub const MAX_USERS_PER_REQUEST: usize = 500;

crate::noun! {
    /// Users of a tenant.
    Users
}

/// Selects users. A user must match every criterion that is specified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Only the user with this email address.
    pub email: Option<String>,
    /// Only users with, or without, a calendar address.
    pub has_calendar_address: Option<bool>,
}

/// Fields of a new user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewUser {
    /// Email address; unique within the tenant, ignoring case.
    pub email: String,
    /// Display name.
    pub name: String,
    /// Email address of the user's mailbox.
    pub calendar_address: Option<String>,
    /// Time zone as an IANA name.
    pub time_zone: Option<String>,
    /// Roles to assign. Needs `ROLE_EDIT` if not empty.
    pub roles: Vec<Id<ids::Role>>,
}

/// Fields of a user to change; omitted fields keep their value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserChange {
    /// New email address.
    pub email: Option<String>,
    /// New display name.
    pub name: Option<String>,
    /// New address of the user's mailbox; `Some(None)` removes it.
    pub calendar_address: Option<Option<String>>,
    /// New email address of the user's mailbox; `Some(None)` removes it.
    pub time_zone: Option<Option<String>>,
    /// Whether the caller confirms the email address, which somebody with fewer permissions may have entered.
    pub confirm_email: bool,
}

impl Users {
    /// Creates a user, and connects the user's calendar if the tenant has a usable integration.
    pub async fn create(&self, by: &Allowed<may::UserCreate>, new: NewUser) -> Result<Model> {
        let made = self.make(by, vec![new]).await.map_err(|(_, error)| error)?;
        made.into_iter().next().ok_or_else(|| Error::not_found("user"))
    }

    /// Creates up to 500 users, either all of them or none. A refusal names the index of the user that caused it.
    pub async fn create_many(&self, by: &Allowed<may::UserCreate>, new: Vec<NewUser>) -> Result<Vec<Model>> {
        if new.len() > MAX_USERS_PER_REQUEST {
            let message = format!("Create at most {MAX_USERS_PER_REQUEST} users at once.");
            let refusal = Refusal::new("TOO_MANY", message).at("users");
            return Err(refusal.exceeding(MAX_USERS_PER_REQUEST, new.len()).into());
        }
        self.make(by, new).await.map_err(|(index, error)| match (index, error) {
            (Some(index), Error::Refused(refusal)) => {
                Refusal { message: messages::user_of_list(index, refusal.message), ..refusal }.into()
            }
            (_, error) => error,
        })
    }

    /// Changes a user, unless the user has changed since `if_version`.
    pub async fn update(
        &self,
        by: &Allowed<may::UserEdit>,
        id: Id<ids::User>,
        change: UserChange,
        if_version: Option<i64>,
    ) -> Result<Model> {
        let (mut tx, by) = self.services.begin_access_change(by).await?;
        let before = self.present(&tx, id).await?;
        let confirms = change.confirm_email;
        let mut after = check::apply_change(&before, change)?;
        if confirms || before.email != after.email {
            // Whoever may set an address may take the account over that signs in with it.
            self.may_take(&tx, &by, &before).await?;
            after.email_set_with = roles::permission_names(by.permissions());
        }
        if before.email != after.email {
            issuers::identity::bind_links_to_editor(&tx, &by, id).await?;
        }
        let statement = entity::tenant_user::update(tx.tenant())
            .filter(Column::Id.eq(id))
            .filter(Column::Version.eq(if_version.unwrap_or(before.version)))
            .col_expr(Column::Email, Expr::value(after.email.clone()))
            .col_expr(Column::EmailSetWith, Expr::value(after.email_set_with.clone()))
            .col_expr(Column::Name, Expr::value(after.name.clone()))
            .col_expr(Column::CalendarAddress, Expr::value(after.calendar_address.clone()))
            .col_expr(Column::TimeZone, Expr::value(after.time_zone.clone()))
            .col_expr(Column::Version, Expr::value(before.version + 1));
        if statement.exec(tx.conn()).await.map_err(check::refuse_duplicate)?.rows_affected == 0 {
            let message = "This user was changed in the meantime. Reload it, then repeat your change.";
            return Err(Refusal::new("VERSION_CONFLICT", message).at("ifVersion").into());
        }
        if before.calendar_address != after.calendar_address {
            connect::disconnect_mailboxes(&mut tx, &before).await?;
            connect_to_usable_integration(&self.services.ids, &mut tx, &after).await?;
        }
        if before.time_zone != after.time_zone {
            calendars::invalidate_copies(tx.conn(), tx.tenant(), Some(after.id)).await?;
        }
        let facts = AuditFacts::for_change(audit_json(&before), audit_json(&after));
        let facts = if confirms { facts.with_details(json!({ "email": "confirmed" })) } else { facts };
        tx.audit(&by.actor(), "user.update", id.to_string(), facts);
        tx.commit().await?;
        Ok(after)
    }

    /// Removes a user with the user's own consents and tokens. Refused for a user who takes part in bookings, which
    /// keep their participants; for a user with more permissions than the caller; and for the last administrator.
    pub async fn delete(&self, by: &Allowed<may::UserDelete>, id: Id<ids::User>) -> Result<()> {
        let (mut tx, by) = self.services.begin_access_change(by).await?;
        let user = self.present(&tx, id).await?;
        if check::has_bookings(&tx, &user).await? {
            let message = "This user cannot be removed because bookings refer to the user.";
            return Err(Error::refuse("USER_HAS_BOOKINGS", message));
        }
        self.may_take(&tx, &by, &user).await?;
        let held = roles::roles_of_user(&tx, user.id).await?;
        connect::delete_user_data(&mut tx, &user).await?;
        entity::tenant_user::delete(tx.tenant()).filter(Column::Id.eq(user.id)).exec(tx.conn()).await?;
        if held.iter().any(roles::is_administrator) {
            roles::require_administrator(&tx).await?;
        }
        tx.notify_access_changed();
        let held: Vec<_> = held.iter().map(|role| role.id).collect();
        let facts = AuditFacts::for_deletion(audit_json(&user)).with_details(json!({ "roles": held }));
        tx.audit(&by.actor(), "user.delete", id.to_string(), facts);
        tx.commit().await
    }

    /// The user with this id.
    pub async fn get(&self, by: &Allowed<may::UserView>, id: Id<ids::User>) -> Result<Model> {
        self.of(by, id).await
    }

    /// One page of the tenant's users.
    pub async fn list(
        &self,
        by: &Allowed<may::UserView>,
        filter: UserFilter,
        args: PageArgs,
    ) -> Result<Page<Model>> {
        let tenant = by.tenant();
        let mut users = entity::tenant_user::of(tenant);
        if let Some(email) = filter.email {
            users = users.filter(Column::Email.eq(email.trim().to_lowercase()));
        }
        match filter.has_calendar_address {
            Some(true) => users = users.filter(Column::CalendarAddress.is_not_null()),
            Some(false) => users = users.filter(Column::CalendarAddress.is_null()),
            None => {}
        }
        let txn = self.services.read(tenant).await?;
        page::read_page(users, Column::Id, args, &txn).await
    }

    /// The tenant's users with these ids, for a data loader.
    pub async fn by_ids(&self, scope: TenantScope, users: &[Id<ids::User>]) -> Result<Vec<Model>> {
        let txn = self.services.read(scope.tenant()).await?;
        let ids = users.iter().copied();
        Ok(entity::tenant_user::by_ids(scope.tenant(), ids).all(&txn).await?)
    }

    /// The user as whom the caller is authenticated.
    pub async fn me(&self, by: &Own) -> Result<Model> {
        self.of(by, by.user()).await
    }

    async fn of(&self, by: &Member, id: Id<ids::User>) -> Result<Model> {
        let tenant = by.tenant();
        let txn = self.services.read(tenant).await?;
        let user = entity::tenant_user::by_id(tenant, id).one(&txn).await?;
        user.ok_or_else(|| Error::not_found("user"))
    }

    async fn make(
        &self,
        by: &Allowed<may::UserCreate>,
        new: Vec<NewUser>,
    ) -> std::result::Result<Vec<Model>, (Option<usize>, Error)> {
        let whole = |error: Error| (None, error);
        let (mut tx, by) = self.services.begin_access_change(by).await.map_err(whole)?;
        if new.iter().any(|new| !new.roles.is_empty()) && !by.has_permission(Permission::RoleEdit) {
            return Err((None, Denied::Forbidden(Permission::RoleEdit).into()));
        }
        let mut made = Vec::with_capacity(new.len());
        let made_with = roles::permission_names(by.permissions());
        for (index, new) in new.iter().enumerate() {
            let user = check::new_row(self.services.ids.make(), &tx, new, &made_with)
                .map_err(|error| (Some(index), error))?;
            made.push(user);
        }
        check::require_unique(&tx, &made).await?;
        self.insert(&mut tx, &by, &made, &new).await.map_err(whole)?;
        tx.commit().await.map_err(whole)?;
        Ok(made)
    }

    async fn insert(&self, tx: &mut Tx, by: &Member, made: &[Model], new: &[NewUser]) -> Result<()> {
        for users in made.chunks(100) {
            let rows = users.iter().map(|user| ActiveModel::from(user.clone()));
            Entity::insert_many(rows)
                .exec_without_returning(tx.conn())
                .await
                .map_err(check::refuse_duplicate)?;
        }
        for (user, new) in made.iter().zip(new) {
            if !new.roles.is_empty() {
                roles::grant_roles(tx, by, &[user.id], &new.roles).await?;
            }
            connect_to_usable_integration(&self.services.ids, tx, user).await?;
            let subject = user.id.to_string();
            let facts =
                AuditFacts::for_creation(audit_json(user)).with_details(json!({ "roles": new.roles }));
            tx.audit(&by.actor(), "user.create", subject, facts);
        }
        Ok(())
    }

    /// Returns an error if a user whose email address or identity is to be changed has more permissions than the
    /// caller.
    async fn may_take(&self, tx: &Tx, by: &Member, user: &Model) -> Result<()> {
        let held = roles::permissions_in_tx(tx.conn(), by.tenant(), user.id).await?;
        roles::require_revocable_by(by, &held.unwrap_or_default())
    }

    async fn present(&self, tx: &Tx, id: Id<ids::User>) -> Result<Model> {
        let user = entity::tenant_user::by_id(tx.tenant(), id).one(tx.conn()).await?;
        user.ok_or_else(|| Error::not_found("user"))
    }
}

/// The audit representation of a user.
pub(crate) fn audit_json(user: &Model) -> Json {
    json!({
        "email": user.email, "name": user.name, "calendarAddress": user.calendar_address, "timeZone": user.time_zone,
    })
}
