//! Why a socket is closed: the codes of `graphql-transport-ws` and the few of RFC 6455 that are used.
//!
//! The reference client comes back by itself after 1001, 1012, 1013 and 4403, and never after the others.

use actix_ws::{CloseCode, CloseReason};

/// Why a socket is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Close {
    /// The client broke the protocol; says how.
    BadMessage(&'static str),
    /// Subscribed before the connection was acknowledged.
    Unauthorized,
    /// Who calls could not be told.
    Forbidden,
    /// The token has expired: fetch a new one and come back.
    TokenExpired,
    /// The client does not speak `graphql-transport-ws`.
    SubprotocolNotAcceptable,
    /// No `connection_init` came in time.
    InitTimeout,
    /// An operation of this id is running.
    DuplicateId(String),
    /// A second `connection_init`.
    TooManyInits,
    /// A message was too long.
    TooLarge,
    /// The frames are not WebSocket.
    ProtocolError,
    /// The client gave no sign of life.
    Silent,
    /// The client does not read.
    Slow,
    /// The server stops.
    Restart,
    /// Too many sockets, or who calls cannot be told at the moment.
    TryLater,
    /// The client closed; its code is echoed, as RFC 6455 asks.
    Asked(Option<CloseReason>),
    /// The connection broke.
    Gone,
}

impl Close {
    /// The code on the wire, `None` when there is nobody to tell.
    pub fn code(&self) -> Option<u16> {
        Some(match self {
            Self::BadMessage(_) => 4400,
            Self::Unauthorized => 4401,
            Self::Forbidden | Self::TokenExpired => 4403,
            Self::SubprotocolNotAcceptable => 4406,
            Self::InitTimeout => 4408,
            Self::DuplicateId(_) => 4409,
            Self::TooManyInits => 4429,
            Self::TooLarge => 1009,
            Self::ProtocolError => 1002,
            Self::Silent => 1001,
            Self::Restart => 1012,
            Self::TryLater => 1013,
            Self::Asked(_) => 1000,
            Self::Slow | Self::Gone => return None,
        })
    }

    /// The code with its words.
    pub fn reason(&self) -> Option<CloseReason> {
        let words = match self {
            Self::BadMessage(how) => *how,
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::TokenExpired => "token expired",
            Self::SubprotocolNotAcceptable => "Subprotocol not acceptable",
            Self::InitTimeout => "Connection initialisation timeout",
            Self::DuplicateId(id) => {
                let id: String = id.chars().take(24).collect();
                return Some(reason(4409, format!("Subscriber for {id} already exists")));
            }
            Self::TooManyInits => "Too many initialisation requests",
            Self::TooLarge => "message too large",
            Self::ProtocolError => "protocol error",
            Self::Silent => "no sign of life",
            Self::Restart => "service restart",
            Self::TryLater => "try again later",
            Self::Asked(theirs) => return theirs.clone().or_else(|| Some(reason(1000, String::new()))),
            Self::Slow | Self::Gone => "",
        };
        self.code().map(|code| reason(code, words.to_owned()))
    }
}

fn reason(code: u16, words: String) -> CloseReason {
    CloseReason { code: CloseCode::from(code), description: Some(words) }
}
