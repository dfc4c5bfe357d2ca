//! Address space from Windows: reserved whole, committed in steps.
//!
//! Committed memory counts at once towards what the system has promised, so nothing is committed before it is
//! needed except the tags, 4 MiB in each heap that holds anything; they take memory only when they are first
//! written. Large pages need a privilege and are never swapped out, so they are not used.
#![expect(unsafe_code, reason = "maps memory")]

use core::ptr::{NonNull, null};

use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEM_DECOMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_NOACCESS, PAGE_READWRITE, VirtualAlloc,
    VirtualFree,
};

/// Memory reserved by us, released when dropped.
pub(super) struct Mapping {
    start: NonNull<u8>,
}

impl Mapping {
    /// Address space that cannot be accessed yet; `None` if the system does not have that much.
    pub(super) fn without_access(bytes: usize) -> Option<Self> {
        // SAFETY: a new reservation at an address of the system's choice touches no memory of ours.
        let start = unsafe { VirtualAlloc(null(), bytes, MEM_RESERVE, PAGE_NOACCESS) };
        Some(Self { start: NonNull::new(start.cast())? })
    }

    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the reservation is ours and, its `Space` being dropped, out of use. It is released whole.
        let released = unsafe { VirtualFree(self.start.as_ptr().cast(), 0, MEM_RELEASE) };
        debug_assert!(released != 0, "a reservation of our own can be released");
    }
}

/// How much may be writable without being used, for the words of each page: nothing, since it would count as
/// committed.
pub(super) const FREE_BYTES: usize = 0;

/// No such limit is known.
pub(super) fn address_space_limit() -> Option<usize> {
    None
}

/// Makes a part of a mapping readable; returns whether that worked. It becomes writable too: what is
/// committed counts in either case.
///
/// # Safety
/// The range must lie in a mapping, and must not be in use.
pub(super) unsafe fn make_readable(start: *mut u8, bytes: usize) -> bool {
    // SAFETY: as the caller promises.
    unsafe { make_writable(start, bytes) }
}

/// Makes a part of a mapping readable and writable; returns whether that worked. Memory that is committed
/// already keeps its contents.
///
/// # Safety
/// The range must lie in a mapping.
pub(super) unsafe fn make_writable(start: *mut u8, bytes: usize) -> bool {
    // SAFETY: as the caller promises.
    !unsafe { VirtualAlloc(start.cast(), bytes, MEM_COMMIT, PAGE_READWRITE) }.is_null()
}

/// Returns the memory of a range to the system. It must not be accessed until `refill`.
///
/// # Safety
/// The range must lie in a mapping, be writable, and be out of use.
pub(super) unsafe fn empty(start: *mut u8, bytes: usize) {
    // SAFETY: as the caller promises.
    let is_emptied = unsafe { VirtualFree(start.cast(), bytes, MEM_DECOMMIT) };
    if is_emptied == 0 {
        // SAFETY: as the caller promises.
        unsafe { start.write_bytes(0, bytes) };
    }
}

/// Undoes `empty`: the range is writable and reads as zero. Returns whether that worked.
///
/// # Safety
/// The range must be one of those emptied.
pub(super) unsafe fn refill(start: *mut u8, bytes: usize) -> bool {
    // SAFETY: as the caller promises.
    unsafe { make_writable(start, bytes) }
}

/// Does nothing: this system has no such advice.
///
/// # Safety
/// None here.
pub(super) unsafe fn advise_huge(_start: *mut u8, _bytes: usize) {}
