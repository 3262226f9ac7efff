//! How many sockets each caller has open on this node.
//!
//! A socket is counted from its upgrade on. Until its caller is known, and for as long as the caller is nobody's user
//! and in no tenant, it counts against the address that it comes from and against all of its kind together; then
//! against its user and its tenant instead.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

use domain::{Caller, CallerKind, Id, ids};

use super::SocketConfig;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Holder {
    Address(IpAddr),
    Unidentified,
    User(Id<ids::User>),
    Tenant(Id<ids::Tenant>),
}

/// Counts open sockets. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Seats {
    limits: SocketConfig,
    taken: Arc<Mutex<HashMap<Holder, usize>>>,
}

/// One open socket; given back when it is dropped.
#[derive(Debug)]
pub struct Seat {
    seats: Seats,
    holders: Vec<Holder>,
}

impl Seats {
    /// No socket is open yet.
    pub fn new(limits: SocketConfig) -> Self {
        Self { limits, taken: Arc::default() }
    }

    /// Takes a seat for a socket whose caller is not known yet, unless its address, or all such sockets together, have
    /// as many as they may have.
    pub fn take(&self, address: Option<IpAddr>) -> Option<Seat> {
        let address = address.map(|address| Holder::Address(network(address)));
        let holders = [Holder::Unidentified].into_iter().chain(address).collect();
        self.count(&holders).then(|| Seat { seats: self.clone(), holders })
    }

    /// Counts one more socket for each holder, or none if one of them has as many as it may have.
    fn count(&self, holders: &Vec<Holder>) -> bool {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |holder: &Holder| taken.get(holder).is_some_and(|count| *count >= self.limit(*holder));
        if holders.iter().any(is_full) {
            return false;
        }
        for holder in holders {
            *taken.entry(*holder).or_default() += 1;
        }
        true
    }

    const fn limit(&self, holder: Holder) -> usize {
        match holder {
            Holder::Address(_) => self.limits.unidentified_per_address,
            Holder::Unidentified => self.limits.unidentified,
            Holder::User(_) => self.limits.per_user,
            Holder::Tenant(_) => self.limits.per_tenant,
        }
    }

    fn give_back(&self, holders: &[Holder]) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        for holder in holders {
            if let Some(count) = taken.get_mut(holder) {
                *count -= 1;
                if *count == 0 {
                    taken.remove(holder);
                }
            }
        }
    }
}

/// What is one client's: of IPv6 whoever has an address has the 64 bits behind its network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

impl Seat {
    /// Counts the socket against its caller from now on; `false` if the caller's user or tenant has as many as it may
    /// have. A caller without either stays where it was counted.
    #[must_use]
    pub fn identify(&mut self, caller: &Caller) -> bool {
        let user = match caller.kind {
            CallerKind::User(id) => Some(Holder::User(id)),
            _ => None,
        };
        let holders: Vec<_> = user.into_iter().chain(caller.tenant.map(Holder::Tenant)).collect();
        if holders.is_empty() {
            return true;
        }
        if !self.seats.count(&holders) {
            return false;
        }
        self.seats.give_back(&std::mem::replace(&mut self.holders, holders));
        true
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.give_back(&self.holders);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::{Ids, SystemClock};

    use super::*;

    fn seats(change: impl Fn(&mut SocketConfig)) -> Seats {
        let mut limits = SocketConfig::default();
        change(&mut limits);
        Seats::new(limits)
    }

    #[test]
    fn a_seat_is_given_back_when_its_socket_ends() {
        let ids = Ids::seeded(Arc::new(SystemClock), 1);
        let tenant = ids.make();
        let user =
            |kind| Caller { kind, tenant: Some(tenant), permissions: std::collections::BTreeSet::new() };
        let (one, other) = (user(CallerKind::User(ids.make())), user(CallerKind::User(ids.make())));
        let seats = seats(|limits| (limits.per_user, limits.per_tenant) = (1, 2));
        let take = |caller: &Caller| {
            let mut seat = seats.take(None)?;
            seat.identify(caller).then_some(seat)
        };
        let first = take(&one);
        assert!(first.is_some(), "the first socket of a user");
        assert!(take(&one).is_none(), "a user has one");
        let second = take(&other);
        assert!(second.is_some(), "another user has its own");
        assert!(take(&user(CallerKind::Anonymous)).is_none(), "the tenant has two");
        drop((first, second));
        assert!(seats.taken.lock().unwrap().is_empty(), "nothing is left behind");
        assert!(take(&one).is_some(), "the seat is free again");
    }

    #[test]
    fn sockets_of_nobody_known_are_counted_by_address_and_together() {
        let ids = Ids::seeded(Arc::new(SystemClock), 1);
        let seats = seats(|limits| (limits.unidentified_per_address, limits.unidentified) = (2, 3));
        let take = |address: &str| seats.take(Some(address.parse().unwrap()));
        let vendor = Caller { kind: CallerKind::Vendor(ids.make()), ..Caller::anonymous() };
        let mut first = take("192.0.2.1").unwrap();
        assert!(first.identify(&vendor), "a vendor without a tenant may have a socket");
        let mut second = take("::ffff:192.0.2.1").unwrap();
        assert!(second.identify(&Caller::anonymous()), "so may nobody");
        assert!(take("192.0.2.1").is_none(), "and both are counted against their address");
        let third = take("2001:db8::1").unwrap();
        assert!(take("198.51.100.1").is_none(), "and together with all others");
        assert!(second.identify(&Caller { tenant: Some(ids.make()), ..vendor }), "whoever is known");
        assert!(take("2001:db8::ffff:1").is_some(), "leaves the seat to others");
        let fourth = take("2001:db8::2").unwrap();
        drop(first);
        assert!(take("2001:db8::3").is_none(), "a network of IPv6 is one client");
        assert!(take("198.51.100.1").is_some(), "another may come in");
        drop((second, third, fourth));
        assert!(seats.taken.lock().unwrap().is_empty(), "nothing is left behind");
    }
}
