//! People, roles, keys, pages, and what is refused.

use domain::{Id, Permission, StandardRole};
use serde_json::{Value, json};

use crate::graphql::setup::Setup;
use services::Anyone;

#[tokio::test]
async fn a_refusal_is_an_entry_of_user_errors_that_names_its_field() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let admin = setup.user(tenant, StandardRole::Administrator).await;
    let create = "mutation($input: CreateUserInput!) {
        createUser(input: $input) { user { id email } userErrors { __typename code message path } }
    }";
    let new = |email: &str| json!({ "input": { "email": email, "name": "Anna" } });
    let made = setup.ask(&admin, create, new("Anna@Acme.example")).await;
    assert_eq!(made["createUser"]["user"]["email"], "anna@acme.example");
    let taken = setup.ask(&admin, create, new("anna@acme.example")).await;
    assert_eq!(taken["createUser"]["user"], Value::Null);
    let error = &taken["createUser"]["userErrors"][0];
    assert_eq!((&error["__typename"], &error["code"]), (&json!("SimpleError"), &json!("EMAIL_TAKEN")));
    assert_eq!(error["path"], json!(["input", "email"]));
    let malformed = setup.ask(&admin, create, new("anna")).await;
    assert_eq!(malformed["createUser"]["userErrors"][0]["code"], "EMAIL_MALFORMED");
}

#[tokio::test]
async fn what_is_absent_stays_and_what_is_null_is_taken_away() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let admin = setup.user(tenant, StandardRole::Administrator).await;
    let create = "mutation { createUser(input: {
        email: \"a@acme.example\", name: \"A\", calendarAddress: \"cal@acme.example\", timeZone: \"Europe/Berlin\"
    }) { user { id version } } }";
    let user = setup.ask(&admin, create, json!({})).await["createUser"]["user"].clone();
    let update = "mutation($input: UpdateUserInput!) {
        updateUser(input: $input) { user { calendarAddress timeZone version } userErrors { code path } }
    }";
    let input = json!({ "id": user["id"], "timeZone": null, "ifVersion": user["version"] });
    let changed = setup.ask(&admin, update, json!({ "input": input })).await;
    let after = json!({ "calendarAddress": "cal@acme.example", "timeZone": null, "version": 2 });
    assert_eq!(changed["updateUser"]["user"], after);
    let late = setup.ask(&admin, update, json!({ "input": input })).await;
    let conflict = json!({ "code": "VERSION_CONFLICT", "path": ["input", "ifVersion"] });
    assert_eq!(late["updateUser"]["userErrors"], json!([conflict]));
}

#[tokio::test]
async fn pages_follow_their_cursors_both_ways() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let vendor = setup.vendor(tenant);
    let users: Vec<_> =
        (0..5).map(|n| json!({ "email": format!("u{n}@acme.example"), "name": format!("U{n}") })).collect();
    let create =
        "mutation($users: [CreateUserInput!]!) { createUsers(input: {users: $users}) { users { name } } }";
    setup.ask(&vendor, create, json!({ "users": users })).await;
    let query = "query($first: Int, $last: Int, $after: String, $before: String) {
        users(first: $first, last: $last, after: $after, before: $before) {
            edges { cursor node { name } } nodes { name }
            pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        }
    }";
    let page = async |args: Value| setup.ask(&vendor, query, args).await["users"].clone();
    let names = |page: &Value| {
        let nodes = page["nodes"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap());
        nodes.collect::<Vec<_>>().join(" ")
    };
    let first = page(json!({ "first": 2 })).await;
    assert_eq!(names(&first), "U0 U1");
    assert_eq!(first["pageInfo"]["hasNextPage"], true);
    assert_eq!(first["edges"][1]["cursor"], first["pageInfo"]["endCursor"]);
    let second = page(json!({ "first": 2, "after": first["pageInfo"]["endCursor"] })).await;
    assert_eq!(names(&second), "U2 U3");
    assert_eq!(second["pageInfo"]["hasPreviousPage"], true);
    let third = page(json!({ "first": 2, "after": second["pageInfo"]["endCursor"] })).await;
    assert_eq!((names(&third).as_str(), &third["pageInfo"]["hasNextPage"]), ("U4", &json!(false)));
    let back = page(json!({ "last": 3, "before": third["pageInfo"]["startCursor"] })).await;
    assert_eq!(names(&back), "U1 U2 U3");
    for (args, code) in [
        (json!({ "first": 0 }), "PAGE_SIZE"),
        (json!({ "first": -1 }), "PAGE_SIZE"),
        (json!({ "last": 101 }), "PAGE_SIZE"),
        (json!({ "first": 1, "last": 1 }), "PAGE_AMBIGUOUS"),
        (json!({ "after": "usr_1" }), "CURSOR_MALFORMED"),
    ] {
        assert_eq!(setup.code(&vendor, query, args.clone()).await, code, "{args}");
    }
}

