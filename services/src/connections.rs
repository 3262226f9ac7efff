//! Connections: mailboxes accessed through an integration.

mod counted;
mod owner;

use domain::{
    AnyId, Id, Route, UnreadableItem, ids, may,
    provider::Capabilities,
    state::{ConnectionState, IntegrationState, Lane, RunStatus},
};
use sea_orm::{
    ColumnTrait, Condition, ExprTrait, PaginatorTrait, QueryFilter, prelude::Json, sea_query::Expr,
};
use serde_json::json;

use crate::{
    Error, Page, PageArgs, Result, System, Tx,
    audit::AuditFacts,
    change::NewConnection,
    events::topic,
    health, integrations, messages, page,
    proof::{Allowed, Member, Own, TenantScope},
    run_inputs::{Activate, RunInput},
};

pub use counted::{calendars, calendars_to_json, chosen_calendars};
pub use owner::is_without_owner;
pub(crate) use owner::{find_or_insert, has_owner, require_not_excluded, take_over};
pub use providers::{CalendarKind, CalendarListing};

crate::noun! {
    /// Mailboxes that Muster accesses through an integration.
    Connections
}

/// Selects connections. A connection must match every criterion that is specified.
#[derive(Debug, Clone, Default)]
pub struct ConnectionFilter {
    /// Only connections of this integration.
    pub integration: Option<Id<ids::Integration>>,
    /// Only connections in this state; `Some(None)` for states that only a newer version supports.
    pub state: Option<Option<ConnectionState>>,
    /// Only connections of rooms (`true`) or only of users (`false`).
    pub rooms: Option<bool>,
}

impl Connections {
    /// The connection with this id.
    pub async fn get(
        &self,
        by: &Allowed<may::ConnectionView>,
        id: Id<ids::Connection>,
    ) -> Result<entity::connection::Model> {
        let tenant = by.tenant();
        let txn = self.services.read(tenant).await?;
        let row = entity::connection::by_id(tenant, id).one(&txn).await?;
        row.ok_or_else(|| Error::not_found("connection"))
    }

    /// One page of the tenant's connections.
    pub async fn list(
        &self,
        by: &Allowed<may::ConnectionView>,
        wanted: &ConnectionFilter,
        args: PageArgs,
    ) -> Result<Page<entity::connection::Model>> {
        let tenant = by.tenant();
        let txn = self.services.read(tenant).await?;
        page::read_page(select(tenant, wanted), entity::connection::Column::Id, args, &txn).await
    }

    /// Number of matching connections.
    pub async fn count(&self, by: &Allowed<may::ConnectionView>, wanted: &ConnectionFilter) -> Result<u64> {
        let tenant = by.tenant();
        let txn = self.services.read(tenant).await?;
        Ok(select(tenant, wanted).count(&txn).await?)
    }

    /// The connections with these ids.
    pub async fn by_ids(
        &self,
        scope: TenantScope,
        ids: &[Id<ids::Connection>],
    ) -> Result<Vec<entity::connection::Model>> {
        let txn = self.services.read(scope.tenant()).await?;
        Ok(entity::connection::by_ids(scope.tenant(), ids.iter().copied()).all(&txn).await?)
    }

    /// The connections to the mailboxes of these users and rooms.
    pub async fn of_holders(
        &self,
        scope: TenantScope,
        holders: &[AnyId],
    ) -> Result<Vec<entity::connection::Model>> {
        use entity::connection::{Column, of};
        let txn = self.services.read(scope.tenant()).await?;
        let either = Condition::any()
            .add(Column::UserId.is_in(holders.iter().copied()))
            .add(Column::RoomId.is_in(holders.iter().copied()));
        Ok(of(scope.tenant()).filter(either).all(&txn).await?)
    }

    /// Activates one mailbox, for the first time or again (S1.13). Returns the run.
    pub async fn activate(
        &self,
        by: &Allowed<may::UserEdit>,
        id: Id<ids::Connection>,
    ) -> Result<Id<ids::Run>> {
        let mut tx = self.services.begin(by.tenant()).await?;
        let row = entity::connection::by_id(tx.tenant(), id).one(tx.conn()).await?;
        let row = row.ok_or_else(|| Error::not_found("connection"))?;
        let run = enqueue_activation(&mut tx, &row, &by.actor()).await?;
        tx.commit().await?;
        Ok(run)
    }

