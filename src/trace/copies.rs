//! [`Copies`]: the copy of each object of a graph, by its handle.
//!
//! A table for each page that holds originals, in which a row is found as a slot's bit is: one cache line to
//! read, nothing to hash. The table of a page with few originals would be mostly empty, so the number of rows
//! is limited in proportion to the known size of the graph; the rest goes into a hash table.

use alloc::vec;
use alloc::vec::Vec;
use core::hash::BuildHasherDefault;

use hashbrown::{HashMap, HashSet};

use crate::bitmap::Class;
use crate::geometry::Granule;
use crate::handle::RawHandle;
use crate::hash::HandleHasher;

type Fixed = BuildHasherDefault<HandleHasher>;

#[derive(Default)]
pub(crate) struct Copies {
    /// By page.
    tables: Vec<PageTable>,
    /// Rows that may still be added.
    room: usize,
    /// Originals in pages that had no table when they were inserted.
    others: HashMap<RawHandle, RawHandle, Fixed>,
    /// Handles to nothing, which become null.
    pub(crate) dead: HashSet<RawHandle, Fixed>,
}

#[derive(Clone, Default)]
struct PageTable {
    class: Class,
    /// Whether there are originals of this page among the others.
    has_others: bool,
    /// The bits of each slot's original and of its copy; zero where there is none. Empty without a table.
    rows: Vec<(u64, u64)>,
}

impl PageTable {
    /// The row of a slot. A handle of unknown type may lie between slots: it has the row of a neighbour.
    #[inline(always)]
    fn row(&mut self, granule: Granule) -> Option<&mut (u64, u64)> {
        let index = self.index(granule);
        self.rows.get_mut(index)
    }

    #[inline(always)]
    fn index(&self, granule: Granule) -> usize {
        (granule.in_page() >> self.class.0) as usize
    }
}

impl Copies {
    /// Contains only which handles become null.
    pub(crate) fn of_dead(dead: HashSet<RawHandle, Fixed>) -> Self {
        Self { dead, ..Self::default() }
    }

    /// Records the copy of an object in a page whose slots are of this class. Of two handles of one slot, of
    /// which one is not an object's, the later is found.
    #[inline(always)]
    pub(crate) fn insert(&mut self, class: Class, old: RawHandle, new: RawHandle) {
        const ROWS: usize = 8;
        self.room += ROWS;
        let row =
            self.tables.get_mut(old.granule().page() as usize).and_then(|table| table.row(old.granule()));
        match row {
            Some(row) => *row = (old.to_bits(), new.to_bits()),
            None => self.insert_elsewhere(class, old, new),
        }
    }

    #[cold]
    #[inline(never)]
    fn insert_elsewhere(&mut self, class: Class, old: RawHandle, new: RawHandle) {
        let (page, rows) = (old.granule().page() as usize, class.page_words() * 64);
        if self.tables.len() <= page {
            self.tables.resize_with(page + 1, PageTable::default);
        }
        let table = &mut self.tables[page];
        // With a table, the handle lies behind its last slot.
        match self.room.checked_sub(rows).filter(|_| table.rows.is_empty()) {
            Some(room) => {
                self.room = room;
                (table.class, table.rows) = (class, vec![(0, 0); rows]);
                self.insert(class, old, new);
            }
            None => {
                table.has_others = true;
                self.others.insert(old, new);
            }
        }
    }

    /// Forgets the copy of an object.
    pub(crate) fn remove(&mut self, old: RawHandle) {
        self.others.remove(&old);
        let table = self.tables.get_mut(old.granule().page() as usize);
        let row = table.and_then(|table| table.row(old.granule()));
        if let Some(row) = row.filter(|row| row.0 == old.to_bits()) {
            *row = (0, 0);
        }
    }

    /// The copy of an object.
    #[inline(always)]
    pub(crate) fn get(&self, old: RawHandle) -> Option<RawHandle> {
        let table = self.tables.get(old.granule().page() as usize)?;
        if let Some((known, new)) = table.rows.get(table.index(old.granule())) {
            if *known == old.to_bits() {
                return Some(RawHandle::from_bits(*new));
            }
        }
        if table.has_others { self.get_elsewhere(old) } else { None }
    }

    #[cold]
    #[inline(never)]
    fn get_elsewhere(&self, old: RawHandle) -> Option<RawHandle> {
        self.others.get(&old).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handle::Generation;

    fn handle(page: u32, slot: u32, generation: u32) -> RawHandle {
        RawHandle::new(Granule::new(page, slot * 3), Generation(generation))
    }

    /// Slots of three granules: no two share a bit, and the granules between them share one of theirs.
    #[test]
    fn copies_are_found_in_full_pages_and_in_nearly_empty_ones() {
        let class = Class::of_slots(3);
        let full = (0..2000).map(|slot| handle(2, slot, 1 + slot % 7 * 2));
        let sparse = (0..200).map(|page| handle(10 + page, page, 5));
        let olds: Vec<_> = full.chain(sparse).collect();
        let mut copies = Copies::default();
        let mut naive = alloc::collections::BTreeMap::new();
        for (number, old) in olds.iter().enumerate() {
            let new = handle(1000, number as u32, 3);
            copies.insert(class, *old, new);
            naive.insert(old.to_bits(), new);
        }
        assert!(
            copies.tables.iter().any(|table| !table.rows.is_empty()) && !copies.others.is_empty(),
            "both are in use"
        );
        for old in &olds {
            assert_eq!(copies.get(*old), naive.get(&old.to_bits()).copied());
            for granule in [old.granule().0 - 1, old.granule().0 + 1] {
                assert_eq!(copies.get(RawHandle::new(Granule(granule), old.generation())), None);
            }
            assert_eq!(copies.get(RawHandle::new(old.granule(), Generation(99))), None);
        }
        assert_eq!(copies.get(RawHandle::NULL), None);
    }
}
