//! Checks between the root fields of a mutation that its caller still has access.
//!
//! A mutation that has started runs to its end, and each of its fields may take long. So the caller is authenticated
//! again before every root field after the first, and no further field starts after the request has timed out. The
//! first field that may not start ends the mutation with an error.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use async_graphql::{
    ErrorExtensionValues, PathSegment, ServerError, ServerResult, Value,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextResolve, ResolveInfo},
};
use async_trait::async_trait;
use tokio::time::Instant;

use crate::{
    authenticate::{AuthError, Authenticate},
    error::Error,
    request::{Credentials, CurrentCaller},
};

/// The check that runs before each root field of a mutation.
pub(crate) struct MutationAccess {
    pub(crate) authenticate: Arc<dyn Authenticate>,
    pub(crate) credentials: Credentials,
    pub(crate) caller: CurrentCaller,
    /// When the request times out.
    pub(crate) ends: Instant,
}

impl MutationAccess {
    /// Updates the caller's permissions for the resolvers; an error if the caller has lost access or no longer exists.
    async fn check(&self) -> Result<(), Error> {
        let Credentials { authorization, tenant } = &self.credentials;
        let now = self.authenticate.authenticate(authorization.as_deref(), tenant.as_deref()).await?.caller;
        let before = self.caller.caller();
        if (now.kind(), now.tenant()) != (before.kind(), before.tenant()) {
            return Err(AuthError::Invalid.into());
        }
        if self.ends <= Instant::now() {
            return Err(Error::Timeout);
        }
        self.caller.replace_caller(now);
        Ok(())
    }
}

/// Extension that checks [`MutationAccess`].
#[derive(Debug, Clone, Copy)]
pub struct MutationAccessExtension;

impl ExtensionFactory for MutationAccessExtension {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(RunningMutation::default())
    }
}

/// State of one mutation during its execution.
#[derive(Default)]
struct RunningMutation {
    has_begun: AtomicBool,
}

#[async_trait]
impl Extension for RunningMutation {
    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        if info.path_node.parent.is_none()
            && let Some(access) = ctx.data_opt::<Arc<MutationAccess>>()
            && self.has_begun.swap(true, Relaxed)
            && let Err(error) = access.check().await
        {
            return Err(refused(&error, info.alias.unwrap_or(info.name)));
        }
        next.run(ctx, info).await
    }
}

fn refused(error: &Error, field: &str) -> ServerError {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", error.code());
    extensions.set("retryable", error.retry_after().is_some());
    let message = format!("The fields before this one were executed, the others were not. {error}");
    let mut refused = ServerError::new(message, None);
    refused.path = vec![PathSegment::Field(field.to_owned())];
    refused.extensions = Some(extensions);
    refused
}
