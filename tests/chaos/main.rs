//! Planted disasters, with the sandbox's own journal as the judge. See `README.md` beside this file.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cluster;
mod database;
mod engine_cluster;
mod judge;
mod load;
mod servers;

mod passwords;
mod shutdown;
mod soak;
mod t02_killed_workers;
mod t03_postgres_restarts;
mod t04_redis_lost;
mod t05_answers_cut;
mod t07_poison;
mod t10_two_versions;
mod t26_hostile_input;
mod t27_overload;
