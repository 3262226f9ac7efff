//! Every door by which permissions are given or taken, tried with each permission alone.
//!
//! Whoever acts gives and takes nothing beyond what they hold, and is shown nothing that they may not see. A mutation
//! is a door unless it is listed in [`NO_DOORS`]; a new one that is in neither list fails the test.

use std::collections::BTreeSet;

use apollo_compiler::Schema;
use domain::{Id, Permission, ids};
use serde_json::{Value, json};
use services::{Anyone, Caller, roles::NewRole, users::NewUser};

use crate::graphql::setup::Setup;

/// Mutations that give and take no permission.
const NO_DOORS: &[&str] = &[
    "acceptBookingTime",
    "activateConnectedMailbox",
    "activateMyCalendar",
    "activateUserCalendar",
    "authoriseIntegration",
    "cancelBooking",
    "cancelRun",
    "connectOwnCalendar",
    "createBooking",
    "createConnectLink",
    "createIntegration",
    "createTenant",
    "disconnectConnectedMailbox",
    "disconnectIntegration",
    "eraseTenant",
    "excludeConnectedMailbox",
    "moveBooking",
    "reconnectIntegration",
    "removeIntegration",
    "restoreBooking",
    "retryCampaign",
    "retryRun",
    "revokeInvitation",
    "setCountedCalendars",
    "setFeature",
    "setPlan",
    "setRoomRules",
    "setServiceMailbox",
    "signalRun",
    "startCampaign",
    "updateReturnUrls",
    "updateTenant",
    "verifyIntegration",
];

/// Doors with what is tried at them. `$boss` is an administrator, `$me` the actor, `$powers` a role with every
/// permission, `$own` a role with the actor's permission, `$key` a vendor key with every permission.
const DOORS: &[(&str, &str)] = &[
    (
        "createRole",
        "createRole(input: {name: \"New\", permissions: $all}) { role { id } userErrors { code } }",
    ),
    ("updateRole", "updateRole(input: {id: $own, permissions: $all}) { role { id } userErrors { code } }"),
    ("updateRole", "updateRole(input: {id: $powers, permissions: []}) { role { id } userErrors { code } }"),
    ("deleteRole", "deleteRole(input: {id: $powers}) { deletedRoleId userErrors { code } }"),
    (
        "assignRoles",
        "assignRoles(input: {userId: $me, roleIds: [$powers]}) { user { email } userErrors { code } }",
    ),
    (
        "assignRoles",
        "assignRoles(input: {userId: $me, roleIds: [$administrator]}) { user { email } userErrors { code } }",
    ),
    (
        "assignRoles",
        "assignRoles(input: {userId: $boss, roleIds: []}) { user { email } userErrors { code } }",
    ),
    (
        "assignRoles",
        "assignRoles(input: {userId: $boss, roleIds: [$own]}) { user { email } userErrors { code } }",
    ),
    (
        "unassignRoles",
        "unassignRoles(input: {userId: $boss, roleIds: [$administrator]}) { user { email } userErrors { code } }",
    ),
    (
        "unassignRoles",
        "unassignRoles(input: {userId: $boss, roleIds: []}) { user { email } userErrors { code } }",
    ),
    (
        "createUser",
        "createUser(input: {email: \"p@acme.example\", name: \"P\", roleIds: [$powers]}) { user { id } userErrors { code } }",
    ),
    (
        "createUsers",
        "createUsers(input: {users: [{email: \"q@acme.example\", name: \"Q\", roleIds: [$powers]}]}) { users { id } userErrors { code } }",
    ),
    (
        "updateUser",
        "updateUser(input: {id: $boss, email: \"mine@acme.example\"}) { user { email } userErrors { code } }",
    ),
    ("updateUser", "updateUser(input: {id: $boss}) { user { email } userErrors { code } }"),
    ("deleteUser", "deleteUser(input: {id: $boss}) { deletedUserId userErrors { code } }"),
    (
        "inviteAdministrator",
        "inviteAdministrator(input: {email: $myEmail, roleIds: [$powers]}) { url userErrors { code } }",
    ),
    ("inviteAdministrator", "inviteAdministrator(input: {email: $myEmail}) { url userErrors { code } }"),
    ("createApiKey", "createApiKey(input: {name: \"K\", permissions: $all}) { secret userErrors { code } }"),
    ("rotateApiKey", "rotateApiKey(input: {id: $key}) { secret userErrors { code } }"),
    ("revokeApiKey", "revokeApiKey(input: {id: $key}) { apiKey { id } userErrors { code } }"),
    (
        "createAccessToken",
        "createAccessToken(input: {tenantId: $tenant, userId: $boss}) { accessToken { token } userErrors { code } }",
    ),
    ("revokeAccessTokens", "revokeAccessTokens(input: {userId: $boss}) { revokedCount userErrors { code } }"),
    // Whoever decides on an issuer, or on who is who at it, signs in as whom they like.
    (
        "createOpenIdIssuer",
        "createOpenIdIssuer(input: {name: \"I\", issuer: \"https://mine.example\", clientId: \"c\"}) { openIdIssuer { id } userErrors { code } }",
    ),
    (
        "updateOpenIdIssuer",
        "updateOpenIdIssuer(input: {id: $issuer, clientId: \"mine\"}) { openIdIssuer { id } userErrors { code } }",
    ),
    (
        "deleteOpenIdIssuer",
        "deleteOpenIdIssuer(input: {id: $issuer}) { deletedOpenIdIssuerId userErrors { code } }",
    ),
    (
        "linkOpenIdIdentity",
        "linkOpenIdIdentity(input: {issuerId: $issuer, userId: $boss, subject: \"me\"}) { openIdIdentity { subject } userErrors { code } }",
    ),
    (
        "unlinkOpenIdIdentity",
        "unlinkOpenIdIdentity(input: {issuerId: $issuer, userId: $boss}) { unlinked userErrors { code } }",
    ),
];

