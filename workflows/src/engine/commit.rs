//! Commits all waiting results in one batch.
//!
//! On PostgreSQL one statement moves the runs of a batch, whatever their number. If no step wrote anything else,
//! that statement is the whole transaction. A run whose epoch or revision has changed since its step began is
//! skipped: its worker was a zombie, and nothing of its result is written. A batch that fails is repeated result by
//! result, so that one bad result never fails the others.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use domain::{Id, ids, state::RunStatus};
use entity::DatabaseError;
use entity::event_log::Model as Event;
use runs::{Claimed, Hint};
use sea_orm::{ConnectionTrait, DatabaseBackend, QueryResult, Statement, Value, prelude::Json};
use services::{
    System,
    audit::in_request,
    change::Writer,
    events::{self, topic},
    tx::AfterCommit,
};

use super::{decide::Transition, sqlite::move_one_by_one, worker::LEASE};

/// How often a result is tried again after a conflict with another transaction or a broken connection. If it was
/// written after all, its revision keeps it from being written twice.
const ATTEMPTS: u32 = 5;

/// Commits a batch; returns for each run whether it was written. No claim is kept.
pub async fn commit(services: &System, node: &str, mut batch: Vec<Transition>) -> Vec<(Id<ids::Run>, bool)> {
    for transition in &mut batch {
        transition.keep = false;
    }
    let committed = commit_keeping(services, node, batch).await;
    committed.into_iter().map(|(transition, kept)| (transition.run, kept != CommitOutcome::TooLate)).collect()
}

/// The outcome of a result in the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitOutcome {
    /// The result was written and the claim is still held: the worker continues.
    Kept,
    /// The result was stored and the claim has ended.
    Written,
    /// Nothing was written: the worker had lost the claim, or the result cannot be stored.
    TooLate,
}

/// Commits a batch and returns each result with its outcome. A claim that its worker wants to keep is kept unless a
/// signal has arrived meanwhile.
pub async fn commit_keeping(
    services: &System,
    node: &str,
    batch: Vec<Transition>,
) -> Vec<(Transition, CommitOutcome)> {
    let CommitReport { fates, after } = commit_without_publishing(services, node, batch).await;
    after.publish(services).await;
    fates
}

/// The outcomes of a batch's results, and the notifications to publish.
#[derive(Debug, Default)]
pub(super) struct CommitReport {
    /// Each result with its outcome.
    pub(super) fates: Vec<(Transition, CommitOutcome)>,
    /// The events and hints to publish after the commit.
    pub(super) after: AfterCommit,
}

impl CommitReport {
    fn join(&mut self, other: Self) {
        self.fates.extend(other.fates);
        self.after.join(other.after);
    }
}

/// Like [`commit_keeping`], but publishes nothing yet.
pub(super) async fn commit_without_publishing(
    services: &System,
    node: &str,
    batch: Vec<Transition>,
) -> CommitReport {
    if services.store.backend() != DatabaseBackend::Postgres {
        return Box::pin(commit_part(services, node, batch)).await;
    }
    let (plain, rich): (Vec<_>, Vec<_>) = batch.into_iter().partition(is_plain);
    let part = |batch| Box::pin(commit_part(services, node, batch));
    let (mut plain, rich) = tokio::join!(part(plain), part(rich));
    plain.join(rich);
    plain
}

/// Whether the result writes only the run, its job, its history and the event that it changed.
pub(super) fn is_plain(transition: &Transition) -> bool {
    transition.changes.is_empty() && transition.status != RunStatus::Quarantined
}

async fn commit_part(services: &System, node: &str, mut batch: Vec<Transition>) -> CommitReport {
    if batch.is_empty() {
        return CommitReport::default();
    }
    // Runs in a stable order: two committers never wait for each other in a circle.
    batch.sort_unstable_by_key(|transition| transition.run);
    // Where the database forgot a claim in a crash, a second one may have its epoch: of two results one counts.
    let mut known = HashSet::new();
    let (batch, doubles): (Vec<_>, Vec<_>) =
        batch.into_iter().partition(|transition| known.insert(key(transition)));
    let mut committed = commit_distinct(services, node, batch).await;
    committed.fates.extend(doubles.into_iter().map(|transition| (transition, CommitOutcome::TooLate)));
    committed
}

