//! An allocator that fails at the n-th call, for every n: the heap returns the value unharmed, keeps its
//! objects, and works again once there is memory.
//!
//! ```text
//! RUSTFLAGS="--cfg slotgc_table" cargo test --package slotgc --test alloc_fails
//! ```
//!
//! Only allocations of pages fail here: when the allocation of a `Vec` fails, `handle_alloc_error` ends the
//! process, and the heap's own tables are `Vec`s. In the other backend, pages come from the system and not
//! from the allocator.
#![cfg(slotgc_table)]
#![expect(unsafe_code, reason = "implements an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use slotgc::{AllocError, Budget, Gc, Heap, Root, Trace};

const PAGE: usize = 64 << 10;

thread_local! {
    /// Pages requested by this thread, and which of these calls fail: from the first number up to the second.
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static FAILING: Cell<(usize, usize)> = const { Cell::new((usize::MAX, usize::MAX)) };
}

struct SaysNo;

impl SaysNo {
    fn refuses(layout: Layout) -> bool {
        // Only pages have this alignment.
        if layout.align() < PAGE {
            return false;
        }
        let call = CALLS.get();
        CALLS.set(call + 1);
        let (from, to) = FAILING.get();
        (from..to).contains(&call)
    }
}

// SAFETY: behaves like `System`, or returns null, which an allocator may do at any time.
unsafe impl GlobalAlloc for SaysNo {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if Self::refuses(layout) {
            return std::ptr::null_mut();
        }
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if Self::refuses(layout) {
            return std::ptr::null_mut();
        }
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises; every pointer is from `System`.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: SaysNo = SaysNo;

#[derive(Trace)]
struct Object<F: Trace> {
    number: usize,
    next: Option<Gc<Object<u64>>>,
    filler: F,
    /// Counts the objects that have not been dropped.
    counted: Arc<()>,
}

/// A heap, and what the program knows about it.
struct World {
    heap: Heap,
    small: Vec<(usize, Root<Object<u64>>)>,
    large: Vec<(usize, Root<Object<[u64; 1000]>>)>,
    counted: Arc<()>,
    made: usize,
    refused: usize,
}

impl World {
    /// Checks a refused allocation.
    fn refuse<F: Trace>(&mut self, error: AllocError<Object<F>>, number: usize) {
        let text = error.to_string();
        assert!(text.contains("the system refused") && text.contains("bytes of memory"), "{text}");
        assert_eq!(error.into_inner().number, number);
        self.refused += 1;
    }

    fn object<F: Trace>(&self, filler: F) -> Object<F> {
        let next = self.small.last().map(|(_, root)| root.gc());
        Object { number: self.made, next, filler, counted: Arc::clone(&self.counted) }
    }

    fn alloc(&mut self, way: usize) {
        self.made += 1;
        let number = self.made;
        let (small, large) = (self.object(7), self.object([number as u64; 1000]));
        match way {
            0 => match self.heap.try_alloc(small) {
                Ok(gc) => self.small.push((number, self.heap.root(gc).unwrap())),
                Err(error) => self.refuse(error, number),
            },
            1 => match self.heap.alloc_or_collect(large, &()) {
                Ok(gc) => self.large.push((number, self.heap.root(gc).unwrap())),
                Err(error) => self.refuse(error, number),
            },
            2 => {
                let made = catch_unwind(AssertUnwindSafe(|| self.heap.alloc_cyclic(|_, _| small)));
                self.refused += usize::from(made.is_err());
            }
            // Garbage.
            _ => match self.heap.try_alloc(large) {
                Ok(_) => {}
                Err(error) => self.refuse(error, number),
            },
        }
    }

    fn check(&self) {
        self.heap.verify();
        for (number, root) in &self.small {
            let object = &self.heap[root];
            assert_eq!((object.number, object.filler), (*number, 7));
            assert!(object.next.is_none_or(|gc| self.heap.is_alive(gc)));
        }
        for (number, root) in &self.large {
            let object = &self.heap[root];
            assert_eq!((object.number, object.filler), (*number, [*number as u64; 1000]));
        }
        assert_eq!(
            Arc::strong_count(&self.counted),
            1 + self.heap.len(),
            "no value is lost or dropped twice"
        );
    }
}

/// A program that opens pages of two types, releases them and takes them again; returns how many allocations
/// were refused.
fn program() -> usize {
    let (small, large) = (Vec::new(), Vec::new());
    let counted = Arc::new(());
    let mut world = World { heap: Heap::new(), small, large, counted, made: 0, refused: 0 };
    for round in 0..4 {
        for number in 0..60 {
            world.alloc(number % 4);
        }
        world.check();
        for number in 0..9000 {
            world.alloc(if number % 50 == 0 { 2 } else { 0 });
        }
        world.check();
        match round {
            0 => {
                world.small.truncate(5);
                world.large.truncate(1);
            }
            1 => while world.heap.step(Budget::Objects(100)).finished.is_none() {},
            _ => drop((world.small.drain(..), world.large.drain(..))),
        }
        world.heap.collect();
        world.heap.shrink_to_fit();
        world.check();
    }
    let World { heap, counted, refused, .. } = world;
    drop(heap);
    assert_eq!(Arc::strong_count(&counted), 1);
    refused
}

/// How many pages the program requests, and how often it is refused, when these calls fail.
fn with_failing(from: usize, to: usize) -> (usize, usize) {
    CALLS.set(0);
    FAILING.set((from, to));
    let refused = program();
    FAILING.set((usize::MAX, usize::MAX));
    (CALLS.get(), refused)
}

#[test]
fn one_refusal_at_any_call_costs_nothing_and_two_cost_one_allocation_at_most() {
    let (calls, refused) = with_failing(usize::MAX, usize::MAX);
    assert!(calls > 30 && refused == 0, "{calls} calls");
    let mut total = 0;
    for n in 0..calls {
        // The heap asks again after it has released its empty pages.
        let (_, refused) = with_failing(n, n + 1);
        assert_eq!(refused, 0, "call {n} cost {refused} allocations");
        let (_, refused) = with_failing(n, n + 2);
        assert!(refused <= 1, "calls {n} and {} cost {refused} allocations", n + 1);
        total += refused;
    }
    assert!(total > calls / 2, "{total} of {calls}");
}

#[test]
fn permanent_refusal_from_any_call_on_leaves_a_heap_that_serves_what_it_has_and_recovers() {
    let (calls, _) = with_failing(usize::MAX, usize::MAX);
    for n in (0..calls).step_by(3) {
        let (_, refused) = with_failing(n, usize::MAX);
        assert!(refused > 0, "from call {n} on");
        with_failing(n, n + 10);
    }
}

#[test]
fn without_any_memory_nothing_is_allocated_and_nothing_is_lost() {
    FAILING.set((0, usize::MAX));
    let mut heap = Heap::new();
    for number in 0..100_usize {
        assert_eq!(heap.try_alloc(number).unwrap_err().into_inner(), number);
        assert_eq!(heap.try_alloc([number; 10_000]).unwrap_err().into_inner()[9999], number);
        assert_eq!(heap.alloc_or_collect(number, &()).unwrap_err().into_inner(), number);
    }
    heap.collect();
    assert_eq!((heap.len(), heap.stats().pages, heap.allocated()), (0, 0, 0));
    FAILING.set((usize::MAX, usize::MAX));
    let gc = heap.alloc(1_usize);
    assert_eq!((heap[gc], heap.stats().pages), (1, 1));
    heap.verify();
}
