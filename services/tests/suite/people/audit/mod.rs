//! The audit: what an entry says, chains under concurrency, pruning, export, and what becomes of tampering.

mod tampering;

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::Duration;
use domain::{Id, Permission, StandardRole, ids, state::Plan};
use entity::{audit, audit_chain};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, sea_query::Expr};
use serde_json::{Value, json};
use services::{
    PageArgs,
    audit::{
        AuditFilter, AuditKeyProvider, INSTALLATION_CHAIN, create_checkpoints,
        maintain::{self, ExportRange},
        verify::{self, ChainFault, SavedCheckpoints, Verdict},
        with_request_id,
    },
    keys::NewKey,
    users::UserChange,
};

use crate::people::harness::{Harness, person, refused};

on_both! {
    s5_3_an_act_is_recorded_with_who_what_and_by_which_request,
    what_staff_do_to_a_tenant_stands_in_both_chains,
    keys_and_signing_keys_are_recorded_without_what_is_secret_in_them,
    what_is_taken_back_is_not_recorded,
    transactions_at_the_same_time_leave_a_chain_without_gaps,
    an_export_is_verified_by_whoever_has_it,
    pruning_leaves_a_beginning_from_which_the_rest_is_verified,
    a_broken_chain_is_not_pruned_unless_it_is_said,
    a_chain_of_which_only_its_end_is_left_is_found,
    entries_of_an_earlier_version_are_given_a_place,
    a_node_does_not_seal_what_somebody_else_changed,
    the_log_is_read_page_by_page_and_by_what_is_asked_for,
}

/// The installation's sealer, as the operator's commands have it.
fn sealer(h: &Harness) -> AuditKeyProvider {
    AuditKeyProvider::new(h.vault.clone(), h.services.ids.clone())
}

/// What is found of every chain.
async fn verdicts(h: &Harness, file: &str) -> Vec<Verdict> {
    let owner = h.owner().await;
    let key = sealer(h).find(&owner).await.unwrap().unwrap();
    let kept = SavedCheckpoints::parse(file, &key);
    let mut found = Vec::new();
    for chain in verify::list_chains(&owner, &kept).await.unwrap() {
        found.push(verify::verify_chain(&owner, &key, chain, &kept).await.unwrap());
    }
    found
}

/// The chains that are broken, with what is wrong with them.
async fn broken(h: &Harness, file: &str) -> Vec<(Id<ids::Tenant>, ChainFault)> {
    let broken = verdicts(h, file).await.into_iter();
    broken.filter_map(|verdict| verdict.broken.map(|broken| (verdict.chain, broken))).collect()
}

/// The checkpoints of every chain, as a file.
async fn file(h: &Harness) -> String {
    let owner = h.owner().await;
    let key = sealer(h).find(&owner).await.unwrap().unwrap();
    let (made, broken) = create_checkpoints(&owner, &key, h.services.now()).await.unwrap();
    assert_eq!(broken, BTreeSet::new());
    made.iter().map(|checkpoint| checkpoint.to_json_line() + "\n").collect()
}

pub async fn entries(h: &Harness, chain: Id<ids::Tenant>) -> Vec<audit::Model> {
    let txn = h.services.store.read(chain).await.unwrap();
    audit::of(chain).order_by_asc(audit::Column::Seq).all(&txn).await.unwrap()
}

/// Records this number of acts in a chain, in one transaction.
async fn acts(h: &Harness, chain: Id<ids::Tenant>, many: usize) {
    let mut tx = h.services.begin(chain).await.unwrap();
    for number in 0..many {
        tx.audit("somebody", "thing.change", format!("thing_{number}"), json!({ "number": number }));
    }
    tx.commit().await.unwrap();
}

