//! Tenants: customer organisations with their plan, features and return URLs.

use async_graphql::{Context, Description, ID, InputObject, MaybeUndefined, Object};
use domain::ids;
use services::{
    rows::tenant::Model,
    tenants::{self, NewTenant, TenantChange},
};

use super::{
    context::{ContextExt, format_id, parse_id, patch_field},
    enums::{Feature, Plan, ProviderKind},
    failure::{Failure, Result, null_if_missing},
    page::{connection, parse_page_args},
    payload::{catch_refusals, payload},
    scalar::{DateTime, LanguageTag, TimeZone, Url},
};

/// A customer organisation of the vendor. All other objects except vendor keys belong to exactly one tenant.
#[derive(Description, Debug, Clone)]
pub struct Tenant(Model);

impl From<Model> for Tenant {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl Tenant {
    /// Identifier; starts with `ten_`.
    pub(super) async fn id(&self) -> ID {
        format_id(self.0.id)
    }

    /// Display name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The plan that the tenant pays for; null if a newer server version stored a value unknown to this one.
    async fn plan(&self) -> Option<Plan> {
        self.0.plan.known().map(Plan::from)
    }

    /// Features that the tenant can use: those that the vendor's staff have switched on and the plan includes.
    async fn features(&self, ctx: &Context<'_>) -> Option<Result<Vec<Feature>>> {
        let tenants = ctx.services().tenants();
        let features = match ctx.caller().allow_staff() {
            Ok(staff) => tenants.features_of(&staff, self.0.id).await,
            // Nobody else sees a tenant other than their own.
            Err(_) => tenants.features(&ctx.caller().allow_member().ok()?).await,
        };
        Some(features.map(|all| all.into_iter().map(Feature::from).collect()).map_err(Failure::from))
    }

    /// Return URLs: browsers may be redirected to each of these URLs and to every URL below it.
    async fn return_urls(&self) -> Vec<Url> {
        let urls = self.0.return_urls.as_array().into_iter().flatten();
        urls.filter_map(|url| url.as_str()).map(|url| Url(url.to_owned())).collect()
    }

    /// Default time zone, used for all-day events and for times without a zone if neither the calendar nor its user
    /// has one. Null until set here or read from the directory of a verified calendar system.
    async fn time_zone(&self) -> Option<TimeZone> {
        self.0.time_zone.clone().map(TimeZone::from)
    }

    /// Preferred language. Null until set here or read from the directory of a verified calendar system.
    async fn language(&self) -> Option<LanguageTag> {
        self.0.language.clone().map(LanguageTag::from)
    }

    /// Calendar systems that the tenant may connect, among those that this installation offers.
    async fn providers(&self, ctx: &Context<'_>) -> Vec<ProviderKind> {
        let providers = tenants::providers(&ctx.services().connectors, &self.0);
        providers.into_iter().map(ProviderKind::from).collect()
    }

    /// Time since which the tenant is being erased; null otherwise.
    async fn erasing_since(&self) -> Option<DateTime> {
        self.0.erasing_since.map(DateTime)
    }

    /// Time at which the tenant was created.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Incremented on every change; pass as `ifVersion`.
    async fn version(&self) -> i64 {
        self.0.version
    }
}

connection!(Tenant, Model, TenantConnection, TenantEdge, "tenants", |row| row.id.uuid());

/// The caller's own tenant; any tenant for the vendor's staff.
pub(super) async fn read(ctx: &Context<'_>, id: &ID) -> Result<Tenant> {
    let id = parse_id::<ids::Tenant>(id, "tenant", "id")?;
    if let Ok(staff) = ctx.caller().allow_staff() {
        return Ok(ctx.services().tenants().by_id(&staff, id).await?.into());
    }
    let own = ctx.services().tenants().get(&ctx.caller().allow_member()?).await?;
    if own.id == id { Ok(own.into()) } else { Err(services::Error::not_found("tenant").into()) }
}

#[derive(Default)]
pub struct TenantQuery;

#[Object]
impl TenantQuery {
    /// The tenant of the request, or the tenant with this id. Only the vendor's staff may pass the id of another
    /// tenant.
    async fn tenant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Identifier of the tenant; defaults to the tenant of the request.")] id: Option<ID>,
    ) -> Option<Result<Tenant>> {
        null_if_missing(async {
            match id {
                Some(id) => read(ctx, &id).await,
                None => Ok(ctx.services().tenants().get(&ctx.caller().allow_member()?).await?.into()),
            }
        })
        .await
    }

