//! What the binary is made of. Its end-to-end tests start the same parts.

pub mod app;
pub mod audit;
pub mod config;
pub mod database;
pub mod demo;
pub mod dev;
pub mod doctor;
pub mod keys;
pub mod runs;
pub mod seed;
