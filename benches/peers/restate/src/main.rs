//! Three durable steps that do nothing, as a Restate service. The only argument is the socket address to listen on.

use restate_sdk::prelude::*;

struct Three;

#[service]
impl Three {
    #[handler]
    async fn go(&self, ctx: Context<'_>) -> Result<(), HandlerError> {
        ctx.run(|| async { Ok(()) }).name("one").await?;
        ctx.run(|| async { Ok(()) }).name("two").await?;
        ctx.run(|| async { Ok(()) }).name("three").await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() {
    let address = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let address = address.expect("the address to listen on is the argument");
    HttpServer::new(Endpoint::builder().bind(Three).build()).listen_and_serve(address).await;
}
