//! Runs of workflows, for people: list, retry, signal and cancel.

use domain::Hint;
use domain::{
    AnyId, Id, Permission,
    access::Denied,
    ids, may,
    state::{Lane, RunStatus, StepOutcome},
    text::{self, Shape},
};
use entity::{
    StateName,
    run::{Column, Model},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, UpdateMany,
    prelude::Json, sea_query::Expr,
};
use serde_json::json;

use crate::{
    Error, Page, PageArgs, Refusal, Result, System, Tx,
    catalogue::WorkflowInfo,
    error::is_duplicate,
    events::topic,
    page,
    proof::{Allowed, Member, TenantScope},
};

/// The longest name of a signal, in characters.
const LONGEST_SIGNAL: usize = 100;

crate::noun! {
    /// Runs of workflows.
    Runs
}

/// Selects runs. A run must match every member that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only runs with this subject: the id of an integration, connection, campaign or booking.
    pub subject: Option<AnyId>,
    /// Only runs of this workflow.
    pub workflow: Option<String>,
    /// Only runs with this status; `Some(None)` for a status that only a newer version knows.
    pub status: Option<Option<RunStatus>>,
}

impl Runs {
    /// One page of the tenant's runs.
    pub async fn list(
        &self,
        by: &Allowed<may::RunView>,
        filter: RunFilter,
        args: PageArgs,
    ) -> Result<Page<Model>> {
        let tenant = by.tenant();
        let txn = self.services.read(tenant).await?;
        let mut runs = entity::run::of(tenant);
        if let Some(subject) = filter.subject {
            runs = runs.filter(Column::Subject.eq(subject));
        }
        if let Some(workflow) = filter.workflow {
            runs = runs.filter(Column::Workflow.eq(workflow));
        }
        if let Some(status) = filter.status {
            runs = runs.filter(entity::holds(Column::Status, status));
        }
        page::read(runs, Column::Id, args, &txn).await
    }

    /// The run with this id.
    pub async fn get(&self, by: &Allowed<may::RunView>, id: Id<ids::Run>) -> Result<Model> {
        self.of(by, id).await
    }

    /// The run with this id, which the caller must have started.
    pub async fn get_own(&self, by: &Member, id: Id<ids::Run>) -> Result<Model> {
        let run = self.of(by, id).await?;
        match run.asked_by == by.actor() {
            true => Ok(run),
            false => Err(Denied::Forbidden(Permission::RunView).into()),
        }
    }

    async fn of(&self, by: &Member, id: Id<ids::Run>) -> Result<Model> {
        let tenant = by.tenant();
        let txn = self.services.read(tenant).await?;
        entity::run::one(tenant, id).one(&txn).await?.ok_or_else(|| Error::not_found("run"))
    }

    /// The latest runs of all tenants, for the operator's commands.
    pub async fn latest(
        &self,
        _by: &System,
        status: Option<RunStatus>,
        workflow: Option<&str>,
        first: u64,
    ) -> Result<Vec<Model>> {
        let mut runs = entity::run::all_tenants();
        if let Some(status) = status {
            runs = runs.filter(Column::Status.eq(status.as_str()));
        }
        if let Some(workflow) = workflow {
            runs = runs.filter(Column::Workflow.eq(workflow));
        }
        Ok(runs.order_by_desc(Column::Id).limit(first).all(self.services.store.engine()).await?)
    }

    /// The tenant of a run, for the operator's commands.
    pub async fn tenant_of(&self, _by: &System, id: Id<ids::Run>) -> Result<Id<ids::Tenant>> {
        let run = entity::run::all_tenants().filter(Column::Id.eq(id));
        let run = run.one(self.services.store.engine()).await?;
        run.map(|run| run.tenant_id).ok_or_else(|| Error::not_found("run"))
    }

    /// All committed steps of a run, oldest first.
    pub async fn history(
        &self,
        by: &Allowed<may::RunView>,
        id: Id<ids::Run>,
    ) -> Result<Vec<entity::run_history::Model>> {
        use entity::run_history::Column;
        let tenant = by.tenant();
        let txn = self.services.read(tenant).await?;
        let steps = entity::run_history::of(tenant).filter(Column::RunId.eq(id));
        Ok(steps.order_by_asc(Column::Revision).all(&txn).await?)
    }

