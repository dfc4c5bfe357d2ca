//! Zeal mode: checking the books as a collection goes on.

use crate::collector::Parts;
use crate::pool::Pool;
use crate::stats::Phase;

/// Checks the storage's books after a phase: always in a small heap, in a larger one the more rarely the more
/// pages it has, and then after each kind of phase in turn. Otherwise the checks would take most of the time
/// of a test.
pub(super) fn verify_now_and_then<H>(parts: &Parts<'_, H>, phase: Phase) {
    if (parts.store.collections() + phase as u64) % rarity(parts.pools) == 0 {
        parts.pools.iter().for_each(|pool| pool.verify(parts.store, &mut Default::default()));
    }
}

/// One out of so many occasions to check the books is taken. Odd, so that the phases of a cycle take turns.
pub(crate) fn rarity(pools: &[Pool]) -> u64 {
    const SMALL: usize = 2;
    let pages: usize = pools.iter().map(|pool| pool.pages().len()).sum();
    (pages / SMALL) as u64 | 1
}
