//! Access to one mailbox, with its days where its owner lives.

use std::sync::Arc;

use domain::Zone;
use providers::{Provider, Session};

use super::Grants;
use crate::{Result, connections};

impl Grants {
    /// Access to the calendar system for one mailbox: through its owner's own consent where it has one. Whole days and
    /// times without a zone stand in the zone of the mailbox, else of the user, else of the tenant.
    pub async fn session_of(
        &self,
        integration: &entity::integration::Model,
        connection: &entity::connection::Model,
    ) -> Result<(Arc<dyn Provider>, Session)> {
        let own = connection.user_id.filter(|_| connections::is_own(connection));
        let (provider, session) = self.session(integration, own).await?;
        let zone = self.zone_of(connection).await?;
        Ok((provider, Session { zone, ..session }))
    }

    /// The zone of a mailbox's days; `None` where nobody has told one.
    async fn zone_of(&self, connection: &entity::connection::Model) -> Result<Option<Zone>> {
        let told = connection.time_zone.as_deref().and_then(Zone::named);
        if told.is_some() {
            return Ok(told);
        }
        let tenant = connection.tenant_id;
        let user = match connection.user_id {
            Some(user) => {
                let txn = self.services.store.read(tenant).await?;
                entity::tenant_user::one(tenant, user).one(&txn).await?
            }
            None => None,
        };
        Ok(user.and_then(|user| user.time_zone).as_deref().and_then(Zone::named))
    }
}
