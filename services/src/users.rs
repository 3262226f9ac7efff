//! People of a tenant.
//!
//! Whoever has a calendar address is connected without doing anything: making a user, or giving one an address,
//! orders the activation in the same transaction once the tenant has a live integration.

mod check;
mod connect;

use domain::{Allowed, CallerKind, Id, Permission, access::Denied, ids};
use entity::tenant_user::{ActiveModel, Column, Entity, Model};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, prelude::Json, sea_query::Expr};
use serde_json::json;

use crate::{Error, Page, PageArgs, Refusal, Result, Tx, audit::Facts, calendars, page, roles};

pub(crate) use check::email as checked_email;
pub(crate) use connect::connect_to_live_integrations;

/// How many users one request may make.
pub const MOST_AT_ONCE: usize = 500;

crate::noun! {
    /// People.
    Users
}

/// A user to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewUser {
    /// The email address; one of its kind within the tenant. Its case does not matter.
    pub email: String,
    /// The name, for people.
    pub name: String,
    /// The mailbox whose calendar is this user's.
    pub calendar_address: Option<String>,
    /// The time zone, as an IANA name.
    pub time_zone: Option<String>,
    /// The roles. Giving any needs `ROLE_EDIT`.
    pub roles: Vec<Id<ids::Role>>,
}

/// What of a user is to be changed; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserChange {
    /// The email address.
    pub email: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The mailbox; `Some(None)` takes it away.
    pub calendar_address: Option<Option<String>>,
    /// The time zone; `Some(None)` takes it away.
    pub time_zone: Option<Option<String>>,
}

impl Users {
    /// Makes a user, and connects the user's calendar if the tenant has a live integration.
    pub async fn create(&self, by: &Allowed, new: NewUser) -> Result<Model> {
        let made = self.make(by, vec![new]).await.map_err(|(_, error)| error)?;
        made.into_iter().next().ok_or_else(|| Error::not_found("user"))
    }

    /// Makes up to 500 users: all of them or none. A refusal names the index of the one that is to blame.
    pub async fn create_many(&self, by: &Allowed, new: Vec<NewUser>) -> Result<Vec<Model>> {
        if new.len() > MOST_AT_ONCE {
            let message = format!("Make at most {MOST_AT_ONCE} users at once.");
            let refusal = Refusal::new("TOO_MANY", message).at("users");
            return Err(refusal.exceeding(MOST_AT_ONCE, new.len()).into());
        }
        self.make(by, new).await.map_err(|(index, error)| match (index, error) {
            (Some(index), Error::Refused(refusal)) => {
                Refusal { message: format!("users[{index}]: {}", refusal.message), ..refusal }.into()
            }
            (_, error) => error,
        })
    }

