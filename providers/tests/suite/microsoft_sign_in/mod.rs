//! Sign-in, consent and tokens against the sandbox's identity platform.

use std::sync::Arc;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chrono::Duration;
use providers::{
    Credential, Directory as _, Error, ErrorKind, Events as _, Remedy, Result, Session, StaticCredentials,
    microsoft::{
        ClientCredential,
        identity::{ANY_ORGANIZATION, AuthorizationPurpose, IdentityClient, Tokens},
    },
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    microsoft_browser::{Will, said, visit},
    microsoft_setup::{BACK, Setup, text},
};

const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters";

fn verifier() -> SecretString {
    SecretString::from(VERIFIER)
}

/// Sends somebody to sign in; returns where the browser came back to.
async fn go(setup: &Setup, ask: AuthorizationPurpose, will: Will<'_>) -> url::Url {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let url = setup.identity.authorize_url(ask, BACK, "state", "nonce", &challenge, None).unwrap();
    visit(&setup.client, url, BACK, will).await
}

async fn sign_in(setup: &Setup, ask: AuthorizationPurpose, person: &Value) -> Tokens {
    let back = go(setup, ask, Will::Agree(text(&person["address"]))).await;
    assert_eq!(said(&back, "state").as_deref(), Some("state"));
    let code = said(&back, "code").unwrap();
    setup.identity.redeem_code(&code, &verifier(), BACK, ANY_ORGANIZATION).await.unwrap()
}

/// The claims of an application's token.
fn claims(token: &SecretString) -> Value {
    let payload = token.expose_secret().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// The application permissions in a token.
fn roles(token: &SecretString) -> Vec<String> {
    serde_json::from_value(claims(token)["roles"].clone()).unwrap_or_default()
}

fn told<T>(result: Result<T>) -> (ErrorKind, String) {
    let error: Error = result.err().unwrap();
    (error.kind, error.code)
}

#[tokio::test]
async fn a_sign_in_proves_tenant_person_and_role() {
    let setup = Setup::start().await;
    let acme = setup.organisation("Acme", 3, 0).await;
    for (person, administrator) in [(&acme["admin"], true), (&acme["users"][1], false)] {
        let tokens = sign_in(&setup, AuthorizationPurpose::SignIn, person).await;
        assert!(tokens.refresh_token.is_none(), "a sign-in leaves nothing lasting");
        let id_token = tokens.id_token.unwrap();
        let signed_in = setup.identity.verify_id_token(&id_token, "nonce").await.unwrap();
        assert_eq!(signed_in.tenant_id, text(&acme["id"]));
        assert_eq!(signed_in.object_id, text(&person["id"]));
        assert_eq!(signed_in.username, text(&person["address"]));
        assert_eq!(setup.identity.is_administrator(&tokens.access_token).await.unwrap(), administrator);
        let replayed = setup.identity.verify_id_token(&id_token, "another-nonce").await;
        assert_eq!(told(replayed), (ErrorKind::Invalid, "ID_TOKEN_NONCE".to_owned()));
        setup.clock.advance(Duration::hours(2));
        let late = setup.identity.verify_id_token(&id_token, "nonce").await;
        assert_eq!(told(late), (ErrorKind::Invalid, "ID_TOKEN_EXPIRED".to_owned()));
    }
}

#[tokio::test]
async fn a_tenant_that_somebody_typed_is_not_the_tenant_of_the_signer() {
    let setup = Setup::start().await;
    let victim = setup.organisation("Victim", 3, 0).await;
    setup.consent(&victim).await;
    let attacker = setup.organisation("Attacker", 3, 0).await;
    let redirect = format!("{BACK}?admin_consent=True&tenant={}&state=state", text(&victim["id"]));
    let typed = said(&redirect.parse().unwrap(), "tenant").unwrap();
    let token = setup.identity.app_token(&typed, None).await.unwrap().access_token;
    assert_eq!(claims(&token)["tid"], typed, "the victim's consent for another customer gives a token");
    let tokens = sign_in(&setup, AuthorizationPurpose::SignIn, &attacker["admin"]).await;
    let signed_in = setup.identity.verify_id_token(&tokens.id_token.unwrap(), "nonce").await.unwrap();
    assert_ne!(signed_in.tenant_id, typed, "the sign-in shows who it really was");
    assert_eq!(signed_in.tenant_id, text(&attacker["id"]));
}

#[tokio::test]
async fn a_code_is_good_once_and_only_with_its_verifier() {
    let setup = Setup::start().await;
    let acme = setup.organisation("Acme", 3, 0).await;
    let back = go(&setup, AuthorizationPurpose::SignIn, Will::Agree(text(&acme["admin"]["address"]))).await;
    let code = said(&back, "code").unwrap();
    let redeem = async |verifier: &str| {
        let verifier = SecretString::from(verifier.to_owned());
        setup.identity.redeem_code(&code, &verifier, BACK, ANY_ORGANIZATION).await
    };
    assert_eq!(told(redeem("another-verifier").await), (ErrorKind::Invalid, "AADSTS501481".to_owned()));
    redeem(VERIFIER).await.unwrap();
    assert_eq!(told(redeem(VERIFIER).await), (ErrorKind::Invalid, "AADSTS54005".to_owned()));
}

#[tokio::test]
async fn a_refusal_comes_back_as_a_declined_consent() {
    let setup = Setup::start().await;
    let acme = setup.organisation("Acme", 3, 0).await;
    let back = go(&setup, AuthorizationPurpose::OwnConsent, Will::Refuse).await;
    let consent = setup.identity.admin_consent_url(text(&acme["id"]), BACK, "state").unwrap();
    let consent = visit(&setup.client, consent, BACK, Will::Refuse).await;
    for back in [back, consent] {
        let (error, text) = (said(&back, "error").unwrap(), said(&back, "error_description").unwrap());
        let error = IdentityClient::redirect_error(&error, &text);
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::GrantLost, "AADSTS65004"));
    }
}

