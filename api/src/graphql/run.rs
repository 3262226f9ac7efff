//! Runs of workflows: history, diagram, retry, cancel, signal.

use async_graphql::{Context, Description, ID, InputObject, Json, Object};
use domain::{Allowed, Id, Permission, access::Denied, ids};
use services::{
    Refusal,
    entity::{run::Model, run_history},
    runs::RunFilter,
};
use uuid::Uuid;

use super::{
    context::{Ask, member, named, seen, shown},
    failure::{Result, found},
    node::{self, Node},
    page::{args, connection, slice},
    payload::{answer, payload},
    reason::Reason,
    scalar::DateTime,
    words::RunStatus,
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
    /// What the run is about, as the schema shows it.
    fn about(&self) -> ID {
        let subject = self.0.subject;
        match self.0.workflow.as_str() {
            "connect_integration" | "verify_integration" => shown::<ids::Integration>(subject),
            "campaign" => shown::<ids::Campaign>(subject),
            "activate_mailbox" => shown::<ids::Connection>(subject),
            "write_booking" | "move_booking" | "cancel_booking" => shown::<ids::Booking>(subject),
            _ => shown::<ids::Row>(subject),
        }
    }
}

#[Object(use_type_description)]
impl Run {
    /// The id; it begins with `run_`.
    pub(super) async fn id(&self) -> ID {
        shown::<ids::Run>(self.0.id)
    }

    /// The workflow's name.
    async fn workflow(&self) -> &str {
        &self.0.workflow
    }

    /// The version of the workflow that the run began with; null before its first step.
    async fn version(&self) -> Option<i32> {
        self.0.version
    }

    /// The state of the workflow's table in which it is; null before its first step.
    async fn state(&self) -> Option<&str> {
        self.0.state.as_deref()
    }

    /// Where it stands.
    async fn status(&self) -> RunStatus {
        use domain::state::RunStatus as S;
        S::parse(&self.0.status).unwrap_or(S::Running).into()
    }

    /// Why; null when there is nothing to say.
    async fn reason(&self) -> Option<Reason> {
        Reason::stored(self.0.reason.as_ref())
    }

    /// What a person does next; null when there is nothing to do.
    async fn next_action(&self) -> Option<String> {
        services::integrations::reason(self.0.reason.as_ref())?.next_action
    }

    /// The name of the signal that it waits for; null when it waits for none.
    async fn waits_for(&self) -> Option<&str> {
        self.0.wait_signal.as_deref()
    }

    /// Whether somebody asked it to stop.
    async fn cancel_requested(&self) -> bool {
        self.0.cancel_requested
    }

    /// Who asked for it: the id of a user, a key or a link.
    async fn asked_by(&self) -> &str {
        &self.0.asked_by
    }

    /// The id of what it is about.
    async fn subject_id(&self) -> ID {
        self.about()
    }

    /// What it is about. Needs what reading that needs.
    async fn subject(&self, ctx: &Context<'_>) -> Option<Result<Node>> {
        let id = self.about();
        found(Box::pin(node::read(ctx, &id))).await
    }

    /// Every committed step, the first one first. Needs `RUN_VIEW`.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100; 50 when neither is given.")] first: Option<i32>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Option<Result<RunStepConnection>> {
        found(async {
            let by = ctx.caller().allow(Permission::RunView)?;
            let steps = ctx.services().runs().history(&by, Id::from_uuid(self.0.id)).await?;
            let total = steps.len() as u64;
            let page = slice(steps, |step| step.id, args(first, last, after, before)?)?;
            Ok(RunStepConnection::of(page, Some(total)))
        })
        .await
    }

    /// A Mermaid diagram of its workflow with its present state marked; null before its first step.
    async fn diagram(&self, ctx: &Context<'_>) -> Option<String> {
        let by = member(ctx.caller()).ok()?;
        ctx.services().runs().diagram(&by, &self.0)
    }

    /// When it was ordered.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When its last step was committed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at.into()
    }

    /// When it ended; null while it goes on.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(DateTime)
    }
}

connection!(Run, Model, RunConnection, RunEdge, "runs", |row| row.id);

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
    /// The state whose work it was.
    async fn state(&self) -> &str {
        &self.0.state
    }

    /// What came of it, in one word; `REVIVED` where a person gave the run another chance.
    async fn outcome(&self) -> &str {
        &self.0.outcome
    }

    /// The state after it; null when the run ended or stayed.
    async fn next_state(&self) -> Option<&str> {
        self.0.next_state.as_deref()
    }

    /// Which attempt it was, counted from 1; 0 where it was no step.
    async fn attempt(&self) -> i32 {
        self.0.attempt
    }

    /// Why; null when there is nothing to say.
    async fn reason(&self) -> Option<Reason> {
        Reason::stored(self.0.reason.as_ref())
    }

    /// The node that did it, or the person.
    async fn node(&self) -> &str {
        &self.0.node
    }

    /// When it was committed.
    async fn at(&self) -> DateTime {
        self.0.at.into()
    }
}

connection!(RunStep, run_history::Model, RunStepConnection, RunStepEdge, "steps of a run", |row| row.id);

/// The run that a mutation has just ordered; whoever ordered it sees it.
pub(super) async fn of(ctx: &Context<'_>, by: &Allowed, run: Uuid) -> Result<Run> {
    Ok(ctx.services().runs().get(by, Id::from_uuid(run)).await?.into())
}

