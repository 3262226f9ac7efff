//! What vendor keys are good for, and how they are rotated.

use chrono::Duration;
use domain::{Permission, access::Denied};
use services::{Anyone, PageArgs, keys::NewKey};

use crate::people::{
    harness::{Harness, refused},
    tokens::{a_user, is_dead, new_key, tried},
};

on_both!(
    a_key_may_do_what_it_was_made_for,
    a_key_for_one_tenant_acts_for_no_other,
    nobody_makes_or_takes_a_key_with_more_rights,
    a_key_ends_by_itself_unless_the_operator_configured_it,
    a_rotated_key_and_its_successor_overlap,
    what_a_temporary_key_makes_ends_with_it,
    a_temporary_key_gives_no_other_key_a_successor_that_outlives_it,
    the_last_use_of_a_key_is_known_to_the_minute,
    what_was_made_with_a_revoked_key_ends_with_it,
);

fn limited(name: &str, permissions: &[Permission]) -> NewKey {
    let permissions = permissions.iter().copied().collect();
    NewKey { name: name.to_owned(), permissions, tenant: None, expires_at: None }
}

async fn a_key_may_do_what_it_was_made_for(h: Harness) {
    let tenant = h.tenant("acme").await;
    let new = limited("reader", &[Permission::UserView, Permission::BookingView]);
    let (_, secret) = h.services.keys().create(&h.staff, new).await.unwrap();
    let authorization = format!("Bearer {secret}");
    let access = h.services.access();
    let caller =
        access.authenticate(Anyone, Some(&authorization), Some(&tenant.to_string())).await.unwrap().caller;
    for permission in Permission::ALL {
        let may = [Permission::UserView, Permission::BookingView].contains(permission);
        assert_eq!(caller.has_permission(*permission), may, "{permission}");
    }
    assert_eq!(caller.allow_staff().unwrap_err(), Denied::Forbidden(Permission::Staff));
}

async fn a_key_for_one_tenant_acts_for_no_other(h: Harness) {
    let (acme, other) = (h.tenant("acme").await, h.tenant("other").await);
    let keys = h.services.keys();
    let new = NewKey { tenant: Some(acme), ..limited("acme", &[Permission::UserView]) };
    let (_, secret) = keys.create(&h.staff, new).await.unwrap();
    assert_eq!(tried(&h, &secret).await.unwrap().tenant(), Some(acme), "it need not name its tenant");
    let access = h.services.access();
    let authorization = format!("Bearer {secret}");
    assert!(access.authenticate(Anyone, Some(&authorization), Some(&acme.to_string())).await.is_ok());
    let elsewhere = access.authenticate(Anyone, Some(&authorization), Some(&other.to_string())).await;
    assert_eq!(refused(elsewhere), "NOT_FOUND");
    let staff = NewKey { tenant: Some(acme), ..new_key(&h, "both", None) };
    assert_eq!(refused(keys.create(&h.staff, staff).await), "KEY_SCOPE");
    let nowhere = h.services.ids.make();
    let nowhere = NewKey { tenant: Some(nowhere), ..limited("nowhere", &[Permission::UserView]) };
    assert_eq!(refused(keys.create(&h.staff, nowhere).await), "NOT_FOUND");
}

async fn nobody_makes_or_takes_a_key_with_more_rights(h: Harness) {
    let keys = h.services.keys();
    let (_, secret) = keys.create(&h.staff, limited("staff", &[Permission::Staff])).await.unwrap();
    let by = tried(&h, &secret).await.unwrap().allow_staff().unwrap();
    let more = limited("more", &[Permission::Staff, Permission::UserView]);
    assert_eq!(refused(keys.create(&by, more.clone()).await), "PERMISSION_NOT_YOURS");
    let (richer, richer_secret) = keys.create(&h.staff, more).await.unwrap();
    assert_eq!(refused(keys.revoke(&by, richer.id, false).await), "PERMISSION_NOT_YOURS");
    let rotated = keys.rotate(&by, richer.id, Duration::zero()).await;
    assert_eq!(refused(rotated), "PERMISSION_NOT_YOURS");
    assert!(tried(&h, &richer_secret).await.is_ok());
    assert!(keys.create(&by, limited("same", &[Permission::Staff])).await.is_ok());
}

async fn a_key_ends_by_itself_unless_the_operator_configured_it(h: Harness) {
    let (key, secret) = h.services.keys().create(&h.staff, new_key(&h, "back end", None)).await.unwrap();
    assert_eq!(key.expires_at, Some(h.services.now() + Duration::days(365)));
    h.clock.advance(Duration::days(365));
    assert!(is_dead(&h, &secret).await);
    assert!(tried(&h, &h.key).await.is_ok(), "the first key is the operator's to replace");
}

async fn a_rotated_key_and_its_successor_overlap(h: Harness) {
    let keys = h.services.keys();
    let new = limited("back end", &[Permission::UserView]);
    let (old, old_secret) = keys.create(&h.staff, new).await.unwrap();
    let too_long = Duration::days(30) + Duration::seconds(1);
    for overlap in [Duration::seconds(-1), too_long] {
        assert_eq!(refused(keys.rotate(&h.staff, old.id, overlap).await), "KEY_OVERLAP");
    }
    let (new, new_secret) = keys.rotate(&h.staff, old.id, Duration::hours(1)).await.unwrap();
    assert_eq!((&new.name, &new.permissions, new.tenant_id), (&old.name, &old.permissions, old.tenant_id));
    assert_eq!(tried(&h, &new_secret).await.unwrap().permissions(), &[Permission::UserView].into());
    assert!(tried(&h, &old_secret).await.is_ok());
    let listed = keys.list(&h.staff, PageArgs::default()).await.unwrap().items;
    let old = listed.iter().find(|key| key.id == old.id).unwrap();
    assert_eq!(old.replaced_by, Some(new.id));
    assert_eq!(refused(keys.rotate(&h.staff, old.id, Duration::zero()).await), "KEY_ENDED", "once");
    h.clock.advance(Duration::hours(1));
    assert!(is_dead(&h, &old_secret).await);
    assert!(tried(&h, &new_secret).await.is_ok());
    let (_, at_once) = keys.rotate(&h.staff, new.id, Duration::zero()).await.unwrap();
    assert!(is_dead(&h, &new_secret).await, "no overlap is an end at once");
    assert!(tried(&h, &at_once).await.is_ok());
}

