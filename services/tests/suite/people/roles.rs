//! Who may do what.

use domain::{Permission, StandardRole, access::Denied, may};
use services::{
    Error, ExceededLimit,
    roles::{NewRole, RoleChange, role_permissions},
    users::NewUser,
};

use crate::people::harness::{Harness, person, refused};

/// Any of these may connect the calendar system.
const MAY_CONNECT: &[Permission] = &[
    Permission::UserView,
    Permission::UserEdit,
    Permission::UserCreate,
    Permission::UserDelete,
    Permission::CalendarConnect,
];

on_both!(
    s1_3_only_people_with_user_rights_or_the_connector_role_may_connect,
    s2_7_the_minimal_role_sees_nothing_else,
    nobody_gives_what_they_do_not_have,
    custom_roles_change_what_their_holders_may_do,
    whoever_loses_a_role_keeps_the_others,
    standard_roles_stay_as_they_are,
    roles_of_one_tenant_are_not_anothers,
    a_name_is_something_that_can_be_seen,
    a_tenant_has_a_bounded_number_of_roles_and_so_has_a_user,
);

async fn a_tenant_has_a_bounded_number_of_roles_and_so_has_a_user(h: Harness) {
    let tenant = h.tenant("acme").await;
    let by = h.vendor(tenant).await;
    let (roles, by) = (h.services.roles(), by.allow().unwrap());
    let mut made = Vec::new();
    let refused = loop {
        match roles.create(&by, role(&format!("Role {}", made.len()), &[])).await {
            Ok(role) => made.push(role.id),
            Err(refused) => break refused,
        }
    };
    let Error::Refused(refused) = refused else { panic!("{refused}") };
    assert_eq!((refused.code, refused.excess), ("TOO_MANY", Some(ExceededLimit { limit: 200, actual: 201 })));
    let by = h.vendor(tenant).await;
    let bob = h.services.users().create(&by.allow().unwrap(), person("bob")).await.unwrap().id;
    roles.assign(&by.allow().unwrap(), bob, &made[..50]).await.unwrap();
    let refused = roles.assign(&by.allow().unwrap(), bob, &made[50..51]).await.unwrap_err();
    let Error::Refused(refused) = refused else { panic!("{refused}") };
    assert_eq!((refused.code, refused.excess), ("TOO_MANY", Some(ExceededLimit { limit: 50, actual: 51 })));
    let held = roles.of_users(h.services.tenant_scope(tenant), &[bob]).await.unwrap();
    let held: Vec<_> = held[&bob].iter().map(|role| role.id).collect();
    made[..50].sort_unstable();
    assert_eq!(held, made[..50], "in the order of their ids, and no more");
}

fn role(name: &str, permissions: &[Permission]) -> NewRole {
    NewRole { name: name.to_owned(), permissions: permissions.iter().copied().collect() }
}

async fn s1_3_only_people_with_user_rights_or_the_connector_role_may_connect(h: Harness) {
    let tenant = h.tenant("acme").await;
    let roles = h.services.roles();
    for (standard, may) in [
        (StandardRole::Administrator, true),
        (StandardRole::HumanResources, true),
        (StandardRole::CalendarConnector, true),
        (StandardRole::PlatformAdministration, false),
    ] {
        let caller = h.caller(tenant, standard).await;
        assert_eq!(MAY_CONNECT.iter().any(|one| caller.has_permission(*one)), may, "{standard}");
    }
    let by = h.vendor(tenant).await;
    let booker =
        roles.create(&by.allow().unwrap(), role("Booker", &[Permission::BookingEdit])).await.unwrap();
    let new = NewUser { roles: vec![booker.id], ..person("bob") };
    let bob = h.services.users().create(&by.allow().unwrap(), new).await.unwrap();
    let caller = h.bearer(tenant, bob.id).await;
    assert_eq!(caller.allow::<may::UserView>().unwrap_err(), Denied::Forbidden(Permission::UserView));
    assert!(caller.has_permission(Permission::BookingEdit));
}

