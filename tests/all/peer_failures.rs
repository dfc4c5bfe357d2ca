//! Defects that were found in other collectors and pools, and that cannot happen here.
//!
//! A test's name begins with the crate (or the language) that had the defect, followed by the claim. Each
//! defect was seen in a release of that crate; a fixed version is no reason to drop the test.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use slotgc::{
    Budget, Gc, Graveyard, Heap, HeapConfig, Trace, Tracer, Weak, WeakKeyMap, WeakSet, WeakValueMap,
};

use crate::objects::{Dice, Link, Log, Node, Noisy, on_small_stack, panic_text, traced};

/// The length of the lists on which others overflow their stack.
const MILLION: u64 = if cfg!(miri) { 1000 } else { 1_000_000 };

// ---- safe-gc

#[test]
fn safe_gc_a_collection_inside_alloc_frees_no_child_of_the_value_being_allocated() {
    // In `safe-gc` an allocation may collect before the value is in its slot, while nothing else refers to
    // its children.
    let mut heap = Heap::with_config(HeapConfig::default().max_objects(30));
    let (mut collections, mut grown) = (0, 0);
    for value in 0..2000 {
        let mut edges = Vec::new();
        for kid in 0..3 {
            // So far the children are only in this `Vec`.
            let made = heap.alloc_or_collect(Node::leaf(10 * value + kid), &edges).unwrap();
            edges.push(made);
        }
        let parent = heap.alloc_or_collect(Node { value, edges }, &()).unwrap();
        let kids = &heap[parent].edges;
        assert!(kids.iter().zip(10 * value..).all(|(gc, value)| heap[*gc].value == value));
        grown += u64::from(heap.stats().collections == collections);
        collections = heap.stats().collections;
    }
    assert!(collections > 100 && grown > 100, "some allocations collected and some did not");
    // No collection runs unless one is requested.
    let mut heap = Heap::with_config(HeapConfig::default().stress(true));
    let kids: Vec<_> = (0..50_000).map(|value| heap.alloc(Node::leaf(value))).collect();
    let parent = heap.alloc(Node::with(kids));
    assert!(heap[parent].edges.iter().zip(0..).all(|(gc, value)| heap[*gc].value == value));
}

/// Allocates in the same slots again and again, and checks what all earlier handles resolve to.
fn no_handle_sees_a_later_tenant(first_generation: u32, die: impl Fn(&mut Heap, Gc<u64>)) {
    let mut heap = Heap::with_config(HeapConfig::default().first_generation(first_generation));
    let mut past: HashMap<Gc<u64>, u64> = HashMap::new();
    for round in 0..12 {
        let made: Vec<_> = (0..2000).map(|number| heap.alloc(round * 2000 + number)).collect();
        assert!(past.keys().all(|gc| heap.get(*gc).is_none() && heap.root(*gc).is_none()));
        for (gc, value) in made.iter().zip(round * 2000..) {
            assert_eq!(past.insert(*gc, value), None, "{gc} was handed out twice");
            assert_eq!(heap[*gc], value);
        }
        made.into_iter().for_each(|gc| die(&mut heap, gc));
        heap.collect();
    }
    let slots: HashSet<_> = past.keys().map(|gc| gc.to_bits() >> 32).collect();
    assert!(slots.len() < past.len(), "slots were reused");
}

#[test]
fn safe_gc_a_stale_handle_does_not_see_the_next_tenant() {
    no_handle_sees_a_later_tenant(1, |_, _| {});
    no_handle_sees_a_later_tenant(1, |heap, gc| assert!(heap.destroy(gc).is_some()));
}

#[test]
fn thunderdome_a_stale_handle_does_not_see_the_next_tenant_after_the_generations_wrap() {
    // Seven generations are left: in `thunderdome` a slot then starts again at the first.
    no_handle_sees_a_later_tenant(HeapConfig::MAX_GENERATION - 12, |_, _| {});
}

#[test]
fn slotmap_a_stale_key_does_not_see_the_next_tenant_after_the_versions_wrap() {
    no_handle_sees_a_later_tenant(HeapConfig::MAX_GENERATION - 6, |heap, gc| {
        assert!(heap.destroy(gc).is_some());
    });
}

// ---- refuse

#[test]
fn refuse_more_than_65536_objects_of_one_type_are_all_different() {
    let mut heap = Heap::new();
    let all: Vec<_> = (0..200_000_u64).map(|value| heap.alloc_root(value)).collect();
    heap.collect();
    assert!(all.iter().zip(0..).all(|(root, value)| heap[root] == value));
    heap[&all[0]] = u64::MAX;
    assert!(all.iter().zip(0..).skip(1).all(|(root, value)| heap[root] == value));
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 200_000);
}

