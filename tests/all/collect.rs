//! Full collections: what they keep, what they free, and the statistics that they report. Edges to no object
//! of their own are in `collect/stale.rs`.

mod stale;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use slotgc::{CollectStats, Gc, Heap, Weak};

use crate::objects::{Dice, Link, Log, Node, Noisy, on_small_stack, traced};

#[test]
fn what_is_reachable_lives_and_everything_else_dies() {
    let mut dice = Dice::new(1);
    for round in 0..60 {
        let mut heap = Heap::new();
        let len = 1 + dice.below(400);
        let all: Vec<_> = (0..len as u64).map(|value| heap.alloc(Node::leaf(value))).collect();
        for _ in 0..dice.below(3 * len) {
            let (from, to) = (all[dice.below(len)], all[dice.below(len)]);
            heap[from].edges.push(to);
        }
        let mut roots: Vec<_> =
            (0..dice.below(4)).map(|_| heap.root(all[dice.below(len)]).unwrap()).collect();
        while !heap.is_empty() {
            let mut reachable: HashSet<Gc<Node>> = HashSet::new();
            let mut found: Vec<Gc<Node>> = roots.iter().map(|root| root.gc()).collect();
            while let Some(gc) = found.pop() {
                if reachable.insert(gc) {
                    found.extend(&heap[gc].edges);
                }
            }
            let stats = heap.collect();
            assert_eq!((stats.marked, stats.kept), (reachable.len(), reachable.len()), "round {round}");
            for (value, gc) in all.iter().enumerate() {
                assert_eq!(
                    heap.get(gc).map(|node| node.value),
                    reachable.contains(gc).then_some(value as u64)
                );
            }
            // New objects take the slots of the dead, and are garbage.
            for _ in 0..dice.below(100) {
                heap.alloc(Node::with([all[dice.below(len)]]));
            }
            if roots.pop().is_none() {
                heap.collect();
            }
        }
    }
}

#[test]
fn a_cycle_that_nobody_roots_is_freed() {
    // weak-cases 2
    let mut heap = Heap::new();
    let (a, b) = (heap.alloc(Node::leaf(1)), heap.alloc(Node::leaf(2)));
    heap[a].edges.push(b);
    heap[b].edges.push(a);
    let own = heap.alloc_cyclic(|_, me: Gc<Node>| Node::with([me]));
    let weak: Vec<Weak<Node>> = [a, b, own].map(Gc::downgrade).to_vec();
    assert_eq!(heap.collect().freed, 3);
    assert!(weak.iter().all(|weak| heap.upgrade(*weak).is_none()));
}

#[test]
fn a_cycle_lives_while_one_of_its_objects_is_rooted() {
    let mut heap = Heap::new();
    let ring: Vec<_> = (0..1000).map(|value| heap.alloc(Node::leaf(value))).collect();
    for (number, gc) in ring.iter().enumerate() {
        heap[*gc].edges.push(ring[(number + 1) % 1000]);
    }
    let root = heap.root(ring[500]).unwrap();
    assert_eq!((heap.collect().freed, heap.collect().freed), (0, 0));
    drop(root);
    assert_eq!(heap.collect().freed, 1000);
}

#[test]
fn a_collection_frees_nothing_twice_and_an_empty_heap_can_be_collected() {
    let mut heap = Heap::new();
    assert_eq!(heap.collect().marked, 0);
    heap.alloc(1);
    assert_eq!((heap.collect().freed, heap.collect().freed), (1, 0));
    assert_eq!(heap.stats().collections, 3);
}

/// How long a list can be in reasonable time.
const LONG: u64 = if cfg!(debug_assertions) { 1_000_000 } else { 10_000_000 };

fn collect_list(heap: &mut Heap, head: Gc<Link>) {
    let root = heap.root(head).unwrap();
    let stats = heap.collect();
    assert_eq!((stats.marked, stats.freed), (LONG as usize, 0));
    drop(root);
    let stats = heap.collect();
    assert_eq!((stats.marked, stats.freed), (0, LONG as usize));
    assert!(heap.is_empty() && heap.get(head).is_none());
}

