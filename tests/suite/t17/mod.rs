//! The confused deputy (T17): answers of a provider that are mixed from several attempts to connect.
//!
//! Three attempts stand before the provider's answer: one, a colleague's of the same tenant in another browser, and a
//! stranger's of another tenant. A variant is the answer of one of them with the cookie, the state, the code or the
//! organisation of another, none, a used one or a made-up one, with parameters twice, at the path of another step. All
//! combinations are made up; the suite draws some of them by a seed, `scripts/attacks` takes all. Nothing may be
//! accepted and nothing bound but by the one combination that belongs together, which is tried in between as the
//! control.

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

/// How many variants of each flow are drawn; all at full size.
const DRAWN: usize = 15;
/// How many are tried between two controls.
const BETWEEN: usize = 100;

fn drawn(mut variants: Vec<Variant>, random: &Ids) -> Vec<Variant> {
    if std::env::var_os("MUSTER_TEST_ATTACKS_FULL").is_some() {
        return variants;
    }
    let mut drawn = Vec::new();
    while drawn.len() < DRAWN {
        let index = usize::try_from(random.below(variants.len() as u64)).unwrap();
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
        assert_eq!(stage.bound().await, before, "{flow:?}: nor later, by what was begun");
        stage.control(flow, &mut cast).await;
        println!("{flow:?}: {codes:?}");
        assert!(codes.len() >= 3, "{flow:?} is refused for several reasons: {codes:?}");
        assert!(!codes.contains_key("no code"), "{flow:?}: every refusal has a code: {codes:?}");
    }
    println!("{tried} variants");
    assert!(tried >= 4 * DRAWN, "{tried} variants");
    stage.app.abandon().await;
}
