//! Sign-in, consent, tokens.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    certificates::Certificate,
    setup::{CLIENT, RETURN, SECRET, Setup, VERIFIER, answer, claims, credentials, member, start, text},
};

#[tokio::test]
async fn an_administrator_consents_and_the_redirect_names_the_tenant() {
    let setup = Setup::new().await;
    let back = setup.consent().await;
    assert_eq!(member(&back, "admin_consent"), "True");
    assert_eq!(member(&back, "tenant"), setup.tenant);
    assert_eq!(member(&back, "state"), "s1");
    assert_eq!(member(&back, "error"), "");
    let token = claims(&setup.application().await);
    assert_eq!(
        token["roles"],
        json!(["Calendars.ReadWrite", "MailboxSettings.Read", "Place.Read.All", "User.Read.All"])
    );
    assert_eq!(token["tid"], setup.tenant.as_str());
    assert_eq!(token["appid"], CLIENT);
    assert!(token["scp"].is_null());
}

#[tokio::test]
async fn a_refused_consent_is_an_error_in_the_shape_of_each_endpoint() {
    let setup = Setup::new().await;
    let query = format!(
        "client_id={CLIENT}&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default&redirect_uri={RETURN}&state=s"
    );
    for (path, consent, error) in
        [("v2.0/adminconsent", "True", "consent_required"), ("adminconsent", "", "permission_denied")]
    {
        let url = setup.url(&format!("{}/{path}?{query}", setup.tenant));
        let page = setup.client.get(url).send().await.unwrap().text().await.unwrap();
        let page = setup.submit(&page, "data-muster-next", &[]).await.text().await.unwrap();
        let refused = setup.submit(&page, "data-refuse", &[]).await;
        let back = refused.headers()["location"].to_str().unwrap().parse().unwrap();
        assert_eq!(
            (member(&back, "admin_consent"), member(&back, "error")),
            (consent.to_owned(), error.to_owned())
        );
    }
    let (status, refused) = setup.token(&credentials()).await;
    assert_eq!((status, &refused["error_codes"]), (400, &json!([700_016])));
    assert_eq!(refused["error"], "unauthorized_client");
}

#[tokio::test]
async fn somebody_who_is_no_administrator_cannot_consent_for_the_organisation() {
    let setup = Setup::new().await;
    let path = format!("organizations/adminconsent?client_id={CLIENT}&redirect_uri={RETURN}&state=s");
    let page = setup.client.get(setup.url(&path)).send().await.unwrap().text().await.unwrap();
    let member = [("address", "ada@acme.test")];
    let answer = setup.submit(&page, "data-muster-next", &member).await;
    assert_eq!(answer.status(), 403);
    // Even a forged acceptance only leads back to the same page.
    let forged = [("address", "ada@acme.test"), ("step", "consent"), ("decision", "accept")];
    assert_eq!(setup.submit(&page, "data-muster-next", &forged).await.status(), 403);
    assert_eq!(setup.token(&credentials()).await.0, 400);
}

#[tokio::test]
async fn a_browser_is_never_sent_to_an_address_that_is_not_registered() {
    let setup = Setup::new().await;
    let query = "response_type=code&scope=openid";
    for (query, code) in [
        (format!("{query}&client_id={CLIENT}&redirect_uri=http://evil.test/"), "AADSTS50011"),
        (format!("{query}&client_id=nobody&redirect_uri={RETURN}"), "AADSTS700016"),
    ] {
        let url = setup.url(&format!("organizations/oauth2/v2.0/authorize?{query}"));
        let answer = setup.client.get(url).send().await.unwrap();
        assert_eq!(answer.status(), 400);
        let page = answer.text().await.unwrap();
        assert!(page.contains(code) && !page.contains("<form"), "{page}");
    }
}