    /// The tenant's runs with these ids, for a data loader.
    pub async fn by_ids(&self, scope: TenantScope, runs: &[Id<ids::Run>]) -> Result<Vec<Model>> {
        let txn = self.services.read(scope.tenant()).await?;
        Ok(entity::run::by_ids(scope.tenant(), runs.iter().copied()).all(&txn).await?)
    }

    /// The workflows with their states.
    pub fn workflows(&self, _by: &Allowed<may::RunView>) -> Vec<WorkflowInfo> {
        self.services.catalogue().map(|catalogue| catalogue.workflows()).unwrap_or_default()
    }

    /// Mermaid diagram of a run's workflow with the current state marked. `None` before the run's first step.
    pub fn diagram(&self, _by: &Member, run: &Model) -> Option<String> {
        self.services.catalogue()?.diagram(
            &run.workflow,
            run.version?,
            run.state.as_ref().map(StateName::as_str),
        )
    }

    /// Retries a run.
    ///
    /// A quarantined run continues in its state, forwards or undoing as before. A failed run has undone everything, so
    /// it starts again from its first state with the same memory.
    pub async fn retry(&self, by: &Allowed<may::RunEdit>, id: Id<ids::Run>) -> Result<Model> {
        let mut tx = self.services.begin(by.tenant()).await?;
        let run = present(&tx, id).await?;
        set_live(&tx, &run).await?;
        remember_retry(&tx, &run, self.services.ids.make(), by.actor()).await?;
        // A lane that only a newer version knows counts as the least urgent.
        let lane = run.lane.known().unwrap_or(Lane::Background);
        let hint = Hint { run: run.id, tenant: run.tenant_id, lane };
        runs::requeue(tx.conn(), &hint, tx.now()).await?;
        tx.hint(hint);
        self.done(tx, by, "run.retry", id, json!({ "was": run.status })).await
    }

    /// Asks a run to stop and to undo its completed steps. The run continues until it reads the request.
    pub async fn cancel(&self, by: &Allowed<may::RunEdit>, id: Id<ids::Run>) -> Result<Model> {
        let mut tx = self.services.begin(by.tenant()).await?;
        present(&tx, id).await?.status.require()?;
        let hint = runs::request_cancel(tx.conn(), tx.tenant(), id, tx.now()).await?;
        tx.hint(hint.ok_or_else(over)?);
        self.done(tx, by, "run.cancel", id, json!({})).await
    }

    /// Sends a signal to a run, as if the event it waits for had happened.
    pub async fn signal(
        &self,
        by: &Allowed<may::RunEdit>,
        id: Id<ids::Run>,
        name: &str,
        payload: Json,
    ) -> Result<Model> {
        if name.is_empty() || text::accept(name, Shape::Line, LONGEST_SIGNAL).is_err() {
            let message = format!("A signal's name has 1 to {LONGEST_SIGNAL} characters.");
            let refusal = Refusal::new("NAME_MALFORMED", message).at("name");
            return Err(refusal.exceeding(LONGEST_SIGNAL, name.chars().count()).into());
        }
        let mut tx = self.services.begin(by.tenant()).await?;
        let run = present(&tx, id).await?;
        if run.workflow == "connect_integration" {
            // Its signals say that an administrator was there; they come from the connect page alone.
            let message = "A signal cannot continue a connection. Use the connect page or the integration's \
                own mutations.";
            return Err(Error::refuse("SIGNAL_NOT_BY_HAND", message));
        }
        if !tx.signal(id, name, payload).await? {
            return Err(over());
        }
        self.done(tx, by, "run.signal", id, json!({ "name": name })).await
    }

    async fn done(
        &self,
        mut tx: Tx,
        by: &Member,
        action: &'static str,
        id: Id<ids::Run>,
        details: Json,
    ) -> Result<Model> {
        tx.audit(&by.actor(), action, id.to_string(), details);
        tx.event(topic::RUN, id);
        let run = present(&tx, id).await?;
        tx.commit().await?;
        Ok(run)
    }
}

async fn present(tx: &Tx, id: Id<ids::Run>) -> Result<Model> {
    let run = entity::run::one(tx.tenant(), id).one(tx.conn()).await?;
    run.ok_or_else(|| Error::not_found("run"))
}

