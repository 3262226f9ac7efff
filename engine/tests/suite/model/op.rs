//! What can happen, and how likely it is.

use proptest::{prelude::*, strategy::Union};

use super::{
    reference::{Model, Stored, WORKERS, WorkerState},
    toy::{Plan, Turn},
};

/// One thing that happens. Every number is taken modulo what there is, so that each is always possible.
#[derive(Debug, Clone)]
pub enum Op {
    /// Somebody orders a run; a few keys, so that some are live already.
    Order { key: u8, plan: Plan },
    /// Due jobs are offered to the lane; those that were offered already only after this many seconds, or not at all.
    Sweep { again_s: Option<u8> },
    /// The lane forgets everything.
    LoseHints,
    /// The lane says everything twice.
    DoubleHints,
    /// A worker takes hints from the lane and claims.
    Take { worker: usize, many: usize },
    /// A worker claims by a hint that nobody gave.
    Guess { worker: usize, run: usize },
    /// A node that does not know the workflow claims.
    Stranger { run: usize },
    /// A worker does a step that it has claimed; the result waits for its committer. Twice: as one does whose commit
    /// was written and not answered, and goes again.
    Work { worker: usize, which: usize, twice: bool },
    /// A worker commits some of its results, in this order, as one batch; it would keep its claims, or not.
    Commit { worker: usize, many: usize, turned: bool, keep: bool },
    /// A worker forgets a claim or a result: it died over it.
    Crash { worker: usize, which: usize },
    /// A worker dies with all that it holds.
    Die { worker: usize },
    /// A worker renews its claims.
    Beat { worker: usize },
    /// Time passes; or the clock is set back.
    Advance { by_s: i64 },
    /// The clock moves to the moment at which the next job is due, or to one second before.
    ToNextDue { early: bool },
    /// Somebody sends a signal.
    Signal { run: usize, name: &'static str },
    /// Somebody asks a run to stop.
    Cancel { run: usize },
    /// Somebody retries a run.
    Retry { run: usize },
    /// A worker does all that is due, once: it sweeps, claims, works and commits; it keeps its claims, or not.
    Round { worker: usize, keep: bool },
    /// All goes well for a while: the worker does a few rounds, each when something is due.
    Calm { worker: usize, rounds: u8 },
    /// A run's lease runs out until the run is parked: its workers died, or were only too slow and still hold it.
    Poison { worker: usize, run: usize, dies: bool },
    /// A run is parked while a worker holds its old claims, is retried, and comes to the same worker again.
    Haunt { worker: usize, run: usize },
}

fn plan() -> impl Strategy<Value = Plan> {
    let turn = prop_oneof![
        6 => Just(Turn::Good),
        1 => Just(Turn::FailsAtOnce),
        1 => Just(Turn::Fails),
        1 => Just(Turn::Retries),
        1 => Just(Turn::Unnamed),
        1 => Just(Turn::Astray),
    ];
    let wait = prop::sample::select(vec![1, 30, 3_600, 86_400, 90 * 86_400]);
    let stumbles = prop_oneof![6 => Just(0u32), 2 => 1u32..3, 1 => Just(9)];
    let undo_stumbles = prop_oneof![3 => Just(0u32), 1 => Just(1)];
    (0u8..3, wait, stumbles, undo_stumbles, turn, prop::bool::weighted(0.1)).prop_map(
        |(laps, wait_s, stumbles, undo_stumbles, turn, stuck)| Plan {
            laps,
            wait_s,
            stumbles,
            undo_stumbles,
            turn,
            stuck,
        },
    )
}

/// Something that can happen, rather where there is something to happen to.
pub fn some_op(model: &Model) -> BoxedStrategy<Op> {
    let (worker, run) = (|| 0..WORKERS, || 0..model.runs.len().max(1));
    let who = |fits: &dyn Fn(&WorkerState) -> bool| {
        let busy: Vec<usize> = (0..WORKERS).filter(|worker| fits(&model.worker_states[*worker])).collect();
        prop::sample::select(if busy.is_empty() { vec![0] } else { busy })
    };
    let (claims, results) = (
        who(&|worker_states| !worker_states.claims.is_empty()),
        who(&|worker_states| !worker_states.results.is_empty()),
    );
    let which = |fits: &dyn Fn(&Stored) -> bool| {
        let runs = (0..model.runs.len()).filter(|run| fits(&model.runs[*run].stored));
        prop::sample::select(runs.chain([0]).collect::<Vec<_>>())
    };
    let failed = which(&|stored| stored.status == "FAILED");
    let has_failed = model.runs.iter().any(|run| run.stored.status == "FAILED");
    let (parked, over) = (which(&Stored::is_retryable), which(&Stored::is_over));
    let waiting: Vec<_> =
        model.runs.iter().enumerate().map(|(run, of)| (run, of.stored.wait_signal())).collect();
    let waiting = prop::sample::select(if waiting.is_empty() { vec![(0, "bell")] } else { waiting });
    let twins = (0..WORKERS).flat_map(|worker| {
        let runs = model.worker_states[worker].runs().into_iter();
        runs.filter(|run| model.runs[*run].stored.is_claimable(model.now)).map(move |run| (worker, run))
    });
    let twins: Vec<(usize, usize)> = twins.collect();
    let (has_parked, has_twins) = (model.runs.iter().any(|run| run.stored.is_retryable()), !twins.is_empty());
    let twins = prop::sample::select(if has_twins { twins } else { vec![(0, 0)] });
    let name = prop::sample::select(vec!["bell", "go", "wrong"]);
    let by = prop::sample::select(vec![1, 5, 16, 16, 16, 60, 3_600, 86_400, 100 * 86_400, -3_600, -3_600]);
    Union::new_weighted(vec![
        (5, (0u8..5, plan()).prop_map(|(key, plan)| Op::Order { key, plan }).boxed()),
        (
            5,
            prop::sample::select(vec![None, Some(0u8), Some(5)])
                .prop_map(|again_s| Op::Sweep { again_s })
                .boxed(),
        ),
        (1, Just(Op::LoseHints).boxed()),
        (1, Just(Op::DoubleHints).boxed()),
        (8, (worker(), 1usize..4).prop_map(|(worker, many)| Op::Take { worker, many }).boxed()),
        (3, (worker(), run()).prop_map(|(worker, run)| Op::Guess { worker, run }).boxed()),
        (if has_twins { 8 } else { 1 }, twins.prop_map(|(worker, run)| Op::Guess { worker, run }).boxed()),
        (1, run().prop_map(|run| Op::Stranger { run }).boxed()),
        (8, work(claims).boxed()),
        (8, commit(results).boxed()),
        (2, (worker(), 0usize..4).prop_map(|(worker, which)| Op::Crash { worker, which }).boxed()),
        (1, worker().prop_map(|worker| Op::Die { worker }).boxed()),
        (2, worker().prop_map(|worker| Op::Beat { worker }).boxed()),
        (6, by.prop_map(|by_s| Op::Advance { by_s }).boxed()),
        (3, any::<bool>().prop_map(|early| Op::ToNextDue { early }).boxed()),
        (6, waiting.prop_map(|(run, name)| Op::Signal { run, name }).boxed()),
        (2, (run(), name).prop_map(|(run, name)| Op::Signal { run, name }).boxed()),
        (1, over.prop_map(|run| Op::Signal { run, name: "bell" }).boxed()),
        (2, run().prop_map(|run| Op::Cancel { run }).boxed()),
        (if has_failed { 8 } else { 1 }, failed.prop_map(|run| Op::Retry { run }).boxed()),
        (if has_parked { 6 } else { 1 }, parked.prop_map(|run| Op::Retry { run }).boxed()),
        (3, (worker(), any::<bool>()).prop_map(|(worker, keep)| Op::Round { worker, keep }).boxed()),
        (4, (worker(), 2u8..9).prop_map(|(worker, rounds)| Op::Calm { worker, rounds }).boxed()),
        (2, (worker(), run()).prop_map(|(worker, run)| Op::Haunt { worker, run }).boxed()),
        (
            2,
            (worker(), run(), any::<bool>())
                .prop_map(|(worker, run, dies)| Op::Poison { worker, run, dies })
                .boxed(),
        ),
    ])
    .boxed()
}

fn work(worker: impl Strategy<Value = usize>) -> impl Strategy<Value = Op> {
    (worker, 0usize..4, prop::bool::weighted(0.1)).prop_map(|(worker, which, twice)| Op::Work {
        worker,
        which,
        twice,
    })
}

fn commit(worker: impl Strategy<Value = usize>) -> impl Strategy<Value = Op> {
    (worker, 1usize..5, any::<bool>(), any::<bool>()).prop_map(|(worker, many, turned, keep)| Op::Commit {
        worker,
        many,
        turned,
        keep,
    })
}
