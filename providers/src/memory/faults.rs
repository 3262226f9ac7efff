//! Injected faults: permanent refusals, failures of single requests, and crashes of callers.
//!
//! For each request, faults are applied in this order: a [`RequestFault`], a permanent refusal, a failure injected
//! for the next request of its method.

use std::{collections::VecDeque, future::pending, sync::Arc, time::Duration};

use super::{Memory, Method, Request, messages, record::SystemState};
use crate::{Credential, Error, ErrorKind, Remedy, Result, Session};

/// Mailbox pattern that matches every mailbox.
const EVERY: &str = "*";

/// Whether an injected failure occurs before or after the request takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultTiming {
    /// The request has no effect.
    Before,
    /// The request has its effect, and its response is lost.
    After,
}

/// A fault that affects one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequestFault {
    /// The request is not sent, and the caller receives an error.
    NotSent,
    /// The request is executed, but its response is lost.
    AnswerLost,
    /// The caller crashes before the request is sent.
    DiesBefore,
    /// The caller crashes before it receives the response.
    DiesAfter,
}

impl RequestFault {
    /// All variants.
    pub const ALL: [Self; 4] = [Self::NotSent, Self::AnswerLost, Self::DiesBefore, Self::DiesAfter];
}

/// Callback that receives every request before it is executed.
type Watcher = Arc<dyn Fn(&Request) + Send + Sync>;

/// The injected faults.
#[derive(Default)]
pub(super) struct Faults {
    refusals: Vec<(Option<Method>, String, Error)>,
    next: VecDeque<(Method, FaultTiming, Error)>,
    cut: Option<(usize, RequestFault)>,
    calls: usize,
    cuts: usize,
    hangs: Option<Method>,
    watcher: Option<Watcher>,
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faults")
            .field("refusals", &self.refusals)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl Faults {
    /// A copy with the permanent refusals only: no counters, and no faults of single requests.
    pub(super) fn only_refusals(&self) -> Self {
        Self { refusals: self.refusals.clone(), ..Self::default() }
    }

    fn count(&mut self) -> Option<RequestFault> {
        let n = self.calls;
        self.calls += 1;
        let cut = self.cut.filter(|(at, _)| *at == n).map(|(_, cut)| cut);
        self.cuts += usize::from(cut.is_some());
        cut
    }

    fn refusal(&self, request: &Request) -> Option<Error> {
        let concerns = |of: &Option<Method>, at: &str| {
            of.is_none_or(|of| of == request.method) && (at == EVERY || at == request.mailbox)
        };
        let found = self.refusals.iter().find(|(of, at, _)| concerns(of, at));
        found.map(|(.., error)| error.clone())
    }

    fn planted(&mut self, method: Method) -> Option<(FaultTiming, Error)> {
        let at = self.next.iter().position(|(planted, ..)| *planted == method)?;
        self.next.remove(at).map(|(_, when, error)| (when, error))
    }

    fn hangs(&mut self, method: Method) -> bool {
        self.hangs.take_if(|hangs| *hangs == method).is_some()
    }
}

/// Methods that inject faults.
impl Memory {
    /// Refuses all requests of one method, or of every method, about a mailbox; `*` stands for every mailbox and the
    /// empty string for the directory. In effect until [`Self::stop_refusing`].
    pub fn refuse_requests(&self, method: impl Into<Option<Method>>, mailbox: &str, error: Error) {
        self.faults().refusals.push((method.into(), mailbox.to_owned(), error));
    }

    /// Removes all refusals for this mailbox.
    pub fn stop_refusing(&self, mailbox: &str) {
        self.faults().refusals.retain(|(_, about, _)| about != mailbox);
    }

    /// Makes the next request of a method fail.
    pub fn fail_next(&self, method: Method, when: FaultTiming, error: Error) {
        self.faults().next.push_back((method, when, error));
    }

    /// Injects a fault into the `n`-th request, counted from 0.
    pub fn inject_fault(&self, n: usize, cut: RequestFault) {
        self.faults().cut = Some((n, cut));
    }

    /// Makes the next request of a method hang.
    pub fn hang_next(&self, method: Method) {
        self.faults().hangs = Some(method);
    }

    /// Calls `watcher` with every request before it is executed.
    pub fn watch_requests(&self, watcher: impl Fn(&Request) + Send + Sync + 'static) {
        self.faults().watcher = Some(Arc::new(watcher));
    }

    /// Returns the number of requests so far, and how many of them were affected by a [`RequestFault`].
    pub fn request_counts(&self) -> (usize, usize) {
        let faults = self.faults();
        (faults.calls, faults.cuts)
    }

    /// Waits until a [`RequestFault`] makes a caller crash.
    pub async fn wait_for_crash(&self) {
        self.shared.died.notified().await;
    }

    async fn die(&self) {
        self.shared.died.notify_one();
        pending::<()>().await;
    }

    /// Executes a request, unless it is refused or a fault applies.
    pub(super) async fn call<T: Send>(
        &self,
        session: &Session,
        request: Request,
        act: impl FnOnce(&mut SystemState) -> Result<T> + Send,
    ) -> Result<T> {
        let _permit = session.gate.enter(Some(request.mailbox.as_str()).filter(|at| !at.is_empty())).await?;
        self.log_in(session).await?;
        let (cut, hangs, watcher) = {
            let mut faults = self.faults();
            (faults.count(), faults.hangs(request.method), faults.watcher.clone())
        };
        if let Some(watcher) = watcher {
            watcher(&request);
        }
        self.record().requests.push(request.clone());
        match cut {
            _ if hangs => pending().await,
            Some(RequestFault::NotSent) => return Err(lost_on_the_way()),
            Some(RequestFault::DiesBefore) => self.die().await,
            _ => {}
        }
        let answer = self.carry_out(&request, act);
        match cut {
            Some(RequestFault::AnswerLost) => Err(lost_on_the_way().with_unknown_outcome()),
            Some(RequestFault::DiesAfter) => {
                self.die().await;
                answer
            }
            _ => answer,
        }
    }

    fn carry_out<T>(&self, request: &Request, act: impl FnOnce(&mut SystemState) -> Result<T>) -> Result<T> {
        let (refusal, planted) = {
            let mut faults = self.faults();
            let refusal = faults.refusal(request);
            let planted = refusal.is_none().then(|| faults.planted(request.method)).flatten();
            (refusal, planted)
        };
        match (refusal, planted) {
            (Some(error), _) | (None, Some((FaultTiming::Before, error))) => Err(error),
            (None, Some((FaultTiming::After, error))) => {
                act(&mut self.record())?;
                Err(error.with_unknown_outcome())
            }
            (None, None) => act(&mut self.record()),
        }
    }

    /// Returns an error unless the session uses the required login.
    async fn log_in(&self, session: &Session) -> Result<()> {
        use secrecy::ExposeSecret;
        let Some((user, password)) = self.record().login.clone() else { return Ok(()) };
        let is_right = |credential: &Credential| {
            matches!(credential, Credential::Basic { user: given, password: secret }
                if *given == user && secret.expose_secret() == password)
        };
        let shown = session.credentials.current().await?;
        if is_right(&shown) || is_right(&session.credentials.renewed(&shown, None).await?) {
            return Ok(());
        }
        let message = crate::messages::stored_password_refused();
        Err(Error::new(ErrorKind::GrantLost, Remedy::Reconnect, "401", message))
    }
}

fn lost_on_the_way() -> Error {
    let wait = Remedy::RetryAfter(Duration::from_secs(1));
    Error::new(ErrorKind::Unavailable, wait, "503", messages::memory_connection_broke())
}
