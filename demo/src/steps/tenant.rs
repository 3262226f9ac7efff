//! Creates a tenant, sets its plan and feature, and invites its IT administrator.

use serde_json::{Value, json};

use crate::{
    Demo,
    backoff::{Backoff, MAX_OUTAGE},
    error::{Error, Result, ensure, unexpected},
    graph::{Attempt, list_at, mutation_payload, string_at},
    plan::{CalendarSystem, Step},
};

/// Error codes of a feature that the tenant cannot use.
const NOT_THERE: [&str; 2] = ["FEATURE_NOT_IN_PLAN", "FEATURE_OFF"];
/// Number of people besides the users: the administrator, the person added at the end, and the person whose mailbox is
/// out of scope.
const BESIDE: usize = 3;
const ROOMS: usize = 3;

const CREATE: &str = "mutation($input: CreateTenantInput!) {
    createTenant(input: $input) { tenant { id } userErrors { code message } } }";
const TENANTS: &str = "query($after: String) {
    tenants(first: 100, after: $after) { nodes { id name } pageInfo { hasNextPage endCursor } } }";
const SET_PLAN: &str = "mutation($input: SetPlanInput!) {
    setPlan(input: $input) { tenant { plan } userErrors { code message } } }";
const SET_FEATURE: &str = "mutation($input: SetFeatureInput!) {
    setFeature(input: $input) { tenant { features } userErrors { code message } } }";
const INVITE: &str = "mutation($input: InviteAdministratorInput!) {
    inviteAdministrator(input: $input) { url userErrors { code message } } }";

pub(super) async fn run(demo: &mut Demo) -> Result<()> {
    demo.step(Step::CreateTenant, create).await?;
    demo.step(Step::RefusedBefore, refused_before).await?;
    demo.step(Step::SwitchOn, switch_on).await?;
    demo.step(Step::Invite, async |demo| {
        let email = invite_administrator(demo, None).await?;
        Ok(format!("{email} has a link"))
    })
    .await
}

async fn create(demo: &mut Demo) -> Result<String> {
    organisation(demo).await?;
    let name = demo.state.made.name.clone();
    let tenant = tenant(demo, &name).await?;
    demo.graph.set_tenant(&tenant);
    demo.state.made.tenant = Some(tenant.clone());
    Ok(format!("{tenant} on the plan BASIC"))
}

/// Creates the organisation to be connected at the sandbox.
async fn organisation(demo: &mut Demo) -> Result<()> {
    let Some(sandbox) = demo.sandbox.clone() else { return Ok(()) };
    let name = &demo.state.made.name;
    let id = sandbox.ensure_organisation(name, demo.users + BESIDE, ROOMS, demo.system).await?;
    let read = sandbox.read_organisation(&id).await?;
    if demo.state.made.service_mailbox.is_none() {
        demo.state.made.service_mailbox = Some(string_at(&read, "/shared/0/address")?.to_owned());
    }
    if demo.system == CalendarSystem::Exchange {
        demo.state.made.account = Some(sandbox.set_exchange_account(&id, demo.password()).await?);
    }
    demo.state.made.organisation = Some(id);
    demo.state.save()
}

/// Creates the tenant. The mutation has no idempotency key, so the tenant is looked up by name before every
/// attempt.
async fn tenant(demo: &Demo, name: &str) -> Result<String> {
    let input = json!({ "input": { "name": name, "plan": "BASIC", "returnUrls": [demo.landing.as_str()] } });
    let mut patience = Backoff::with_time_limit(MAX_OUTAGE);
    loop {
        if let Some(known) = find(demo, name).await? {
            return Ok(known);
        }
        match demo.graph.send_once(CREATE, input.clone()).await? {
            Attempt::Answered(data) => {
                return Ok(string_at(&mutation_payload(data)?, "/tenant/id")?.to_owned());
            }
            Attempt::Unknown(_) if patience.wait().await => {}
            Attempt::Unknown(why) => return Err(Error::Unreachable { what: "the API".to_owned(), why }),
        }
    }
}

async fn find(demo: &Demo, name: &str) -> Result<Option<String>> {
    let mut after = Value::Null;
    loop {
        let page = demo.graph.query(TENANTS, json!({ "after": after })).await?;
        let known = list_at(&page, "/tenants/nodes")?.iter().find(|tenant| tenant["name"] == name);
        if let Some(known) = known {
            return Ok(Some(string_at(known, "/id")?.to_owned()));
        }
        if page["tenants"]["pageInfo"]["hasNextPage"] != true {
            return Ok(None);
        }
        after = page["tenants"]["pageInfo"]["endCursor"].clone();
    }
}

async fn refused_before(demo: &mut Demo) -> Result<String> {
    match invite_administrator(demo, None).await {
        Err(Error::Refused { code, .. }) if NOT_THERE.contains(&code.as_str()) => Ok(code),
        Err(error) => Err(error),
        Ok(_) => Err(unexpected("an IT person could be invited although the feature is off")),
    }
}

async fn switch_on(demo: &mut Demo) -> Result<String> {
    let tenant = demo.state.made.tenant.clone();
    let plan = json!({ "input": { "tenantId": tenant, "plan": "PLUS" } });
    demo.graph.mutate(SET_PLAN, plan).await?;
    let feature = json!({ "input": { "tenantId": tenant, "feature": "SERVICE_ACCOUNT", "on": true } });
    let set = demo.graph.mutate(SET_FEATURE, feature).await?;
    let features = &set["tenant"]["features"];
    ensure(*features == json!(["SERVICE_ACCOUNT"]), || format!("the features are {features}"))?;
    Ok("PLUS with SERVICE_ACCOUNT".to_owned())
}

/// Invites the IT administrator and returns their email address. Safe to repeat: each call creates another invitation
/// link.
pub(super) async fn invite_administrator(demo: &mut Demo, integration: Option<&str>) -> Result<String> {
    let email = administrator_address(demo).await?;
    let mut input = json!({ "email": email, "returnUrl": demo.landing.as_str() });
    if let Some(integration) = integration {
        input["integrationId"] = integration.into();
    }
    let invited = demo.graph.mutate(INVITE, json!({ "input": input })).await?;
    demo.state.made.link = Some(string_at(&invited, "/url")?.to_owned());
    demo.state.save()?;
    Ok(email)
}

/// Email address of the IT administrator: at the sandbox, that of an administrator who can consent.
pub(super) async fn administrator_address(demo: &Demo) -> Result<String> {
    match (&demo.sandbox, &demo.state.made.organisation, demo.system) {
        (
            Some(sandbox),
            Some(organisation),
            CalendarSystem::Microsoft365 | CalendarSystem::GoogleWorkspace,
        ) => Ok(string_at(&sandbox.read_organisation(organisation).await?, "/admin/address")?.to_owned()),
        _ => Ok(format!("it-department@{}.test", demo.state.made.name)),
    }
}
