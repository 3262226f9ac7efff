//! A client for the provider sandbox's control interface, which manages organisations, events and consents.

use domain::TimeRange;
use http::{Client, Method, Request};
use serde_json::{Value, json};
use url::Url;

use super::{
    error::{Result, ensure, unexpected},
    graph::string_at,
    plan::CalendarSystem,
    wire,
};

/// The scopes that a Google Workspace administrator grants to the service account, as listed on the connect page.
const SCOPES: [&str; 7] = [
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.events.freebusy",
    "https://www.googleapis.com/auth/calendar.calendarlist.readonly",
    "https://www.googleapis.com/auth/admin.directory.customer.readonly",
    "https://www.googleapis.com/auth/admin.directory.domain.readonly",
    "https://www.googleapis.com/auth/admin.directory.resource.calendar.readonly",
    "https://www.googleapis.com/auth/admin.directory.user.readonly",
];

/// A client for the sandbox's control interface.
#[derive(Debug, Clone)]
pub struct SandboxClient {
    client: Client,
    base: Url,
}

impl SandboxClient {
    /// A client for the sandbox at `base`.
    pub fn new(client: Client, base: Url) -> Self {
        Self { client, base }
    }

    /// Creates an organisation with people, rooms and three weeks of meetings; one mailbox is out of scope. An
    /// organisation left by an earlier attempt is found by its domain. Returns its id.
    pub async fn ensure_organisation(
        &self,
        name: &str,
        users: usize,
        rooms: usize,
        system: CalendarSystem,
    ) -> Result<String> {
        let domain = format!("{name}.test");
        let all = self.get("organisations").await?;
        let known = all.as_array().into_iter().flatten().find(|one| one["domain"] == domain.as_str());
        if let Some(known) = known {
            return Ok(string_at(known, "/id")?.to_owned());
        }
        let order = json!({
            "name": format!("Organisation {name}"),
            "domain": domain,
            "users": users,
            "rooms": rooms,
            "out_of_scope": true,
            "resource_calendars": system == CalendarSystem::GoogleWorkspace,
        });
        let made = self.post("organisations/generate", &order).await?;
        Ok(string_at(&made, "/id")?.to_owned())
    }

    /// The organisation with its people, rooms and consents.
    pub async fn read_organisation(&self, organisation: &str) -> Result<Value> {
        self.get(&format!("organisations/{organisation}")).await
    }

    /// The events of one mailbox.
    pub async fn events(&self, organisation: &str, mailbox: &str) -> Result<Vec<Value>> {
        let events = self.get(&format!("organisations/{organisation}/events?mailbox={mailbox}")).await?;
        events.as_array().cloned().ok_or_else(|| unexpected("the sandbox lists no events"))
    }

    /// The URL of the sandbox, without `/control`.
    pub const fn base_url(&self) -> &Url {
        &self.base
    }

    /// Creates a service account on the organisation's Exchange server, or changes the existing account's password.
    /// Returns its user name.
    pub async fn set_exchange_account(&self, organisation: &str, password: &str) -> Result<String> {
        let path = format!("organisations/{organisation}/technical-account");
        let made = self.post(&path, &json!({ "password": password })).await?;
        Ok(string_at(&made, "/user")?.to_owned())
    }

    /// Revokes every consent of the organisation. Returns their number.
    pub async fn revoke_consents(&self, organisation: &str) -> Result<usize> {
        let read = self.read_organisation(organisation).await?;
        let consents = read["consents"].as_object().into_iter().flat_map(|consents| consents.keys());
        let clients: Vec<&String> = consents.collect();
        for client in &clients {
            let path = format!("organisations/{organisation}/revoke-consent");
            self.post(&path, &json!({ "client_id": client })).await?;
        }
        Ok(clients.len())
    }

    /// Creates a service account at Google that the organisation's administrator authorises; an existing account gets
    /// a new key. Returns the key file.
    pub async fn create_service_account(&self, organisation: &str, name: &str) -> Result<String> {
        let key = self.post("google/service-accounts", &json!({ "name": name })).await?;
        let path = format!("organisations/{organisation}/google/delegations");
        let order = json!({ "client_id": string_at(&key, "/client_id")?, "scopes": SCOPES });
        self.post(&path, &order).await?;
        Ok(key.to_string())
    }

    /// Withdraws every domain-wide delegation of the organisation. Returns their number.
    pub async fn withdraw_delegations(&self, organisation: &str) -> Result<usize> {
        let read = self.get(&format!("organisations/{organisation}/google")).await?;
        let held = read["delegations"].as_object().into_iter().flat_map(|held| held.keys());
        let clients: Vec<&String> = held.collect();
        for client in &clients {
            let path = format!("organisations/{organisation}/google/delegations/revoke");
            self.post(&path, &json!({ "client_id": client })).await?;
        }
        Ok(clients.len())
    }

    /// Moves an event as the owner of the mailbox would; `event` is its iCalendar UID.
    pub async fn move_event(
        &self,
        organisation: &str,
        mailbox: &str,
        event: &str,
        to: TimeRange,
    ) -> Result<()> {
        let order = json!({ "mailbox": mailbox, "event": event, "start": to.start, "end": to.end });
        self.post(&format!("organisations/{organisation}/events/move"), &order).await.map(drop)
    }

    /// Deletes an event as the owner of the mailbox would; `event` is its iCalendar UID.
    pub async fn delete_event(&self, organisation: &str, mailbox: &str, event: &str) -> Result<()> {
        let order = json!({ "mailbox": mailbox, "event": event });
        self.post(&format!("organisations/{organisation}/events/delete"), &order).await.map(drop)
    }

    async fn get(&self, path: &str) -> Result<Value> {
        self.send(Request::new(Method::GET, self.at(path)?)).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request = Request::new(Method::POST, self.at(path)?).body("application/json", body.to_string());
        self.send(request).await
    }

    fn at(&self, path: &str) -> Result<Url> {
        let at = self.base.join(&format!("/control/{path}"));
        at.map_err(|_| unexpected(format!("the sandbox has no address {path}")))
    }

    async fn send(&self, request: Request) -> Result<Value> {
        let path = request.url.path().to_owned();
        let answer = wire::send(&self.client, request).await?;
        let text = answer.text();
        ensure(answer.status.is_success(), || {
            format!("the sandbox answered {} to {path}: {text}", answer.status)
        })?;
        serde_json::from_str(&text)
            .map_err(|_| unexpected(format!("the sandbox answered {path} without JSON")))
    }
}
