//! Counts the open sockets of each caller on this node.
//!
//! A socket is counted from its upgrade on. While it is unidentified, that is until its caller is known and for
//! callers with neither user nor tenant, it counts against the limit of its IP address and the limit of all
//! unidentified sockets; afterwards against the limits of its user and tenant.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{CallerKind, Id, ids};
use tokio_util::sync::CancellationToken;

use super::SocketConfig;
use crate::holder_counts::{CountGuard, HolderCounts};
use services::Caller;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Holder {
    Address(IpAddr),
    User(Id<ids::User>),
    Tenant(Id<ids::Tenant>),
}

/// Counts open sockets. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SocketLimits {
    limits: SocketConfig,
    taken: HolderCounts<Holder>,
    unidentified: Arc<Mutex<Waiting>>,
}

/// Unidentified sockets, oldest first.
#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    sockets: BTreeMap<u64, CancellationToken>,
}

/// A counted open socket; dropping it releases the count.
#[derive(Debug)]
pub struct SocketPermit {
    seats: SocketLimits,
    held: Option<CountGuard<Holder>>,
    number: u64,
    given_away: CancellationToken,
}

impl SocketLimits {
    /// Creates a counter with no open sockets.
    pub fn new(limits: SocketConfig) -> Self {
        Self { limits, taken: HolderCounts::default(), unidentified: Arc::default() }
    }

    /// Counts a new, unidentified socket, unless its address has reached its limit. If the limit for all unidentified
    /// sockets is exceeded, the oldest one is closed: clients that authenticate immediately can connect, however many
    /// clients do not authenticate.
    pub fn try_acquire(&self, address: Option<IpAddr>) -> Option<SocketPermit> {
        let held = self.count(address.map(Holder::Address).into_iter().collect())?;
        let given_away = CancellationToken::new();
        let mut waiting = self.waiting();
        if waiting.sockets.len() >= self.limits.unidentified
            && let Some((_, oldest)) = waiting.sockets.pop_first()
        {
            oldest.cancel();
        }
        let number = waiting.next;
        waiting.next += 1;
        waiting.sockets.insert(number, given_away.clone());
        drop(waiting);
        Some(SocketPermit { seats: self.clone(), held: Some(held), number, given_away })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.unidentified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, holders: Vec<Holder>) -> Option<CountGuard<Holder>> {
        self.taken.try_acquire(holders, |holder| match holder {
            Holder::Address(_) => self.limits.unidentified_per_address,
            Holder::User(_) => self.limits.per_user,
            Holder::Tenant(_) => self.limits.per_tenant,
        })
    }
}

impl SocketPermit {
    /// Counts the socket against its caller from now on; `false` if the user or tenant has reached its limit. A caller
    /// with neither stays unidentified.
    #[must_use]
    pub fn identify(&mut self, caller: &Caller) -> bool {
        let user = match caller.kind() {
            CallerKind::User(id) => Some(Holder::User(id)),
            _ => None,
        };
        let holders: Vec<_> = user.into_iter().chain(caller.tenant().map(Holder::Tenant)).collect();
        if holders.is_empty() {
            return true;
        }
        let Some(held) = self.seats.count(holders) else { return false };
        self.held = Some(held);
        self.seats.waiting().sockets.remove(&self.number);
        true
    }

    /// Cancelled when the socket must be closed in favour of another one.
    pub fn eviction_token(&self) -> CancellationToken {
        self.given_away.clone()
    }
}

impl Drop for SocketPermit {
    fn drop(&mut self) {
        self.held = None;
        self.seats.waiting().sockets.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::{Ids, SystemClock};
    use entity::TrustedCode;

    use super::*;

    fn seats(change: impl Fn(&mut SocketConfig)) -> SocketLimits {
        let mut limits = SocketConfig::default();
        change(&mut limits);
        SocketLimits::new(limits)
    }

    #[test]
    fn a_seat_is_given_back_when_its_socket_ends() {
        let ids = Ids::seeded(Arc::new(SystemClock), 1);
        let tenant = ids.make();
        let user = |kind| Caller::new(TrustedCode, kind, Some(tenant), [].into());
        let (one, other) = (user(CallerKind::User(ids.make())), user(CallerKind::User(ids.make())));
        let seats = seats(|limits| (limits.per_user, limits.per_tenant) = (1, 2));
        let take = |caller: &Caller| {
            let mut seat = seats.try_acquire(None)?;
            seat.identify(caller).then_some(seat)
        };
        let first = take(&one);
        assert!(first.is_some(), "the first socket of a user");
        assert!(take(&one).is_none(), "a user has one");
        let second = take(&other);
        assert!(second.is_some(), "another user has its own");
        assert!(take(&user(CallerKind::Anonymous)).is_none(), "the tenant has two");
        drop((first, second));
        assert!(seats.taken.is_empty(), "nothing is left behind");
        assert!(take(&one).is_some(), "the seat is free again");
    }

    #[test]
    fn sockets_of_nobody_known_are_counted_by_address_and_together() {
        let ids = Ids::seeded(Arc::new(SystemClock), 1);
        let seats = seats(|limits| (limits.unidentified_per_address, limits.unidentified) = (2, 3));
        let take = |address: &str| seats.try_acquire(Some(address.parse().unwrap()));
        let key = CallerKind::Vendor(ids.make());
        let vendor = Caller::new(TrustedCode, key, None, [].into());
        let mut first = take("192.0.2.1").unwrap();
        assert!(first.identify(&vendor), "a vendor without a tenant may have a socket");
        let mut second = take("192.0.2.1").unwrap();
        assert!(second.identify(&Caller::anonymous()), "so may nobody");
        assert!(take("192.0.2.1").is_none(), "and both are counted against their address");
        let mut third = take("2001:db8::1").unwrap();
        assert!(
            third.identify(&Caller::new(TrustedCode, key, Some(ids.make()), [].into())),
            "whoever is known"
        );
        let fourth = take("2001:db8::1").unwrap();
        assert!(!first.eviction_token().is_cancelled(), "leaves the seat to others");
        let fifth = take("198.51.100.1").unwrap();
        assert!(
            first.eviction_token().is_cancelled(),
            "the one that came first makes room for the fourth of all"
        );
        let others = [&second, &third, &fourth, &fifth];
        assert!(others.iter().all(|seat| !seat.eviction_token().is_cancelled()), "and nobody else");
        drop((first, second, third, fourth, fifth));
        assert!(seats.taken.is_empty() && seats.waiting().sockets.is_empty(), "nothing is left behind");
    }
}
