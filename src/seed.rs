//! The two example tenants of `muster dev`, created as a vendor and an IT administrator would create them.
//!
//! The first tenant is connected by the real workflow: its administrator's browser completes the connect pages and the
//! sandbox's consent pages. The second tenant has a pending consent and a valid connect link. The created objects are
//! recorded in the data folder; a second start finds them and creates nothing.

use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path, time::Duration};

use demo::browser::{self, Browser};
use domain::{
    Id,
    access::Rule,
    ids,
    state::{ConnectionState, Feature, IntegrationState, Plan},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use services::{
    Allowed, Anyone, Caller, PageArgs, Services, Staff,
    connections::ConnectionFilter,
    links::NewInvitation,
    tenants::NewTenant,
    users::{NewUser, UserFilter},
};
use url::Url;

use crate::app::Error;

/// Name of the connected tenant.
pub const CONNECTED_TENANT: &str = "Northwind Clinics";
/// Name of the tenant whose consent is pending.
pub const PENDING_TENANT: &str = "Fabrikam Studio";
/// File in the data folder that records the created objects.
pub const SEED_FILE: &str = "seeded.json";

/// Time zone of the example users; the sandbox uses its Windows name.
const ZONE: &str = "Europe/Berlin";

/// Maximum time that the sandbox and the workers take to activate 46 mailboxes.
const PATIENCE: Duration = Duration::from_mins(3);

/// The created example data.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SeedData {
    /// The connected tenant.
    pub tenant: Id<ids::Tenant>,
    /// The connected tenant's administrator.
    pub admin: Id<ids::User>,
    /// An ordinary user of the connected tenant.
    pub user: Id<ids::User>,
    /// The tenant whose consent is pending.
    pub waiting: Id<ids::Tenant>,
    /// Email address of the invited administrator of the waiting tenant.
    pub invited: String,
    /// Connect link of the waiting tenant.
    pub connect: String,
}

fn note(data: &Path) -> Option<SeedData> {
    serde_json::from_slice(&std::fs::read(data.join(SEED_FILE)).ok()?).ok()
}

/// Registers Muster's application at the sandbox, with its redirect URLs.
pub async fn register_application(
    sandbox: &Url,
    client_id: &str,
    secret: &str,
    base: &Url,
) -> Result<(), Error> {
    use providers::{google, microsoft};
    let paths = [
        microsoft::SIGNED_IN_PATH,
        microsoft::CONSENTED_PATH,
        microsoft::OWN_CONSENTED_PATH,
        google::SIGNED_IN_PATH,
        google::OWN_CONSENTED_PATH,
    ];
    let redirects: Vec<String> =
        paths.iter().filter_map(|path| base.join(path).ok()).map(String::from).collect();
    let application =
        json!({ "client_id": client_id, "name": "Muster", "secret": secret, "redirect_uris": redirects });
    control(sandbox, "/control/apps", &application).await.map(|_| ())
}

/// Posts a request to the sandbox's control API.
async fn control(sandbox: &Url, path: &str, body: &Value) -> Result<Value, Error> {
    let url = sandbox.join(path).map_err(|error| Error::Dev(error.to_string()))?;
    let request = http::Request::new(http::Method::POST, url).body("application/json", body.to_string());
    let answer = browser::local_client()?.send(request).await;
    let answer = answer.map_err(|error| Error::Dev(format!("the sandbox does not answer: {error}")))?;
    if !answer.status.is_success() {
        return Err(Error::Dev(format!("the sandbox refused {path}: {}", answer.text())));
    }
    answer.json().map_err(|error| Error::Dev(error.to_string()))
}