#[tokio::test]
async fn the_errors_of_a_sign_in_go_back_with_the_state() {
    let setup = Setup::new().await;
    let base =
        format!("organizations/oauth2/v2.0/authorize?client_id={CLIENT}&redirect_uri={RETURN}&state=s9");
    for (more, error) in [
        ("&scope=openid", "invalid_request"),
        ("&response_type=token&scope=openid", "unsupported_response_type"),
        ("&response_type=code&scope=Rule.The.World", "invalid_scope"),
        ("&response_type=code&scope=openid&prompt=none", "login_required"),
        ("&response_type=code&scope=openid&code_challenge=x&code_challenge_method=plain", "invalid_request"),
    ] {
        let back = setup.follow(setup.client.get(setup.url(&format!("{base}{more}")))).await;
        assert_eq!(
            (member(&back, "error"), member(&back, "state")),
            (error.to_owned(), "s9".to_owned()),
            "{more}"
        );
    }
}

#[tokio::test]
async fn a_code_gives_tokens_once_and_only_to_its_verifier() {
    let setup = Setup::new().await;
    let scope = "openid profile email offline_access Calendars.ReadWrite";
    let code = setup.code("bob@acme.test", scope).await;
    let (status, refused) = setup.redeem(&code, "somebody-elses-verifier").await;
    assert_eq!(
        (status, &refused["error"], &refused["error_codes"]),
        (400, &json!("invalid_grant"), &json!([501_481]))
    );

    let (status, tokens) = setup.redeem(&code, VERIFIER).await;
    assert_eq!(status, 200, "{tokens}");
    assert_eq!(tokens["scope"], "Calendars.ReadWrite email openid profile");
    let id = claims(&text(&tokens["id_token"]));
    for (claim, expected) in [
        ("aud", json!(CLIENT)),
        ("iss", json!(format!("{}/{}/v2.0", setup.base, setup.tenant))),
        ("tid", json!(setup.tenant)),
        ("preferred_username", json!("bob@acme.test")),
        ("email", json!("bob@acme.test")),
        ("name", json!("Bob Becker")),
        ("nonce", json!("n2")),
        ("ver", json!("2.0")),
        ("iat", json!(start().timestamp())),
        ("exp", json!(start().timestamp() + 3600)),
    ] {
        assert_eq!(id[claim], expected, "{claim}");
    }
    assert!(id["oid"].is_string() && id["sub"].is_string() && id["oid"] != id["sub"]);

    let (status, refused) = setup.redeem(&code, VERIFIER).await;
    assert_eq!((status, &refused["error_codes"]), (400, &json!([54005])));
}

#[tokio::test]
async fn a_code_dies_after_ten_minutes_and_belongs_to_its_tenant() {
    let setup = Setup::new().await;
    let other = setup.control("organisations", crate::setup::fixture("Other", "other.test")).await;
    let members = |code| {
        [
            ("client_id", CLIENT),
            ("client_secret", SECRET),
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", RETURN),
            ("code_verifier", VERIFIER),
        ]
    };
    let code = setup.code("ada@acme.test", "openid").await;
    let (_, refused) = setup.token_of(&text(&other["id"]), &members(&code)).await;
    assert_eq!(refused["error_codes"], json!([700_005]));
    setup.control("clock/advance", json!({"seconds": 600})).await;
    let (_, refused) = setup.token(&members(&code)).await;
    assert_eq!(refused["error_codes"], json!([70008]));
}

#[tokio::test]
async fn refresh_tokens_rotate_and_may_ask_for_less_but_not_for_more() {
    let setup = Setup::new().await;
    let code = setup.code("ada@acme.test", "offline_access User.Read Calendars.ReadWrite").await;
    let (_, first) = setup.redeem(&code, VERIFIER).await;
    let refresh = |token: String, scope: &'static str| {
        let setup = &setup;
        async move {
            setup
                .token(&[
                    ("client_id", CLIENT),
                    ("client_secret", SECRET),
                    ("grant_type", "refresh_token"),
                    ("refresh_token", &token),
                    ("scope", scope),
                ])
                .await
        }
    };
    let (status, second) = refresh(text(&first["refresh_token"]), "User.Read").await;
    assert_eq!((status, &second["scope"]), (200, &json!("User.Read")));
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    let (_, refused) = refresh(text(&second["refresh_token"]), "User.Read.All").await;
    assert_eq!(
        (&refused["error"], &refused["suberror"]),
        (&json!("invalid_grant"), &json!("consent_required"))
    );
    setup.control("clock/advance", json!({"seconds": 91 * 24 * 3600})).await;
    let (_, refused) = refresh(text(&second["refresh_token"]), "").await;
    assert_eq!(refused["error_codes"], json!([700_082]));
}

