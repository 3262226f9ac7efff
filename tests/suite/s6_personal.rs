//! People of a tenant on plan BASIC connect their own calendars in each calendar system, through a personal integration
//! (S6.12), which stands beside an organisation-wide one (S2.9).

use demo::browser::{Browser, Location, Page};
use serde_json::{Value, json};

use crate::{
    google::{answer_as, at_google, organisation},
    harness::{
        Org, TestApp,
        steps::{LANDING, at, nodes},
    },
    radicale::Radicale,
};

/// The Monday before the harness's first day.
const MONDAY: &str = "2026-11-30";

async fn set_plan(app: &TestApp, org: &Org, plan: &str) {
    let input = json!({ "tenantId": org.tenant, "plan": plan });
    let made = app.vendor().mutate("setPlan", "userErrors { code }", input).await;
    assert_eq!(made["userErrors"], json!([]), "{made}");
}

/// Whether a page offers the calendar systems.
fn offering(page: &Page) -> bool {
    page.url.path().starts_with("/connect/own")
        && page.next.as_ref().is_some_and(|form| form.has_field("provider"))
}

/// Whether a page asks for the credentials of the user's own account.
fn typing(page: &Page) -> bool {
    page.url.path() == "/connect/own-credentials"
}

/// The user's browser at the page that offers the calendar systems.
async fn offered(app: &TestApp, tenant: &str, user: &str, landing: Option<&str>) -> (Browser, Page) {
    let input = json!({ "returnUrl": landing });
    let begun = app.user(tenant, user).await.mutate("connectOwnCalendar", "url", input).await;
    let url = begun["url"].as_str().unwrap_or_else(|| panic!("{begun}"));
    let mut browser = Browser::new(demo::browser::local_client().unwrap(), Vec::new());
    if let Some(landing) = landing {
        browser = browser.with_landing(landing.parse().unwrap());
    }
    let page = app.walk_to(&mut browser, url, offering).await;
    (browser, page)
}

async fn press(app: &TestApp, browser: &mut Browser, page: &Page, system: &str) -> Page {
    app.send(browser, page, &[("provider", system)]).await.page().unwrap()
}

/// Goes through Microsoft's pages as whoever has this account.
async fn answer_at_microsoft(app: &TestApp, browser: &mut Browser, page: Page, account: &str) -> Location {
    let mut place = app.send(browser, &page, &[("address", account)]).await;
    while let Location::Page(page) = &place
        && at::sign_in(page)
    {
        place = app.send(browser, page, &[]).await;
    }
    place
}

/// The tenant's integrations with what this is about.
async fn kinds(app: &TestApp, tenant: &str) -> Vec<Value> {
    let query = "{ integrations(first: 10) { edges { node { id provider kind state accessLevel organisationId \
                 serviceMailbox version } } } }";
    nodes(&app.vendor_for(tenant).query(query, json!({})).await["integrations"])
}

/// Requires that this mailbox is in use by its owner's own consent, with measured capabilities.
async fn require_own(app: &TestApp, org: &Org, address: &str) -> Value {
    app.run_jobs().await;
    let own = app.connections(org).await[address].clone();
    assert_eq!(
        (&own["state"], &own["route"], &own["viaServiceAccount"]),
        (&json!("ACTIVE"), &json!("OWN"), &json!(false)),
        "{own}"
    );
    for capability in ["list", "freeBusy", "create", "update", "delete"] {
        assert_eq!(own["capabilities"][capability], json!(true), "{capability}: {own}");
    }
    own
}

async fn require_booked(app: &TestApp, org: &Org, user: &str, address: &str) {
    let booking = app.book(org, user, "own", json!({})).await;
    assert_eq!(
        (&booking["state"], &booking["writtenVia"], &booking["mailbox"]),
        (&json!("CONFIRMED"), &json!("ORGANISER"), &json!(address)),
        "{booking}"
    );
}

