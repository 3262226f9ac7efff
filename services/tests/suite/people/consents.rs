//! Whose consent an integration uses: granted in a session, tried by the run, put in force, withdrawn.

use domain::{Id, ProviderKind, connect::ConnectStep, ids, state::IntegrationState};
use entity::{consent_grant, integration};
use services::{Anyone, Error, connect::ConsentSignal};

use crate::people::{
    connecting::{adopt, adopted, follow, link, made, only, organisation, put, sessions, typed},
    harness::{Harness, refused},
};

on_both!(
    a_consent_is_read_for_its_own_integration_alone,
    only_the_browser_whose_consent_is_in_force_authorises_it,
    whose_consent_was_in_force_before_authorises_no_later_one,
    an_abandoned_consent_leaves_no_secret_and_no_organisation,
    an_organisation_belongs_to_one_tenant_whoever_is_faster,
    a_consent_whose_organisation_is_not_bound_gives_no_access,
);

/// What the integration's run does with the consent of a session that it has tried.
async fn activate_consent(
    h: &Harness,
    tenant: Id<ids::Tenant>,
    session: Id<ids::ConnectSession>,
) -> integration::Model {
    let (connect, row) = (h.services.connect(), only(h, tenant).await);
    let secret = connect.stored_consent(&h.services, tenant, row.id, session).await.unwrap();
    let server = Some("https://dav.example/".parse().unwrap());
    let said = ConsentSignal { session, by: "svc".to_owned(), server, id: None };
    let organisation = organisation("https://dav.example/svc/");
    connect.activate_consent(&h.services, &row, &said, &secret, &organisation).await.unwrap();
    row
}

async fn a_consent_is_read_for_its_own_integration_alone(h: Harness) {
    let tenant = h.tenant("acme").await;
    let cookie = follow(&h, &link(&h, tenant).await).await;
    h.services.connect().submit_credentials(Anyone, &cookie, typed("https://dav.example/")).await.unwrap();
    let session = sessions(&h, tenant).await.remove(0);
    let other = made(&h, &h.vendor(tenant).await, ProviderKind::CalDav).await;
    let connect = h.services.connect();
    assert!(
        connect
            .stored_consent(&h.services, tenant, session.integration_id.unwrap(), session.id)
            .await
            .is_ok()
    );
    assert_eq!(
        refused(connect.stored_consent(&h.services, tenant, other.id, session.id).await.map(|_| ())),
        "SESSION_OVER"
    );
    let stranger = h.tenant("other").await;
    let read =
        connect.stored_consent(&h.services, stranger, session.integration_id.unwrap(), session.id).await;
    assert_eq!(refused(read.map(|_| ())), "SESSION_OVER");
}

/// A second browser with the same link grants access too, but the run has tried the consent of the first.
async fn only_the_browser_whose_consent_is_in_force_authorises_it(h: Harness) {
    let tenant = h.tenant("acme").await;
    let token = link(&h, tenant).await;
    let connect = h.services.connect();
    let granted = follow(&h, &token).await;
    connect.submit_credentials(Anyone, &granted, typed("https://dav.example/")).await.unwrap();
    let first = sessions(&h, tenant).await.remove(0).id;
    let other = follow(&h, &token).await;
    connect.submit_credentials(Anyone, &other, typed("https://elsewhere.example/")).await.unwrap();
    activate_consent(&h, tenant, first).await;
    put(&h, tenant, IntegrationState::AwaitingAuthorization).await;
    let undecided = follow(&h, &token).await;
    for stranger in [&other, &undecided] {
        assert_eq!(refused(connect.authorise(Anyone, stranger).await), "SIGN_IN_INCOMPLETE");
    }
    assert!(connect.authorise(Anyone, &granted).await.is_ok());
    let kept: Vec<_> = sessions(&h, tenant)
        .await
        .into_iter()
        .filter(|row| row.consent.is_some())
        .map(|row| row.id)
        .collect();
    assert!(!kept.contains(&first), "the password stands in its place and nowhere else");
    assert_eq!(kept.len(), 1, "the other consent is still to be tried");
}

