//! Attacks on the sign-in in the browser, by an issuer that answers whatever an attacker likes.

use chrono::Duration;
use http::Response;
use serde_json::{Value, json};
use url::Url;

use super::{
    evil::{Answer, MaliciousIssuer},
    forge::Signer,
    pages_cases::CASES,
    scene::{Registered, Tally, Tenant, left_behind, register, tenant, who},
    visitor::{Visitor, code_of, location, parameter, token_of, with},
};
use crate::harness::TestApp;

both!(t16_no_forged_or_misled_answer_of_an_issuer_signs_anybody_in);

/// What is attacked, and by what.
pub struct Targets {
    pub app: TestApp,
    pub acme: Tenant,
    pub other: Tenant,
    /// The issuer that is trusted, its key, and how two tenants have registered it.
    pub issuer: MaliciousIssuer,
    pub key: Signer,
    pub registered: Registered,
    pub elsewhere: Registered,
    /// Another issuer of the same tenant, which the attacker runs.
    pub attacker: MaliciousIssuer,
    pub attackers: Registered,
    pub attackers_key: Signer,
    /// What nobody should be led to.
    pub inside: MaliciousIssuer,
}

/// A sign-in that waits for the issuer's answer, as an attack may change it.
pub struct Attempt {
    pub visitor: Visitor,
    /// The issuer's answer, as the browser brings it.
    pub answer: Url,
    pub header: Value,
    pub claims: Value,
    /// What the token endpoint says in place of the ID token.
    pub token: Option<Answer>,
}

/// An attack: what becomes of a good attempt.
pub type Case = (&'static str, for<'a> fn(&'a Targets, Attempt) -> Then<'a>);
/// What is to be sent in the end.
pub type Then<'a> = std::pin::Pin<Box<dyn Future<Output = Attempt> + 'a>>;

impl Targets {
    async fn new(app: TestApp) -> Self {
        let (key, attackers_key) = (Signer::p256("own"), Signer::ed25519("own"));
        let (issuer, attacker) =
            (MaliciousIssuer::start(&[&key.jwk]), MaliciousIssuer::start(&[&attackers_key.jwk]));
        let acme = tenant(&app, "acme.example", &["anna", "bert"]).await;
        let other = tenant(&app, "other.example", &["carl"]).await;
        let input = json!({ "algorithms": ["ES256", "EDDSA"] });
        let registered = register(&app, &acme, &issuer.issuer, input.clone()).await;
        let elsewhere = register(&app, &other, &issuer.issuer, input.clone()).await;
        let attackers = register(&app, &acme, &attacker.issuer, input).await;
        let inside = MaliciousIssuer::start(&[]);
        Self {
            app,
            acme,
            other,
            issuer,
            key,
            registered,
            elsewhere,
            attacker,
            attackers,
            attackers_key,
            inside,
        }
    }

    /// A sign-in up to the issuer's answer, which would make its browser Anna's.
    pub async fn attempt(&self, visitor: Visitor) -> Attempt {
        self.attempt_at(visitor, &self.registered, &self.issuer).await
    }

    pub async fn attempt_at(
        &self,
        mut visitor: Visitor,
        at: &Registered,
        issuer: &MaliciousIssuer,
    ) -> Attempt {
        let begun = visitor.get(&at.sign_in_url).await;
        let sent = location(&at.sign_in_url, &begun);
        assert_eq!(parameter(&sent, "redirect_uri"), at.redirect_uri.as_str());
        let mut answer = at.redirect_uri.clone();
        answer.query_pairs_mut().extend_pairs([
            ("code", "the-code"),
            ("state", &parameter(&sent, "state")),
            ("iss", &issuer.issuer),
        ]);
        let now = self.app.now().timestamp();
        let claims = json!({ "iss": issuer.issuer, "aud": "muster", "sub": "subject-anna", "iat": now,
            "exp": now + 600, "nonce": parameter(&sent, "nonce"), "email": "anna@acme.example",
            "email_verified": true });
        let header = json!({ "alg": "ES256", "kid": "own" });
        Attempt { visitor, answer, header, claims, token: None }
    }

    /// Brings the answer to Muster. What it answers is a token, or a code that says why there is none.
    pub async fn finish(&self, attempt: Attempt) -> (Visitor, Result<String, String>) {
        let Attempt { mut visitor, answer, header, claims, token } = attempt;
        let id_token = self.key.sign(&header.to_string(), &claims.to_string());
        let decent = json!({ "access_token": "at", "token_type": "Bearer", "id_token": id_token });
        self.issuer.answer("/token", token.unwrap_or(Answer::Json(decent)));
        let answered = visitor.get(&answer).await;
        (visitor, said(&answered))
    }

    async fn stop(self) {
        for evil in [self.issuer, self.attacker, self.inside] {
            evil.stop().await;
        }
        self.app.finish().await;
    }
}

/// A token that was shown, or the code of a refusal.
pub fn said(answer: &Response) -> Result<String, String> {
    match token_of(answer) {
        Some(token) => Ok(token),
        None if answer.status.is_redirection() => Ok(answer.header("location").unwrap_or("").to_owned()),
        None => Err(code_of(answer).unwrap_or_else(|| "NONE".to_owned())),
    }
}

impl Attempt {
    /// Changes what the ID token says.
    pub fn claiming(mut self, members: Value) -> Self {
        self.claims.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        self
    }

    /// Changes the answer's parameters.
    pub fn answering(mut self, change: impl FnOnce(&mut Vec<(String, String)>)) -> Self {
        self.answer = with(&self.answer, change);
        self
    }

    /// Lets the token endpoint say something else.
    pub fn given(self, token: Answer) -> Self {
        Self { token: Some(token), ..self }
    }
}

async fn t16_no_forged_or_misled_answer_of_an_issuer_signs_anybody_in(app: TestApp) {
    let targets = Targets::new(app).await;
    let mut tally = Tally::default();
    for (name, change) in CASES {
        let control = targets.attempt(Visitor::new()).await;
        let (_, opened) = targets.finish(control).await;
        let token = opened.unwrap_or_else(|code| panic!("{name}: without the attack: {code}"));
        assert_eq!(
            who(&targets.app.bearer(&token, None)).await.as_deref(),
            Ok("anna@acme.example"),
            "{name}: without the attack it signs in"
        );
        let tenants = [&targets.acme, &targets.other];
        let attempt = targets.attempt(Visitor::new()).await;
        let attempt = change(&targets, attempt).await;
        let before = left_behind(&targets.app, &tenants).await;
        let (_, answered) = targets.finish(attempt).await;
        tally.note(name, answered);
        assert_eq!(left_behind(&targets.app, &tenants).await, before, "{name}: nothing is bound");
        targets.issuer.behave(&[&targets.key.jwk]);
        // What was published for this attack is forgotten before the next.
        targets.app.clock.advance(Duration::minutes(5));
    }
    assert_eq!(targets.inside.asked_in_all(), 0, "nobody was led inside");
    tally.passes(40);
    targets.stop().await;
}
