//! Walking a scenario with everything that can go wrong, and what is asked of each walk.

use std::{collections::BTreeSet, fmt::Write};

use engine::{Retry, Row};
use futures::{StreamExt, stream};
use providers::memory::RequestFault;

use crate::faults::{
    judge::Left,
    planted::{Armed, InStep, flows},
    scenarios::Scenario,
    setup::{Setup, Template},
    worker::{Fault, FaultPoint, Late, Taken, When, Worker, signal},
};

/// How many setups are walked at the same time: most of a walk is waiting for a disk.
const AT_ONCE: usize = 6;
/// The events of other people in every setup.
const HUMANS: usize = 2;

/// What goes wrong in one walk.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// At steps.
    pub faults: Vec<(FaultPoint, Fault)>,
    /// At a request.
    pub cut: Option<(usize, RequestFault)>,
    /// The calendar system does not know a repeated effect key again.
    pub forgetful: bool,
}

/// How a walk ended.
pub struct Walked {
    pub plan: Plan,
    pub taken: Vec<Taken>,
    pub awaited: BTreeSet<&'static str>,
    pub left: Left,
    pub text: String,
    /// What does not hold.
    pub wrongs: Vec<String>,
    requests: usize,
    lost_hints: usize,
}

/// A scenario, with the template of its setup.
pub struct Walks {
    scenario: Scenario,
    template: Template,
    plain: Walked,
    /// Every how many of the plans are walked.
    every: usize,
    report: String,
    count: usize,
}

/// Walks once.
pub async fn walk(scenario: Scenario, setup: &Setup, plan: Plan) -> Walked {
    if plan.forgetful {
        setup.system.ignore_effect_keys();
    }
    scenario.begin(setup).await;
    if let Some((n, cut)) = plan.cut {
        setup.system.inject_fault(n, cut);
    }
    let mut worker = Worker::new(setup, scenario, plan.faults.clone());
    worker.work_through().await;
    let left = Left::by(setup).await;
    let mut wrongs = left.wrongs(&setup.engine, HUMANS);
    let (requests, cuts) = setup.system.request_counts();
    let planted = plan.faults.len() + usize::from(plan.cut.is_some());
    if worker.struck + cuts != planted {
        wrongs.push(format!("{} of {planted} faults struck", worker.struck + cuts));
    }
    let (taken, awaited, lost_hints) = (worker.taken, worker.awaited, worker.lost_hints);
    Walked { plan, taken, awaited, text: left.text(), left, wrongs, requests, lost_hints }
}

impl Walks {
    /// Creates the setup, and walks without a fault.
    pub async fn new(scenario: Scenario, template: Template, every: usize) -> Self {
        let setup = template.open().await;
        let plain = walk(scenario, &setup, Plan::default()).await;
        setup.close().await;
        assert_eq!(plain.wrongs, Vec::<String>::new(), "without any fault:\n{}", plain.text);
        Self { scenario, template, plain, every, report: String::new(), count: 0 }
    }

