//! The workflows through the engine, on real databases.

mod booking_runs;
mod calendar;
mod docs;
mod faults;
mod health;
mod records;
#[expect(clippy::unwrap_used, reason = "what a test sets up must succeed")]
#[expect(dead_code, reason = "the tests of the use cases need the rest")]
#[path = "../../../services/tests/suite/bookings/setup.rs"]
mod setup;
