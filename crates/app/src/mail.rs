//! Mail: what is written, and how it leaves.
use crate::{App, Trouble};
/// One mail, ready to leave.
pub struct Mail { pub to: String, pub subject: String, pub text: String, pub html: String }
/// How mail leaves: SMTP, or a folder of .eml files; a list in tests.
pub trait Mailer: Send + Sync + 'static {
    fn send<'a>(&'a self, mail: &'a Mail) -> std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;
}
/// Delivers what is due, once. In a running server a task calls it when a job was written and when one is due again.
pub async fn deliver_due(app: &App) -> Result<usize, Trouble> { todo!() }
