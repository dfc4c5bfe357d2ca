//! std's locks, which change through `&` and past the write barrier.
//!
//! No lock is ever waited for. A collection has exclusive access to the heap, so a held lock is held by a
//! leaked guard there, and counts as holding no handles. A walk through `&Heap` can find any lock held: it
//! reports a gap. A poisoned lock is traced like any other.

use std::sync::{Mutex, OnceLock, RwLock, TryLockError};

use crate::trace::beside::locks::may_lock;
use crate::trace::{Inspector, Links, Liveness, Trace, Tracer};

macro_rules! locks {
    ($($ty:ident . $lock:ident),*) => {$(
        impl<T: Trace> Trace for $ty<T> {
            const NEEDS_TRACE: bool = T::NEEDS_TRACE;
            const HOLDS_HANDLES: bool = T::HOLDS_HANDLES;
            const OWNS: bool = T::OWNS;

            fn trace(&self, tracer: &mut Tracer<'_>) {
                // What holds no handles is not locked, nor looked at again at the end of a cycle.
                if !T::NEEDS_TRACE || !tracer.interior_mutability() {
                    return;
                }
                match self.$lock() {
                    Ok(value) => value.trace(tracer),
                    Err(TryLockError::Poisoned(value)) => value.into_inner().trace(tracer),
                    Err(TryLockError::WouldBlock) => tracer.locked(),
                }
            }

            fn prune(&mut self, live: &Liveness<'_>) {
                match self.get_mut() {
                    Ok(value) => value.prune(live),
                    Err(value) => value.into_inner().prune(live),
                }
            }

            fn owned_bytes(&self) -> usize {
                if !may_lock() {
                    return 0;
                }
                match self.$lock() {
                    Ok(value) => value.owned_bytes(),
                    Err(TryLockError::Poisoned(value)) => value.into_inner().owned_bytes(),
                    Err(TryLockError::WouldBlock) => 0,
                }
            }

            fn inspect(&self, inspector: &mut Inspector<'_>) {
                match self.$lock() {
                    Ok(value) => value.inspect(inspector),
                    Err(TryLockError::Poisoned(value)) => value.into_inner().inspect(inspector),
                    Err(TryLockError::WouldBlock) => inspector.locked(),
                }
            }

            fn relink(&mut self, links: &mut Links<'_>) {
                match self.get_mut() {
                    Ok(value) => links.field(value),
                    Err(value) => links.field(value.into_inner()),
                }
            }
        }
    )*};
}

locks!(Mutex.try_lock, RwLock.try_read);

impl<T: Trace> Trace for OnceLock<T> {
    const NEEDS_TRACE: bool = T::NEEDS_TRACE;
    const HOLDS_HANDLES: bool = T::HOLDS_HANDLES;
    const OWNS: bool = T::OWNS;

    fn trace(&self, tracer: &mut Tracer<'_>) {
        if !T::NEEDS_TRACE || !tracer.interior_mutability() {
            return;
        }
        if let Some(value) = self.get() {
            value.trace(tracer);
        }
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        if let Some(value) = self.get_mut() {
            value.prune(live);
        }
    }

    fn owned_bytes(&self) -> usize {
        self.get().map_or(0, T::owned_bytes)
    }

    fn inspect(&self, inspector: &mut Inspector<'_>) {
        if let Some(value) = self.get() {
            value.inspect(inspector);
        }
    }

    fn relink(&mut self, links: &mut Links<'_>) {
        if let Some(value) = self.get_mut() {
            links.field(value);
        }
    }
}
