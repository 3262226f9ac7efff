//! What becomes of a connect attempt, for its page: read once, or followed while the run works on it.

use domain::{
    Id, Reason,
    connect::{ConnectPurpose, ConnectStep},
    ids,
    state::{ConnectionState, IntegrationState},
};
use futures::{Stream, StreamExt, stream};
use lanes::Delivery;
use providers::ConsentFlow;
use sea_orm::{ColumnTrait, ConnectionTrait, PaginatorTrait, QueryFilter, QueryOrder};
use url::Url;
use uuid::Uuid;

use super::{
    Connect, SessionRow,
    session::{integration_of, session_ended},
};
use crate::{
    Error, Result,
    events::{self, topic},
    integrations,
    proof::Anyone,
    verification::{self, Check},
};

/// What a connect session is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The administrator has not granted access yet, or has left the page on which to do so.
    Unfinished,
    /// The run is working on it: it tries the consent, or verifies the connection.
    Working,
    /// The administrator has to authorise the use of the access.
    Authorisation,
    /// The provider has not applied the permission everywhere yet, which may take a day. The page need not stay open.
    Propagation,
    /// The attempt has ended, well or not; see the state.
    Ended,
}

/// Progress of a connect session, for its page.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The session to which the page belongs; its forms return it.
    pub session: Id<ids::ConnectSession>,
    /// Name of the tenant.
    pub tenant: String,
    /// The session's integration.
    pub integration: entity::integration::Model,
    /// State of the integration.
    pub state: IntegrationState,
    /// Why the integration is in this state or, while a run retries a step, why its last attempt failed.
    pub reason: Option<Reason>,
    /// What the session is waiting for.
    pub phase: Phase,
    /// The return URL in the vendor's product, with the verdict; `None` before the attempt has ended, and if the vendor
    /// specified none.
    pub landing: Option<Url>,
    /// Whether the answers can be corrected from here, because the attempt ended without a connection.
    pub is_correctable: bool,
    /// The checks of this attempt's last verification; empty before it has ended.
    pub checks: Vec<Check>,
    /// How many mailboxes of the integration are active, and how many are known.
    pub mailboxes: (u64, u64),
    /// Whether the calendar system is connected with credentials that the administrator enters.
    pub takes_credentials: bool,
}

/// What a page that follows an attempt hears.
#[derive(Debug, Clone, PartialEq)]
pub enum ProgressEvent {
    /// The attempt may have progressed: read it again.
    Changed,
    /// The verification made these checks. The first ones of a verification replace those of the one before.
    Checked {
        /// Whether the verification has just begun.
        is_first: bool,
        /// The checks, in the order in which they were made.
        checks: Vec<Check>,
    },
}

impl Connect {
    /// Progress of the session's integration.
    pub async fn progress(&self, _by: Anyone, cookie: &str) -> Result<Progress> {
        let session = self.find_session(cookie, ConnectPurpose::Connect).await?;
        let tenant = self.services.tenants().find(session.tenant_id).await?;
        let txn = self.services.read(session.tenant_id).await?;
        let connected = integration_of(&session)?;
        // The run first: where each statement sees the newest rows, a run that has ended belongs to the state read later.
        let run = integrations::live_connect_run(&txn, session.tenant_id, connected).await?;
        let row = entity::integration::by_id(session.tenant_id, connected).one(&txn).await?;
        let integration = row.ok_or_else(session_ended)?;
        let checks = last_checks(&txn, &session).await?;
        let mailboxes = count_mailboxes(&txn, &session).await?;
        drop(txn);
        let state = integration.state.require()?;
        let phase = run.as_ref().map_or(Phase::Ended, |_| phase(&session, state));
        // While a step is retried, its run knows more than the integration.
        let retried = run.as_ref().filter(|_| phase == Phase::Working);
        let retried = retried.and_then(|run| integrations::parse_reason(run.reason.as_ref()));
        let reason = retried.or_else(|| integrations::parse_reason(integration.reason.as_ref()));
        let landing = match phase {
            Phase::Ended => self.landing(&session, &integration, state, reason.as_ref()).await?,
            _ => None,
        };
        let is_correctable =
            phase == Phase::Unfinished || (phase == Phase::Ended && may_be_connected_again(state));
        let connector = self.services.connectors.get(integrations::provider(&integration)?)?;
        Ok(Progress {
            session: session.id,
            tenant: tenant.map(|tenant| tenant.name).unwrap_or_default(),
            integration,
            state,
            reason,
            phase,
            landing,
            is_correctable,
            checks,
            mailboxes,
            takes_credentials: !matches!(connector.consent_flow(), ConsentFlow::Pages),
        })
    }

