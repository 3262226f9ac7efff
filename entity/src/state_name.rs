//! Names of the states of workflows.

use std::fmt;

use sea_orm::DeriveValueType;

/// The name of a state in a workflow. Each workflow defines its own names, so any string is possible.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, DeriveValueType)]
pub struct StateName(String);

impl StateName {
    /// The state's name as declared in the workflow's table of states.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for StateName {
    fn from(name: String) -> Self {
        Self(name)
    }
}

impl From<&str> for StateName {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl PartialEq<str> for StateName {
    fn eq(&self, name: &str) -> bool {
        self.0 == name
    }
}

impl PartialEq<&str> for StateName {
    fn eq(&self, name: &&str) -> bool {
        self.0 == *name
    }
}

impl fmt::Display for StateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
