//! The C allocator, which half of the peers use: it is put into the same state before each case, and reports
//! how much memory is in use where a peer cannot report how many of its objects live.
#![expect(unsafe_code, reason = "glibc's functions for this have no safe wrapper")]

/// Returns free memory to the system, so that every case starts as in a fresh process: it pays for the pages
/// it touches, and finds no free lists that an earlier case left in disorder.
pub(crate) fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: has no preconditions.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Bytes allocated and not freed; `None` where the allocator does not report it.
pub(crate) fn in_use() -> Option<usize> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: has no preconditions.
        let info = unsafe { libc::mallinfo2() };
        Some(info.uordblks + info.hblkhd)
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    None
}

/// Keeps all memory in the arena of the main thread, whose free memory [`trim`] returns entirely.
pub(crate) fn one_arena() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: has no preconditions.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