#[test]
fn refuse_an_object_with_200_000_edges_is_traced_once() {
    struct Hub(Vec<Gc<Link>>, AtomicUsize);
    impl Trace for Hub {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            self.1.fetch_add(1, Ordering::Relaxed);
            tracer.edges(self.0.iter().copied());
        }
    }
    let mut heap = Heap::new();
    let edges = (0..200_000).map(|value| heap.alloc(Link { value, next: None })).collect();
    let hub = heap.alloc_root(Hub(edges, AtomicUsize::new(0)));
    for _ in 0..3 {
        assert_eq!(heap.collect().kept, 200_001);
        assert_eq!(heap[&hub].1.swap(0, Ordering::Relaxed), 1);
    }
    heap[&hub].0.clear();
    assert_eq!(heap.collect().freed, 200_000);
}

// ---- boa_gc

#[test]
fn boa_gc_a_panic_in_a_finalizer_costs_no_live_object_in_the_collections_after() {
    for by_steps in [false, true] {
        let log = Log::default();
        let mut heap = Heap::new();
        let kept: Vec<_> = (0..100).map(|number| heap.alloc_root(Noisy::new(number, &log))).collect();
        let dying = heap.alloc(Noisy::new(1000, &log));
        heap.finalizer(dying, |_| panic!("finalizer")).unwrap();
        let text = panic_text(|| {
            if by_steps {
                while heap.step(Budget::Objects(1)).finished.is_none() {}
            } else {
                heap.collect();
            }
        });
        assert_eq!((text.as_str(), log.take()), ("finalizer", vec![1000]));
        for _ in 0..3 {
            // The first may finish the incremental cycle in which the panic was raised.
            assert_eq!((heap.collect().kept, heap.collect_minor().kept, heap.stats().freed), (100, 100, 1));
            assert!(kept.iter().zip(0..).all(|(root, number)| heap[root].number == number));
        }
        assert!(log.take().is_empty());
        drop(kept);
        assert_eq!((heap.collect().freed, log.take().len()), (100, 100));
    }
}

#[test]
fn boa_gc_a_finalizer_may_allocate_and_what_it_stores_lives() {
    let mut heap = Heap::new();
    let list = heap.alloc_root(Node::leaf(0));
    for value in 1..=500 {
        let dying = heap.alloc(Node::leaf(value));
        let list = list.gc();
        let finalizer = move |heap: &mut Heap| {
            let garbage: Vec<_> = (0..20).map(|value| heap.alloc(Node::leaf(value))).collect();
            let made = heap.alloc(Node { value, edges: garbage[..1].to_vec() });
            heap[list].edges.push(made);
        };
        heap.finalizer(dying, finalizer).unwrap();
    }
    assert_eq!(heap.collect().notified, 500);
    assert_eq!(heap.collect().kept, 1 + 500 + 500);
    let edges = &heap[&list].edges;
    assert!(edges.iter().map(|gc| heap[*gc].value).eq((1..=500).rev()));
}

#[test]
fn boa_gc_a_dead_weak_handle_is_equal_to_itself_and_found_in_a_hash_set() {
    let mut heap = Heap::new();
    let roots: Vec<_> = (0..1000).map(|value| heap.alloc_root(value)).collect();
    let weak: Vec<Weak<i32>> = roots.iter().map(|root| root.downgrade()).collect();
    let mut set: HashSet<Weak<i32>> = weak.iter().copied().collect();
    drop(roots);
    heap.collect();
    (0..1000).for_each(|value| _ = heap.alloc(value));
    assert!(
        weak.iter().all(|weak| !heap.is_alive(weak)
            && *weak == Weak::from_bits(weak.to_bits())
            && set.contains(weak))
    );
    assert!(weak.iter().all(|weak| set.remove(weak)) && set.is_empty());
}

#[test]
fn boa_gc_a_chain_of_ephemerons_takes_linear_time_in_either_order() {
    struct Value(Gc<Link>, Arc<AtomicUsize>);
    impl Trace for Value {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            self.1.fetch_add(1, Ordering::Relaxed);
            tracer.edge(self.0);
        }
    }
    const LEN: usize = 50_000;
    for backward in [false, true] {
        let traced = Arc::new(AtomicUsize::new(0));
        let mut heap = Heap::new();
        let keys: Vec<_> = (0..LEN).map(|_| heap.alloc(Link::default())).collect();
        let map = heap.alloc_root(WeakKeyMap::new());
        let mut order: Vec<usize> = (1..LEN).collect();
        if backward {
            order.reverse();
        }
        for at in order {
            heap[&map].insert(keys[at - 1], Value(keys[at], Arc::clone(&traced)));
        }
        let head = heap.root(keys[0]).unwrap();
        assert_eq!((heap.collect().kept, traced.swap(0, Ordering::Relaxed)), (LEN + 1, LEN - 1));
        drop(head);
        assert_eq!((heap.collect().freed, heap[&map].len()), (LEN, 0));
    }
}

