//! The sandbox over plain HTTP, as its callers meet it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod batch;
mod certificates;
mod directory;
mod durability;
mod events;
mod exchange;
mod faults;
mod google;
mod identity;
mod meetings;
mod names;
mod notices;
mod official;
mod rooms;
mod schedule;
mod setup;
mod subscriptions;
mod tooling;
