//! Where sessions get their places in status lists: random ones, out of blocks that this process reserved.

use std::sync::atomic::{AtomicU64, Ordering};

use cerrojo_domain::{ListIndex, ListName, UnixMillis};
use cerrojo_store::lists::{self, Wanted, reserve};
use tokio::sync::Mutex;

use crate::{App, Trouble};

/// Places in a list. 16 KiB as a bitmap, and enough sessions that a bit tells nobody whose it is.
const CAPACITY: u32 = 1 << 17;
/// Places reserved at once. What is left of a block at a restart is never used.
const BLOCK: u32 = 512;

/// The block in use.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    block: Mutex<Option<Block>>,
    /// How often blocks were forgotten: nobody waits to say so, whatever it holds.
    forgotten: AtomicU64,
}

#[derive(Debug)]
struct Block {
    /// As it was before the block was reserved.
    forgotten: u64,
    list: ListName,
    expires_by: UnixMillis,
    /// Shuffled.
    places: Vec<u32>,
}

impl Blocks {
    /// A place for a session whose tokens expire at `expires_at`.
    pub(crate) async fn take(&self, app: &App, expires_at: UnixMillis) -> Result<(ListName, ListIndex), Trouble> {
        let mut block = self.block.lock().await;
        let forgotten = self.forgotten.load(Ordering::Acquire);
        let expires_by = round_up(expires_at, app);
        if let Some(block) =
            block.as_mut().filter(|block| block.expires_by == expires_by && block.forgotten == forgotten)
            && let Some(place) = block.places.pop()
        {
            return Ok((block.list.clone(), ListIndex(place)));
        }
        let fresh = ListName::new(&*app.random);
        let wanted = Wanted { expires_by, len: BLOCK, capacity: CAPACITY, fresh: &fresh, now: app.clock.now() };
        let (list, reserved) = reserve(&app.store, &wanted).await?;
        // Known to the guard before any token points to it.
        app.guard.open_list(&list.name, list.capacity);
        let mut places: Vec<u32> = (reserved.first..reserved.first.saturating_add(reserved.len)).collect();
        shuffle(&mut places, app);
        let place = places.pop().ok_or_else(|| Trouble::Internal("an empty block was reserved".to_owned()))?;
        *block = Some(Block { forgotten, list: list.name.clone(), expires_by, places });
        Ok((list.name, ListIndex(place)))
    }

    /// Forgets the block in use: its list is retired. One that is being reserved now is forgotten with it.
    pub(crate) fn forget(&self) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
    }
}

/// Looks a list up that this process was not told of, as another node may have made it since, and opens it if it is in use;
/// whether it is. What has ended in it was in the log after this process began to follow it, so the guard knows of it.
///
/// # Errors
/// [`Trouble::Unavailable`] if everything was over just now: what was read may not be so any more.
pub async fn look_up(app: &App, name: &ListName) -> Result<bool, Trouble> {
    let overs = app.follower.overs();
    let found = lists::by_name(&mut app.store.control(), name).await?;
    let Some(list) = found.filter(|list| !list.retired) else { return Ok(false) };
    // While nothing is applied: what ended or retired everything after the list was read is applied to it afterwards.
    let _applied = app.follower.hold_still().await;
    if app.follower.overs() != overs {
        return Err(Trouble::Unavailable("everything was over while a list was looked up".to_owned()));
    }
    app.guard.open_list(&list.name, list.capacity);
    Ok(true)
}

/// Lists are cut by the time their last token expires: a quarter of a token's life, an hour at least.
fn round_up(expires_at: UnixMillis, app: &App) -> UnixMillis {
    let quarter = i64::try_from(app.settings.token_ttl.as_millis() / 4).unwrap_or(i64::MAX);
    let width = quarter.clamp(3_600_000, 7 * 86_400_000);
    UnixMillis(expires_at.0.div_euclid(width).saturating_add(1).saturating_mul(width))
}

fn shuffle(places: &mut [u32], app: &App) {
    for last in (1..places.len()).rev() {
        let other = usize::try_from(app.random.below(last as u64 + 1)).unwrap_or(0);
        places.swap(last, other);
    }
}
