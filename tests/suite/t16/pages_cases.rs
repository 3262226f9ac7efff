//! The attacks of `pages.rs`, one entry each.

use chrono::Duration;
use serde_json::{Value, json};

use super::{
    evil::Answer,
    forge::{encoded, mac, unsigned},
    pages::{Attempt, Case, Targets, Then},
    visitor::{Visitor, parameter},
};

fn now<'a>(attempt: Attempt) -> Then<'a> {
    Box::pin(async { attempt })
}

fn set(pairs: &mut [(String, String)], name: &str, value: &str) {
    for pair in pairs.iter_mut().filter(|(each, _)| each == name) {
        value.clone_into(&mut pair.1);
    }
}

fn drop_one(pairs: &mut Vec<(String, String)>, name: &str) {
    pairs.retain(|(each, _)| each != name);
}

fn add(pairs: &mut Vec<(String, String)>, name: &str, value: &str) {
    pairs.push((name.to_owned(), value.to_owned()));
}

/// The token endpoint's answer with this in place of the ID token.
fn id_token(token: &str) -> Answer {
    Answer::Json(json!({ "access_token": "at", "token_type": "Bearer", "id_token": token }))
}

/// An ID token without an address, so that the issuer is asked for it, and what it tells.
fn told(targets: &Targets, mut attempt: Attempt, told: Value) -> Attempt {
    targets.issuer.answer("/me", Answer::Json(told));
    let claims = attempt.claims.as_object_mut().unwrap();
    claims.insert("sub".to_owned(), json!("subject-new"));
    drop((claims.remove("email"), claims.remove("email_verified")));
    attempt
}