// ---- broom, gc, Fyrox

#[test]
fn broom_a_stale_handle_cannot_be_rooted_again() {
    let mut heap = Heap::new();
    let stale: Vec<_> = (0..1000).map(|value| heap.alloc(Node::leaf(value))).collect();
    heap.collect();
    let rooted = |heap: &Heap| stale.iter().filter(|gc| heap.root(**gc).is_some()).count();
    assert_eq!(rooted(&heap), 0);
    (0..1000).for_each(|value| _ = heap.alloc(Node::leaf(value)));
    assert_eq!((rooted(&heap), heap.stats().roots), (0, 0), "not with new tenants in their slots either");
    // A root whose object was destroyed reads nothing.
    let root = heap.alloc_root(Node::leaf(7));
    heap.destroy(&root);
    let copy = root.clone();
    heap.alloc(Node::leaf(8));
    assert!(heap.get(&copy).is_none() && heap.root(&copy).is_none());
    heap.collect();
    assert!(heap.get(&root).is_none() && heap.is_empty());
}

#[test]
fn gc_a_handle_that_escapes_a_destructor_reads_no_freed_memory() {
    // In `gc` a destructor stores the handle of a dying object somewhere, and reading through it is a use
    // after free.
    type Escaped = Arc<Mutex<Vec<Gc<Doomed>>>>;
    struct Doomed {
        value: u64,
        me: Gc<Doomed>,
        kid: Gc<Doomed>,
        escaped: Escaped,
    }
    impl Drop for Doomed {
        fn drop(&mut self) {
            self.escaped.lock().unwrap().extend([self.me, self.kid]);
        }
    }
    traced!(Doomed { kid });
    let escaped = Escaped::default();
    let mut heap = Heap::new();
    let mut kid = Gc::default();
    for value in 0..100 {
        let escaped = Arc::clone(&escaped);
        kid = heap.alloc_cyclic(|_, me| Doomed { value, me, kid, escaped });
    }
    assert_eq!(heap.collect().freed, 100);
    let stale = std::mem::take(&mut *escaped.lock().unwrap());
    assert_eq!(stale.len(), 200);
    let holder = heap.alloc_root(stale.clone());
    assert!(stale.iter().all(|gc| heap.get(*gc).is_none() && heap.root(*gc).is_none()));
    heap.collect();
    assert_eq!((heap.len(), heap[&holder].len()), (1, 200), "an edge to a dead object keeps nothing");

    // Whoever wants the value back buries it; its handles stay dead.
    let graveyard = Graveyard::new();
    let gc = heap.alloc_cyclic(|_, me| Doomed { value: 7, me, kid: me, escaped: Arc::clone(&escaped) });
    graveyard.bury(&mut heap, gc).unwrap();
    heap.collect();
    let (weak, value) = graveyard.exhume().unwrap();
    assert!(weak == gc && value.value == 7 && heap.get(value.me).is_none());
    let again = heap.alloc(value);
    assert!(again != gc && heap[again].value == 7 && heap.get(gc).is_none());
}

#[test]
fn fyrox_pool_emptying_a_heap_revives_no_stale_handle() {
    type Way = fn(&mut Heap, &[Gc<u64>]);
    let ways: [Way; 4] = [
        |heap, all| all.iter().for_each(|gc| assert!(heap.destroy(gc).is_some())),
        |heap, _| assert!(heap.collect().kept == 0),
        |heap, _| {
            heap.collect();
            heap.shrink_to_fit();
        },
        |heap, _| while heap.step(Budget::Objects(100)).finished.is_none() {},
    ];
    for way in ways {
        let mut heap = Heap::new();
        let mut past = HashSet::new();
        for round in 0..10 {
            let all: Vec<_> = (0..1500).map(|value| heap.alloc(value)).collect();
            assert!(past.iter().all(|gc| heap.get(*gc).is_none()), "in round {round}");
            assert!(all.iter().all(|gc| past.insert(*gc)), "a handle was handed out twice");
            way(&mut heap, &all);
            assert!(heap.is_empty());
        }
    }
    // The collections that can be cleared have no handles of their own that could revive.
    let mut heap = Heap::new();
    let stale = heap.alloc(1);
    heap.collect();
    let mut set = WeakSet::from_iter([stale]);
    let mut map: WeakValueMap<_, _> = WeakValueMap::from_iter([(1, stale)]);
    set.clear();
    map.clear();
    set.insert(heap.alloc(2));
    assert!(!set.contains(stale) && map.get(&1).is_none() && heap.get(stale).is_none());
}