/// Creates missing example data.
pub async fn seed(
    services: &Services,
    sandbox: &Url,
    vendor_key: &str,
    data: &Path,
) -> Result<SeedData, Error> {
    if let Some(seeded) = note(data) {
        return still_open(services, vendor_key, seeded, data).await;
    }
    let staff = staff(services, vendor_key).await?;
    let organisation = generate(sandbox, CONNECTED_TENANT, 40, 6).await?;
    let tenant = tenant(services, &staff, CONNECTED_TENANT).await?;
    let vendor = acting_for(services, vendor_key, tenant).await?;
    let (admin, user) = people(services, &vendor, &organisation).await?;
    connect(services, &vendor, &organisation).await?;
    let small = generate(sandbox, PENDING_TENANT, 5, 1).await?;
    let waiting = self::tenant(services, &staff, PENDING_TENANT).await?;
    let vendor = acting_for(services, vendor_key, waiting).await?;
    let invited = small["admin"]["address"].as_str().unwrap_or_default().to_owned();
    let connect = invite(services, &vendor, &invited).await?;
    let seeded = SeedData { tenant, admin, user, waiting, invited, connect };
    keep(&seeded, data)?;
    Ok(seeded)
}

fn keep(seeded: &SeedData, data: &Path) -> Result<(), Error> {
    let text = serde_json::to_vec_pretty(seeded).map_err(|error| Error::Dev(error.to_string()))?;
    // A connect link is in it.
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(data.join(SEED_FILE))?;
    Ok(file.write_all(&text)?)
}

/// Reads the recorded data of an earlier start and replaces its connect link, because the port may have changed and
/// links expire.
async fn still_open(
    services: &Services,
    vendor_key: &str,
    mut seeded: SeedData,
    data: &Path,
) -> Result<SeedData, Error> {
    let path = seeded.connect.parse::<Url>().map(|url| url.path().to_owned()).unwrap_or_default();
    let token = path.rsplit('/').next().unwrap_or_default();
    seeded.connect = match services.links().open(Anyone, token).await {
        Ok(_) => services.settings.absolute_url(&path),
        Err(_) => {
            let vendor = acting_for(services, vendor_key, seeded.waiting).await?;
            invite(services, &vendor, &seeded.invited).await?
        }
    };
    keep(&seeded, data)?;
    Ok(seeded)
}

async fn staff(services: &Services, vendor_key: &str) -> Result<Staff, Error> {
    let caller = caller(services, vendor_key, None).await?;
    Ok(caller.allow_staff().map_err(services::Error::from)?)
}

async fn caller(services: &Services, key: &str, tenant: Option<&str>) -> Result<Caller, Error> {
    Ok(services.access().authenticate(Anyone, Some(&format!("Bearer {key}")), tenant).await?.caller)
}

async fn acting_for(services: &Services, key: &str, tenant: Id<ids::Tenant>) -> Result<Caller, Error> {
    caller(services, key, Some(&tenant.to_string())).await
}

fn allowed<R: Rule>(caller: &Caller) -> Result<Allowed<R>, Error> {
    Ok(caller.allow().map_err(services::Error::from)?)
}

/// Creates the organisation at the sandbox, or finds the one that an interrupted earlier start created.
async fn generate(sandbox: &Url, name: &str, users: usize, rooms: usize) -> Result<Value, Error> {
    let url = sandbox.join("/control/organisations").map_err(|error| Error::Dev(error.to_string()))?;
    let answer = browser::local_client()?.send(http::Request::new(http::Method::GET, url)).await;
    let all: Vec<Value> = answer
        .map_err(|error| Error::Dev(format!("the sandbox does not answer: {error}")))?
        .json()
        .map_err(|error| Error::Dev(error.to_string()))?;
    if let Some(known) = all.into_iter().find(|organisation| organisation["name"] == name) {
        return Ok(known);
    }
    let order =
        json!({ "name": name, "users": users, "rooms": rooms, "weeks": 3, "seed": 7, "out_of_scope": 1 });
    control(sandbox, "/control/organisations/generate", &order).await
}

