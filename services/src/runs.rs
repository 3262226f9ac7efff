//! Use cases for runs of workflows: listing, retrying, signalling and cancelling them.

use domain::{
    AnyId, Id, Permission,
    access::Denied,
    ids, may,
    state::{Lane, RunStatus},
    text::{self, LineMode},
};
use entity::{
    StateName,
    run::{Column, Model},
};
use runs::ReviveOutcome;
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect, prelude::Json};
use serde_json::json;

use crate::{
    Error, Page, PageArgs, Refusal, Result, System, Tx,
    catalogue::WorkflowInfo,
    events::topic,
    page,
    proof::{Allowed, Member, TenantScope},
};

/// Maximum length of the name of a signal, in characters.
const LONGEST_SIGNAL: usize = 100;

crate::noun! {
    /// Runs of workflows.
    Runs
}

/// Selects runs. A run must match every criterion that is specified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only runs with this subject: the id of an integration, connection, campaign or booking.
    pub subject: Option<AnyId>,
    /// Only runs of this workflow.
    pub workflow: Option<String>,
    /// Only runs with this status; `Some(None)` for a status that only a newer version supports.
    pub status: Option<Option<RunStatus>>,
}

impl Runs {
    /// One page of the tenant's runs. Background runs are included only if the filter specifies a subject, a workflow
    /// or a status.
    pub async fn list(
        &self,
        by: &Allowed<may::RunView>,
        filter: RunFilter,
        args: PageArgs,
    ) -> Result<Page<Model>> {
        let tenant = by.tenant();
        let txn = self.services.read(tenant).await?;
        let mut runs = entity::run::of(tenant);
        if filter == RunFilter::default() {
            runs = runs.filter(Column::Lane.ne(Lane::Background.as_str()));
        }
        if let Some(subject) = filter.subject {
            runs = runs.filter(Column::Subject.eq(subject));
        }
        if let Some(workflow) = filter.workflow {
            runs = runs.filter(Column::Workflow.eq(workflow));
        }
        if let Some(status) = filter.status {
            runs = runs.filter(entity::column_equals(Column::Status, status));
        }
        page::read_page(runs, Column::Id, args, &txn).await
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
        entity::run::by_id(tenant, id).one(&txn).await?.ok_or_else(|| Error::not_found("run"))
    }

    /// The most recent runs of all tenants; for the operator's commands.
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
        Ok(runs.order_by_desc(Column::Id).limit(first).all(self.services.store.engine_connection()).await?)
    }

    /// The tenant that owns a run; for the operator's commands.
    pub async fn tenant_of(&self, _by: &System, id: Id<ids::Run>) -> Result<Id<ids::Tenant>> {
        let run = entity::run::all_tenants().filter(Column::Id.eq(id));
        let run = run.one(self.services.store.engine_connection()).await?;
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
    /// A quarantined run continues in its state, forwards or undoing as before. A failed run has undone all its steps,
    /// so it starts again from its first state with the same memory.
    pub async fn retry(&self, by: &Allowed<may::RunEdit>, id: Id<ids::Run>) -> Result<Model> {
        let mut tx = self.services.begin(by.tenant()).await?;
        let run = present(&tx, id).await?;
        run.status.require()?;
        let line = (self.services.ids.make(), by.actor());
        match runs::revive(tx.conn(), &run, (line.0, &line.1), tx.now()).await? {
            ReviveOutcome::Revived(hint) => tx.add_hint(hint),
            ReviveOutcome::NotRetryable => {
                let message = "Only a run that failed or was quarantined can be retried.";
                return Err(Error::refuse("RUN_NOT_RETRYABLE", message));
            }
            ReviveOutcome::AlreadyLive => {
                let message =
                    "Another run is already performing this task. Wait for that run, or cancel it first.";
                return Err(Error::refuse("RUN_ALREADY_LIVE", message));
            }
        }
        self.done(tx, by, "run.retry", id, json!({ "was": run.status })).await
    }

    /// Requests that a run stop and undo its completed steps. The run continues until it reads the request.
    pub async fn cancel(&self, by: &Allowed<may::RunEdit>, id: Id<ids::Run>) -> Result<Model> {
        let mut tx = self.services.begin(by.tenant()).await?;
        present(&tx, id).await?.status.require()?;
        let hint = runs::request_cancel(tx.conn(), tx.tenant(), id, tx.now()).await?;
        tx.add_hint(hint.ok_or_else(over)?);
        self.done(tx, by, "run.cancel", id, json!({})).await
    }

    /// Sends a signal to a run, as if the event that it is waiting for had happened.
    pub async fn signal(
        &self,
        by: &Allowed<may::RunEdit>,
        id: Id<ids::Run>,
        name: &str,
        payload: Json,
    ) -> Result<Model> {
        if name.is_empty() || text::check_visible(name, LineMode::Line, LONGEST_SIGNAL).is_err() {
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
        tx.add_event(topic::RUN, id);
        let run = present(&tx, id).await?;
        tx.commit().await?;
        Ok(run)
    }
}

async fn present(tx: &Tx, id: Id<ids::Run>) -> Result<Model> {
    let run = entity::run::by_id(tx.tenant(), id).one(tx.conn()).await?;
    run.ok_or_else(|| Error::not_found("run"))
}

fn over() -> Error {
    Error::refuse("RUN_OVER", "This run has ended and can no longer be cancelled or signalled.")
}
