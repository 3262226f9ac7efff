//! What is true in the end: the organisation as text, to be compared, and what must hold however it ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use domain::{
    Id, TimeRange, ids,
    state::{RunStatus, StepOutcome},
};
use sea_orm::{ConnectionTrait, QueryOrder, Statement};
use serde_json::Value;
use services::bookings::{effect_key, time_of};
use workflows::Engine;

use crate::faults::setup::Setup;

/// Everything that was left behind.
pub struct Left {
    integrations: Vec<entity::integration::Model>,
    connections: Vec<entity::connection::Model>,
    rooms: Vec<entity::room::Model>,
    accounts: Vec<entity::service_account::Model>,
    campaigns: Vec<entity::campaign::Model>,
    items: Vec<entity::campaign_item::Model>,
    verifications: Vec<entity::verification::Model>,
    bookings: Vec<entity::booking::Model>,
    participants: Vec<entity::booking_participant::Model>,
    changes: Vec<entity::booking_change::Model>,
    occupancy: Vec<entity::occupancy::Model>,
    copies: Vec<entity::calendar_event::Model>,
    runs: Vec<entity::run::Model>,
    history: Vec<entity::run_history::Model>,
    channels: Vec<entity::channel::Model>,
    events: Vec<(String, providers::Event)>,
    created: BTreeMap<(String, String), usize>,
    wiped: bool,
    jobs: i64,
    consents: i64,
    bindings: i64,
    sealed: i64,
}

impl Left {
    /// Reads what is left in a setup.
    pub async fn by(setup: &Setup) -> Self {
        let tenant = setup.tenant;
        let txn = setup.services.store.read(tenant).await.unwrap();
        macro_rules! all {
            ($table:ident by $column:ident) => {
                entity::$table::of(tenant)
                    .order_by_asc(entity::$table::Column::$column)
                    .all(&txn)
                    .await
                    .unwrap()
            };
        }
        let mut left = Self {
            integrations: all!(integration by Id),
            connections: all!(connection by Address),
            rooms: all!(room by Address),
            accounts: all!(service_account by Address),
            campaigns: all!(campaign by Id),
            items: all!(campaign_item by ConnectionId),
            verifications: all!(verification by Id),
            bookings: all!(booking by Id),
            participants: all!(booking_participant by Address),
            changes: all!(booking_change by Id),
            occupancy: all!(occupancy by StartAt),
            copies: all!(calendar_event by StartAt),
            runs: all!(run by Id),
            history: all!(run_history by Revision),
            channels: all!(channel by ConnectionId),
            events: setup.system.events(),
            created: setup.system.creation_counts(),
            wiped: setup.system.were_events_deleted(),
            jobs: 0,
            consents: 0,
            bindings: 0,
            sealed: 0,
        };
        drop(txn);
        let count = async |from: &str| {
            let txn = setup.services.store.read(tenant).await.unwrap();
            let sql = format!("SELECT count(*) AS n FROM {from}");
            let statement = Statement::from_string(txn.get_database_backend(), sql);
            let row = match from {
                "job" => setup.services.store.engine_connection().query_one_raw(statement).await,
                _ => txn.query_one_raw(statement).await,
            };
            row.unwrap().unwrap().try_get::<i64>("", "n").unwrap()
        };
        left.jobs = count("job").await;
        left.consents = count("consent_grant").await;
        left.bindings = count("external_binding").await;
        left.sealed = count("connect_session WHERE purpose = 'CONNECT' AND consent IS NOT NULL").await;
        left
    }

    /// The runs that stand until a person looks at them.
    pub fn parked(&self) -> Vec<Id<ids::Run>> {
        let parked = self.runs.iter().filter(|run| run.status == RunStatus::Quarantined);
        parked.map(|run| run.id).collect()
    }

    /// Every run.
    pub fn runs(&self) -> impl Iterator<Item = Id<ids::Run>> {
        self.runs.iter().map(|run| run.id)
    }

    /// The states whose undo was done.
    pub fn undone(&self) -> BTreeSet<(String, String)> {
        let done = self.history.iter().filter(|line| line.outcome == StepOutcome::Undone);
        done.map(|line| (self.workflow(line), line.state.to_string())).collect()
    }

    fn workflow(&self, line: &entity::run_history::Model) -> String {
        self.runs.iter().find(|run| run.id == line.run_id).unwrap().workflow.clone()
    }

    /// Every edge that was walked.
    pub fn edges(&self) -> BTreeSet<(String, String, String)> {
        let walked = self.history.iter().filter(|line| line.outcome == StepOutcome::WentOn);
        walked
            .map(|line| {
                let next = line.next_state.as_ref().unwrap().to_string();
                (self.workflow(line), line.state.to_string(), next)
            })
            .collect()
    }