async fn commit_distinct(services: &System, node: &str, batch: Vec<Transition>) -> CommitReport {
    let mut outcome = write(services, node, &batch).await;
    for attempt in 1..ATTEMPTS {
        match &outcome {
            Err(error) if batch.len() == 1 && (error.is_contention() || error.is_connection_lost()) => {
                let pause = 10 * u64::from(attempt) + services.ids.below(20);
                tokio::time::sleep(Duration::from_millis(pause)).await;
                outcome = write(services, node, &batch).await;
            }
            _ => break,
        }
    }
    match outcome {
        Ok((fates, after)) => CommitReport { fates: batch.into_iter().zip(fates).collect(), after },
        Err(error) if batch.len() == 1 => {
            tracing::error!(%error, run = %batch[0].run, "a step's result could not be written; its lease will run out");
            let fates = batch.into_iter().map(|transition| (transition, CommitOutcome::TooLate)).collect();
            CommitReport { fates, after: AfterCommit::default() }
        }
        Err(error) => {
            tracing::warn!(%error, size = batch.len(), "a batch failed and is written one by one");
            let mut committed = CommitReport::default();
            for transition in batch {
                committed.join(Box::pin(commit_part(services, node, vec![transition])).await);
            }
            committed
        }
    }
}

async fn write(
    services: &System,
    node: &str,
    batch: &[Transition],
) -> services::Result<(Vec<CommitOutcome>, AfterCommit)> {
    let changed =
        |s: &Transition| events::row(&services.ids, s.tenant, topic::RUN, s.run.any(), services.now());
    let events: Vec<Event> = batch.iter().map(changed).collect();
    let is_postgres = services.store.backend() == DatabaseBackend::Postgres;
    let mut after = AfterCommit::default();
    let jobs = if is_postgres && batch.iter().all(is_plain) {
        let moved = move_batch(services, services.store.by_key(), node, batch, &events).await?;
        jobs_of(batch, &moved)
    } else {
        let mut tenants: Vec<Id<ids::Tenant>> = batch.iter().map(|transition| transition.tenant).collect();
        tenants.sort_unstable();
        tenants.dedup();
        let txn = services.store.write_many(&tenants).await?;
        let moved = match is_postgres {
            true => move_batch(services, &txn, node, batch, &events).await?,
            false => move_one_by_one(services, &txn, node, batch, &events).await?,
        };
        let jobs = jobs_of(batch, &moved);
        for (transition, _) in batch.iter().zip(&jobs).filter(|(_, job)| job.is_some()) {
            let mut writer = Writer::new(services, &txn, transition.tenant, &transition.asked_by, &mut after);
            let run = transition.run.to_string();
            in_request(run, writer.write(transition.changes.clone())).await?;
            if transition.status == RunStatus::Quarantined {
                tracing::error!(run = %transition.run, reason = ?transition.reason, "a run is parked: it needs somebody");
                writer.event(topic::RUN_PARKED, transition.run);
            }
        }
        after.store(services, &txn).await?;
        txn.commit().await?;
        jobs
    };
    for ((transition, job), event) in batch.iter().zip(&jobs).zip(events) {
        let Some(job) = job else { continue };
        after.events.push(event);
        if job.hint_due {
            after.hints.push(Hint { run: transition.run, tenant: transition.tenant, lane: transition.lane });
        }
    }
    let fate = |job: Option<Job>| match job {
        None => CommitOutcome::TooLate,
        Some(Job { kept: true, .. }) => CommitOutcome::Kept,
        Some(_) => CommitOutcome::Written,
    };
    Ok((jobs.into_iter().map(fate).collect(), after))
}

/// Identifies a result by run, epoch and revision: a zombie from before a retry may hold the epoch of the revived run.
pub(super) fn key(transition: &Transition) -> (Id<ids::Run>, i64, i64) {
    (transition.run, transition.epoch, transition.revision)
}

/// The job left by each result, if it was written. The batch may contain a zombie's result for the same run.
fn jobs_of(batch: &[Transition], moved: &MovedJobs) -> Vec<Option<Job>> {
    batch.iter().map(|transition| moved.get(&key(transition)).copied()).collect()
}

/// The job that a moved run has after the commit; a run that has ended has none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Job {
    /// Whether the claim is still held.
    kept: bool,
    /// Whether the job is due at once and its hint counts as published.
    hint_due: bool,
}

