//! A node's hands, moved one step at a time: the lane, the sweep, claims and commits as in production, with faults
//! planted at named places.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use domain::{Clock, Id, JobHint, Timestamp, ids};
use engine::{ClaimedRun, CommitOutcome, StepResult};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::Value;
use services::Change;

use crate::faults::{planted::InStep, scenarios::Scenario, setup::Setup};

/// After which time without an effect a hint counts as lost.
const HINT_LOST_AFTER: Duration = Duration::from_secs(5);
/// Longer than a lease.
const LEASE_OVER: chrono::Duration = chrono::Duration::seconds(16);
/// More rounds than any scenario takes.
const ROUNDS: usize = 3_000;

/// One step of one scenario: the `turn`-th time that this state of this workflow is worked on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FaultPoint {
    pub workflow: &'static str,
    pub state: String,
    pub undoing: bool,
    pub turn: usize,
}

/// When a worker that lost its lease comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Late {
    /// It wants to commit before the one that has the lease now.
    Before,
    /// It wants to commit after it.
    After,
    /// It slept before its step, and does the whole step after the other has committed.
    Asleep,
}

/// When a signal arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// Before the step is claimed.
    Before,
    /// While it works.
    During,
    /// After it has committed.
    After,
}

/// What happens at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The step itself.
    InStep(InStep),
    /// The worker dies after its step, before the commit.
    Crash,
    /// The worker loses its lease, and somebody else does the step too.
    LoseLease(Late),
    /// The hint is lost that follows the commit.
    LostHint,
    /// Somebody asks the run to stop, before it is claimed or while the step works.
    Stop(When),
    /// A signal arrives, so often.
    Signal(&'static str, When, usize),
    /// People do what they will do anyway, and do not wait until nothing moves.
    Hurry(When),
}

/// What was worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub place: FaultPoint,
    /// How many requests there had been before it.
    pub requests: usize,
    /// Whether there was more to do at once.
    pub goes_on: bool,
}

/// See the module.
pub struct Worker<'a> {
    setup: &'a Setup,
    scenario: Scenario,
    plan: Vec<(FaultPoint, Fault)>,
    turns: BTreeMap<(&'static str, String, bool), usize>,
    waiting: VecDeque<JobHint>,
    /// Everything that was worked on, in its order.
    pub taken: Vec<Taken>,
    /// The signals that were waited for.
    pub awaited: BTreeSet<&'static str>,
    /// The faults that really struck.
    pub struck: usize,
    /// The hints that were lost of runs that were due.
    pub lost_hints: usize,
}

impl<'a> Worker<'a> {
    pub fn new(setup: &'a Setup, scenario: Scenario, plan: Vec<(FaultPoint, Fault)>) -> Self {
        let (turns, waiting, taken, awaited) =
            (BTreeMap::new(), VecDeque::new(), Vec::new(), BTreeSet::new());
        Self { setup, scenario, plan, turns, waiting, taken, awaited, struck: 0, lost_hints: 0 }
    }

    /// Works until nothing is left to do, nobody does anything more, and no timer is set.
    pub async fn work_through(&mut self) {
        let scenario = self.scenario;
        for _ in 0..ROUNDS {
            self.gather(None).await;
            if let Some(hint) = self.waiting.pop_front() {
                self.one(hint).await;
            } else if !scenario.react(self.setup).await && !self.sleep().await {
                return;
            }
        }
        panic!("{scenario:?} does not come to an end");
    }

    /// Hears of due runs: from the lane, of timers, and with `again` of hints that were lost.
    async fn gather(&mut self, again: Option<Duration>) {
        let services = &self.setup.services;
        let told = services.queue.hints.next(1_000, Duration::ZERO).await.unwrap();
        let due = self.setup.storage.sweep(again, 1_000).await.unwrap();
        self.waiting.extend(told.into_iter().chain(due));
    }