async fn s2_7_the_minimal_role_sees_nothing_else(h: Harness) {
    let tenant = h.tenant("acme").await;
    let caller = h.caller(tenant, StandardRole::CalendarConnector).await;
    for permission in Permission::ALL {
        assert_eq!(
            caller.has_permission(*permission),
            *permission == Permission::CalendarConnect,
            "{permission}"
        );
    }
}

async fn nobody_gives_what_they_do_not_have(h: Harness) {
    let tenant = h.tenant("acme").await;
    let roles = h.services.roles();
    let vendor = h.vendor(tenant).await;
    assert_eq!(
        refused(roles.create(&vendor.allow().unwrap(), role("Staff", &[Permission::Staff])).await),
        "PERMISSION_NOT_YOURS"
    );

    let editor = role("Editor", &[Permission::RoleEdit, Permission::UserCreate]);
    let editor = roles.create(&vendor.allow().unwrap(), editor).await.unwrap();
    let new = NewUser { roles: vec![editor.id], ..person("eve") };
    let eve = h.services.users().create(&vendor.allow().unwrap(), new).await.unwrap();
    let by = h.bearer(tenant, eve.id).await;

    let more = role("More", &[Permission::BookingEdit]);
    assert_eq!(refused(roles.create(&by.allow().unwrap(), more).await), "PERMISSION_NOT_YOURS");
    let widened = RoleChange {
        permissions: Some([Permission::RoleEdit, Permission::BookingEdit].into()),
        ..RoleChange::default()
    };
    assert_eq!(refused(roles.update(&by.allow().unwrap(), editor.id, widened).await), "PERMISSION_NOT_YOURS");
    let administrator = h.role(tenant, StandardRole::Administrator.as_str()).await;
    assert_eq!(
        refused(roles.assign(&by.allow().unwrap(), eve.id, &[administrator]).await),
        "PERMISSION_NOT_YOURS"
    );
    let puppet = NewUser { roles: vec![administrator], ..person("puppet") };
    assert_eq!(
        refused(h.services.users().create(&by.allow().unwrap(), puppet).await),
        "PERMISSION_NOT_YOURS"
    );
    assert!(roles.create(&by.allow().unwrap(), role("Same", &[Permission::UserCreate])).await.is_ok());

    let human_resources = h.caller(tenant, StandardRole::HumanResources).await;
    let puppet = NewUser { roles: vec![administrator], ..person("puppet") };
    assert_eq!(
        refused(h.services.users().create(&human_resources.allow().unwrap(), puppet).await),
        "FORBIDDEN"
    );
}

async fn custom_roles_change_what_their_holders_may_do(h: Harness) {
    let tenant = h.tenant("acme").await;
    let (roles, by) = (h.services.roles(), h.vendor(tenant).await);
    let made = roles.create(&by.allow().unwrap(), role("Booker", &[Permission::BookingView])).await.unwrap();
    assert_eq!(refused(roles.create(&by.allow().unwrap(), role("Booker", &[])).await), "NAME_TAKEN");
    assert_eq!(refused(roles.create(&by.allow().unwrap(), role(" ", &[])).await), "NAME_MALFORMED");
    let bob = h.services.users().create(&by.allow().unwrap(), person("bob")).await.unwrap();
    for _ in 0..2 {
        roles.assign(&by.allow().unwrap(), bob.id, &[made.id]).await.unwrap();
    }
    let held = roles.of_users(h.services.tenant_scope(tenant), &[bob.id]).await.unwrap();
    assert_eq!(held[&bob.id], std::slice::from_ref(&made), "given twice, held once");
    let change =
        RoleChange { permissions: Some([Permission::BookingEdit].into()), name: Some("Editor".to_owned()) };
    let changed = roles.update(&by.allow().unwrap(), made.id, change).await.unwrap();
    assert_eq!(
        (changed.name.as_str(), role_permissions(&changed)),
        ("Editor", [Permission::BookingEdit].into())
    );
    let permissions = roles.permissions_of(&h.services, tenant, bob.id).await.unwrap();
    assert_eq!(permissions, Some([Permission::BookingEdit].into()));
    roles.delete(&by.allow().unwrap(), made.id).await.unwrap();
    assert_eq!(roles.permissions_of(&h.services, tenant, bob.id).await.unwrap(), Some([].into()));
    assert_eq!(refused(roles.unassign(&by.allow().unwrap(), bob.id, &[made.id]).await), "NOT_FOUND");
}

