//! Limits how many requests are open on a node: from the arrival of their bodies until their responses have been sent.
//!
//! Unidentified clients may have half of all open requests. A client that sends its body slowly, or reads its response
//! slowly, keeps a request open at almost no cost to itself, so an attacker could open all of them. Therefore, once
//! the limit is reached, a new request closes an older one: the oldest one of the IP address with the most open
//! requests, if that address has more than the new request's address would have; otherwise the oldest one that has
//! been in transfer for some time. A request that is being executed is never closed.

use std::{
    cmp::Reverse,
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::admission::PermitHolder;

/// How long a request may be in transfer before it may be closed even if no IP address has more open requests than
/// others.
const UNDISTURBED: Duration = Duration::from_secs(2);

/// Limits on the open requests of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenRequestLimits {
    /// Maximum number of open requests.
    pub(crate) all: usize,
    /// Maximum number of open requests of one holder.
    pub(crate) each: usize,
}

/// The open requests of a node. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenRequests(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    known: HashMap<PermitHolder, usize>,
    /// Open requests that may be closed, oldest first.
    unidentified: Vec<Unidentified>,
    last: u64,
}

#[derive(Debug)]
struct Unidentified {
    number: u64,
    address: Option<IpAddr>,
    since: Instant,
    /// Whether the request is being executed.
    is_executed: bool,
    gives_way: CancellationToken,
}

impl OpenRequests {
    /// Opens a request, or returns `None` if a limit is reached and no older request can be closed.
    pub(crate) fn open(&self, holder: PermitHolder, limits: OpenRequestLimits) -> Option<OpenRequest> {
        self.open_at(Instant::now(), holder, limits)
    }

    fn open_at(&self, now: Instant, holder: PermitHolder, limits: OpenRequestLimits) -> Option<OpenRequest> {
        let mut inner = self.inner();
        let place = match holder {
            PermitHolder::Address(address) => inner.open_unidentified(now, address, limits)?,
            holder => inner.open_known(holder, limits)?,
        };
        Some(OpenRequest { requests: self.clone(), place })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn count(&self) -> usize {
        self.known.values().sum::<usize>() + self.unidentified.len()
    }

    fn open_known(&mut self, holder: PermitHolder, limits: OpenRequestLimits) -> Option<Place> {
        let of_holder = self.known.get(&holder).copied().unwrap_or_default();
        if of_holder >= limits.each || self.count() >= limits.all {
            return None;
        }
        *self.known.entry(holder).or_default() += 1;
        Some(Place::Known(holder))
    }

    fn open_unidentified(
        &mut self,
        now: Instant,
        address: Option<IpAddr>,
        limits: OpenRequestLimits,
    ) -> Option<Place> {
        let of_address = self.unidentified.iter().filter(|open| open.address == address).count();
        if of_address >= limits.each {
            return None;
        }
        // However many there are, the other half is for those who are known.
        if self.unidentified.len() >= limits.all / 2 || self.count() >= limits.all {
            let index = self.which_gives_way(now, of_address)?;
            self.unidentified.remove(index).gives_way.cancel();
        }
        self.last += 1;
        let (number, gives_way) = (self.last, CancellationToken::new());
        self.unidentified.push(Unidentified {
            number,
            address,
            since: now,
            is_executed: false,
            gives_way: gives_way.clone(),
        });
        Some(Place::Unidentified { number, gives_way })
    }

    /// The index of the request to close in favour of a new one, whose IP address already has `of_address` open
    /// requests; `None` if no request can be closed.
    fn which_gives_way(&self, now: Instant, of_address: usize) -> Option<usize> {
        let mut held: HashMap<Option<IpAddr>, usize> = HashMap::new();
        for open in &self.unidentified {
            *held.entry(open.address).or_default() += 1;
        }
        let held = |open: &Unidentified| held.get(&open.address).copied().unwrap_or_default();
        let transferring = self.unidentified.iter().enumerate().filter(|(_, open)| !open.is_executed);
        let (heaviest, open) =
            transferring.clone().max_by_key(|(index, open)| (held(open), Reverse(*index)))?;
        if held(open) > of_address + 1 {
            return Some(heaviest);
        }
        let (oldest, open) = transferring.min_by_key(|(_, open)| open.since)?;
        (now.duration_since(open.since) >= UNDISTURBED).then_some(oldest)
    }

    fn leave(&mut self, place: &Place) {
        match place {
            Place::Known(holder) => {
                if let Some(count) = self.known.get_mut(holder) {
                    *count -= 1;
                    if *count == 0 {
                        self.known.remove(holder);
                    }
                }
            }
            Place::Unidentified { number, .. } => self.unidentified.retain(|open| open.number != *number),
        }
    }
}

/// An open request; counted until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    requests: OpenRequests,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Known(PermitHolder),
    Unidentified { number: u64, gives_way: CancellationToken },
}

