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

/// Blocks kept at once: sessions of tokens that another application gave out expire at all times, and each block is of one.
const KEPT: usize = 32;

/// How often a block is reserved anew because everything was over meanwhile.
const TRIES: usize = 3;

/// Of sessions that are made of another application's tokens: many of them would be for a few.
const SMALL_BLOCK: u32 = 32;

/// Who needs a place. Each has blocks of its own, so that neither waits for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// A sign-in.
    SignIn,
    /// A token of another application.
    OldToken,
}

/// The blocks in use, those used last at the end.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    sign_ins: Mutex<Vec<Block>>,
    old_tokens: Mutex<Vec<Block>>,
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
    pub(crate) async fn take(
        &self,
        app: &App,
        (whom, expires_at): (For, UnixMillis),
    ) -> Result<(ListName, ListIndex), Trouble> {
        let (blocks, len) = match whom {
            For::SignIn => (&self.sign_ins, BLOCK),
            For::OldToken => (&self.old_tokens, SMALL_BLOCK),
        };
        let mut kept = blocks.lock().await;
        let expires_by = round_up(expires_at, app);
        for _ in 0..TRIES {
            let forgotten = self.forgotten.load(Ordering::Acquire);
            kept.retain(|block| block.forgotten == forgotten && !block.places.is_empty());
            let at = kept.iter().position(|block| block.expires_by == expires_by);
            let found = match at {
                Some(at) => Some(kept.remove(at)),
                None => self.reserve(app, (expires_by, len), forgotten).await?,
            };
            let Some(mut block) = found else { continue };
            let place = block.places.pop().map(|place| (block.list.clone(), ListIndex(place)));
            if kept.len() == KEPT {
                kept.remove(0);
            }
            kept.push(block);
            if let Some(place) = place {
                return Ok(place);
            }
        }
        Err(Trouble::Unavailable("everything is being ended".to_owned()))
    }

    /// A block; `None`: everything was over meanwhile, and its list may be retired.
    async fn reserve(
        &self,
        app: &App,
        (expires_by, len): (UnixMillis, u32),
        forgotten: u64,
    ) -> Result<Option<Block>, Trouble> {
        let fresh = ListName::new(&*app.random);
        let wanted = Wanted { expires_by, len, capacity: CAPACITY, fresh: &fresh, now: app.clock.now() };
        let (list, reserved) = reserve(&app.store, &wanted).await?;
        // Known to the guard before any token points to it. If everything was over after the reservation this process may
        // have applied that already, without knowing the list: it must not be opened then.
        let still = app.follower.hold_still().await;
        if self.forgotten.load(Ordering::Acquire) != forgotten {
            return Ok(None);
        }
        app.guard.open_list(&list.name, list.capacity);
        drop(still);
        let mut places: Vec<u32> = (reserved.first..reserved.first.saturating_add(reserved.len)).collect();
        shuffle(&mut places, app);
        Ok(Some(Block { forgotten, list: list.name, expires_by, places }))
    }

    /// Forgets the blocks in use: their lists are retired. One that is being reserved now is forgotten with it.
    pub(crate) fn forget(&self) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
    }
}

/// Looks a list up that this process was not told of, as another node may have made it since, and opens it if it is in use;
/// whether it is. What has ended in it was in the log after this process began to follow it, so the guard knows of it.
pub async fn look_up(app: &App, name: &ListName) -> Result<bool, Trouble> {
    // Few at a time, on the connections of requests: anybody can cause it who has a token of a list that is gone.
    let _turn = app.look_ups.acquire().await;
    if lists::by_name(&mut app.store.reader(), name).await?.is_none_or(|list| list.retired) {
        // For ever, so nobody asks again.
        app.guard.retire_list(name);
        return Ok(false);
    }
    // Read again while nothing is applied: what retires it, or everything, after this is applied to it afterwards.
    let _still = app.follower.hold_still().await;
    let found = lists::by_name(&mut app.store.control(), name).await?;
    let Some(list) = found.filter(|list| !list.retired) else { return Ok(false) };
    app.guard.open_list(&list.name, list.capacity);
    Ok(true)
}

/// Lists are cut by the time their last token expires: a quarter of a token's life, an hour at least. What lives longer than
/// our own tokens do has wider ones, so that there are at most eight of each width.
fn round_up(expires_at: UnixMillis, app: &App) -> UnixMillis {
    let quarter = i64::try_from(app.settings.token_ttl.as_millis() / 4).unwrap_or(i64::MAX);
    let mut width = quarter.clamp(3_600_000, 7 * 86_400_000);
    let left = i64::try_from(expires_at.since(app.clock.now()).as_millis()).unwrap_or(i64::MAX);
    while width.saturating_mul(2) <= left / 4 {
        width *= 2;
    }
    UnixMillis(expires_at.0.div_euclid(width).saturating_add(1).saturating_mul(width))
}

fn shuffle(places: &mut [u32], app: &App) {
    for last in (1..places.len()).rev() {
        let other = usize::try_from(app.random.below(last as u64 + 1)).unwrap_or(0);
        places.swap(last, other);
    }
}
