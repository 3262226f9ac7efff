//! Interface between the transports and a GraphQL engine.
//!
//! Only the transports call the engine, and only with validated documents.

use async_graphql::{ObjectType, Request, Response, Schema, SubscriptionType};
use async_trait::async_trait;
use futures::stream::BoxStream;

/// Executes validated GraphQL requests.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// The schema in schema definition language, against which documents are validated.
    fn sdl(&self) -> String;

    /// Executes a query or mutation.
    async fn execute(&self, request: Request) -> Response;

    /// Executes a subscription. Dropping the stream ends it.
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
