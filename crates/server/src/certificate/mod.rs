//! The certificate that TLS is spoken with, and its key: read from PEM files, judged, and read again when they change.

mod live;
mod read;

pub(crate) use live::Live;
pub(crate) use read::read;