#[tokio::test]
async fn client_credentials_take_the_secret_in_the_body_or_as_basic_and_nothing_else() {
    let setup = Setup::consented().await;
    let (status, tokens) = setup.token(&credentials()).await;
    assert_eq!((status, &tokens["expires_in"], &tokens["token_type"]), (200, &json!(3599), &json!("Bearer")));
    assert!(tokens.get("scope").is_none() && tokens.get("refresh_token").is_none());

    let basic = |secret: &str| {
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        setup
            .client
            .post(setup.url(&format!("{}/oauth2/v2.0/token", setup.tenant)))
            .basic_auth(CLIENT, Some(encoded))
            .form(&credentials()[2..])
    };
    assert_eq!(answer(basic(SECRET)).await.0, 200);
    let (status, refused) = answer(basic("wrong")).await;
    assert_eq!(
        (status, &refused["error"], &refused["error_codes"]),
        (401, &json!("invalid_client"), &json!([7_000_215]))
    );
    assert!(
        text(&refused["error_description"]).starts_with("AADSTS7000215: Invalid client secret provided.")
    );
    assert_eq!(refused["timestamp"], "2026-11-16 08:00:00Z");

    let (_, refused) = setup.token(&[("client_id", CLIENT), ("grant_type", "client_credentials")]).await;
    assert_eq!(refused["error_codes"], json!([7_000_218]));
    let (_, refused) = setup.token_of("organizations", &credentials()).await;
    assert_eq!(refused["error_codes"], json!([9_001_023]));
    let (_, refused) = setup.token_of("nowhere.test", &credentials()).await;
    assert_eq!(refused["error_codes"], json!([90002]));
    let mut single = credentials();
    single[3].1 = "https://graph.microsoft.com/User.Read.All";
    assert_eq!(setup.token(&single).await.1["error"], "invalid_scope");
}

#[tokio::test]
async fn a_certificate_signs_assertions_in_both_algorithms() {
    let setup = Setup::consented().await;
    let (known, stranger) = (Certificate::new(), Certificate::new());
    setup
        .control(
            "apps",
            json!({
                "client_id": CLIENT, "redirect_uris": [RETURN], "certificates": [known.pem()]
            }),
        )
        .await;
    let now = start().timestamp();
    let endpoint = setup.url(&format!("{}/oauth2/v2.0/token", setup.tenant));
    let claims = |aud: &str, iss: &str, exp: i64| json!({"aud": aud, "iss": iss, "sub": CLIENT, "jti": "j", "nbf": now, "exp": exp});
    let good = claims(&endpoint, CLIENT, now + 300);
    let cases: [(Value, &Certificate, &str, Option<u32>); 6] = [
        (good.clone(), &known, "PS256", None),
        (good.clone(), &known, "RS256", None),
        (good, &stranger, "PS256", Some(700_027)),
        (claims("http://elsewhere.test/", CLIENT, now + 300), &known, "PS256", Some(50012)),
        (claims(&endpoint, "somebody", now + 300), &known, "PS256", Some(700_027)),
        (claims(&endpoint, CLIENT, now - 600), &known, "PS256", Some(500_133)),
    ];
    for (claims, certificate, algorithm, code) in cases {
        let assertion = certificate.assertion(algorithm, &claims);
        let (status, tokens) = setup
            .token(&[
                ("client_id", CLIENT),
                ("grant_type", "client_credentials"),
                ("scope", "https://graph.microsoft.com/.default"),
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", &assertion),
            ])
            .await;
        match code {
            None => assert_eq!(status, 200, "{tokens}"),
            Some(code) => assert_eq!((status, &tokens["error_codes"]), (401, &json!([code])), "{tokens}"),
        }
    }
}

