//! How many bytes containers own, in parts.

use crate::trace::Trace;

/// How many items of a long container are sampled.
const SAMPLE: usize = 64;

/// What `len` items own, extrapolated from 64 of them.
pub(crate) fn by_items<'a, T: Trace + 'a>(len: usize, items: impl Iterator<Item = &'a T>) -> usize {
    if !T::OWNS || len == 0 {
        return 0;
    }
    let asked = len.min(SAMPLE);
    let bytes = items.take(asked).fold(0, |bytes: usize, item| bytes.saturating_add(item.owned_bytes()));
    extrapolated(bytes, asked, len)
}

/// As `by_items`, where sampling items far apart costs nothing.
pub(crate) fn by_slice<T: Trace>(items: &[T]) -> usize {
    by_items(items.len(), items.iter().step_by((items.len() / SAMPLE).max(1)))
}

/// A value's own buffer and what its parts own, each of which may be any number.
pub(crate) fn sum<const N: usize>(parts: [usize; N]) -> usize {
    parts.into_iter().fold(0, usize::saturating_add)
}

fn extrapolated(bytes: usize, asked: usize, len: usize) -> usize {
    if asked == len {
        return bytes;
    }
    usize::try_from(bytes as u128 * len as u128 / asked as u128).unwrap_or(usize::MAX)
}

/// How many buckets a hash table examines at once: it has this many more control bytes than buckets.
const GROUP: usize = if cfg!(all(target_feature = "sse2", any(target_arch = "x86", target_arch = "x86_64"))) {
    16
} else if cfg!(any(target_pointer_width = "64", target_arch = "wasm32")) {
    8
} else {
    4
};

/// The memory of a hash table of std or hashbrown with this capacity.
pub(crate) fn table_bytes<E>(capacity: usize) -> usize {
    match capacity {
        0 => 0,
        // At most seven eighths of the buckets are used; in small tables, all but one.
        _ => (capacity * 8 / 7).max(4).next_power_of_two() * (size_of::<E>() + 1) + GROUP,
    }
}

/// The memory of a B-tree with this many entries: nodes of eleven, two thirds full, and the links between
/// them.
pub(crate) fn tree_bytes<E>(len: usize) -> usize {
    let nodes = len.div_ceil(8);
    nodes * (11 * size_of::<E>() + 3 * size_of::<usize>())
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn a_long_container_extrapolates_from_items_far_apart() {
        let mut asked: Vec<String> = (0..6400).map(|_| String::with_capacity(10)).collect();
        asked.iter_mut().take(3200).for_each(|text| *text = String::with_capacity(30));
        assert_eq!(by_slice(&asked), 6400 * 20);
        assert_eq!(by_slice(&asked[..64]), 64 * 30);
        assert_eq!(by_slice::<u8>(&[0; 100]), 0);
        assert_eq!(extrapolated(usize::MAX, 64, usize::MAX), usize::MAX);
    }

    #[test]
    fn the_memory_of_a_hash_table_is_known_to_the_byte() {
        for capacity in [0, 1, 3, 4, 7, 8, 14, 15, 28, 29, 1000, 100_000] {
            let table = hashbrown::HashTable::<(u64, u64)>::with_capacity(capacity);
            assert_eq!(table_bytes::<(u64, u64)>(table.capacity()), table.allocation_size(), "{capacity}");
        }
    }
}
