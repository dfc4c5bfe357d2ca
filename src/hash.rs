//! A fast hasher for tables keyed by handles.
//!
//! It is deliberately weak against chosen keys: an attacker should not be able to choose handles. It is good
//! at spreading handles, which are dense slot numbers with small generations.

use core::hash::{BuildHasherDefault, Hasher};

/// A hash map keyed by handles (or anything else, see [`HandleHasher`]). Make one with `GcMap::default()`.
///
/// This is std's map, and so needs the feature `std`. Without it use hashbrown's, which is traced as well:
/// `hashbrown::HashMap<K, V, BuildHasherDefault<HandleHasher>>`.
///
/// # Examples
/// ```
/// use slotgc::{Gc, GcMap, Heap};
///
/// let mut heap = Heap::new();
/// let door = heap.alloc("door");
/// let mut names: GcMap<Gc<&str>, u32> = GcMap::default();
/// names.insert(door, 1);
/// assert_eq!(names[&door], 1);
/// ```
#[cfg(feature = "std")]
pub type GcMap<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<HandleHasher>>;

/// A hash set of handles, as [`GcMap`]. Make one with `GcSet::default()`.
#[cfg(feature = "std")]
pub type GcSet<K> = std::collections::HashSet<K, BuildHasherDefault<HandleHasher>>;

/// The crate's own tables, with std and without.
pub(crate) type Map<K, V> = hashbrown::HashMap<K, V, BuildHasherDefault<HandleHasher>>;
#[cfg(any(all(feature = "inspect", feature = "std"), test))]
pub(crate) type Set<K> = hashbrown::HashSet<K, BuildHasherDefault<HandleHasher>>;

/// Hashes a handle with two multiplications, and any other key (tuples with a handle, strings) eight bytes
/// at a time.
///
/// The folded multiplication of wyhash spreads dense slot numbers over both the low bits, by which hash
/// tables choose a bucket, and the top bits, by which hashbrown tells entries of one group apart. The seed is
/// fixed: the same program iterates its tables in the same order. For keys that an attacker chooses use the
/// standard library's hasher.
///
/// # Examples
/// ```
/// use std::hash::{BuildHasher, BuildHasherDefault};
/// use slotgc::{HandleHasher, Heap};
///
/// let mut heap = Heap::new();
/// let (a, b) = (heap.alloc(1), heap.alloc(1));
/// let hasher = BuildHasherDefault::<HandleHasher>::default();
/// assert_eq!(hasher.hash_one(a), hasher.hash_one(a.downgrade()));
/// assert_ne!(hasher.hash_one(a), hasher.hash_one(b));
/// ```
#[derive(Clone, Debug)]
pub struct HandleHasher {
    state: u64,
}

/// Digits of the golden ratio and of wyhash's primes: odd, with about half of the bits set.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const MULTIPLIER: u64 = 0xa076_1d64_78bd_642f;
const FINISH: u64 = 0xe703_7ed1_a0b4_28db;

/// The two halves of the 128-bit product, folded: every bit of the result depends on every bit of `word`.
#[inline(always)]
fn fold(word: u64, by: u64) -> u64 {
    let product = u128::from(word) * u128::from(by);
    product as u64 ^ (product >> 64) as u64
}

impl Default for HandleHasher {
    #[inline(always)]
    fn default() -> Self {
        Self { state: SEED }
    }
}

impl Hasher for HandleHasher {
    #[inline(always)]
    fn write_u64(&mut self, word: u64) {
        self.state = fold(self.state ^ word, MULTIPLIER).rotate_left(23) ^ word;
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.write_u64(u64::from_le_bytes(chunk.try_into().expect("chunks of eight")));
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.write_u64(u64::from_le_bytes(last) ^ (rest.len() as u64) << 56);
        }
    }

    #[inline(always)]
    fn write_u8(&mut self, word: u8) {
        self.write_u64(word.into());
    }

    #[inline(always)]
    fn write_u16(&mut self, word: u16) {
        self.write_u64(word.into());
    }

    #[inline(always)]
    fn write_u32(&mut self, word: u32) {
        self.write_u64(word.into());
    }

    #[inline(always)]
    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    #[inline(always)]
    fn finish(&self) -> u64 {
        fold(self.state, FINISH)
    }
}

#[cfg(test)]
mod tests {
    use core::hash::{BuildHasher, Hash};

    use alloc::collections::BTreeSet;

    use super::*;

    fn hash(key: impl Hash) -> u64 {
        BuildHasherDefault::<HandleHasher>::default().hash_one(key)
    }

    #[test]
    fn dense_slots_spread_over_low_and_top_bits() {
        // As many keys as buckets: a random function would fill about 63 % of them.
        for stride in [2_u64, 3, 9, 17, 8192] {
            let hashes = || (0..4096_u64).map(|i| hash((i * stride) << 32 | 1));
            let low: BTreeSet<u64> = hashes().map(|h| h & 4095).collect();
            let top: BTreeSet<u64> = hashes().map(|h| h >> 52).collect();
            assert!(low.len() > 2400, "{} low buckets at stride {stride}", low.len());
            assert!(top.len() > 2400, "{} top buckets at stride {stride}", top.len());
        }
    }

    #[test]
    fn strings_and_tuples_are_told_apart() {
        assert_ne!(hash("ab"), hash("ab\0"));
        assert_ne!(hash(("a", "bc")), hash(("ab", "c")));
        assert_ne!(hash((1_u32, 2_u32)), hash((2_u32, 1_u32)));
        assert_ne!(hash([0_u64; 1].as_slice()), hash([0_u64; 2].as_slice()));
    }
}