async fn s5_3_an_act_is_recorded_with_who_what_and_by_which_request(h: Harness) {
    let tenant = h.tenant("acme").await;
    let by = h.caller(tenant, StandardRole::Administrator).await;
    let user = h.services.users().create(&by.allow().unwrap(), person("ada")).await.unwrap();
    let change = UserChange { name: Some("Ada L.".to_owned()), ..UserChange::default() };
    let id = user.id;
    with_request_id("req_7", h.services.users().update(&by.allow().unwrap(), id, change, None))
        .await
        .unwrap();
    let entries = entries(&h, tenant).await;
    let last = entries.last().unwrap();
    assert_eq!(
        (last.actor.as_str(), last.action.as_str()),
        (by.allow_member().unwrap().actor().as_str(), "user.update")
    );
    assert_eq!((last.subject.clone(), last.request.as_deref()), (id.to_string(), Some("req_7")));
    let (old, new) = (json!({ "name": "ada" }), json!({ "name": "Ada L." }));
    assert_eq!(
        (last.old_value.clone(), last.new_value.clone()),
        (Some(old), Some(new)),
        "what changed and no more"
    );
    let places: Vec<_> = entries.iter().map(|entry| entry.seq.unwrap()).collect();
    assert_eq!(places, (1..=entries.len() as i64).collect::<Vec<_>>());
    let made = &entries[entries.len() - 2];
    assert_eq!((made.action.as_str(), &made.request, &made.old_value), ("user.create", &None, &None));
    assert_eq!(made.new_value.as_ref().unwrap()["email"], "ada@acme.example");
    assert_eq!(broken(&h, "").await, []);
}

async fn what_staff_do_to_a_tenant_stands_in_both_chains(h: Harness) {
    let tenant = h.plain_tenant("acme", Plan::Basic).await;
    with_request_id("req_1", h.services.tenants().set_plan(&h.staff, tenant, Plan::Plus)).await.unwrap();
    for chain in [tenant, INSTALLATION_CHAIN] {
        let entries = entries(&h, chain).await;
        let last = entries.last().unwrap();
        assert_eq!((last.action.as_str(), last.subject.clone()), ("tenant.plan", tenant.to_string()));
        assert_eq!((last.actor.clone(), last.request.as_deref()), (h.staff.actor(), Some("req_1")));
        let changed = (last.old_value.clone().unwrap(), last.new_value.clone().unwrap());
        assert_eq!(changed, (json!({ "plan": "BASIC" }), json!({ "plan": "PLUS" })));
    }
}

async fn keys_and_signing_keys_are_recorded_without_what_is_secret_in_them(h: Harness) {
    let keys = h.services.keys();
    let new = NewKey {
        name: "back end".to_owned(),
        permissions: [Permission::UserView].into(),
        tenant: None,
        expires_at: None,
    };
    let (made, first) = keys.create(&h.staff, new).await.unwrap();
    let (successor, second) = keys.rotate(&h.staff, made.id, Duration::hours(1)).await.unwrap();
    keys.revoke(&h.staff, successor.id, false).await.unwrap();
    keys.rotate_signing_key(&h.services).await.unwrap();
    let entries = entries(&h, INSTALLATION_CHAIN).await;
    let actions: Vec<_> = entries.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["key.create", "key.create", "key.rotate", "key.revoke", "signing_key.rotate"]);
    let actors: Vec<_> = entries.iter().map(|entry| entry.actor.clone()).collect();
    let staff = h.staff.actor();
    assert_eq!(actors, ["operator".to_owned(), staff.clone(), staff.clone(), staff, "operator".to_owned()]);
    assert!(entries[3].old_value.as_ref().unwrap()["revokedAt"].is_null(), "{:?}", entries[3]);
    let text = format!("{entries:?}");
    for secret in [&h.key, &first, &second] {
        assert!(!text.contains(&secret[..20]), "a key is recorded");
    }
}

async fn what_is_taken_back_is_not_recorded(h: Harness) {
    let tenant = h.tenant("acme").await;
    let before = entries(&h, tenant).await.len();
    let mut tx = h.services.begin(tenant).await.unwrap();
    tx.audit("somebody", "thing.change", "thing".to_owned(), json!({}));
    drop(tx);
    assert_eq!(entries(&h, tenant).await.len(), before);
    assert_eq!(broken(&h, "").await, []);
}

