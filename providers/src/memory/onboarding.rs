//! Connecting: a login is entered, with or without a server.

use crate::{ConsentShape, Onboarding};

use super::Memory;

impl Onboarding for Memory {
    fn consent_shape(&self) -> ConsentShape {
        ConsentShape::Login { finds_server: true }
    }
}
