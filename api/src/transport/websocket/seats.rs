//! How many sockets a user and a tenant have open on this node.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{Caller, CallerKind, Id, ids};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Holder {
    User(Id<ids::User>),
    Tenant(Id<ids::Tenant>),
}

/// Counts open sockets. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Seats {
    per_user: usize,
    per_tenant: usize,
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
    pub fn new(per_user: usize, per_tenant: usize) -> Self {
        Self { per_user, per_tenant, taken: Arc::default() }
    }

    /// Takes a seat for the caller, unless its user or its tenant has as many as it may have.
    pub fn take(&self, caller: &Caller) -> Option<Seat> {
        let user = match caller.kind {
            CallerKind::User(id) => Some((Holder::User(id), self.per_user)),
            _ => None,
        };
        let tenant = caller.tenant.map(|id| (Holder::Tenant(id), self.per_tenant));
        let wanted: Vec<(Holder, usize)> = user.into_iter().chain(tenant).collect();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full =
            |(holder, limit): &(Holder, usize)| taken.get(holder).is_some_and(|count| count >= limit);
        if wanted.iter().any(is_full) {
            return None;
        }
        let holders: Vec<Holder> = wanted.into_iter().map(|(holder, _)| holder).collect();
        for holder in &holders {
            *taken.entry(*holder).or_default() += 1;
        }
        Some(Seat { seats: self.clone(), holders })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        for holder in &self.holders {
            if let Some(count) = taken.get_mut(holder) {
                *count -= 1;
                if *count == 0 {
                    taken.remove(holder);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::{Ids, SystemClock};

    use super::*;

    #[test]
    fn a_seat_is_given_back_when_its_socket_ends() {
        let ids = Ids::seeded(Arc::new(SystemClock), 1);
        let tenant = ids.make();
        let user =
            |kind| Caller { kind, tenant: Some(tenant), permissions: std::collections::BTreeSet::new() };
        let (one, other) = (user(CallerKind::User(ids.make())), user(CallerKind::User(ids.make())));
        let seats = Seats::new(1, 2);
        let first = seats.take(&one);
        assert!(first.is_some(), "the first socket of a user");
        assert!(seats.take(&one).is_none(), "a user has one");
        let second = seats.take(&other);
        assert!(second.is_some(), "another user has its own");
        assert!(seats.take(&user(CallerKind::Anonymous)).is_none(), "the tenant has two");
        drop((first, second));
        assert!(seats.taken.lock().unwrap().is_empty(), "nothing is left behind");
        assert!(seats.take(&one).is_some(), "the seat is free again");
    }
}
