//! The large database: a million live sessions and 300,000 ended ones, made once and kept beside the builds.

use std::path::{Path, PathBuf};

use cerrojo_domain::{Clock as _, SystemClock, UnixMillis};
use cerrojo_store::{OpenOptions, Store};

use crate::failure::Outcome;
use crate::place::Place;
use crate::say;
use crate::seed::{self, LIFE, Plan};

const PLAN: Plan = Plan { live: 1_000_000, ended: 300_000, tokens: 1_000 };
/// When it was made. Written last: without it the folder is not complete.
const MADE: &str = "made";

/// The folder of the large database; makes it if there is none that this version reads.
pub(crate) async fn folder(place: &Place) -> Outcome<PathBuf> {
    let folder = place.target.join("bench-data").join(format!("{}-{}", PLAN.live, PLAN.ended));
    if is_fresh(&folder) && is_current(&folder).await {
        return Ok(folder);
    }
    say("making the large database, which takes some minutes and is kept …");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    seed::fill(&folder, PLAN).await?;
    std::fs::write(folder.join(MADE), SystemClock::new().now().0.to_string())?;
    Ok(folder)
}

/// Half of the life of its sessions lies ahead, at least.
fn is_fresh(folder: &Path) -> bool {
    let made = std::fs::read_to_string(folder.join(MADE)).ok().and_then(|text| text.parse().ok());
    made.is_some_and(|made| SystemClock::new().now().since(UnixMillis(made)) < LIFE / 2)
}

async fn is_current(folder: &Path) -> bool {
    let url = format!("sqlite:{}", folder.join("cerrojo.db").display());
    let Ok(store) = Store::open(&url, OpenOptions::default()).await else { return false };
    let current = store.schema_is_current().await.unwrap_or(false);
    store.close().await;
    current
}
