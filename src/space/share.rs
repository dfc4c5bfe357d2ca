//! How much of the process's address space a heap reserves.
//!
//! A heap cannot move, so it reserves what it may ever need; but a process has at most 128 TiB, less if it
//! was started with a limit, and other allocators need some. So each range takes a share of what is left: a
//! process with few heaps has large ones, and one with ten thousand has room for all of them.

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::geometry::{MAX_PAGES, PAGE_BYTES};
use crate::space::system;

/// The smallest range: 16 MiB.
pub(super) const LEAST_PAGES: u32 = 256;

/// What ranges may take together without a limit: half of what a program has on x86-64.
const ALL_BYTES: usize = 64 << 40;
/// The divisor for what a range takes of what is left under a limit of the system; meant for programs with
/// few heaps.
const PART_OF_LIMIT: usize = 8;

/// Bytes that are reserved.
static RESERVED: AtomicUsize = AtomicUsize::new(0);
/// Bytes that ranges may take together: less if the system refused some.
static ALL: AtomicUsize = AtomicUsize::new(ALL_BYTES);

/// A range's part of the address space; returned when dropped.
pub(super) struct Share {
    /// The maximum of bytes in slots that the heap will have.
    max_bytes: usize,
    taken: usize,
}

impl Share {
    pub(super) fn for_bytes(max_bytes: usize) -> Self {
        Self { max_bytes, taken: 0 }
    }

    /// How many pages to request from the system: a power of two.
    pub(super) fn pages(&self) -> u32 {
        // Pages are of one type each, and partly empty.
        let most = self.max_bytes.saturating_mul(2).saturating_add(LEAST_PAGES as usize * PAGE_BYTES);
        // Relaxed, here and below: sums that no other memory depends on.
        let reserved = RESERVED.load(Ordering::Relaxed);
        pages(most, reserved, ALL.load(Ordering::Relaxed), system::address_space_limit())
    }

    /// Whether a heap has no limit that a range of the usual size would be too large for.
    pub(super) fn is_uncapped(&self) -> bool {
        pages(self.max_bytes, 0, ALL_BYTES, None) == MAX_PAGES
    }

    /// The system provided this many bytes, perhaps after it had refused more.
    pub(super) fn take(&mut self, bytes: usize, was_refused: bool) {
        let reserved = RESERVED.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        self.taken = bytes;
        if was_refused {
            // There is less than assumed: perhaps about as much as was provided.
            ALL.fetch_min(reserved.saturating_add(bytes), Ordering::Relaxed);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        RESERVED.fetch_sub(self.taken, Ordering::Relaxed);
    }
}

/// Pages for a heap of at most `most` bytes, when `reserved` of `all` bytes are reserved.
fn pages(most: usize, reserved: usize, all: usize, limit: Option<usize>) -> u32 {
    let left = limit.unwrap_or(all).saturating_sub(reserved);
    let share = match limit {
        Some(_) => left / PART_OF_LIMIT,
        // The first 256 heaps have 32 GiB each, the next 10,000 have 4.
        None if left > all / 8 * 7 => all / 2048,
        None if left > all / 8 => all / (16 << 10),
        None => left / 1024,
    };
    let pages = share.min(most.checked_next_power_of_two().unwrap_or(most)) / PAGE_BYTES;
    let pages = u32::try_from(pages).unwrap_or(MAX_PAGES).clamp(LEAST_PAGES, MAX_PAGES);
    1 << pages.ilog2()
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const GIB: usize = 1 << 30;

    fn bytes(pages: u32) -> usize {
        pages as usize * PAGE_BYTES
    }

    #[test]
    fn few_heaps_have_large_ranges_and_ten_thousand_have_one_each() {
        let (mut reserved, mut ranges) = (0, Vec::new());
        for _ in 0..10_000 {
            ranges.push(bytes(pages(usize::MAX, reserved, ALL_BYTES, None)));
            reserved += ranges[ranges.len() - 1] + ranges[ranges.len() - 1] / 32;
        }
        assert!(ranges[..240].iter().all(|range| *range == 32 * GIB));
        assert!(ranges.iter().all(|range| *range >= 4 * GIB));
        assert!(reserved < ALL_BYTES);
    }

    #[test]
    fn six_heaps_leave_a_third_of_a_limited_address_space_to_others() {
        let (mut reserved, mut ranges) = (0, Vec::new());
        for _ in 0..6 {
            ranges.push(bytes(pages(usize::MAX, reserved, ALL_BYTES, Some(GIB))));
            reserved += ranges[ranges.len() - 1] * 33 / 32 + (6 << 20);
        }
        assert_eq!(ranges[0], GIB / 8);
        assert!(ranges[5] >= 32 << 20 && reserved < GIB * 2 / 3, "{ranges:?}, {reserved} bytes");
    }

    #[test]
    fn a_range_is_no_larger_than_a_heap_with_a_limit_needs() {
        assert_eq!(bytes(pages(48 << 20, 0, ALL_BYTES, None)), 64 << 20);
        assert_eq!(pages(0, 0, ALL_BYTES, None), LEAST_PAGES);
        assert_eq!(pages(usize::MAX, 0, ALL_BYTES, None), MAX_PAGES);
        assert_eq!(pages(usize::MAX, usize::MAX, ALL_BYTES, Some(GIB)), LEAST_PAGES);
    }

    #[test]
    fn what_a_range_had_is_there_for_others_when_it_goes() {
        for _ in 0..1000 {
            let mut share = Share::for_bytes(usize::MAX);
            share.take(1 << 40, false);
        }
        let reserved = RESERVED.load(Ordering::Relaxed);
        assert!(reserved < ALL_BYTES / 8, "{reserved} bytes are reserved by the heaps of other tests");
    }
}
