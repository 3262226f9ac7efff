//! Provider sessions for one mailbox that use its owner's time zone.

use std::sync::Arc;

use domain::Zone;
use providers::{Provider, Session};

use super::Grants;
use crate::{Result, System, connections, integrations, tenants};

impl Grants {
    /// Opens a session for one mailbox, with its owner's own consent if there is one. All-day events and times without
    /// a zone are interpreted in the zone of the mailbox, else of the user, else of the tenant.
    pub async fn open_for_mailbox(
        &self,
        by: &System,
        integration: &entity::integration::Model,
        connection: &entity::connection::Model,
    ) -> Result<(Arc<dyn Provider>, Session)> {
        let is_own = connections::has_own_consent(connection) || integrations::is_personal(integration);
        let own = connection.user_id.filter(|_| is_own);
        let (provider, session) = self.open_session(by, integration, own).await?;
        let zone = self.zone_of(connection).await?;
        Ok((provider, Session { zone, ..session }))
    }

    /// Time zone of a mailbox; `None` if none is known.
    async fn zone_of(&self, connection: &entity::connection::Model) -> Result<Option<Zone>> {
        let told = connection.time_zone.as_deref().and_then(Zone::from_name);
        if told.is_some() {
            return Ok(told);
        }
        let tenant = connection.tenant_id;
        let user = match connection.user_id {
            Some(user) => {
                let txn = self.services.read(tenant).await?;
                entity::tenant_user::by_id(tenant, user).one(&txn).await?
            }
            None => None,
        };
        let tenant = self.services.tenants().find(tenant).await?;
        let told = tenant.as_ref().and_then(|tenant| tenants::owner_zone(user.as_ref(), tenant));
        Ok(told.and_then(Zone::from_name))
    }
}
