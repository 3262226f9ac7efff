//! Writes integrations, their service mailboxes, rooms and connections.

use std::collections::BTreeSet;

use domain::{
    Id, Reason, Route, TimeRange, ids,
    provider::Capabilities,
    state::{ConnectionState, IntegrationState, ServiceAccountStatus, Verdict},
};
use providers::RoomInfo;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryTrait, UpdateMany, Value,
    prelude::Json,
    sea_query::{CaseStatement, Expr, OnConflict},
};

use super::{Writer, reason_to_json};
use crate::{Result, connections, events::topic, integrations};

/// A change of an integration; fields that are `None` leave the stored value unchanged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IntegrationChange {
    /// Identifier of the integration.
    pub id: Id<ids::Integration>,
    /// New state.
    pub state: Option<IntegrationState>,
    /// New reason; `Some(None)` removes it.
    pub reason: Option<Option<Reason>>,
    /// The change is applied only if the current state is one of these, so that an outdated change has no effect.
    pub only_from: Option<Vec<IntegrationState>>,
    /// Id and name of the organisation at the provider.
    pub external: Option<(String, String)>,
    /// A mailbox known to be accessible, used to distinguish a lost consent from a narrowed scope.
    pub known_good: Option<String>,
}

/// A change of a connection; fields that are `None` leave the stored value unchanged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConnectionChange {
    /// Identifier of the connection.
    pub id: Id<ids::Connection>,
    /// New state.
    pub state: Option<ConnectionState>,
    /// New reason; `Some(None)` removes it.
    pub reason: Option<Option<Reason>>,
    /// New route.
    pub route: Option<Route>,
    /// What Muster can do with the mailbox, as determined at its activation.
    pub capabilities: Option<Capabilities>,
    /// Time zone of the mailbox.
    pub time_zone: Option<String>,
    /// Calendars of the mailbox, see [`crate::connections::calendars_to_json`].
    pub calendars: Option<Json>,
}

/// A mailbox that was found in the directory.
#[derive(Debug, Clone, PartialEq)]
pub struct NewConnection {
    /// Integration in whose directory the mailbox was found.
    pub integration: Id<ids::Integration>,
    /// The user who owns the mailbox; `None` for a room.
    pub user: Option<Id<ids::User>>,
    /// The room that owns the mailbox; `None` for a user.
    pub room: Option<Id<ids::Room>>,
    /// Email address of the mailbox.
    pub address: String,
}

/// The rooms in the directory of an integration.
#[derive(Debug, Clone, PartialEq)]
pub struct RoomList {
    /// Integration in whose directory the rooms are listed.
    pub integration: Id<ids::Integration>,
    /// Rooms as listed in the directory.
    pub rooms: Vec<RoomInfo>,
}

/// The result of a verification, to be stored and shown.
#[derive(Debug, Clone, PartialEq)]
pub struct VerificationResult {
    /// Integration that was verified.
    pub integration: Id<ids::Integration>,
    /// Overall verdict.
    pub verdict: Verdict,
    /// The individual checks, see [`crate::verification::Check`].
    pub checks: Json,
}

/// Selects one value for an integration that is not suspended, another for a suspended one.
fn unless_suspended(in_force: impl Into<Expr>, suspended: impl Into<Expr>) -> Expr {
    use entity::integration::Column;
    let is_suspended = Column::State.eq(IntegrationState::Suspended.as_str());
    CaseStatement::new().case(is_suspended, suspended).finally(in_force).into()
}

/// Sets a column of an integration; if it is suspended, sets the column whose value is restored on resumption.
fn set_unless_suspended(
    statement: UpdateMany<entity::integration::Entity>,
    now: entity::integration::Column,
    later: entity::integration::Column,
    value: impl Into<Value>,
) -> UpdateMany<entity::integration::Entity> {
    let value = Expr::value(value.into());
    statement
        .col_expr(now, unless_suspended(value.clone(), Expr::col(now)))
        .col_expr(later, unless_suspended(Expr::col(later), value))
}

