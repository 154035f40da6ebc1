//! Why a guard could not be started.

use std::fmt;

/// Why a guard could not be started, and what to do about it.
#[derive(Debug)]
pub enum ConnectError {
    /// The issuer is no address that a guard may ask.
    Issuer(&'static str),
    /// Another option is not what it must be.
    Option(String),
    /// The roots that TLS is to trust cannot be had.
    Roots(String),
    /// The server does not say of itself what it must.
    Metadata(String),
    /// The server does not accept the credentials.
    Credentials,
    /// There was no snapshot in time; what went wrong last.
    TimedOut(String),
    /// Not called within a tokio runtime.
    NoRuntime,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuer(what) => write!(f, "the issuer {what}: give the server's `server.public_url`, exactly"),
            Self::Option(what) => f.write_str(what),
            Self::Roots(what) => write!(f, "no roots to trust: {what}. Install the system's or name a file (`ca_file`)"),
            Self::Metadata(what) => write!(f, "the server's metadata: {what}"),
            Self::Credentials => f.write_str(
                "the server does not accept these credentials, or none: make some with `cerrojo service add` and give them \
                 to `credentials`",
            ),
            Self::TimedOut(what) => write!(
                f,
                "the server did not tell what is over in time ({what}): see that it runs and can be reached from here, or \
                 wait longer (`start_within`)"
            ),
            Self::NoRuntime => f.write_str("call it within a tokio runtime that goes on running"),
        }
    }
}

impl std::error::Error for ConnectError {}
