//! What tests do besides asking: the administrator's browser page by page, bookings, faults, looks behind the scenes.

use std::collections::BTreeMap;

use chrono::Duration;
pub use demo::browser::ACCEPTED_TERMS;
use demo::browser::{Browser, Location, Page};
use domain::{Id, ids};
use sea_orm::{ColumnTrait, ConnectionTrait, PaginatorTrait, QueryFilter, Statement};
use serde_json::{Value, json};

use super::{Org, TestApp};

/// Where browsers land.
pub const LANDING: &str = "https://vendor.example/calendar";
/// When generated organisations are out of the office, as a beginning and an end.
pub const EVENING: (&str, &str) = ("2026-12-16T18:00:00Z", "2026-12-16T18:30:00Z");

const PAGES: usize = 12;

impl Org {
    /// The tenant, as it is stored.
    pub fn id(&self) -> Id<ids::Tenant> {
        self.tenant.parse().unwrap()
    }

    pub fn admin(&self) -> &str {
        self.sandbox["admin"]["address"].as_str().unwrap()
    }

    /// The address of the service mailbox.
    pub fn mailbox(&self) -> &str {
        self.sandbox["shared"][0]["address"].as_str().unwrap()
    }

    pub fn room(&self, index: usize) -> &str {
        self.sandbox["rooms"][index]["address"].as_str().unwrap()
    }

    /// The addresses of the people, in the order of [`TestApp::with_users`].
    pub fn people(&self) -> Vec<&str> {
        let people = self.sandbox["users"].as_array().unwrap();
        people.iter().map(|person| person["address"].as_str().unwrap()).collect()
    }

    /// Where in that order the one person stands whose mailbox is out of scope.
    pub fn outsider(&self) -> usize {
        let people = self.sandbox["users"].as_array().unwrap();
        people.iter().position(|person| person["in_scope"] == false).unwrap()
    }

    /// Where in that order somebody stands whose mailbox is in scope, and who is no administrator.
    pub fn insider(&self) -> usize {
        let people = self.sandbox["users"].as_array().unwrap();
        people.iter().position(|person| person["in_scope"] == true && person["admin"] == false).unwrap()
    }
}

/// The pages at which a walk can be looked at.
pub mod at {
    use super::Page;

    /// The terms, and one button for each system.
    pub fn choice(page: &Page) -> bool {
        page.url.path().ends_with("/choose")
    }

    /// The provider asks who signs in.
    pub fn sign_in(page: &Page) -> bool {
        page.url.path().ends_with("/oauth2/v2.0/authorize")
    }

    /// Our own page says what the organisation will be asked for.
    pub fn asked(page: &Page) -> bool {
        page.url.path() == "/connect/consent"
    }

    /// The provider asks for the organisation's consent.
    pub fn consent(page: &Page) -> bool {
        page.url.path().ends_with("/adminconsent")
    }

    /// The second, explicit step.
    pub fn authorisation(page: &Page) -> bool {
        page.state.as_deref() == Some("AWAITING_AUTHORIZATION")
    }
}

/// The provider's page, answered with no.
pub fn refusing(page: &Page) -> Page {
    let mut page = page.clone();
    let fields = &mut page.next.as_mut().unwrap().fields;
    fields.retain(|field| field.name != "decision");
    // A hidden field like the one that carries the flow.
    let mut decision = fields.iter().find(|field| field.name == "flow").unwrap().clone();
    (decision.name, decision.value) = ("decision".to_owned(), "refuse".to_owned());
    fields.push(decision);
    page
}

/// One member of a page's query.
pub fn member(page: &Page, name: &str) -> String {
    let found = page.url.query_pairs().find(|(key, _)| key == name);
    found.unwrap_or_else(|| panic!("{} has no {name}", page.url)).1.into_owned()
}

