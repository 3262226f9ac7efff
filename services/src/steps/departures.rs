//! What steps read of departures.

use domain::{Id, ids};

use super::StepServices;
use crate::{Result, departure::Departing};

impl StepServices {
    /// Unfinished runs that work on what departs, except the given run; some of them if there are many.
    pub async fn runs_of_departing(
        &self,
        tenant: Id<ids::Tenant>,
        departing: Departing,
        except: Id<ids::Run>,
    ) -> Result<Vec<entity::run::Model>> {
        self.system.runs_of_departing(tenant, departing, except).await
    }
}
