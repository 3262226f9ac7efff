//! T23: chains that somebody with the whole database, and without the master key, has tampered with.
//!
//! Each chain is tampered with in one of the ways of [`WAYS`], at a place drawn from a seed that is printed. Then all
//! are verified at once: every one must be found, at its first broken place, and none of the others.
//! `scripts/audit` runs the same with a million entries.

mod ways;

use std::{collections::BTreeMap, sync::Arc};

use domain::{Id, Ids, SystemClock, ids};
use entity::{audit, audit_chain};
use sea_orm::{ConnectionTrait, DatabaseConnection, PaginatorTrait, TransactionTrait};
use serde_json::{Value, json};
use services::audit::verify::ChainFault;

use self::ways::{Target, WAYS, tamper};
use super::{Harness, acts, broken, file};

on_both! {
    t23_every_way_of_tampering_is_found_at_its_place,
    t23_checkpoints_that_were_changed_are_found,
}

fn size(name: &str, small: i64) -> i64 {
    testing::number_from_env(name).map_or(small, u64::cast_signed)
}

/// Writes the given number of entries with every member set; returns the chain's end at half of them.
async fn fill(
    h: &Harness,
    owner: &DatabaseConnection,
    chain: Id<ids::Tenant>,
    entries: i64,
) -> audit_chain::Model {
    let mut half = None;
    for many in [entries / 2, entries - entries / 2] {
        services::audit::with_request_id("req_1", async {
            let mut tx = h.services.begin(chain).await.unwrap();
            for number in 0..many {
                let facts =
                    services::audit::AuditFacts::for_change(json!({ "a": number }), json!({ "a": "b" }));
                let facts = facts.with_details(json!({ "number": number }));
                tx.audit("somebody", "thing.change", format!("thing_{number}"), facts);
            }
            tx.commit().await.unwrap();
        })
        .await;
        half = half.or(audit_chain::of(chain).one(owner).await.unwrap());
    }
    half.unwrap()
}

async fn t23_every_way_of_tampering_is_found_at_its_place(h: Harness) {
    let seed = size("MUSTER_TEST_AUDIT_SEED", h.services.ids.random_below(1 << 32) as i64);
    let chains = size("MUSTER_TEST_AUDIT_CHAINS", 2 * WAYS.len() as i64);
    let entries = size("MUSTER_TEST_AUDIT_ENTRIES", 24);
    println!("seed {seed}: {chains} chains of {entries} entries");
    let chance = Ids::seeded(Arc::new(SystemClock), seed.cast_unsigned());
    let owner = h.owner().await;
    let mut targets = Vec::new();
    let mut others = Vec::new();
    for number in 0..chains {
        let (chain, other) = (h.services.ids.make(), h.services.ids.make());
        let half = fill(&h, &owner, chain, entries).await;
        if WAYS[number as usize % WAYS.len()] == "moved away" || others.is_empty() {
            fill(&h, &owner, other, 24).await;
            others.push(other);
        }
        let place = 2 + chance.random_below(entries.cast_unsigned() - 2) as i64;
        let place = Ord::min(place, entries - 2);
        targets.push(Target { chain, entries, place, half, other: *others.last().unwrap(), other_end: 24 });
    }
    let kept = file(&h).await;
    let there = audit::all_tenants().count(&owner).await.unwrap();
    let began = std::time::Instant::now();
    assert_eq!(broken(&h, &kept).await, [], "before anybody tampers nothing is broken");
    println!("{there} entries are verified in {:?}", began.elapsed());
    let (mut alone, mut wanted) = (BTreeMap::new(), BTreeMap::new());
    for (number, target) in targets.iter().enumerate() {
        let way = WAYS[number % WAYS.len()];
        let found = tamper(&h, &owner, way, target).await;
        alone.extend(found.alone.map(|broken| (target.chain, (way, broken))));
        wanted.insert(target.chain, (way, found.kept));
        for wanted in [&mut alone, &mut wanted] {
            wanted.extend(found.other.clone().map(|there| (target.other, ("moved here", there))));
        }
    }
    for (file, wanted) in [("", &alone), (&kept, &wanted)] {
        let began = std::time::Instant::now();
        let mut found: BTreeMap<Id<ids::Tenant>, ChainFault> = broken(&h, file).await.into_iter().collect();
        let took = began.elapsed();
        for (chain, (way, wanted)) in wanted {
            assert_eq!(found.remove(chain).as_ref(), Some(wanted), "{way}");
        }
        assert_eq!(found, BTreeMap::new(), "what nobody touched is not broken");
        let with = if file.is_empty() { "without" } else { "with" };
        println!("{} broken chains are found {with} checkpoints in {took:?}", wanted.len());
    }
    assert_eq!(
        wanted.keys().filter(|chain| targets.iter().any(|target| target.chain == **chain)).count(),
        targets.len()
    );
}

async fn t23_checkpoints_that_were_changed_are_found(h: Harness) {
    use services::audit::verify::SavedCheckpoints;
    let chain = h.tenant("acme").await;
    acts(&h, chain, 3).await;
    let file = file(&h).await;
    let owner = h.owner().await;
    let key = super::sealer(&h).find(&owner).await.unwrap().unwrap();
    assert_eq!(SavedCheckpoints::parse(&file, &key).forged, Vec::<usize>::new());
    let line: Value = serde_json::from_str(file.lines().next().unwrap()).unwrap();
    let other: Value = serde_json::from_str(file.lines().nth(1).unwrap()).unwrap();
    for (member, value) in [
        ("seq", json!(1)),
        ("hash", other["hash"].clone()),
        ("chain", other["chain"].clone()),
        ("at", json!("2026-01-01T00:00:00Z")),
        ("key", json!("AAAA")),
        ("signature", other["signature"].clone()),
        ("v", json!(2)),
    ] {
        let mut changed = line.clone();
        changed[member] = value;
        assert_eq!(SavedCheckpoints::parse(&format!("\n{changed}\n"), &key).forged, [2], "{member}");
    }
    // A checkpoint of another installation, whose key is another.
    let txn = owner.begin().await.unwrap();
    txn.execute_unprepared("DELETE FROM audit_key").await.unwrap();
    txn.commit().await.unwrap();
    let fresh = super::sealer(&h);
    assert!(fresh.find(&owner).await.unwrap().is_none());
    assert_eq!(SavedCheckpoints::parse("no checkpoint at all", &key).forged, [1]);
}