    /// Connects a user's calendar through the service account (S1.13). Returns the run.
    pub async fn activate_user(
        &self,
        by: &Allowed<may::UserEdit>,
        user: Id<ids::User>,
    ) -> Result<Id<ids::Run>> {
        self.activate_calendar_of(by, user, |_| Ok(())).await
    }

    /// Connects the caller's own calendar through the service account, with one click and no sign-in at the provider
    /// (S3.8). Returns the run. Refuses a mailbox that an administrator excluded with `MAILBOX_EXCLUDED`.
    pub async fn activate_own(&self, by: &Own) -> Result<Id<ids::Run>> {
        self.activate_calendar_of(by, by.user(), require_not_excluded).await
    }

    async fn activate_calendar_of(
        &self,
        by: &Member,
        user: Id<ids::User>,
        may_activate: fn(&entity::connection::Model) -> Result<()>,
    ) -> Result<Id<ids::Run>> {
        let mut tx = self.services.begin(by.tenant()).await?;
        let user = entity::tenant_user::by_id(tx.tenant(), user).one(tx.conn()).await?;
        let user = user.ok_or_else(|| Error::not_found("user"))?;
        let Some(address) = user.calendar_address.clone() else {
            let message = messages::calendar_address_missing();
            return Err(Error::refuse("CALENDAR_ADDRESS_MISSING", message));
        };
        let integration = oldest_usable_integration(&tx).await?.ok_or_else(|| {
            let message = "No calendar system is connected yet. Ask an administrator to connect one.";
            Error::refuse("INTEGRATION_NOT_CONNECTED", message)
        })?;
        let new = NewConnection { integration: integration.id, user: Some(user.id), room: None, address };
        let (row, _) = find_or_insert(&self.services.ids, &mut tx, new).await?;
        may_activate(&row)?;
        let run = enqueue_activation(&mut tx, &row, &by.actor()).await?;
        tx.commit().await?;
        Ok(run)
    }

    /// Enqueues activations that are due again after a failure, and activations whose run no longer exists. A mailbox
    /// whose run crashed its worker is not retried automatically. Returns how many activations were enqueued.
    pub async fn retry_failed(&self, _by: &System, tenant: Id<ids::Tenant>, max: usize) -> Result<usize> {
        use entity::connection::{Column, update};
        let rows = self.to_retry(tenant, max).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let mut tx = self.services.begin(tenant).await?;
        for row in &rows {
            let retry_at = tx.now() + health::backoff(&self.services, row.failures + 1);
            update(tenant)
                .filter(Column::Id.eq(row.id))
                .col_expr(Column::RetryAt, Expr::value(retry_at))
                .exec(tx.conn())
                .await?;
        }
        let activate = |row: &entity::connection::Model| {
            RunInput::Activate(Activate { connection: row.id, campaign: None })
        };
        tx.enqueue_runs(rows.iter().map(activate), "calendars", Lane::Background).await?;
        tx.commit().await?;
        Ok(rows.len())
    }

    async fn to_retry(&self, tenant: Id<ids::Tenant>, max: usize) -> Result<Vec<entity::connection::Model>> {
        use ConnectionState as S;
        use entity::connection::{Column, of};
        use sea_orm::{QueryOrder, QuerySelect};
        let txn = self.services.read(tenant).await?;
        let now = self.services.now();
        let stuck = Condition::all()
            .add(Column::State.eq(S::Verifying.as_str()))
            .add(Column::RetryAt.is_null())
            .add(Column::Since.lte(now - self.services.settings.reread_after));
        let waiting = [S::Pending, S::Verifying, S::Unreachable].map(S::as_str);
        let due = Condition::all().add(Column::State.is_in(waiting)).add(Column::RetryAt.lte(now));
        let rows = of(tenant)
            .filter(Column::IntegrationId.is_in(integrations::usable_integrations(&txn, tenant).await?))
            .filter(Condition::any().add(due).add(stuck))
            .filter(has_owner())
            .order_by_asc(Column::Failures)
            .order_by_asc(Column::Id)
            .limit(max as u64)
            .all(&txn)
            .await?;
        let parked = entity::run::of(tenant)
            .filter(entity::run::Column::Subject.is_in(rows.iter().map(|row| row.id)))
            .filter(entity::run::Column::Status.eq(RunStatus::Quarantined.as_str()))
            .all(&txn)
            .await?;
        let is_parked = |row: &entity::connection::Model| parked.iter().any(|run| run.subject == row.id);
        Ok(rows.into_iter().filter(|row| !is_parked(row)).collect())
    }

