//! The flows that end with a provider's redirect, each run up to that redirect.

use demo::browser::{Browser, Location, Page, local_client};
use providers::{
    google::OWN_CONSENTED_PATH as GOOGLE_OWN_CONSENTED_PATH,
    microsoft::{CONSENTED_PATH, OWN_CONSENTED_PATH, SIGNED_IN_PATH},
};
use serde_json::json;
use url::Url;

use super::variant::Whose::{self, Colleagues, Strangers};
use crate::{
    google,
    harness::{
        Org, TestApp,
        steps::{at, member},
    },
};

/// The step whose redirect an attempt waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// The administrator's sign-in at Microsoft.
    SignIn,
    /// The organisation's consent at Microsoft.
    Consent,
    /// A person's own consent at Microsoft.
    Own,
    /// A person's own consent at Google.
    OwnAtGoogle,
}

/// An attempt that has reached the provider's page and waits for the redirect.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The `Cookie` header of the browser.
    pub cookie: String,
    pub state: String,
    /// The provider's page.
    pub page: Url,
    /// The provider's id of the organisation.
    pub organisation: String,
    /// The address that is expected to sign in.
    pub account: String,
}

impl Flow {
    pub const fn path(self) -> &'static str {
        match self {
            Self::SignIn => SIGNED_IN_PATH,
            Self::Consent => CONSENTED_PATH,
            Self::Own => OWN_CONSENTED_PATH,
            Self::OwnAtGoogle => GOOGLE_OWN_CONSENTED_PATH,
        }
    }

    /// Other people who could sign in. An administrator who signs in through another organisation's link connects their
    /// own organisation to that link's tenant: a sign-in by itself binds nothing.
    pub const fn accounts(self) -> &'static [Whose] {
        match self {
            Self::SignIn => &[Colleagues],
            Self::Consent => &[],
            Self::Own | Self::OwnAtGoogle => &[Colleagues, Strangers],
        }
    }

    fn is_there(self) -> fn(&Page) -> bool {
        match self {
            Self::SignIn | Self::Own => at::sign_in,
            Self::Consent => at::consent,
            Self::OwnAtGoogle => google::at_google,
        }
    }

    /// Walks to the provider's page as the organisation's administrator or as one of its people.
    pub async fn begin(self, app: &TestApp, org: &Org, person: (usize, &str)) -> Attempt {
        let (link, account) = match self {
            Self::SignIn | Self::Consent => (app.invite(org).await, org.admin().to_owned()),
            Self::Own | Self::OwnAtGoogle => {
                let user = app.user(&org.tenant, person.1).await;
                let begun = user.query("mutation { connectOwnCalendar(input: {}) { url } }", json!({})).await;
                let url = begun["connectOwnCalendar"]["url"].as_str().unwrap_or_else(|| panic!("{begun}"));
                (url.to_owned(), org.people()[person.0].to_owned())
            }
        };
        let mut browser = app.browser(org);
        let page = app.walk_to(&mut browser, &link, self.is_there()).await;
        Attempt {
            cookie: browser.cookie_header(&app.base.join(self.path()).unwrap()).expect("a session"),
            state: member(&page, "state"),
            organisation: org.sandbox["id"].as_str().unwrap().to_owned(),
            page: page.url,
            account,
        }
    }
}

/// Signs in at a provider's page with `account` and consents; returns the code in the redirect.
pub async fn code(app: &TestApp, flow: Flow, page: &Url, account: &str) -> String {
    let back = app.base.join(flow.path()).unwrap();
    let mut browser = Browser::new(local_client().unwrap(), Vec::new()).with_landing(back);
    let mut place = browser.open(page.clone()).await.unwrap();
    for _ in 0..6 {
        match place {
            Location::Landed(url) => {
                let code = url.query_pairs().find(|(name, _)| name == "code");
                return code.unwrap_or_else(|| panic!("{url} has no code")).1.into_owned();
            }
            Location::Page(page) => place = browser.submit(&page, &[("address", account)]).await.unwrap(),
        }
    }
    panic!("{account} does not get through {page}")
}