/// What is tried at the doors.
struct Scene {
    setup: Setup,
    tenant: Id<ids::Tenant>,
    boss: Id<ids::User>,
    boss_token: String,
    key: Id<ids::ApiKey>,
    key_secret: String,
    powers: Id<ids::Role>,
    issuer: Id<ids::OpenIdIssuer>,
}

impl Scene {
    async fn new() -> Self {
        let setup = Setup::new().await;
        let tenant = setup.tenant("acme").await;
        let by = setup.allowed(tenant);
        let administrator = setup.role(tenant, "Administrator").await;
        let email = "boss@acme.example".to_owned();
        let new =
            NewUser { email, name: "Boss".to_owned(), roles: vec![administrator], ..NewUser::default() };
        let boss = setup.services.users().create(&by.allow().unwrap(), new).await.unwrap().id;
        let token = setup.services.access().issue(&setup.staff, tenant, boss, None).await.unwrap().token;
        let everything: BTreeSet<_> = within_a_tenant().collect();
        let new = NewRole { name: "Powers".to_owned(), permissions: everything };
        let powers = setup.services.roles().create(&by.allow().unwrap(), new).await.unwrap().id;
        let key = services::keys::NewKey {
            name: "back end".to_owned(),
            permissions: Permission::ALL.iter().copied().collect(),
            tenant: None,
            expires_at: None,
        };
        let (row, key_secret) = setup.services.keys().create(&setup.staff, key).await.unwrap();
        let key = row.id;
        let issuer = setup.issuer(tenant, boss, "boss").await;
        Self { setup, tenant, boss, boss_token: token, key, key_secret, powers, issuer }
    }

    async fn permissions(&self, credential: &str) -> Option<BTreeSet<Permission>> {
        let authorization = format!("Bearer {credential}");
        let known = self.setup.services.access().authenticate(Anyone, Some(&authorization), None).await;
        known.ok().map(|known| known.caller.permissions().clone())
    }