async fn tenant(services: &Services, staff: &Staff, name: &str) -> Result<Id<ids::Tenant>, Error> {
    let all = services.tenants().list(staff, PageArgs { first: Some(100), ..PageArgs::default() }).await?;
    if let Some(known) = all.items.into_iter().find(|tenant| tenant.name == name) {
        return Ok(known.id);
    }
    let return_urls = vec!["http://127.0.0.1/".to_owned(), services.settings.absolute_url("/")];
    let new =
        NewTenant { name: name.to_owned(), plan: Plan::Plus, return_urls, time_zone: None, language: None };
    let id = services.tenants().create(staff, new).await?.id;
    services.tenants().set_feature(staff, id, Feature::ServiceAccount, true).await?;
    Ok(id)
}

/// Creates users for the people in the directory; the first one is the administrator.
async fn people(
    services: &Services,
    vendor: &Caller,
    organisation: &Value,
) -> Result<(Id<ids::User>, Id<ids::User>), Error> {
    let known = services
        .users()
        .list(&allowed(vendor)?, UserFilter::default(), PageArgs { first: Some(2), ..PageArgs::default() })
        .await?;
    if let [admin, user, ..] = known.items.as_slice() {
        return Ok((admin.id, user.id));
    }
    let roles = services.roles().list(&allowed(vendor)?).await?;
    let role = |name: &str| roles.iter().find(|role| role.name == name).map(|role| role.id);
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let listed = organisation["users"].as_array().cloned().unwrap_or_default();
    let new = listed.iter().enumerate().map(|(index, person)| NewUser {
        email: text(person, "address"),
        name: text(person, "name"),
        calendar_address: Some(text(person, "address")),
        time_zone: Some(ZONE.to_owned()),
        roles: match index {
            0 => role("Administrator").into_iter().collect(),
            1 => role("Human Resources").into_iter().collect(),
            _ => Vec::new(),
        },
    });
    let made = services.users().create_many(&allowed(vendor)?, new.collect()).await?;
    match made.as_slice() {
        [admin, .., user] => Ok((admin.id, user.id)),
        _ => Err(Error::Dev("the sandbox's organisation has no people".to_owned())),
    }
}

async fn invite(services: &Services, vendor: &Caller, email: &str) -> Result<String, Error> {
    let new =
        NewInvitation { email: email.to_owned(), return_url: None, integration: None, roles: Vec::new() };
    Ok(services.links().invite(&allowed(vendor)?, new).await?.1)
}

/// Completes the connect pages as the administrator would, and waits until every mailbox has its result.
async fn connect(services: &Services, vendor: &Caller, organisation: &Value) -> Result<(), Error> {
    let known = services.integrations().list(&allowed(vendor)?, false, PageArgs::default()).await?;
    let usable = |row: &entity::integration::Model| services::integrations::is_usable(row);
    if !known.items.iter().any(usable) {
        let email = organisation["admin"]["address"].as_str().unwrap_or_default();
        let link = invite(services, vendor, email).await?;
        let mailbox = organisation["shared"][0]["address"].as_str().unwrap_or_default().to_owned();
        let answers = vec![
            ("provider".to_owned(), "MICROSOFT_365".to_owned()),
            ("service_mailbox".to_owned(), mailbox),
        ];
        let mut browser = Browser::new(browser::local_client()?, answers);
        browser.complete_pages(&link).await.map_err(|error| Error::Dev(error.to_string()))?;
    }
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !is_active(services, vendor).await? {
        if tokio::time::Instant::now() > deadline {
            return Err(Error::Dev("tenant one did not become active in time".to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

async fn is_active(services: &Services, vendor: &Caller) -> Result<bool, Error> {
    let rows = services.integrations().list(&allowed(vendor)?, false, PageArgs::default()).await?.items;
    let active = rows.iter().find(|row| row.state == IntegrationState::Active);
    let Some(active) = active else { return Ok(false) };
    let by = allowed(vendor)?;
    let count = async |state: Option<ConnectionState>| {
        let wanted = ConnectionFilter { integration: Some(active.id), state: state.map(Some), rooms: None };
        services.connections().count(&by, &wanted).await
    };
    let open = count(Some(ConnectionState::Pending)).await? + count(Some(ConnectionState::Verifying)).await?;
    Ok(open == 0 && count(None).await? > 0)
}