#[tokio::test]
async fn a_token_before_the_consent_reaches_it_has_no_roles_and_opens_nothing() {
    let setup = Setup::new().await;
    setup.control(&format!("organisations/{}/settings", setup.tenant), json!({"consent_delay_s": 60})).await;
    setup.consent().await;
    let early = setup.application().await;
    assert!(claims(&early).get("roles").is_none());
    let (status, refused) = setup.get(&early, "users").await;
    assert_eq!((status, &refused["error"]["code"]), (403, &json!("Authorization_RequestDenied")));
    setup.control("clock/advance", json!({"seconds": 60})).await;
    assert_eq!(setup.get(&setup.application().await, "users").await.0, 200);
}

#[tokio::test]
async fn a_revoked_consent_kills_tokens_at_once_and_a_new_one_brings_new_tokens() {
    let setup = Setup::consented().await;
    let (token, code) =
        (setup.application().await, setup.code("ada@acme.test", "openid offline_access User.Read").await);
    let (_, personal) = setup.redeem(&code, VERIFIER).await;
    let revoke = format!("organisations/{}/revoke-consent", setup.tenant);
    setup.control(&revoke, json!({"client_id": CLIENT})).await;
    for token in [&token, &text(&personal["access_token"])] {
        let (status, refused) = setup.get(token, "users").await;
        assert_eq!((status, &refused["error"]["code"]), (401, &json!("InvalidAuthenticationToken")));
    }
    assert_eq!(setup.token(&credentials()).await.1["error_codes"], json!([700_016]));
    setup.consent().await;
    assert_eq!(setup.get(&setup.application().await, "users").await.0, 200);
    assert_eq!(setup.get(&token, "users").await.0, 401);

    setup.control(&revoke, json!({"client_id": CLIENT, "disable": true})).await;
    assert_eq!(setup.token(&credentials()).await.1["error_codes"], json!([7_000_112]));
}

#[tokio::test]
async fn access_tokens_expire_by_the_clock_and_on_demand() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    assert_eq!(setup.get(&token, "users").await.0, 200);
    setup.control("clock/advance", json!({"seconds": 3599})).await;
    assert_eq!(setup.get(&token, "users").await.0, 401);
    let token = setup.application().await;
    setup.control("tokens/expire", json!({})).await;
    let refused = setup.graph(&token, Method::GET, "users").send().await.unwrap();
    assert!(refused.headers().contains_key("www-authenticate"));
    assert_eq!(refused.status(), 401);
}

#[tokio::test]
async fn discovery_tells_the_endpoints_and_the_key_that_signs() {
    let setup = Setup::new().await;
    let (_, found) = answer(
        setup.client.get(setup.url(&format!("{}/v2.0/.well-known/openid-configuration", setup.tenant))),
    )
    .await;
    assert_eq!(found["issuer"], format!("{}/{}/v2.0", setup.base, setup.tenant));
    let (_, keys) = answer(setup.client.get(text(&found["jwks_uri"]))).await;
    let code = setup.code("ada@acme.test", "openid").await;
    let (_, tokens) = setup.redeem(&code, VERIFIER).await;
    let header = text(&tokens["id_token"]);
    let header: Value = {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header.split('.').next().unwrap()).unwrap()).unwrap()
    };
    assert_eq!((&header["alg"], &header["kid"]), (&json!("RS256"), &keys["keys"][0]["kid"]));
    let url = setup.url("organizations/v2.0/.well-known/openid-configuration");
    let (_, any) = answer(setup.client.get(url)).await;
    assert_eq!(any["issuer"], format!("{}/{{tenantid}}/v2.0", setup.base));
}
