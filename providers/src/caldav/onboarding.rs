//! Connecting with a user name and password on the customer's own CalDAV server.

use super::CalDav;
use crate::{ConsentFlow, Onboarding};

impl Onboarding for CalDav {
    fn consent_flow(&self) -> ConsentFlow {
        ConsentFlow::Login { finds_server: false }
    }
}
