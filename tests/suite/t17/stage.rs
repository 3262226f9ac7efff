//! Two tenants at each provider, the attempts of their people, and the bindings in all tenants.

use demo::browser::local_client;
use http::{Method, Request, header};
use scraper::{Html, Selector};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, Statement};
use url::form_urlencoded;

use super::{
    flows::{Attempt, Flow, code},
    variant::{Variant, Whose},
};
use crate::{
    google,
    harness::{Org, TestApp, steps::LANDING},
};

/// A tenant whose organisation is connected, and its users.
struct Home {
    org: Org,
    users: Vec<String>,
}

pub struct Stage {
    pub app: TestApp,
    owner: DatabaseConnection,
    microsoft: [Home; 2],
    google: [Home; 2],
}

/// The live attempts in the order of `ALL`, each `None` once it is consumed, and a state and proof that were used
/// before.
pub struct Cast {
    flow: Flow,
    live: [Option<Attempt>; 3],
    used: (String, String),
}

const ALL: [Whose; 3] = [Whose::Own, Whose::Colleagues, Whose::Strangers];

impl Stage {
    pub async fn new(app: TestApp) -> Self {
        let mut microsoft = Vec::new();
        for name in ["Here", "There"] {
            let org = app.with_tenant(name, 4, 1).await;
            let users = app.with_users(&org, 4).await;
            app.connect(&org).await;
            microsoft.push(Home { org, users });
        }
        let mut at_google = Vec::new();
        for name in ["Nearby", "Faraway"] {
            let (org, users) = google::organisation_called(&app, name).await;
            google::connect(&app, &org, None, 0).await;
            at_google.push(Home { org, users });
        }
        let url = app.config.migration_url.as_deref().unwrap_or(&app.config.database_url);
        let owner = entity::Store::connect_as_owner(url).await.unwrap();
        let two = |homes: Vec<Home>| homes.try_into().unwrap_or_else(|_| panic!("two homes"));
        Self { app, owner, microsoft: two(microsoft), google: two(at_google) }
    }

    pub async fn cast(&self, flow: Flow) -> Cast {
        let first = self.begin(flow, Whose::Own).await;
        let proof = self.proof(flow, &first, &first.account).await;
        let mut cast = Cast { flow, live: [const { None }; 3], used: (first.state.clone(), proof) };
        cast.live[0] = Some(first);
        self.control(flow, &mut cast).await;
        cast
    }

    /// Completes the first attempt, which must be accepted. The next use begins another attempt in its place.
    pub async fn control(&self, flow: Flow, cast: &mut Cast) {
        let own = cast.live[0].take();
        let own = match own {
            Some(attempt) => attempt,
            None => self.begin(flow, Whose::Own).await,
        };
        let proof = self.proof(flow, &own, &own.account).await;
        let pairs = [("state", own.state.clone()), (flow.proof(), proof.clone())];
        let answer = self.answer(flow.path(), Some(own.cookie), &pairs).await;
        assert_eq!(answer, "accepted", "{flow:?}: the control");
        self.app.run_jobs().await;
        cast.used = (own.state, proof);
    }

    async fn begin(&self, flow: Flow, whose: Whose) -> Attempt {
        let homes = if flow == Flow::OwnAtGoogle { &self.google } else { &self.microsoft };
        let home = &homes[usize::from(whose == Whose::Strangers)];
        let index = person(flow, &home.org, whose);
        flow.begin(&self.app, &home.org, (index, home.users[index].as_str())).await
    }

