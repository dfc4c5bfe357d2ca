//! What weak maps and callbacks cost a heap in which there are none.
//!
//! A heap that never had any is compared with a heap that had some of every kind, all gone now. What that
//! cannot show is the cost that both have: the collector always checks whether an ephemeron waits for an
//! object that it marks, and a slot's header has a bit for "watched". There is no build without them to
//! compare with.

use std::rc::Rc;

use slotgc::{DeathQueue, Graveyard, Heap, Interner, WeakKeyMap, WeakSet, WeakValueMap};

use crate::clock::Stopwatch;
use crate::needs::collect::Rooted;
use crate::needs::{First, Handles};
use crate::peers::slotgc::{Node, Past, WithPast};
use crate::shape::{Inputs, Shape};
use crate::work::{Work, per_object, sum_of_ids, touched};
use crate::works::collect::{half_dies, nothing_dies};
use crate::works::get::{Order, measure};

/// Objects that lived and died before the work begins, in both heaps.
const FORMER: u64 = 1000;

/// The noise of this measurement.
const NOT_MEASURABLE: f64 = 1.05;

/// Objects of the measured type died, and there was nothing weak.
#[derive(Debug)]
struct Plain;

/// The same objects, with callbacks, finalizers, tags and graves, in weak maps of every kind.
#[derive(Debug)]
struct WithWeak;

impl Past for Plain {
    fn heap() -> Heap {
        let mut heap = Heap::new();
        (0..FORMER).for_each(|id| _ = heap.alloc(Node::new(id)));
        emptied(heap)
    }
}

impl Past for WithWeak {
    fn heap() -> Heap {
        let mut heap = Heap::new();
        let values = heap.alloc_root(WeakValueMap::new());
        let keys = heap.alloc_root(WeakKeyMap::new());
        let set = heap.alloc_root(WeakSet::new());
        let names = heap.alloc_root(Interner::new());
        let (queue, graves) = (DeathQueue::new(), Graveyard::new());
        for id in 0..FORMER {
            let node = heap.alloc(Node::new(id));
            heap[&values].insert(id, node);
            // Reachable only through an ephemeron, and its own key.
            heap[&keys].insert(node, node);
            heap[&set].insert(node);
            heap.intern(&names, id.to_string());
            heap.on_death(node, |_, _| {}).expect("a living object");
            heap.finalizer(node, |_| ()).expect("a living object");
            queue.watch(&mut heap, node, id).expect("a living object");
            graves.bury(&mut heap, node).expect("a living object");
        }
        let stats = heap.collect();
        assert_eq!((stats.pruned, stats.notified), (4 * FORMER as usize, 3 * FORMER as usize));
        assert_eq!((queue.drain().count(), graves.drain().count()), (FORMER as usize, FORMER as usize));
        drop((values, keys, set, names));
        emptied(heap)
    }
}

/// Without objects, and without the memory of former ones.
fn emptied(mut heap: Heap) -> Heap {
    heap.collect();
    heap.collect();
    heap.shrink_to_fit();
    assert!(heap.is_empty());
    heap
}

/// As `alloc/fresh`, without the making of the heap.
fn alloc<H: Handles>(n: usize) -> f64 {
    let mut handles = touched(n);
    let mut heap = H::new(n);
    let start = Stopwatch::start();
    fill(&mut heap, n, &mut handles);
    let time = start.elapsed();
    let sum: u64 = handles.iter().map(|handle| heap.read::<First>(handle)).sum();
    assert_eq!(sum, sum_of_ids(n));
    per_object(time, n)
}

/// The loop that is timed.
#[inline(never)]
fn fill<H: Handles>(heap: &mut H, n: usize, handles: &mut Vec<H::Handle>) {
    (0..n as u64).for_each(|id| handles.push(heap.alloc(id)));
}

pub(super) fn works(inputs: &Rc<Inputs>) -> Vec<Work> {
    /// A work on both heaps.
    macro_rules! both {
        ($name:literal, $about:expr, |$inputs:ident, $heap:ident| $run:expr) => {{
            fn run<$heap: Past + 'static>(inputs: &Rc<Inputs>) -> impl Fn() -> f64 + 'static {
                let $inputs = Rc::clone(inputs);
                move || $run
            }
            Work::new(concat!("weak/unused/", $name), $about)
                .case("slotgc", run::<WithWeak>(inputs))
                .case("slotgc:never", run::<Plain>(inputs))
                .target("slotgc:never", NOT_MEASURABLE)
                .note(&["slotgc"], "a heap in which there were weak maps and callbacks of every kind")
                .note(
                    &["slotgc:never"],
                    "a heap in which there never was one; a build without them does not exist",
                )
        }};
    }
    let n = inputs.objects;
    vec![
        both!("alloc", format!("{n} objects"), |inputs, P| alloc::<WithPast<P>>(inputs.objects)),
        both!("get", format!("look up {n} objects in random order"), |inputs, P| {
            measure::<WithPast<P>, First>(Order::Random, inputs.objects)
        }),
        both!("mark", format!("full collection of a random graph of {n} objects"), |inputs, P| {
            nothing_dies::<Rooted<WithPast<P>>>(inputs.graph(Shape::Random))
        }),
        both!("sweep", format!("full collection in which half of {n} objects die"), |inputs, P| {
            half_dies::<Rooted<WithPast<P>>>(inputs.graph(Shape::Halves))
        }),
    ]
}
