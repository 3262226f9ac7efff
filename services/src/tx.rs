//! Transactions, with the notifications to send after the commit.

use domain::JobHint;
use domain::{AnyId, Id, Ids, Timestamp, ids, state::Lane};
use entity::DatabaseError;
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseTransaction, EntityTrait, Statement, Value, prelude::Json,
};
use serde::Serialize;

use crate::{
    Change, Result, Services, System,
    access::AccessChange,
    audit::{self, AuditFacts, AuditRecord},
    change::Writer,
    run_inputs::RunInput,
    tenant_lock::TenantLockGuard,
};

/// Converts one column of the events to an array parameter.
fn list<T>(events: &[entity::event_log::Model], column: impl Fn(&entity::event_log::Model) -> T) -> Vec<T> {
    events.iter().map(column).collect()
}

/// A transaction of one tenant. Dropping it without [`Tx::commit`] rolls it back.
#[derive(Debug)]
pub struct Tx {
    services: Services,
    txn: DatabaseTransaction,
    tenant: Id<ids::Tenant>,
    now: Timestamp,
    after: AfterCommit,
    /// Whether audit entries are also added to the installation's chain.
    with_installation_audit: bool,
    /// Guard of a transaction that locks its tenant. Dropped last, after the transaction.
    turn: Option<TenantLockGuard>,
}

/// Notifications to send after a commit. If they are lost, work is only delayed: the sweep finds the jobs, and
/// subscribers read the current state again.
#[derive(Debug, Default)]
pub struct AfterCommit {
    /// Hints for runs that are due.
    pub hints: Vec<JobHint>,
    /// Events for subscribers: stored in the transaction, published after the commit.
    pub events: Vec<entity::event_log::Model>,
    /// Access changes, for which nodes discard cached authentication results.
    pub access: Vec<AccessChange>,
    /// Actions to append to the audit log at the end of the transaction.
    pub(crate) acts: Vec<AuditRecord>,
}

impl AfterCommit {
    /// Stores the events and appends to the audit log, immediately before the commit.
    pub async fn store(&mut self, services: &Services, txn: &DatabaseTransaction) -> Result<()> {
        self.store_events(txn).await?;
        // Boxed: most transactions have nothing to record.
        Box::pin(audit::append(txn, &services.sealer, std::mem::take(&mut self.acts))).await
    }

    /// Inserts the events with few statements: on PostgreSQL, their number does not depend on the number of events.
    async fn store_events(&self, txn: &DatabaseTransaction) -> std::result::Result<(), DatabaseError> {
        if txn.get_database_backend() == DatabaseBackend::Postgres {
            return self.store_together(txn).await;
        }
        for events in self.events.chunks(1000) {
            let rows = events.iter().cloned().map(entity::event_log::ActiveModel::from);
            entity::event_log::Entity::insert_many(rows).exec_without_returning(txn).await?;
        }
        Ok(())
    }

    async fn store_together(&self, txn: &DatabaseTransaction) -> std::result::Result<(), DatabaseError> {
        if self.events.is_empty() {
            return Ok(());
        }
        let sql = "INSERT INTO event_log (id, tenant_id, topic, subject, payload, at)
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::jsonb[], $6::timestamptz[])";
        let values: [Value; 6] = [
            list(&self.events, |event| event.id).into(),
            list(&self.events, |event| event.tenant_id).into(),
            list(&self.events, |event| event.topic.to_string()).into(),
            list(&self.events, |event| event.subject).into(),
            list(&self.events, |event| event.payload.clone()).into(),
            list(&self.events, |event| event.at).into(),
        ];
        txn.execute_raw(Statement::from_sql_and_values(DatabaseBackend::Postgres, sql, values)).await?;
        Ok(())
    }

    /// Adds the notifications of another commit.
    pub fn merge(&mut self, other: Self) {
        self.hints.extend(other.hints);
        self.events.extend(other.events);
        self.access.extend(other.access);
        self.acts.extend(other.acts);
    }

    /// Sends the notifications to the queue.
    pub async fn publish(self, system: &System) {
        self.send(system.services()).await;
    }

    pub(crate) async fn send(self, services: &Services) {
        let events = async {
            // Who may listen is told before what there is to hear.
            let access = self.access.iter().map(|change| change.to_fanout_message(services.ids.make()));
            let messages: Vec<_> =
                access.chain(self.events.iter().map(crate::events::to_fanout_message)).collect();
            if !messages.is_empty() {
                services.queue.fanout.publish(messages).await;
            }
        };
        let hints = async {
            if !self.hints.is_empty()
                && let Err(error) = services.queue.hints.push(&self.hints).await
            {
                tracing::warn!(%error, "hints were not pushed; the sweep will find their jobs");
            }
        };
        tokio::join!(events, hints);
    }
}

impl Tx {
    pub(crate) fn new(services: Services, txn: DatabaseTransaction, tenant: Id<ids::Tenant>) -> Self {
        let now = services.now();
        Self {
            services,
            txn,
            tenant,
            now,
            after: AfterCommit::default(),
            with_installation_audit: false,
            turn: None,
        }
    }

    pub(crate) fn with_installation_audit(self) -> Self {
        Self { with_installation_audit: true, ..self }
    }

