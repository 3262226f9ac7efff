//! What one answer may take: bytes and time.
//!
//! The transports make an [`AnswerBudget`] for every operation and refuse an answer that exceeded it. The extension
//! [`Budgeted`] keeps to it while the answer is being made, so that an answer that is too large is given up at its
//! limit and not when all of it is in memory. A resolver that never waits is not stopped by a time-out around it:
//! the moment is looked at before every field.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use async_graphql::{
    Response, ServerError, ServerResult, Value,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute, NextResolve, ResolveInfo},
};
use async_trait::async_trait;
use tokio::time::{Instant, timeout};

/// What one answer may take; each event of a subscription is an answer.
#[derive(Debug)]
pub struct AnswerBudget {
    /// How many bytes its values may have.
    pub(crate) bytes: usize,
    /// How long it may be worked on; `None` for a change, which is carried out to its end once it has begun.
    pub(crate) time: Option<Duration>,
    used: AtomicUsize,
    is_late: AtomicBool,
}

impl AnswerBudget {
    /// Nothing is used yet.
    pub(crate) const fn new(bytes: usize, time: Option<Duration>) -> Self {
        Self { bytes, time, used: AtomicUsize::new(0), is_late: AtomicBool::new(false) }
    }

    /// How many bytes the answer had when it was given up; `None` for one that fits.
    pub(crate) fn excess(&self) -> Option<usize> {
        Some(self.used.load(Relaxed)).filter(|used| *used > self.bytes)
    }

    /// Whether the answer was given up for the time it took.
    pub(crate) fn is_late(&self) -> bool {
        self.is_late.load(Relaxed)
    }

    fn begin(&self) {
        self.used.store(0, Relaxed);
        self.is_late.store(false, Relaxed);
    }
}

/// Keeps every answer to its [`AnswerBudget`]. What it gives up is no answer: the transports say so in their own words.
#[derive(Debug, Clone, Copy)]
pub struct Budgeted;

impl ExtensionFactory for Budgeted {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Running::default())
    }
}

/// One operation.
#[derive(Default)]
struct Running {
    ends: std::sync::Mutex<Option<Instant>>,
}

impl Running {
    fn ends(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.ends.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn given_up() -> ServerError {
    ServerError::new("The answer was given up.", None)
}

#[async_trait]
impl Extension for Running {
    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        let Some(budget) = ctx.data_opt::<Arc<AnswerBudget>>() else {
            return next.run(ctx, operation_name).await;
        };
        budget.begin();
        let Some(time) = budget.time else { return next.run(ctx, operation_name).await };
        *self.ends() = Instant::now().checked_add(time);
        timeout(time, next.run(ctx, operation_name)).await.unwrap_or_else(|_| {
            budget.is_late.store(true, Relaxed);
            Response::from_errors(vec![given_up()])
        })
    }

    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        let Some(budget) = ctx.data_opt::<Arc<AnswerBudget>>() else { return next.run(ctx, info).await };
        if self.ends().is_some_and(|ends| ends <= Instant::now()) {
            budget.is_late.store(true, Relaxed);
        }
        // A field of the operation itself may be a change, and is not left out for the sake of an answer.
        let is_root = info.path_node.parent.is_none();
        if !is_root && (budget.is_late() || budget.excess().is_some()) {
            return Err(given_up());
        }
        let name = info.alias.unwrap_or(info.name).len();
        let is_leaf = info.field.selection_set.node.items.is_empty();
        let value = next.run(ctx, info).await?;
        let bytes = name + value.as_ref().filter(|_| is_leaf).map_or(0, size);
        budget.used.fetch_add(bytes, Relaxed);
        Ok(value)
    }
}

/// About how many bytes a value has in an answer; never more than it has.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::List(items) => items.iter().map(size).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + size(value)).sum(),
        Value::Enum(name) => name.len() + 2,
        Value::Binary(bytes) => bytes.len(),
        Value::Null | Value::Number(_) | Value::Boolean(_) => 1,
    }
}