    /// Lets time pass until something is to do; `false` when nothing ever will be.
    async fn sleep(&mut self) -> bool {
        let engine = self.setup.services.store.engine_connection();
        let sql = "SELECT due_at, lease_until, offered_at FROM job";
        let statement = Statement::from_string(engine.get_database_backend(), sql);
        let rows = engine.query_all_raw(statement).await.unwrap();
        let lost_after = chrono::Duration::from_std(HINT_LOST_AFTER).unwrap();
        let next = rows.iter().map(|job| {
            let time = |column: &str| job.try_get::<Option<Timestamp>>("", column).unwrap();
            time("due_at").max(time("lease_until")).max(time("offered_at").map(|at| at + lost_after))
        });
        let Some(next) = next.min().flatten() else { return false };
        let wait = next - self.setup.clock.now();
        self.setup.clock.advance(wait.max(chrono::Duration::milliseconds(1)));
        self.gather(Some(HINT_LOST_AFTER)).await;
        true
    }

    async fn claim(&self, hint: &JobHint) -> Option<ClaimedRun> {
        self.setup.engine.claim(std::slice::from_ref(hint)).await.unwrap().pop()
    }

    /// Takes a run through its states for as long as there is something to do at once, as a worker does.
    async fn one(&mut self, hint: JobHint) {
        let Some(mut work) = self.claim(&hint).await else { return };
        while let Some(next) = self.step(&hint, work).await {
            work = next;
        }
    }

    /// Does one step with what is planted for it; returns the work that its claim was kept for.
    async fn step(&mut self, hint: &JobHint, mut work: ClaimedRun) -> Option<ClaimedRun> {
        let place = self.place(&work);
        let planted = self.plan.iter().position(|(at, _)| *at == place);
        self.taken.push(Taken { place, requests: self.setup.system.request_counts().0, goes_on: false });
        let Some(fault) = planted.map(|index| self.plan.swap_remove(index).1) else {
            let result = self.work(&work).await?;
            return self.commit(work, result).await;
        };
        self.struck += 1;
        match fault {
            Fault::InStep(fault) => {
                self.setup.armed.set(fault);
                let result = self.work(&work).await?;
                self.commit(work, result).await
            }
            Fault::Crash => {
                self.work(&work).await?;
                None
            }
            Fault::LoseLease(late) => self.lose_lease(hint, work, late).await,
            Fault::LostHint => {
                let result = self.work(&work).await?;
                self.lose_hint(hint, result).await;
                None
            }
            Fault::Stop(_) | Fault::Signal(..) | Fault::Hurry(_) => {
                let moment = fault.moment();
                if moment == When::Before {
                    self.put_down(&work).await;
                    self.meddle(&work, &fault).await;
                    work = self.claim(hint).await?;
                }
                let result = self.work(&work).await?;
                if moment == When::During {
                    self.meddle(&work, &fault).await;
                }
                let run = work.row.clone();
                let next = self.commit(work, result).await;
                if moment == When::After {
                    self.meddle_with(&run, &fault).await;
                }
                next
            }
        }
    }

    fn place(&mut self, work: &ClaimedRun) -> FaultPoint {
        let (workflow, state, undoing) = (work.table.name, work.state().to_owned(), work.is_undoing());
        let turn = self.turns.entry((workflow, state.clone(), undoing)).or_default();
        *turn += 1;
        FaultPoint { workflow, state, undoing, turn: *turn }
    }

    /// Does a step; `None` when the worker died of a request.
    async fn work(&self, work: &ClaimedRun) -> Option<StepResult<Change>> {
        tokio::select! {
            biased;
            result = self.setup.engine.execute_step(work) => Some(result),
            () = self.setup.system.wait_for_crash() => None,
        }
    }

    async fn commit(&mut self, mut work: ClaimedRun, mut result: StepResult<Change>) -> Option<ClaimedRun> {
        self.awaited.extend(result.transition.wait_signal);
        result.transition.keep = result.transition.is_due();
        if let Some(taken) = self.taken.last_mut() {
            taken.goes_on = result.transition.keep;
        }
        let committed = self.setup.engine.commit_and_keep_claims(vec![result]).await;
        let (StepResult { transition, .. }, fate) = committed.into_iter().next().unwrap();
        if self.is_gone(transition.run).await {
            return None;
        }
        assert_ne!(fate, CommitOutcome::TooLate, "a step was not written although its worker had the lease");
        if !transition.consumed.is_empty() {
            let left = self.setup.signals_of(transition.run).await;
            let is_left = transition.consumed.iter().any(|consumed| left.contains(consumed));
            assert!(!is_left, "a signal that was taken is still there");
        }
        (fate == CommitOutcome::Kept).then(|| {
            work.advance(transition);
            work
        })
    }

