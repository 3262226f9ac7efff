//! Connecting through the provider's pages: a fresh sign-in of the administrator, then the organisation's consent. Also
//! handles the redirects of all sign-ins at a provider.

use std::sync::Arc;

use domain::connect::{ConnectPurpose, ConnectStep};
use providers::{AuthorizationRequest, CodeExchange, ConsentFlow, Provider, SignInPurpose};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, QueryFilter, sea_query::Expr};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Connect, ConsentQuestion, NextPage, SessionRow,
    session::{integration_of, session_ended, set_step, verifier_context},
};
use crate::{
    Error, Refusal, Result, Tx, integrations, messages,
    proof::{Anyone, TenantScope},
};

/// The account that signed in at the provider; stored in the connect session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SessionAccount {
    pub(super) external: String,
    account: String,
}

impl Connect {
    /// The connector for the calendar system of a connect session.
    pub(super) async fn connector_of(&self, session: &SessionRow) -> Result<Arc<dyn Provider>> {
        if let Some(chosen) = &session.provider {
            return self.services.connectors.get(chosen.require()?);
        }
        let scope = TenantScope::new(session.tenant_id);
        let rows = self.services.integrations().by_ids(scope, &[integration_of(session)?]).await?;
        let row = rows.into_iter().next().ok_or_else(session_ended)?;
        self.services.connectors.get(integrations::provider(&row)?)
    }

    /// Handles the redirect to `path` after the administrator's sign-in at the provider. The connect attempt ends
    /// unless the sign-in is valid and was made by the right administrator.
    pub async fn complete_sign_in(
        &self,
        _by: Anyone,
        cookie: &str,
        path: &str,
        answer: RedirectParams,
    ) -> Result<NextPage> {
        let (session, verifier) =
            self.consume_redirect(cookie, ConnectPurpose::Connect, path, &answer).await?;
        let connector = self.connector_of(&session).await?;
        let redirect = ValidRedirect { session, verifier, path, answer };
        match connector.consent_flow() {
            ConsentFlow::Pages => self.administrator_signed_in(&*connector, redirect).await,
            ConsentFlow::Login { .. } | ConsentFlow::ServiceAccount { .. } => {
                self.complete_administrator_sign_in(&*connector, redirect).await
            }
        }
    }

    async fn administrator_signed_in(
        &self,
        connector: &dyn Provider,
        redirect: ValidRedirect<'_>,
    ) -> Result<NextPage> {
        let signed = self.redeem_sign_in(connector, &redirect).await;
        let (tx, mut session) = self.begin_step(&redirect.session).await?;
        match signed {
            Ok(signed) => {
                session = set_signed_in(&tx, session, &signed).await?;
                set_step(&tx, &mut session, ConnectStep::Asking).await?;
                tx.commit().await?;
                Ok(NextPage::Ask)
            }
            Err(error) => self.give_up(tx, session, &error).await,
        }
    }

    /// Returns the account, organisation and tenant of the consent, which are shown to the administrator before the
    /// consent.
    pub async fn consent_question(&self, _by: Anyone, cookie: &str) -> Result<ConsentQuestion> {
        let (session, signed) = self.asking(cookie).await?;
        let tenant = self.services.tenants().find(session.tenant_id).await?;
        let tenant = tenant.map(|tenant| tenant.name).unwrap_or_default();
        let SessionAccount { account, external: organisation, .. } = signed;
        Ok(ConsentQuestion { tenant, account, organisation, session: session.id })
    }

    /// Redirects the browser to the provider's page for the organisation's consent.
    pub async fn redirect_to_consent(&self, _by: Anyone, cookie: &str) -> Result<NextPage> {
        let (session, signed) = self.asking(cookie).await?;
        let connector = self.connector_of(&session).await?;
        let path = connector.redirect_paths().consented.ok_or_else(session_ended)?;
        let (tx, mut session) = self.begin_step(&session).await?;
        let state = self.create_redirect_state(&tx, &mut session, path).await?;
        let url =
            connector.consent_url(&signed.external, &self.services.settings.absolute_url(path), &state)?;
        tx.commit().await?;
        Ok(NextPage::Provider(url))
    }

