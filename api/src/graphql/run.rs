//! Runs of workflows: their history and diagram, and mutations to retry, cancel and signal them.

use async_graphql::{Context, Description, ID, InputObject, Json, Object};
use domain::{AnyId, Id, Permission, access::Denied, ids, may};
use services::{
    Member, Refusal,
    rows::{StateName, run::Model, run_history},
    runs::RunFilter,
};
use uuid::Uuid;

use super::{
    context::{ContextExt, format_id, if_visible, parse_id},
    enums::{RunStatus, StepOutcome},
    failure::{Result, null_if_missing},
    node::{self, Node},
    page::{connection, paginate, parse_page_args},
    payload::{catch_refusals, payload},
    reason::Reason,
    scalar::DateTime,
};

/// One execution of a workflow.
#[derive(Description, Debug, Clone)]
pub struct Run(Model);

impl From<Model> for Run {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

impl Run {
    /// Identifier of the run's subject, with its prefix.
    fn about(&self) -> ID {
        let subject = self.0.subject;
        match self.0.workflow.as_str() {
            "connect_integration" | "verify_integration" => {
                format_id(subject.with_kind::<ids::Integration>())
            }
            "campaign" => format_id(subject.with_kind::<ids::Campaign>()),
            "activate_mailbox" => format_id(subject.with_kind::<ids::Connection>()),
            "write_booking" | "move_booking" | "cancel_booking" => {
                format_id(subject.with_kind::<ids::Booking>())
            }
            _ => format_id(subject.with_kind::<ids::Row>()),
        }
    }
}

#[Object(use_type_description)]
impl Run {
    /// Identifier; starts with `run_`.
    pub(super) async fn id(&self) -> ID {
        format_id(self.0.id)
    }

    /// Name of the workflow, as listed in `workflows`.
    async fn workflow(&self) -> &str {
        &self.0.workflow
    }

    /// Version of the workflow that the run uses; null before its first step.
    async fn version(&self) -> Option<i32> {
        self.0.version
    }

    /// Current state in the workflow's transition table; null before the first step.
    async fn state(&self) -> Option<&str> {
        self.0.state.as_ref().map(StateName::as_str)
    }

    /// Execution status of the run.
    async fn status(&self) -> RunStatus {
        (&self.0.status).into()
    }

    /// Why the run is in its current status; null if there is nothing to explain.
    async fn reason(&self) -> Option<Reason> {
        Reason::from_stored(self.0.reason.as_ref())
    }

    /// Recommended next action; null if there is nothing to do.
    async fn next_action(&self) -> Option<String> {
        Reason::from_stored(self.0.reason.as_ref())?.into_next_action()
    }

    /// Name of the signal that the run is waiting for; null if it is waiting for none.
    async fn waits_for(&self) -> Option<&str> {
        self.0.wait_signal.as_deref()
    }

    /// Whether cancellation of the run has been requested.
    async fn cancel_requested(&self) -> bool {
        self.0.cancel_requested
    }

    /// Who started the run: the id of a user, vendor key or invitation.
    async fn asked_by(&self) -> &str {
        &self.0.asked_by
    }

    /// Identifier of the run's subject: an integration, connection, campaign or booking.
    async fn subject_id(&self) -> ID {
        self.about()
    }

    /// The object that the run works on. Needs the same permission as the query for that type.
    async fn subject(&self, ctx: &Context<'_>) -> Option<Result<Node>> {
        let id = self.about();
        null_if_missing(Box::pin(node::read(ctx, &id))).await
    }

    /// Committed steps, oldest first. Needs `RUN_VIEW`.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<RunStepConnection>> {
        null_if_missing(async {
            let by = ctx.caller().allow::<may::RunView>()?;
            let steps = ctx.services().runs().history(&by, self.0.id).await?;
            let total = steps.len() as u64;
            let page = paginate(steps, |step| step.id.uuid(), parse_page_args(first, last, after, before)?)?;
            Ok(RunStepConnection::from_page(page, Some(total)))
        })
        .await
    }

