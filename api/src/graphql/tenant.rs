//! Customer organisations: plan, features, return URLs.

use async_graphql::{Context, Description, ID, InputObject, MaybeUndefined, Object};
use domain::{Id, ids};
use services::{
    entity::tenant::Model,
    tenants::{NewTenant, TenantChange},
};

use super::{
    context::{Ask, changed, member, named, shown},
    failure::{Failure, Result, found},
    page::{args, connection},
    payload::{answer, payload},
    scalar::{DateTime, LanguageTag, TimeZone, Url},
    words::{Feature, Plan},
};

/// A customer organisation of the vendor. Everything else belongs to exactly one.
#[derive(Description, Debug, Clone)]
pub struct Tenant(Model);

impl From<Model> for Tenant {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl Tenant {
    /// The id; it begins with `ten_`.
    pub(super) async fn id(&self) -> ID {
        shown::<ids::Tenant>(self.0.id)
    }

    /// The name, for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it pays for. Null for a plan that this server does not know.
    async fn plan(&self) -> Option<Plan> {
        domain::state::Plan::parse(&self.0.plan).map(Plan::from)
    }

    /// What works for it now: switched on by the vendor's staff and included in the plan.
    async fn features(&self, ctx: &Context<'_>) -> Option<Result<Vec<Feature>>> {
        let features = ctx.services().tenants().features(Id::from_uuid(self.0.id)).await;
        Some(features.map(|all| all.into_iter().map(Feature::from).collect()).map_err(Failure::from))
    }

    /// Where browsers may be sent back to: everything at or below one of these.
    async fn return_urls(&self) -> Vec<Url> {
        let urls = self.0.return_urls.as_array().into_iter().flatten();
        urls.filter_map(|url| url.as_str()).map(|url| Url(url.to_owned())).collect()
    }

    /// The time zone in which whole days and floating times stand where neither their calendar nor their user tells
    /// one. Null while it is not known. Taken from the directory of a verified calendar system where that tells it.
    async fn time_zone(&self) -> Option<TimeZone> {
        self.0.time_zone.clone().map(TimeZone::from)
    }

    /// The language. Null while it is not known. Taken from the directory of a verified calendar system where that
    /// tells it.
    async fn language(&self) -> Option<LanguageTag> {
        self.0.language.clone().map(LanguageTag::from)
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Grows with every change.
    async fn version(&self) -> i64 {
        self.0.version
    }
}

connection!(Tenant, Model, TenantConnection, TenantEdge, "tenants", |row| row.id);

/// The caller's own tenant, or any for the vendor's staff.
pub(super) async fn read(ctx: &Context<'_>, id: &ID) -> Result<Tenant> {
    let id = named::<ids::Tenant>(id, "tenant", "id")?;
    if let Ok(staff) = ctx.caller().allow_staff() {
        return Ok(ctx.services().tenants().by_id(&staff, id).await?.into());
    }
    let own = ctx.services().tenants().get(&member(ctx.caller())?).await?;
    if own.id == id.uuid() { Ok(own.into()) } else { Err(services::Error::not_found("tenant").into()) }
}

#[derive(Default)]
pub struct TenantQuery;

#[Object]
impl TenantQuery {
    /// The tenant of the request, or the one with this id: the vendor's staff may name any.
    async fn tenant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant; the one of the request when absent.")] id: Option<ID>,
    ) -> Option<Result<Tenant>> {
        found(async {
            match id {
                Some(id) => read(ctx, &id).await,
                None => Ok(ctx.services().tenants().get(&member(ctx.caller())?).await?.into()),
            }
        })
        .await
    }