/// What the last page sends a browser back with: the members of its landing address.
pub fn landed(place: &Location) -> BTreeMap<String, String> {
    let url = match place {
        Location::Landed(url) => url.clone(),
        Location::Page(page) => {
            page.landing.clone().unwrap_or_else(|| panic!("the page does not lead back: {page:?}"))
        }
    };
    assert!(url.as_str().starts_with(LANDING), "{url}");
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

impl TestApp {
    /// Goes on from a link to a page; its form is not sent.
    pub async fn walk_to(&self, browser: &mut Browser, link: &str, is_there: fn(&Page) -> bool) -> Page {
        let walk = async {
            let mut place = browser.open(link.parse().unwrap()).await.unwrap();
            for _ in 0..PAGES {
                let page = browser.wait(place).await.unwrap().page().unwrap();
                if is_there(&page) {
                    return page;
                }
                place = browser.submit(&page, ACCEPTED_TERMS).await.unwrap();
            }
            panic!("the browser does not get there")
        };
        self.beside_jobs(walk).await
    }

    /// Sends a page's form and waits where a page waits.
    pub async fn send(&self, browser: &mut Browser, page: &Page, more: &[(&str, &str)]) -> Location {
        let work = async {
            let place = browser.submit(page, more).await.unwrap();
            browser.wait(place).await.unwrap()
        };
        self.beside_jobs(work).await
    }

    /// Goes on from a page to the end.
    pub async fn send_all(&self, browser: &mut Browser, page: &Page) -> Location {
        let mut place = self.send(browser, page, ACCEPTED_TERMS).await;
        for _ in 0..PAGES {
            match &place {
                Location::Page(page) if page.next.is_some() => {
                    place = self.send(browser, page, ACCEPTED_TERMS).await;
                }
                _ => break,
            }
        }
        self.run_jobs().await;
        place
    }

    /// Opens an address of our own in a browser.
    pub async fn open(&self, browser: &mut Browser, path: &str) -> Location {
        let url = self.base.join(path).unwrap();
        let work = async {
            let place = browser.open(url).await.unwrap();
            browser.wait(place).await.unwrap()
        };
        self.beside_jobs(work).await
    }

    /// What a consent leaves behind, by table, as far as there is any of it.
    pub async fn remains(&self, org: &Org) -> Vec<(&'static str, u64)> {
        let tenant = org.id();
        let txn = self.node.services.store.read(tenant).await.unwrap();
        let live = entity::run::of(tenant).filter(entity::run::Column::FinishedAt.is_null());
        let counts = [
            ("consent_grant", entity::consent_grant::of(tenant).count(&txn).await.unwrap()),
            ("external_binding", bindings(&txn, tenant).await),
            ("connection", entity::connection::of(tenant).count(&txn).await.unwrap()),
            ("room", entity::room::of(tenant).count(&txn).await.unwrap()),
            ("service_account", entity::service_account::of(tenant).count(&txn).await.unwrap()),
            ("campaign", entity::campaign::of(tenant).count(&txn).await.unwrap()),
            ("calendar_event", entity::calendar_event::of(tenant).count(&txn).await.unwrap()),
            ("live run", live.count(&txn).await.unwrap()),
        ];
        counts.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// The tenant's integrations, oldest first.
    pub async fn integrations(&self, org: &Org) -> Vec<Value> {
        let query = "{ integrations(first: 10) { edges { node { id provider state reason { code message nextAction } \
                     accessLevel organisation organisationId serviceMailbox consentedBy \
                     serviceAccounts { address isCurrent verifiedAt } \
                     verifications(first: 1) { verdict checks { name mailbox verdict evidence nextAction } } } } } }";
        nodes(&self.vendor_for(&org.tenant).query(query, json!({})).await["integrations"])
    }

    /// The tenant's one integration.
    pub async fn integration(&self, org: &Org) -> Value {
        let mut all = self.integrations(org).await;
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    /// The verdicts of the last climbed ladder on one kind of check, by mailbox.
    pub async fn verdicts(&self, org: &Org, check: &str) -> BTreeMap<String, String> {
        let integration = self.integration(org).await;
        let checks = integration["verifications"][0]["checks"].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let of_kind = checks.iter().filter(|one| one["name"] == check);
        of_kind.map(|one| (text(&one["mailbox"]), text(&one["verdict"]))).collect()
    }

    /// The tenant's connections by address.
    pub async fn connections(&self, org: &Org) -> BTreeMap<String, Value> {
        let query = "{ connectedMailboxes(first: 100) { edges { node { id address state route viaServiceAccount asOf \
                     reason { code message nextAction } \
                     capabilities { list freeBusy readDetails create update delete } } } } }";
        let all = self.vendor_for(&org.tenant).query(query, json!({})).await;
        let address = |node: &Value| node["address"].as_str().unwrap().to_owned();
        nodes(&all["connectedMailboxes"]).into_iter().map(|node| (address(&node), node)).collect()
    }

    /// The state of one mailbox.
    pub async fn mailbox_state(&self, org: &Org, address: &str) -> String {
        let all = self.connections(org).await;
        all.get(address).map_or("", |node| node["state"].as_str().unwrap()).to_owned()
    }

    /// The id of the role of this name.
    pub async fn role(&self, org: &Org, name: &str) -> String {
        let roles = self.vendor_for(&org.tenant).query("{ roles { id name } }", json!({})).await;
        let role = roles["roles"].as_array().unwrap().iter().find(|role| role["name"] == name).cloned();
        role.unwrap_or_else(|| panic!("no role {name}: {roles}"))["id"].as_str().unwrap().to_owned()
    }

    /// Gives a user the role of this name.
    pub async fn give_role(&self, org: &Org, user: &str, name: &str) {
        let input = json!({ "userId": user, "roleIds": [self.role(org, name).await] });
        let given = self.vendor_for(&org.tenant).mutate("assignRoles", "user { id }", input).await;
        assert_eq!(given["userErrors"], json!([]), "{given}");
    }

    /// The ids of rooms, by address.
    pub async fn room_ids(&self, org: &Org) -> BTreeMap<String, String> {
        let query = "{ rooms(first: 50) { edges { node { id address } } } }";
        let all = self.vendor_for(&org.tenant).query(query, json!({})).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        nodes(&all["rooms"]).iter().map(|node| (text(&node["address"]), text(&node["id"]))).collect()
    }

    /// Books in the evening, and works on until the rooms have answered. Returns the booking.
    pub async fn book(&self, org: &Org, organiser: &str, key: &str, more: Value) -> Value {
        let id = self.order_booking(org, organiser, key, more).await;
        self.settle().await;
        self.booking(org, &id).await
    }

    /// Books in the evening; no job has run yet. Returns the id.
    pub async fn order_booking(&self, org: &Org, organiser: &str, key: &str, more: Value) -> String {
        let input = evening(organiser, key, more);
        let made = self.vendor_for(&org.tenant).mutate("createBooking", "booking { id } notice", input).await;
        assert_eq!(made["userErrors"], json!([]), "{made}");
        made["booking"]["id"].as_str().unwrap().to_owned()
    }

    /// Lets the rooms answer, and works off what follows.
    pub async fn settle(&self) {
        self.run_jobs().await;
        for _ in 0..3 {
            self.advance(Duration::seconds(5)).await;
        }
    }

    /// A booking as it stands.
    pub async fn booking(&self, org: &Org, id: &str) -> Value {
        let query = "query($id: ID!) { booking(id: $id) { id state reason { code message } start end writtenVia \
                     mailbox serviceAccountLabel organiserLine serviceAccount { address } \
                     participants { kind address answer } run { id status } version } }";
        self.vendor_for(&org.tenant).query(query, json!({ "id": id })).await["booking"].clone()
    }

    /// The provider requests that the sandbox has noted since the `after`-th.
    pub async fn journal(&self, after: usize) -> Vec<Value> {
        let all = self.observe(&format!("/control/journal?after={after}")).await;
        all.as_array().unwrap().clone()
    }

    /// What stands in a mailbox's calendar at the provider under the title of the test's bookings.
    pub async fn interviews(&self, org: &Org, mailbox: &str) -> Vec<Value> {
        let all = self.calendar(org, mailbox).await;
        all.into_iter().filter(|event| event["subject"] == "Interview").collect()
    }

    /// What stands in a mailbox's calendar at the provider.
    pub async fn calendar(&self, org: &Org, mailbox: &str) -> Vec<Value> {
        let path = format!(
            "/control/organisations/{}/events?mailbox={mailbox}",
            org.sandbox["id"].as_str().unwrap()
        );
        self.observe(&path).await.as_array().unwrap().clone()
    }

    /// The meeting mails that the provider has sent.
    pub async fn mails(&self, org: &Org) -> Vec<Value> {
        let path = format!("/control/organisations/{}/mails", org.sandbox["id"].as_str().unwrap());
        self.observe(&path).await.as_array().unwrap().clone()
    }

    /// Plants a fault at the sandbox.
    pub async fn fault(&self, fault: Value) {
        self.control("/control/faults", fault).await;
    }

    /// Removes all planted faults.
    pub async fn clear_faults(&self) {
        let request = http::Request::new(http::Method::DELETE, self.sandbox.join("/control/faults").unwrap());
        assert!(self.client.send(request).await.unwrap().status.is_success());
    }

    /// Moves a mailbox into the scope of applications, or out of it.
    pub async fn scope(&self, org: &Org, mailbox: &str, in_scope: bool) {
        let path = format!("/control/organisations/{}/scope", org.sandbox["id"].as_str().unwrap());
        self.control(&path, json!({ "mailbox": mailbox, "in_scope": in_scope })).await;
    }

    /// Takes the organisation's consent back at the provider.
    pub async fn revoke(&self, org: &Org) {
        let path = format!("/control/organisations/{}/revoke-consent", org.sandbox["id"].as_str().unwrap());
        self.control(&path, json!({ "client_id": self.application.0 })).await;
    }

    /// Whether applications that are registered anew may do everything that they need, or only this.
    pub async fn permit(&self, permissions: &[&str]) {
        let paths = [
            providers::microsoft::SIGNED_IN_PATH,
            providers::microsoft::CONSENTED_PATH,
            providers::microsoft::OWN_CONSENTED_PATH,
        ];
        let redirects: Vec<String> =
            paths.iter().map(|path| self.base.join(path).unwrap().to_string()).collect();
        let (client_id, secret) = &self.application;
        let application = json!({ "client_id": client_id, "name": "Muster", "secret": secret,
            "redirect_uris": redirects, "permissions": permissions });
        self.control("/control/apps", application).await;
    }
}

/// The members of a connection in the sense of Relay.
pub fn nodes(connection: &Value) -> Vec<Value> {
    let edges = connection["edges"].as_array().unwrap_or_else(|| panic!("no edges: {connection}"));
    edges.iter().map(|edge| edge["node"].clone()).collect()
}

/// What `createBooking` is asked in the evening: `more` adds and replaces members.
pub fn evening(organiser: &str, key: &str, more: Value) -> Value {
    let mut input = json!({ "organiserId": organiser, "title": "Interview", "description": "Second round",
        "start": EVENING.0, "end": EVENING.1, "timeZone": "Europe/Berlin", "idempotencyKey": key });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

/// Bindings are found by the organisation at the provider; here the tenant is asked for.
async fn bindings(txn: &impl ConnectionTrait, tenant: Id<ids::Tenant>) -> u64 {
    let sql = "SELECT count(*) AS bound FROM external_binding WHERE tenant_id = $1";
    let statement = Statement::from_sql_and_values(txn.get_database_backend(), sql, [tenant.into()]);
    let row = txn.query_one_raw(statement).await.unwrap().unwrap();
    u64::try_from(row.try_get::<i64>("", "bound").unwrap()).unwrap()
}