async fn whose_consent_was_in_force_before_authorises_no_later_one(h: Harness) {
    let tenant = h.tenant("acme").await;
    let token = link(&h, tenant).await;
    let connect = h.services.connect();
    let mut cookies = Vec::new();
    for _ in 0..2 {
        let cookie = follow(&h, &token).await;
        connect.submit_credentials(Anyone, &cookie, typed("https://dav.example/")).await.unwrap();
        let handed_over = sessions(&h, tenant).await;
        let session = handed_over.iter().find(|row| row.step == ConnectStep::HandedOver).unwrap().id;
        activate_consent(&h, tenant, session).await;
        cookies.push(cookie);
    }
    put(&h, tenant, IntegrationState::AwaitingAuthorization).await;
    assert_eq!(refused(connect.authorise(Anyone, &cookies[0]).await), "SIGN_IN_INCOMPLETE");
    assert!(connect.authorise(Anyone, &cookies[1]).await.is_ok());
}

async fn an_abandoned_consent_leaves_no_secret_and_no_organisation(h: Harness) {
    let tenant = h.tenant("acme").await;
    let cookie = follow(&h, &link(&h, tenant).await).await;
    let connect = h.services.connect();
    connect.submit_credentials(Anyone, &cookie, typed("https://dav.example/")).await.unwrap();
    let session = sessions(&h, tenant).await.remove(0).id;
    let row = activate_consent(&h, tenant, session).await;
    for _ in 0..2 {
        connect.withdraw(&h.services, tenant, row.id, false).await.unwrap();
        connect.delete_consents_of_finished_run(&h.services, tenant, row.id).await.unwrap();
    }

    let row = only(&h, tenant).await;
    assert_eq!(
        (row.external_tenant, row.external_name, row.server_url, row.consented_by),
        (None, None, None, None)
    );
    assert_eq!(sessions(&h, tenant).await.remove(0).consent, None);
    let txn = h.services.store.read(tenant).await.unwrap();
    assert_eq!(consent_grant::of(tenant).all(&txn).await.unwrap(), []);
    let bound = entity::external_binding::of(tenant).all(&txn).await.unwrap();
    assert_eq!(bound, []);
}

async fn an_organisation_belongs_to_one_tenant_whoever_is_faster(h: Harness) {
    let (one, two) = (h.tenant("one").await, h.tenant("two").await);
    let first = made(&h, &h.vendor(one).await, ProviderKind::Microsoft365).await;
    let second = made(&h, &h.vendor(two).await, ProviderKind::Microsoft365).await;
    let (first_in, second_in) = tokio::join!(adopt(&h, &first, "org"), adopt(&h, &second, "org"));
    assert_eq!(usize::from(first_in.is_ok()) + usize::from(second_in.is_ok()), 1);
    let (won, lost) = if first_in.is_ok() { (&first, &second) } else { (&second, &first) };
    assert_eq!(refused(adopt(&h, lost, "org").await), "ORGANISATION_TAKEN");
    assert!(adopt(&h, won, "org").await.is_ok(), "twice is once");
    let txn = h.services.store.read(lost.tenant_id).await.unwrap();
    assert_eq!(consent_grant::of(lost.tenant_id).all(&txn).await.unwrap(), [], "nothing is half-connected");
}

async fn a_consent_whose_organisation_is_not_bound_gives_no_access(h: Harness) {
    let tenant = h.tenant("acme").await;
    let row = adopted(&h, tenant, "org").await;
    let grants = h.services.grants();
    assert!(grants.open_session(&h.services, &row, None).await.is_ok());
    let tx = h.services.begin(tenant).await.unwrap();
    entity::external_binding::delete(tenant).exec(tx.conn()).await.unwrap();
    tx.commit().await.unwrap();
    let error = grants.open_session(&h.services, &row, None).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Provider(error) if error.kind == providers::ErrorKind::GrantLost));
}
