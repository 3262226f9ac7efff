//! Microsoft's clouds: each has its own hosts for sign-in and Graph, and its own tokens.
//!
//! Source: learn.microsoft.com/graph/deployments. Tokens of the cloud in China are issued by
//! `login.partner.microsoftonline.cn`, which also publishes their signing keys.

use serde::Deserialize;
use url::Url;

/// One of Microsoft's clouds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cloud {
    /// The worldwide cloud, including GCC.
    #[default]
    Global,
    /// The cloud of the US government (L4, GCC High).
    UsGov,
    /// The cloud of the US Department of Defense (L5).
    UsDod,
    /// The cloud operated by 21Vianet in China.
    China,
}

impl Cloud {
    /// Every supported cloud.
    pub const ALL: [Self; 4] = [Self::Global, Self::UsGov, Self::UsDod, Self::China];

    /// URL of the identity platform.
    pub fn login_url(self) -> Url {
        constant(match self {
            Self::Global => "https://login.microsoftonline.com",
            Self::UsGov | Self::UsDod => "https://login.microsoftonline.us",
            Self::China => "https://login.partner.microsoftonline.cn",
        })
    }

    /// URL of Graph, including its version.
    pub fn graph_url(self) -> Url {
        constant(&format!("{}/v1.0", self.graph_resource()))
    }

    /// Name of Graph as the resource for which permissions are requested.
    pub const fn graph_resource(self) -> &'static str {
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
