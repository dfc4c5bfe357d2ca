//! Slots for objects that are made with `&Heap`: set aside, filled by the next flush, and returned.

use core::ops::Range;

use super::{Pool, PoolPage};
use crate::config::Limit;
use crate::handle::Generation;
use crate::pool::lists::List;
use crate::store::{Claim, Store, reserve};

impl Pool {
    /// The generation at which fresh slots start.
    pub(crate) fn first(&self) -> Generation {
        self.first
    }

    /// Fresh slots start at this generation, or above.
    pub(crate) fn skip_to(&mut self, first: Generation) {
        self.first = self.first.max(first);
    }

    /// The claim of a word that was set aside.
    pub(crate) fn later(&self, number: usize) -> Option<&Claim> {
        self.later.get(number).map(|(_, claim)| claim)
    }

    /// Takes such a claim out, to be filled and put back.
    pub(crate) fn take_later(&mut self, number: usize) -> Claim {
        core::mem::replace(&mut self.later[number].1, Claim::EMPTY)
    }

    /// Puts it back.
    pub(crate) fn put_later(&mut self, number: usize, mut claim: Claim) {
        let made = claim.take_handed_out();
        self.note_made_at(made);
        self.later[number].1 = claim;
    }

    /// So many objects were made.
    pub(crate) fn count_all_born(&mut self, objects: usize) {
        self.live += objects;
    }

    /// Sets aside free slots for so many objects, if there is memory for them.
    pub(crate) fn set_aside(&mut self, store: &mut Store, objects: usize) {
        let mut left = objects;
        while left > 0 {
            if self.claim.is_empty() && self.refill(store).is_err() {
                return;
            }
            let Some(position) = self.current else { return };
            self.note_made();
            store.distrust_bits(self.pages[position]);
            let claim = core::mem::replace(&mut self.claim, Claim::EMPTY);
            left = left.saturating_sub(claim.len());
            self.later.push((position, claim));
        }
    }

    /// Opens the page that was promised, and sets all its slots aside. Returns which of the claims are those.
    pub(crate) fn open_promised(&mut self, store: &mut Store, page: u32) -> Result<Range<usize>, Limit> {
        self.pages.reserve(1)?;
        reserve(&mut self.states, 1)?;
        let more_young = self.states.len() + 1 - self.young.len();
        reserve(&mut self.young, more_young as u32)?;
        let opened = (self.ops.open_promised)(store, self.index, self.first)?;
        assert_eq!(opened, page, "pages are opened in the order in which they were promised");
        self.states.push(PoolPage::OPEN);
        let position = self.pages.push(page);
        store.distrust_bits(page);
        let (start, mut word) = (self.later.len(), 0);
        while let Some(claim) = (self.ops.claim)(store, page, word, self.making, self.barrier) {
            word = claim.word() + 1;
            self.later.push((position, claim));
        }
        self.note_young(position);
        Ok(start..self.later.len())
    }

    /// Frees what was set aside and not used.
    pub(crate) fn return_later(&mut self, store: &mut Store) {
        let mut later = core::mem::take(&mut self.later);
        for (position, claim) in later.drain(..) {
            store.end_claim(&claim);
            if !claim.is_empty() {
                store.unclaim(claim);
                if self.states[position].list == List::None && self.current != Some(position) {
                    self.lists.add_partial(&mut self.states, position);
                }
            }
        }
        self.later = later;
    }
}