    /// Mermaid diagram of the workflow with the current state marked; null before the first step.
    async fn diagram(&self, ctx: &Context<'_>) -> Option<String> {
        let by = ctx.caller().allow_member().ok()?;
        ctx.services().runs().diagram(&by, &self.0)
    }

    /// Time at which the run was enqueued.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Time at which the last step was committed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at.into()
    }

    /// Time at which the run ended; null until then.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(DateTime)
    }
}

connection!(Run, Model, RunConnection, RunEdge, "runs", |row| row.id.uuid());

/// One committed step of a run.
#[derive(Description, Debug, Clone)]
pub struct RunStep(run_history::Model);

impl From<run_history::Model> for RunStep {
    fn from(model: run_history::Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl RunStep {
    /// State of the workflow in which the step ran.
    async fn state(&self) -> &str {
        self.0.state.as_str()
    }

    /// How the step ended, and whether it is tried again.
    async fn outcome(&self) -> StepOutcome {
        (&self.0.outcome).into()
    }

    /// The state that follows; null if the run ended or stayed in its state.
    async fn next_state(&self) -> Option<&str> {
        self.0.next_state.as_ref().map(StateName::as_str)
    }

    /// Number of the attempt, counted from 1; 0 for a history entry that is not a step.
    async fn attempt(&self) -> i32 {
        self.0.attempt
    }

    /// Why the step had this outcome; null if there is nothing to explain.
    async fn reason(&self) -> Option<Reason> {
        Reason::from_stored(self.0.reason.as_ref())
    }

    /// Name of the server node that executed the step, or the id of the person who retried the run.
    async fn node(&self) -> &str {
        &self.0.node
    }

    /// Time at which the step was committed.
    async fn at(&self) -> DateTime {
        self.0.at.into()
    }
}

connection!(RunStep, run_history::Model, RunStepConnection, RunStepEdge, "steps of a run", |row| row
    .id
    .uuid());

/// The run that a mutation has just enqueued, visible to whoever started it.
pub(super) async fn read_enqueued(ctx: &Context<'_>, by: &Member, run: Id<ids::Run>) -> Result<Run> {
    let run = ctx.services().runs().by_ids(by.scope(), &[run]).await?.pop();
    Ok(run.ok_or_else(|| services::Error::not_found("run"))?.into())
}

/// The run with this id in the caller's tenant: any run with `RUN_VIEW`, otherwise only runs that the caller started.
pub(super) async fn read(ctx: &Context<'_>, id: &ID) -> Result<Run> {
    let id = parse_id(id, "run", "id")?;
    read_for_caller(ctx.services(), &ctx.caller(), id).await
}

/// Reads a run as [`read`] does, for a subscription, which has no query context.
pub(super) async fn read_for_caller(
    services: &services::Services,
    caller: &services::Caller,
    id: Id<ids::Run>,
) -> Result<Run> {
    match caller.allow::<may::RunView>() {
        Err(Denied::Forbidden(_)) => Ok(services.runs().get_own(&caller.allow_member()?, id).await?.into()),
        asked => Ok(services.runs().get(&asked?, id).await?.into()),
    }
}

#[derive(Default)]
pub struct RunQuery;

#[Object]
impl RunQuery {
    /// Finds a run by id; null if the tenant has no such run. Needs `RUN_VIEW` unless the caller started the run.
    async fn run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Identifier of the run.")] id: ID,
    ) -> Option<Result<Run>> {
        null_if_missing(read(ctx, &id)).await
    }

    /// Lists the runs of the tenant, oldest first. Background runs, which reread calendars and check consents, are
    /// listed only if a filter selects them. Needs `RUN_VIEW`.
    #[expect(clippy::too_many_arguments, reason = "each is an argument of the schema")]
    async fn runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Return only runs with this subject: the id of an integration, connection, campaign or booking."
        )]
        subject_id: Option<ID>,
        #[graphql(desc = "Return only runs of this workflow.")] workflow: Option<String>,
        #[graphql(desc = "Return only runs with this status.")] status: Option<RunStatus>,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<RunConnection>> {
        Some(
            async {
                let by = ctx.caller().allow::<may::RunView>()?;
                let subject = subject_id.map(|id| any(&id)).transpose()?;
                let filter = RunFilter { subject, workflow, status: status.map(Into::into) };
                let page = ctx
                    .services()
                    .runs()
                    .list(&by, filter, parse_page_args(first, last, after, before)?)
                    .await?;
                Ok(RunConnection::from_page(page, None))
            }
            .await,
        )
    }
}