#[tokio::test]
async fn a_consent_that_has_not_spread_gives_a_token_without_permissions() {
    let setup = Setup::start().await;
    let acme = setup.organisation("Acme", 3, 0).await;
    let tenant = text(&acme["id"]);
    let never = setup.identity.app_token(tenant, None).await;
    assert_eq!(told(never), (ErrorKind::GrantLost, "AADSTS700016".to_owned()));
    setup.control(&format!("organisations/{tenant}/settings"), &json!({ "consent_delay_s": 120 })).await;
    let back = setup.consent(&acme).await;
    assert_eq!(said(&back, "tenant").as_deref(), Some(tenant));
    let early = setup.identity.app_token(tenant, None).await.unwrap().access_token;
    assert_eq!(roles(&early), Vec::<String>::new());
    let session = setup.session(&acme);
    let people = setup.microsoft.people(&session, None).await.unwrap_err();
    assert_eq!((people.kind, people.remedy), (ErrorKind::GrantLost, Remedy::Reconnect));
    setup.clock.advance(Duration::seconds(121));
    let later = setup.identity.app_token(tenant, None).await.unwrap().access_token;
    assert!(roles(&later).contains(&"Calendars.ReadWrite".to_owned()), "{:?}", roles(&later));
    let nowhere = setup.identity.app_token("00000000-aaaa-4bbb-8ccc-dddddddddddd", None).await;
    assert_eq!(told(nowhere), (ErrorKind::Misconfigured, "AADSTS90002".to_owned()));
}