/// Makes a run live again, unless another caller just did. The new revision fences off a worker that still holds
/// the previous one.
async fn set_live(tx: &Tx, run: &Model) -> Result<()> {
    let not_retryable =
        || Error::refuse("RUN_NOT_RETRYABLE", "Only a run that failed or was quarantined can be retried.");
    let mut statement = entity::run::update(tx.tenant())
        .filter(Column::Id.eq(run.id))
        .filter(Column::Status.eq(run.status.as_str()))
        .filter(Column::Revision.eq(run.revision))
        .col_expr(Column::Revision, Expr::value(run.revision + 1))
        .col_expr(Column::UpdatedAt, Expr::value(tx.now()))
        .col_expr(Column::FinishedAt, Expr::value(None::<domain::Timestamp>));
    statement = match run.status.require()? {
        // Somebody who asked for it is still owed it.
        RunStatus::Quarantined if run.undoing => {
            let reason = undone_for(tx, run.id).await?.or_else(|| run.reason.clone());
            let statement = statement.col_expr(Column::Reason, Expr::value(reason));
            statement.col_expr(Column::Status, Expr::value(RunStatus::Undoing.as_str()))
        }
        RunStatus::Quarantined if run.state.is_some() => {
            forwards(statement).col_expr(Column::Status, Expr::value(RunStatus::Running.as_str()))
        }
        RunStatus::Quarantined => {
            forwards(statement).col_expr(Column::Status, Expr::value(RunStatus::Ordered.as_str()))
        }
        RunStatus::Failed => {
            forget_signals(tx, run.id).await?;
            forwards(statement)
                .col_expr(Column::Status, Expr::value(RunStatus::Ordered.as_str()))
                .col_expr(Column::State, Expr::value(None::<String>))
                .col_expr(Column::Version, Expr::value(None::<i32>))
                .col_expr(Column::WaitSignal, Expr::value(None::<String>))
                .col_expr(Column::Undoing, Expr::value(false))
                .col_expr(Column::Trail, Expr::value(json!([])))
        }
        _ => return Err(not_retryable()),
    };
    match statement.exec(tx.conn()).await {
        Ok(done) if done.rows_affected == 1 => Ok(()),
        Ok(_) => Err(not_retryable()),
        Err(error) if is_duplicate(&error) => {
            let message = "Another run is already doing the same. Wait for it, or cancel it first.";
            Err(Error::refuse("RUN_ALREADY_LIVE", message))
        }
        Err(error) => Err(error.into()),
    }
}

/// Records the retry in the history, which has one line for each revision of a run.
async fn remember_retry(tx: &Tx, run: &Model, id: Id<ids::Row>, by: String) -> Result<()> {
    let line = entity::run_history::ActiveModel {
        id: Set(id),
        tenant_id: Set(run.tenant_id),
        run_id: Set(run.id),
        revision: Set(run.revision + 1),
        state: Set(run.state.clone().unwrap_or_default()),
        outcome: Set(StepOutcome::Revived.into()),
        next_state: Set(None),
        attempt: Set(0),
        reason: Set(None),
        node: Set(by),
        at: Set(tx.now()),
    };
    entity::run_history::Entity::insert(line).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// Resets a run to going forwards: clears its reason and any request to cancel.
fn forwards(update: UpdateMany<entity::run::Entity>) -> UpdateMany<entity::run::Entity> {
    update
        .col_expr(Column::Reason, Expr::value(None::<Json>))
        .col_expr(Column::CancelRequested, Expr::value(false))
}

/// Why a run is being undone, read from its history: since it was quarantined, its row states why that happened.
async fn undone_for(tx: &Tx, run: Id<ids::Run>) -> Result<Option<Json>> {
    use entity::run_history::{Column, of};
    let turned = of(tx.tenant()).filter(Column::RunId.eq(run)).filter(
        Column::Outcome.is_in([StepOutcome::Failed, StepOutcome::Cancelled].map(StepOutcome::as_str)),
    );
    let line = turned.order_by_desc(Column::Revision).one(tx.conn()).await?;
    Ok(line.and_then(|line| line.reason))
}

/// Deletes the signals sent to the failed attempt; they are not meant for the next one.
async fn forget_signals(tx: &Tx, run: Id<ids::Run>) -> Result<()> {
    entity::signal::delete(tx.tenant()).filter(entity::signal::Column::RunId.eq(run)).exec(tx.conn()).await?;
    Ok(())
}

fn over() -> Error {
    Error::refuse("RUN_OVER", "This run has ended: it can no longer be cancelled or signalled.")
}
