//! An installation on a file of its own, with a clock that stands still, and callers of every kind.

use std::sync::{Arc, atomic::AtomicU64};

use api::{CurrentCaller, graphql::Schema};
use async_graphql::{Request, Response, Variables};
use chrono::Duration;
use domain::{
    Id, Ids, Permission, SharedClock, StandardRole, TestClock, TimeRange, Timestamp, ids,
    provider::Capabilities,
    state::{ConnectionState, Feature, IntegrationState, Plan},
};
use entity::{Logins, Store, TrustedCode};
use futures::{StreamExt, stream::BoxStream};
use sea_orm::ActiveModelTrait;
use serde_json::{Value, json};
use services::{
    Anyone, Caller, Change, PageArgs, Settings, Staff, System, Vault,
    change::{CalendarCopy, ConnectionChange, IntegrationChange, NewConnection, RoomList, Writer},
    grants::Connectors,
    integrations::NewIntegration,
    providers::{
        RoomInfo,
        microsoft::{ClientCredential, Config, Microsoft},
        openid::OpenIdClient,
    },
    roles::NewRole,
    tenants::NewTenant,
    tx::AfterCommit,
    users::NewUser,
};
use tempfile::TempDir;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub struct Setup {
    pub services: System,
    pub staff: Staff,
    schema: Schema,
    vendor: Caller,
    /// How many statements were sent.
    pub statements: Arc<AtomicU64>,
    _folder: TempDir,
}

/// The day on which everything happens.
pub fn at(hour: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + Duration::days(20_400) + Duration::hours(hour)
}

pub fn text(at: Timestamp) -> String {
    at.to_rfc3339()
}

/// A connector for integrations that are never talked to here.
fn unreachable_microsoft(client: http::Client, clock: &SharedClock, ids: &Ids) -> Microsoft {
    let nowhere: url::Url = "https://nowhere.invalid/".parse().unwrap();
    let secret = ClientCredential::Secret(ids.random_secret().into());
    Microsoft::new(
        Config::new(nowhere.clone(), nowhere, "client", secret),
        client,
        clock.clone(),
        ids.clone(),
    )
}