    /// Asserts that an attempt changed nothing that was not the actor's to change.
    async fn is_untouched(&self, actor: &Caller, what: &str) {
        let boss = self.permissions(&self.boss_token).await;
        assert_eq!(boss, Some(within_a_tenant().collect()), "{what}: the administrator's rights");
        let key = self.permissions(&self.key_secret).await;
        assert_eq!(key, Some(Permission::ALL.iter().copied().collect()), "{what}: the key's rights");
        let domain::CallerKind::User(me) = actor.kind() else { panic!("a user acts") };
        let now = self
            .setup
            .services
            .roles()
            .permissions_of(&self.setup.services, self.tenant, me)
            .await
            .unwrap()
            .unwrap();
        assert!(now.is_subset(actor.permissions()), "{what}: the actor may do more: {now:?}");
        let by = self.setup.allowed(self.tenant);
        let boss = self.setup.services.users().get(&by.allow().unwrap(), self.boss).await.unwrap();
        assert_eq!(boss.email, "boss@acme.example", "{what}");
        let issuers = self.setup.services.issuers();
        let args = services::PageArgs::default();
        let registered = issuers.list(&by.allow().unwrap(), args).await.unwrap().items;
        assert!(registered.len() == 1 && registered[0].client_id == "boss", "{what}: {registered:?}");
        let linked = issuers.list_identities(&by.allow().unwrap(), self.issuer, args).await.unwrap().items;
        assert!(linked.len() == 1 && linked[0].subject == "boss", "{what}: {linked:?}");
        let roles = self.setup.services.roles().list(&by.allow().unwrap()).await.unwrap();
        for role in roles.iter().filter(|role| !role.standard && role.id != self.powers) {
            let allows = services::roles::role_permissions(role);
            assert!(allows.len() <= 1, "{what}: a role with more than one permission: {allows:?}");
        }
        let users = self
            .setup
            .services
            .users()
            .list(&by.allow().unwrap(), services::users::UserFilter::default(), services::PageArgs::default())
            .await
            .unwrap()
            .items;
        for user in users.iter().filter(|user| user.id != self.boss) {
            let held =
                self.setup.services.roles().permissions_of(&self.setup.services, self.tenant, user.id).await;
            assert!(held.unwrap().unwrap().len() <= 1, "{what}: somebody else may do more");
        }
    }

    fn variables(&self, me: &str, own: Id<ids::Role>, administrator: Id<ids::Role>, email: &str) -> Value {
        let all: Vec<_> = within_a_tenant().map(Permission::as_str).collect();
        json!({
            "all": all, "me": me, "own": own, "administrator": administrator, "myEmail": email,
            "boss": self.boss, "powers": self.powers, "key": self.key, "tenant": self.tenant,
            "issuer": self.issuer,
        })
    }
}

fn within_a_tenant() -> impl Iterator<Item = Permission> {
    Permission::ALL.iter().copied().filter(|permission| *permission != Permission::Staff)
}

/// The variables that a text uses, as a document declares them.
fn declared(text: &str) -> String {
    let types = [
        ("$all", "[Permission!]!"),
        ("$myEmail", "EmailAddress!"),
        ("$administrator", "ID!"),
        ("$me", "ID!"),
        ("$own", "ID!"),
        ("$boss", "ID!"),
        ("$powers", "ID!"),
        ("$key", "ID!"),
        ("$tenant", "ID!"),
        ("$issuer", "ID!"),
    ];
    let used = types.iter().filter(|(name, _)| {
        text.match_indices(name)
            .any(|(at, _)| !text[at + name.len()..].starts_with(|next: char| next.is_ascii_alphanumeric()))
    });
    let declared: Vec<_> = used.map(|(name, ty)| format!("{name}: {ty}")).collect();
    if declared.is_empty() { String::new() } else { format!("({})", declared.join(", ")) }
}