#[tokio::test]
async fn a_refusal_about_a_limit_says_the_limit_and_what_was_found() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let vendor = setup.vendor(tenant);
    let create = "mutation($name: String!) {
        createRole(input: {name: $name, permissions: [USER_VIEW]}) { userErrors { code path limit actual } }
    }";
    let refused = async |name: &str| {
        let answer = setup.ask(&vendor, create, json!({ "name": name })).await;
        answer["createRole"]["userErrors"][0].clone()
    };
    let told = |limit: Value, actual: Value| json!({ "code": "NAME_MALFORMED", "path": ["input", "name"], "limit": limit, "actual": actual });
    assert_eq!(refused(&"x".repeat(300)).await, told(json!(200), json!(300)));
    assert_eq!(refused("").await, told(json!(null), json!(null)), "too short is not too long");
    let many: Vec<Value> =
        (0..501).map(|n| json!({ "email": format!("u{n}@acme.example"), "name": "U" })).collect();
    let query = "mutation($users: [CreateUserInput!]!) {
        createUsers(input: {users: $users}) { userErrors { code limit actual } }
    }";
    let answer = setup.ask(&vendor, query, json!({ "users": many })).await;
    let expected = json!({ "code": "TOO_MANY", "limit": 500, "actual": 501 });
    assert_eq!(answer["createUsers"]["userErrors"][0], expected);
    let response = setup.response(&vendor, "{ users(first: 101) { nodes { id } } }", json!({})).await;
    let extensions = response.errors[0].extensions.as_ref().unwrap();
    let of = |name: &str| extensions.get(name).cloned().map(|value| value.into_json().unwrap());
    assert_eq!((of("limit"), of("actual")), (Some(json!(100)), Some(json!(101))));
}

#[tokio::test]
async fn a_field_that_is_not_allowed_is_null_and_its_neighbours_are_answered() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let caller = setup.with(tenant, &[Permission::UserView]).await;
    let both = "{ users { nodes { id } } bookings { nodes { id } } }";
    let response = setup.response(&caller, both, json!({})).await;
    let data = response.data.into_json().unwrap();
    assert_eq!(data["users"]["nodes"].as_array().unwrap().len(), 1);
    assert_eq!(data["bookings"], Value::Null);
    assert_eq!(response.errors.len(), 1);
    assert_eq!(response.errors[0].path.len(), 1);
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_have() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let caller = setup.with(tenant, &[Permission::RoleEdit, Permission::UserView]).await;
    let create = "mutation($all: [Permission!]!) {
        createRole(input: {name: \"Front desk\", permissions: $all}) { role { id permissions } userErrors { code } }
    }";
    let refused = setup.ask(&caller, create, json!({ "all": ["BOOKING_EDIT"] })).await;
    assert_eq!(refused["createRole"]["userErrors"][0]["code"], "PERMISSION_NOT_YOURS");
    let made = setup.ask(&caller, create, json!({ "all": ["USER_VIEW"] })).await;
    let role = made["createRole"]["role"].clone();
    assert_eq!(role["permissions"], json!(["USER_VIEW"]));
    let integration = setup.integration(tenant).await;
    let anna = setup.person(tenant, integration, "anna").await;
    let assign = "mutation($user: ID!, $role: ID!) {
        assignRoles(input: {userId: $user, roleIds: [$role]}) { user { roles { name } } userErrors { code } }
    }";
    let given = setup.ask(&caller, assign, json!({ "user": anna, "role": role["id"] })).await;
    assert_eq!(given["assignRoles"]["user"]["roles"], json!([{ "name": "Front desk" }]));
    let known = setup.caller(tenant, anna).await;
    assert!(known.has_permission(Permission::UserView), "the role works at once");
}