    /// Follows an attempt from now on. Events may be lost, so the page is also read again from time to time. Refused with
    /// `OVERLOADED` if too many pages of the tenant follow theirs on this node.
    pub async fn follow(
        &self,
        _by: Anyone,
        cookie: &str,
    ) -> Result<impl Stream<Item = ProgressEvent> + Send + use<>> {
        let session = self.find_session(cookie, ConnectPurpose::Connect).await?;
        let integration = integration_of(&session)?;
        let txn = self.services.read(session.tenant_id).await?;
        let run = integrations::live_connect_run(&txn, session.tenant_id, integration).await?;
        drop(txn);
        let permit = self.services.followed_pages.try_acquire(session.tenant_id).ok_or(Error::Overloaded)?;
        let fanout = &self.services.queue.fanout;
        let heard = [topic::INTEGRATION.as_str(), topic::RUN.as_str(), verification::CHECKS];
        let subscriptions = heard.map(|topic| {
            let subscription = fanout.subscribe(session.tenant_id, topic);
            let next = async |mut subscription: lanes::fanout::Subscription| {
                let delivery = subscription.next().await?;
                Some((delivery, subscription))
            };
            stream::unfold(subscription, next).boxed()
        });
        let subjects = [Some(integration.uuid()), run.map(|run| run.id.uuid())];
        let heard = stream::select_all(subscriptions);
        // The permit belongs to the stream and ends with it.
        Ok(stream::unfold((heard, permit), move |(mut heard, permit)| async move {
            loop {
                if let Some(event) = progress_event(integration, &subjects, heard.next().await?) {
                    return Some((event, (heard, permit)));
                }
            }
        }))
    }

    /// The session's return URL with the verdict: that of a user's own consent, or that of the link and otherwise of
    /// the integration. `None` if the vendor specified none or no longer allows it.
    pub(super) async fn landing(
        &self,
        session: &SessionRow,
        integration: &entity::integration::Model,
        state: IntegrationState,
        reason: Option<&Reason>,
    ) -> Result<Option<Url>> {
        let tenant = session.tenant_id;
        let of_session = match (session.link_id, session.user_id) {
            (Some(link), _) => {
                let txn = self.services.read(tenant).await?;
                let link = entity::connect_link::by_id(tenant, link).one(&txn).await?;
                link.and_then(|link| link.return_url).or_else(|| integration.return_url.clone())
            }
            (None, Some(_)) => session.return_url.clone(),
            (None, None) => integration.return_url.clone(),
        };
        let Some(url) = of_session else { return Ok(None) };
        let allowed = self.services.tenants().allows_return_url(Anyone, tenant, &url).await?;
        Ok(landing(&url, integration.id, state, reason).filter(|_| allowed))
    }
}

/// Whether an attempt that has ended in this state can be made again with the same link.
fn may_be_connected_again(state: IntegrationState) -> bool {
    use IntegrationState as S;
    matches!(state, S::Failing | S::Failed | S::Expired | S::Declined)
}

/// What a session waits for while a run is connecting its integration.
fn phase(session: &SessionRow, state: IntegrationState) -> Phase {
    use IntegrationState as S;
    let is_answered = session.step == ConnectStep::Answered;
    let is_away = matches!(
        session.step.known(),
        Some(ConnectStep::Open | ConnectStep::Credentials | ConnectStep::Asking | ConnectStep::AtProvider)
    );
    match state {
        S::AwaitingAuthorization if !is_answered => Phase::Authorisation,
        S::AwaitingPropagation => Phase::Propagation,
        _ if is_away => Phase::Unfinished,
        _ => Phase::Working,
    }
}

/// Adds the result to the return URL.
fn landing(
    url: &str,
    integration: Id<ids::Integration>,
    state: IntegrationState,
    reason: Option<&Reason>,
) -> Option<Url> {
    let mut url: Url = url.parse().ok()?;
    let id = integration.to_string();
    url.query_pairs_mut().append_pair("integration", &id).append_pair("state", state.as_str());
    if let Some(reason) = reason {
        url.query_pairs_mut().append_pair("reason", &reason.code);
    }
    Some(url)
}

/// The checks of the last verification since the session began.
async fn last_checks(conn: &impl ConnectionTrait, session: &SessionRow) -> Result<Vec<Check>> {
    use entity::verification::{Column, of};
    let last = of(session.tenant_id)
        .filter(Column::IntegrationId.eq(session.integration_id))
        .filter(Column::At.gte(session.created_at))
        .order_by_desc(Column::Id)
        .one(conn)
        .await?;
    Ok(last.and_then(|row| serde_json::from_value(row.checks).ok()).unwrap_or_default())
}

/// How many mailboxes of the session's integration are active, and how many are known.
async fn count_mailboxes(conn: &impl ConnectionTrait, session: &SessionRow) -> Result<(u64, u64)> {
    use entity::connection::{Column, of};
    let known = of(session.tenant_id).filter(Column::IntegrationId.eq(session.integration_id));
    let active = known.clone().filter(Column::State.eq(ConnectionState::Active.as_str()));
    Ok((active.count(conn).await?, known.count(conn).await?))
}

/// What a message means for the page of an integration; `None` if it concerns neither the integration nor one of the
/// subjects that the page follows.
fn progress_event(
    integration: Id<ids::Integration>,
    subjects: &[Option<Uuid>],
    delivery: Delivery,
) -> Option<ProgressEvent> {
    let Delivery::Message(message) = delivery else { return Some(ProgressEvent::Changed) };
    if message.topic != verification::CHECKS {
        let subject = events::subject(&message);
        return (subject.is_some() && subjects.contains(&subject)).then_some(ProgressEvent::Changed);
    }
    let made: verification::ChecksMade = serde_json::from_value(message.payload.clone()).ok()?;
    (made.integration == integration)
        .then_some(ProgressEvent::Checked { is_first: made.is_first, checks: made.checks })
}
