//! Microsoft's clouds: each has sign-in and Graph at hosts of its own, and nothing of one is valid in another.
//!
//! Source: learn.microsoft.com/graph/deployments. Tokens of the cloud in China are issued in the name of
//! `login.partner.microsoftonline.cn`, which is where its signing keys are published too.

use serde::Deserialize;
use url::Url;

/// One of Microsoft's clouds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cloud {
    /// The world-wide one, GCC included.
    #[default]
    Global,
    /// The one for the government of the United States (L4, GCC High).
    UsGov,
    /// The one for its Department of Defense (L5).
    UsDod,
    /// The one that 21Vianet operates in China.
    China,
}

impl Cloud {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Global, Self::UsGov, Self::UsDod, Self::China];

    /// The identity platform.
    pub fn login(self) -> Url {
        constant(match self {
            Self::Global => "https://login.microsoftonline.com",
            Self::UsGov | Self::UsDod => "https://login.microsoftonline.us",
            Self::China => "https://login.partner.microsoftonline.cn",
        })
    }

    /// Graph, with its version.
    pub fn graph(self) -> Url {
        constant(&format!("{}/v1.0", self.resource()))
    }

    /// The name of Graph as a resource that permissions are asked for.
    pub const fn resource(self) -> &'static str {
        match self {
            Self::Global => "https://graph.microsoft.com",
            Self::UsGov => "https://graph.microsoft.us",
            Self::UsDod => "https://dod-graph.microsoft.us",
            Self::China => "https://microsoftgraph.chinacloudapi.cn",
        }
    }
}

fn constant(text: &str) -> Url {
    Url::parse(text).expect("a constant URL")
}