async fn transactions_at_the_same_time_leave_a_chain_without_gaps(h: Harness) {
    let (one, other) = (h.tenant("one").await, h.tenant("other").await);
    let before = entries(&h, INSTALLATION_CHAIN).await.len();
    let tasks = (0..40).map(|number| {
        let (services, staff) = (h.services.clone(), h.staff.clone());
        let tenant = if number % 2 == 0 { one } else { other };
        async move {
            let urls = vec![format!("https://acme.example/{number}")];
            services.tenants().update_return_urls(&staff, tenant, urls).await.unwrap();
        }
    });
    futures::future::join_all(tasks).await;
    assert_eq!(entries(&h, INSTALLATION_CHAIN).await.len(), before + 40);
    assert_eq!(broken(&h, "").await, []);
}

/// Verifies lines as a stranger would, with nothing but JSON and SHA-256; returns the places.
fn verified(lines: &[String]) -> Result<Vec<i64>, String> {
    let mut places = Vec::new();
    let mut last: Option<String> = None;
    for line in lines {
        let mut entry: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let hash = entry.as_object_mut().unwrap().remove("hash").unwrap();
        if last.as_ref().is_some_and(|last| entry["previous"] != json!(last)) {
            return Err(format!("{} does not follow", entry["seq"]));
        }
        let made = digest(&SHA256, entry.to_string().as_bytes());
        let made = made.as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        if hash != json!(made) {
            return Err(format!("{} was changed", entry["seq"]));
        }
        places.push(entry["seq"].as_i64().unwrap());
        last = Some(made);
    }
    Ok(places)
}

async fn exported(h: &Harness, chain: Id<ids::Tenant>, span: ExportRange) -> Vec<String> {
    let mut lines = Vec::new();
    let take = |line: &str| {
        lines.push(line.to_owned());
        Ok(())
    };
    maintain::export(&h.owner().await, chain, &span, take).await.unwrap().unwrap();
    lines
}

async fn an_export_is_verified_by_whoever_has_it(h: Harness) {
    let tenant = h.tenant("acme").await;
    let made = entries(&h, tenant).await.len() as i64;
    h.clock.advance(Duration::hours(1));
    let since = h.services.now();
    acts(&h, tenant, 3).await;
    h.clock.advance(Duration::hours(1));
    let until = h.services.now();
    acts(&h, tenant, 2).await;
    let mut lines = exported(&h, tenant, ExportRange::default()).await;
    assert_eq!(verified(&lines), Ok((1..=made + 5).collect()));
    let part = ExportRange { since: Some(since), until: Some(until) };
    let middle = exported(&h, tenant, part).await;
    assert_eq!(verified(&middle), Ok((made + 1..=made + 3).collect()));
    assert_eq!(middle[..], lines[made as usize..made as usize + 3], "a part says what the whole says");
    let late = ExportRange { since: Some(until + Duration::days(1)), until: None };
    assert_eq!(exported(&h, tenant, late).await, Vec::<String>::new());
    lines[1] = lines[1].replace("\"seq\":2", "\"seq\":3");
    assert_eq!(verified(&lines), Err("3 was changed".to_owned()));
    lines.remove(1);
    assert_eq!(verified(&lines), Err("3 does not follow".to_owned()));
}

