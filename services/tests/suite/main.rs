//! The use cases on real databases.

mod bookings;
mod people;
