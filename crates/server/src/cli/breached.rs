//! How lists of breached passwords are described on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::PasswordFrom;

#[derive(Debug, Subcommand)]
pub(crate) enum BreachedList {
    /// Build a list from public ones, for `password.breached_list`
    #[command(after_help = "\
Examples:
  cerrojo breached-list build LIST pwned-passwords.txt     Have I Been Pwned, SHA-1, one file
  cerrojo breached-list build LIST hashes/                 the same, a folder of range files
  cerrojo breached-list build LIST hashes/ --min-count 10  only what was seen ten times or more
  cerrojo breached-list build LIST rockyou.txt my-own.txt  passwords, one a line
  zcat rockyou.txt.gz | cerrojo breached-list build LIST -
  cerrojo breached-list build LIST hashes/ --replace       renew it, also beside a running server

Its first lines tell what a source is: SHA-1 hashes, with or without a count behind a colon; a
range file, 35 digits and the first five in its name; or passwords. If not, say --format.

Passwords are taken exactly as they stand, without the line's end. $HEX[…] is decoded, what is
not UTF-8 is read as Latin-1, what is longer than any password is left out. A password takes 8
bytes. While it is built from sources that are not in order, a list takes twice its size of disk.")]
    Build(BuildList),
    /// Read a whole list and check that it is as it was written
    Check {
        /// A file that `breached-list build` wrote
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Ask whether a password is in a list
    #[command(after_help = "\
Examples:
  cerrojo breached-list contains --password-stdin < password.txt   in that of password.breached_list
  cerrojo breached-list contains breached.list --password-stdin

Exit code 0 if it is not in the list, 1 if it is or nobody can tell.")]
    Contains {
        /// A file that `breached-list build` wrote [default: the one of `password.breached_list`]
        #[arg(value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
        #[command(flatten)]
        password: PasswordFrom,
    },
}

/// What a list is made of.
#[derive(Debug, Args)]
pub(crate) struct BuildList {
    /// Where the list is written: a file that does not exist yet
    #[arg(value_name = "LIST", value_hint = ValueHint::FilePath)]
    pub(crate) list: PathBuf,
    /// Files or folders to take from; - is standard input
    #[arg(value_name = "SOURCE", required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) sources: Vec<PathBuf>,
    /// Leave out what was seen less often; of sources that have counts
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) min_count: u64,
    /// What the sources are, if they do not tell
    #[arg(long)]
    pub(crate) format: Option<SourceFormat>,
    /// Replace LIST if it is a list of breached passwords; until the new one is complete the old one stands
    #[arg(long)]
    pub(crate) replace: bool,
    /// Memory to sort in, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub(crate) memory: u32,
}

/// What a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SourceFormat {
    /// SHA-1 hashes, one a line, with or without :COUNT
    Sha1,
    /// A range file or a folder of them
    Ranges,
    /// Passwords, one a line
    Passwords,
}
