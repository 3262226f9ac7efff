//! Limits on the size and duration of one response.
//!
//! The transports create a [`ResponseBudget`] for every operation and refuse a response that exceeded it. The
//! extension [`BudgetExtension`] enforces it during execution, so that an oversized response is abandoned at the limit
//! and not after it is completely in memory. A surrounding time-out cannot stop a resolver that never awaits, so the
//! time is checked before every field.

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

/// Limits for one response; each subscription event counts as a response.
#[derive(Debug)]
pub struct ResponseBudget {
    /// Maximum size of the response's values in bytes.
    pub(crate) bytes: usize,
    /// Maximum execution time; `None` for a mutation, which always runs to its end.
    pub(crate) time: Option<Duration>,
    used: AtomicUsize,
    is_late: AtomicBool,
}

impl ResponseBudget {
    /// Creates an unused budget.
    pub(crate) const fn new(bytes: usize, time: Option<Duration>) -> Self {
        Self { bytes, time, used: AtomicUsize::new(0), is_late: AtomicBool::new(false) }
    }

    /// Size in bytes at which an oversized response was abandoned; `None` if it fits.
    pub(crate) fn exceeded_bytes(&self) -> Option<usize> {
        Some(self.used.load(Relaxed)).filter(|used| *used > self.bytes)
    }

    /// Whether the response was abandoned because it took too long.
    pub(crate) fn has_timed_out(&self) -> bool {
        self.is_late.load(Relaxed)
    }

    fn begin(&self) {
        self.used.store(0, Relaxed);
        self.is_late.store(false, Relaxed);
    }
}

/// Extension that enforces the [`ResponseBudget`]. The transports report the abandoned response.
#[derive(Debug, Clone, Copy)]
pub struct BudgetExtension;

impl ExtensionFactory for BudgetExtension {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(RunningOperation::default())
    }
}

/// Execution of one operation under a budget.
#[derive(Default)]
struct RunningOperation {
    ends: std::sync::Mutex<Option<Instant>>,
}

impl RunningOperation {
    fn ends(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.ends.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn given_up() -> ServerError {
    ServerError::new("The answer was given up.", None)
}

#[async_trait]
impl Extension for RunningOperation {
    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        let Some(budget) = ctx.data_opt::<Arc<ResponseBudget>>() else {
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
        let Some(budget) = ctx.data_opt::<Arc<ResponseBudget>>() else { return next.run(ctx, info).await };
        if self.ends().is_some_and(|ends| ends <= Instant::now()) {
            budget.is_late.store(true, Relaxed);
        }
        // A field of the operation itself may be a change, and is not left out for the sake of an answer.
        let is_root = info.path_node.parent.is_none();
        if !is_root && (budget.has_timed_out() || budget.exceeded_bytes().is_some()) {
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

/// Estimate of a value's size in the response, in bytes; never more than the actual size.
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
