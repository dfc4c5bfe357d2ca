//! Names of registrations, and guards that cancel them from anywhere.
//!
//! A guard may be dropped without access to the heap: in a destructor, on another thread. It leaves a note in
//! its heap's [`CancelCell`], and the heap handles the notes before it notifies of any death. Cells outlive
//! their heaps, since a `Watch` is `Copy` and may do so too: later heaps reuse them, and they are never
//! freed. Numbers continue from one heap to the next, so a guard of an earlier heap cancels nothing.

use alloc::boxed::Box;
use core::fmt;
use core::hash::{Hash, Hasher};

use slotmap::{DefaultKey, Key, KeyData};

use crate::sync::{AtomicU64, Ordering, Queue};

/// Names a registration: a callback, a finalizer, a queue watch or a burial.
///
/// Dropping it cancels nothing; see [`Heap::cancel`](crate::Heap::cancel), and [`WatchGuard`] for a form that
/// cancels when it is dropped.
#[derive(Clone, Copy)]
pub struct Watch {
    pub(crate) cell: &'static CancelCell,
    /// Counts registrations; never used twice in a cell.
    pub(crate) number: u64,
    pub(crate) key: DefaultKey,
}

impl Watch {
    fn id(&self) -> (usize, u64) {
        (core::ptr::from_ref(self.cell).addr(), self.number)
    }
}

impl PartialEq for Watch {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Watch {}

impl Hash for Watch {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Not the address, so that the order of a table of watches depends on the program alone.
        self.number.hash(state);
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watch({})", self.number)
    }
}

/// Cancels its [`Watch`] when dropped: on any thread, from a destructor too.
///
/// The registration at once stops counting for [`watch_count`](crate::Heap::watch_count) and for deaths; the
/// closure or tag itself is dropped when the heap is next used for registrations or deaths.
///
/// # Examples
/// ```
/// use slotgc::{Heap, WatchGuard};
///
/// let mut heap = Heap::new();
/// let bear = heap.alloc("Teddy");
/// let watch = heap.on_death(bear, |_, _| unreachable!("cancelled")).unwrap();
/// drop(WatchGuard::from(watch));
/// assert_eq!(heap.watch_count(bear), 0);
/// heap.collect();
/// ```
#[must_use = "dropping the guard cancels the registration at once"]
#[derive(Debug)]
pub struct WatchGuard {
    watch: Watch,
}

impl WatchGuard {
    /// The registration that is guarded.
    pub fn watch(&self) -> Watch {
        self.watch
    }

    /// Keeps the registration.
    pub fn keep(self) -> Watch {
        let watch = self.watch;
        core::mem::forget(self);
        watch
    }
}

impl From<Watch> for WatchGuard {
    fn from(watch: Watch) -> Self {
        Self { watch }
    }
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        self.watch.cell.cancel(self.watch.key, self.watch.number);
    }
}

/// Where guards leave notes for the heap that registered what they guard.
pub(crate) struct CancelCell {
    /// For each slot of the heap's registrations, the number of the one that a guard cancelled last.
    cancelled: boxcar::Vec<AtomicU64>,
    /// What was cancelled since the heap last looked.
    word: Queue<(DefaultKey, u64)>,
    /// The last number used.
    last_number: AtomicU64,
}

impl CancelCell {
    fn new() -> Self {
        Self { cancelled: boxcar::Vec::new(), word: Queue::new(), last_number: AtomicU64::new(0) }
    }

    /// A cell that no heap uses.
    pub(crate) fn take() -> &'static Self {
        unused::pop().unwrap_or_else(|| Box::leak(Box::new(Self::new())))
    }

    /// Lets another heap use the cell.
    pub(crate) fn give_back(cell: &'static Self) {
        unused::push(cell);
    }

    pub(crate) fn next_number(&self) -> u64 {
        // Relaxed: only the one heap that has the cell counts, and cells change hands through a queue.
        self.last_number.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn index(key: DefaultKey) -> usize {
        let data: KeyData = key.data();
        data.as_ffi() as u32 as usize
    }

    /// Makes room for a note about this registration.
    pub(crate) fn make_room(&self, key: DefaultKey) {
        while self.cancelled.count() <= Self::index(key) {
            self.cancelled.push(AtomicU64::new(0));
        }
    }

    fn cancel(&self, key: DefaultKey, number: u64) {
        let Some(cancelled) = self.cancelled.get(Self::index(key)) else {
            return;
        };
        // Relaxed: the number is the whole message, and only the holder of the heap acts on it. A guard of an
        // earlier registration in the same place may overwrite a later number: `fetch_max` keeps the later
        // one.
        if cancelled.fetch_max(number, Ordering::Relaxed) < number {
            self.word.push((key, number));
        }
    }

    pub(crate) fn is_cancelled(&self, key: DefaultKey, number: u64) -> bool {
        // Relaxed: see `cancel`.
        self.cancelled.get(Self::index(key)).is_some_and(|last| last.load(Ordering::Relaxed) == number)
    }

    pub(crate) fn next_cancelled(&self) -> Option<(DefaultKey, u64)> {
        self.word.pop()
    }
}

/// Cells that no heap uses.
#[cfg(not(loom))]
mod unused {
    use super::{CancelCell, Queue};

    static CELLS: Queue<&'static CancelCell> = Queue::new();

    pub(super) fn pop() -> Option<&'static CancelCell> {
        CELLS.pop()
    }

    pub(super) fn push(cell: &'static CancelCell) {
        CELLS.push(cell);
    }
}

/// A model has no process-wide state: each of its executions makes its own cells.
#[cfg(loom)]
mod unused {
    use super::CancelCell;

    pub(super) fn pop() -> Option<&'static CancelCell> {
        None
    }

    pub(super) fn push(_: &'static CancelCell) {}
}
