//! A schema with one field for each thing a transport must handle.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use api::{CurrentCaller, MutationAccessExtension, RequestId, response_budget::BudgetExtension};
use async_graphql::{
    Context, Error, ErrorExtensions as _, InputObject, InputValueError, InputValueResult, OneofObject,
    Result, Scalar, ScalarType, Schema, Subscription, Value,
};
use domain::CallerKind;
use futures::{Stream, StreamExt as _, stream};
use tokio::sync::Notify;

/// Signals between a test and the resolvers.
#[derive(Debug, Default)]
pub struct Probe {
    /// `slowBump`, `slowHello` or a `slowNews` has begun.
    pub begun: Notify,
    /// It may go on.
    pub go: Notify,
    /// It has ended.
    pub done: Notify,
    /// A subscription was dropped.
    pub dropped: Notify,
    /// How often `bump` ran.
    pub bumped: AtomicU64,
    /// How many events `flood` has made.
    pub flooded: AtomicU64,
    /// How often a member's `kilobyte` was resolved.
    pub kilobytes: AtomicU64,
}

/// Tells the probe that a stream is dropped.
struct Guard(Arc<Probe>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.dropped.notify_one();
    }
}

/// The schema of the tests.
pub type Small = Schema<Query, Mutation, Subscriptions>;

/// Builds the schema.
pub fn small(probe: Arc<Probe>) -> Small {
    Schema::build(Query, Mutation, Subscriptions)
        .extension(BudgetExtension)
        .extension(MutationAccessExtension)
        .data(probe)
        .finish()
}

/// A word without spaces.
struct Word(String);

#[Scalar]
impl ScalarType for Word {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) if !text.contains(' ') => Ok(Self(text)),
            Value::String(_) => Err(InputValueError::custom("a word has no spaces")),
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

#[derive(InputObject)]
struct Pair {
    left: i32,
    right: i32,
}

#[derive(OneofObject)]
enum Lookup {
    Id(String),
    Email(String),
}

pub struct Query;

#[async_graphql::Object]
impl Query {
    async fn hello(&self, #[graphql(default = "world")] name: String) -> String {
        format!("Hello, {name}!")
    }

    async fn double(&self, n: i32) -> i32 {
        n * 2
    }

    async fn sum(&self, pair: Pair) -> i32 {
        pair.left + pair.right
    }

    async fn lookup(&self, by: Lookup) -> String {
        match by {
            Lookup::Id(id) => format!("id {id}"),
            Lookup::Email(email) => format!("email {email}"),
        }
    }

    async fn shout(&self, word: Word) -> String {
        word.0.to_uppercase()
    }

    /// Fails without a code: a defect.
    async fn broken(&self) -> Option<Result<String>> {
        Some(Err(Error::new("the password of the database is hunter2")))
    }

    /// Fails with a code: a refusal.
    async fn refused(&self) -> Option<Result<String>> {
        Some(Err(Error::new("The slot is taken.").extend_with(|_, e| e.set("code", "SLOT_TAKEN"))))
    }

    async fn me(&self, ctx: &Context<'_>) -> String {
        match ctx.data_unchecked::<CurrentCaller>().caller().kind() {
            CallerKind::Anonymous => "anonymous".to_owned(),
            CallerKind::Vendor(_) => "vendor".to_owned(),
            CallerKind::User(_) => "user".to_owned(),
            CallerKind::Operator => "operator".to_owned(),
        }
    }

    /// What the caller may do, counted.
    async fn rights(&self, ctx: &Context<'_>) -> usize {
        ctx.data_unchecked::<CurrentCaller>().caller().permissions().len()
    }

    async fn request_id(&self, ctx: &Context<'_>) -> String {
        ctx.data_unchecked::<RequestId>().to_string()
    }

    /// A defect.
    async fn panics(&self) -> String {
        std::env::args().nth(9_999).expect("hunter2")
    }

    /// As many members as are asked for, each of a kilobyte.
    async fn members(&self, first: i32) -> Vec<Member> {
        (0..first).map(|_| Member).collect()
    }

    /// Never answers.
    async fn never(&self) -> String {
        std::future::pending().await
    }

    /// Waits for the test, like a query that holds a database connection.
    async fn slow_hello(&self, ctx: &Context<'_>) -> String {
        wait(ctx.data_unchecked::<Arc<Probe>>()).await;
        "Hello".to_owned()
    }
}