pub const CASES: &[Case] = &[
    // The answer's own parameters.
    ("no state", |_, a| now(a.answering(|q| drop_one(q, "state")))),
    ("an empty state", |_, a| now(a.answering(|q| set(q, "state", "")))),
    ("another state", |_, a| now(a.answering(|q| set(q, "state", &"0".repeat(64))))),
    ("a state with a letter more", |_, a| {
        let state = parameter(&a.answer, "state") + "a";
        now(a.answering(|q| set(q, "state", &state)))
    }),
    ("state twice", |_, a| {
        let state = parameter(&a.answer, "state");
        now(a.answering(|q| add(q, "state", &state)))
    }),
    ("code twice", |_, a| now(a.answering(|q| add(q, "code", "another")))),
    ("iss twice", |s, a| now(a.answering(|q| add(q, "iss", &s.attacker.issuer)))),
    ("no code", |_, a| now(a.answering(|q| drop_one(q, "code")))),
    ("an empty code", |_, a| now(a.answering(|q| set(q, "code", "")))),
    ("an error", |_, a| now(a.answering(set_error))),
    ("an error beside a code", |_, a| now(a.answering(|q| add(q, "error", "access_denied")))),
    ("an empty error beside a code", |_, a| now(a.answering(|q| add(q, "error", "")))),
    ("the answer of another issuer", |s, a| now(a.answering(|q| set(q, "iss", &s.attacker.issuer)))),
    ("no iss of an issuer that always names itself", |_, a| now(a.answering(|q| drop_one(q, "iss")))),
    ("an empty iss", |_, a| now(a.answering(|q| set(q, "iss", "")))),
    ("an iss with a slash more", |s, a| {
        let iss = format!("{}/", s.issuer.issuer);
        now(a.answering(|q| set(q, "iss", &iss)))
    }),
    // Whose browser it is.
    ("a browser that began nothing", |_, a| now(Attempt { visitor: Visitor::new(), ..a })),
    ("a browser that began another sign-in", |s, a| {
        Box::pin(async move {
            let theirs = s.attempt(Visitor::new()).await;
            Attempt { visitor: theirs.visitor, ..a }
        })
    }),
    ("a browser that began again since", |s, a| {
        Box::pin(async move {
            let again = s.attempt(a.visitor.clone()).await;
            Attempt { visitor: again.visitor, ..a }
        })
    }),
    ("a cookie that was changed", |s, mut a| {
        let jar = a.visitor.jar.cookie_header(&a.answer).unwrap_or_default();
        let (name, value) = jar.split_once('=').unwrap_or_default();
        // The last digit holds four bits of the digest: these two differ in them.
        let other = if value.ends_with('A') { 'E' } else { 'A' };
        let changed = format!("{name}={}{other}; Path=/sign-in", &value[..value.len() - 1]);
        a.visitor.jar.store_cookie(&s.registered.redirect_uri, &changed);
        now(a)
    }),
    ("a cookie of another name for the same", |s, mut a| {
        let jar = a.visitor.jar.cookie_header(&a.answer).unwrap_or_default();
        let (_, sealed) = jar.split_once('.').unwrap_or_default();
        let renamed = format!("muster_sign_in={}.{sealed}; Path=/sign-in", "0".repeat(32));
        a.visitor.jar.store_cookie(&s.registered.redirect_uri, &renamed);
        now(a)
    }),
    ("a sign-in of eleven minutes", |s, a| {
        s.app.clock.advance(Duration::minutes(11));
        let now_is = s.app.now().timestamp();
        now(a.claiming(json!({ "iat": now_is, "exp": now_is + 600 })))
    }),
    ("an answer that was used", |s, a| {
        Box::pin(async move {
            let again = Attempt {
                visitor: a.visitor.clone(),
                answer: a.answer.clone(),
                header: a.header.clone(),
                claims: a.claims.clone(),
                token: None,
            };
            s.finish(a).await.1.expect("the first time it counts");
            again
        })
    }),
    // Where the answer is brought to.
    ("the answer at the address of another issuer", |s, mut a| {
        a.answer.set_path(s.attackers.redirect_uri.path());
        now(a)
    }),
    ("the answer at the address of another tenant", |s, mut a| {
        a.answer.set_path(s.elsewhere.redirect_uri.path());
        now(a)
    }),
    ("the attacker's issuer sends an answer to the trusted one's address", |s, a| {
        Box::pin(async move {
            let theirs = s.attempt_at(a.visitor.clone(), &s.attackers, &s.attacker).await;
            let state = parameter(&theirs.answer, "state");
            Attempt { visitor: theirs.visitor, ..a }.answering(|q| set(q, "state", &state))
        })
    }),
    ("the trusted issuer's answer ends a sign-in at the attacker's", |s, a| {
        Box::pin(async move {
            let theirs = s.attempt_at(a.visitor.clone(), &s.attackers, &s.attacker).await;
            Attempt { claims: a.claims, header: a.header, ..theirs }
                .answering(|q| set(q, "iss", &s.issuer.issuer))
        })
    }),
    // What the token endpoint says.
    ("another nonce", |_, a| now(a.claiming(json!({ "nonce": "0".repeat(64) })))),
    ("no nonce", |_, a| now(a.claiming(json!({ "nonce": null })))),
    ("the nonce of an earlier sign-in", |s, a| {
        Box::pin(async move {
            let earlier = s.attempt(Visitor::new()).await;
            a.claiming(json!({ "nonce": earlier.claims["nonce"] }))
        })
    }),
    ("an ID token for another client", |_, a| now(a.claiming(json!({ "aud": "another" })))),
    ("an ID token of the attacker's issuer", |s, a| now(a.claiming(json!({ "iss": s.attacker.issuer })))),
    ("an ID token by the attacker's key", |s, a| {
        let (header, claims) = (json!({ "alg": "EdDSA", "kid": "own" }), a.claims.to_string());
        let token = s.attackers_key.sign(&header.to_string(), &claims);
        now(a.given(id_token(&token)))
    }),
    ("an ID token without signature", |_, a| {
        let token = unsigned(r#"{"alg":"none","kid":"own"}"#, &a.claims.to_string());
        now(a.given(id_token(&token)))
    }),
    ("an ID token by the client's id for a secret", |_, a| {
        let token = mac(b"muster", r#"{"alg":"HS256","kid":"own"}"#, &a.claims.to_string());
        now(a.given(id_token(&token)))
    }),
    ("an access token in place of the ID token", |_, mut a| {
        a.header["typ"] = json!("at+jwt");
        now(a)
    }),
    ("an ID token that has ended", |s, a| {
        let long_ago = s.app.now().timestamp() - 3_600;
        now(a.claiming(json!({ "iat": long_ago, "exp": long_ago + 600 })))
    }),
    ("an ID token that is no token", |_, a| {
        let token = encoded(a.claims.to_string().as_bytes());
        now(a.given(id_token(&token)))
    }),
    ("no ID token", |_, a| {
        now(a.given(Answer::Json(json!({ "access_token": "at", "token_type": "Bearer" }))))
    }),
    ("an ID token twice", |s, a| {
        let good = s.key.sign(&a.header.to_string(), &a.claims.to_string());
        let text = format!(
            r#"{{"access_token":"at","token_type":"Bearer","id_token":"{good}","id_token":"{good}"}}"#
        );
        now(a.given(Answer::Text(text)))
    }),
    ("a token endpoint that refuses", |_, a| now(a.given(Answer::Status(400)))),
    ("a token endpoint that is broken", |_, a| now(a.given(Answer::Status(500)))),
    ("a token endpoint that answers no JSON", |_, a| now(a.given(Answer::Text("<html>".to_owned())))),
    ("a token endpoint that answers without end", |_, a| now(a.given(Answer::Huge))),
    ("a token endpoint that leads inside", |s, a| {
        let to = format!("{}/token", s.inside.issuer);
        now(a.given(Answer::Redirect(to)))
    }),
    ("a token endpoint that does not answer", |_, a| now(a.given(Answer::Never))),
    // Who it is.
    ("another sub with the same address", |_, a| now(a.claiming(json!({ "sub": "subject-anna-2" })))),
    ("an address that is not verified", |_, a| {
        now(a.claiming(json!({ "sub": "b", "email": "bert@acme.example", "email_verified": false })))
    }),
    ("an address of another tenant's user", |_, a| {
        now(a.claiming(json!({ "sub": "c", "email": "carl@other.example" })))
    }),
    ("nobody's address", |_, a| now(a.claiming(json!({ "sub": "n", "email": "nobody@acme.example" })))),
    ("no address at all", |s, a| now(told(s, a, json!({ "sub": "subject-new" })))),
    ("an address that the issuer tells of somebody else", |s, a| {
        now(told(s, a, json!({ "sub": "b", "email": "bert@acme.example", "email_verified": true })))
    }),
    ("an address that the issuer tells of nobody", |s, a| {
        now(told(s, a, json!({ "email": "bert@acme.example", "email_verified": true })))
    }),
    ("an address that the issuer tells unverified", |s, a| {
        now(told(
            s,
            a,
            json!({ "sub": "subject-new", "email": "bert@acme.example", "email_verified": false }),
        ))
    }),
    // What the issuer publishes meanwhile.
    ("the key is taken back", |s, a| {
        s.issuer.behave(&[]);
        s.app.clock.advance(Duration::minutes(6));
        let now_is = s.app.now().timestamp();
        now(a.claiming(json!({ "iat": now_is, "exp": now_is + 600 })))
    }),
];

fn set_error(pairs: &mut Vec<(String, String)>) {
    drop_one(pairs, "code");
    add(pairs, "error", "access_denied");
}
