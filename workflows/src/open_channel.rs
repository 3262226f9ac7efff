//! Opens the push channel of one mailbox, or renews it well before it ends.
//!
//! The step commits alone: the channel's secret is stored in the transaction that records the channel. Without a channel
//! the calendar is still read periodically, so a failure is left to the next attempt.

use std::time::Duration;

use domain::state::ConnectionState;
use engine::{Next, nothing};
use serde::{Deserialize, Serialize};
use services::run_inputs::OpenChannel as Input;

use crate::{CommittingContext, Outcome, Step, StepContext};

engine::workflow! {
    /// Opens or renews the push channel of one mailbox.
    OpenChannel = "open_channel" v 1 (StepContext, Memory);

    // state   does           undone by   retry      then
    Open:      open commits | nothing   | STANDARD | [];
}

/// State of the run that is kept between steps.
#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {
    #[serde(flatten)]
    input: Input,
}

/// How long opening a channel may take.
const LONGEST: Duration = Duration::from_mins(2);

async fn open(context: &CommittingContext, at: &mut Step<Memory>) -> Outcome<State> {
    let connection = at.memory.input.connection;
    let row = context.plain.services.connection(at.tenant, connection).await?;
    let Some(row) = row.filter(|row| row.state.known().is_some_and(ConnectionState::is_readable)) else {
        return Ok(Next::Done);
    };
    match tokio::time::timeout(LONGEST, context.commits.open_or_renew_channel(&row)).await {
        Ok(Ok(())) => {}
        Ok(Err(services::Error::Provider(error))) if !services::is_unsent(&error) => {
            tracing::info!(code = error.code, %connection, "no channel for now");
        }
        Ok(Err(error)) => return Err(error.into()),
        Err(_) => tracing::info!(%connection, "opening a channel takes too long"),
    }
    Ok(Next::Done)
}
