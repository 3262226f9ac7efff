//! Workflows whose next step can be made to fail.

use std::sync::{Arc, Mutex};

use domain::{Message, Reason};
use engine::{Contexts, StepError, StepInput, StepOutput, Table, Workflow};
use services::Change;
use workflows::StepContext;

/// What happens to one step, or to one undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InStep {
    /// It is not done, and is to be tried again.
    RetryBefore,
    /// It is done, what it answered is lost, and it is to be tried again.
    RetryAfter,
    /// It is done twice.
    Twice,
    /// It is not done, and never will be.
    FailBefore,
    /// It is done, what it answered is lost, and it never will be tried again.
    FailAfter,
}

/// What is planted for the next step.
#[derive(Debug, Clone, Default)]
pub struct Armed(Arc<Mutex<Option<InStep>>>);

impl Armed {
    /// The next step meets this.
    pub fn set(&self, fault: InStep) {
        *self.0.lock().unwrap() = Some(fault);
    }

    fn take(&self) -> Option<InStep> {
        self.0.lock().unwrap().take()
    }
}

/// All workflows, under the same plan.
pub fn flows(armed: &Armed) -> Vec<Box<dyn Workflow<StepContext>>> {
    let flows: Vec<Box<dyn Workflow<StepContext>>> = vec![
        Box::new(workflows::connect_integration::ConnectIntegration),
        Box::new(workflows::verify_integration::VerifyIntegration),
        Box::new(workflows::campaign::Campaign),
        Box::new(workflows::activate_mailbox::ActivateMailbox),
        Box::new(workflows::write_booking::WriteBooking),
        Box::new(workflows::move_booking::MoveBooking),
        Box::new(workflows::cancel_booking::CancelBooking),
        Box::new(workflows::follow_booking::FollowBooking),
        Box::new(workflows::refresh_calendar::RefreshCalendar),
        Box::new(workflows::check_integration::CheckIntegration),
        Box::new(workflows::open_channel::OpenChannel),
        Box::new(workflows::disconnect_mailbox::DisconnectMailbox),
        Box::new(workflows::disconnect_integration::DisconnectIntegration),
        Box::new(workflows::erase_tenant::EraseTenant),
    ];
    let plant = |flow| -> Box<dyn Workflow<StepContext>> { Box::new(Planted { flow, armed: armed.clone() }) };
    flows.into_iter().map(plant).collect()
}

struct Planted {
    flow: Box<dyn Workflow<StepContext>>,
    armed: Armed,
}

impl Planted {
    async fn take(
        &self,
        contexts: &Contexts<StepContext>,
        input: StepInput<'_>,
        is_undo: bool,
    ) -> StepOutput<Change> {
        let once = async |input: StepInput<'_>| match is_undo {
            false => self.flow.step(contexts, input).await,
            true => self.flow.undo(contexts, input).await,
        };
        match self.armed.take() {
            None => once(input).await,
            Some(InStep::Twice) => {
                once(again(&input)).await;
                once(input).await
            }
            Some(fault @ (InStep::RetryBefore | InStep::FailBefore)) => lost(fault),
            Some(fault @ (InStep::RetryAfter | InStep::FailAfter)) => {
                once(input).await;
                lost(fault)
            }
        }
    }
}

fn again<'a>(input: &StepInput<'a>) -> StepInput<'a> {
    StepInput {
        row: input.row,
        state: input.state,
        attempt: input.attempt,
        signals: input.signals.clone(),
        now: input.now,
    }
}

fn lost(fault: InStep) -> StepOutput<Change> {
    let reason = Reason::new("PLANTED", Message::verbatim("A fault was planted here."));
    let trouble = match fault {
        InStep::FailBefore | InStep::FailAfter => StepError::Fail(reason),
        _ => StepError::Retry { reason, after: None },
    };
    StepOutput { memory: None, consumed: Vec::new(), changes: Vec::new(), outcome: Err(trouble) }
}

#[async_trait::async_trait]
impl Workflow<StepContext> for Planted {
    fn table(&self) -> &'static Table {
        self.flow.table()
    }

    async fn step(&self, contexts: &Contexts<StepContext>, input: StepInput<'_>) -> StepOutput<Change> {
        self.take(contexts, input, false).await
    }

    async fn undo(&self, contexts: &Contexts<StepContext>, input: StepInput<'_>) -> StepOutput<Change> {
        self.take(contexts, input, true).await
    }
}
