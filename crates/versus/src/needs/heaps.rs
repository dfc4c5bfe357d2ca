//! What making and dropping whole heaps needs of a peer.

use std::hint::black_box;
use std::mem;
use std::time::Duration;

use crate::clock::Stopwatch;
use crate::needs::{First, Handles};
use crate::work::sum_of_ids;

/// A peer whose heaps come and go.
pub(crate) trait Heaps {
    /// A new heap, one object in it, and the end of both. Returns the object's id, read from it.
    fn one_object(id: u64) -> u64;
    /// Makes a heap of `n` objects and drops it. Only the latter is timed.
    fn end(n: usize) -> Duration;
}

impl<P: Handles> Heaps for P {
    #[inline(never)]
    fn one_object(id: u64) -> u64 {
        let mut heap = P::new(1);
        let handle = heap.alloc(id);
        // Handles go before the heap does.
        black_box(&heap).read::<First>(&handle)
    }

    fn end(n: usize) -> Duration {
        let mut heap = P::new(n);
        let handles: Vec<_> = (0..n as u64).map(|id| heap.alloc(id)).collect();
        let sum: u64 = handles.iter().map(|handle| heap.read::<First>(handle)).sum();
        assert_eq!(sum, sum_of_ids(n));
        // A list of plain values is not part of a heap. Handles that keep objects alive are.
        let owners = if mem::needs_drop::<P::Handle>() { handles } else { Vec::new() };
        let start = Stopwatch::start();
        drop(owners);
        drop(heap);
        start.elapsed()
    }
}
