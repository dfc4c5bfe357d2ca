//! Slots of 72 bytes, contiguous in memory from the system.
//!
//! Invariant of [`Slots`]: `start` is the beginning of `len` slots inside a private mapping that nothing else
//! knows.
#![expect(unsafe_code, reason = "memory comes from `mmap`, advised to huge pages, which Vec cannot do")]

use std::ptr::{self, NonNull};
use std::slice;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use slotgc_graphs::DEGREE;

use crate::needs::NODE_BYTES;

/// A value: all bits may be zero.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Node {
    pub(super) id: u64,
    pub(super) edges: [Edge; DEGREE],
    pub(super) fill: [u64; 2],
    pub(super) tail: u64,
}

/// Which slot and which generation of it.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(super) struct Edge {
    pub(super) index: u32,
    pub(super) generation: u32,
}

/// Header and value: all bits may be zero.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Slot {
    pub(super) generation: u32,
    pub(super) flags: u32,
    pub(super) node: Node,
}

const _: () = assert!(size_of::<Node>() == NODE_BYTES && size_of::<Slot>() == NODE_BYTES + 8);

/// Which pages back the memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pages {
    /// Whatever the system uses: usually 4 KiB.
    Usual,
    /// 2 MiB, where the system grants them.
    Huge,
}

const HUGE_PAGE_BYTES: usize = 2 << 20;

/// A number of slots, all zero at first.
#[derive(Debug)]
pub(super) struct Slots {
    start: NonNull<Slot>,
    len: usize,
    mapping: NonNull<u8>,
    mapping_bytes: usize,
}

impl Slots {
    /// Memory that nothing has touched yet.
    pub(super) fn new(len: usize, pages: Pages) -> Self {
        let bytes = (len * size_of::<Slot>()).next_multiple_of(HUGE_PAGE_BYTES);
        let mapping_bytes = bytes + HUGE_PAGE_BYTES;
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: a new mapping at an address that the system chooses overlaps no other memory.
        let mapping = unsafe { mmap_anonymous(ptr::null_mut(), mapping_bytes, protection, flags) };
        let mapping = NonNull::new(mapping.expect("memory from the system").cast::<u8>()).expect("not null");
        let to_boundary = mapping.as_ptr().align_offset(HUGE_PAGE_BYTES);
        // SAFETY: the offset is less than a huge page, hence inside of the mapping, which is larger by one.
        let start = unsafe { mapping.add(to_boundary) };
        let advice = match pages {
            Pages::Usual => Advice::LinuxNoHugepage,
            Pages::Huge => Advice::LinuxHugepage,
        };
        // SAFETY: advice on page size changes no contents. It may be refused, where there are no huge pages.
        let _ = unsafe { madvise(start.as_ptr().cast(), bytes, advice) };
        Self { start: start.cast(), len, mapping, mapping_bytes }
    }

    /// All slots.
    #[inline(always)]
    pub(super) fn as_slice(&self) -> &[Slot] {
        // SAFETY: `len` slots inside the mapping (invariant), zero or written as slots; borrowed with `self`.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// All slots, to be changed.
    #[inline(always)]
    pub(super) fn as_mut_slice(&mut self) -> &mut [Slot] {
        // SAFETY: `len` slots inside the mapping (invariant), zero or written as slots; borrowed with `self`.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours alone (invariant), and no borrow of it outlives `self`.
        let unmapped = unsafe { munmap(self.mapping.as_ptr().cast(), self.mapping_bytes) };
        debug_assert!(unmapped.is_ok(), "the mapping was there");
    }
}
