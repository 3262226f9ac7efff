//! The ways on which a provider's answer comes back, each up to that answer.

use muster::demo::browser::{Browser, Location, Page, client};
use serde_json::json;
use services::connect::{CONSENTED, GOOGLE_OWN_CONSENTED, OWN_CONSENTED, SIGNED_IN};
use url::Url;

use super::variant::Whose::{self, Colleagues, Strangers};
use crate::{
    google,
    harness::{
        Org, TestApp,
        steps::{at, member},
    },
};

/// Which answer is waited for.
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

/// An attempt that stands before the provider's answer.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The header `Cookie` of its browser.
    pub cookie: String,
    pub state: String,
    /// The provider's page, and the organisation in whose name it asks.
    pub page: Url,
    pub organisation: String,
    /// Who ought to sign in there.
    pub account: String,
}

impl Flow {
    pub const fn path(self) -> &'static str {
        match self {
            Self::SignIn => SIGNED_IN,
            Self::Consent => CONSENTED,
            Self::Own => OWN_CONSENTED,
            Self::OwnAtGoogle => GOOGLE_OWN_CONSENTED,
        }
    }

    /// Who else could sign in. An administrator who signs in with another organisation's link connects the own one to
    /// that link's tenant: a sign-in by itself binds nothing.
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

    /// Goes as far as the provider's page: the organisation's administrator, or one of its people.
    pub async fn begin(self, app: &TestApp, org: &Org, person: (usize, &str)) -> Attempt {
        let (link, account) = match self {
            Self::SignIn | Self::Consent => (app.invite(org).await, org.admin().to_owned()),
            Self::Own | Self::OwnAtGoogle => {
                let user = app.user(&org.tenant, person.1).await;
                let begun = user.query("mutation { connectOwnCalendar { url } }", json!({})).await;
                let url = begun["connectOwnCalendar"]["url"].as_str().unwrap_or_else(|| panic!("{begun}"));
                (url.to_owned(), org.people()[person.0].to_owned())
            }
        };
        let mut browser = app.browser(org);
        let page = app.walk_to(&mut browser, &link, self.is_there()).await;
        Attempt {
            cookie: browser.cookies(&app.base.join(self.path()).unwrap()).expect("a session"),
            state: member(&page, "state"),
            organisation: org.sandbox["id"].as_str().unwrap().to_owned(),
            page: page.url,
            account,
        }
    }
}

/// Signs in at a provider's page as somebody and consents; answers the code that the browser would bring back.
pub async fn code(app: &TestApp, flow: Flow, page: &Url, account: &str) -> String {
    let back = app.base.join(flow.path()).unwrap();
    let mut browser = Browser::new(client().unwrap(), Vec::new()).landing_at(back);
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
