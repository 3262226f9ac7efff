//! What the workflows share that disconnect something: stopping the runs that still work on it, and being patient with a
//! provider for a while.

use chrono::Duration;
use domain::Timestamp;
use engine::Next;
use services::{Change, departure::Departing};

use crate::{Step, StepContext, StepError, write_booking};

/// How long bookings that are being written or changed may take before they are stopped too.
const BOOKINGS_MAY_TAKE: Duration = Duration::minutes(5);
/// How long an error of the provider is waited for that may pass.
pub(crate) const PATIENCE: Duration = Duration::minutes(10);
/// How long the step waits for the runs that it has stopped.
const LOOK_EVERY: Duration = Duration::seconds(5);

/// Stops the runs that work on what departs. Returns when to look again; `None` once none is left.
///
/// A booking that only waits for its rooms is left as it is: its event stays in the calendar. One that is being written,
/// moved or cancelled may end within minutes, and is stopped afterwards.
pub(crate) async fn stop_runs<M>(
    context: &StepContext,
    at: &mut Step<M>,
    departing: Departing,
    began: Timestamp,
) -> Result<Option<Timestamp>, StepError> {
    let live = context.services.runs_of_departing(at.tenant, departing, at.run).await?;
    let is_late = at.now - began >= BOOKINGS_MAY_TAKE;
    for run in live.iter().filter(|run| !run.cancel_requested) {
        match write_booking::is_about_a_booking(run) {
            true if write_booking::is_awaiting_rooms(run) && run.workflow == "write_booking" => {
                let name = write_booking::SUPERSEDED_SIGNAL;
                at.add_change(Change::Signal { run: run.id, name, payload: serde_json::Value::Null });
            }
            true if !is_late => {}
            _ => at.add_change(Change::CancelRun(run.id)),
        }
    }
    Ok((!live.is_empty()).then_some(at.now + LOOK_EVERY))
}

/// Waits until the time, if there is one, and otherwise goes on.
pub(crate) fn wait_or<S>(again: Option<Timestamp>, then: S) -> Next<S> {
    match again {
        Some(_) => Next::Wait { until: again, or: None },
        None => Next::Go(then),
    }
}
