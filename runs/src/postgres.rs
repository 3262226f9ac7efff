//! The SQL statements for PostgreSQL: set-based, using the database's own clock in production.
//!
//! `coalesce({now}, now())` is the time with which leases and timers are compared: the parameter is NULL in production.

use std::{collections::HashSet, time::Duration};

use domain::{Clock, Id, JobHint, Timestamp, ids, state::RunStatus};
use entity::DatabaseError;
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement, Value};
use serde_json::{Value as Json, json};

use crate::{
    NewRun, Transition,
    claim::CRASH_WINDOW,
    commit::NewTransition,
    json,
    unnest::{build_statement, columns},
    value,
};

/// Converts a duration to a statement parameter in milliseconds.
fn millis(time: Duration) -> Value {
    (time.as_millis() as i64).into()
}

// Jobs are due by the database's clock: a node whose own clock is ahead would have to wait.
const ENQUEUE: &str = "
WITH enqueued AS (
    INSERT INTO run (id, tenant_id, workflow, memory, trail, revision, status, lane, business_key, subject, asked_by,
        cancel_requested, undoing, created_at, updated_at)
    SELECT id, tenant_id, workflow, memory, '[]', 0, {status}, lane, business_key, subject, asked_by, false, false,
        {at}, {at}
    FROM {new_runs}
    ON CONFLICT DO NOTHING RETURNING id, tenant_id, lane
)
INSERT INTO job (run_id, tenant_id, lane, due_at, offered_at, epoch, attempt, crashes, wakes)
SELECT id, tenant_id, lane, least({at}, now()), least({at}, now()), 0, 0, 0, 0 FROM enqueued RETURNING run_id";

columns! {
    /// Runs to insert.
    new_runs(NewRun) {
        id: "uuid" = |run| run.id;
        tenant_id: "uuid" = |run| run.tenant;
        workflow: "text" = |run| run.workflow.to_owned();
        memory: "jsonb" = |run| run.memory.clone();
        lane: "text" = |run| run.lane.to_string();
        business_key: "text" = |run| run.business_key.clone();
        subject: "uuid" = |run| run.subject;
        asked_by: "text" = |run| run.asked_by.clone();
    }
}

/// Inserts runs and their jobs with a single statement; returns the inserted runs.
pub(crate) async fn enqueue(
    txn: &DatabaseTransaction,
    runs: &[NewRun],
    at: Timestamp,
) -> Result<HashSet<Id<ids::Run>>, DatabaseError> {
    let scalars = [("status", RunStatus::Ordered.as_str().into()), ("at", at.into())];
    let rows = txn.query_all_raw(build_statement(ENQUEUE, [new_runs(runs)], scalars)).await?;
    rows.iter().map(|row| Ok(row.try_get("", "run_id")?)).collect()
}

columns! {
    /// Jobs to insert.
    new_jobs(JobHint) {
        run_id: "uuid" = |job| job.run;
        tenant_id: "uuid" = |job| job.tenant;
        lane: "text" = |job| job.lane.to_string();
    }
}

/// Inserts jobs for existing runs, due immediately.
pub(crate) fn insert_jobs(jobs: &[JobHint], at: Timestamp) -> Statement {
    let sql = "INSERT INTO job (run_id, tenant_id, lane, due_at, offered_at, epoch, attempt, crashes, wakes)
        SELECT run_id, tenant_id, lane, least({at}, now()), least({at}, now()), 0, 0, 0, 0 FROM {new_jobs}";
    build_statement(sql, [new_jobs(jobs)], [("at", at.into())])
}

/// Makes a job due now.
pub(crate) fn wake_job(tenant: Id<ids::Tenant>, run: Id<ids::Run>, at: Timestamp) -> Statement {
    let sql = "UPDATE job SET wakes = wakes + 1, offered_at = least({at}, now()),
        due_at = CASE WHEN due_at > least({at}, now()) THEN least({at}, now()) ELSE due_at END
        WHERE tenant_id = {tenant} AND run_id = {run} RETURNING run_id, tenant_id, lane";
    build_statement(sql, [], [("tenant", tenant.into()), ("run", run.into()), ("at", at.into())])
}

