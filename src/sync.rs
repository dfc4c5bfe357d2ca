//! The only source of concurrency primitives: std's (or `core`'s and `alloc`'s) in a normal build, loom's in
//! a model. Nothing else in the crate names an atomic.
//!
//! Where the processor has no atomics of 64 bits (32-bit MIPS, PowerPC and RISC-V, most of ARM's
//! microcontrollers) they come from `portable-atomic`, which takes locks.

#[cfg(not(target_has_atomic = "ptr"))]
compile_error!("slotgc: this target has no atomic operations on pointers, which the roots of a heap need");

#[cfg(not(loom))]
pub(crate) use alloc::sync::Arc;
#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};

#[cfg(not(loom))]
pub(crate) use bits64::AtomicU64;

/// The same type inside and outside models.
mod bits64 {
    #[cfg(target_has_atomic = "64")]
    pub(crate) use core::sync::atomic::AtomicU64;

    #[cfg(not(target_has_atomic = "64"))]
    pub(crate) use portable_atomic::AtomicU64;
}

#[cfg(loom)]
pub(crate) use loom::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence},
};

/// A word of a bitmap. Not modelled: it is changed with exclusive access to the heap, and by concurrent
/// markers with one operation that tells which was first.
pub(crate) type BitsWord = bits64::AtomicU64;

/// The flags of a slot. Not modelled: changing them requires the heap, or the object's white bit.
pub(crate) type FlagsWord = core::sync::atomic::AtomicU32;

/// What a root source records while it is asked. Not modelled: it belongs to the owner of the source.
pub(crate) type LogFlag = core::sync::atomic::AtomicBool;

/// Whether something ever happened. Not modelled: it is read with exclusive access to the heap.
pub(crate) type Flag = core::sync::atomic::AtomicBool;

/// A number that limits depend on: `&mut Heap` compares it, others may change it. Not modelled: nobody waits
/// for it.
pub(crate) type Gauge = core::sync::atomic::AtomicUsize;

/// The count of pages promised with `&Heap`.
pub(crate) type PageCount = AtomicU32;

/// The counter for heap numbers. Not modelled: a model has no process-wide state.
pub(crate) type HeapNumber = bits64::AtomicU64;

/// Owners of queues. Not modelled: the counting is std's, and a model checks what is counted.
pub(crate) use alloc::sync::{Arc as QueueArc, Weak as QueueWeak};

/// Lets other threads run, for which this one waits.
pub(crate) fn wait(tries: u32) {
    #[cfg(loom)]
    {
        let _ = tries;
        loom::thread::yield_now();
    }
    #[cfg(all(feature = "std", not(loom)))]
    if tries > 64 {
        return std::thread::yield_now();
    }
    #[cfg(not(loom))]
    {
        let _ = tries;
        core::hint::spin_loop();
    }
}

/// A queue that many threads may push to and pop from, first in, first out.
#[cfg(not(loom))]
pub(crate) use crossbeam_queue::SegQueue as Queue;

#[cfg(loom)]
pub(crate) use model::Queue;

/// The same interface for models, which must see every step. crossbeam's own models cover the real one.
#[cfg(loom)]
mod model {
    use alloc::collections::VecDeque;
    use loom::sync::Mutex;

    #[derive(Debug)]
    pub(crate) struct Queue<T>(Mutex<VecDeque<T>>);

    impl<T> Queue<T> {
        pub(crate) fn new() -> Self {
            Self(Mutex::new(VecDeque::new()))
        }

        pub(crate) fn push(&self, value: T) {
            self.0.lock().unwrap().push_back(value);
        }

        pub(crate) fn pop(&self) -> Option<T> {
            self.0.lock().unwrap().pop_front()
        }

        pub(crate) fn len(&self) -> usize {
            self.0.lock().unwrap().len()
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.len() == 0
        }
    }
}

/// A lock for what is rarely needed. With std a `Mutex`; without it, the value goes through a queue of one:
/// the thread that takes it out has the lock.
#[derive(Debug)]
pub(crate) struct Lock<T>(lock::Inner<T>);

