//! The steps, in the order of [`super::plan::Step`].

mod booking;
mod connect;
mod consent;
mod people;
mod provider;
mod tenant;
mod time;

use super::{Demo, error::Result};

/// Runs all steps until one fails.
pub async fn all(demo: &mut Demo) -> Result<()> {
    tenant::steps(demo).await?;
    connect::steps(demo).await?;
    people::steps(demo).await?;
    time::steps(demo).await?;
    booking::steps(demo).await?;
    consent::steps(demo).await
}