    /// The organisation as text. What may differ from one attempt to the next is left out: ids, times at which
    /// something was done, how often something was tried.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |written: String| writeln!(text, "{written}").unwrap();
        for row in &self.integrations {
            let facts = (&row.external_tenant, &row.server_url, &row.consented_by, &row.service_mailbox);
            line(format!("integration {} {} {facts:?}", row.state, code(row.reason.as_ref())));
        }
        line(format!("{} consents, {} bindings, {} sealed", self.consents, self.bindings, self.sealed));
        self.rooms.iter().for_each(|row| line(format!("room {}", row.address)));
        self.accounts.iter().for_each(|row| line(format!("service mailbox {} {}", row.address, row.status)));
        for row in &self.connections {
            let (reason, read) = (code(row.reason.as_ref()), row.as_of.is_some());
            line(format!("mailbox {} {} {reason} {} read={read}", row.address, row.state, row.route));
        }
        for run in self.runs.iter().filter(|run| run.workflow == "refresh_calendar") {
            let read = |row: &&entity::connection::Model| {
                run.subject == row.id && row.as_of.is_some_and(|as_of| as_of >= run.created_at)
            };
            let read = self.connections.iter().find(read).map(|row| &row.address);
            line(format!("read again: {read:?}"));
        }
        self.channels.iter().for_each(|row| line(format!("channel of {}", self.address(row.connection_id))));
        for row in &self.campaigns {
            line(format!("campaign {} of {}", row.state, row.total));
            for item in self.items.iter().filter(|item| item.campaign_id == row.id) {
                let address = self.address(item.connection_id);
                line(format!(
                    "  {address} {:?} {}",
                    item.result.as_ref().map(ToString::to_string),
                    code(item.reason.as_ref())
                ));
            }
        }
        self.verifications.iter().for_each(|row| line(format!("verification {}", row.verdict)));
        for (index, row) in self.bookings.iter().enumerate() {
            let (reason, way) = (code(row.reason.as_ref()), (&row.written_via, &row.mailbox));
            line(format!("booking {index} {} {reason} {way:?} {}", row.state, shown(time_of(row))));
            for one in self.participants.iter().filter(|one| one.booking_id == row.id) {
                line(format!("  {} {}", one.address, one.answer));
            }
            for change in self.changes.iter().filter(|change| change.booking_id == row.id) {
                line(format!("  {} from {}", change.what, change.old_start));
            }
            let blocked = self.occupancy.iter().filter(|one| one.booking_id == row.id).count();
            let copies = self.copies.iter().filter(|copy| Some(&copy.uid) == row.event_uid.as_ref()).count();
            line(format!("  {blocked} blocked, {copies} copies"));
        }
        for (mailbox, event) in &self.events {
            let whose = event.effect_key.as_ref().map_or("human".to_owned(), |key| self.owner(key));
            line(format!("event of {whose} in {mailbox} {}", shown(event.range)));
        }
        let runs =
            self.runs.iter().map(|run| (&run.workflow, run.status.as_str(), code(run.reason.as_ref())));
        let mut runs: Vec<_> = runs.collect();
        runs.sort();
        for (workflow, status, code) in runs {
            line(format!("run {workflow} {status} {code}"));
        }
        text
    }

    fn address(&self, connection: Id<ids::Connection>) -> &str {
        self.connections.iter().find(|row| row.id == connection).map_or("?", |row| row.address.as_str())
    }

    fn owner(&self, key: &str) -> String {
        let index = self.bookings.iter().position(|row| effect_key(row) == key);
        index.map_or(format!("nobody ({key})"), |index| format!("booking {index}"))
    }

    /// What must hold however it ended; returns what does not.
    pub fn wrongs(&self, engine: &Engine, humans: usize) -> Vec<String> {
        let mut wrongs = Vec::new();
        let mut must = |holds: bool, said: String| {
            if !holds {
                wrongs.push(said);
            }
        };
        must(self.jobs == 0, format!("{} jobs are left", self.jobs));
        self.judge_runs(engine, &mut must);
        self.judge_bookings(&mut must);
        self.judge_connections(&mut must);
        let found = self.events.iter().filter(|(_, event)| event.effect_key.is_none()).count();
        must(found == humans, "an event of somebody else was touched".to_owned());
        for ((mailbox, key), times) in &self.created {
            must(*times == 1, format!("{key} was written {times} times in {mailbox}"));
        }
        wrongs
    }

    fn judge_runs(&self, engine: &Engine, must: &mut impl FnMut(bool, String)) {
        for run in &self.runs {
            let name = &run.workflow;
            let status = run.status.known().unwrap();
            must(status.is_over() && run.finished_at.is_some(), format!("{name} is left {status}"));
            must(
                status == RunStatus::Done || run.reason.is_some(),
                format!("{name} is {status} without a reason"),
            );
            let lines: Vec<_> = self.history.iter().filter(|line| line.run_id == run.id).collect();
            let revisions: Vec<i64> = lines.iter().map(|line| line.revision).collect();
            must(!lines.is_empty(), format!("{name} has no history"));
            let expected: Vec<i64> = (1..).take(lines.len()).collect();
            must(
                revisions == expected && revisions.last() == Some(&run.revision),
                format!("{name} has the history {revisions:?} at revision {}", run.revision),
            );
            let table = engine.table(name, run.version).unwrap();
            for line in lines.iter().filter(|line| line.outcome == StepOutcome::WentOn) {
                let next = line.next_state.as_ref().map_or("", entity::StateName::as_str);
                let leads = table.row(line.state.as_str()).is_some_and(|row| row.then.contains(&next));
                must(leads, format!("{name} went from {} to {next}", line.state));
            }
        }
    }

    fn judge_bookings(&self, must: &mut impl FnMut(bool, String)) {
        for (index, row) in self.bookings.iter().enumerate() {
            let state = row.state.known().unwrap();
            let name = format!("booking {index} ({state} {})", code(row.reason.as_ref()));
            let key = effect_key(row);
            let live: Vec<_> =
                self.events.iter().filter(|(_, event)| event.effect_key.as_ref() == Some(&key)).collect();
            let (here, wanted): (Vec<_>, Vec<_>) = match state.blocks_time() && !self.wiped {
                true => {
                    let mailbox = row.mailbox.clone().unwrap_or_default();
                    (
                        live.iter().map(|(at, event)| (at.clone(), event.range)).collect(),
                        vec![(mailbox, time_of(row))],
                    )
                }
                false => (live.iter().map(|(at, event)| (at.clone(), event.range)).collect(), Vec::new()),
            };
            must(here == wanted, format!("{name} has {here:?} at the provider and not {wanted:?}"));
            let holders = self
                .participants
                .iter()
                .filter(|one| one.booking_id == row.id && (one.user_id.is_some() || one.room_id.is_some()));
            let blocked: Vec<_> = self.occupancy.iter().filter(|one| one.booking_id == row.id).collect();
            let wanted = if state.blocks_time() { holders.count() } else { 0 };
            let same =
                |one: &&&entity::occupancy::Model| (one.start_at, one.end_at) == (row.start_at, row.end_at);
            let in_place = blocked.iter().filter(same).count();
            must(
                blocked.len() == wanted && in_place == wanted,
                format!(
                    "{name} blocks {} times, {in_place} of them where it is; {wanted} people and rooms take part",
                    blocked.len()
                ),
            );
            let copies = self.copies.iter().filter(|copy| Some(&copy.uid) == row.event_uid.as_ref());
            let true_copy = |copy: &entity::calendar_event::Model| {
                state.blocks_time() && (copy.start_at, copy.end_at) == (row.start_at, row.end_at)
            };
            must(copies.clone().all(true_copy), format!("{name} stands wrongly in a copy"));
        }
        // Of an erased tenant nothing is left, and its events stay in the calendars.
        let is_erased = self.runs.is_empty();
        for (mailbox, event) in self.events.iter().filter(|_| !is_erased) {
            let Some(key) = &event.effect_key else { continue };
            let known = self.bookings.iter().any(|row| effect_key(row) == *key);
            must(known, format!("{key} stands in the calendar of {mailbox} and belongs to no booking"));
        }
    }

    fn judge_connections(&self, must: &mut impl FnMut(bool, String)) {
        must(self.sealed == 0, format!("{} typed credentials are left", self.sealed));
        for row in &self.integrations {
            let state = row.state.known().unwrap();
            if state.is_over() {
                let left = (self.consents, self.bindings, self.connections.len(), self.rooms.len());
                let more = (self.accounts.len(), self.campaigns.len(), row.external_tenant.is_some());
                must(
                    (left, more) == ((0, 0, 0, 0), (0, 0, false)),
                    format!(
                        "{state} leaves consents, bindings, mailboxes, rooms {left:?}, service mailboxes, campaigns, an organisation {more:?}"
                    ),
                );
                must(row.reason.is_some(), format!("{state} without a reason"));
            } else {
                must((self.consents, self.bindings) == (1, 1), format!("{state} without its one consent"));
            }
            if let Some(known_good) = &row.known_good {
                let known = self.connections.iter().any(|one| one.address == *known_good);
                must(known, format!("{known_good} is not known"));
            }
        }
        for row in &self.campaigns {
            must(row.finished_at.is_some(), "a campaign never ends".to_owned());
        }
        for row in &self.connections {
            let settled = !matches!(row.state.as_str(), "PENDING" | "VERIFYING" | "DISCOVERED");
            let tried = self.runs.iter().any(|run| run.subject == row.id);
            must(settled || !tried, format!("{} is left {}", row.address, row.state));
            let failed = self.runs.iter().any(|run| {
                run.subject == row.id && run.workflow == "refresh_calendar" && run.reason.is_some()
            });
            must(!failed || row.failures > 0, format!("no failure of {} was counted", row.address));
            let channels = self.channels.iter().filter(|channel| channel.connection_id == row.id).count();
            must(channels <= 1, format!("{} has {channels} channels", row.address));
        }
    }
}

fn shown(time: TimeRange) -> String {
    format!("{} to {}", time.start.format("%d %H:%M"), time.end.format("%H:%M"))
}

fn code(reason: Option<&Value>) -> String {
    reason.and_then(|reason| reason["code"].as_str()).unwrap_or("-").to_owned()
}