// ---- Stack overflow

/// Builds a structure of many objects, and marks and frees it on a stack of 256 KiB.
fn marked_and_freed<T: Trace>(build: impl FnOnce(&mut Heap) -> Gc<T> + Send) {
    on_small_stack(|| {
        let mut heap = Heap::new();
        let head = build(&mut heap);
        let len = heap.len();
        let root = heap.root(head).unwrap();
        assert_eq!(heap.collect().marked, len);
        assert!(heap.step(Budget::Unlimited).finished.is_some_and(|stats| stats.kept == len));
        drop(root);
        assert_eq!(heap.collect().freed, len);
        // Also drops a heap with all of it.
        let mut heap = Heap::new();
        for value in 0..MILLION / 10 {
            heap.alloc(Link { value, next: None });
        }
        drop(heap);
    });
}

#[test]
fn gc_and_rc_a_list_of_a_million_with_destructors_overflows_no_stack() {
    marked_and_freed(|heap| {
        let mut head: Option<Gc<Node>> = None;
        for value in 0..MILLION {
            head = Some(heap.alloc(Node { value, edges: head.into_iter().collect() }));
        }
        head.unwrap()
    });
}

#[test]
fn broom_a_list_of_a_million_overflows_no_stack_in_either_direction() {
    marked_and_freed(|heap| {
        let mut head = None;
        for value in 0..MILLION {
            head = Some(heap.alloc(Link { value, next: head }));
        }
        head.unwrap()
    });
    marked_and_freed(|heap| {
        let head = heap.alloc(Link::default());
        let mut last = head;
        for value in 1..MILLION {
            let next = heap.alloc(Link { value, next: None });
            heap[last].next = Some(next);
            last = next;
        }
        head
    });
}

#[test]
fn bacon_rajan_cc_and_dumpster_a_ring_of_a_million_overflows_no_stack() {
    marked_and_freed(|heap| {
        let head = heap.alloc(Link::default());
        let mut last = head;
        for value in 1..MILLION {
            last = heap.alloc(Link { value, next: Some(last) });
        }
        heap[head].next = Some(last);
        head
    });
}

#[test]
fn gc_a_random_graph_of_a_million_edges_overflows_no_stack() {
    marked_and_freed(|heap| {
        let mut dice = Dice::new(7);
        let all: Vec<_> = (0..MILLION / 4).map(|value| heap.alloc(Node::leaf(value))).collect();
        for (at, gc) in all.iter().enumerate() {
            let edges = (0..3).map(|_| all[dice.below(all.len())]);
            heap[*gc].edges.extend(edges.chain(all.get(at + 1).copied()));
        }
        all[0]
    });
}

#[test]
fn dumpster_dropping_a_heap_with_a_list_of_a_million_overflows_no_stack() {
    on_small_stack(|| {
        let mut heap = Heap::new();
        let mut head: Option<Gc<Node>> = None;
        for value in 0..MILLION {
            head = Some(heap.alloc(Node { value, edges: head.into_iter().collect() }));
        }
        let root = heap.root(head.unwrap());
        drop(heap);
        drop(root);
    });
}

// ---- Weak-key maps

#[test]
fn cpython_java_and_weak_table_a_map_whose_values_reach_their_keys_empties() {
    struct Value {
        key: Gc<Node>,
        noisy: Noisy,
    }
    traced!(Value { key, noisy });
    let log = Log::default();
    let mut heap = Heap::new();
    let map = heap.alloc_root(WeakKeyMap::new());
    let keys: Vec<_> = (0..1000).map(|value| heap.alloc_root(Node::leaf(value))).collect();
    for (number, key) in keys.iter().enumerate() {
        // Through another object, directly, and through the next entry.
        let between = heap.alloc(Node::with([key.gc()]));
        heap[key].edges.push(between);
        let reached = if number % 2 == 0 { between } else { key.gc() };
        heap[&map].insert(key, Value { key: reached, noisy: Noisy::new(number as u32, &log) });
    }
    assert_eq!((heap.collect().pruned, heap[&map].len()), (0, 1000));
    drop(keys);
    let stats = heap.collect();
    assert_eq!((stats.pruned, stats.freed, heap[&map].len(), heap.len()), (1000, 2000, 0, 1));
    assert_eq!(log.take().len(), 1000);
}
