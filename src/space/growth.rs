//! How much of a reserved range can be accessed, and with which page size.
#![expect(unsafe_code, reason = "asks the system for access to a part of a mapping")]

use core::ptr::NonNull;

use crate::config::Limit;
use crate::geometry::PAGE_BYTES;
use crate::space::system;
use crate::sync::{Flag, Ordering};

/// The size of a huge page: memory is opened in steps of this size, on its boundaries.
pub(super) const HUGE_BYTES: usize = 2 << 20;
const STEP_PAGES: u32 = (HUGE_BYTES / PAGE_BYTES) as u32;
/// A heap below this size is not worth huge pages: most of one would stay empty.
const HUGE_FROM_PAGES: u32 = 2 * STEP_PAGES;

/// How much of a range can be accessed.
#[derive(Default)]
pub(super) struct Growth {
    /// Pages that can be accessed.
    accessible: u32,
    /// An upper bound for how many pages are the first of their type, which may be nearly empty.
    pub(super) firsts: u32,
    /// Where the pages begin that were made accessible while the heap grew frame by frame: huge pages were
    /// not advised for them yet.
    small_from: Option<u32>,
}

impl Growth {
    /// The same for another heap, if so little can be accessed that it may as well have it.
    pub(super) fn for_another(&self) -> Option<Self> {
        (self.accessible <= STEP_PAGES).then(|| Self { accessible: self.accessible, ..Self::default() })
    }

    /// How many pages can be accessed.
    pub(super) fn accessible(&self) -> u32 {
        self.accessible
    }

    /// Ensures that `run` pages from `first` on can be accessed, in a range with this base and this many
    /// pages. Returns the number of the page after them.
    #[inline]
    pub(super) fn reach(
        &mut self,
        range: (NonNull<u8>, u32),
        first: u32,
        run: u32,
        is_calm: &Flag,
    ) -> Result<u32, Limit> {
        let end = first.checked_add(run).filter(|end| *end <= range.1);
        let end = end.ok_or(Limit::Range(u64::from(range.1) * PAGE_BYTES as u64))?;
        if end > self.accessible {
            self.make_accessible(range, end, is_calm)?;
        }
        Ok(end)
    }

    /// Makes the pages before `end` accessible, and some more, since each step is a call into the kernel.
    #[cold]
    fn make_accessible(&mut self, range: (NonNull<u8>, u32), end: u32, is_calm: &Flag) -> Result<(), Limit> {
        let ahead = (self.accessible / 8).max(STEP_PAGES);
        let far = end.max(self.accessible + ahead).next_multiple_of(STEP_PAGES).min(range.1);
        let (start, bytes) = part(range, self.accessible, far);
        let end = match make_writable(start, bytes) {
            Ok(()) => far,
            // There is no memory for more, but there may be enough for what is needed now.
            Err(_) => {
                let (start, bytes) = part(range, self.accessible, end);
                make_writable(start, bytes)?;
                end
            }
        };
        if end > HUGE_FROM_PAGES && end.saturating_sub(self.firsts) <= HUGE_FROM_PAGES {
            // Many types with few objects each.
            self.small_from.get_or_insert(self.accessible);
        } else if end > HUGE_FROM_PAGES {
            // The first touch of a huge page clears it, which takes milliseconds where a hypervisor has yet
            // to find the memory: acceptable while a level loads, but too long for a frame. So a heap that
            // grows frame by frame begins with small pages, and the kernel makes them huge in its own time
            // once they are in use.
            let advised = self.small_from.take().unwrap_or(self.accessible);
            if is_calm.swap(false, Ordering::Relaxed) {
                advise_huge(range, advised, self.accessible);
                self.small_from = Some(self.accessible);
            } else {
                advise_huge(range, advised, end)
            }
        }
        self.accessible = end;
        Ok(())
    }
}

/// Requests huge pages from where the heap became large enough for them.
fn advise_huge(range: (NonNull<u8>, u32), start: u32, end: u32) {
    if start.max(STEP_PAGES) < end {
        let (start, bytes) = part(range, start.max(STEP_PAGES), end);
        // SAFETY: the part is in the mapping.
        unsafe { system::advise_huge(start, bytes) };
    }
}

/// Address and length of the pages from `first` up to `end`, in a range with this base and this many pages.
pub(super) fn part((base, pages): (NonNull<u8>, u32), first: u32, end: u32) -> (*mut u8, usize) {
    assert!(first <= end && end <= pages, "pages {first} to {end} lie outside of the heap's range");
    let start = base.as_ptr().wrapping_add(first as usize * PAGE_BYTES);
    (start, (end - first) as usize * PAGE_BYTES)
}

/// Makes a part of our own mapping readable and writable.
pub(super) fn make_writable(start: *mut u8, bytes: usize) -> Result<(), Limit> {
    // SAFETY: the callers name parts of their mapping. Gaining access does not affect threads that read there
    // already.
    let is_writable = unsafe { system::make_writable(start, bytes) };
    is_writable.then_some(()).ok_or(Limit::Memory(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_heap_gets_what_is_accessible_and_nothing_else_of_a_small_one() {
        let small = Growth { accessible: STEP_PAGES, firsts: 9, small_from: Some(1) };
        let next = small.for_another().expect("it is small");
        assert_eq!((next.accessible, next.firsts, next.small_from), (STEP_PAGES, 0, None));
        assert!(Growth { accessible: STEP_PAGES + 1, ..small }.for_another().is_none());
    }
}
