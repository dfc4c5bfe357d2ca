//! Tracing beside readers and other markers, with no more than `&Heap`.
//!
//! White bits are taken by atomic operations: of the markers that meet at an object one wins, and traces it.
//!
//! What needs the heap to itself is *left*: locks, weak collections, and ephemerons whose key is not reached
//! so far. The object is traced again, as a whole, by whoever has `&mut Heap` next.

use crate::store::Store;
use crate::trace::EdgeStack;
use crate::trace::tracer::{Side, Tracer};

impl Side {
    /// For a tracer beside readers and other markers, of the cycle that this one is of.
    pub(crate) fn beside(&self) -> Self {
        let mut side = Self::default();
        (side.era, side.building) = (self.era, self.building.clone());
        side
    }
}

impl<'a> Tracer<'a> {
    #[inline(always)]
    pub(crate) fn beside(edges: EdgeStack, store: &'a Store, side: &'a mut Side) -> Self {
        Self { is_beside: true, ..Tracer::new(edges, store, side) }
    }

    /// The object is traced again by whoever has the heap to itself.
    #[cold]
    pub(super) fn leave_to_heap(&mut self) {
        if self.side.unfinished.last() != Some(&self.current) {
            self.side.unfinished.push(self.current);
        }
    }
}

/// Locks inside of objects, which nobody takes beside readers: one that a marker has, if only to ask what is
/// in it, is one that a reader waits for.
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
        /// Barred, and somebody wanted one.
        Wanted,
    }

    /// Whether a lock may be taken now. If not, the object is left to whoever has the heap to itself.
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

/// Without std there are no locks that this crate knows.
#[cfg(not(feature = "std"))]
pub(crate) mod locks {
    pub(crate) fn without<R>(look: impl FnOnce() -> R) -> Option<R> {
        Some(look())
    }
}
