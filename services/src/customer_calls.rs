//! Limits how many requests wait for servers that customers configured, such as OpenID issuers.
//!
//! Such a server may be slow, by accident or on purpose, and a request that waits for it occupies one of the node's
//! permits. Only a limited number of calls may wait at a time; further calls are refused immediately, so that permits
//! remain for other requests. Results that are available without a call, such as cached keys, do not count.
//!
//! The limit is shared fairly, so that tenants with slow or unresponsive servers cannot exclude the others. When the
//! limit is reached, a new call replaces the oldest call of the tenant with the most calls, if that tenant has more
//! calls than the new call's tenant would have. Otherwise the new call replaces the oldest call of all, if that call
//! has waited longer than a healthy server needs. A tenant may use a quarter of the limit. A tenant whose server timed
//! out may make one call at a time until the server responds again, and all such tenants together may use a quarter of
//! the limit.

use std::{
    cmp::Reverse,
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use domain::{Id, Timestamp, ids};
use providers::{ErrorKind, Remedy};
use tokio::sync::Notify;

use crate::{Error, Result, Services, messages};

/// Maximum time that a request waits for a customer's server.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a call may wait before it can be replaced although its tenant has no more calls than others.
const UNDISTURBED: Duration = Duration::from_secs(2);
/// How long a tenant's server counts as unresponsive after a time-out.
const SILENT_FOR: Duration = Duration::from_mins(10);

/// Which server of a tenant is called. Each server is tracked separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum CustomerServer {
    /// The published configuration and keys of an issuer.
    IssuerMetadata,
    /// The endpoint at which an issuer exchanges codes.
    IssuerToken,
    /// The directory of a calendar system.
    Directory,
}

/// Calls of this node that are waiting for customers' servers.
#[derive(Debug, Default)]
pub(crate) struct CustomerCalls(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Calls in progress, oldest first.
    waiting: Vec<Waiting>,
    /// Servers that did not respond in time, with the time until which each counts as unresponsive.
    silent: HashMap<(Id<ids::Tenant>, CustomerServer), Timestamp>,
    last: u64,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    tenant: Id<ids::Tenant>,
    since: Timestamp,
    gives_way: Arc<Notify>,
}

impl CustomerCalls {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves capacity for a call to this tenant's server; `None` if the call must be refused.
    fn enter(&self, tenant: Id<ids::Tenant>, places: usize, now: Timestamp) -> Option<Place<'_>> {
        let mut state = self.state();
        state.silent.retain(|_, until| now < *until);
        let (quarter, of_tenant) = (places.div_ceil(4), state.count(|waiting| waiting.tenant == tenant));
        if of_tenant >= quarter {
            return None;
        }
        let is_silent = |tenant| state.silent.keys().any(|(silent, _)| *silent == tenant);
        if is_silent(tenant) && (of_tenant > 0 || state.count(|waiting| is_silent(waiting.tenant)) >= quarter)
        {
            return None;
        }
        if state.waiting.len() >= places {
            let index = state.which_gives_way(of_tenant, now)?;
            state.waiting.remove(index).gives_way.notify_one();
        }
        state.last += 1;
        let (number, gives_way) = (state.last, Arc::new(Notify::new()));
        state.waiting.push(Waiting { number, tenant, since: now, gives_way: Arc::clone(&gives_way) });
        Some(Place { calls: self, number, tenant, gives_way })
    }
}

impl State {
    /// Index of the call to be replaced by a new call of a tenant that has `of_tenant` calls; `None` if no call can be
    /// replaced.
    fn which_gives_way(&self, of_tenant: usize, now: Timestamp) -> Option<usize> {
        let mut calls: HashMap<Id<ids::Tenant>, (usize, usize)> = HashMap::new();
        for (index, waiting) in self.waiting.iter().enumerate() {
            calls.entry(waiting.tenant).or_insert((0, index)).0 += 1;
        }
        let (most, oldest) = calls.into_values().max_by_key(|(count, index)| (*count, Reverse(*index)))?;
        if most > of_tenant + 1 {
            return Some(oldest);
        }
        self.waiting.first().filter(|oldest| oldest.since + UNDISTURBED <= now).map(|_| 0)
    }

    fn count(&self, counts: impl Fn(&Waiting) -> bool) -> usize {
        self.waiting.iter().filter(|waiting| counts(waiting)).count()
    }
}

/// Capacity reserved for one call; released when dropped.
#[derive(Debug)]
struct Place<'a> {
    calls: &'a CustomerCalls,
    number: u64,
    tenant: Id<ids::Tenant>,
    gives_way: Arc<Notify>,
}

impl Place<'_> {
    fn answered(&self, server: CustomerServer) {
        self.calls.state().silent.remove(&(self.tenant, server));
    }

    fn unanswered(&self, server: CustomerServer, now: Timestamp) {
        self.calls.state().silent.insert((self.tenant, server), now + SILENT_FOR);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.calls.state().waiting.retain(|waiting| waiting.number != self.number);
    }
}