pub(super) fn job(row: &QueryResult) -> Result<Job, DatabaseError> {
    let (kept, hint_due): (bool, bool) = (row.try_get("", "kept")?, row.try_get("", "hint_due")?);
    Ok(Job { kept, hint_due: hint_due && !kept })
}

/// The moved runs, with the epoch and revision that they were moved from.
pub(super) type MovedJobs = HashMap<(Id<ids::Run>, i64, i64), Job>;

/// The statement that moves a batch on PostgreSQL; named for the test of its plan.
// A claim that is kept is not written while half of its lease is left: whoever would take it from its worker moves the
// epoch on, and a signal moves the wakes on, which the worker's next result is held against. Whether that is so is seen
// once, as one column: asked again of a row that has changed meanwhile, it would fall between the two. What is due at
// once is due by the database's clock, or a node whose clock is ahead would wait for itself. A job is touched only with
// its run: a retried run has a new job, whose epoch a zombie from before may hold by chance. What is written later goes
// from hand to hand by RETURNING: joined to the input again it would cost the square of the batch. The tenant is that of
// the run as it is stored, never the caller's word.
pub const COMMIT_BATCH: &str = "
WITH seen AS (
    SELECT i.*, (i.keep AND j.wakes = i.wakes AND j.attempt = i.attempt AND j.crashes = 0
        AND j.lease_until > coalesce($22, now()) + $27 / 2 * interval '1 millisecond') IS TRUE AS untouched
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::int[], $6::text[], $7::text[],
        $8::jsonb[], $9::jsonb[], $10::text[], $11::jsonb[], $12::timestamptz[], $13::int[], $14::bool[],
        $15::uuid[], $16::text[], $17::text[], $18::text[], $19::int[], $20::jsonb[], $21::uuid[],
        $23::timestamptz[], $26::bool[], $30::bool[])
    AS i(run_id, epoch, revision, wakes, version, state, status, memory, trail, wait_signal, reason, due_at,
        attempt, over, line_id, line_state, outcome, next_state, line_attempt, line_reason, event_id, at, keep, undoing)
    JOIN job j ON j.run_id = i.run_id AND j.epoch = i.epoch
), armed AS (
    UPDATE job j SET attempt = i.attempt, crashes = 0, first_crash_at = NULL,
        lease_until = CASE WHEN i.keep AND j.wakes = i.wakes
            THEN coalesce($22, now()) + $27 * interval '1 millisecond' END,
        leased_by = CASE WHEN i.keep AND j.wakes = i.wakes THEN j.leased_by END,
        offered_at = CASE WHEN i.keep AND j.wakes = i.wakes THEN j.offered_at
            WHEN j.wakes <> i.wakes OR i.due_at <= i.at THEN coalesce($22, now()) END,
        due_at = CASE WHEN i.keep AND j.wakes = i.wakes THEN j.due_at
            WHEN j.wakes <> i.wakes OR i.due_at <= i.at THEN least(i.due_at, coalesce($22, now()))
            ELSE i.due_at END
    FROM seen i, run r WHERE NOT i.untouched AND NOT i.over AND j.run_id = i.run_id AND j.epoch = i.epoch
        AND r.id = i.run_id AND r.revision = i.revision
    RETURNING i.*, j.lease_until IS NOT NULL AS kept, j.offered_at IS NOT NULL AS hint_due
), ended AS (
    DELETE FROM job j USING seen i, run r WHERE i.over AND j.run_id = i.run_id AND j.epoch = i.epoch
        AND r.id = i.run_id AND r.revision = i.revision RETURNING i.*, false AS kept, false AS hint_due
), moved AS (
    UPDATE run r SET version = i.version, state = i.state, status = i.status, undoing = i.undoing,
        memory = i.memory, trail = i.trail, wait_signal = nullif(i.wait_signal, ''),
        reason = nullif(i.reason, 'null'::jsonb), revision = r.revision + 1,
        updated_at = i.at, finished_at = CASE WHEN i.over THEN i.at END
    FROM (SELECT *, true AS kept, false AS hint_due FROM seen WHERE untouched
        UNION ALL SELECT * FROM armed UNION ALL SELECT * FROM ended) i
    WHERE r.id = i.run_id AND r.revision = i.revision
    RETURNING r.id, r.tenant_id, i.epoch, i.revision, i.kept, i.hint_due, i.line_id, i.line_state, i.outcome, i.next_state,
        i.line_attempt, i.line_reason, i.event_id, i.at
), history AS (
    INSERT INTO run_history (id, tenant_id, run_id, revision, state, outcome, next_state, attempt, reason, node, at)
    SELECT line_id, tenant_id, id, revision + 1, line_state, outcome, nullif(next_state, ''), line_attempt,
        nullif(line_reason, 'null'::jsonb), $24, at FROM moved
), events AS (
    INSERT INTO event_log (id, tenant_id, topic, subject, payload, at)
    SELECT event_id, tenant_id, $31, id, '{}', $32 FROM moved
), consumed AS (
    DELETE FROM signal s USING moved m, unnest($25::uuid[], $28::bigint[], $29::bigint[]) AS e(id, epoch, revision)
    WHERE s.run_id = m.id AND s.id = e.id AND e.epoch = m.epoch AND e.revision = m.revision
)
SELECT id, epoch, revision, kept, hint_due FROM moved";

