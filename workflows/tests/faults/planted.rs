//! Workflows whose next step can be made to fail.

use std::sync::{Arc, Mutex};

use domain::Reason;
use workflows::engine::{Flow, Given, Table, Taken, Trouble, World};

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
pub fn flows(armed: &Armed) -> Vec<Box<dyn Flow>> {
    let flows: Vec<Box<dyn Flow>> = vec![
        Box::new(workflows::connect_integration::ConnectIntegration),
        Box::new(workflows::verify_integration::VerifyIntegration),
        Box::new(workflows::campaign::Campaign),
        Box::new(workflows::activate_mailbox::ActivateMailbox),
        Box::new(workflows::write_booking::WriteBooking),
        Box::new(workflows::move_booking::MoveBooking),
        Box::new(workflows::cancel_booking::CancelBooking),
    ];
    let plant = |flow| -> Box<dyn Flow> { Box::new(Planted { flow, armed: armed.clone() }) };
    flows.into_iter().map(plant).collect()
}

struct Planted {
    flow: Box<dyn Flow>,
    armed: Armed,
}

impl Planted {
    async fn take(&self, world: &World, given: Given<'_>, is_undo: bool) -> Taken {
        let once = async |given: Given<'_>| match is_undo {
            false => self.flow.step(world, given).await,
            true => self.flow.undo(world, given).await,
        };
        match self.armed.take() {
            None => once(given).await,
            Some(InStep::Twice) => {
                once(again(&given)).await;
                once(given).await
            }
            Some(fault @ (InStep::RetryBefore | InStep::FailBefore)) => lost(fault),
            Some(fault @ (InStep::RetryAfter | InStep::FailAfter)) => {
                once(given).await;
                lost(fault)
            }
        }
    }
}

fn again<'a>(given: &Given<'a>) -> Given<'a> {
    Given {
        row: given.row,
        state: given.state,
        attempt: given.attempt,
        signals: given.signals.clone(),
        now: given.now,
    }
}

fn lost(fault: InStep) -> Taken {
    let reason = Reason::new("PLANTED", "A fault was planted here.");
    let trouble = match fault {
        InStep::FailBefore | InStep::FailAfter => Trouble::Fail(reason),
        _ => Trouble::Retry { reason, after: None },
    };
    Taken { memory: None, eaten: Vec::new(), changes: Vec::new(), outcome: Err(trouble) }
}

#[async_trait::async_trait]
impl Flow for Planted {
    fn table(&self) -> &'static Table {
        self.flow.table()
    }

    async fn step(&self, world: &World, given: Given<'_>) -> Taken {
        self.take(world, given, false).await
    }

    async fn undo(&self, world: &World, given: Given<'_>) -> Taken {
        self.take(world, given, true).await
    }
}
