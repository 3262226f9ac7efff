//! Reasons for closing a socket: the codes of `graphql-transport-ws` and some of RFC 6455.
//!
//! The reference client reconnects by itself after 1001, 1012, 1013 and 4403, and never after other codes.

use actix_ws::{CloseCode, CloseReason};

/// Why a socket is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseCause {
    /// The client violated the protocol; contains how.
    BadMessage(&'static str),
    /// `subscribe` was sent before the connection was acknowledged.
    Unauthorized,
    /// Authentication failed.
    Forbidden,
    /// The token has expired: the client should fetch a new one and reconnect.
    TokenExpired,
    /// The client does not offer `graphql-transport-ws`.
    SubprotocolNotAcceptable,
    /// `connection_init` was not received in time.
    InitTimeout,
    /// An operation with this id is already running.
    DuplicateId(String),
    /// `connection_init` was sent a second time.
    TooManyInits,
    /// A message exceeded the size limit.
    TooLarge,
    /// The client sent too many frames, such as pings.
    TooManyFrames,
    /// The frames are not valid WebSocket frames.
    ProtocolError,
    /// The client did not respond to pings.
    Silent,
    /// The client does not read.
    Slow,
    /// The server is shutting down.
    Restart,
    /// There are too many open WebSockets, or authentication is temporarily not possible.
    TryLater,
    /// The client closed the socket; its code is echoed, as RFC 6455 requires.
    Asked(Option<CloseReason>),
    /// The connection broke.
    Gone,
}

impl CloseCause {
    /// The close code to send; `None` if the connection is gone.
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
            Self::TooManyFrames => 1008,
            Self::ProtocolError => 1002,
            Self::Silent => 1001,
            Self::Restart => 1012,
            Self::TryLater => 1013,
            Self::Asked(_) => 1000,
            Self::Slow | Self::Gone => return None,
        })
    }

    /// The close code with its reason phrase.
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
            Self::TooManyFrames => "too many frames",
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