/// Makes the jobs of all waiting runs whose reason has this code due immediately.
pub(crate) fn wake_runs_with_reason(tenant: Id<ids::Tenant>, code: &str, at: Timestamp) -> Statement {
    let sql = "UPDATE job SET wakes = wakes + 1, offered_at = least({at}, now()),
        due_at = CASE WHEN due_at > least({at}, now()) THEN least({at}, now()) ELSE due_at END
        FROM run WHERE run.id = job.run_id AND run.tenant_id = {tenant} AND job.tenant_id = {tenant}
          AND run.finished_at IS NULL AND run.reason->>'code' = {code}
        RETURNING job.run_id, job.tenant_id, job.lane";
    build_statement(sql, [], [("tenant", tenant.into()), ("code", code.into()), ("at", at.into())])
}

// A claim does not wait for the disk. One that a crash of the database takes back is as if it had never been: another
// worker may get the same epoch, and of two results the run's revision lets one through.
const CLAIM: &str = "
UPDATE job SET epoch = epoch + 1, leased_by = {node},
    lease_until = coalesce({now}, now()) + {lease_ms} * interval '1 millisecond',
    crashes = CASE WHEN lease_until IS NULL THEN crashes
        WHEN first_crash_at > coalesce({now}, now()) - {within_ms} * interval '1 millisecond' THEN crashes + 1 ELSE 1 END,
    first_crash_at = CASE WHEN lease_until IS NULL
        OR first_crash_at > coalesce({now}, now()) - {within_ms} * interval '1 millisecond' THEN first_crash_at
        ELSE coalesce({now}, now()) END