/// Parses an id with any prefix.
fn any(id: &ID) -> Result<AnyId> {
    let uuid = id.split_once('_').and_then(|(_, digits)| Uuid::try_parse(digits).ok()).map(AnyId::from_uuid);
    Ok(uuid.ok_or_else(|| Refusal::new("NOT_FOUND", "There is no such subject.").at("subjectId"))?)
}

/// Selects the run to retry.
#[derive(InputObject)]
pub struct RetryRunInput {
    /// Identifier of the run to retry.
    id: ID,
}

/// Selects the run to cancel.
#[derive(InputObject)]
pub struct CancelRunInput {
    /// Identifier of the run to cancel.
    id: ID,
}

/// A signal and the run that receives it.
#[derive(InputObject)]
pub struct SignalRunInput {
    /// Identifier of the run that receives the signal.
    id: ID,
    /// Name of the signal, 1 to 100 characters.
    name: String,
    /// Payload of the signal, in the format that the signal requires; null if it requires none.
    payload: Option<Json<serde_json::Value>>,
}

payload! {
    /// Result of `retryRun`.
    RetryRunPayload {
        /// The retried run; null if the caller lacks `RUN_VIEW`.
        run: Run,
    }
}
payload! {
    /// Result of `cancelRun`.
    CancelRunPayload {
        /// The run, which continues until it processes the cancellation request; null if the caller lacks `RUN_VIEW`.
        run: Run,
    }
}
payload! {
    /// Result of `signalRun`.
    SignalRunPayload {
        /// The run that received the signal; null if the caller lacks `RUN_VIEW`.
        run: Run,
    }
}

#[derive(Default)]
pub struct RunMutation;

#[Object]
impl RunMutation {
    /// Retries a run whose status is `FAILED` or `QUARANTINED`. Needs `RUN_EDIT`.
    async fn retry_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `retryRun`.")] input: RetryRunInput,
    ) -> Result<RetryRunPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::RunEdit>()?;
            let run = ctx.services().runs().retry(&by, parse_id(&input.id, "run", "id")?).await?;
            Ok(RetryRunPayload::done(if_visible(ctx, Permission::RunView, Run(run))))
        })
        .await
    }

    /// Requests that a run stop and undo its completed steps. Needs `RUN_EDIT`.
    async fn cancel_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `cancelRun`.")] input: CancelRunInput,
    ) -> Result<CancelRunPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::RunEdit>()?;
            let run = ctx.services().runs().cancel(&by, parse_id(&input.id, "run", "id")?).await?;
            Ok(CancelRunPayload::done(if_visible(ctx, Permission::RunView, Run(run))))
        })
        .await
    }

    /// Sends a signal to a run, as if the event it waits for had happened. Needs `RUN_EDIT`.
    async fn signal_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `signalRun`.")] input: SignalRunInput,
    ) -> Result<SignalRunPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::RunEdit>()?;
            let id = parse_id(&input.id, "run", "id")?;
            let payload = input.payload.map(|payload| payload.0).unwrap_or_default();
            let run = ctx.services().runs().signal(&by, id, &input.name, payload).await?;
            Ok(SignalRunPayload::done(if_visible(ctx, Permission::RunView, Run(run))))
        })
        .await
    }
}