async fn what_a_temporary_key_makes_ends_with_it(h: Harness) {
    let ((tenant, user), keys) = (a_user(&h).await, h.services.keys());
    let end = h.services.now() + Duration::seconds(60);
    let temporary = NewKey { expires_at: Some(end), ..new_key(&h, "temporary", None) };
    let (key, secret) = keys.create(&h.staff, temporary).await.unwrap();
    let by = tried(&h, &secret).await.unwrap().allow_staff().unwrap();
    let (made, _) = keys.create(&by, limited("made", &[Permission::UserView])).await.unwrap();
    assert_eq!(made.expires_at, Some(end), "by default as long as its maker");
    let later = NewKey { expires_at: Some(end + Duration::seconds(1)), ..new_key(&h, "later", None) };
    assert_eq!(refused(keys.create(&by, later).await), "EXPIRY_BEYOND_YOURS");
    let token = h.services.access().issue(&by, tenant, user, None).await.unwrap();
    assert!(token.expires_at <= end, "{} is after {end}", token.expires_at);
    h.clock.advance(Duration::seconds(30));
    let (successor, _) = keys.rotate(&by, key.id, Duration::zero()).await.unwrap();
    assert_eq!(
        successor.expires_at,
        Some(end + Duration::seconds(30)),
        "it lives as long as the first was meant to"
    );
}

async fn a_temporary_key_gives_no_other_key_a_successor_that_outlives_it(h: Harness) {
    let keys = h.services.keys();
    let end = h.services.now() + Duration::seconds(60);
    let temporary = NewKey { expires_at: Some(end), ..new_key(&h, "temporary", None) };
    let (_, secret) = keys.create(&h.staff, temporary).await.unwrap();
    let by = tried(&h, &secret).await.unwrap().allow_staff().unwrap();
    let (lasting, _) = keys.create(&h.staff, limited("lasting", &[Permission::UserView])).await.unwrap();
    assert!(lasting.expires_at.unwrap() > end);
    let (successor, _) = keys.rotate(&by, lasting.id, Duration::hours(1)).await.unwrap();
    assert_eq!(successor.expires_at, Some(end));
}

async fn the_last_use_of_a_key_is_known_to_the_minute(h: Harness) {
    let keys = h.services.keys();
    let (key, secret) = keys.create(&h.staff, new_key(&h, "back end", None)).await.unwrap();
    let used = async || {
        let listed = keys.list(&h.staff, PageArgs::default()).await.unwrap().items;
        listed.iter().find(|one| one.id == key.id).unwrap().last_used_at
    };
    assert_eq!(used().await, None);
    let first = h.services.now();
    tried(&h, &secret).await.unwrap();
    h.clock.advance(Duration::seconds(59));
    tried(&h, &secret).await.unwrap();
    assert_eq!(used().await, Some(first));
    h.clock.advance(Duration::seconds(1));
    h.clock.advance(Duration::seconds(5));
    tried(&h, &secret).await.unwrap();
    assert_eq!(used().await, Some(h.services.now()));
}

async fn what_was_made_with_a_revoked_key_ends_with_it(h: Harness) {
    let (tenant, user) = a_user(&h).await;
    let keys = h.services.keys();
    let staff = async |secret: &str| tried(&h, secret).await.unwrap().allow_staff().unwrap();
    let (stolen, secret) = keys.create(&h.staff, new_key(&h, "stolen", None)).await.unwrap();
    let thief = staff(&secret).await;
    let (own, own_secret) = keys.create(&thief, new_key(&h, "own", None)).await.unwrap();
    let (_, of_own) = keys.create(&staff(&own_secret).await, new_key(&h, "of own", None)).await.unwrap();
    let (second, second_secret) = keys.create(&thief, new_key(&h, "second", None)).await.unwrap();
    let second =
        staff(&second_secret).await.actor() == second.id.to_string() && second.created_by == Some(stolen.id);
    assert!(second, "who created a key is known");
    let (third, third_secret) =
        keys.rotate(&staff(&second_secret).await, stolen.id, Duration::hours(1)).await.unwrap();
    let token = h.services.access().issue(&thief, tenant, user, None).await.unwrap().token;
    assert!(tried(&h, &token).await.is_ok());

    let by = staff(&own_secret).await;
    let revoked = keys.revoke(&by, stolen.id, false).await.unwrap();
    assert!(revoked.key.revoked_at.is_some() && revoked.created.is_empty());
    assert!(is_dead(&h, &token).await, "its tokens end with it");
    assert!(tried(&h, &second_secret).await.is_ok());

    let revoked = keys.revoke(&by, stolen.id, true).await.unwrap();
    let names: Vec<_> = revoked.created.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(names, ["second", "stolen"], "with the successor that the second one made");
    assert_eq!(revoked.created[1].id, third.id);
    for dead in [&second_secret, &third_secret] {
        assert!(is_dead(&h, dead).await);
    }
    for kept in [&own_secret, &of_own] {
        assert!(tried(&h, kept).await.is_ok(), "nobody revokes the own key, or what it made, by accident");
    }
    assert_eq!(own.created_by, Some(stolen.id));
}