#[tokio::test]
async fn each_door_is_tried_with_each_permission_alone() {
    let scene = Scene::new().await;
    let (setup, tenant) = (&scene.setup, scene.tenant);
    let administrator = setup.role(tenant, "Administrator").await;
    let mut opened = BTreeSet::new();
    let by = setup.allowed(tenant);
    for permission in within_a_tenant() {
        let actor = setup.with(tenant, &[permission]).await;
        let domain::CallerKind::User(me) = actor.kind() else { panic!("a user acts") };
        let own = setup.role_of(tenant, me).await;
        let email = setup.services.users().get(&by.allow().unwrap(), me).await.unwrap().email;
        for (door, text) in DOORS {
            let document = format!("mutation{} {{ {text} }}", declared(text));
            let variables = scene.variables(&me.to_string(), own, administrator, &email);
            let response = setup.response(&actor, &document, variables).await;
            let answer = serde_json::to_value(&response).unwrap();
            let what = format!("{door} with {permission}: {text}");
            let unknown = answer["errors"].as_array().into_iter().flatten().find(|error| {
                !["FORBIDDEN", "UNAUTHENTICATED"]
                    .contains(&error["extensions"]["code"].as_str().unwrap_or("none"))
            });
            assert_eq!(unknown, None, "{what}: refused for another reason than a right: {document}");
            if permission != Permission::UserView {
                assert!(!answer.to_string().contains("boss@"), "{what} shows the administrator: {answer}");
            }
            scene.is_untouched(&actor, &what).await;
            let errors = &answer["data"][*door]["userErrors"];
            if errors.as_array().is_some_and(Vec::is_empty) {
                opened.insert((*door, permission));
            }
        }
    }
    // What one permission is good for, so that the test is not green because everything is refused.
    let good = [("updateUser", Permission::UserEdit), ("assignRoles", Permission::RoleEdit)];
    for one in good {
        assert!(opened.contains(&one), "{one:?} is not refused: {opened:?}");
    }
    let invites = opened.iter().any(|(door, _)| *door == "inviteAdministrator");
    assert!(!invites, "whoever may only create users has no permission to give");
}

#[test]
fn every_mutation_is_a_door_or_known_to_be_none() {
    let schema = Schema::parse(api::graphql::sdl(), "schema.graphql").unwrap();
    let names: BTreeSet<&str> =
        schema.get_object("Mutation").unwrap().fields.keys().map(apollo_compiler::Name::as_str).collect();
    let listed: BTreeSet<&str> =
        NO_DOORS.iter().copied().chain(DOORS.iter().map(|(door, _)| *door)).collect();
    assert_eq!(names, listed);
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let scene = Scene::new().await;
    let (setup, tenant) = (&scene.setup, scene.tenant);
    let administrator = setup.role(tenant, "Administrator").await;
    let by = setup.allowed(tenant);
    let roles = setup.services.roles();
    let refused = roles.unassign(&by.allow().unwrap(), scene.boss, &[administrator]).await.unwrap_err();
    assert_eq!(refused.code(), "LAST_ADMINISTRATOR");
    let refused = setup.services.users().delete(&by.allow().unwrap(), scene.boss).await.unwrap_err();
    assert_eq!(refused.code(), "LAST_ADMINISTRATOR");
    assert_eq!(scene.permissions(&scene.boss_token).await, Some(within_a_tenant().collect()));
    let second = setup.user(tenant, domain::StandardRole::Administrator).await;
    roles.unassign(&by.allow().unwrap(), scene.boss, &[administrator]).await.unwrap();
    let domain::CallerKind::User(second) = second.kind() else { panic!("a user") };
    let refused = setup.services.users().delete(&by.allow().unwrap(), second).await.unwrap_err();
    assert_eq!(refused.code(), "LAST_ADMINISTRATOR");
}
