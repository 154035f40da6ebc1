//! `cerrojo mail`.

use clap::{Subcommand, ValueEnum};

use super::Shape;

#[derive(Debug, Subcommand)]
pub(crate) enum Mail {
    /// Send a message by the settings as they are, and say what the mail server answered
    #[command(after_help = "\
Examples:
  cerrojo mail test ana@example.com
  CERROJO_MAIL__URL=smtps://user:password@mail.example.com cerrojo mail test ana@example.com

That the mail server took it does not mean that it arrives: look into the mailbox, and into the folder for unwanted mail.")]
    Test {
        /// To which address
        email: String,
    },
    /// List mails that wait, with what went wrong the last time
    List {
        /// Also those that were delivered, as long as that is remembered (`retention.delivered_mail`)
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        shape: Shape,
    },
    /// Show a letter as it is sent
    #[command(after_help = "\
Examples:
  cerrojo mail preview reset
  cerrojo mail preview reset --html > reset.html
  CERROJO_LOCALE__DEFAULT=en cerrojo mail preview password-changed")]
    Preview {
        /// Which letter
        letter: Letter,
        /// The page of HTML instead of the text
        #[arg(long)]
        html: bool,
    },
}

/// A letter.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Letter {
    /// The link of a forgotten password
    Reset,
    /// The password was changed
    PasswordChanged,
    /// The address was changed; goes to the old one
    EmailChanged,
}
