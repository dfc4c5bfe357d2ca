//! [`GcRwLock`].

use std::fmt;
use std::sync::{
    LockResult, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError, TryLockResult,
};

use crate::sync::Lock;
use crate::trace::notes::Listeners;
use crate::trace::{Inspector, Links, Liveness, Trace, Tracer};

/// A `RwLock` for handles that change through a shared reference: it tells the heap when it is taken for
/// writing.
///
/// Systems that run in parallel with `&Heap` write through locks inside objects, past the write barrier. A
/// lock of std says nothing of that, so each minor collection, and each cycle at its end, traces every object
/// with such a lock again, written or not: an empty minor collection takes milliseconds beside a hundred
/// thousand of them. Objects with this lock are traced again only if [`write`](Self::write) or
/// [`try_write`](Self::try_write) returned a guard since their last trace. Use it wherever there are many.
///
/// Inside the value of a weak collection it is treated like a lock of std. In everything else it is
/// [`RwLock`]: it can be poisoned, and a guard that was leaked hides the value from collections.
///
/// `read` costs what it costs in std; the first `write` after a trace appends eight bytes to a list behind
/// two more locks that are held for that long. Memory: 48 bytes more than std's on a 64-bit target.
///
/// # Examples
/// ```
/// use slotgc::{Gc, GcRwLock, Heap, Trace};
///
/// #[derive(Trace)]
/// struct Mob {
///     target: GcRwLock<Option<Gc<Mob>>>,
/// }
///
/// let mut heap = Heap::new();
/// let mob = heap.alloc_root(Mob { target: GcRwLock::new(None) });
/// heap.collect();
///
/// let enemy = heap.alloc(Mob { target: GcRwLock::default() });
/// let shared = &heap; // as a system has it that runs beside others
/// *shared[&mob].target.write().unwrap() = Some(enemy);
///
/// heap.collect_minor();
/// assert!(heap.is_alive(enemy));
/// ```
#[derive(Default)]
pub struct GcRwLock<T> {
    lock: RwLock<T>,
    listeners: Lock<Listeners>,
}

impl<T> GcRwLock<T> {
    /// A lock that nobody holds.
    pub fn new(value: T) -> Self {
        Self { lock: RwLock::new(value), listeners: Lock::default() }
    }

    /// Waits until nobody writes, and shares the value.
    ///
    /// # Errors
    /// The lock is poisoned, see [`RwLock::read`].
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        self.lock.read()
    }

    /// Shares the value, unless somebody writes.
    ///
    /// # Errors
    /// Somebody writes, or the lock is poisoned: see [`RwLock::try_read`].
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        self.lock.try_read()
    }

    /// Waits until nobody has the value, and tells the heap that it changes.
    ///
    /// # Errors
    /// The lock is poisoned, see [`RwLock::write`].
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        let guard = self.lock.write();
        self.listeners.with(Listeners::tell);
        guard
    }

    /// If nobody has the value, tells the heap that it changes.
    ///
    /// # Errors
    /// Somebody has it, or the lock is poisoned: see [`RwLock::try_write`].
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        let guard = self.lock.try_write();
        if !matches!(guard, Err(TryLockError::WouldBlock)) {
            self.listeners.with(Listeners::tell);
        }
        guard
    }

    /// The value, without a lock: nobody else can have it. Whoever has `&mut` inside a heap came through its
    /// write barrier.
    ///
    /// # Errors
    /// The lock is poisoned, see [`RwLock::get_mut`].
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.lock.get_mut()
    }

    /// The value.
    ///
    /// # Errors
    /// The lock is poisoned, see [`RwLock::into_inner`].
    pub fn into_inner(self) -> LockResult<T> {
        self.lock.into_inner()
    }

    /// Whether a writer panicked, see [`RwLock::is_poisoned`].
    pub fn is_poisoned(&self) -> bool {
        self.lock.is_poisoned()
    }

    /// Undoes the poisoning, see [`RwLock::clear_poison`].
    pub fn clear_poison(&self) {
        self.lock.clear_poison();
    }
}

impl<T> From<T> for GcRwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

/// Waits until nobody writes. A poisoned lock is copied like any other; the copy is not poisoned.
impl<T: Clone> Clone for GcRwLock<T> {
    fn clone(&self) -> Self {
        let value = self.lock.read().unwrap_or_else(PoisonError::into_inner);
        // A copy in a checkpoint may take the place of this one.
        let listeners = self.listeners.with(|listeners| listeners.clone());
        Self { lock: RwLock::new(value.clone()), listeners: Lock::new(listeners) }
    }
}

impl<T: fmt::Debug> fmt::Debug for GcRwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lock = f.debug_tuple("GcRwLock");
        match self.lock.try_read() {
            Ok(value) => lock.field(&*value),
            Err(TryLockError::Poisoned(value)) => lock.field(&*value.into_inner()),
            Err(TryLockError::WouldBlock) => lock.field(&format_args!("<locked>")),
        };
        lock.finish()
    }
}

impl<T: Trace> Trace for GcRwLock<T> {
    const NEEDS_TRACE: bool = T::NEEDS_TRACE;
    const HOLDS_HANDLES: bool = T::HOLDS_HANDLES;
    const OWNS: bool = T::OWNS;

    fn trace(&self, tracer: &mut Tracer<'_>) {
        if !T::NEEDS_TRACE || !tracer.noted_mutability(&self.listeners) {
            return;
        }
        match self.lock.try_read() {
            Ok(value) => value.trace(tracer),
            Err(TryLockError::Poisoned(value)) => value.into_inner().trace(tracer),
            // Who holds it for writing has told so already, and may change it yet.
            Err(TryLockError::WouldBlock) => {
                let _ = tracer.interior_mutability();
                tracer.locked();
            }
        }
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        self.lock.prune(live);
    }

    fn owned_bytes(&self) -> usize {
        self.lock.owned_bytes()
    }

    fn inspect(&self, inspector: &mut Inspector<'_>) {
        self.lock.inspect(inspector);
    }

    fn relink(&mut self, links: &mut Links<'_>) {
        self.lock.relink(links);
    }
}