impl Services {
    /// Calls a server that this tenant configured. Fails with [`Error::Overloaded`] if too many requests are waiting
    /// for such servers; the inner result is that of the call.
    pub(crate) async fn call_customer_server<T>(
        &self,
        (tenant, server): (Id<ids::Tenant>, CustomerServer),
        call: impl Future<Output = providers::Result<T>>,
    ) -> Result<providers::Result<T>> {
        let mut call = pin!(call);
        if let Poll::Ready(result) = futures::poll!(call.as_mut()) {
            return Ok(result);
        }
        let place = self.foreign_calls.enter(tenant, self.settings.foreign_calls, self.now());
        let (place, begun) = (place.ok_or(Error::Overloaded)?, self.now());
        self.release_read_transaction().await;
        let result = tokio::select! {
            biased;
            result = call => Some(result),
            () = place.gives_way.notified() => None,
            () = tokio::time::sleep(TIMEOUT) => None,
        };
        let Some(result) = result else {
            // A call that gave way early says nothing of its server.
            if self.now() < begun + UNDISTURBED {
                return Err(Error::Overloaded);
            }
            place.unanswered(server, self.now());
            return Ok(Err(timed_out()));
        };
        match &result {
            Err(error) if error.kind == ErrorKind::Unavailable => {}
            _ => place.answered(server),
        }
        Ok(result)
    }
}

fn timed_out() -> providers::Error {
    let message = messages::organisations_server_silent();
    providers::Error::new(ErrorKind::Unavailable, Remedy::RetryAfter(TIMEOUT), "foreign_timeout", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: usize = 16;

    fn tenant(number: u128) -> Id<ids::Tenant> {
        Id::from_uuid(uuid::Uuid::from_u128(number))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    /// Exhausts the limit with calls of four tenants.
    fn taken(calls: &CustomerCalls, now: Timestamp) -> Vec<Place<'_>> {
        (0..PLACES as u128).map(|call| calls.enter(tenant(call % 4), PLACES, now).unwrap()).collect()
    }

    #[test]
    fn a_tenant_has_a_quarter_of_the_places() {
        let calls = CustomerCalls::default();
        let held: Vec<_> = (0..4).map(|_| calls.enter(tenant(1), PLACES, at(0)).unwrap()).collect();
        assert!(calls.enter(tenant(1), PLACES, at(0)).is_none());
        let other = calls.enter(tenant(2), PLACES, at(0));
        drop(held);
        assert!(calls.enter(tenant(1), PLACES, at(0)).is_some() && other.is_some());
    }

    #[tokio::test]
    async fn whoever_waits_longest_gives_way_once_it_has_waited_long_enough() {
        let calls = CustomerCalls::default();
        let each = |call: u128| calls.enter(tenant(call), PLACES, at(0)).unwrap();
        let held: Vec<_> = (0..PLACES as u128).map(each).collect();
        assert!(calls.enter(tenant(99), PLACES, at(1)).is_none(), "all have a right to a little time");
        let newcomer = calls.enter(tenant(99), PLACES, at(2)).unwrap();
        held[0].gives_way.notified().await;
        assert_eq!(calls.state().waiting.len(), PLACES);
        drop(held);
        assert_eq!(calls.state().waiting.len(), 1, "whoever gave way frees no other's place");
        drop(newcomer);
    }

    #[tokio::test]
    async fn the_tenant_with_the_most_calls_gives_way_to_one_with_fewer() {
        let calls = CustomerCalls::default();
        let held = taken(&calls, at(0));
        let first = calls.enter(tenant(9), PLACES, at(0)).unwrap();
        held[0].gives_way.notified().await;
        let second = calls.enter(tenant(9), PLACES, at(0)).unwrap();
        held[1].gives_way.notified().await;
        assert!(calls.enter(tenant(0), PLACES, at(0)).is_none(), "it has three, and no other more than four");
        drop((first, second, held));
    }

    #[test]
    fn tenants_whose_servers_did_not_answer_share_a_quarter_until_they_answer() {
        let calls = CustomerCalls::default();
        for silent in 0..8 {
            let place = calls.enter(tenant(silent), PLACES, at(0)).unwrap();
            place.unanswered(CustomerServer::IssuerToken, at(10));
        }
        let held: Vec<_> =
            (0..4).map(|silent| calls.enter(tenant(silent), PLACES, at(11)).unwrap()).collect();
        assert!(calls.enter(tenant(0), PLACES, at(11)).is_none(), "one at a time");
        assert!(calls.enter(tenant(4), PLACES, at(11)).is_none(), "a quarter for all of them");
        assert!(calls.enter(tenant(9), PLACES, at(11)).is_some(), "nobody else has to wait for them");
        held[0].answered(CustomerServer::IssuerMetadata);
        assert!(
            calls.enter(tenant(0), PLACES, at(11)).is_none(),
            "that another server answers changes nothing"
        );
        held[0].answered(CustomerServer::IssuerToken);
        assert!(calls.enter(tenant(0), PLACES, at(11)).is_some());
        drop(held);
        let forgotten = at(10) + SILENT_FOR;
        let again: Vec<_> = (0..4).map(|_| calls.enter(tenant(5), PLACES, forgotten)).collect();
        assert!(again.iter().all(Option::is_some), "it is forgotten after a while");
    }
}