/// Lets the test see that a resolver runs, and when it has ended.
async fn wait(probe: &Probe) {
    probe.begun.notify_one();
    probe.go.notified().await;
    probe.done.notify_one();
}

/// Counts how often it is asked.
pub struct Member;

#[async_graphql::Object]
impl Member {
    async fn kilobyte(&self, ctx: &Context<'_>) -> String {
        ctx.data_unchecked::<Arc<Probe>>().kilobytes.fetch_add(1, Ordering::Relaxed);
        "x".repeat(1024)
    }

    /// Takes two milliseconds, and gives nobody else a turn meanwhile.
    async fn busy(&self) -> bool {
        let began = std::time::Instant::now();
        while began.elapsed() < std::time::Duration::from_millis(2) {
            std::hint::spin_loop();
        }
        true
    }
}

pub struct Mutation;

#[async_graphql::Object]
impl Mutation {
    async fn bump(&self, ctx: &Context<'_>) -> i32 {
        ctx.data_unchecked::<Arc<Probe>>().bumped.fetch_add(1, Ordering::SeqCst);
        1
    }

    /// What the caller may do, counted.
    async fn rights(&self, ctx: &Context<'_>) -> usize {
        ctx.data_unchecked::<CurrentCaller>().caller().permissions().len()
    }

    async fn slow_bump(&self, ctx: &Context<'_>) -> i32 {
        wait(ctx.data_unchecked::<Arc<Probe>>()).await;
        1
    }
}

pub struct Stuck;

#[async_graphql::Object]
impl Stuck {
    /// Never answers.
    async fn never(&self) -> String {
        std::future::pending().await
    }
}

pub struct SlowNews;

#[async_graphql::Object]
impl SlowNews {
    /// Waits for the test, like a field that holds a database connection.
    async fn text(&self, ctx: &Context<'_>) -> String {
        wait(ctx.data_unchecked::<Arc<Probe>>()).await;
        "news".to_owned()
    }
}

pub struct Subscriptions;

#[Subscription]
impl Subscriptions {
    /// Counts from 1.
    async fn count(&self, to: i32) -> impl Stream<Item = i32> {
        stream::iter(1..=to)
    }

    /// Says "here", and "news" when the test says so.
    async fn news(&self, ctx: &Context<'_>) -> impl Stream<Item = &'static str> + use<> {
        let probe = ctx.data_unchecked::<Arc<Probe>>().clone();
        let later = stream::once(async move {
            probe.go.notified().await;
            "news"
        });
        stream::once(async { "here" }).chain(later).chain(stream::pending())
    }

    /// One event whose field waits for the test.
    async fn slow_news(&self) -> impl Stream<Item = SlowNews> {
        stream::iter([SlowNews])
    }

    /// Says "here" once, then nothing for ever.
    async fn forever(&self, ctx: &Context<'_>) -> impl Stream<Item = &'static str> + use<> {
        let guard = Guard(ctx.data_unchecked::<Arc<Probe>>().clone());
        stream::once(async { "here" }).chain(stream::pending()).inspect(move |_| {
            let _ = &guard;
        })
    }

    /// As many kilobytes as are taken.
    async fn flood(&self, ctx: &Context<'_>) -> impl Stream<Item = String> + use<> {
        let probe = ctx.data_unchecked::<Arc<Probe>>().clone();
        let guard = Guard(probe.clone());
        stream::repeat_with(move || {
            let _ = &guard;
            probe.flooded.fetch_add(1, Ordering::Relaxed);
            "x".repeat(1024)
        })
    }

    /// Says members, as many as the event before it and as many again, without end; each of a kilobyte.
    async fn growing(&self) -> impl Stream<Item = Vec<Member>> {
        stream::iter(0..).map(|n: u32| (0..1 << n.min(20)).map(|_| Member).collect())
    }

    /// One member that never answers.
    async fn stuck(&self) -> impl Stream<Item = Stuck> {
        stream::iter([Stuck])
    }

    /// Fails when it is subscribed to.
    async fn forbidden(&self) -> Result<stream::Empty<i32>> {
        Err(Error::new("You may not watch this.").extend_with(|_, e| e.set("code", "FORBIDDEN")))
    }
}