    /// Two workers do the same step; the one that has the lease commits and the other is refused.
    async fn lose_lease(&mut self, hint: &JobHint, stale: ClaimedRun, late: Late) -> Option<ClaimedRun> {
        let engine = &self.setup.engine;
        let done = if late == Late::Asleep { None } else { Some(self.work(&stale).await?) };
        self.setup.clock.advance(LEASE_OVER);
        if self.is_gone(stale.row.id).await {
            return None;
        }
        let fresh = self.claim(hint).await.expect("a run whose lease is over can be claimed");
        let result = self.work(&fresh).await?;
        let run = stale.row.id;
        let is_written = !self.is_gone(run).await;
        let too_late = async |result: StepResult<Change>| {
            assert_eq!(engine.commit(vec![result]).await, [(run, false)], "{late:?}");
        };
        match (late, done) {
            (Late::Before, Some(done)) => {
                too_late(done).await;
                return self.commit(fresh, result).await;
            }
            (_, Some(done)) => {
                assert_eq!(engine.commit(vec![result]).await, [(run, is_written)]);
                too_late(done).await;
            }
            (_, None) => {
                assert_eq!(engine.commit(vec![result]).await, [(run, is_written)]);
                let done = self.work(&stale).await?;
                too_late(done).await;
            }
        }
        None
    }

    /// Commits, and loses the hint: nobody hears of the run until the sweep looks for lost ones.
    async fn lose_hint(&mut self, hint: &JobHint, result: StepResult<Change>) {
        let run = result.transition.run;
        let is_gone = self.is_gone(run).await;
        let is_due = result.transition.is_due() && !is_gone;
        assert_eq!(self.setup.engine.commit(vec![result]).await, [(run, !is_gone)]);
        self.gather(None).await;
        let told = self.waiting.iter().any(|hint| hint.run == run);
        assert_eq!(told, is_due, "a due run is told of by its commit, and another one is not");
        self.waiting.retain(|hint| hint.run != run);
        self.lost_hints += usize::from(is_due);
        self.gather(None).await;
        assert!(!self.waiting.iter().any(|found| found.run == hint.run), "the hint is lost");
    }

    /// Whether a run was deleted by its own step, with its tenant.
    async fn is_gone(&self, run: Id<ids::Run>) -> bool {
        let tenant = self.setup.tenant;
        let txn = self.setup.services.store.read(tenant).await.unwrap();
        entity::run::by_id(tenant, run).one(&txn).await.unwrap().is_none()
    }

    async fn put_down(&self, work: &ClaimedRun) {
        self.setup.storage.release(&work.claimed).await.unwrap();
    }

    /// Somebody does something beside the worker.
    async fn meddle(&self, work: &ClaimedRun, fault: &Fault) {
        self.meddle_with(&work.row, fault).await;
    }

    async fn meddle_with(&self, run: &entity::run::Model, fault: &Fault) {
        match fault {
            Fault::Stop(_) if self.is_gone(run.id).await => {}
            Fault::Stop(_) => {
                let runs = self.setup.services.runs();
                runs.cancel(&self.setup.admin().allow().unwrap(), run.id).await.unwrap();
            }
            Fault::Signal(name, _, times) => {
                let payload = self.setup.payload(name).await;
                for _ in 0..*times {
                    signal(self.setup, run.id, name, &payload).await;
                }
            }
            _ => while self.scenario.react(self.setup).await {},
        }
    }
}

impl Fault {
    fn moment(&self) -> When {
        match self {
            Self::Stop(when) | Self::Signal(_, when, _) | Self::Hurry(when) => *when,
            _ => When::Before,
        }
    }
}

/// Sends a signal; `false` when the run is over.
pub async fn signal(setup: &Setup, run: Id<ids::Run>, name: &str, payload: &Value) -> bool {
    let mut tx = setup.services.begin(setup.tenant).await.unwrap();
    let reached = tx.signal(run, name, payload.clone()).await.unwrap();
    tx.commit().await.unwrap();
    reached
}
