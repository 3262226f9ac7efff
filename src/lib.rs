//! The modules of the binary, as a library for its end-to-end tests.

pub mod app;
pub mod audit;
pub mod config;
pub mod database;
pub mod dev;
pub mod doctor;
pub mod keys;
pub mod runs;
pub mod seed;
