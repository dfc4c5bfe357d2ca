//! What allocating needs of a peer.

use std::time::Duration;

use crate::clock::Stopwatch;
use crate::needs::{First, Free, Handles};
use crate::work::touched;

/// A timed allocation and the sum of the ids of the objects that it made.
pub(crate) struct Filled {
    /// The timed part.
    pub(crate) time: Duration,
    /// Read from the objects afterwards.
    pub(crate) sum: u64,
}

/// What allocating into a fresh heap needs of a peer.
pub(crate) trait Fresh {
    /// Makes a heap and `n` objects, with the numbers less than `n` as ids.
    fn fresh(n: usize) -> Filled;
}

/// What allocating after deaths needs of a peer.
pub(crate) trait Refill {
    /// Makes as many objects as `order` has, frees the first half of them in that order, and makes as many
    /// again, with ids from 0: only that is timed.
    fn refill(order: &[u32]) -> Filled;
}

impl<P: Handles> Fresh for P {
    fn fresh(n: usize) -> Filled {
        let mut handles = touched(n);
        let start = Stopwatch::start();
        let mut heap = P::new(n);
        fill(&mut heap, n, &mut handles);
        let time = start.elapsed();
        let sum = sum(&heap, &handles);
        // Handles go before the heap does.
        drop(handles);
        Filled { time, sum }
    }
}

impl<P: Free> Refill for P {
    fn refill(order: &[u32]) -> Filled {
        let n = order.len();
        let mut heap = P::new(n);
        let mut handles: Vec<_> = (0..n as u64).map(|id| Some(heap.alloc(id))).collect();
        let mut taken = order.iter().map(|index| handles[*index as usize].take().expect("each once"));
        let dead: Vec<_> = taken.by_ref().take(n / 2).collect();
        let kept: Vec<_> = taken.collect();
        heap.free(dead, &kept);

        let mut made = touched(n / 2);
        let start = Stopwatch::start();
        fill(&mut heap, n / 2, &mut made);
        let time = start.elapsed();
        let kept_ids = order[n / 2..].iter().map(|id| u64::from(*id)).sum::<u64>();
        assert_eq!(sum(&heap, &kept), kept_ids);
        let sum = sum(&heap, &made);
        // Handles go before the heap does.
        drop((kept, made));
        Filled { time, sum }
    }
}

/// The loop that is timed.
#[inline(never)]
fn fill<P: Handles>(heap: &mut P, n: usize, handles: &mut Vec<P::Handle>) {
    (0..n as u64).for_each(|id| handles.push(heap.alloc(id)));
}

fn sum<P: Handles>(heap: &P, handles: &[P::Handle]) -> u64 {
    handles.iter().map(|handle| heap.read::<First>(handle)).sum()
}