#[tokio::test]
async fn an_own_consent_lasts_until_it_is_revoked() {
    let setup = Setup::start().await;
    let acme = setup.organisation("Acme", 3, 0).await;
    let first =
        sign_in(&setup, AuthorizationPurpose::OwnConsent, &acme["users"][1]).await.refresh_token.unwrap();
    let tenant = text(&acme["id"]);
    let second = setup.identity.refresh(tenant, &first, None).await.unwrap().refresh_token.unwrap();
    setup.identity.refresh(tenant, &second, None).await.unwrap();
    let client = json!({ "client_id": "11111111-2222-4333-8444-555555555555" });
    setup.control(&format!("organisations/{tenant}/revoke-consent"), &client).await;
    let error = setup.identity.refresh(tenant, &second, None).await.unwrap_err();
    assert_eq!((error.kind, error.remedy), (ErrorKind::GrantLost, Remedy::Reconnect));
}

#[tokio::test]
async fn an_own_consent_opens_the_own_mailbox_and_no_other() {
    let setup = Setup::start().await;
    let acme = setup.organisation("Acme", 3, 0).await;
    let (own, other) = (text(&acme["users"][1]["address"]), text(&acme["admin"]["address"]));
    let token = sign_in(&setup, AuthorizationPurpose::OwnConsent, &acme["users"][1]).await.access_token;
    let session = Session {
        credentials: Arc::new(StaticCredentials(Credential::Bearer(token))),
        account: own.to_owned(),
        own: true,
        zone: None,
        ..setup.session(&acme)
    };
    assert_eq!(setup.microsoft.mailbox(&session, own).await.unwrap().address, own);
    assert!(setup.microsoft.calendar(&session, own).await.unwrap().capabilities.can_write());
    let another = setup.microsoft.mailbox(&session, other).await;
    assert_eq!(told(another), (ErrorKind::OutOfScope, "ANOTHER_ACCOUNT".to_owned()));
    let refused = setup.microsoft.calendar(&session, other).await.unwrap_err();
    assert_eq!((refused.kind, refused.remedy), (ErrorKind::OutOfScope, Remedy::SkipMailbox));
}

/// A key, its PEM, and just enough of a certificate (DER) around its public half.
fn certificate() -> (String, Vec<u8>) {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let private = AsDer::<Pkcs8V1Der<'static>>::as_der(&pair).unwrap();
    let public = AsDer::<PublicKeyX509Der<'static>>::as_der(pair.public_key()).unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(private.as_ref())
    );
    let sequence = |content: &[u8]| {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[0x30, 0x82], &length[..], content].concat()
    };
    let empty = sequence(&[]);
    let body = [&[0x02, 0x01, 0x01], &empty[..], &empty, &empty, &empty, public.as_ref()].concat();
    (pem, sequence(&sequence(&body)))
}

#[tokio::test]
async fn a_certificate_opens_what_a_secret_opens_and_a_foreign_key_does_not() {
    let (pem, certificate_der) = certificate();
    let registered = STANDARD.encode(&certificate_der);
    let credential = |pem: &str| ClientCredential::Certificate {
        certificate_der: certificate_der.clone(),
        private_key_pem: SecretString::from(pem.to_owned()),
    };
    let setup = Setup::start_with(credential(&pem), vec![registered.clone()]).await;
    let acme = setup.organisation("Acme", 3, 0).await;
    setup.consent(&acme).await;
    let organisation = setup.microsoft.organisation(&setup.session(&acme)).await.unwrap();
    assert_eq!(organisation.id, text(&acme["id"]));

    let (foreign, _) = certificate();
    let setup = Setup::start_with(credential(&foreign), vec![registered]).await;
    let acme = setup.organisation("Acme", 3, 0).await;
    let refused = setup.identity.app_token(text(&acme["id"]), None).await;
    assert_eq!(told(refused), (ErrorKind::Misconfigured, "AADSTS700027".to_owned()));

    let setup = Setup::start_with(credential("not a key"), Vec::new()).await;
    let unusable = setup.identity.app_token("organizations", None).await;
    assert_eq!(told(unusable), (ErrorKind::Misconfigured, "CERTIFICATE_UNUSABLE".to_owned()));
}
