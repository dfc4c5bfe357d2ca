//! The range of the last small heap that was dropped, for the next heap.
//!
//! Reserving a range and returning it takes the system some 50 us: several calls, and tables for addresses
//! that are far apart. A script or a test that needs a heap for a moment would do little else. So one range
//! is kept, as empty as a new one, if it has the usual size and little of it was accessible: it holds at most
//! some 200 KiB of tags and bitmaps. A process with a limit on its address space keeps none.

use crate::space::backend::Used;
use crate::space::system;
use crate::sync::Lock;

static KEPT: Lock<Option<Used>> = Lock::new(None);

/// The range that is kept, if there is one.
pub(super) fn take() -> Option<Used> {
    KEPT.with(Option::take)
}

/// Keeps a range, unless one is kept already.
pub(super) fn keep(used: Used) {
    // In zeal mode the memory of a dropped heap must not be accessible.
    if cfg!(gc_zeal) || system::address_space_limit().is_some() {
        return;
    }
    // What is not kept is unmapped outside of the lock.
    let _surplus = KEPT.with(|kept| match kept {
        Some(_) => Some(used),
        None => {
            *kept = Some(used);
            None
        }
    });
}