    pub(crate) fn with_lock_guard(self, turn: TenantLockGuard) -> Self {
        Self { turn: Some(turn), ..self }
    }

    /// The underlying database transaction.
    pub fn conn(&self) -> &DatabaseTransaction {
        &self.txn
    }

    /// The tenant whose rows the transaction reads and writes.
    pub fn tenant(&self) -> Id<ids::Tenant> {
        self.tenant
    }

    /// When the transaction began or, if it locked its tenant, when it acquired the lock; used as the timestamp of all
    /// rows that it writes.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Sets the transaction's time to the current time; called after waiting for a lock.
    pub(crate) fn set_now(&mut self) {
        self.now = self.services.now();
    }

    /// Source of ids for new rows.
    pub(crate) fn ids(&self) -> &Ids {
        &self.services.ids
    }

    /// Enqueues a run. `None` if the same run is already in progress.
    pub async fn enqueue(
        &mut self,
        order: RunInput,
        asked_by: &str,
        lane: Lane,
    ) -> Result<Option<Id<ids::Run>>> {
        let run = order.into_run(self.services.ids.make(), self.tenant, asked_by, lane);
        let id = run.id;
        let hints = runs::enqueue(&self.txn, &[run], self.now).await?;
        let ordered = !hints.is_empty();
        self.after.hints.extend(hints);
        Ok(ordered.then_some(id))
    }

    /// Enqueues many runs in few statements; those already in progress are left out.
    pub async fn enqueue_runs(
        &mut self,
        orders: impl IntoIterator<Item = RunInput>,
        asked_by: &str,
        lane: Lane,
    ) -> Result<()> {
        let run = |order: RunInput| order.into_run(self.services.ids.make(), self.tenant, asked_by, lane);
        let runs: Vec<_> = orders.into_iter().map(run).collect();
        let hints = runs::enqueue(&self.txn, &runs, self.now).await?;
        self.after.hints.extend(hints);
        Ok(())
    }

    /// Sends a signal to a run; `false` if the run has ended.
    pub async fn signal(&mut self, run: Id<ids::Run>, name: &str, payload: impl Serialize) -> Result<bool> {
        let payload = serde_json::to_value(payload).unwrap_or(Json::Null);
        let id = self.services.ids.make();
        let hint = runs::signal(&self.txn, id, (self.tenant, run), name, payload, self.now).await?;
        let reached = hint.is_some();
        self.after.hints.extend(hint);
        Ok(reached)
    }

    /// Adds a hint to send after the commit.
    pub fn add_hint(&mut self, hint: JobHint) {
        self.after.hints.push(hint);
    }

    /// Adds an event for subscribers.
    pub fn add_event(&mut self, topic: domain::Topic, subject: impl Into<AnyId>) {
        let event = entity::event_log::new(&self.services.ids, self.tenant, topic, subject.into(), self.now);
        self.after.events.push(event);
    }

    /// Notifies every node that permissions of this tenant's users have changed or, in a transaction of the
    /// installation, those of any caller.
    pub fn notify_access_changed(&mut self) {
        let change = match self.tenant == audit::INSTALLATION_CHAIN {
            true => AccessChange::Everybody,
            false => AccessChange::Tenant(self.tenant),
        };
        if !self.after.access.contains(&change) {
            self.after.access.push(change);
        }
    }

    /// Records an action in the audit log, with the id of the current request. The entry is written immediately before
    /// the commit. Facts must contain no secret.
    pub fn audit(
        &mut self,
        actor: &str,
        action: &'static str,
        subject: String,
        facts: impl Into<AuditFacts>,
    ) {
        let act = AuditRecord {
            chain: self.tenant,
            actor: actor.to_owned(),
            action,
            subject,
            facts: facts.into(),
            request: audit::current_request_id(),
            at: self.now,
        };
        if self.with_installation_audit {
            self.after.acts.push(AuditRecord { chain: audit::INSTALLATION_CHAIN, ..act.clone() });
        }
        self.after.acts.push(act);
    }

    /// Records an action in the installation's chain alone: the tenant's own chain is gone. The transaction must include
    /// the installation's rows.
    pub(crate) fn audit_for_installation(
        &mut self,
        actor: &str,
        action: &'static str,
        subject: String,
        facts: impl Into<AuditFacts>,
    ) {
        self.after.acts.push(AuditRecord {
            chain: audit::INSTALLATION_CHAIN,
            actor: actor.to_owned(),
            action,
            subject,
            facts: facts.into(),
            request: audit::current_request_id(),
            at: self.now,
        });
    }

    /// Writes changes as the steps of workflows return them.
    pub(crate) async fn write(&mut self, actor: &str, changes: Vec<Change>) -> Result<()> {
        Writer::new(&self.services, &self.txn, self.tenant, actor, &mut self.after).write(changes).await
    }

    /// Commits, then sends the notifications.
    pub async fn commit(mut self) -> Result<()> {
        Box::pin(self.after.store(&self.services, &self.txn)).await?;
        self.txn.commit().await?;
        drop(self.turn);
        // What a request read before its write is out of date.
        self.services.end_read_transaction().await;
        self.after.send(&self.services).await;
        Ok(())
    }
}
