//! Objects made through `&GcHeap`, with something to do as soon as they exist.
//!
//! The heap itself makes them: [`Heap::alloc_root_later`]. The closures for afterwards wait here.

use std::fmt;

use crossbeam_queue::SegQueue;
use slotgc::{Gc, Heap, Trace};

use crate::GcHeap;

type Then = Box<dyn FnOnce(&mut Heap) + Send>;

/// What to do when the objects exist.
#[derive(Default)]
pub(crate) struct LaterQueue(SegQueue<Then>);

impl fmt::Debug for LaterQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} waiting", self.0.len())
    }
}

impl GcHeap {
    /// As [`alloc_later`](Heap::alloc_later); `then` puts the object somewhere at the next
    /// [`flush`](Self::flush). Until then it is rooted.
    ///
    /// # Panics
    /// When a limit is reached, as `alloc_later`.
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
    /// assert_eq!(heap[heap[&pack][0]], "a wolf");
    /// ```
    pub fn alloc_later_then<T: Trace>(&self, value: T, then: impl FnOnce(&mut Heap, Gc<T>) + Send + 'static) {
        let root = self.heap.alloc_root_later(value);
        self.later.0.push(Box::new(move |heap| then(heap, root.gc())));
    }

    /// As [`Heap::flush`]: makes the pending objects, and returns how many. Then calls the closures of
    /// [`alloc_later_then`](Self::alloc_later_then). [`pace`](crate::pace()) does this first.
    ///
    /// # Panics
    /// As `Heap::flush`, or if a closure does: those after it wait for the next flush.
    ///
    /// # Examples
    /// ```
    /// use bevy_slotgc::GcHeap;
    ///
    /// let mut heap = GcHeap::default();
    /// let wolf = std::thread::scope(|threads| {
    ///     let heap = &heap; // `Res<GcHeap>`, in a system that runs beside others
    ///     threads.spawn(|| heap.alloc_root_later("a wolf")).join().unwrap()
    /// });
    /// assert!(!heap.is_alive(&wolf));
    /// assert_eq!(heap.flush(), 1);
    /// assert_eq!(heap[&wolf], "a wolf");
    /// ```
    pub fn flush(&mut self) -> usize {
        let made = self.heap.flush();
        // Only those present now, so that a closure that queues others does not keep this going.
        for _ in 0..self.later.0.len() {
            let Some(then) = self.later.0.pop() else { break };
            then(&mut self.heap);
        }
        made
    }
}