impl OpenRequest {
    /// The body of the request if it may be closed in favour of another one; `None` for identified clients.
    pub(crate) fn incoming_body(&self) -> Option<IncomingBody> {
        match &self.place {
            Place::Known(_) => None,
            Place::Unidentified { number, gives_way } => Some(IncomingBody {
                requests: self.requests.clone(),
                number: *number,
                gives_way: gives_way.clone(),
            }),
        }
    }

    /// Records that the response is being sent, so that the request may be closed if its client does not read.
    pub(crate) fn mark_responding(&self) {
        if let Place::Unidentified { number, .. } = &self.place {
            self.requests.set_executed(*number, false);
        }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.requests.inner().leave(&self.place);
    }
}

impl OpenRequests {
    fn set_executed(&self, number: u64, is_executed: bool) {
        let mut inner = self.inner();
        if let Some(open) = inner.unidentified.iter_mut().find(|open| open.number == number) {
            (open.is_executed, open.since) = (is_executed, Instant::now());
        }
    }
}

/// The incoming body of an unidentified client's request, whose reading ends if the request is closed; stored in the
/// request's extensions.
#[derive(Debug, Clone)]
pub(crate) struct IncomingBody {
    requests: OpenRequests,
    number: u64,
    gives_way: CancellationToken,
}

impl IncomingBody {
    /// Waits for the body; `None` if the request is closed in favour of another one before the body has arrived.
    pub(crate) async fn read<T>(&self, body: impl Future<Output = T>) -> Option<T> {
        let read = self.gives_way.run_until_cancelled(body).await?;
        self.requests.set_executed(self.number, true);
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const LIMITS: OpenRequestLimits = OpenRequestLimits { all: 8, each: 4 };

    fn of(last: u8) -> PermitHolder {
        PermitHolder::Address(Some(IpAddr::from([192, 0, 2, last])))
    }

    fn open(requests: &OpenRequests, holder: PermitHolder) -> Option<OpenRequest> {
        requests.open(holder, LIMITS)
    }

    fn has_to_give_way(request: &OpenRequest) -> bool {
        let body = request.incoming_body().unwrap();
        body.read(std::future::pending::<()>()).now_or_never() == Some(None)
    }

    fn execute(request: &OpenRequest) {
        assert_eq!(
            request.incoming_body().unwrap().read(std::future::ready(())).now_or_never(),
            Some(Some(()))
        );
    }

    #[test]
    fn the_oldest_of_the_address_with_the_most_gives_way() {
        let requests = OpenRequests::default();
        let mut held: Vec<_> = [1, 2, 2, 2].map(|last| open(&requests, of(last)).unwrap()).into();
        held.push(open(&requests, of(3)).unwrap());
        let gone: Vec<bool> = held.iter().map(has_to_give_way).collect();
        assert_eq!(gone, [false, true, false, false, false]);
        assert!(open(&requests, of(2)).is_none(), "its address has as many as any other");
        drop(held);
        assert_eq!(requests.inner().count(), 0);
    }

    #[test]
    fn what_is_being_executed_gives_way_to_nobody() {
        let requests = OpenRequests::default();
        let held = [(); 4].map(|()| open(&requests, of(2)).unwrap());
        held.iter().for_each(execute);
        assert!(open(&requests, of(3)).is_none());
        held[2].mark_responding();
        let newcomer = open(&requests, of(3));
        assert!(newcomer.is_some() && has_to_give_way(&held[2]), "its client may be reading nothing");
        assert!(open(&requests, of(4)).is_none(), "one is not more than one");
    }

    #[test]
    fn those_who_are_known_have_the_other_half_and_give_way_to_nobody() {
        let requests = OpenRequests::default();
        let tenant = PermitHolder::Tenant(domain::Id::nil());
        let held: Vec<_> = (0..4).map(|_| open(&requests, tenant).unwrap()).collect();
        assert!(open(&requests, tenant).is_none(), "four are its share");
        let strangers: Vec<_> = (0..4).map(|last| open(&requests, of(last)).unwrap()).collect();
        assert!(open(&requests, PermitHolder::Key(domain::Id::nil())).is_none(), "all places are taken");
        assert!(open(&requests, of(9)).is_none(), "each address has one");
        assert!(held.iter().all(|request| request.incoming_body().is_none()));
        drop((held, strangers));
        assert_eq!(requests.inner().count(), 0);
    }

    #[test]
    fn where_no_address_has_more_than_others_the_oldest_gives_way_after_a_time() {
        let (requests, now) = (OpenRequests::default(), Instant::now());
        let at = |now, last| requests.open_at(now, of(last), LIMITS);
        let held: Vec<_> = (0..4).map(|last| at(now, last).unwrap()).collect();
        assert!(at(now + UNDISTURBED - Duration::from_millis(1), 9).is_none());
        let newcomer = at(now + UNDISTURBED, 9);
        let gone: Vec<bool> = held.iter().map(has_to_give_way).collect();
        assert_eq!((newcomer.is_some(), gone), (true, vec![true, false, false, false]));
    }
}
