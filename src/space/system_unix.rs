//! Address space from a Unix.
//!
//! The differences between Unix systems are only here:
//!
//! | | reserved without being counted | released by | huge pages |
//! |---|---|---|---|
//! | Linux, Android | no access and `MAP_NORESERVE` | `MADV_DONTNEED`, which empties | advised |
//! | macOS, iOS, NetBSD, OpenBSD, illumos | no access and `MAP_NORESERVE`, where the latter means anything | a new mapping in place | by the system, if at all |
//! | FreeBSD, DragonFly, others | no access; there is no such flag | a new mapping in place | by the system |
//!
//! On other systems `MADV_DONTNEED` is advice that may leave the contents, and `MADV_FREE` leaves them
//! everywhere until memory is short: neither makes pages zero.
#![expect(unsafe_code, reason = "maps memory")]

use core::ffi::c_void;
use core::ptr::{NonNull, null_mut};

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use rustix::process::{Resource, getrlimit};

/// Memory mapped by us, unmapped when dropped.
pub(super) struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
}

impl Mapping {
    /// Address space that cannot be accessed yet; `None` if the system does not have that much.
    pub(super) fn without_access(bytes: usize) -> Option<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
        let start = unsafe { mmap_anonymous(null_mut(), bytes, ProtFlags::empty(), PRIVATE) }.ok()?;
        Some(Self { start: NonNull::new(start.cast())?, bytes })
    }

    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and, its `Space` being dropped, out of use.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
        debug_assert!(unmapped.is_ok(), "a mapping of our own can be unmapped");
    }
}

/// Private memory, not counted as long as it is not accessed, if the system has a flag for that.
const PRIVATE: MapFlags = {
    #[cfg(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "illumos",
        target_os = "solaris",
    ))]
    {
        MapFlags::PRIVATE.union(MapFlags::NORESERVE)
    }
    #[cfg(not(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "illumos",
        target_os = "solaris",
    )))]
    {
        MapFlags::PRIVATE
    }
};

/// How much may be writable without being used, for the words of each page: it counts towards no tight limit.
pub(super) const FREE_BYTES: usize = 1 << 20;

/// How many bytes of address space the process may have, if there is a limit (`ulimit -v`).
pub(super) fn address_space_limit() -> Option<usize> {
    let limit = getrlimit(Resource::As).current?;
    Some(usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Makes a part of a mapping readable; returns whether that worked.
///
/// # Safety
/// The range must lie in a mapping, and must not be in use.
pub(super) unsafe fn make_readable(start: *mut u8, bytes: usize) -> bool {
    // SAFETY: as the caller promises.
    unsafe { mprotect(start.cast(), bytes, MprotectFlags::READ) }.is_ok()
}

/// Makes a part of a mapping readable and writable; returns whether that worked. The contents stay.
///
/// # Safety
/// The range must lie in a mapping.
pub(super) unsafe fn make_writable(start: *mut u8, bytes: usize) -> bool {
    // SAFETY: as the caller promises.
    unsafe { mprotect(start.cast(), bytes, MprotectFlags::READ | MprotectFlags::WRITE) }.is_ok()
}

/// Returns the memory of a range to the system. It must not be accessed until `refill`.
///
/// # Safety
/// The range must lie in a mapping, be writable, and be out of use.
pub(super) unsafe fn empty(start: *mut u8, bytes: usize) {
    // SAFETY: as the caller promises.
    if !unsafe { is_emptied(start.cast(), bytes) } {
        // SAFETY: as the caller promises.
        unsafe { start.write_bytes(0, bytes) };
    }
}

/// Undoes `empty`: the range is writable and reads as zero. Returns whether that worked.
///
/// # Safety
/// The range must be one of those emptied.
#[expect(clippy::missing_const_for_fn, reason = "on other systems it asks the system")]
pub(super) unsafe fn refill(_start: *mut u8, _bytes: usize) -> bool {
    true
}

#[cfg(any(target_os = "linux", target_os = "android"))]
unsafe fn is_emptied(start: *mut c_void, bytes: usize) -> bool {
    use rustix::mm::{Advice, madvise};

    // SAFETY: as the caller promises. Private anonymous memory reads as zero after this advice.
    unsafe { madvise(start, bytes, Advice::LinuxDontNeed) }.is_ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
unsafe fn is_emptied(start: *mut c_void, bytes: usize) -> bool {
    let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, PRIVATE | MapFlags::FIXED);
    // SAFETY: as the caller promises: what is replaced is a part of our own mapping that is out of use.
    unsafe { mmap_anonymous(start, bytes, access, flags) }.is_ok()
}

/// Requests huge pages. If that is refused, the pages stay small.
///
/// # Safety
/// The range must lie in a mapping.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) unsafe fn advise_huge(start: *mut u8, bytes: usize) {
    use rustix::mm::{Advice, madvise};

    // SAFETY: as the caller promises. The advice changes no contents.
    let _ = unsafe { madvise(start.cast(), bytes, Advice::LinuxHugepage) };
}

/// Does nothing: this system has no such advice.
///
/// # Safety
/// None here.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) unsafe fn advise_huge(_start: *mut u8, _bytes: usize) {}