    /// Finds a connect session whose administrator has signed in and may be redirected to the consent page, even
    /// repeatedly.
    async fn asking(&self, cookie: &str) -> Result<(SessionRow, SessionAccount)> {
        let session = self.find_session(cookie, ConnectPurpose::Connect).await?;
        let signed = session.signed_in.clone().and_then(|signed| serde_json::from_value(signed).ok());
        match signed {
            Some(signed)
                if matches!(session.step.known(), Some(ConnectStep::Asking | ConnectStep::AtProvider)) =>
            {
                Ok((session, signed))
            }
            _ => Err(session_ended()),
        }
    }

    async fn redeem_sign_in(
        &self,
        connector: &dyn Provider,
        redirect: &ValidRedirect<'_>,
    ) -> Result<SessionAccount> {
        let who = self.redeem_code(connector, SignInPurpose::Administrator, redirect).await?;
        if !who.may_consent {
            let message = messages::not_an_administrator();
            return Err(Refusal::new("NOT_AN_ADMINISTRATOR", message).into());
        }
        let external = who.organisation.ok_or_else(sign_in_incomplete)?;
        Ok(SessionAccount { external, account: who.username })
    }

    /// Exchanges the authorisation code from a provider's sign-in redirect.
    pub(super) async fn redeem_code(
        &self,
        connector: &dyn Provider,
        purpose: SignInPurpose,
        redirect: &ValidRedirect<'_>,
    ) -> Result<providers::SignedInAccount> {
        let brought = CodeExchange {
            code: redirect.answer.code(connector)?,
            verifier: &redirect.verifier,
            redirect_uri: &self.services.settings.absolute_url(redirect.path),
            nonce: redirect.session.nonce.as_deref().unwrap_or_default(),
        };
        connector.redeem(purpose, &brought).await?.ok_or_else(sign_in_incomplete)
    }

    /// Handles the redirect after the organisation's consent. The organisation in the redirect is only compared with
    /// that of the sign-in.
    pub async fn complete_consent(
        &self,
        _by: Anyone,
        cookie: &str,
        path: &str,
        answer: RedirectParams,
    ) -> Result<NextPage> {
        let (session, _verifier) =
            self.consume_redirect(cookie, ConnectPurpose::Connect, path, &answer).await?;
        let connector = self.connector_of(&session).await?;
        let signed: Option<SessionAccount> =
            session.signed_in.clone().and_then(|signed| serde_json::from_value(signed).ok());
        let (mut tx, mut session) = self.begin_step(&session).await?;
        let is_same =
            |signed: &SessionAccount, tenant: &str| connector.is_same_organisation(&signed.external, tenant);
        let checked = answer.no_error(&*connector).and_then(|()| match (&signed, answer.tenant.as_deref()) {
            (Some(signed), Some(tenant)) if is_same(signed, tenant) => Ok(()),
            _ => {
                let message = messages::another_organisation_consented();
                Err(Refusal::new("TENANT_MISMATCH", message).into())
            }
        });
        if let Err(error) = checked {
            return self.give_up(tx, session, &error).await;
        }
        let Some(signed) = signed else { return Err(session_ended()) };
        let secret = connector.organisation_consent(signed.external)?;
        self.store_consent_for_run(&mut tx, &mut session, &signed.account, &secret, None).await?;
        tx.commit().await?;
        Ok(NextPage::Progress)
    }

    /// Redirects a browser to the provider's sign-in, with `path` as the redirect target.
    pub(super) async fn sign_in_redirect(
        &self,
        tx: &Tx,
        session: &mut SessionRow,
        connector: &dyn Provider,
        (purpose, path): (SignInPurpose, Option<&str>),
        login_hint: Option<&str>,
    ) -> Result<NextPage> {
        let path = path.ok_or_else(session_ended)?;
        let verifier = self.services.ids.random_secret();
        let challenge = base64url(&Sha256::digest(verifier.as_bytes()));
        let nonce = self.services.ids.random_secret();
        let secrets = self.services.secrets();
        let sealed = secrets.seal(tx.conn(), verifier_context(session), verifier.as_bytes()).await?;
        let mut change = entity::connect_session::ActiveModel::from(session.clone());
        change.nonce = Set(Some(nonce.clone()));
        change.verifier = Set(Some(sealed));
        *session = change.update(tx.conn()).await?;
        let state = self.create_redirect_state(tx, session, path).await?;
        let redirect_uri = &self.services.settings.absolute_url(path);
        let (state, nonce, challenge) = (&state, &nonce, &challenge);
        let request = AuthorizationRequest { redirect_uri, state, nonce, challenge, login_hint };
        Ok(NextPage::Provider(connector.sign_in_url(purpose, &request)?))
    }

