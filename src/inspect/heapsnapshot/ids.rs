//! Ids of 32 bits for handles of 64.
//!
//! An id must belong to the same object in every snapshot of a heap, and to no other, although snapshots do
//! not know of each other. For the first tenant of a slot, and for the next 31 in heaps of up to 256 MiB, the
//! id is slot and generation, packed. The others are spread over half a billion ids by a hash; if two
//! collide, the later one in the file moves on.
//!
//! Objects have odd ids, as in V8; the two nodes at the root have the first two of these. Groups of roots
//! have even ids.

use crate::handle::RawHandle;
use crate::hash::{HandleHasher, Set};
use core::hash::Hasher;

/// The bits that remain for an object after the lowest one.
const BITS: u32 = 31;

/// Ids of the first tenants: those of slots, which are never less than two granules apart.
const FIRST_TENANTS: u64 = 1 << (BITS - 1);
/// After them, the next tenants of slots below this number.
const LATER_SLOTS: u64 = 1 << 24;
const LATER_TENANTS: u64 = 1 << 5;
/// After those, hashes.
const HASHES: u64 = 1 << (BITS - 2);

const _: () = assert!(FIRST_TENANTS + LATER_SLOTS * LATER_TENANTS + HASHES == 1 << BITS);

/// Ids that the nodes at the root have, 1 and 3.
const RESERVED: u64 = 2;

/// Assigns the ids of objects, in the order of the file.
pub(super) struct Ids {
    first_generation: u32,
    hashed: Set<u64>,
}

impl Ids {
    /// For a heap whose slots begin at this generation.
    pub(super) fn new(first_generation: u32) -> Self {
        Self { first_generation, hashed: Set::default() }
    }

    #[inline]
    pub(super) fn of(&mut self, raw: RawHandle) -> u64 {
        let slot = u64::from(raw.granule().0 / 2);
        let tenant = u64::from(raw.generation().0.wrapping_sub(self.first_generation) / 2);
        let number = if tenant == 0 && slot + RESERVED < FIRST_TENANTS {
            slot + RESERVED
        } else if slot < LATER_SLOTS && tenant < LATER_TENANTS {
            FIRST_TENANTS + tenant * LATER_SLOTS + slot
        } else {
            FIRST_TENANTS + LATER_TENANTS * LATER_SLOTS + self.hashed(raw)
        };
        number << 1 | 1
    }

    #[cold]
    fn hashed(&mut self, raw: RawHandle) -> u64 {
        let mut hasher = HandleHasher::default();
        hasher.write_u64(raw.to_bits());
        let mut number = hasher.finish() % HASHES;
        while !self.hashed.insert(number) {
            number = (number + 1) % HASHES;
        }
        number
    }
}

/// The id of a node that stands for roots: computed from its name, unless another node in the file has it.
pub(super) fn id_of_group(name: &str, taken: &mut alloc::vec::Vec<u64>) -> u64 {
    let mut hasher = HandleHasher::default();
    hasher.write(name.as_bytes());
    let mut number = hasher.finish() >> (64 - BITS);
    while number == 0 || taken.contains(&number) {
        number = (number + 1) % (1 << BITS);
    }
    taken.push(number);
    number << 1
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    use super::*;
    use crate::geometry::Granule;
    use crate::handle::Generation;

    fn raw(granule: u32, generation: u32) -> RawHandle {
        RawHandle::new(Granule(granule), Generation(generation))
    }

    #[test]
    fn ids_differ_fit_32_bits_and_stay() {
        let granules = [0, 2, 5, 8191, (1 << 25) - 1, 1 << 25, 1 << 31, u32::MAX - 1];
        let generations = [5, 7, 67, 69, 1001, u32::MAX];
        let all =
            || granules.iter().flat_map(|granule| generations.map(|generation| raw(*granule, generation)));
        let mut ids = Ids::new(5);
        let first: Vec<u64> = all().map(|raw| ids.of(raw)).collect();
        assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), first.len());
        assert!(first.iter().all(|id| *id <= u32::MAX.into() && id % 2 == 1 && *id > 3));
        // In another snapshot, with others before it.
        let mut ids = Ids::new(5);
        let mut again: Vec<u64> = all().rev().map(|raw| ids.of(raw)).collect();
        again.reverse();
        assert_eq!(again, first);
    }

    #[test]
    fn groups_have_ids_of_their_own() {
        let mut taken = Vec::new();
        let (a, b) = (id_of_group("a", &mut taken), id_of_group("b", &mut taken));
        assert!(a != b && a % 2 == 0 && b % 2 == 0);
        assert_eq!(id_of_group("b", &mut Vec::new()), b);
        assert_ne!(id_of_group("b", &mut taken), b, "another one of this hash");
    }
}