    /// Excludes a mailbox: it is no longer read or written.
    pub async fn exclude(
        &self,
        by: &Allowed<may::UserEdit>,
        id: Id<ids::Connection>,
    ) -> Result<entity::connection::Model> {
        use sea_orm::{ActiveModelTrait, ActiveValue::Set};
        let mut tx = self.services.begin(by.tenant()).await?;
        let row = entity::connection::by_id(tx.tenant(), id).one(tx.conn()).await?;
        let row = row.ok_or_else(|| Error::not_found("connection"))?;
        row.state.require()?;
        let reason = domain::Reason::new("EXCLUDED", messages::excluded());
        let mut change = entity::connection::ActiveModel::from(row.clone());
        change.state = Set(ConnectionState::Excluded.into());
        change.reason = Set(serde_json::to_value(reason).ok());
        change.since = Set(tx.now());
        change.version = Set(row.version + 1);
        let before = row.state;
        let row = change.update(tx.conn()).await?;
        tx.add_event(topic::CONNECTION, row.id);
        let facts = AuditFacts::for_change(json!({ "state": before }), json!({ "state": row.state }));
        tx.audit(&by.actor(), "connection.exclude", id.to_string(), facts);
        tx.commit().await?;
        Ok(row)
    }
}

/// The integration that connects new mailboxes: the oldest usable one that is organisation-wide.
pub(crate) async fn oldest_usable_integration(tx: &Tx) -> Result<Option<entity::integration::Model>> {
    use entity::integration::{Column, of};
    use sea_orm::QueryOrder;
    let usable = IntegrationState::USABLE.map(IntegrationState::as_str);
    let rows = of(tx.tenant())
        .filter(integrations::organisation_wide())
        .filter(Column::State.is_in(usable))
        .order_by_asc(Column::Id);
    Ok(rows.one(tx.conn()).await?)
}

/// Enqueues an activation; returns the run already in progress if there is one. Refuses a mailbox whose user left with
/// `MAILBOX_DISCONNECTED`, and one that only its owner can connect again with `OWN_CONSENT_NEEDED`.
pub(crate) async fn enqueue_activation(
    tx: &mut Tx,
    row: &entity::connection::Model,
    actor: &str,
) -> Result<Id<ids::Run>> {
    let integration = integrations::find(tx, row.integration_id).await?;
    integrations::require_consent_in_force(&integration)?;
    require_own_consent(tx, &integration, row).await?;
    if is_without_owner(row) {
        let message = "This mailbox belongs to nobody. Set its address as the calendar address of a user, then activate it.";
        return Err(Error::refuse("MAILBOX_DISCONNECTED", message));
    }
    let mut facts = AuditFacts::from(Json::Null);
    if ConnectionState::LEFT_OUT.contains(&row.state.require()?) {
        take_in(tx, row.id).await?;
        facts = AuditFacts::for_change(
            json!({ "state": row.state }),
            json!({ "state": ConnectionState::Pending.as_str() }),
        );
    }
    tx.audit(actor, "connection.activate", row.id.to_string(), facts);
    let activate = RunInput::Activate(Activate { connection: row.id, campaign: None });
    if let Some(run) = tx.enqueue(activate, actor, Lane::Interactive).await? {
        return Ok(run);
    }
    let live = entity::run::of(tx.tenant())
        .filter(entity::run::Column::Subject.eq(row.id))
        .filter(entity::run::Column::FinishedAt.is_null())
        .one(tx.conn())
        .await?;
    live.map(|run| run.id).ok_or_else(|| Error::refuse("IN_PROGRESS", "Try again in a moment."))
}

