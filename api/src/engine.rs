//! What the transports need from a GraphQL engine.
//!
//! Called by the transports after a document was validated, and by nobody else.

use async_graphql::{ObjectType, Request, Response, Schema, SubscriptionType};
use async_trait::async_trait;
use futures::stream::BoxStream;

/// Runs documents that were validated before.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// The schema as text, against which documents are validated.
    fn sdl(&self) -> String;

    /// Runs a query or a mutation.
    async fn execute(&self, request: Request) -> Response;

    /// Runs a subscription. Dropping the stream ends it.
    fn subscribe(&self, request: Request) -> BoxStream<'static, Response>;
}

#[async_trait]
impl<Q, M, S> Engine for Schema<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    fn sdl(&self) -> String {
        Schema::sdl(self)
    }

    async fn execute(&self, request: Request) -> Response {
        Schema::execute(self, request).await
    }

    fn subscribe(&self, request: Request) -> BoxStream<'static, Response> {
        self.execute_stream(request)
    }
}
