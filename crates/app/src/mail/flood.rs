//! How many mails an address gets within an hour, whoever asks for them: everybody can name everybody's.
//!
//! Each network has a share of its own, and what is counted is counted by kind: nobody keeps a mail from somebody by asking for
//! others.

use std::time::Duration;

use cerrojo_domain::{AddressBlock, Email, UnixMillis};
use cerrojo_store::audit::chain::hex;
use cerrojo_store::codes::{self, Purpose};
use cerrojo_store::outbox::{self, Delivered, Job};
use cerrojo_store::{StoreError, Tx};

use super::job::{EMAIL_CHANGE, INVITATION, REGISTERED, RESET, VERIFY};
use crate::App;

/// What is counted is counted for so long.
pub(crate) const FLOOD_WINDOW: Duration = Duration::from_hours(1);
/// Links of one kind that one network asks for, at most; and reset links that work, and links of one invitation.
const OF_ONE: i64 = 3;
/// Links of one kind that all networks ask for, at most.
const OF_ALL: i64 = 10;
/// Mails of one kind about one account, at most: to ever other addresses, or notices of what was changed to and fro. The first
/// of these notices always leaves.
const OF_ACCOUNT: i64 = 5;

/// The mails that went to one address lately.
struct Lately(Vec<Delivered>);

impl Lately {
    async fn to(app: &App, tx: &mut Tx, (to, now): (&Email, UnixMillis)) -> Result<Self, StoreError> {
        let since = now.minus(FLOOD_WINDOW);
        outbox::done_to_since(tx, (to, &blurred(app, to.as_str())), since).await.map(Self)
    }

    fn count(&self, is_counted: impl Fn(&Delivered) -> bool) -> i64 {
        self.0.iter().filter(|delivered| is_counted(delivered)).map(|delivered| delivered.count).sum()
    }
}

/// A link that is asked for again is counted with those of the first time.
fn counted_as(kind: &str) -> &str {
    if kind == VERIFY { REGISTERED } else { kind }
}

/// Whether there is no further mail of this job's kind to `to` within the hour, asked for by `from`.
pub(super) async fn is_flooded(
    app: &App,
    tx: &mut Tx,
    job: &Job,
    (to, from): (&Email, Option<AddressBlock>),
) -> Result<bool, StoreError> {
    let now = app.clock.now();
    let lately = Lately::to(app, tx, (to, now)).await?;
    let kind = job.kind.as_str();
    let of_account = match job.user {
        Some(user) => outbox::done_since(tx, kind, user, now.minus(FLOOD_WINDOW)).await?,
        None => 0,
    };
    let from = from.map(|block| block.to_string());
    let forms = [from.as_deref().map(|block| blurred(app, block)), from];
    let is_like = |delivered: &Delivered| counted_as(&delivered.kind) == counted_as(kind);
    let of_one = lately.count(|delivered| is_like(delivered) && forms.contains(&delivered.from));
    let of_all = lately.count(is_like);
    let is_flooded = match kind {
        // Those of a registration that became an account, or from before the password was another, are worth nothing any more:
        // `links` counts those that work.
        RESET => of_one >= OF_ONE,
        REGISTERED | VERIFY | EMAIL_CHANGE => of_account >= OF_ACCOUNT || of_one >= OF_ONE || of_all >= OF_ALL,
        _ => of_account >= OF_ACCOUNT || of_all >= OF_ACCOUNT,
    };
    if is_flooded {
        tell(job);
    }
    Ok(is_flooded)
}

/// Whether there are as many links that set the password of this subject as anybody needs.
pub(super) async fn has_links(
    app: &App,
    tx: &mut Tx,
    job: &Job,
    (purpose, subject, bound_to): (Purpose, &str, &str),
) -> Result<bool, StoreError> {
    let has_links = codes::count_good(tx, (subject, purpose), bound_to, app.clock.now()).await? >= OF_ONE;
    if has_links {
        tell(job);
    }
    Ok(has_links)
}

fn tell(job: &Job) {
    tracing::info!(
        mail.id = job.id,
        mail.kind = job.kind,
        "no further mail of this kind to this address within an hour"
    );
}

/// Whether an administrator has sent this address as many invitations as it gets within the hour.
pub(crate) async fn is_invited_enough(app: &App, tx: &mut Tx, to: &Email) -> Result<bool, StoreError> {
    let now = app.clock.now();
    Ok(Lately::to(app, tx, (to, now)).await?.count(|delivered| delivered.kind == INVITATION) >= OF_ONE)
}

/// What stays of an address or a network for the count when an account is forgotten: who does not have the master key learns
/// nothing by it.
pub(crate) fn blurred(app: &App, text: &str) -> String {
    format!("blurred:{}", hex(&app.keys.compare_by(&["counted mails"], text.as_bytes())))
}