    async fn live<'a>(&self, cast: &'a mut Cast, whose: Whose) -> &'a Attempt {
        let index = ALL.iter().position(|each| *each == whose).unwrap();
        if cast.live[index].is_none() {
            cast.live[index] = Some(self.begin(cast.flow, whose).await);
        }
        cast.live[index].as_ref().unwrap()
    }

    /// Proof of an attempt: the code of the account that signed in, or the organisation that consents.
    async fn proof(&self, flow: Flow, attempt: &Attempt, account: &str) -> String {
        match flow {
            Flow::Consent => attempt.organisation.clone(),
            _ => code(&self.app, flow, &attempt.page, account).await,
        }
    }

    /// Builds and sends a variant. Returns the code of the refusal, or `accepted`.
    pub async fn send(&self, cast: &mut Cast, variant: Variant) -> String {
        let flow = cast.flow;
        let mut cookies = Vec::new();
        for whose in parts(variant.cookie) {
            cookies.push(match whose {
                Whose::MadeUp => "muster_connect=made-up".to_owned(),
                whose => self.live(cast, whose).await.cookie.clone(),
            });
        }
        let mut pairs = Vec::new();
        for whose in parts(variant.state) {
            let state = match whose {
                Whose::Used => cast.used.0.clone(),
                Whose::MadeUp => "made-up".to_owned(),
                whose => self.live(cast, whose).await.state.clone(),
            };
            pairs.push(("state", state));
        }
        for whose in parts(variant.proof) {
            pairs.push((flow.proof(), self.proof_of(cast, whose, variant.account).await));
        }
        let cookies = (!cookies.is_empty()).then(|| cookies.join("; "));
        let answer = self.answer(variant.path, cookies, &pairs).await;
        // An attempt whose cookie and state match is consumed.
        if variant.cookie == variant.state {
            cast.live = [const { None }; 3];
        }
        answer
    }

    async fn proof_of(&self, cast: &mut Cast, whose: Whose, account: Whose) -> String {
        let flow = cast.flow;
        match whose {
            // An organisation can be used again, and all attempts of a tenant name the same one, so Microsoft's aliases
            // for several organisations are sent instead.
            Whose::Used if flow == Flow::Consent => "organizations".to_owned(),
            Whose::Colleagues if flow == Flow::Consent => "common".to_owned(),
            Whose::Used => cast.used.1.clone(),
            Whose::MadeUp => "00000000-0000-0000-0000-000000000001".to_owned(),
            whose => {
                let attempt = self.live(cast, whose).await.clone();
                let account = self.account(flow, whose, account, &attempt);
                self.proof(flow, &attempt, &account).await
            }
        }
    }

    /// The address that signs in during an attempt.
    fn account(&self, flow: Flow, attempts: Whose, account: Whose, attempt: &Attempt) -> String {
        let homes = if flow == Flow::OwnAtGoogle { &self.google } else { &self.microsoft };
        let is_there = attempts == Whose::Strangers;
        let (own, other) = (&homes[usize::from(is_there)].org, &homes[usize::from(!is_there)].org);
        match (account, flow) {
            (Whose::Own, _) => attempt.account.clone(),
            (Whose::Strangers, _) => other.people()[person(flow, other, Whose::Own)].to_owned(),
            // A person who may not consent for the organisation.
            (_, Flow::SignIn) => own.people()[own.insider()].to_owned(),
            _ => own.admin().to_owned(),
        }
    }

    async fn answer(&self, path: &str, cookies: Option<String>, pairs: &[(&str, String)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(pairs).append_pair("admin_consent", "True");
        let mut url = self.app.base.join(path).unwrap();
        url.set_query(Some(&query.finish()));
        let mut request = Request::new(Method::GET, url).header(header::ACCEPT, "text/html");
        if let Some(cookies) = &cookies {
            request = request.header(header::COOKIE, cookies);
        }
        let declined = self.declined().await.len();
        let answer = local_client().unwrap().send(request).await.unwrap();
        let to = answer.header("location").unwrap_or_default().to_owned();
        // A refusal that ends the attempt is told to its run; the next page shows it once the run has ended.
        if let Some(code) = self.declined().await.get(declined) {
            return code.clone();
        }
        let html = Html::parse_document(&answer.text());
        let code = html.select(&Selector::parse("[data-muster-code]").unwrap()).next();
        match (code.and_then(|code| code.attr("data-muster-code")), to.strip_prefix(LANDING)) {
            (Some(code), _) => code.to_owned(),
            (None, Some(landed)) if landed.contains("reason=") => {
                landed.split("reason=").nth(1).unwrap().split('&').next().unwrap().to_owned()
            }
            // A redirect with a repeated parameter is refused as malformed.
            (None, None) if answer.status == http::StatusCode::BAD_REQUEST => "400".to_owned(),
            // A redirect to the next page, or to the landing page without a reason for refusal.
            (None, Some(_)) => "accepted".to_owned(),
            (None, _) if to.starts_with("/connect/") => "accepted".to_owned(),
            (None, _) if answer.text().contains("is connected") => "accepted".to_owned(),
            (None, _) => "no code".to_owned(),
        }
    }

    /// The codes of the refusals that were told to runs, oldest first. No run is worked on meanwhile.
    async fn declined(&self) -> Vec<String> {
        let backend = self.owner.get_database_backend();
        let text = if backend == DatabaseBackend::Postgres { "payload::text" } else { "payload" };
        let sql = format!("SELECT {text} AS line FROM signal WHERE name = 'declined' ORDER BY id");
        let rows = self.owner.query_all_raw(Statement::from_string(backend, sql)).await.unwrap();
        let code = |line: String| {
            let reason: serde_json::Value = serde_json::from_str(&line).unwrap();
            reason["code"].as_str().unwrap().to_owned()
        };
        rows.iter().map(|row| code(row.try_get("", "line").unwrap())).collect()
    }

    /// The rows that grant access to calendars, in all tenants; on SQLite, the number of rows in each table.
    pub async fn bound(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (table, columns) in [
            ("consent_grant", "id, tenant_id, integration_id, user_id, account FROM consent_grant"),
            ("external_binding", "* FROM external_binding"),
            ("connection", "id, tenant_id, integration_id FROM connection WHERE route = 'OWN'"),
            ("integration", "id, external_tenant FROM integration WHERE external_tenant IS NOT NULL"),
        ] {
            let sql = match self.owner.get_database_backend() {
                DatabaseBackend::Postgres => format!("SELECT t::text AS line FROM (SELECT {columns}) t"),
                _ => format!("SELECT count(*) || '' AS line FROM (SELECT {columns})"),
            };
            let rows = Statement::from_string(self.owner.get_database_backend(), sql);
            for row in self.owner.query_all_raw(rows).await.unwrap() {
                let line: String = row.try_get("", "line").unwrap();
                all.push(format!("{table}: {line}"));
            }
        }
        all.sort();
        all
    }
}

impl Flow {
    /// The query parameter that carries the proof.
    pub const fn proof(self) -> &'static str {
        match self {
            Self::Consent => "tenant",
            _ => "code",
        }
    }
}

/// Index of the person who makes the attempt. Attempts of one organisation use different people, and no administrator.
fn person(flow: Flow, org: &Org, whose: Whose) -> usize {
    let people = org.sandbox["users"].as_array().unwrap();
    let mut of_staff = (0..people.len()).filter(|index| people[*index]["admin"] == false);
    let nth = usize::from(flow != Flow::SignIn && whose == Whose::Colleagues);
    of_staff.clone().nth(nth).or_else(|| of_staff.next_back()).expect("a person who is not an administrator")
}

fn parts(whose: Whose) -> Vec<Whose> {
    match whose {
        Whose::Nobodys => Vec::new(),
        Whose::OwnThenStrangers => vec![Whose::Own, Whose::Strangers],
        Whose::StrangersThenOwn => vec![Whose::Strangers, Whose::Own],
        one => vec![one],
    }
}