    /// Lists all tenants, oldest first. Vendor staff only (`STAFF`).
    async fn tenants(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<TenantConnection>> {
        null_if_missing(async {
            let by = ctx.caller().allow_staff()?;
            let page =
                ctx.services().tenants().list(&by, parse_page_args(first, last, after, before)?).await?;
            Ok(TenantConnection::from_page(page, None))
        })
        .await
    }
}

/// Fields of a new tenant.
#[derive(InputObject)]
pub struct CreateTenantInput {
    /// Display name, 1 to 200 characters.
    name: String,
    /// The plan that the tenant pays for.
    plan: Plan,
    /// Return URLs: browsers may be redirected to each of these URLs and to every URL below it. Up to 20.
    /// Setting any needs every permission, as with `updateReturnUrls`.
    #[graphql(default)]
    return_urls: Vec<Url>,
    /// Default time zone; if omitted, it is read from the directory of the first verified calendar system that has
    /// one.
    time_zone: Option<TimeZone>,
    /// Preferred language; if omitted, it is read from the directory of the first verified calendar system that has
    /// one.
    language: Option<LanguageTag>,
}

/// Fields of a tenant to change; omitted fields keep their value.
#[derive(InputObject)]
pub struct UpdateTenantInput {
    /// Identifier of the tenant to change.
    tenant_id: ID,
    /// Display name, 1 to 200 characters.
    name: Option<String>,
    /// Default time zone; null clears it until the next verification reads it from the directory.
    time_zone: MaybeUndefined<TimeZone>,
    /// Preferred language; null clears it until the next verification reads it from the directory.
    language: MaybeUndefined<LanguageTag>,
    /// Calendar systems that the tenant may connect; null allows all that this installation offers. Integrations that
    /// exist stay as they are.
    providers: MaybeUndefined<Vec<ProviderKind>>,
    /// `version` of the tenant as last read; refused with `VERSION_CONFLICT` if it has changed since.
    if_version: Option<i64>,
}

/// Selects a tenant and its new plan.
#[derive(InputObject)]
pub struct SetPlanInput {
    /// Identifier of the tenant whose plan changes.
    tenant_id: ID,
    /// The new plan. Features that it does not include stop working at once.
    plan: Plan,
}

/// Turns one feature of a tenant on or off.
#[derive(InputObject)]
pub struct SetFeatureInput {
    /// Identifier of the tenant whose feature is turned on or off.
    tenant_id: ID,
    /// The feature to turn on or off.
    feature: Feature,
    /// `true` turns the feature on, `false` turns it off.
    on: bool,
}

/// Selects a tenant and its new return URLs.
#[derive(InputObject)]
pub struct UpdateReturnUrlsInput {
    /// Identifier of the tenant whose return URLs are replaced.
    tenant_id: ID,
    /// Complete new list of return URLs, up to 20.
    return_urls: Vec<Url>,
}

payload! {
    /// Result of `createTenant`.
    CreateTenantPayload {
        /// The new tenant.
        tenant: Tenant,
    }
}
payload! {
    /// Result of `updateTenant`.
    UpdateTenantPayload {
        /// The updated tenant.
        tenant: Tenant,
    }
}
payload! {
    /// Result of `setPlan`.
    SetPlanPayload {
        /// The updated tenant.
        tenant: Tenant,
    }
}
payload! {
    /// Result of `setFeature`.
    SetFeaturePayload {
        /// The updated tenant.
        tenant: Tenant,
    }
}
payload! {
    /// Result of `updateReturnUrls`.
    UpdateReturnUrlsPayload {
        /// The updated tenant.
        tenant: Tenant,
    }
}

#[derive(Default)]
pub struct TenantMutation;

#[Object]
impl TenantMutation {
    /// Creates a tenant with the standard roles. Vendor staff only (`STAFF`).
    async fn create_tenant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `createTenant`.")] input: CreateTenantInput,
    ) -> Result<CreateTenantPayload> {
        catch_refusals(async {
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

    /// Changes a tenant's name, time zone, language or permitted calendar systems. Vendor staff only (`STAFF`).
    async fn update_tenant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `updateTenant`.")] input: UpdateTenantInput,
    ) -> Result<UpdateTenantPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow_staff()?;
            let id = parse_id(&input.tenant_id, "tenant", "tenantId")?;
            let change = TenantChange {
                name: input.name,
                time_zone: patch_field(input.time_zone, |zone| zone.0),
                language: patch_field(input.language, |tag| tag.0),
                providers: patch_field(input.providers, |kinds| kinds.into_iter().map(Into::into).collect()),
            };
            let tenant = ctx.services().tenants().update(&by, id, change, input.if_version).await?;
            Ok(UpdateTenantPayload::done(Tenant(tenant)))
        })
        .await
    }

    /// Changes a tenant's plan. Integrations that the new plan does not include are immediately `SUSPENDED` without
    /// losing data; they resume when the plan includes them again. Vendor staff only (`STAFF`).
    async fn set_plan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `setPlan`.")] input: SetPlanInput,
    ) -> Result<SetPlanPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow_staff()?;
            let id = parse_id(&input.tenant_id, "tenant", "tenantId")?;
            let tenant = ctx.services().tenants().set_plan(&by, id, input.plan.into()).await?;
            Ok(SetPlanPayload::done(Tenant(tenant)))
        })
        .await
    }

    /// Turns a feature of a tenant on or off. When the feature is turned off, integrations that need it are
    /// immediately `SUSPENDED` without losing data; when it is turned on again, they resume. Vendor staff only
    /// (`STAFF`).
    async fn set_feature(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `setFeature`.")] input: SetFeatureInput,
    ) -> Result<SetFeaturePayload> {
        catch_refusals(async {
            let by = ctx.caller().allow_staff()?;
            let id = parse_id(&input.tenant_id, "tenant", "tenantId")?;
            let tenants = ctx.services().tenants();
            let tenant = tenants.set_feature(&by, id, input.feature.into(), input.on).await?;
            Ok(SetFeaturePayload::done(Tenant(tenant)))
        })
        .await
    }

    /// Replaces the URLs to which browsers may be redirected after a consent or a sign-in. Vendor staff only (`STAFF`);
    /// the key needs every other permission too, because the codes of users who sign in are sent to these URLs.
    async fn update_return_urls(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `updateReturnUrls`.")] input: UpdateReturnUrlsInput,
    ) -> Result<UpdateReturnUrlsPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow_staff()?;
            let id = parse_id(&input.tenant_id, "tenant", "tenantId")?;
            let urls = input.return_urls.into_iter().map(|url| url.0).collect();
            let tenant = ctx.services().tenants().update_return_urls(&by, id, urls).await?;
            Ok(UpdateReturnUrlsPayload::done(Tenant(tenant)))
        })
        .await
    }
}