    /// All tenants, in the order in which they were made. For the vendor's staff.
    async fn tenants(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100; 50 when neither is given.")] first: Option<i32>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Option<Result<TenantConnection>> {
        found(async {
            let by = ctx.caller().allow_staff()?;
            let page = ctx.services().tenants().list(&by, args(first, last, after, before)?).await?;
            Ok(TenantConnection::of(page, None))
        })
        .await
    }
}

/// A tenant to be made.
#[derive(InputObject)]
pub struct CreateTenantInput {
    /// The name, for people: 1 to 200 characters.
    name: String,
    /// What it pays for.
    plan: Plan,
    /// Where browsers may be sent back to: everything at or below one of these. Up to 20.
    #[graphql(default)]
    return_urls: Vec<Url>,
    /// The time zone; taken from the directory, where that tells it, when absent.
    time_zone: Option<TimeZone>,
    /// The language; taken from the directory, where that tells it, when absent.
    language: Option<LanguageTag>,
}

/// What of a tenant is to be changed; what is absent stays.
#[derive(InputObject)]
pub struct UpdateTenantInput {
    /// The tenant.
    tenant_id: ID,
    /// The name, for people: 1 to 200 characters.
    name: Option<String>,
    /// The time zone; null takes it away, until a verification takes it from the directory again.
    time_zone: MaybeUndefined<TimeZone>,
    /// The language; null takes it away, until a verification takes it from the directory again.
    language: MaybeUndefined<LanguageTag>,
    /// The version that the change is based on: refused when somebody changed the tenant since.
    if_version: Option<i64>,
}

/// A tenant's new plan.
#[derive(InputObject)]
pub struct SetPlanInput {
    /// The tenant.
    tenant_id: ID,
    /// What it pays for from now on. Features that the plan does not include stop at once.
    plan: Plan,
}

/// A feature to be switched.
#[derive(InputObject)]
pub struct SetFeatureInput {
    /// The tenant.
    tenant_id: ID,
    /// The feature.
    feature: Feature,
    /// Whether it is on from now on.
    on: bool,
}

/// A tenant's new return URLs.
#[derive(InputObject)]
pub struct UpdateReturnUrlsInput {
    /// The tenant.
    tenant_id: ID,
    /// All places from now on, up to 20.
    return_urls: Vec<Url>,
}

payload! {
    /// What `createTenant` answers.
    CreateTenantPayload {
        /// The new tenant.
        tenant: Tenant,
    }
}
payload! {
    /// What `updateTenant` answers.
    UpdateTenantPayload {
        /// The tenant as it stands now.
        tenant: Tenant,
    }
}
payload! {
    /// What `setPlan` answers.
    SetPlanPayload {
        /// The tenant as it stands now.
        tenant: Tenant,
    }
}
payload! {
    /// What `setFeature` answers.
    SetFeaturePayload {
        /// The tenant as it stands now.
        tenant: Tenant,
    }
}
payload! {
    /// What `updateReturnUrls` answers.
    UpdateReturnUrlsPayload {
        /// The tenant as it stands now.
        tenant: Tenant,
    }
}

#[derive(Default)]
pub struct TenantMutation;

#[Object]
impl TenantMutation {
    /// Makes a tenant with the standard roles. For the vendor's staff.
    async fn create_tenant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant.")] input: CreateTenantInput,
    ) -> Result<CreateTenantPayload> {
        answer(async {
            let by = ctx.caller().allow_staff()?;
            let return_urls = input.return_urls.into_iter().map(|url| url.0).collect();
            let new = NewTenant {
                name: input.name,
                plan: input.plan.into(),
                return_urls,
                time_zone: input.time_zone.map(|zone| zone.0),
                language: input.language.map(|tag| tag.0),
            };
            let tenant = ctx.services().tenants().create(&by, new).await?;
            Ok(CreateTenantPayload::done(Tenant(tenant)))
        })
        .await
    }

    /// Changes a tenant's name, time zone or language. For the vendor's staff.
    async fn update_tenant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The change.")] input: UpdateTenantInput,
    ) -> Result<UpdateTenantPayload> {
        answer(async {
            let by = ctx.caller().allow_staff()?;
            let id = named(&input.tenant_id, "tenant", "tenantId")?;
            let change = TenantChange {
                name: input.name,
                time_zone: changed(input.time_zone, |zone| zone.0),
                language: changed(input.language, |tag| tag.0),
            };
            let tenant = ctx.services().tenants().update(&by, id, change, input.if_version).await?;
            Ok(UpdateTenantPayload::done(Tenant(tenant)))
        })
        .await
    }

    /// Changes what a tenant pays for. For the vendor's staff.
    async fn set_plan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant and its plan.")] input: SetPlanInput,
    ) -> Result<SetPlanPayload> {
        answer(async {
            let by = ctx.caller().allow_staff()?;
            let id = named(&input.tenant_id, "tenant", "tenantId")?;
            let tenant = ctx.services().tenants().set_plan(&by, id, input.plan.into()).await?;
            Ok(SetPlanPayload::done(Tenant(tenant)))
        })
        .await
    }

    /// Switches a feature on or off for a tenant. For the vendor's staff.
    async fn set_feature(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant and the feature.")] input: SetFeatureInput,
    ) -> Result<SetFeaturePayload> {
        answer(async {
            let by = ctx.caller().allow_staff()?;
            let id = named(&input.tenant_id, "tenant", "tenantId")?;
            let tenants = ctx.services().tenants();
            let tenant = tenants.set_feature(&by, id, input.feature.into(), input.on).await?;
            Ok(SetFeaturePayload::done(Tenant(tenant)))
        })
        .await
    }

    /// Replaces the places to which browsers may be sent back after a consent. For the vendor's staff.
    async fn update_return_urls(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant and its places.")] input: UpdateReturnUrlsInput,
    ) -> Result<UpdateReturnUrlsPayload> {
        answer(async {
            let by = ctx.caller().allow_staff()?;
            let id = named(&input.tenant_id, "tenant", "tenantId")?;
            let urls = input.return_urls.into_iter().map(|url| url.0).collect();
            let tenant = ctx.services().tenants().update_return_urls(&by, id, urls).await?;
            Ok(UpdateReturnUrlsPayload::done(Tenant(tenant)))
        })
        .await
    }
}
