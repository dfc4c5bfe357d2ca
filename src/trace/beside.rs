//! Tracing beside readers and other markers, with only `&Heap`.
//!
//! White bits are taken by atomic operations: if several markers reach an object, one of them wins and traces
//! it.
//!
//! What needs exclusive access to the heap is *left*: locks, weak collections, and ephemerons whose key has
//! not been reached. The next call with `&mut Heap` traces the whole object again.

use crate::store::Store;
use crate::trace::EdgeStack;
use crate::trace::{Mode, Side, Tracer};

impl Side {
    /// For a tracer beside readers and other markers, in the same cycle as this one.
    pub(crate) fn beside(&self) -> Self {
        let mut side = Self::default();
        (side.era, side.building) = (self.era, self.building.clone());
        side
    }
}

impl<'a> Tracer<'a> {
    #[inline(always)]
    pub(crate) fn beside(edges: EdgeStack, store: &'a Store, side: &'a mut Side) -> Self {
        Self { mode: Mode::Beside, ..Tracer::new(edges, store, side) }
    }

    /// The next call with exclusive access traces the object again.
    #[cold]
    pub(super) fn leave_to_heap(&mut self) {
        self.leave_unfinished();
    }
}

/// Locks inside objects, which no marker takes beside readers: even a lock held briefly could make a reader
/// wait.
#[cfg(feature = "std")]
pub(crate) mod locks {
    use std::cell::Cell;

    std::thread_local! {
        static STATE: Cell<State> = const { Cell::new(State::Free) };
    }

    #[derive(Clone, Copy, PartialEq, Eq)]
    enum State {
        Free,
        Barred,
        /// Barred, and a lock was wanted.
        Wanted,
    }

    /// Whether a lock may be taken now. If not, the object is left to a call with exclusive access.
    pub(crate) fn may_lock() -> bool {
        STATE.with(|state| {
            let is_free = state.get() == State::Free;
            if !is_free {
                state.set(State::Wanted);
            }
            is_free
        })
    }

    /// Runs `look`, which takes no lock; `None` if it wanted one.
    pub(crate) fn without<R>(look: impl FnOnce() -> R) -> Option<R> {
        struct Bar(State);
        impl Drop for Bar {
            fn drop(&mut self) {
                STATE.with(|state| state.set(self.0));
            }
        }
        let bar = Bar(STATE.with(|state| state.replace(State::Barred)));
        let seen = look();
        let wanted = STATE.with(Cell::get) == State::Wanted;
        drop(bar);
        (!wanted).then_some(seen)
    }
}

/// Without std this crate knows no locks.
#[cfg(not(feature = "std"))]
pub(crate) mod locks {
    pub(crate) fn without<R>(look: impl FnOnce() -> R) -> Option<R> {
        Some(look())
    }
}