#[test]
fn a_list_of_millions_is_marked_and_freed_on_a_small_stack() {
    on_small_stack(|| {
        let mut heap = Heap::new();
        let mut head = None;
        for value in 0..LONG {
            head = Some(heap.alloc(Link { value, next: head }));
        }
        collect_list(&mut heap, head.unwrap());
    });
}

#[test]
fn a_list_of_millions_in_the_order_of_slots_is_marked_and_freed_on_a_small_stack() {
    on_small_stack(|| {
        let mut heap = Heap::new();
        let head = heap.alloc(Link::default());
        let mut last = head;
        for value in 1..LONG {
            let next = heap.alloc(Link { value, next: None });
            heap[last].next = Some(next);
            last = next;
        }
        collect_list(&mut heap, head);
    });
}

#[test]
fn long_lists_with_destructors_are_freed_on_a_small_stack() {
    struct Cell(Noisy, Option<Gc<Cell>>);
    traced!(Cell { 1 });
    on_small_stack(|| {
        let log = Log::default();
        let mut heap = Heap::new();
        let mut head = None;
        for number in 0..100_000 {
            head = Some(heap.alloc(Cell(Noisy::new(number, &log), head)));
        }
        let root = heap.root(head.unwrap()).unwrap();
        assert_eq!(heap.collect().kept, 100_000);
        assert!(heap[&root].0.number == 99_999 && log.take().is_empty());
        drop(root);
        assert_eq!(heap.collect().freed, 100_000);
        assert!(log.take().into_iter().eq(0..100_000), "each runs once, in slot order");
    });
}

#[test]
fn an_object_with_a_million_edges_is_marked_on_a_small_stack() {
    on_small_stack(|| {
        let mut heap = Heap::new();
        let leaves: Vec<_> = (0..500_000).map(|_| heap.alloc(Link::default())).collect();
        // Each leaf twice, far apart.
        let edges: Vec<_> = leaves.iter().chain(&leaves).copied().collect();
        let garbage: Vec<_> = (0..1000).map(|_| heap.alloc(Link::default())).collect();
        let root = heap.alloc_root(edges);
        let stats = heap.collect();
        assert_eq!((stats.marked, stats.freed), (500_001, 1000));
        assert!(leaves.iter().all(|gc| heap.is_alive(gc)) && !garbage.iter().any(|gc| heap.is_alive(gc)));
        drop(root);
        assert_eq!(heap.collect().freed, 500_001);
    });
}

#[test]
fn edges_between_types_are_followed_in_every_direction() {
    struct A(Option<Gc<B>>);
    struct B(Vec<Gc<C>>);
    struct C(Option<slotgc::AnyGc>, [u64; 20]);
    traced!(A { 0 });
    traced!(B { 0 });
    traced!(C { 0, 1 });
    let mut heap = Heap::new();
    let mut last: Option<Gc<A>> = None;
    for number in 0..3000 {
        let c = [0, 1].map(|_| heap.alloc(C(last.map(Gc::erase), [number; 20])));
        let b = heap.alloc(B(c.to_vec()));
        last = Some(heap.alloc(A(Some(b))));
        heap.alloc(A(Some(b)));
    }
    let root = heap.root(last.unwrap()).unwrap();
    let stats = heap.collect();
    assert_eq!((stats.marked, stats.freed), (4 * 3000, 3000));
    assert_eq!((heap.len_of::<A>(), heap.len_of::<B>(), heap.len_of::<C>()), (3000, 3000, 6000));
    assert!(heap.iter::<C>().all(|(_, c)| c.1 == [c.1[0]; 20]));
    drop(root);
    assert_eq!(heap.collect().freed, 12_000);
}