async fn pruning_leaves_a_beginning_from_which_the_rest_is_verified(h: Harness) {
    let tenant = h.tenant("acme").await;
    acts(&h, tenant, 1_000).await;
    let earlier = file(&h).await;
    acts(&h, tenant, 100).await;
    // The second one is about the very last entry that will go.
    let kept = earlier + &file(&h).await;
    h.clock.advance(Duration::days(10));
    let before = h.services.now();
    acts(&h, tenant, 4).await;
    let there = entries(&h, tenant).await.len() as u64;
    let owner = h.owner().await;
    let now = h.services.now();
    let seals = sealer(&h);
    let pruning = maintain::prune(&owner, &seals, tenant, before, now, false);
    assert_eq!(with_request_id("cmd_1", pruning).await.unwrap(), there - 4, "more than one batch");
    let left = entries(&h, tenant).await;
    assert_eq!(left.len(), 5, "those that stay, and that it was pruned");
    let act = left.last().unwrap();
    assert_eq!((act.actor.as_str(), act.action.as_str()), ("operator", "audit.prune"));
    assert_eq!((act.request.as_deref(), &act.details["through"]), (Some("cmd_1"), &json!(there - 4)));
    assert_eq!(entries(&h, INSTALLATION_CHAIN).await.last().unwrap().action, "audit.prune");
    assert_eq!(broken(&h, &kept).await, [], "a checkpoint from before proves nothing and breaks nothing");
    let found = verdicts(&h, &kept).await;
    let verdict = found.iter().find(|verdict| verdict.chain == tenant).unwrap();
    assert_eq!((verdict.pruned, verdict.entries), (1, 5));
    assert_eq!(verified(&exported(&h, tenant, ExportRange::default()).await).unwrap().len(), 5);
    let again = maintain::prune(&owner, &sealer(&h), tenant, before, now, false).await.unwrap();
    assert_eq!((again, entries(&h, tenant).await.len()), (0, 5), "nothing is old, so nothing is recorded");
    h.clock.advance(Duration::seconds(1));
    let all = maintain::prune(&owner, &sealer(&h), tenant, h.services.now(), h.services.now(), false).await;
    assert_eq!((all.unwrap(), entries(&h, tenant).await.len()), (5, 1), "that it was erased is left");
    acts(&h, tenant, 1).await;
    assert_eq!(broken(&h, "").await, []);
}

async fn a_broken_chain_is_not_pruned_unless_it_is_said(h: Harness) {
    let tenant = h.tenant("acme").await;
    acts(&h, tenant, 20).await;
    h.clock.advance(Duration::days(10));
    let (owner, now) = (h.owner().await, h.services.now());
    let change = audit::update(tenant).filter(audit::Column::Seq.eq(7));
    change.col_expr(audit::Column::Actor, Expr::value("nobody")).exec(&owner).await.unwrap();
    let there = entries(&h, tenant).await;
    let pruned = maintain::prune(&owner, &sealer(&h), tenant, now, now, false).await;
    assert_eq!(refused(pruned), "AUDIT_BROKEN");
    assert_eq!(entries(&h, tenant).await, there, "nothing was removed or recorded");
    maintain::prune(&owner, &sealer(&h), tenant, now, now, true).await.unwrap();
    assert_eq!(entries(&h, tenant).await[0].details["evenIfBroken"], json!(true));
    assert_eq!(broken(&h, "").await, []);
}

async fn a_chain_of_which_only_its_end_is_left_is_found(h: Harness) {
    // The chain of a tenant that is gone: only its own rows say that there was one.
    let chain = h.services.ids.make();
    acts(&h, chain, 3).await;
    audit::delete(chain).exec(&h.owner().await).await.unwrap();
    assert_eq!(broken(&h, "").await, [(chain, ChainFault::Missing(1))]);
}

async fn entries_of_an_earlier_version_are_given_a_place(h: Harness) {
    let tenant = h.tenant("acme").await;
    let bare = h.services.ids.make();
    let old = |chain: Id<ids::Tenant>| {
        audit::ActiveModel::from(audit::Model {
            id: h.services.ids.make(),
            tenant_id: chain,
            actor: "old".to_owned(),
            action: "thing.change".to_owned(),
            subject: "thing".to_owned(),
            details: json!({ "b": 1, "a": [null] }),
            at: h.services.now(),
            request: None,
            old_value: None,
            new_value: None,
            seq: None,
            hash: None,
        })
    };
    let owner = h.owner().await;
    audit::Entity::insert_many([old(tenant), old(tenant), old(bare)]).exec(&owner).await.unwrap();
    assert_eq!(broken(&h, "").await, [(tenant, ChainFault::Outside(2)), (bare, ChainFault::Gone)]);
    assert_eq!(maintain::append_unnumbered(&owner, &sealer(&h), h.services.now()).await.unwrap(), 3);
    assert_eq!(broken(&h, "").await, []);
    for (chain, many) in [(tenant, 2), (bare, 1)] {
        let entries = entries(&h, chain).await;
        let last = entries.last().unwrap();
        assert_eq!((last.action.as_str(), &last.details), ("audit.adopt", &json!({ "entries": many })));
        assert_eq!(entries[entries.len() - 2].actor, "old");
    }
    assert_eq!(maintain::append_unnumbered(&owner, &sealer(&h), h.services.now()).await.unwrap(), 0, "once");
    let acts =
        audit::all_tenants().filter(audit::Column::Action.eq("audit.adopt")).count(&owner).await.unwrap();
    assert_eq!(acts, 4, "of either chain there and at the installation");
}