#[tokio::test]
async fn s3_11_a_user_sees_the_state_of_the_own_calendar() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let integration = setup.integration(tenant).await;
    let anna = setup.person(tenant, integration, "anna").await;
    let caller = setup.caller(tenant, anna).await;
    let mine = "{ viewer { kind user { name calendar { state reason { code } } } } }";
    let shown = setup.ask(&caller, mine, json!({})).await;
    assert_eq!(shown["viewer"]["user"]["calendar"], json!({ "state": "ACTIVE", "reason": null }));
    let other = setup.with(tenant, &[Permission::BookingView]).await;
    let shown = setup.ask(&other, mine, json!({})).await;
    let calendar = json!({ "state": "DISCONNECTED", "reason": { "code": "CALENDAR_NOT_CONNECTED" } });
    assert_eq!(shown["viewer"]["user"]["calendar"], calendar);
    let theirs = "query($id: ID!) { user(id: $id) { calendar { state } } }";
    assert_eq!(setup.code(&other, theirs, json!({ "id": anna })).await, "FORBIDDEN");
}

#[tokio::test]
async fn s3_8_a_user_activates_the_own_calendar_with_one_click() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let nobody_special = setup.with(tenant, &[Permission::BookingView]).await;
    let click = "mutation { activateMyCalendar { run { workflow askedBy status } userErrors { code } } }";
    let refused = setup.ask(&nobody_special, click, json!({})).await;
    assert_eq!(refused["activateMyCalendar"]["userErrors"][0]["code"], "CALENDAR_ADDRESS_MISSING");
    let create = "mutation { createUser(input: {
        email: \"a@acme.example\", name: \"A\", calendarAddress: \"a@acme.example\"
    }) { user { id } } }";
    let made = setup.ask(&setup.vendor(tenant), create, json!({})).await;
    let user = made["createUser"]["user"]["id"].as_str().unwrap().parse().unwrap();
    setup.integration(tenant).await;
    let caller = setup.caller(tenant, user).await;
    let ordered = setup.ask(&caller, click, json!({})).await;
    let run = json!({ "workflow": "activate_mailbox", "askedBy": user, "status": "ORDERED" });
    assert_eq!(ordered["activateMyCalendar"], json!({ "run": run, "userErrors": [] }));
    assert_eq!(
        setup.code(&setup.vendor(tenant), click, json!({})).await,
        "FORBIDDEN",
        "only a user has an own"
    );
}

#[tokio::test]
async fn staff_make_keys_and_tokens_that_work() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let integration = setup.integration(tenant).await;
    let anna = setup.person(tenant, integration, "anna").await;
    let key = "mutation { createApiKey(input: {name: \"Back end\", permissions: [USER_VIEW]}) { secret apiKey { id prefix revokedAt } } }";
    let made = setup.ask(&setup.staff(), key, json!({})).await["createApiKey"].clone();
    let bearer = format!("Bearer {}", made["secret"].as_str().unwrap());
    setup.services.access().authenticate(Anyone, Some(&bearer), None).await.unwrap();
    let revoke = "mutation($id: ID!) { revokeApiKey(input: {id: $id}) { apiKey { revokedAt } } }";
    setup.ask(&setup.staff(), revoke, json!({ "id": made["apiKey"]["id"] })).await;
    assert!(setup.services.access().authenticate(Anyone, Some(&bearer), None).await.is_err());
    let token = "mutation($tenant: ID!, $user: ID!, $seconds: Int) {
        createAccessToken(input: {tenantId: $tenant, userId: $user, lifetimeSeconds: $seconds}) {
            accessToken { token expiresAt } userErrors { code path }
        }
    }";
    let signed =
        setup.ask(&setup.staff(), token, json!({ "tenant": tenant, "user": anna, "seconds": 60 })).await;
    let signed = &signed["createAccessToken"]["accessToken"];
    assert_eq!(signed["expiresAt"], "2025-11-08T00:01:00Z");
    let bearer = format!("Bearer {}", signed["token"].as_str().unwrap());
    let known = setup.services.access().authenticate(Anyone, Some(&bearer), None).await.unwrap();
    assert_eq!(known.caller.tenant(), Some(tenant));
    let long =
        setup.ask(&setup.staff(), token, json!({ "tenant": tenant, "user": anna, "seconds": 99_999 })).await;
    assert_eq!(long["createAccessToken"]["userErrors"][0]["code"], "TOKEN_LIFETIME");
    let admin = setup.user(tenant, StandardRole::Administrator).await;
    let mine = json!({ "tenant": tenant, "user": anna });
    assert_eq!(setup.code(&admin, token, mine).await, "FORBIDDEN");
}

