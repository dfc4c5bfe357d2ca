//! Sweeping: ending the lives of white objects page by page, and running their destructors.

use alloc::vec::Vec;

use crate::bitmap::{Bits, Class, ones, read_word, write_word};
use crate::geometry::Granule;
use crate::handle::{Generation, RawHandle};
use crate::store::Store;
use crate::store::look::Slots;
use crate::store::pages::Past;

/// What a sweep found besides numbers.
#[derive(Clone, Default)]
pub(crate) struct SweepLog {
    /// Slots whose generations are used up.
    pub(crate) retired: Vec<Granule>,
    /// Objects that died and had something registered on them.
    pub(crate) watched: Vec<RawHandle>,
}

/// Where [`Store::drop_doomed`] continues: an index into the pages, and a word.
#[derive(Clone, Copy, Default)]
pub(crate) struct DoomCursor {
    page: usize,
    word: usize,
}

impl Store {
    /// The dead objects of a veiled page that its sweep has not reached. Reads each.
    pub(crate) fn condemned_len<T: 'static>(&self, page: u32) -> usize {
        // Loops: a chain of iterators would be thirty functions to compile for each type.
        let mut len = 0;
        for (word, white) in self.words(Bits::White, page).iter().enumerate() {
            for bit in ones(read_word(white)) {
                let granule = Granule::of_slot::<T>(page, Class::of::<T>().slot::<T>(word, bit));
                if let Some(slot) = self.look().slot_to_sweep::<T>(granule) {
                    len += usize::from(slot.generation().is_occupied());
                }
            }
        }
        len
    }

    /// Ends the lives of white objects in a page, from `cursor` on and at most `quota` of them, in memory
    /// order: their generations are bumped. Returns how many died, and logs which slots are retired and which
    /// objects were watched. The page is done when the cursor is past its last word.
    ///
    /// Without destructors the slots are free at once; with them, and where an object was watched, they stay
    /// occupied and white until [`drop_doomed`](Self::drop_doomed). White slots without an object (limbo) are
    /// freed. With `hold` every value waits for `drop_doomed`, though it has no destructor.
    pub(crate) fn sweep_page<T: 'static>(
        &mut self,
        page: u32,
        hold: bool,
        cursor: &mut usize,
        quota: usize,
        log: &mut SweepLog,
    ) -> usize {
        self.note_past(page, Past::Vacated);
        let mut slots = self.slots();
        let (white, occupied) = (slots.words(Bits::White, page), slots.words(Bits::Occupied, page));
        let granule_of = |word, bit| Granule::of_slot::<T>(page, Class::of::<T>().slot::<T>(word, bit));
        let (mut died_len, mut any_held) = (0, false);
        #[cfg(gc_zeal)]
        let mut dead = Vec::new();
        for (word, (white_word, occupied)) in white.iter().zip(occupied).enumerate().skip(*cursor) {
            // The next word's headers arrive while this one's are changed.
            if let Some(next) = white.get(word + 1) {
                let look = slots.look();
                for bit in ones(read_word(next)) {
                    look.prefetch_near(granule_of(word + 1, bit));
                }
            }
            *cursor = word;
            let white_bits = read_word(white_word);
            let (mut swept, mut doomed, mut retired) = (0_u64, 0, 0);
            for bit in ones(white_bits) {
                let granule = granule_of(word, bit);
                let Some(mut slot) = slots.slot_to_sweep::<T>(granule) else { continue };
                let generation = slot.look().generation();
                if !generation.is_occupied() {
                    // Doomed when this word was begun, or in limbo.
                    doomed |= u64::from(slot.look().is_doomed()) << bit;
                    swept |= 1_u64 << bit;
                    continue;
                }
                if died_len == quota {
                    break;
                }
                died_len += 1;
                swept |= 1_u64 << bit;
                #[cfg(gc_zeal)]
                dead.push(RawHandle::new(granule, generation));
                let is_watched = slot.look().is_watched();
                if is_watched {
                    log.watched.push(RawHandle::new(granule, generation));
                }
                // A graveyard may want the value of a watched object.
                let (generation, is_held) = slot.die(hold || is_watched);
                doomed |= u64::from(is_held) << bit;
                if generation == Generation::ZERO {
                    retired |= 1_u64 << bit;
                    log.retired.push(granule);
                }
            }
            if white_bits == 0 {
                *cursor = word + 1;
                continue;
            }
            write_word(occupied, read_word(occupied) & !swept | doomed | retired);
            write_word(white_word, white_bits & !swept | doomed);
            any_held |= doomed | retired != 0;
            if swept != white_bits {
                break;
            }
            *cursor = word + 1;
        }
        #[cfg(gc_zeal)]
        self.note_collected(dead);
        if any_held {
            self.note_past(page, Past::Recycled);
        }
        died_len
    }

    /// Runs the destructors of the doomed values in these pages from `cursor` on, until `dropped` is `quota`,
    /// and moves the cursor past them. `false` if there are no more. If a destructor panics the cursor has
    /// moved past its value all the same, which is counted. What the values owned, as `owned` says, is added
    /// up.
    pub(crate) fn drop_doomed<T: 'static>(
        &mut self,
        pages: &[u32],
        cursor: &mut DoomCursor,
        quota: usize,
        dropped: &mut usize,
        owned: impl Fn(&T) -> usize,
    ) -> bool {
        let freed_owned = &mut self.freed_owned;
        let mut slots = Slots::new(&mut self.space, &self.pages);
        while let Some(page) = pages.get(cursor.page).copied() {
            let (white, occupied) = (slots.words(Bits::White, page), slots.words(Bits::Occupied, page));
            for (word, (white_word, occupied_word)) in
                white.iter().zip(occupied).enumerate().skip(cursor.word)
            {
                cursor.word = word;
                loop {
                    let white = read_word(white_word);
                    if white == 0 {
                        break;
                    }
                    if *dropped >= quota {
                        return true;
                    }
                    *dropped += 1;
                    let bit = white.trailing_zeros();
                    write_word(white_word, white & (white - 1));
                    let granule = Granule::of_slot::<T>(page, Class::of::<T>().slot::<T>(word, bit));
                    let Some(mut slot) = slots.slot_to_sweep::<T>(granule) else { continue };
                    if slot.look().generation() != Generation::ZERO {
                        write_word(occupied_word, read_word(occupied_word) & !(1 << bit));
                    }
                    // Before the destructor, which may panic.
                    slot.drop_doomed(|value| *freed_owned = freed_owned.saturating_add(owned(value)));
                }
            }
            *cursor = DoomCursor { page: cursor.page + 1, word: 0 };
        }
        false
    }
}
