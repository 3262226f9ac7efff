//! Batches look-ups: values that the items of a list request individually are loaded by one call of a use case.
//!
//! The first look-up opens a batch; look-ups before the batch is sent join it. Nothing is cached after the
//! response: a subscription event or a second mutation of the same request reads again. Every waiting look-up can
//! drive the batch, so cancelling one of them does not block the others.

use std::{
    collections::{BTreeSet, HashMap},
    future::Future,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use super::failure::{Failure, Result};

type Found<K, V> = HashMap<K, V>;
type Call<K, V> = Arc<dyn Fn(Vec<K>) -> BoxFuture<'static, services::Result<Found<K, V>>> + Send + Sync>;
type Answer<K, V> = Shared<BoxFuture<'static, Result<Arc<Found<K, V>>>>>;
type Open<K, V> = Mutex<Option<Batch<K, V>>>;

/// The key by which values are loaded: an id.
pub(super) trait LoaderKey: Copy + Ord + Hash + Send + Sync + 'static {}

impl<K: Copy + Ord + Hash + Send + Sync + 'static> LoaderKey for K {}

/// Loads values by id in batches.
pub(super) struct Loader<K, V> {
    call: Call<K, V>,
    open: Arc<Open<K, V>>,
}

struct Batch<K, V> {
    keys: BTreeSet<K>,
    answer: Answer<K, V>,
}

impl<K: LoaderKey, V: Clone + Send + Sync + 'static> Loader<K, V> {
    /// Creates a loader over a batch call of a use case.
    pub(super) fn new<F, Fut>(call: F) -> Self
    where
        F: Fn(Vec<K>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = services::Result<Found<K, V>>> + Send + 'static,
    {
        Self { call: Arc::new(move |keys| call(keys).boxed()), open: Arc::default() }
    }

    /// The value with this id; `None` if there is none.
    pub(super) async fn load(&self, key: K) -> Result<Option<V>> {
        let answer = self.join(key);
        // Everybody else of the wave has a turn before anybody drives the batch.
        tokio::task::yield_now().await;
        Ok(answer.await?.get(&key).cloned())
    }

    /// The value with this id; `None` if there is none or no id is given.
    pub(super) async fn load_optional(&self, key: Option<K>) -> Result<Option<V>> {
        match key {
            None => Ok(None),
            Some(key) => self.load(key).await,
        }
    }

    fn join(&self, key: K) -> Answer<K, V> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let begin =
            || Batch { keys: BTreeSet::new(), answer: send(self.call.clone(), Arc::downgrade(&self.open)) };
        let batch = open.get_or_insert_with(begin);
        batch.keys.insert(key);
        batch.answer.clone()
    }
}

/// Closes the open batch and sends it on first poll.
fn send<K: LoaderKey, V: Clone + Send + Sync + 'static>(
    call: Call<K, V>,
    open: Weak<Open<K, V>>,
) -> Answer<K, V> {
    let sent = async move {
        tokio::task::yield_now().await;
        let batch =
            open.upgrade().and_then(|open| open.lock().unwrap_or_else(PoisonError::into_inner).take());
        let keys = batch.map(|batch| batch.keys.into_iter().collect()).unwrap_or_default();
        call(keys).await.map(Arc::new).map_err(Failure::from)
    };
    sent.boxed().shared()
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    /// Returns every odd id as its own value and records the size of each batch.
    fn odd(asked: &Arc<Mutex<Vec<usize>>>) -> Loader<u128, u128> {
        let asked = asked.clone();
        Loader::new(move |keys| {
            asked.lock().unwrap().push(keys.len());
            let odd = keys.into_iter().map(|key| (key, key)).filter(|(_, n)| n % 2 == 1);
            std::future::ready(Ok(odd.collect()))
        })
    }

    #[tokio::test]
    async fn everybody_of_one_wave_shares_one_call() {
        let asked = Arc::default();
        let loader = odd(&asked);
        let wave = |range: std::ops::Range<u128>| join_all(range.map(|n| loader.load(n % 50)));
        let found: Vec<_> = wave(0..100).await.into_iter().map(Result::unwrap).collect();
        assert_eq!((found[3], found[53], found[4]), (Some(3), Some(3), None));
        wave(0..3).await;
        let sizes = asked.lock().unwrap().clone();
        assert_eq!(sizes, [50, 3], "one call per wave, each id once, nothing kept");
    }

    #[tokio::test]
    async fn one_who_goes_away_leaves_nobody_behind() {
        let asked = Arc::default();
        let loader = odd(&asked);
        let mut gone = Box::pin(loader.load(1));
        assert!(futures::poll!(&mut gone).is_pending());
        drop(gone);
        assert_eq!(loader.load(3).await.unwrap(), Some(3));
    }

    struct Number(u128);

    #[async_graphql::Object]
    impl Number {
        async fn next(&self, ctx: &async_graphql::Context<'_>) -> Vec<Self> {
            let loader: &Loader<u128, u128> = ctx.data_unchecked();
            let own = loader.load(self.0).await.unwrap();
            own.map(|n| Self(n + 200)).into_iter().collect()
        }
    }

    struct Query;

    #[async_graphql::Object]
    impl Query {
        async fn numbers(&self, count: i32) -> Vec<Number> {
            (0..u128::try_from(count).unwrap()).map(|n| Number(2 * n + 1)).collect()
        }
    }

    #[tokio::test]
    async fn a_list_costs_one_call_a_level_however_long_it_is() {
        use async_graphql::{EmptyMutation, EmptySubscription, Schema};
        for count in [1, 7, 100] {
            let asked = Arc::default();
            let schema = Schema::build(Query, EmptyMutation, EmptySubscription).data(odd(&asked)).finish();
            let answer = schema
                .execute(format!("{{ numbers(count: {count}) {{ next {{ next {{ __typename }} }} }} }}"));
            assert_eq!(answer.await.errors, [], "{count}");
            assert_eq!(*asked.lock().unwrap(), [count, count]);
        }
    }
}