WHERE (SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL AND run_id IN (
    SELECT run_id FROM job
    WHERE run_id = ANY({runs}) AND due_at <= coalesce({now}, now())
      AND (lease_until IS NULL OR lease_until <= coalesce({now}, now()))
    FOR UPDATE SKIP LOCKED)
RETURNING run_id, tenant_id, lane, epoch, attempt, crashes, wakes, coalesce({now}, now()) AS at";

/// Claims due jobs that are not claimed yet.
pub(crate) fn claim(clock: &dyn Clock, node: &str, runs: &[Id<ids::Run>], lease: Duration) -> Statement {
    let scalars = [
        ("now", value(clock.sql())),
        ("lease_ms", millis(lease)),
        ("node", node.into()),
        ("runs", runs.to_vec().into()),
        ("within_ms", millis(CRASH_WINDOW)),
    ];
    build_statement(CLAIM, [], scalars)
}

columns! {
    /// Claims to renew: a run, and the epoch of its claim.
    held((Id<ids::Run>, i64)) {
        run_id: "uuid" = |claim| claim.0;
        epoch: "bigint" = |claim| claim.1;
    }
}

/// Extends leases.
pub(crate) fn renew(clock: &dyn Clock, claims: &[(Id<ids::Run>, i64)], lease: Duration) -> Statement {
    let sql = "UPDATE job j SET lease_until = coalesce({now}, now()) + {lease_ms} * interval '1 millisecond'
        FROM {held}
        WHERE j.run_id = held.run_id AND j.epoch = held.epoch AND j.lease_until IS NOT NULL
        RETURNING j.run_id";
    build_statement(sql, [held(claims)], [("now", value(clock.sql())), ("lease_ms", millis(lease))])
}

/// Statement that ends the leases of a node.
pub(crate) fn end_node_leases(clock: &dyn Clock, node: &str) -> Statement {
    let sql = "UPDATE job SET lease_until = coalesce({now}, now()), offered_at = NULL
        WHERE leased_by = {node} AND lease_until > coalesce({now}, now())";
    build_statement(sql, [], [("now", value(clock.sql())), ("node", node.into())])
}

// Tenants are found by jumping from one to the next in the indexes, so that a tenant with a million jobs costs no more
// than one with one. A locked job is being claimed, committed, woken or offered at this moment: waiting for it would
// only bring deadlocks.
const SWEEP: &str = "
WITH RECURSIVE fresh (tenant_id) AS (
    (SELECT tenant_id FROM job WHERE offered_at IS NULL ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT j.tenant_id FROM job j WHERE j.offered_at IS NULL AND j.tenant_id > t.tenant_id
            ORDER BY j.tenant_id LIMIT 1) FROM fresh t WHERE t.tenant_id IS NOT NULL
), offered (tenant_id) AS (
    (SELECT tenant_id FROM job WHERE offered_at IS NOT NULL ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT j.tenant_id FROM job j WHERE j.offered_at IS NOT NULL AND j.tenant_id > t.tenant_id
            ORDER BY j.tenant_id LIMIT 1) FROM offered t WHERE t.tenant_id IS NOT NULL
), due AS (
    SELECT d.run_id, d.since, row_number() OVER (PARTITION BY t.tenant_id ORDER BY d.since) AS turn
    FROM fresh t CROSS JOIN LATERAL (
        SELECT run_id, due_at AS since FROM job WHERE tenant_id = t.tenant_id AND offered_at IS NULL
            AND due_at <= coalesce({now}, now()) AND (lease_until IS NULL OR lease_until <= coalesce({now}, now()))
        ORDER BY due_at LIMIT {max}) d
    UNION ALL
    SELECT d.run_id, d.since, row_number() OVER (PARTITION BY t.tenant_id ORDER BY d.since) AS turn
    FROM offered t CROSS JOIN LATERAL (
        SELECT run_id, offered_at AS since FROM job WHERE tenant_id = t.tenant_id
            AND offered_at <= coalesce({now}, now()) - {again_ms} * interval '1 millisecond'
            AND due_at <= coalesce({now}, now()) AND (lease_until IS NULL OR lease_until <= coalesce({now}, now()))
        ORDER BY offered_at LIMIT {max}) d
    WHERE {again_ms} IS NOT NULL
)
UPDATE job SET offered_at = coalesce({now}, now()) WHERE run_id IN (
    SELECT run_id FROM job WHERE run_id IN (SELECT run_id FROM due ORDER BY turn, since LIMIT {max})
    FOR UPDATE SKIP LOCKED)
RETURNING run_id, tenant_id, lane";

/// Statement that selects due jobs and marks them as offered.
pub(crate) fn sweep(clock: &dyn Clock, again: Option<Duration>, max: u32) -> Statement {
    let again = again.map(|again| again.as_millis() as i64);
    let scalars = [("now", value(clock.sql())), ("again_ms", again.into()), ("max", i64::from(max).into())];
    build_statement(SWEEP, [], scalars)
}

/// Statement that reads the earliest due time of a job that has not been offered.
pub(crate) fn next_due(clock: &dyn Clock) -> Statement {
    let sql = "SELECT due_at, coalesce({now}, now()) AS at FROM job WHERE offered_at IS NULL ORDER BY due_at LIMIT 1";
    build_statement(sql, [], [("now", value(clock.sql()))])
}

// A claim that is kept is not written while half of its lease is left: whoever would take it from its worker moves the
// epoch on, and a signal moves the wakes on, which the worker's next result is held against. Whether that is so is seen
// once, as one column: asked again of a row that has changed meanwhile, it would fall between the two. What is due at
// once is due by the database's clock, or a node whose clock is ahead would wait for itself. A job is touched only with
// its run: a retried run has a new job, whose epoch a zombie from before may hold by chance. What is written later goes
// from hand to hand by RETURNING: joined to the input again it would cost the square of the batch. The tenant is that of
// the run as it is stored, never the caller's word.
const COMMIT: &str = "
WITH seen AS (
    SELECT i.*, (i.keep AND j.wakes = i.wakes AND j.attempt = i.attempt AND j.crashes = 0
        AND j.lease_until > coalesce({now}, now()) + {lease_ms} / 2 * interval '1 millisecond') IS TRUE AS untouched
    FROM {i} JOIN job j ON j.run_id = i.run_id AND j.epoch = i.epoch
), armed AS (
    UPDATE job j SET attempt = i.attempt, crashes = 0, first_crash_at = NULL,
        lease_until = CASE WHEN i.keep AND j.wakes = i.wakes
            THEN coalesce({now}, now()) + {lease_ms} * interval '1 millisecond' END,
        leased_by = CASE WHEN i.keep AND j.wakes = i.wakes THEN j.leased_by END,
        offered_at = CASE WHEN i.keep AND j.wakes = i.wakes THEN j.offered_at
            WHEN j.wakes <> i.wakes OR i.due_at <= i.at THEN coalesce({now}, now()) END,
        due_at = CASE WHEN i.keep AND j.wakes = i.wakes THEN j.due_at
            WHEN j.wakes <> i.wakes OR i.due_at <= i.at THEN least(i.due_at, coalesce({now}, now()))
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
        i.line_attempt, i.line_reason, i.event_id, i.told, i.at
), history AS (
    INSERT INTO run_history (id, tenant_id, run_id, revision, state, outcome, next_state, attempt, reason, node, at)
    SELECT line_id, tenant_id, id, revision + 1, line_state, outcome, nullif(next_state, ''), line_attempt,
        nullif(line_reason, 'null'::jsonb), {node}, at FROM moved
), events AS (
    INSERT INTO event_log (id, tenant_id, topic, subject, payload, at)
    SELECT event_id, tenant_id, {topic}, id, '{}', {event_at} FROM moved WHERE told
), consumed AS (
    DELETE FROM signal s USING moved m, {e}
    WHERE s.run_id = m.id AND s.id = e.id AND e.epoch = m.epoch AND e.revision = m.revision
)
SELECT id, epoch, revision, kept, hint_due FROM moved";

// Arrays hold no NULL: the empty text and JSON null stand for it.
columns! {
    /// Transitions to write.
    i(NewTransition<'_>) {
        run_id: "uuid" = |m| m.transition.run;
        epoch: "bigint" = |m| m.transition.epoch;
        revision: "bigint" = |m| m.transition.revision;
        wakes: "bigint" = |m| m.transition.wakes;
        version: "int" = |m| m.transition.version;
        state: "text" = |m| m.transition.state.clone();
        status: "text" = |m| m.transition.status.to_string();
        undoing: "bool" = |m| m.transition.undoing;
        memory: "jsonb" = |m| m.transition.memory.clone();
        trail: "jsonb" = |m| json!(m.transition.trail);
        wait_signal: "text" = |m| m.transition.wait_signal.unwrap_or_default().to_owned();
        reason: "jsonb" = |m| json(m.transition.reason.as_ref()).unwrap_or(Json::Null);
        at: "timestamptz" = |m| m.transition.at;
        due_at: "timestamptz" = |m| m.transition.due;
        attempt: "int" = |m| m.transition.attempt;
        keep: "bool" = |m| m.transition.keep;
        over: "bool" = |m| m.transition.status.is_over();
        line_id: "uuid" = |m| m.line;
        line_state: "text" = |m| m.transition.line.state.clone();
        outcome: "text" = |m| m.transition.line.outcome.as_str().to_owned();
        next_state: "text" = |m| m.transition.line.next.clone().unwrap_or_default();
        line_attempt: "int" = |m| m.transition.line.attempt;
        line_reason: "jsonb" = |m| json(m.transition.line.reason.as_ref()).unwrap_or(Json::Null);
        event_id: "uuid" = |m| m.event.map_or(Id::nil(), |event| event.id);
        told: "bool" = |m| m.event.is_some();
    }
}

columns! {
    /// Consumed signals, each with the transition of the step that consumed it.
    e((Id<ids::Row>, &Transition)) {
        id: "uuid" = |signal| signal.0;
        epoch: "bigint" = |signal| signal.1.epoch;
        revision: "bigint" = |signal| signal.1.revision;
    }
}

/// Writes a whole batch of step results, including the events of its runs.
pub(crate) fn commit(
    clock: &dyn Clock,
    (node, lease): (&str, Duration),
    rows: &[NewTransition<'_>],
    (topic, event_at): (&str, Timestamp),
) -> Statement {
    let consumed = rows.iter().flat_map(|row| row.transition.consumed.iter().map(|id| (*id, row.transition)));
    let consumed: Vec<_> = consumed.collect();
    let scalars = [
        ("now", value(clock.sql())),
        ("lease_ms", millis(lease)),
        ("node", node.into()),
        ("topic", topic.into()),
        ("event_at", event_at.into()),
    ];
    build_statement(COMMIT, [i(rows), e(&consumed)], scalars)
}

/// The statement that commits a batch on PostgreSQL, for a test of its query plan.
pub fn commit_sql() -> String {
    commit(&domain::SystemClock, ("", Duration::ZERO), &[], ("", Timestamp::UNIX_EPOCH)).sql
}