#[tokio::test]
async fn s3_3_an_invited_it_person_gets_one_permission_and_a_link() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let hr = setup.user(tenant, StandardRole::HumanResources).await;
    let invite = "mutation($to: URL) {
        inviteAdministrator(input: {email: \"it@acme.example\", returnUrl: $to}) { url userErrors { code path } }
    }";
    let away = setup.ask(&hr, invite, json!({ "to": "https://elsewhere.example/" })).await;
    let refused = json!([{ "code": "RETURN_URL_NOT_ALLOWED", "path": ["input", "returnUrl"] }]);
    assert_eq!(away["inviteAdministrator"], json!({ "url": null, "userErrors": refused }));
    let sent = setup.ask(&hr, invite, json!({ "to": "https://acme.example/settings" })).await;
    let url = sent["inviteAdministrator"]["url"].as_str().unwrap();
    assert!(url.starts_with("https://muster.example/connect/"), "{url}");
    let users = setup.ask(&hr, "{ users(last: 1) { nodes { id email } } }", json!({})).await;
    assert_eq!(users["users"]["nodes"][0]["email"], "it@acme.example");
    let id: Id<domain::ids::User> = users["users"]["nodes"][0]["id"].as_str().unwrap().parse().unwrap();
    let invited = setup.caller(tenant, id).await;
    let who = setup.ask(&invited, "{ viewer { permissions } }", json!({})).await;
    assert_eq!(who["viewer"]["permissions"], json!(["CALENDAR_CONNECT"]));
}

#[tokio::test]
async fn s6_9_open_invitations_are_listed_and_revoked() {
    let setup = Setup::new().await;
    let tenant = setup.tenant("acme").await;
    let hr = setup.user(tenant, StandardRole::HumanResources).await;
    let invite = "mutation($to: EmailAddress!) { inviteAdministrator(input: {email: $to}) { invitationId } }";
    let mut ids = Vec::new();
    for to in ["it@acme.example", "other@acme.example"] {
        let sent = setup.ask(&hr, invite, json!({ "to": to })).await;
        ids.push(sent["inviteAdministrator"]["invitationId"].clone());
    }
    let list = "query($ended: Boolean!) { invitations(includeEnded: $ended) { nodes { id email userId integrationId \
                returnUrl invitedBy createdAt expiresAt } } }";
    let all = setup.ask(&hr, list, json!({ "ended": false })).await;
    let all = all["invitations"]["nodes"].as_array().unwrap();
    assert_eq!(all.iter().map(|one| &one["id"]).collect::<Vec<_>>(), ids.iter().collect::<Vec<_>>());
    assert_eq!((&all[0]["email"], &all[0]["integrationId"]), (&json!("it@acme.example"), &json!(null)));
    assert!(all[0]["userId"].as_str().unwrap().starts_with("usr_"), "{all:?}");
    assert!(all[0]["invitedBy"].as_str().unwrap().starts_with("usr_"), "{all:?}");
    let revoke = "mutation($id: ID!) { revokeInvitation(input: {id: $id}) { userErrors { code } } }";
    let revoked = setup.ask(&hr, revoke, json!({ "id": ids[0] })).await;
    assert_eq!(revoked["revokeInvitation"]["userErrors"], json!([]));
    let open = setup.ask(&hr, list, json!({ "ended": false })).await;
    assert_eq!(open["invitations"]["nodes"].as_array().unwrap().len(), 1);
    let ended = setup.ask(&hr, list, json!({ "ended": true })).await;
    assert_eq!(ended["invitations"]["nodes"].as_array().unwrap().len(), 2);
    let nobody = setup.user(tenant, StandardRole::CalendarConnector).await;
    assert_eq!(setup.code(&nobody, list, json!({ "ended": false })).await, "FORBIDDEN");
}
