//! How a consent comes into force: it is left sealed in the session, tried by the integration's run, and only then
//! stored; and how it goes out of force again.

use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use url::Url;
use uuid::Uuid;

use super::{
    ANSWERED, Connect, Consented, HANDED_OVER, SessionRow,
    session::{session_over, verifier_place},
};
use crate::{Error, Result, Tx, grants::Secret, integrations};

impl Connect {
    /// Leaves a consent, sealed, in the session, and tells the integration's run where it is. Nothing is in force
    /// before the run has tried it.
    pub(super) async fn hand_over(
        &self,
        tx: &mut Tx,
        session: &mut SessionRow,
        account: &str,
        secret: &Secret,
        server: Option<&Url>,
    ) -> Result<()> {
        let plain = serde_json::to_vec(secret).map_err(|_| Error::Unreadable { what: "consent" })?;
        let key = self.services.tenants().data_key(session.tenant_id).await?;
        let mut change = entity::connect_session::ActiveModel::from(session.clone());
        change.verifier = Set(Some(key.seal(verifier_place(session), &plain)?));
        change.step = Set(HANDED_OVER.to_owned());
        *session = change.update(tx.conn()).await?;
        let said = Consented { session: session.id, by: account.to_owned(), server: server.cloned() };
        let said = serde_json::to_value(said).map_err(|_| Error::Unreadable { what: "consent" })?;
        integrations::signal(tx, session.integration_id, "consented", said).await
    }

    /// The consent that [`Connect::hand_over`] left for an integration; read by the integration's run.
    pub async fn handed_over(&self, tenant: Uuid, integration: Uuid, session: Uuid) -> Result<Secret> {
        use entity::connect_session::{Column, Entity};
        #[expect(
            clippy::disallowed_methods,
            reason = "sessions are found before their tenant is known; both are asked for"
        )]
        let row = Entity::find()
            .filter(Column::TenantId.eq(tenant))
            .filter(Column::IntegrationId.eq(integration))
            .filter(Column::Id.eq(session))
            .one(self.services.store.installation())
            .await?
            .ok_or_else(session_over)?;
        let key = self.services.tenants().data_key(tenant).await?;
        let plain = key.open(verifier_place(&row), row.verifier.as_deref().unwrap_or_default())?;
        serde_json::from_slice(&plain).map_err(|_| Error::Unreadable { what: "consent" })
    }

    /// Puts a tried consent into force, in one transaction: the organisation at the provider is bound to this tenant
    /// and to no other, and the secret is stored. Done twice it changes nothing.
    pub async fn adopt(
        &self,
        integration: &entity::integration::Model,
        consented: &Consented,
        secret: &Secret,
        organisation: &providers::Organisation,
    ) -> Result<()> {
        use entity::external_binding::{ActiveModel, Entity};
        let tx = self.services.begin(integration.tenant_id).await?;
        let key = (integration.provider.clone(), organisation.id.clone());
        #[expect(clippy::disallowed_methods, reason = "the binding is what tells the tenant")]
        let bound = Entity::find_by_id(key).one(tx.conn()).await?;
        match bound {
            Some(bound) if bound.integration_id == integration.id => {}
            Some(_) => {
                let message = "This organisation is connected already, by another integration.";
                return Err(Error::refuse("ORGANISATION_TAKEN", message));
            }
            None => {
                let row = ActiveModel {
                    provider: Set(integration.provider.clone()),
                    external_tenant: Set(organisation.id.clone()),
                    tenant_id: Set(integration.tenant_id),
                    integration_id: Set(integration.id),
                    bound_at: Set(tx.now()),
                };
                Entity::insert(row).exec_without_returning(tx.conn()).await?;
            }
        }
        let mut change = entity::integration::ActiveModel::from(integration.clone());
        change.server_url = Set(consented.server.as_ref().map(Url::to_string));
        change.external_tenant = Set(Some(organisation.id.clone()));
        change.external_name = Set(Some(organisation.name.clone()));
        change.consented_by = Set(Some(consented.by.clone()));
        change.update(tx.conn()).await?;
        self.services.grants().store(&tx, integration.id, None, &consented.by, secret).await?;
        tx.commit().await
    }

    /// Clears the consents that sessions left for an integration's run, which is over.
    pub async fn forget(&self, tenant: Uuid, integration: Uuid) -> Result<()> {
        let tx = self.services.begin(tenant).await?;
        forget_handed_over(&tx, integration).await?;
        tx.commit().await
    }

    /// Takes a consent out of force again: nothing of it is left. Safe when it never was in force.
    pub async fn abandon(&self, tenant: Uuid, integration: Uuid) -> Result<()> {
        use entity::external_binding::{Column, Entity};
        let tx = self.services.begin(tenant).await?;
        self.services.grants().remove(&tx, integration, None).await?;
        #[expect(
            clippy::disallowed_methods,
            reason = "bindings have no finders: both tenant and integration are asked for"
        )]
        Entity::delete_many()
            .filter(Column::TenantId.eq(tenant))
            .filter(Column::IntegrationId.eq(integration))
            .exec(tx.conn())
            .await?;
        forget_handed_over(&tx, integration).await?;
        forget_organisation(&tx, integration).await?;
        tx.commit().await
    }
}

/// Clears the consents that sessions left for an integration's run, once it has put one into force or given up.
pub(crate) async fn forget_handed_over(tx: &Tx, integration: Uuid) -> Result<()> {
    use entity::connect_session::{Column, Entity};
    #[expect(clippy::disallowed_methods, reason = "sessions have no finders; the tenant is asked for")]
    Entity::update_many()
        .filter(Column::TenantId.eq(tx.tenant()))
        .filter(Column::IntegrationId.eq(integration))
        .filter(Column::Step.is_in([HANDED_OVER, ANSWERED]))
        .col_expr(Column::Verifier, Expr::value(Option::<Vec<u8>>::None))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Lets an integration that never came into force be connected to another organisation.
pub(super) async fn forget_organisation(tx: &Tx, integration: Uuid) -> Result<()> {
    use entity::integration::{Column, update};
    let none = || Expr::value(Option::<String>::None);
    update(tx.tenant())
        .filter(Column::Id.eq(integration))
        .col_expr(Column::ExternalTenant, none())
        .col_expr(Column::ExternalName, none())
        .col_expr(Column::ServerUrl, none())
        .col_expr(Column::ConsentedBy, none())
        .exec(tx.conn())
        .await?;
    Ok(())
}