async fn whoever_loses_a_role_keeps_the_others(h: Harness) {
    let tenant = h.tenant("acme").await;
    let (roles, by) = (h.services.roles(), h.vendor(tenant).await);
    let mut made = Vec::new();
    for (name, permission) in [("Viewer", Permission::BookingView), ("Booker", Permission::BookingEdit)] {
        made.push(roles.create(&by.allow().unwrap(), role(name, &[permission])).await.unwrap().id);
    }
    let bob = h.services.users().create(&by.allow().unwrap(), person("bob")).await.unwrap().id;
    roles.assign(&by.allow().unwrap(), bob, &made).await.unwrap();
    roles.unassign(&by.allow().unwrap(), bob, &made[1..]).await.unwrap();
    let permissions = roles.permissions_of(&h.services, tenant, bob).await.unwrap();
    assert_eq!(permissions, Some([Permission::BookingView].into()));
}

async fn standard_roles_stay_as_they_are(h: Harness) {
    let tenant = h.tenant("acme").await;
    let (roles, by) = (h.services.roles(), h.vendor(tenant).await);
    for standard in StandardRole::ALL {
        let role = h.role(tenant, standard.as_str()).await;
        assert_eq!(
            refused(roles.update(&by.allow().unwrap(), role, RoleChange::default()).await),
            "ROLE_STANDARD"
        );
        assert_eq!(refused(roles.delete(&by.allow().unwrap(), role).await), "ROLE_STANDARD");
    }
}

async fn roles_of_one_tenant_are_not_anothers(h: Harness) {
    let (acme, other) = (h.tenant("acme").await, h.tenant("other").await);
    let (roles, by) = (h.services.roles(), h.vendor(acme).await);
    let anna = h.services.users().create(&by.allow().unwrap(), person("anna")).await.unwrap();
    let theirs = h.role(other, StandardRole::Administrator.as_str()).await;
    assert_eq!(refused(roles.assign(&by.allow().unwrap(), anna.id, &[theirs]).await), "NOT_FOUND");
    let ours = h.role(acme, StandardRole::Administrator.as_str()).await;
    assert_eq!(
        refused(roles.assign(&h.vendor(other).await.allow().unwrap(), anna.id, &[ours]).await),
        "NOT_FOUND"
    );
    assert_eq!(roles.permissions_of(&h.services, other, anna.id).await.unwrap(), None);
}

/// Forms and commands reach use cases without a document.
async fn a_name_is_something_that_can_be_seen(h: Harness) {
    let tenant = h.tenant("acme").await;
    let by = h.vendor(tenant).await;
    let roles = h.services.roles();
    for name in ["", " ", "\u{200B}", "\u{3164}", "Front\u{202E}desk", "\u{2067}desk", "desk\u{E0041}"] {
        let made = roles.create(&by.allow().unwrap(), role(name, &[Permission::BookingEdit])).await;
        assert_eq!(refused(made.map(|_| ())), "NAME_MALFORMED", "{name:?}");
        let made = h
            .services
            .users()
            .create(&by.allow().unwrap(), NewUser { name: name.to_owned(), ..person("bob") })
            .await;
        assert_eq!(refused(made.map(|_| ())), "NAME_MALFORMED", "{name:?}");
    }
    for name in ["می\u{200C}خواهم", "क्\u{200D}ष", "👩\u{200D}💻", "\u{2068}Desk\u{2069}"] {
        roles.create(&by.allow().unwrap(), role(name, &[Permission::BookingEdit])).await.unwrap();
    }
    let error = roles
        .create(&by.allow().unwrap(), role(&"x".repeat(201), &[Permission::BookingEdit]))
        .await
        .unwrap_err();
    let Error::Refused(refusal) = error else { panic!("{error:?}") };
    assert_eq!(refusal.excess, Some(ExceededLimit { limit: 200, actual: 201 }));
}
