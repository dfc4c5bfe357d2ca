//! `Finalizer`.

use core::fmt;
use core::marker::PhantomData;

use crate::death::{Act, Code, Watch};
use crate::handle::{Gc, Weak};
use crate::heap::Heap;
use crate::trace::Trace;

/// Code that runs when an object dies, or by hand, or at the end of the heap; from
/// [`Heap::finalizer`](crate::Heap::finalizer).
///
/// It runs at most once. Dropping the `Finalizer` changes nothing: the code stays registered.
pub struct Finalizer<T, R> {
    watch: Watch,
    target: Weak<T>,
    result: PhantomData<fn() -> R>,
}

impl<T: Trace, R: Send + 'static> Finalizer<T, R> {
    pub(super) fn new(watch: Watch, target: Weak<T>) -> Self {
        Self { watch, target, result: PhantomData }
    }

    /// Runs the code now and returns its result; `None` if it already ran or was detached.
    pub fn call(&self, heap: &mut Heap) -> Option<R> {
        let removed = heap.unregister(self.watch)?;
        let Act::Run(code) = removed.act else {
            return None;
        };
        let code = code.into_any().downcast::<Code<Heap, R>>().ok()?;
        Some((code.0)(heap))
    }

    /// Cancels the code without running it; returns the target if it is alive and the code was registered.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let bear = heap.alloc_root("Teddy");
    /// let finalizer = heap.finalizer(&bear, |_| {}).unwrap();
    /// assert_eq!(finalizer.detach(&mut heap), Some(bear.gc()));
    /// assert_eq!(finalizer.call(&mut heap), None);
    /// ```
    pub fn detach(&self, heap: &mut Heap) -> Option<Gc<T>> {
        heap.unregister(self.watch)?;
        heap.upgrade(self.target)
    }

    /// Whether the code is still registered; `false` while it runs and afterwards.
    pub fn is_alive(&self, heap: &Heap) -> bool {
        heap.deaths.contains(self.watch)
    }

    /// The target, if it is alive and the code still registered.
    pub fn peek(&self, heap: &Heap) -> Option<Gc<T>> {
        if self.is_alive(heap) { heap.upgrade(self.target) } else { None }
    }

    /// Sets whether the code runs at the end of the heap if the target lives until then. The default is
    /// `true`.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let bear = heap.alloc_root("Teddy");
    /// let finalizer = heap.finalizer(&bear, |_| unreachable!()).unwrap();
    /// finalizer.set_at_exit(&mut heap, false);
    /// heap.shutdown().unwrap();
    /// ```
    pub fn set_at_exit(&self, heap: &mut Heap, at_exit: bool) {
        heap.deaths.set_at_exit(self.watch, at_exit);
    }
}

impl<T, R> fmt::Debug for Finalizer<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finalizer").field("watch", &self.watch).field("target", &self.target).finish()
    }
}
