//! Revives a run that failed or was quarantined.

use domain::{
    Id, JobHint, Timestamp, ids,
    state::{Lane, RunStatus, StepOutcome},
};
use entity::{
    DatabaseError, run,
    run::{Column, Entity},
    run_history, signal,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder, SqlErr, UpdateMany, prelude::Json, sea_query::Expr,
};
use serde_json::json;

use crate::{Run, is_postgres, postgres, sqlite};

/// Outcome of reviving a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviveOutcome {
    /// The run was revived and has a job that is due now; the caller publishes the hint after its commit.
    Revived(JobHint),
    /// Nothing was changed: the run's status does not permit a retry, or another caller revived the run first.
    NotRetryable,
    /// Another unfinished run with the same key exists. The transaction must be rolled back.
    AlreadyLive,
}

/// Revives a run and resets its number of attempts.
///
/// A quarantined run continues in its state, forwards or undoing as before. A failed run has undone all its steps, so
/// it starts again from its first state with the same memory. Adds the history row `entry`, which records `by` as the
/// actor.
pub async fn revive(
    txn: &DatabaseTransaction,
    run: &Run,
    (entry, by): (Id<ids::Row>, &str),
    at: Timestamp,
) -> Result<ReviveOutcome, DatabaseError> {
    let Some(update) = update(txn, run, at).await? else { return Ok(ReviveOutcome::NotRetryable) };
    match update.exec(txn).await {
        Ok(done) if done.rows_affected == 1 => {}
        Ok(_) => return Ok(ReviveOutcome::NotRetryable),
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
            return Ok(ReviveOutcome::AlreadyLive);
        }
        Err(error) => return Err(error.into()),
    }
    insert_entry(txn, run, (entry, by), at).await?;
    // A lane that only a newer version knows counts as the least urgent.
    let lane = run.lane.known().unwrap_or(Lane::Background);
    let hint = JobHint { run: run.id, tenant: run.tenant_id, lane };
    let job = match is_postgres(txn.get_database_backend()) {
        true => postgres::insert_jobs(&[hint], at),
        false => sqlite::insert_jobs(&[hint], at),
    };
    txn.execute_raw(job).await?;
    Ok(ReviveOutcome::Revived(hint))
}

/// The update of the run's row; `None` if its status does not permit a retry. The new revision fences off a worker that
/// still has the previous one.
async fn update(
    txn: &DatabaseTransaction,
    run: &Run,
    at: Timestamp,
) -> Result<Option<UpdateMany<Entity>>, DatabaseError> {
    let update = run::update(run.tenant_id)
        .filter(Column::Id.eq(run.id))
        .filter(Column::Status.eq(run.status.as_str()))
        .filter(Column::Revision.eq(run.revision))
        .col_expr(Column::Revision, Expr::value(run.revision + 1))
        .col_expr(Column::UpdatedAt, Expr::value(at))
        .col_expr(Column::FinishedAt, Expr::value(None::<Timestamp>));
    let with_status = |update: UpdateMany<Entity>, status: RunStatus| {
        update.col_expr(Column::Status, Expr::value(status.as_str()))
    };
    Ok(Some(match run.status.known() {
        // Somebody who asked for a cancellation is still owed it.
        Some(RunStatus::Quarantined) if run.undoing => {
            let reason = reason_for_undoing(txn, run).await?.or_else(|| run.reason.clone());
            with_status(update.col_expr(Column::Reason, Expr::value(reason)), RunStatus::Undoing)
        }
        Some(RunStatus::Quarantined) if run.state.is_some() => {
            with_status(forwards(update), RunStatus::Running)
        }
        Some(RunStatus::Quarantined) => with_status(forwards(update), RunStatus::Ordered),
        Some(RunStatus::Failed) => {
            delete_signals(txn, run).await?;
            with_status(from_the_first_state(forwards(update)), RunStatus::Ordered)
        }
        _ => return Ok(None),
    }))
}

/// Resets a run to forward execution: clears its reason and any cancellation request.
fn forwards(update: UpdateMany<Entity>) -> UpdateMany<Entity> {
    update
        .col_expr(Column::Reason, Expr::value(None::<Json>))
        .col_expr(Column::CancelRequested, Expr::value(false))
}

fn from_the_first_state(update: UpdateMany<Entity>) -> UpdateMany<Entity> {
    update
        .col_expr(Column::State, Expr::value(None::<String>))
        .col_expr(Column::Version, Expr::value(None::<i32>))
        .col_expr(Column::WaitSignal, Expr::value(None::<String>))
        .col_expr(Column::Undoing, Expr::value(false))
        .col_expr(Column::Trail, Expr::value(json!([])))
}

/// Why a run is being undone, from its history: the reason in its row is replaced when the run is quarantined.
async fn reason_for_undoing(txn: &DatabaseTransaction, run: &Run) -> Result<Option<Json>, DatabaseError> {
    use run_history::{Column, of};
    let turned = of(run.tenant_id).filter(Column::RunId.eq(run.id)).filter(
        Column::Outcome.is_in([StepOutcome::Failed, StepOutcome::Cancelled].map(StepOutcome::as_str)),
    );
    let line = turned.order_by_desc(Column::Revision).one(txn).await?;
    Ok(line.and_then(|line| line.reason))
}

/// Deletes the signals sent to the failed attempt; they do not apply to the next one.
async fn delete_signals(txn: &DatabaseTransaction, run: &Run) -> Result<(), DatabaseError> {
    signal::delete(run.tenant_id).filter(signal::Column::RunId.eq(run.id)).exec(txn).await?;
    Ok(())
}

async fn insert_entry(
    txn: &DatabaseTransaction,
    run: &Run,
    (id, by): (Id<ids::Row>, &str),
    at: Timestamp,
) -> Result<(), DatabaseError> {
    let line = run_history::ActiveModel {
        id: Set(id),
        tenant_id: Set(run.tenant_id),
        run_id: Set(run.id),
        revision: Set(run.revision + 1),
        state: Set(run.state.clone().unwrap_or_default()),
        outcome: Set(StepOutcome::Revived.into()),
        next_state: Set(None),
        attempt: Set(0),
        reason: Set(None),
        node: Set(by.to_owned()),
        at: Set(at),
    };
    run_history::Entity::insert(line).exec_without_returning(txn).await?;
    Ok(())
}
