//! Confused deputy (T17): provider redirects that mix parts of several connection attempts.
//!
//! Three attempts wait for the provider's redirect: the first, one by a colleague of the same tenant in another
//! browser, and one by a person of another tenant. A variant is the redirect of one attempt whose cookie, state, code
//! or organisation belongs to another attempt, is missing, was used before or is made up. Other variants repeat a
//! parameter or use the path of another step. The module generates all combinations; the suite draws some of them
//! with a seed, and `scripts/attacks` tries all. Muster may accept only the combination whose parts belong to one
//! attempt, which is tried at intervals as the control; no other combination may bind anything.

mod flows;
mod stage;
mod variant;

use std::collections::BTreeMap;

use domain::Ids;

use self::{
    flows::Flow,
    stage::Stage,
    variant::{Variant, all},
};
use crate::harness::TestApp;

both!(t17_no_answer_that_is_mixed_from_several_attempts_binds_anything);

/// Number of variants drawn for each flow; at full size, all variants are tried.
const DRAWN: usize = 15;
/// Number of variants tried before each control.
const BETWEEN: usize = 100;

fn drawn(mut variants: Vec<Variant>, random: &Ids) -> Vec<Variant> {
    if std::env::var_os("MUSTER_TEST_ATTACKS_FULL").is_some() {
        return variants;
    }
    let mut drawn = Vec::new();
    while drawn.len() < DRAWN {
        let index = usize::try_from(random.random_below(variants.len() as u64)).unwrap();
        drawn.push(variants.swap_remove(index));
    }
    drawn
}

fn seed() -> u64 {
    std::env::var("MUSTER_TEST_ATTACKS_SEED").map_or(17, |text| text.parse().expect("a number"))
}

async fn t17_no_answer_that_is_mixed_from_several_attempts_binds_anything(app: TestApp) {
    let random = Ids::seeded(std::sync::Arc::new(app.clock.clone()), seed());
    let stage = Box::pin(Stage::new(app)).await;
    let mut tried = 0;
    for flow in [Flow::SignIn, Flow::Consent, Flow::Own, Flow::OwnAtGoogle] {
        let mut cast = stage.cast(flow).await;
        let mut codes = BTreeMap::<String, usize>::new();
        for (index, variant) in drawn(all(flow), &random).into_iter().enumerate() {
            let before = stage.bound().await;
            let answer = stage.send(&mut cast, variant).await;
            assert_ne!(answer, "accepted", "{flow:?}: {variant:?}, seed {}", seed());
            assert_eq!(stage.bound().await, before, "{flow:?}: {variant:?}, seed {}", seed());
            *codes.entry(answer).or_default() += 1;
            tried += 1;
            if index % BETWEEN == BETWEEN - 1 {
                stage.control(flow, &mut cast).await;
            }
        }
        let before = stage.bound().await;
        stage.app.run_jobs().await;
        assert_eq!(stage.bound().await, before, "{flow:?}: no job binds anything afterwards");
        stage.control(flow, &mut cast).await;
        println!("{flow:?}: {codes:?}");
        assert!(codes.len() >= 3, "{flow:?}: at least three refusal codes occur: {codes:?}");
        assert!(!codes.contains_key("no code"), "{flow:?}: every refusal has a code: {codes:?}");
    }
    println!("{tried} variants");
    assert!(tried >= 4 * DRAWN, "{tried} variants");
    stage.app.abandon().await;
}
