//! Which users a command is about.

use cerrojo_domain::Status;
use cerrojo_store::user_search::Sort;
use clap::Args;

/// Users that a list has at most.
const MOST: u16 = 10_000;

#[derive(Debug, Args)]
pub(crate) struct WhichUsers {
    /// A part of the name or the e-mail address, or the number
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// active, inactive or suspended
    #[arg(long, value_parser = status)]
    pub(crate) status: Option<Status>,
    /// admin, user, or a role declared under [roles]
    #[arg(long)]
    pub(crate) role: Option<String>,
    /// `registered_at`, name or email; with - before it the other way round
    #[arg(long, allow_hyphen_values = true, default_value = "-registered_at", value_parser = sort)]
    pub(crate) sort: Sort,
    /// Show so many at most, up to 10000
    #[arg(long, value_name = "COUNT", default_value_t = MOST, value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST)))]
    pub(crate) limit: u16,
}

fn status(text: &str) -> Result<Status, &'static str> {
    Status::parse(text).ok_or("it is active, inactive or suspended")
}

fn sort(text: &str) -> Result<Sort, &'static str> {
    Sort::parse(text).ok_or("it is registered_at, name or email, or one of them with - before it")
}