impl Setup {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("muster.db").display());
        migration::up(&Store::connect_as_owner(&url).await.unwrap()).await.unwrap();
        let statements = Arc::default();
        let store = Store::connect(&Logins::from_url(&url), 4).await.unwrap().count_statements(&statements);
        let clock: SharedClock = Arc::new(TestClock::at(at(0)));
        let ids = Ids::random(clock.clone());
        let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
        let queue =
            lanes::connect("memory:", "graphql", clock.clone(), ids.clone(), &tracker, &token).unwrap();
        let vault = Vault::new(ids.random_bytes(), ids.clone());
        let settings = Settings::for_url("https://muster.example".parse().unwrap());
        let allowance = http::AllowedHosts::from_hosts(["127.0.0.1".to_owned()]);
        let client = http::Client::new(http::Config { allowance, ..http::Config::default() }).unwrap();
        let openid = OpenIdClient::new(client.clone(), clock.clone());
        let microsoft = unreachable_microsoft(client, &clock, &ids);
        let connectors = Connectors::default().with_provider(Arc::new(microsoft)).with_openid(openid);
        let services = System::new(store, clock, ids, queue, vault, connectors, settings);
        let (_, key) = services.keys().ensure_first_key(&services, None, "the first").await.unwrap().unwrap();
        let known =
            services.access().authenticate(Anyone, Some(&format!("Bearer {key}")), None).await.unwrap();
        let (vendor, staff) = (known.caller.clone(), known.caller.allow_staff().unwrap());
        Self {
            schema: api::graphql::build_schema(services.services().clone()),
            services,
            staff,
            vendor,
            statements,
            _folder: folder,
        }
    }

    /// A tenant on the plan PLUS with the service account switched on.
    pub async fn tenant(&self, name: &str) -> Id<ids::Tenant> {
        let return_urls = vec![format!("https://{name}.example/settings")];
        let new = NewTenant {
            name: name.to_owned(),
            plan: Plan::Plus,
            return_urls,
            time_zone: None,
            language: None,
        };
        let tenant = self.services.tenants().create(&self.staff, new).await.unwrap().id;
        let feature = Feature::ServiceAccount;
        self.services.tenants().set_feature(&self.staff, tenant, feature, true).await.unwrap();
        tenant
    }

    /// The vendor's staff, without a tenant.
    pub fn staff(&self) -> Caller {
        self.vendor.clone()
    }

    /// The vendor's back end, acting for a tenant.
    pub fn vendor(&self, tenant: Id<ids::Tenant>) -> Caller {
        Caller::new(TrustedCode, self.vendor.kind(), Some(tenant), self.vendor.permissions().clone())
    }

    pub fn allowed(&self, tenant: Id<ids::Tenant>) -> Caller {
        self.vendor(tenant)
    }

    /// A new user with one standard role.
    pub async fn user(&self, tenant: Id<ids::Tenant>, role: StandardRole) -> Caller {
        self.holder(tenant, self.role(tenant, role.as_str()).await).await
    }

    /// A new user with a role of these permissions.
    pub async fn with(&self, tenant: Id<ids::Tenant>, permissions: &[Permission]) -> Caller {
        let name = self.services.ids.uuid().to_string();
        let new = NewRole { name, permissions: permissions.iter().copied().collect() };
        let role = self.services.roles().create(&self.allowed(tenant).allow().unwrap(), new).await.unwrap();
        self.holder(tenant, role.id).await
    }

    async fn holder(&self, tenant: Id<ids::Tenant>, role: Id<ids::Role>) -> Caller {
        let name = self.services.ids.uuid().simple().to_string();
        let new =
            NewUser { email: format!("{name}@acme.example"), name, roles: vec![role], ..NewUser::default() };
        let user = self.services.users().create(&self.allowed(tenant).allow().unwrap(), new).await.unwrap();
        self.caller(tenant, user.id).await
    }

    /// A role of a tenant, by its name.
    pub async fn role(&self, tenant: Id<ids::Tenant>, name: &str) -> Id<ids::Role> {
        let roles = self.services.roles().list(&self.allowed(tenant).allow().unwrap()).await.unwrap();
        roles.iter().find(|role| role.name == name).unwrap().id
    }

    /// The first role of a user.
    pub async fn role_of(&self, tenant: Id<ids::Tenant>, user: Id<ids::User>) -> Id<ids::Role> {
        let held = self.services.roles().of_users(self.services.tenant_scope(tenant), &[user]).await.unwrap();
        held[&user][0].id
    }

    /// A user as a fresh token shows the user.
    pub async fn caller(&self, tenant: Id<ids::Tenant>, user: Id<ids::User>) -> Caller {
        let access = self.services.access();
        let token = access.issue(&self.staff, tenant, user, None).await.unwrap().token;
        access.authenticate(Anyone, Some(&format!("Bearer {token}")), None).await.unwrap().caller
    }

    /// Writes what a workflow's step would write, and tells subscribers.
    pub async fn change(&self, tenant: Id<ids::Tenant>, changes: Vec<Change>) {
        let txn = self.services.store.write(tenant).await.unwrap();
        let mut after = AfterCommit::default();
        let mut writer = Writer::new(&self.services, &txn, tenant, "test", &mut after);
        writer.write(changes).await.unwrap();
        txn.commit().await.unwrap();
        after.publish(&self.services).await;
    }

    /// An integration that is in use.
    pub async fn integration(&self, tenant: Id<ids::Tenant>) -> Id<ids::Integration> {
        self.integration_named(tenant, "Office").await
    }

    pub async fn integration_named(&self, tenant: Id<ids::Tenant>, name: &str) -> Id<ids::Integration> {
        let new = NewIntegration {
            provider: domain::ProviderKind::Microsoft365,
            name: name.to_owned(),
            access_level: domain::AccessLevel::Full,
            scope_group: None,
            service_mailbox: None,
            return_url: None,
        };
        let row =
            self.services.integrations().create(&self.allowed(tenant).allow().unwrap(), new).await.unwrap();
        self.become_(tenant, row.id, IntegrationState::Active).await;
        row.id
    }

    pub async fn become_(
        &self,
        tenant: Id<ids::Tenant>,
        integration: Id<ids::Integration>,
        state: IntegrationState,
    ) {
        let change =
            IntegrationChange { id: integration, state: Some(state), ..IntegrationChange::default() };
        self.change(tenant, vec![Change::Integration(change)]).await;
    }

    /// A person whose calendar is connected, was read and is empty.
    pub async fn person(
        &self,
        tenant: Id<ids::Tenant>,
        integration: Id<ids::Integration>,
        name: &str,
    ) -> Id<ids::User> {
        let email = format!("{name}@acme.example");
        let new = NewUser { email: email.clone(), name: name.to_owned(), ..NewUser::default() };
        let user = self.services.users().create(&self.allowed(tenant).allow().unwrap(), new).await.unwrap();
        let found = NewConnection { integration, user: Some(user.id), room: None, address: email };
        self.connected(tenant, found).await;
        user.id
    }

    /// An OpenID issuer of a tenant, at which a user is linked. All of its texts are `text`.
    pub async fn issuer(
        &self,
        tenant: Id<ids::Tenant>,
        user: Id<ids::User>,
        text: &str,
    ) -> Id<ids::OpenIdIssuer> {
        use entity::{openid_identity, openid_issuer};
        let id: Id<ids::OpenIdIssuer> = self.services.ids.make();
        let created_at = self.services.now();
        let issuer = openid_issuer::Model {
            id,
            tenant_id: tenant,
            name: text.to_owned(),
            issuer: text.to_owned(),
            client_id: text.to_owned(),
            client_secret: None,
            algorithms: json!(["RS256"]),
            accepts: domain::openid::IssuerTokens::IdToken.into(),
            audience: text.to_owned(),
            subject_claim: "sub".to_owned(),
            email_claim: None,
            created_at,
            version: 1,
        };
        let identity = openid_identity::Model {
            id: self.services.ids.make(),
            tenant_id: tenant,
            issuer_id: id,
            user_id: user,
            subject: text.to_owned(),
            created_at,
            linked_with: None,
        };
        let txn = self.services.store.write(tenant).await.unwrap();
        openid_issuer::ActiveModel::from(issuer).insert(&txn).await.unwrap();
        openid_identity::ActiveModel::from(identity).insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        id
    }

    /// A room whose calendar is connected, was read and is empty.
    pub async fn room(
        &self,
        tenant: Id<ids::Tenant>,
        integration: Id<ids::Integration>,
        name: &str,
    ) -> Id<ids::Room> {
        let address = format!("{name}@acme.example");
        let room = RoomInfo {
            id: name.to_owned(),
            address: address.clone(),
            name: name.to_owned(),
            capacity: Some(8),
            building: None,
            floor: None,
            equipment: vec!["screen".to_owned()],
        };
        let list = RoomList { integration, rooms: vec![room] };
        self.change(tenant, vec![Change::Rooms(list)]).await;
        let all = PageArgs { last: Some(100), ..PageArgs::default() };
        let filter = services::rooms::Filter::default();
        let rooms =
            self.services.rooms().list(&self.allowed(tenant).allow().unwrap(), filter, all).await.unwrap();
        let room = rooms.items.iter().find(|room| room.address == address).unwrap().id;
        let found = NewConnection { integration, user: None, room: Some(room), address };
        self.connected(tenant, found).await;
        room
    }

    async fn connected(&self, tenant: Id<ids::Tenant>, found: NewConnection) {
        let holder = found.user.map(Id::any).or(found.room.map(Id::any)).unwrap();
        self.change(tenant, vec![Change::NewConnections(vec![found])]).await;
        let rows = self
            .services
            .connections()
            .of_holders(self.services.tenant_scope(tenant), &[holder])
            .await
            .unwrap();
        let can = Capabilities {
            list: true,
            free_busy: true,
            read_details: true,
            create: true,
            update: true,
            delete: true,
            online_meetings: false,
        };
        let active = ConnectionChange {
            id: rows[0].id,
            state: Some(ConnectionState::Active),
            capabilities: Some(can),
            ..ConnectionChange::default()
        };
        let window = TimeRange { start: at(-24), end: at(24 * 30) };
        let connection = rows[0].id;
        let copy = CalendarCopy {
            connection,
            window,
            events: Vec::new(),
            unreadable: Vec::new(),
            as_of: at(0),
            watermark: None,
        };
        self.change(tenant, vec![Change::Connection(active), Change::Calendar(Box::new(copy))]).await;
    }

    /// What the schema says of itself.
    pub async fn introspection(&self) -> Value {
        let wrapped =
            "kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";
        let document = format!(
            "{{ __schema {{ types {{ name kind isOneOf enumValues {{ name }} possibleTypes {{ name }}
                inputFields {{ name type {{ {wrapped} }} defaultValue }}
                fields {{ name type {{ {wrapped} }} args {{ name defaultValue type {{ {wrapped} }} }} }} }} }} }}"
        );
        self.ask(&self.staff(), &document, json!({})).await
    }

    pub async fn response(&self, caller: &Caller, document: &str, variables: Value) -> Response {
        self.schema.execute(request(caller, document, variables)).await
    }

    /// What a document answers when nothing goes wrong.
    pub async fn ask(&self, caller: &Caller, document: &str, variables: Value) -> Value {
        let response = self.response(caller, document, variables).await;
        assert!(response.errors.is_empty(), "{:?}", response.errors);
        response.data.into_json().unwrap()
    }

    /// The code of the one error with which a document is answered.
    pub async fn code(&self, caller: &Caller, document: &str, variables: Value) -> String {
        let response = self.response(caller, document, variables).await;
        assert_eq!(response.errors.len(), 1, "{response:?}");
        code_of(&response)
    }

    /// Subscribes. Every answer is data, or an error as `{"code": ..}`.
    pub fn listen(&self, caller: &Caller, document: &str, variables: Value) -> BoxStream<'static, Value> {
        let answers = self.schema.execute_stream(request(caller, document, variables));
        let told = |response: Response| {
            if response.errors.is_empty() {
                return response.data.into_json().unwrap();
            }
            json!({ "code": code_of(&response) })
        };
        answers.map(told).boxed()
    }
}

fn request(caller: &Caller, document: &str, variables: Value) -> Request {
    Request::new(document).variables(Variables::from_json(variables)).data(CurrentCaller::new(caller.clone()))
}

pub fn code_of(response: &Response) -> String {
    let extensions = response.errors[0].extensions.as_ref().expect("an error has extensions");
    match extensions.get("code") {
        Some(async_graphql::Value::String(code)) => code.clone(),
        other => panic!("an error has a code, not {other:?}"),
    }
}