impl Writer<'_> {
    pub(super) async fn write_integration(&mut self, change: IntegrationChange) -> Result<()> {
        use entity::integration::{Column, update};
        let mut statement = update(self.tenant)
            .filter(Column::Id.eq(change.id))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1));
        // A state that only a newer version knows stays as it is, and so does an integration that is being disconnected.
        let stays = |state: &&IntegrationState| IntegrationState::LEAVING.contains(state);
        let from: Vec<&str> = match &change.only_from {
            Some(from) => from.iter().map(|state| state.as_str()).collect(),
            None => IntegrationState::ALL
                .iter()
                .filter(|state| !stays(state))
                .map(|state| state.as_str())
                .collect(),
        };
        statement = statement.filter(Column::State.is_in(from));
        // What one person's consent loses concerns nobody else.
        let concerns_all =
            matches!(change.state, Some(IntegrationState::Degraded | IntegrationState::Failing));
        statement =
            statement.apply_if(concerns_all.then(integrations::organisation_wide), QueryFilter::filter);
        if let Some(state) = change.state {
            statement =
                set_unless_suspended(statement, Column::State, Column::SuspendedState, state.as_str());
            let since = unless_suspended(Expr::value(self.at), Expr::col(Column::Since));
            statement = statement.col_expr(Column::Since, since);
        }
        if let Some(reason) = change.reason {
            let reason = reason_to_json(reason);
            statement = set_unless_suspended(statement, Column::Reason, Column::SuspendedReason, reason);
        }
        if let Some((id, name)) = change.external {
            statement = statement
                .col_expr(Column::ExternalTenant, Expr::value(id))
                .col_expr(Column::ExternalName, Expr::value(name));
        }
        if let Some(address) = change.known_good {
            statement = statement.col_expr(Column::KnownGood, Expr::value(address));
        }
        if statement.exec(self.txn).await?.rows_affected == 0 {
            return Ok(());
        }
        if change.state == Some(IntegrationState::Active) {
            self.reset_failures(change.id).await?;
        }
        self.add_event(topic::INTEGRATION, change.id);
        Ok(())
    }

    pub(super) async fn write_connection(&mut self, change: ConnectionChange) -> Result<()> {
        use entity::connection::{Column, update};
        // What an administrator excluded meanwhile stays excluded, and what lost its user stays disconnected: only a
        // person takes it in again. A state that only a newer version knows stays as it is.
        let known = ConnectionState::ALL.iter().filter(|state| !ConnectionState::LEFT_OUT.contains(state));
        let mut statement = update(self.tenant)
            .filter(Column::Id.eq(change.id))
            .filter(Column::State.is_in(known.map(|state| state.as_str())))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1));
        if let Some(state) = change.state {
            statement = statement
                .col_expr(Column::State, Expr::value(state.as_str()))
                .col_expr(Column::Since, Expr::value(self.at));
        }
        if let Some(reason) = change.reason {
            statement = statement.col_expr(Column::Reason, Expr::value(reason_to_json(reason)));
        }
        if let Some(route) = change.route {
            statement = statement.col_expr(Column::Route, Expr::value(route.as_str()));
        }
        if let Some(capabilities) = change.capabilities {
            let json = serde_json::to_value(capabilities).unwrap_or_default();
            statement = statement.col_expr(Column::Capabilities, Expr::value(json));
        }
        if let Some(calendars) = change.calendars {
            statement = statement.col_expr(Column::Calendars, Expr::value(calendars));
        }
        if let Some(zone) = change.time_zone {
            statement = statement.col_expr(Column::TimeZone, Expr::value(zone));
        }
        if statement.exec(self.txn).await?.rows_affected == 0 {
            return Ok(());
        }
        self.add_event(topic::CONNECTION, change.id);
        Ok(())
    }

    /// Creates the connections to mailboxes that were found. A mailbox whose user left gets its new owner.
    pub(super) async fn insert_connections(&mut self, found: Vec<NewConnection>) -> Result<()> {
        use entity::connection::{Column, of};
        let integrations: BTreeSet<_> = found.iter().map(|new| new.integration).collect();
        let without_owner = of(self.tenant)
            .filter(Column::IntegrationId.is_in(integrations))
            .filter(connections::has_owner().not())
            .all(self.txn)
            .await?;
        for row in without_owner {
            let owner = |new: &&NewConnection| {
                new.integration == row.integration_id && new.address.to_lowercase() == row.address
            };
            if let Some(new) = found.iter().find(owner) {
                connections::take_over(self.txn, &row, new, self.at).await?;
                self.add_event(topic::CONNECTION, row.id);
            }
        }
        let rows: Vec<_> = found.into_iter().map(|new| self.pending(new)).collect();
        for rows in rows.chunks(200) {
            entity::connection::Entity::insert_many(rows.to_vec())
                .on_conflict(OnConflict::new().do_nothing().to_owned())
                .exec_without_returning(self.txn)
                .await?;
        }
        Ok(())
    }

    fn pending(&self, new: NewConnection) -> entity::connection::ActiveModel {
        pending_connection(self.services.ids.make(), self.tenant, new, self.at).into()
    }

    pub(super) async fn replace_rooms(&mut self, list: RoomList) -> Result<()> {
        use entity::room::Column;
        for room in list.rooms {
            let row = entity::room::ActiveModel {
                id: Set(self.services.ids.make()),
                tenant_id: Set(self.tenant),
                integration_id: Set(list.integration),
                address: Set(room.address.to_lowercase()),
                name: Set(room.name),
                capacity: Set(room.capacity),
                building: Set(room.building),
                floor: Set(room.floor),
                equipment: Set(serde_json::json!(room.equipment)),
                created_at: Set(self.at),
            };
            let changed =
                [Column::Name, Column::Capacity, Column::Building, Column::Floor, Column::Equipment];
            let key = [Column::TenantId, Column::IntegrationId, Column::Address];
            entity::room::Entity::insert(row)
                .on_conflict(OnConflict::columns(key).update_columns(changed).to_owned())
                .exec_without_returning(self.txn)
                .await?;
        }
        let rooms = entity::room::of(self.tenant)
            .filter(Column::IntegrationId.eq(list.integration))
            .all(self.txn)
            .await?;
        let found = rooms.into_iter().map(|room| NewConnection {
            integration: list.integration,
            user: None,
            room: Some(room.id),
            address: room.address,
        });
        self.insert_connections(found.collect()).await
    }

    pub(super) async fn insert_verification(&mut self, new: VerificationResult) -> Result<()> {
        let row = entity::verification::ActiveModel {
            id: Set(self.services.ids.make()),
            tenant_id: Set(self.tenant),
            integration_id: Set(new.integration),
            verdict: Set(new.verdict.into()),
            checks: Set(new.checks),
            at: Set(self.at),
        };
        entity::verification::Entity::insert(row).exec_without_returning(self.txn).await?;
        self.add_event(topic::INTEGRATION, new.integration);
        Ok(())
    }

    /// Rows of former service accounts are kept, because existing bookings refer to them.
    pub(super) async fn set_service_mailbox(
        &mut self,
        integration: Id<ids::Integration>,
        address: String,
        name: String,
    ) -> Result<()> {
        use entity::service_account::{Column, update};
        update(self.tenant)
            .filter(Column::IntegrationId.eq(integration))
            .filter(Column::Status.eq(ServiceAccountStatus::Active.as_str()))
            .filter(Column::Address.ne(address.clone()))
            .col_expr(Column::Status, Expr::value(ServiceAccountStatus::Retired.as_str()))
            .exec(self.txn)
            .await?;
        let row = entity::service_account::ActiveModel {
            id: Set(self.services.ids.make()),
            tenant_id: Set(self.tenant),
            integration_id: Set(integration),
            address: Set(address.clone()),
            name: Set(name),
            status: Set(ServiceAccountStatus::Active.into()),
            position: Set(0),
            verified_at: Set(Some(self.at)),
            created_at: Set(self.at),
        };
        let key = [Column::TenantId, Column::IntegrationId, Column::Address];
        let changed = [Column::Status, Column::VerifiedAt, Column::Name];
        entity::service_account::Entity::insert(row)
            .on_conflict(OnConflict::columns(key).update_columns(changed).to_owned())
            .exec_without_returning(self.txn)
            .await?;
        entity::integration::update(self.tenant)
            .filter(entity::integration::Column::Id.eq(integration))
            .col_expr(entity::integration::Column::ServiceMailbox, Expr::value(address))
            .exec(self.txn)
            .await?;
        self.add_event(topic::INTEGRATION, integration);
        Ok(())
    }
}

/// Creates the row of a mailbox that waits for activation.
pub(crate) fn pending_connection(
    id: Id<ids::Connection>,
    tenant: Id<ids::Tenant>,
    new: NewConnection,
    at: domain::Timestamp,
) -> entity::connection::Model {
    entity::connection::Model {
        id,
        tenant_id: tenant,
        integration_id: new.integration,
        user_id: new.user,
        room_id: new.room,
        address: new.address.to_lowercase(),
        state: ConnectionState::Pending.into(),
        reason: None,
        since: at,
        route: Route::Delegated.into(),
        capabilities: serde_json::to_value(Capabilities::default()).unwrap_or_default(),
        time_zone: None,
        as_of: None,
        read_from: None,
        read_until: None,
        watermark: None,
        unreadable_count: 0,
        unknown_count: 0,
        unreadable: serde_json::json!([]),
        calendars: None,
        counted_calendars: None,
        failing_since: None,
        failing_code: None,
        failures: 0,
        retry_at: None,
        version: 1,
    }
}

/// The time range that a connection's stored calendar copy covers.
pub(crate) fn stored_copy_range(connection: &entity::connection::Model) -> Option<TimeRange> {
    TimeRange::new(connection.read_from?, connection.read_until?)
}