    /// The run is over: no signal reaches it, and nothing follows.
    pub async fn signals_to_finished_runs(&mut self, names: &[&'static str]) {
        let setup = self.template.open().await;
        let before = walk(self.scenario, &setup, Plan::default()).await;
        for (run, name) in before.left.runs().flat_map(|run| names.iter().map(move |name| (run, name))) {
            assert!(
                !signal(&setup, run, name, &serde_json::Value::Null).await,
                "{name} reached a finished run"
            );
        }
        let mut worker = Worker::new(&setup, self.scenario, Vec::new());
        worker.work_through().await;
        assert_eq!((worker.taken.len(), Left::by(&setup).await.text()), (0, before.text));
        setup.close().await;
        self.count += 1;
    }

    /// Says how it was.
    pub async fn end(self) {
        println!("{:?}: {} walks", self.scenario, self.count);
        assert!(self.count > 0, "nothing was walked");
        assert!(self.report.is_empty(), "{:?} in {} walks:\n{}", self.scenario, self.count, self.report);
    }

    async fn all(&self, plans: Vec<Plan>) -> Vec<Walked> {
        let one = |plan| async {
            let setup = self.template.open().await;
            let walked = walk(self.scenario, &setup, plan).await;
            setup.close().await;
            walked
        };
        stream::iter(plans.into_iter().step_by(self.every)).map(one).buffered(AT_ONCE).collect().await
    }

    /// Places to plant faults at: of each state the first and the last time that it is worked on.
    fn places(&self) -> BTreeSet<FaultPoint> {
        let taken = &self.plain.taken;
        let is_later = |at: &FaultPoint, other: &FaultPoint| {
            (at.workflow, &at.state, at.undoing) == (other.workflow, &other.state, other.undoing)
                && at.turn < other.turn
        };
        let is_last = |at: &FaultPoint| !taken.iter().any(|other| is_later(at, &other.place));
        let places = taken.iter().map(|taken| &taken.place).filter(|at| at.turn == 1 || is_last(at));
        places.filter(|at| self.scenario.is_about(at) && !is_idle(at)).cloned().collect()
    }

    fn judge(&mut self, wanted: Option<&str>, walked: &Walked) {
        self.count += 1;
        let lines = wanted.map(|wanted| difference(wanted, &walked.text)).unwrap_or_default();
        if !walked.wrongs.is_empty() || !lines.is_empty() {
            writeln!(self.report, "{}\n  {:?}\n{lines}", shown(&walked.plan), walked.wrongs).unwrap();
        }
    }

    /// Faults at steps that must not show in the end.
    pub async fn passing_faults(&mut self) {
        let places = self.places();
        let passing = |(n, at)| passing(n, at).into_iter().map(move |fault| one(at, fault));
        let plans = places.iter().enumerate().flat_map(passing);
        let wanted = self.plain.text.clone();
        for mut walked in self.all(plans.collect()).await {
            let (at, fault) = &walked.plan.faults[0];
            let goes_on = self.plain.taken.iter().any(|taken| taken.place == *at && taken.goes_on);
            if *fault == Fault::LostHint && walked.lost_hints != usize::from(goes_on) {
                walked.wrongs.push("no hint was lost, or one that nobody needed".to_owned());
            }
            self.judge(Some(&wanted), &walked);
        }
    }

    /// A calendar system that does not know a repeated effect key again: whoever repeats has looked first.
    pub async fn forgotten_keys(&mut self) {
        let places: Vec<_> = self.places().into_iter().filter(|at| at.workflow == "write_booking").collect();
        let faults = [Fault::InStep(InStep::RetryAfter), Fault::Crash, Fault::LoseLease(Late::Before)];
        let steps = places.iter().flat_map(|at| faults.clone().map(|fault| one(at, fault)));
        let requests = (0..self.plain.requests).flat_map(|n| {
            [RequestFault::AnswerLost, RequestFault::DiesAfter]
                .map(|cut| Plan { cut: Some((n, cut)), ..Plan::default() })
        });
        let plans = steps.chain(requests).map(|plan| Plan { forgetful: true, ..plan });
        let wanted = self.plain.text.clone();
        for walked in self.all(plans.collect()).await {
            self.judge(Some(&wanted), &walked);
        }
    }

    /// Requests that are cut off, and workers that die of them.
    pub async fn cut_requests(&mut self) {
        let (taken, places) = (&self.plain.taken, self.places());
        let ends = taken.iter().skip(1).map(|next| next.requests).chain([self.plain.requests]);
        let about = taken.iter().zip(ends).filter(|(taken, _)| places.contains(&taken.place));
        let requests: BTreeSet<usize> = about.flat_map(|(taken, end)| taken.requests..end).collect();
        let plans = requests
            .into_iter()
            .flat_map(|n| RequestFault::ALL.map(|cut| Plan { cut: Some((n, cut)), ..Plan::default() }));
        let wanted = self.plain.text.clone();
        for walked in self.all(plans.collect()).await {
            self.judge(Some(&wanted), &walked);
        }
    }

    /// Steps that fail for good, done or not: what is left must be the same, unless what was done cannot be undone.
    pub async fn failures(&mut self) {
        let places: Vec<_> = self.places().into_iter().filter(|at| !at.undoing).collect();
        let pair = |at: &FaultPoint| {
            [InStep::FailBefore, InStep::FailAfter].map(|fault| one(at, Fault::InStep(fault)))
        };
        let every = std::mem::replace(&mut self.every, 1);
        let plans: Vec<Plan> = places.iter().step_by(every).flat_map(pair).collect();
        let walks = self.all(plans).await;
        self.every = every;
        for pair in walks.chunks(2) {
            let (at, _) = &pair[0].plan.faults[0];
            self.judge(None, &pair[0]);
            self.judge((!is_irrevocable(at)).then_some(&pair[0].text), &pair[1]);
        }
    }

    /// Somebody stops the run, before or during a step.
    pub async fn stops(&mut self) {
        let places: Vec<_> = self.places().into_iter().filter(|at| !at.undoing).collect();
        let stops = [When::Before, When::During].map(Fault::Stop);
        let plans = places.iter().flat_map(|at| stops.clone().map(|fault| one(at, fault)));
        for walked in self.all(plans.collect()).await {
            self.judge(None, &walked);
        }
    }

    /// The last step of each workflow fails for good, and then its undos meet faults that must not show.
    pub async fn faults_in_undos(&mut self) {
        let places = self.places();
        let is_last = |at: &&FaultPoint| !at.undoing && self.last_of(at.workflow) == Some(*at);
        let failing: Vec<Plan> =
            places.iter().filter(is_last).map(|at| one(at, Fault::InStep(InStep::FailAfter))).collect();
        for failed in self.all(failing).await {
            let (at, _) = &failed.plan.faults[0];
            let undone: BTreeSet<_> =
                failed.taken.iter().map(|taken| &taken.place).filter(|place| place.undoing).collect();
            let plans = undone.into_iter().filter(|place| place.workflow == at.workflow && place.turn == 1);
            let plans = plans.flat_map(|place| {
                let plan = |fault| Plan {
                    faults: [failed.plan.faults.clone(), vec![(place.clone(), fault)]].concat(),
                    ..Plan::default()
                };
                unkind().into_iter().map(plan)
            });
            for walked in self.all(plans.collect()).await {
                self.judge(Some(&failed.text), &walked);
            }
        }
    }

    fn last_of(&self, workflow: &str) -> Option<&FaultPoint> {
        let mut places = self.plain.taken.iter().map(|taken| &taken.place);
        places.rfind(|at| at.workflow == workflow && !at.undoing)
    }

    /// Undos that cannot be done: the run is parked in sight, and a person's retry ends what was begun.
    pub async fn parked(&mut self) {
        let (places, wanted) = (self.places(), self.plain.text.clone());
        for at in places.iter().filter(|at| at.undoing) {
            let setup = self.template.open().await;
            self.scenario.begin(&setup).await;
            let fault = Fault::InStep(InStep::FailAfter);
            Worker::new(&setup, self.scenario, vec![(at.clone(), fault.clone())]).work_through().await;
            let parked = Left::by(&setup).await.parked();
            assert_eq!(parked.len(), 1, "{at:?}");
            setup.services.runs().retry(&setup.admin().allow().unwrap(), parked[0]).await.unwrap();
            Worker::new(&setup, self.scenario, Vec::new()).work_through().await;
            let left = Left::by(&setup).await;
            let (text, wrongs) = (left.text(), left.wrongs(&setup.engine, HUMANS));
            setup.close().await;
            let walked = Walked {
                plan: one(at, fault),
                text,
                wrongs,
                left,
                taken: Vec::new(),
                awaited: BTreeSet::new(),
                requests: 0,
                lost_hints: 0,
            };
            self.judge(Some(&wanted), &walked);
        }
    }

    /// The same signal at every step of its workflow, before, during and after it, once and twice. What is the same
    /// afterwards is for the caller to say.
    pub async fn signals(&mut self, names: &[&'static str], at: impl Fn(&FaultPoint) -> bool, same: bool) {
        let places: Vec<_> = self.places().into_iter().filter(at).collect();
        let mut plans = Vec::new();
        for (name, place) in names.iter().flat_map(|name| places.iter().map(move |place| (*name, place))) {
            for (when, times) in [(When::Before, 2), (When::During, 1), (When::After, 2)] {
                plans.push(one(place, Fault::Signal(name, when, times)));
            }
        }
        let wanted = self.plain.text.clone();
        for walked in self.all(plans).await {
            self.judge(same.then_some(&wanted), &walked);
        }
    }

    /// People do what they do as early as they can, at every step.
    pub async fn hurry(&mut self) {
        let places = self.places();
        let hurries = [When::Before, When::During, When::After].map(Fault::Hurry);
        let plans = places.iter().flat_map(|at| hurries.clone().map(|fault| one(at, fault)));
        let wanted = self.plain.text.clone();
        for walked in self.all(plans.collect()).await {
            self.judge(Some(&wanted), &walked);
        }
    }
}

fn one(at: &FaultPoint, fault: Fault) -> Plan {
    Plan { faults: vec![(at.clone(), fault)], ..Plan::default() }
}

/// Faults at the `n`-th place that must not show in the end.
fn passing(n: usize, at: &FaultPoint) -> Vec<Fault> {
    // Which of two workers commits first is the same to their step: each order has its half of the places.
    let late = if n.is_multiple_of(2) { Late::Before } else { Late::After };
    let mut faults = vec![
        Fault::InStep(InStep::Twice),
        Fault::Crash,
        Fault::LoseLease(late),
        Fault::LoseLease(Late::Asleep),
        Fault::LostHint,
    ];
    // A state that is never tried again fails for good: that is another fault.
    if at.undoing || retry(at) != Retry::NEVER {
        faults.extend([Fault::InStep(InStep::RetryBefore), Fault::InStep(InStep::RetryAfter)]);
    }
    faults
}

/// The faults that do something twice, or half.
fn unkind() -> [Fault; 4] {
    let late = Fault::LoseLease(Late::Asleep);
    [Fault::InStep(InStep::Twice), Fault::InStep(InStep::RetryAfter), Fault::Crash, late]
}

fn row(at: &FaultPoint) -> &'static Row {
    let flows = flows(&Armed::default());
    let table = flows.iter().map(|flow| flow.table()).find(|table| table.name == at.workflow);
    table.and_then(|table| table.row(&at.state)).unwrap()
}

fn retry(at: &FaultPoint) -> Retry {
    row(at).retry
}

/// An undo that does nothing.
fn is_idle(at: &FaultPoint) -> bool {
    at.undoing && row(at).undone_by == "nothing"
}

/// Steps whose effect stays, although they failed after it.
fn is_irrevocable(at: &FaultPoint) -> bool {
    let state = (at.workflow, at.state.as_str());
    // A cancelled event cannot be brought back; mailboxes are runs of their own, which go on once they are ordered; and a
    // push channel that is open is of use; and what people did in a calendar stays true.
    // What was deleted or closed cannot be brought back.
    let departs = matches!(state.0, "disconnect_mailbox" | "disconnect_integration" | "erase_tenant");
    departs
        || [
            ("cancel_booking", "Cancel"),
            ("campaign", "Enlist"),
            ("open_channel", "Open"),
            ("follow_booking", "Compare"),
        ]
        .contains(&state)
}

fn shown(plan: &Plan) -> String {
    let fault = |(at, fault): &(FaultPoint, Fault)| {
        let undo = if at.undoing { "undo of " } else { "" };
        format!("{fault:?} at {undo}{} {} ({})", at.workflow, at.state, at.turn)
    };
    let mut shown: Vec<String> = plan.faults.iter().map(fault).collect();
    shown.extend(plan.cut.map(|(n, cut)| format!("{cut:?} at request {n}")));
    shown.join(", ")
}

/// The lines that differ.
fn difference(wanted: &str, found: &str) -> String {
    let only = |these: &str, those: &str, sign: &str| -> String {
        let (mut those, mut lines): (Vec<&str>, String) = (those.lines().collect(), String::new());
        for line in these.lines() {
            match those.iter().position(|other| *other == line) {
                Some(at) => drop(those.swap_remove(at)),
                None => writeln!(lines, "  {sign} {line}").unwrap(),
            }
        }
        lines
    };
    only(wanted, found, "-") + &only(found, wanted, "+")
}
