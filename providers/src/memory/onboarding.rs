//! Connecting with a login, with or without a server URL.

use crate::{ConsentFlow, Onboarding};

use super::Memory;

impl Onboarding for Memory {
    fn consent_flow(&self) -> ConsentFlow {
        ConsentFlow::Login { finds_server: true }
    }
}
