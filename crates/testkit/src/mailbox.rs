//! Where mail goes in tests.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use cerrojo_app::mail::{Mail, Mailer};

/// One mail that left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMail {
    /// Recipient.
    pub to: String,
    /// Subject.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part; empty if there is none.
    pub html: String,
}

impl SentMail {
    /// The code in the reset link of this mail.
    ///
    /// # Panics
    /// If there is no `token=` in the text.
    #[must_use]
    pub fn reset_code(&self) -> String {
        let (_, rest) = self.text.split_once("token=").unwrap_or_else(|| panic!("no link in {:?}", self.text));
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_').collect()
    }
}

#[derive(Default)]
struct State {
    sent: Vec<SentMail>,
    is_down: bool,
}

/// A mail server in memory, which can be down.
#[derive(Default)]
pub struct Mailbox(Mutex<State>);

impl Mailbox {
    /// Whatever is sent from now on fails.
    pub fn go_down(&self) {
        self.state().is_down = true;
    }

    /// Mail is taken again.
    pub fn come_back(&self) {
        self.state().is_down = false;
    }

    /// What was sent, oldest first.
    #[must_use]
    pub fn sent(&self) -> Vec<SentMail> {
        self.state().sent.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailer for Mailbox {
    fn send<'a>(&'a self, mail: &'a Mail) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async move {
            let mut state = self.state();
            if state.is_down {
                return Err("the mail server is down".to_owned());
            }
            state.sent.push(SentMail {
                to: mail.to.clone(),
                subject: mail.subject.clone(),
                text: mail.text.clone(),
                html: mail.html.clone().unwrap_or_default(),
            });
            Ok(())
        })
    }
}