    /// Changes a user, unless somebody changed the user since `if_version`.
    pub async fn update(
        &self,
        by: &Allowed,
        id: Id<ids::User>,
        change: UserChange,
        if_version: Option<i64>,
    ) -> Result<Model> {
        let mut tx = self.services.begin(by.tenant().uuid()).await?;
        let before = self.present(&tx, id).await?;
        let after = check::changed(&before, change)?;
        if before.email != after.email {
            // Whoever may set an address may take the account over that signs in with it.
            self.may_take(&tx, by, &before).await?;
        }
        let statement = entity::tenant_user::update(tx.tenant())
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::Version.eq(if_version.unwrap_or(before.version)))
            .col_expr(Column::Email, Expr::value(after.email.clone()))
            .col_expr(Column::Name, Expr::value(after.name.clone()))
            .col_expr(Column::CalendarAddress, Expr::value(after.calendar_address.clone()))
            .col_expr(Column::TimeZone, Expr::value(after.time_zone.clone()))
            .col_expr(Column::Version, Expr::value(before.version + 1));
        if statement.exec(tx.conn()).await.map_err(check::taken)?.rows_affected == 0 {
            let message = "Somebody changed this user in the meantime. Read it again.";
            return Err(Refusal::new("VERSION_CONFLICT", message).at("ifVersion").into());
        }
        if before.calendar_address != after.calendar_address {
            connect::disconnect(&mut tx, &before).await?;
            connect_to_live_integrations(&self.services.ids, &mut tx, &after).await?;
        }
        if before.time_zone != after.time_zone {
            calendars::read_anew(tx.conn(), tx.tenant(), Some(after.id)).await?;
        }
        tx.audit(&by.actor(), "user.update", id.to_string(), Facts::changed(told(&before), told(&after)));
        tx.commit().await?;
        Ok(after)
    }

    /// Removes a user with the user's own consents and tokens. Appointments keep their people, so a user who has any
    /// stays; so does a user who may do more than the caller, and the last administrator.
    pub async fn delete(&self, by: &Allowed, id: Id<ids::User>) -> Result<()> {
        let mut tx = self.services.begin(by.tenant().uuid()).await?;
        let user = self.present(&tx, id).await?;
        if check::has_bookings(&tx, &user).await? {
            let message = "This user takes part in bookings, which are kept for the record.";
            return Err(Error::refuse("USER_HAS_BOOKINGS", message));
        }
        self.may_take(&tx, by, &user).await?;
        let administers = roles::holds_administrator(&tx, user.id).await?;
        connect::forget(&mut tx, &user).await?;
        entity::tenant_user::delete(tx.tenant()).filter(Column::Id.eq(user.id)).exec(tx.conn()).await?;
        if administers {
            roles::require_administrator(&tx).await?;
        }
        tx.access_changed();
        tx.audit(&by.actor(), "user.delete", id.to_string(), Facts::gone(told(&user)));
        tx.commit().await
    }

    /// One user.
    pub async fn get(&self, by: &Allowed, id: Id<ids::User>) -> Result<Model> {
        let tenant = by.tenant().uuid();
        let txn = self.services.store.read(tenant).await?;
        let user = entity::tenant_user::one(tenant, id.uuid()).one(&txn).await?;
        user.ok_or_else(|| Error::not_found("user"))
    }

    /// The users of the tenant.
    pub async fn list(&self, by: &Allowed, args: PageArgs) -> Result<Page<Model>> {
        let tenant = by.tenant().uuid();
        let txn = self.services.store.read(tenant).await?;
        page::read(entity::tenant_user::of(tenant), Column::Id, args, &txn).await
    }

    /// Those users of the tenant that have one of these ids, for a loader.
    pub async fn among(&self, tenant: Id<ids::Tenant>, users: &[Id<ids::User>]) -> Result<Vec<Model>> {
        let txn = self.services.store.read(tenant.uuid()).await?;
        let ids = users.iter().map(|user| user.uuid());
        Ok(entity::tenant_user::among(tenant.uuid(), ids).all(&txn).await?)
    }

    /// The caller, who must be a user.
    pub async fn me(&self, by: &Allowed) -> Result<Model> {
        match by.by() {
            CallerKind::User(user) => self.get(by, user).await,
            _ => Err(Denied::Forbidden(Permission::UserView).into()),
        }
    }

    async fn make(
        &self,
        by: &Allowed,
        new: Vec<NewUser>,
    ) -> std::result::Result<Vec<Model>, (Option<usize>, Error)> {
        let whole = |error: Error| (None, error);
        if new.iter().any(|new| !new.roles.is_empty()) && !by.also(Permission::RoleEdit) {
            return Err((None, Denied::Forbidden(Permission::RoleEdit).into()));
        }
        let mut tx = self.services.begin(by.tenant().uuid()).await.map_err(whole)?;
        let mut made = Vec::with_capacity(new.len());
        for (index, new) in new.iter().enumerate() {
            let user =
                check::new(self.services.ids.uuid(), &tx, new).map_err(|error| (Some(index), error))?;
            made.push(user);
        }
        check::unique(&tx, &made).await?;
        self.insert(&mut tx, by, &made, &new).await.map_err(whole)?;
        tx.commit().await.map_err(whole)?;
        Ok(made)
    }

    async fn insert(&self, tx: &mut Tx, by: &Allowed, made: &[Model], new: &[NewUser]) -> Result<()> {
        for users in made.chunks(100) {
            let rows = users.iter().map(|user| ActiveModel::from(user.clone()));
            Entity::insert_many(rows).exec_without_returning(tx.conn()).await.map_err(check::taken)?;
        }
        for (user, new) in made.iter().zip(new) {
            if !new.roles.is_empty() {
                roles::give(tx, by, &[user.id], &new.roles).await?;
            }
            connect_to_live_integrations(&self.services.ids, tx, user).await?;
            let subject = Id::<ids::User>::from_uuid(user.id).to_string();
            let facts = Facts::made(told(user)).with(json!({ "roles": new.roles }));
            tx.audit(&by.actor(), "user.create", subject, facts);
        }
        Ok(())
    }

    /// Refuses to change what a user with more rights than the caller's is known by.
    async fn may_take(&self, tx: &Tx, by: &Allowed, user: &Model) -> Result<()> {
        let held = roles::permissions_within(tx.conn(), by.tenant(), Id::from_uuid(user.id)).await?;
        roles::may_take(by, &held.unwrap_or_default())
    }

    async fn present(&self, tx: &Tx, id: Id<ids::User>) -> Result<Model> {
        let user = entity::tenant_user::one(tx.tenant(), id.uuid()).one(tx.conn()).await?;
        user.ok_or_else(|| Error::not_found("user"))
    }
}

/// What of a user stands in the audit.
pub(crate) fn told(user: &Model) -> Json {
    json!({
        "email": user.email, "name": user.name, "calendarAddress": user.calendar_address, "timeZone": user.time_zone,
    })
}