async fn a_node_does_not_seal_what_somebody_else_changed(h: Harness) {
    let tenant = h.tenant("acme").await;
    acts(&h, tenant, 3).await;
    let owner = h.owner().await;
    // The last entry is removed, and the end moved back by somebody without the key.
    let entries = entries(&h, tenant).await;
    let (last, before) = (entries.last().unwrap(), &entries[entries.len() - 2]);
    audit::delete(tenant).filter(audit::Column::Id.eq(last.id)).exec(&owner).await.unwrap();
    audit_chain::update(tenant)
        .col_expr(audit_chain::Column::Seq, Expr::value(before.seq))
        .col_expr(audit_chain::Column::Hash, Expr::value(before.hash.clone()))
        .exec(&owner)
        .await
        .unwrap();
    acts(&h, tenant, 2).await;
    assert_eq!(broken(&h, "").await, [(tenant, ChainFault::Seal)], "the acts go on, and the break stays");
}

async fn the_log_is_read_page_by_page_and_by_what_is_asked_for(h: Harness) {
    let tenant = h.tenant("acme").await;
    let other = h.tenant("other").await;
    let by = h.vendor(tenant).await;
    let made = entries(&h, tenant).await.len();
    acts(&h, tenant, 5).await;
    acts(&h, other, 5).await;
    let log = h.services.audit();
    let read = async |filter: AuditFilter, args: PageArgs| {
        let page = log.list(&by.allow().unwrap(), filter, args).await.unwrap();
        let places: Vec<_> = page.items.iter().map(|row| row.seq.unwrap() - made as i64).collect();
        (places, page.has_next, page.items.last().map(services::audit::cursor))
    };
    let things = || AuditFilter { action: Some("thing.change".to_owned()), ..AuditFilter::default() };
    let (first, more, cursor) = read(things(), PageArgs { first: Some(2), ..PageArgs::default() }).await;
    assert_eq!((first, more), (vec![1, 2], true));
    let rest = PageArgs { after: cursor, ..PageArgs::default() };
    assert_eq!(read(things(), rest).await.0, [3, 4, 5]);
    let last = PageArgs { last: Some(1), ..PageArgs::default() };
    assert_eq!(read(AuditFilter::default(), last).await.0, [5]);
    let subject = AuditFilter { subject: Some("thing_3".to_owned()), ..AuditFilter::default() };
    assert_eq!(read(subject, PageArgs::default()).await.0, [4]);
    let actor = AuditFilter { actor: Some("nobody".to_owned()), ..AuditFilter::default() };
    assert_eq!(read(actor, PageArgs::default()).await.0, Vec::<i64>::new());
    let now = h.services.now();
    let later = AuditFilter { since: Some(now + Duration::seconds(1)), ..things() };
    assert_eq!(read(later, PageArgs::default()).await.0, Vec::<i64>::new());
    let earlier = AuditFilter { until: Some(now), ..things() };
    assert_eq!(read(earlier, PageArgs::default()).await.0, Vec::<i64>::new());
    let own = log.list_installation(&h.staff, things(), PageArgs::default()).await.unwrap();
    assert_eq!(own.items, [], "a tenant's acts are not the installation's");
    let foreign = PageArgs { after: Some(tenant.uuid()), ..PageArgs::default() };
    assert_eq!(refused(log.list(&by.allow().unwrap(), things(), foreign).await), "CURSOR_MALFORMED");
}