#[cfg(all(feature = "std", not(loom)))]
mod lock {
    pub(super) type Inner<T> = std::sync::Mutex<T>;

    impl<T> super::Lock<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(Inner::new(value))
        }

        pub(crate) fn with<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
            // The state that a panic left is still usable.
            change(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
        }
    }
}

#[cfg(loom)]
mod lock {
    pub(super) type Inner<T> = loom::sync::Mutex<T>;

    impl<T> super::Lock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(Inner::new(value))
        }

        pub(crate) fn with<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
            change(&mut self.0.lock().unwrap())
        }
    }
}

#[cfg(all(not(feature = "std"), not(loom)))]
mod lock {
    pub(super) type Inner<T> = super::Queue<T>;

    impl<T> super::Lock<T> {
        pub(crate) fn new(value: T) -> Self {
            let queue = Inner::new();
            queue.push(value);
            Self(queue)
        }

        pub(crate) fn with<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
            let mut value = loop {
                match self.0.pop() {
                    Some(value) => break value,
                    None => core::hint::spin_loop(),
                }
            };
            let result = change(&mut value);
            self.0.push(value);
            result
        }
    }
}

/// A value for each thread, made at the thread's first use. What a thread leaves goes to a later one.
///
/// Without std, threads cannot be told apart: they share one.
#[derive(Debug)]
pub(crate) struct PerThread<T: Send>(per_thread::Inner<T>);

#[cfg(all(feature = "std", not(loom)))]
mod per_thread {
    use core::cell::RefCell;

    pub(super) type Inner<T> = thread_local::ThreadLocal<Padded<T>>;

    /// On cache lines of its own: one thread's writes take no line from another.
    #[derive(Debug, Default)]
    #[repr(align(128))]
    pub(super) struct Padded<T>(RefCell<T>);

    impl<T: Send + Default> super::PerThread<T> {
        /// Calls `f` with this thread's value.
        ///
        /// # Panics
        /// Inside `f`.
        #[inline]
        pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
            f(&mut self.0.get_or_default().0.borrow_mut())
        }

        /// Calls `f` with each value.
        pub(crate) fn each(&mut self, f: impl FnMut(&mut T)) {
            self.0.iter_mut().map(|padded| padded.0.get_mut()).for_each(f);
        }
    }

    impl<T: Send> Default for super::PerThread<T> {
        fn default() -> Self {
            Self(Inner::new())
        }
    }
}

/// Models have threads of their own, which take out their value while they use it.
#[cfg(loom)]
mod per_thread {
    use alloc::vec::Vec;

    use loom::thread::{ThreadId, current};

    pub(super) type Inner<T> = super::Lock<Vec<(ThreadId, T)>>;

    impl<T: Send + Default> super::PerThread<T> {
        pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
            let id = current().id();
            let taken = self.0.with(|all| {
                let place = all.iter().position(|(owner, _)| *owner == id)?;
                Some(all.swap_remove(place).1)
            });
            let mut own = taken.unwrap_or_default();
            let result = f(&mut own);
            self.0.with(|all| all.push((id, own)));
            result
        }

        pub(crate) fn each(&mut self, f: impl FnMut(&mut T)) {
            self.0.with(|all| all.iter_mut().map(|(_, own)| own).for_each(f));
        }
    }

    impl<T: Send> Default for super::PerThread<T> {
        fn default() -> Self {
            Self(Inner::default())
        }
    }
}

#[cfg(all(not(feature = "std"), not(loom)))]
mod per_thread {
    pub(super) type Inner<T> = super::Lock<T>;

    impl<T: Send> super::PerThread<T> {
        pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
            self.0.with(f)
        }

        pub(crate) fn each(&mut self, mut f: impl FnMut(&mut T)) {
            self.0.with(|all| f(all));
        }
    }

    impl<T: Send + Default> Default for super::PerThread<T> {
        fn default() -> Self {
            Self(Inner::default())
        }
    }
}

impl<T: Default> Default for Lock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}