#[test]
fn a_type_that_says_it_holds_nothing_is_never_visited() {
    struct Lazy(#[expect(dead_code, reason = "never even read")] Gc<Link>);
    impl slotgc::Trace for Lazy {
        const NEEDS_TRACE: bool = false;
        fn trace(&self, _: &mut slotgc::Tracer<'_>) {
            panic!("visited");
        }
        fn prune(&mut self, _: &slotgc::Liveness<'_>) {
            panic!("pruned");
        }
    }
    let mut heap = Heap::new();
    let target = heap.alloc(Link::default());
    let lazy = heap.alloc_root(Lazy(target));
    heap.alloc(Lazy(target));
    let stats = heap.collect();
    assert_eq!((stats.marked, stats.kept, stats.freed), (1, 1, 2));
    assert!(heap.is_alive(&lazy));
}

#[test]
fn destructors_run_once_when_every_handle_is_dead_already() {
    let log = Log::default();
    let mut heap = Heap::new();
    let kept: Vec<_> = (0..10).map(|number| heap.alloc_root(Noisy::new(number, &log))).collect();
    for number in 10..3000 {
        heap.alloc(Noisy::new(number, &log));
    }
    heap.collect();
    assert!(log.take().into_iter().eq(10..3000));
    heap.collect();
    assert!(log.take().is_empty());
    drop(kept);
    drop(heap);
    assert!(log.take().into_iter().eq(0..10));
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "there is no clock")]
fn the_statistics_of_a_collection_match_what_happened() {
    // weak-cases 68
    let log = Log::default();
    let mut heap = Heap::new();
    let leaf = heap.alloc(Node::leaf(1));
    let root = heap.alloc_root(Node::with([leaf, leaf]));
    for number in 0..100 {
        heap.alloc(Noisy::new(number, &log));
    }
    let large = heap.alloc([0_u64; 20_000]);
    heap.destroy(leaf);
    let leaf = heap.alloc(Node::leaf(2));
    heap[&root].edges.push(leaf);
    let before = heap.stats();
    let start = Instant::now();
    let stats: CollectStats = heap.collect();
    let elapsed = start.elapsed();
    let after = heap.stats();
    assert_eq!((stats.marked, stats.kept, stats.freed), (2, 2, 101));
    assert_eq!((log.take().len(), heap.is_alive(large)), (100, false));
    assert_eq!(stats.freed_bytes, before.bytes - after.bytes);
    assert!(stats.freed_bytes >= 160_000 + 100 * size_of::<Noisy>());
    assert_eq!((stats.pruned, stats.notified, stats.notify_time), (0, 0, Duration::ZERO));
    let times = stats.mark_time + stats.prune_time + stats.sweep_time + stats.drop_time;
    assert!(Duration::ZERO < times && times <= elapsed, "{times:?} of {elapsed:?}");
    assert_eq!((after.objects, after.freed, after.allocated), (2, 102, 104));
    assert_eq!((after.collections, after.pauses), (before.collections + 1, before.pauses + 1));
    assert_eq!(CollectStats::default().freed, 0);
    assert!(format!("{stats:?}").contains("freed: 101"));
}

#[test]
fn many_collections_do_not_grow_the_heap() {
    let mut heap = Heap::new();
    let window = heap.alloc_root(Node::leaf(0));
    let mut pages = Vec::new();
    for round in 0..200 {
        for value in 0..1000 {
            let gc = heap.alloc(Node::leaf(value));
            heap[&window].edges.push(gc);
        }
        let edges = &mut heap[&window].edges;
        edges.drain(..edges.len().saturating_sub(500));
        heap.collect();
        assert_eq!(heap.len(), 501);
        assert!(heap[&window].edges.iter().all(|gc| heap.is_alive(gc)));
        if round % 50 == 49 {
            pages.push(heap.stats().pages);
        }
    }
    assert!(pages.iter().all(|count| *count == pages[0] && *count < 5), "{pages:?}");
}