    /// Creates a single-use OAuth `state` for the connect step that ends at `path`.
    pub(super) async fn create_redirect_state(
        &self,
        tx: &Tx,
        session: &mut SessionRow,
        path: &str,
    ) -> Result<String> {
        let state = self.services.ids.random_secret();
        let mut change = entity::connect_session::ActiveModel::from(session.clone());
        change.state_hash = Set(Some(self.services.secrets().digest(&format!("{path}|{state}")).await?));
        change.step = Set(ConnectStep::AtProvider.into());
        *session = change.update(tx.conn()).await?;
        Ok(state)
    }

    /// Validates a redirect: the connect session must belong to this browser, and the `state` must be the unused one of
    /// this step. The `state` is consumed even on failure.
    pub(super) async fn consume_redirect(
        &self,
        cookie: &str,
        purpose: ConnectPurpose,
        path: &str,
        answer: &RedirectParams,
    ) -> Result<(SessionRow, SecretString)> {
        use entity::connect_session::{Column, update};
        let session = self.find_session(cookie, purpose).await?;
        let state = answer.state.as_deref().unwrap_or_default();
        let hash = self.services.secrets().digest(&format!("{path}|{state}")).await?;
        let tx = self.services.begin(session.tenant_id).await?;
        let used = update(session.tenant_id)
            .filter(Column::Id.eq(session.id))
            .filter(Column::StateHash.eq(hash))
            .col_expr(Column::StateHash, Expr::value(Option::<Vec<u8>>::None))
            .exec(tx.conn())
            .await?;
        tx.commit().await?;
        if used.rows_affected != 1 {
            let message = messages::state_invalid();
            return Err(Error::refuse("STATE_INVALID", message));
        }
        let sealed = session.verifier.clone().unwrap_or_default();
        let plain = self.services.secrets().open(verifier_context(&session), &sealed).await?;
        let verifier = String::from_utf8(plain).map_err(|_| Error::Unreadable { what: "connect_session" })?;
        Ok((session, verifier.into()))
    }
}

/// Parameters of a provider's redirect. They are not trusted.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct RedirectParams {
    /// The OAuth `state` that Muster sent.
    pub state: Option<String>,
    /// Authorisation code to exchange for a token.
    pub code: Option<String>,
    /// The organisation that has consented, according to the redirect.
    pub tenant: Option<String>,
    /// The provider's error code. It is checked first, because Microsoft sends `admin_consent=True` with errors too.
    pub error: Option<String>,
    /// The provider's description of the error.
    pub error_description: Option<String>,
}

impl RedirectParams {
    fn no_error(&self, connector: &dyn Provider) -> Result<()> {
        let Some(error) = self.error.as_deref() else { return Ok(()) };
        let description = self.error_description.as_deref().unwrap_or_default();
        let providers::ConsentDeclined = connector.redirect_error(error, description)?;
        let message = messages::consent_declined_at_provider();
        Err(Error::refuse("CONSENT_DECLINED", message))
    }

    fn code(&self, connector: &dyn Provider) -> Result<&str> {
        self.no_error(connector)?;
        self.code.as_deref().ok_or_else(sign_in_incomplete)
    }
}

/// A validated redirect from the provider, whose state was valid and unused.
pub(super) struct ValidRedirect<'a> {
    pub(super) session: SessionRow,
    pub(super) verifier: SecretString,
    /// Path to which the provider redirected.
    pub(super) path: &'a str,
    pub(super) answer: RedirectParams,
}

fn sign_in_incomplete() -> Error {
    Error::refuse("SIGN_IN_INCOMPLETE", messages::sign_in_incomplete())
}

async fn set_signed_in(tx: &Tx, session: SessionRow, signed: &SessionAccount) -> Result<SessionRow> {
    let mut change = entity::connect_session::ActiveModel::from(session);
    change.signed_in = Set(serde_json::to_value(signed).ok());
    Ok(change.update(tx.conn()).await?)
}

fn base64url(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
