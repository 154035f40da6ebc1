//! `cerrojo mail`.

use std::path::PathBuf;

use cerrojo_app::mail::Kind;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Subcommand, ValueHint};

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
    /// Show a letter as it is sent, with sample values
    #[command(after_help = "\
Examples:
  cerrojo mail preview reset
  cerrojo mail preview reset --html > reset.html
  cerrojo mail preview reset --templates ./templates     before the server is told of them
  CERROJO_LOCALE__DEFAULT=en cerrojo mail preview password-changed

What the letter is made of is said on standard error: which texts are built in, and which are yours.")]
    Preview {
        /// Which letter
        #[arg(value_parser = letters())]
        letter: Kind,
        /// The page of HTML instead of the text
        #[arg(long)]
        html: bool,
        /// Templates of this folder [default: those of `mail.templates`]
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        templates: Option<PathBuf>,
    },
    /// Write the built-in texts of letters into a folder, to begin from
    #[command(after_help = "\
Examples:
  cerrojo mail templates ./templates                     every letter, in Spanish and English
  cerrojo mail templates ./templates reset               only this one
  cerrojo mail preview reset --templates ./templates     look at what you made of it

A file there takes the place of the built-in text, once `mail.templates` names the folder. Keep those
that you change and remove the others: what is not there stays built in, and is renewed with Cerrojo.

  reset.en.txt    a letter in one language: the subject in its first line, then the plain text
  reset.en.html   the same as a page; without it the letter has none
  layout.html     what is around every page

Templates are written in the language of Jinja: {{ value }}, {% if value %} … {% endif %}. Which values a
letter has stands in its text.")]
    Templates {
        /// Where to; made if it is not there
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        folder: PathBuf,
        /// Only these letters; otherwise all, and the layout
        #[arg(value_name = "LETTER", value_parser = letters())]
        letters: Vec<Kind>,
        /// Write over files that are there; otherwise they are left as they are
        #[arg(long)]
        replace: bool,
    },
}

/// The letters by their names.
fn letters() -> impl TypedValueParser<Value = Kind> {
    let names = Kind::ALL.iter().map(|kind| PossibleValue::new(kind.name()).help(kind.about()));
    // Whatever is let through is one of them.
    PossibleValuesParser::new(names).map(|name| Kind::named(&name).unwrap_or(Kind::Test))
}