/// One run of the tenant: with `RUN_VIEW` any, without it those that the caller asked for.
pub(super) async fn read(ctx: &Context<'_>, id: &ID) -> Result<Run> {
    let id = named(id, "run", "id")?;
    visible(ctx.services(), ctx.caller(), id).await
}

/// The same, for a subscription.
pub(super) async fn visible(
    services: &services::Services,
    caller: &domain::Caller,
    id: Id<ids::Run>,
) -> Result<Run> {
    let asked = caller.allow(Permission::RunView);
    let by = match asked {
        Err(Denied::Forbidden(_)) => member(caller)?,
        asked => return Ok(services.runs().get(&asked?, id).await?.into()),
    };
    let run = services.runs().get(&by, id).await?;
    if run.asked_by == by.actor() {
        return Ok(run.into());
    }
    Err(Denied::Forbidden(Permission::RunView).into())
}

#[derive(Default)]
pub struct RunQuery;

#[Object]
impl RunQuery {
    /// One run; null when there is none in the tenant. Needs `RUN_VIEW`, or to have asked for it.
    async fn run(&self, ctx: &Context<'_>, #[graphql(desc = "The run.")] id: ID) -> Option<Result<Run>> {
        found(read(ctx, &id)).await
    }

    /// The runs of the tenant, in the order in which they were ordered. Needs `RUN_VIEW`.
    #[expect(clippy::too_many_arguments, reason = "each is an argument of the schema")]
    async fn runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those about this integration, connection, campaign or booking.")]
        subject_id: Option<ID>,
        #[graphql(desc = "Only those of this workflow.")] workflow: Option<String>,
        #[graphql(desc = "Only those that stand here.")] status: Option<RunStatus>,
        #[graphql(desc = "The first so many, 1 to 100; 50 when neither is given.")] first: Option<i32>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Option<Result<RunConnection>> {
        Some(
            async {
                let by = ctx.caller().allow(Permission::RunView)?;
                let subject = subject_id.map(|id| any(&id)).transpose()?;
                let filter = RunFilter { subject, workflow, status: status.map(Into::into) };
                let page = ctx.services().runs().list(&by, filter, args(first, last, after, before)?).await?;
                Ok(RunConnection::of(page, None))
            }
            .await,
        )
    }
}

/// An id of any kind.
fn any(id: &ID) -> Result<Uuid> {
    let uuid = id.split_once('_').and_then(|(_, digits)| Uuid::try_parse(digits).ok());
    Ok(uuid.ok_or_else(|| Refusal::new("NOT_FOUND", "There is no such subject.").at("subjectId"))?)
}

/// A run to be retried.
#[derive(InputObject)]
pub struct RetryRunInput {
    /// The run.
    id: ID,
}

/// A run to be stopped.
#[derive(InputObject)]
pub struct CancelRunInput {
    /// The run.
    id: ID,
}

/// A signal to be sent.
#[derive(InputObject)]
pub struct SignalRunInput {
    /// The run.
    id: ID,
    /// The signal's name, 1 to 100 characters.
    name: String,
    /// What goes with it; null when nothing does.
    payload: Option<Json<serde_json::Value>>,
}

payload! {
    /// What `retryRun` answers.
    RetryRunPayload {
        /// The run as it stands now; null without `RUN_VIEW`.
        run: Run,
    }
}
payload! {
    /// What `cancelRun` answers.
    CancelRunPayload {
        /// The run as it stands now; it goes on until it has heard; null without `RUN_VIEW`.
        run: Run,
    }
}
payload! {
    /// What `signalRun` answers.
    SignalRunPayload {
        /// The run as it stands now; null without `RUN_VIEW`.
        run: Run,
    }
}

#[derive(Default)]
pub struct RunMutation;

#[Object]
impl RunMutation {
    /// Gives a failed or quarantined run another chance. Needs `RUN_EDIT`.
    async fn retry_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The run.")] input: RetryRunInput,
    ) -> Result<RetryRunPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::RunEdit)?;
            let run = ctx.services().runs().retry(&by, named(&input.id, "run", "id")?).await?;
            Ok(RetryRunPayload::done(seen(ctx, Permission::RunView, Run(run))))
        })
        .await
    }

    /// Asks a run to stop and to undo what it did. Needs `RUN_EDIT`.
    async fn cancel_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The run.")] input: CancelRunInput,
    ) -> Result<CancelRunPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::RunEdit)?;
            let run = ctx.services().runs().cancel(&by, named(&input.id, "run", "id")?).await?;
            Ok(CancelRunPayload::done(seen(ctx, Permission::RunView, Run(run))))
        })
        .await
    }

    /// Sends a signal to a run, as if what it waits for had happened. Needs `RUN_EDIT`.
    async fn signal_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The run and the signal.")] input: SignalRunInput,
    ) -> Result<SignalRunPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::RunEdit)?;
            let id = named(&input.id, "run", "id")?;
            let payload = input.payload.map(|payload| payload.0).unwrap_or_default();
            let run = ctx.services().runs().signal(&by, id, &input.name, payload).await?;
            Ok(SignalRunPayload::done(seen(ctx, Permission::RunView, Run(run))))
        })
        .await
    }
}