/// Refuses a mailbox of a personal integration whose owner's consent is not stored any more.
async fn require_own_consent(
    tx: &Tx,
    integration: &entity::integration::Model,
    row: &entity::connection::Model,
) -> Result<()> {
    use entity::consent_grant::{Column, of};
    let Some(user) = row.user_id.filter(|_| integrations::is_personal(integration)) else { return Ok(()) };
    let consents =
        of(tx.tenant()).filter(Column::IntegrationId.eq(integration.id)).filter(Column::UserId.eq(user));
    match consents.one(tx.conn()).await? {
        Some(_) => Ok(()),
        None => Err(Error::refuse("OWN_CONSENT_NEEDED", messages::own_consent_needed())),
    }
}

/// Ends the exclusion or disconnection of a mailbox when a person activates it.
async fn take_in(tx: &mut Tx, connection: Id<ids::Connection>) -> Result<()> {
    use entity::connection::{Column, update};
    update(tx.tenant())
        .filter(Column::Id.eq(connection))
        .col_expr(Column::State, Expr::value(ConnectionState::Pending.as_str()))
        .col_expr(Column::Reason, Expr::value(None::<Json>))
        .col_expr(Column::Since, Expr::value(tx.now()))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .exec(tx.conn())
        .await?;
    tx.add_event(topic::CONNECTION, connection);
    Ok(())
}

fn select(tenant: Id<ids::Tenant>, wanted: &ConnectionFilter) -> sea_orm::Select<entity::connection::Entity> {
    use entity::connection::{Column, of};
    let mut rows = of(tenant);
    if let Some(integration) = wanted.integration {
        rows = rows.filter(Column::IntegrationId.eq(integration));
    }
    if let Some(state) = wanted.state {
        rows = rows.filter(entity::column_equals(Column::State, state));
    }
    match wanted.rooms {
        Some(true) => rows.filter(Column::RoomId.is_not_null()),
        Some(false) => rows.filter(Column::RoomId.is_null()),
        None => rows,
    }
}

/// The reason why the calendar of a user without any connection is unknown.
pub fn never_connected_reason() -> domain::Reason {
    domain::Reason::new("CALENDAR_NOT_CONNECTED", messages::calendar_not_connected())
        .with_next_action(messages::connect_the_calendar())
}

/// Whether the busy times of the connection's mailbox are known.
pub fn is_readable(row: &entity::connection::Model) -> bool {
    row.state.known().is_some_and(ConnectionState::is_readable)
}

/// Whether the mailbox is accessed with its owner's own consent.
pub fn has_own_consent(row: &entity::connection::Model) -> bool {
    row.user_id.is_some() && row.route == Route::Own
}

/// The capabilities of a connection, as determined at its last activation.
pub fn capabilities(row: &entity::connection::Model) -> Capabilities {
    serde_json::from_value(row.capabilities.clone()).unwrap_or_default()
}

/// Examples of a mailbox's unreadable items, those that block no time first. Examples with a reason from a newer
/// version are left out.
pub fn unreadable_examples(row: &entity::connection::Model) -> Vec<UnreadableItem> {
    let examples = row.unreadable.as_array().map(Vec::as_slice).unwrap_or_default();
    examples.iter().filter_map(|one| serde_json::from_value(one.clone()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use domain::{Id, UnreadableReason};
    use serde_json::json;

    use super::*;

    #[test]
    fn an_example_with_a_newer_reason_does_not_hide_the_others() {
        let new = NewConnection {
            integration: Id::nil(),
            user: Some(Id::nil()),
            room: None,
            address: "ada@acme.example".to_owned(),
        };
        let mut row =
            crate::change::pending_connection(Id::nil(), Id::nil(), new, domain::Timestamp::UNIX_EPOCH);
        assert_eq!(unreadable_examples(&row), []);
        row.unreadable = json!([
            { "uid": "a", "reason": "NEWER", "blocks": false },
            { "uid": "b", "reason": "RECURRENCE", "blocks": true },
        ]);
        let known =
            UnreadableItem { uid: "b".to_owned(), reason: UnreadableReason::Recurrence, blocks: true };
        assert_eq!(unreadable_examples(&row), [known]);
    }
}
