//! Mail: what is written, and how it leaves.
//!
//! A use case writes a job in its own transaction ([`tell_password_changed`], [`tell_email_changed`]); [`deliver_due`]
//! makes letters of jobs and gives them to the [`Mailer`].

mod deliver;
mod device;
mod escape;
mod flood;
mod folder;
mod job;
mod kind;
mod links;
mod message;
mod overrides;
mod preview;
mod smtp;
mod standing;
mod template;
mod templates;

pub use self::deliver::deliver_due;
pub use self::device::kind as device_kind;
pub(crate) use self::flood::{FLOOD_WINDOW, blurred, is_invited_enough};
pub use self::folder::OutboxFolder;
pub use self::job::{Undo, tell_email_changed, tell_password_changed};
pub(crate) use self::job::{
    ask_changed, ask_forced_reset, ask_invitation, ask_registered, ask_reset, ask_verify, keep_with, tell_new_device,
};
pub use self::kind::{Kind, built_in_files};
pub use self::overrides::{BadTemplates, Templates};
pub use self::preview::{preview, trial};
pub use self::smtp::SmtpMailer;
pub use self::standing::{Job, NotNow, Outbox, drop_job, outbox, retry, send_trial, test, waiting_one};
pub use self::templates::Unwritten;

/// One mail, ready to leave.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// The address, in its stored form.
    pub to: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The same as a page of HTML, if there is one.
    pub html: Option<String>,
}

impl std::fmt::Debug for Mail {
    /// Without the bodies: a reset link is in one of them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Where mail goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To whom it is addressed.
    Away,
    /// Into a folder here: no mail server is set.
    Folder,
}

/// How mail leaves: SMTP, or a folder of .eml files; a list in tests.
pub trait Mailer: Send + Sync + 'static {
    /// Hands the mail over; `Err` says why it could not be, and it is tried again later.
    fn send<'a>(&'a self, mail: &'a Mail) -> std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

    /// Where what is sent goes.
    fn route(&self) -> Route {
        Route::Away
    }
}