async fn s6_12_people_on_plan_basic_connect_their_own_calendars_at_google(app: TestApp) {
    let (org, users) = organisation(&app).await;
    set_plan(&app, &org, "BASIC").await;
    let first = org.insider();
    let is_another = |person: &Value| person["in_scope"] == true && person["admin"] == false;
    let mut others = org.sandbox["users"].as_array().unwrap().iter().enumerate().skip(first + 1);
    let second = others.find(|(_, person)| is_another(person)).unwrap().0;
    let (mut browser, page) = offered(&app, &org.tenant, &users[first], None).await;
    let page = press(&app, &mut browser, &page, "GOOGLE_WORKSPACE").await;
    assert!(at_google(&page), "{}", page.url);
    // Another's account is refused, and the same browser tries again.
    let refused = answer_as(&app, &mut browser, page, org.people()[second]).await.page().unwrap();
    assert_eq!(refused.code.as_deref(), Some("ACCOUNT_MISMATCH"), "{}", refused.text);
    assert_eq!(kinds(&app, &org.tenant).await, Vec::<Value>::new(), "nothing is left of the attempt");
    let page = app.open(&mut browser, "/connect/own").await.page().unwrap();
    let page = press(&app, &mut browser, &page, "GOOGLE_WORKSPACE").await;
    let place = answer_as(&app, &mut browser, page, org.people()[first]).await;
    assert_eq!(place.page().unwrap().title, "Your calendar is connected");
    require_own(&app, &org, org.people()[first]).await;
    require_booked(&app, &org, &users[first], org.people()[first]).await;
    assert_eq!(app.interviews(&org, org.people()[first]).await.len(), 1);

    // The second person comes through the same integration.
    let (mut browser, page) = offered(&app, &org.tenant, &users[second], None).await;
    let page = press(&app, &mut browser, &page, "GOOGLE_WORKSPACE").await;
    let page = answer_as(&app, &mut browser, page, org.people()[second]).await.page().unwrap();
    assert_eq!(page.title, "Your calendar is connected", "{}", page.text);
    require_own(&app, &org, org.people()[second]).await;
    let all = kinds(&app, &org.tenant).await;
    assert_eq!(all.len(), 1, "{all:?}");
    let one = &all[0];
    assert_eq!(
        (&one["kind"], &one["state"], &one["accessLevel"], &one["serviceMailbox"]),
        (&json!("PERSONAL"), &json!("ACTIVE"), &Value::Null, &Value::Null),
        "{one}"
    );
    assert_eq!(app.connections(&org).await.len(), 2, "nobody else's calendar, and no room");
    app.finish().await;
}

