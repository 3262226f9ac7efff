//! The steps, in the order of [`super::plan::Step`].

mod booking;
mod by_hand;
mod connect;
mod consent;
mod departure;
mod people;
mod provider;
mod tenant;
mod time;

use super::{Demo, error::Result};

/// Runs all steps until one fails.
pub async fn run_all(demo: &mut Demo) -> Result<()> {
    tenant::run(demo).await?;
    connect::run(demo).await?;
    people::run(demo).await?;
    time::run(demo).await?;
    booking::run(demo).await?;
    consent::run(demo).await?;
    departure::run(demo).await
}
