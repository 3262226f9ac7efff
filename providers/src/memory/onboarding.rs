//! Connecting with a login, with or without a server address.

use crate::{ConsentShape, Onboarding};

use super::Memory;

impl Onboarding for Memory {
    fn consent_shape(&self) -> ConsentShape {
        ConsentShape::Login { finds_server: true }
    }
}
