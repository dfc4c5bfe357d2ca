//! Allocation from systems that run in parallel: values wait in a queue until somebody has `&mut GcHeap`.
//!
//! The queue is this crate's own, and a [`Later`] is empty until the value has its slot. Once the core
//! allocates through `&Heap`, a `Later` is a root from the start, and the queue goes.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crossbeam_queue::SegQueue;
use slotgc::{Gc, Heap, Root, Trace};

use crate::GcHeap;

type Allocation = Box<dyn FnOnce(&mut Heap) + Send>;

/// Values that wait for their slots.
#[derive(Default)]
pub(crate) struct LaterQueue(SegQueue<Allocation>);

impl fmt::Debug for LaterQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} waiting", self.0.len())
    }
}

impl GcHeap {
    /// Allocates through `Res<GcHeap>`, so from systems that run in parallel and from `par_iter`: the value
    /// gets its slot at the next [`flush`](Self::flush), which [`pace`](crate::pace()) does too.
    ///
    /// The object is rooted for as long as a [`Later`] names it. In which order values of several threads get
    /// their slots depends on timing: use commands where runs must be alike
    /// ([`GcCommands::spawn_with_heap`](crate::GcCommands::spawn_with_heap)).
    ///
    /// # Examples
    /// ```
    /// use bevy_slotgc::GcHeap;
    ///
    /// let mut heap = GcHeap::default();
    /// let later = std::thread::scope(|threads| {
    ///     threads.spawn(|| heap.alloc_later("a wolf")).join().unwrap()
    /// });
    /// assert_eq!(later.gc(), None);
    /// heap.flush();
    /// assert_eq!(heap[later.gc().unwrap()], "a wolf");
    /// ```
    pub fn alloc_later<T: Trace>(&self, value: T) -> Later<T> {
        let later = Later { root: Arc::new(OnceLock::new()) };
        let place = Arc::downgrade(&later.root);
        self.later.0.push(Box::new(move |heap| {
            let Some(place) = place.upgrade() else { return };
            // Set once: this closure is the only one that has this place.
            let _ = place.set(heap.alloc_root(value));
        }));
        later
    }

    /// As [`alloc_later`](Self::alloc_later), for a value that is put somewhere as soon as it has its slot.
    ///
    /// # Examples
    /// ```
    /// use bevy_slotgc::GcHeap;
    /// use bevy_slotgc::slotgc::Gc;
    ///
    /// let mut heap = GcHeap::default();
    /// let pack = heap.alloc_root(Vec::<Gc<&str>>::new());
    /// let into = pack.clone();
    /// heap.alloc_later_then("a wolf", move |heap, wolf| heap[&into].push(wolf)); // through `&GcHeap`
    /// assert_eq!(heap.flush(), 1);
    /// assert_eq!(heap[&pack].len(), 1);
    /// ```
    pub fn alloc_later_then<T: Trace>(&self, value: T, then: impl FnOnce(&mut Heap, Gc<T>) + Send + 'static) {
        self.later.0.push(Box::new(move |heap| {
            let gc = heap.alloc(value);
            then(heap, gc);
        }));
    }

    /// Gives slots to the values that wait; returns how many there were. A value whose [`Later`]s are all
    /// gone is dropped without one.
    ///
    /// # Panics
    /// If the heap's limits refuse a value, as [`Heap::alloc`] does. The others wait for the next flush.
    pub fn flush(&mut self) -> usize {
        let mut count = 0;
        // Not more than there are now: one that queues others does not keep this going.
        for _ in 0..self.later.0.len() {
            let Some(allocate) = self.later.0.pop() else { break };
            count += 1;
            allocate(&mut self.heap);
        }
        count
    }
}

/// An object that [`GcHeap::alloc_later`] allocates. Keeps it alive, as a [`Root`] does.
pub struct Later<T> {
    root: Arc<OnceLock<Root<T>>>,
}

impl<T: Trace> Later<T> {
    /// The object's handle; `None` until the flush.
    pub fn gc(&self) -> Option<Gc<T>> {
        self.root.get().map(Root::gc)
    }

    /// A root of the object; `None` until the flush.
    pub fn root(&self) -> Option<Root<T>> {
        self.root.get().cloned()
    }
}

impl<T> Clone for Later<T> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone() }
    }
}

impl<T> fmt::Debug for Later<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Later(")?;
        match self.root.get() {
            Some(root) => write!(f, "{root:?})"),
            None => f.write_str("..)"),
        }
    }
}