/// Moves a whole batch with one statement, and stores the events of its runs.
async fn move_batch(
    services: &System,
    connection: &impl ConnectionTrait,
    node: &str,
    batch: &[Transition],
    events: &[Event],
) -> Result<MovedJobs, DatabaseError> {
    fn list<T: Into<Value>>(batch: &[Transition], column: impl Fn(&Transition) -> T) -> Vec<T> {
        batch.iter().map(column).collect()
    }
    // Arrays hold no NULL: the empty text and JSON null stand for it.
    let reason =
        |reason: &Option<domain::Reason>| -> Json { serde_json::to_value(reason).unwrap_or(Json::Null) };
    let consumed =
        || batch.iter().flat_map(|transition| transition.consumed.iter().map(move |id| (*id, transition)));
    let values: Vec<Value> = vec![
        list(batch, |s| s.run).into(),
        list(batch, |s| s.epoch).into(),
        list(batch, |s| s.revision).into(),
        list(batch, |s| s.wakes).into(),
        list(batch, |s| s.version).into(),
        list(batch, |s| s.state.clone()).into(),
        list(batch, |s| s.status.to_string()).into(),
        list(batch, |s| s.memory.clone()).into(),
        list(batch, |s| serde_json::json!(s.trail)).into(),
        list(batch, |s| s.wait_signal.unwrap_or_default().to_owned()).into(),
        list(batch, |s| reason(&s.reason)).into(),
        list(batch, |s| s.due).into(),
        list(batch, |s| s.attempt).into(),
        list(batch, |s| s.status.is_over()).into(),
        list(batch, |_| services.ids.make::<ids::Row>()).into(),
        list(batch, |s| s.line.state.clone()).into(),
        list(batch, |s| s.line.outcome.as_str().to_owned()).into(),
        list(batch, |s| s.line.next.clone().unwrap_or_default()).into(),
        list(batch, |s| s.line.attempt).into(),
        list(batch, |s| reason(&s.line.reason)).into(),
        events.iter().map(|event| event.id).collect::<Vec<_>>().into(),
        services.clock.sql().into(),
        list(batch, |s| s.at).into(),
        node.into(),
        consumed().map(|(id, _)| id).collect::<Vec<_>>().into(),
        list(batch, |s| s.keep).into(),
        (LEASE.as_millis() as i64).into(),
        consumed().map(|(_, transition)| transition.epoch).collect::<Vec<_>>().into(),
        consumed().map(|(_, transition)| transition.revision).collect::<Vec<_>>().into(),
        list(batch, |s| s.undoing).into(),
        topic::RUN.as_str().into(),
        services.now().into(),
    ];
    let rows = connection
        .query_all_raw(Statement::from_sql_and_values(DatabaseBackend::Postgres, COMMIT_BATCH, values))
        .await?;
    let read = |row: &QueryResult| {
        Ok(((row.try_get("", "id")?, row.try_get("", "epoch")?, row.try_get("", "revision")?), job(row)?))
    };
    rows.iter().map(read).collect()
}

/// Gives back a claim of a workflow that this node does not know; another node may take it.
pub async fn give_back(services: &System, claimed: &Claimed) {
    if let Err(error) = runs::release(services.store.by_key(), claimed.run, claimed.epoch).await {
        tracing::warn!(%error, run = %claimed.run, "a claim could not be given back; its lease will run out");
    }
}