async fn s6_12_people_on_plan_basic_connect_their_own_calendars_at_microsoft(app: TestApp) {
    let org = app.with_tenant("Basic", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    set_plan(&app, &org, "BASIC").await;
    let (index, other) = (org.insider(), org.outsider());
    // A wrong button is corrected in the same browser.
    let (mut browser, page) = offered(&app, &org.tenant, &users[index], Some(LANDING)).await;
    let page = press(&app, &mut browser, &page, "CALDAV").await;
    assert!(typing(&page), "{}", page.url);
    let page = app.open(&mut browser, "/connect/own").await.page().unwrap();
    let page = press(&app, &mut browser, &page, "MICROSOFT_365").await;
    let place = answer_at_microsoft(&app, &mut browser, page, org.people()[index]).await;
    let landed = crate::harness::steps::landed(&place);
    assert_eq!(landed["state"], "ACTIVE", "{landed:?}");
    require_own(&app, &org, org.people()[index]).await;
    require_booked(&app, &org, &users[index], org.people()[index]).await;

    // A person of another organisation is not bound, although the tenant's staff entered their address.
    let order = json!({ "name": "Stranger", "users": 2, "rooms": 1, "weeks": 1, "seed": 4, "from": app.now().date_naive() });
    let stranger = app.control("/control/organisations/generate", order).await;
    let address = stranger["users"][0]["address"].as_str().unwrap();
    let input = json!({ "id": users[other], "calendarAddress": address });
    app.vendor_for(&org.tenant).mutate("updateUser", "user { id }", input).await;
    let (mut browser, page) = offered(&app, &org.tenant, &users[other], None).await;
    let page = press(&app, &mut browser, &page, "MICROSOFT_365").await;
    let place = answer_at_microsoft(&app, &mut browser, page, address).await;
    let refused = place.page().unwrap();
    assert_eq!(refused.code.as_deref(), Some("ORGANISATION_MISMATCH"), "{}", refused.text);
    assert_eq!(app.connections(&org).await.len(), 1);
    app.finish().await;
}

async fn s6_12_whatever_acts_for_the_organisation_refuses_a_personal_integration(app: TestApp) {
    let org = app.with_tenant("Refusing", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    connect_at_microsoft(&app, &org, &users, org.insider()).await;
    let vendor = app.vendor_for(&org.tenant);
    let id = kinds(&app, &org.tenant).await[0]["id"].clone();
    let of = json!({ "integrationId": id });
    for (field, selection, input) in [
        ("startCampaign", "campaign { id }", of.clone()),
        ("verifyIntegration", "run { id }", json!({ "id": id })),
        ("reconnectIntegration", "run { id }", json!({ "id": id })),
        ("authoriseIntegration", "integration { id }", json!({ "id": id })),
        ("setServiceMailbox", "run { id }", json!({ "integrationId": id, "mailbox": org.mailbox() })),
        ("setRoomRules", "integration { id }", of.clone()),
        ("inviteAdministrator", "url", json!({ "email": org.admin(), "integrationId": id })),
    ] {
        assert_eq!(vendor.refused(field, selection, input).await, "INTEGRATION_IS_PERSONAL", "{field}");
    }
    assert_eq!(
        vendor.refused("removeIntegration", "removedIntegrationId", json!({ "id": id })).await,
        "INTEGRATION_WAS_CONNECTED"
    );
    // It is disconnected like any other, and the next own connection makes a new one.
    let version = kinds(&app, &org.tenant).await[0]["version"].clone();
    let input = json!({ "id": id, "ifVersion": version });
    let made = vendor.mutate("disconnectIntegration", "run { id }", input).await;
    assert_eq!(made["userErrors"], json!([]), "{made}");
    app.run_jobs().await;
    assert_eq!(kinds(&app, &org.tenant).await, Vec::<Value>::new());
    assert!(!app.remains(&org).await.iter().any(|(table, _)| *table == "consent_grant"));
    connect_at_microsoft(&app, &org, &users, org.insider()).await;
    assert_ne!(kinds(&app, &org.tenant).await[0]["id"], id);
    app.finish().await;
}

async fn connect_at_microsoft(app: &TestApp, org: &Org, users: &[String], index: usize) {
    let (mut browser, page) = offered(app, &org.tenant, &users[index], None).await;
    let page = press(app, &mut browser, &page, "MICROSOFT_365").await;
    let place = answer_at_microsoft(app, &mut browser, page, org.people()[index]).await;
    assert_eq!(place.page().unwrap().title, "Your calendar is connected");
    require_own(app, org, org.people()[index]).await;
}

/// Books an hour of the day; returns the integration through which the booking was written.
async fn booked_through(app: &TestApp, org: &Org, user: &str, hour: u32) -> Value {
    let [start, end] = ["00", "30"].map(|minute| format!("2026-12-16T{hour}:{minute}:00Z"));
    let id = app.order_booking(org, user, &start, json!({ "start": start, "end": end })).await;
    app.settle().await;
    let booking = app.booking(org, &id).await;
    assert_eq!((&booking["state"], &booking["writtenVia"]), (&json!("CONFIRMED"), &json!("ORGANISER")));
    let txn = app.node.services.store.read(org.id()).await.unwrap();
    let row = entity::booking::by_id(org.id(), id.parse().unwrap()).one(&txn).await.unwrap().unwrap();
    json!(row.integration_id.unwrap().to_string())
}

async fn s2_9_the_organisations_access_makes_a_personal_connection_unnecessary_and_its_end_brings_it_back(
    app: TestApp,
) {
    let org = app.with_tenant("Upgraded", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    set_plan(&app, &org, "BASIC").await;
    let index = org.insider();
    connect_at_microsoft(&app, &org, &users, index).await;
    let personal = kinds(&app, &org.tenant).await[0]["id"].clone();
    set_plan(&app, &org, "PLUS").await;
    let link = app.invite(&org).await;
    app.beside_jobs(app.browser(&org).complete_pages(&link)).await.unwrap();
    app.run_jobs().await;
    let all = kinds(&app, &org.tenant).await;
    let kind =
        |one: &Value| (one["kind"].as_str().unwrap().to_owned(), one["state"].as_str().unwrap().to_owned());
    let both = |central: &str| {
        let personal = ("PERSONAL".to_owned(), "ACTIVE".to_owned());
        vec![personal, ("ORGANISATION_WIDE".to_owned(), central.to_owned())]
    };
    assert_eq!(all.iter().map(kind).collect::<Vec<_>>(), both("ACTIVE"), "{all:?}");
    assert_eq!(all[0]["id"], personal);
    assert_eq!(booked_through(&app, &org, &users[index], 18).await, all[1]["id"]);
    set_plan(&app, &org, "BASIC").await;
    let all = kinds(&app, &org.tenant).await;
    assert_eq!(all.iter().map(kind).collect::<Vec<_>>(), both("SUSPENDED"), "{all:?}");
    assert_eq!(booked_through(&app, &org, &users[index], 19).await, personal);
    app.finish().await;
}

/// Types credentials; returns the page, or where the browser is then.
async fn typed(app: &TestApp, browser: &mut Browser, page: &Page, answers: [&str; 3]) -> Page {
    let [server, user, password] = answers;
    let answers = [("server", server), ("user", user), ("password", password)];
    app.send(browser, page, &answers).await.page().unwrap()
}

async fn s6_12_people_on_plan_basic_connect_their_own_calendars_on_an_exchange_server(app: TestApp) {
    let org = app.with_tenant("Own", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    set_plan(&app, &org, "BASIC").await;
    let index = org.insider();
    let address = org.people()[index];
    let path = format!("/control/organisations/{}/technical-account", org.sandbox["id"].as_str().unwrap());
    let login = json!({ "user": address, "password": "right", "impersonates": false });
    app.control(&path, login).await;
    let (mut browser, page) = offered(&app, &org.tenant, &users[index], None).await;
    let mut page = press(&app, &mut browser, &page, "EXCHANGE").await;
    let server = app.sandbox.as_str();
    for wrong in [
        ["http://127.0.0.1:1/", address, "right"],
        [server, address, "wrong"],
        [server, org.people()[org.outsider()], "right"],
    ] {
        page = typed(&app, &mut browser, &page, wrong).await;
        assert!(typing(&page), "{wrong:?}: {}", page.text);
        assert_eq!(kinds(&app, &org.tenant).await, Vec::<Value>::new(), "{wrong:?}");
    }
    let page = typed(&app, &mut browser, &page, [server, address, "right"]).await;
    assert_eq!(page.title, "Your calendar is connected", "{}", page.text);
    require_own(&app, &org, address).await;
    require_booked(&app, &org, &users[index], address).await;
    app.finish().await;
}

/// The addresses of two people on the server.
fn people(radicale: &Radicale) -> [String; 2] {
    let users = std::fs::read_to_string(&radicale.users).unwrap();
    let names =
        users.lines().filter_map(|line| Some(line.split_once(':')?.0)).filter(|name| name.contains('@'));
    let names: Vec<String> = names.take(2).map(str::to_owned).collect();
    names.try_into().unwrap()
}

/// The password of a person on the server.
fn password_of(radicale: &Radicale, person: &str) -> String {
    let users = std::fs::read_to_string(&radicale.users).unwrap();
    let line = users.lines().find_map(|line| line.strip_prefix(&format!("{person}:"))).unwrap();
    line.to_owned()
}

async fn s6_12_people_on_plan_basic_connect_their_own_calendars_on_a_caldav_server(app: TestApp) {
    let radicale = Radicale::start(MONDAY);
    let made =
        app.vendor().mutate("createTenant", "tenant { id }", json!({ "name": "Dav", "plan": "BASIC" })).await;
    let org = Org { tenant: made["tenant"]["id"].as_str().unwrap().to_owned(), sandbox: Value::Null };
    let [person, other] = people(&radicale);
    let input =
        json!({ "email": person, "name": "Person", "calendarAddress": person, "timeZone": "Europe/Berlin" });
    let made = app.vendor_for(&org.tenant).mutate("createUser", "user { id }", input).await;
    let user = made["user"]["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    let (mut browser, page) = offered(&app, &org.tenant, &user, None).await;
    let mut page = press(&app, &mut browser, &page, "CALDAV").await;
    let (right, others) = (password_of(&radicale, &person), password_of(&radicale, &other));
    for wrong in [
        ["http://127.0.0.1:1/", person.as_str(), right.as_str()],
        [radicale.url.as_str(), person.as_str(), "wrong"],
        // A colleague's account, and the account that may read everybody's calendar.
        [radicale.url.as_str(), other.as_str(), others.as_str()],
        [radicale.url.as_str(), "svc", radicale.password.as_str()],
    ] {
        page = typed(&app, &mut browser, &page, wrong).await;
        assert!(typing(&page), "{wrong:?}: {}", page.text);
        assert_eq!(kinds(&app, &org.tenant).await, Vec::<Value>::new(), "{wrong:?}");
    }
    let page = typed(&app, &mut browser, &page, [&radicale.url, &person, &right]).await;
    assert_eq!(page.title, "Your calendar is connected", "{}", page.text);
    require_own(&app, &org, &person).await;
    require_booked(&app, &org, &user, &person).await;
    app.finish().await;
}

both! {
    s6_12_people_on_plan_basic_connect_their_own_calendars_at_google,
    s6_12_people_on_plan_basic_connect_their_own_calendars_at_microsoft,
    s6_12_whatever_acts_for_the_organisation_refuses_a_personal_integration,
    s6_12_people_on_plan_basic_connect_their_own_calendars_on_an_exchange_server,
    s6_12_people_on_plan_basic_connect_their_own_calendars_on_a_caldav_server,
    s2_9_the_organisations_access_makes_a_personal_connection_unnecessary_and_its_end_brings_it_back,
}
