//! Objects that are allocated while a cycle marks: by default they survive it, with `collect_new` only those
//! that something reaches.

use std::cell::RefCell;

use slotgc::{Budget, Gc, Heap, HeapConfig, Phase, Rule, WeakKeyMap, roots};

use super::{finish, list, step_to};
use crate::objects::Node;

fn heap() -> Heap {
    Heap::with_config(HeapConfig::default().collect_new(true))
}

/// A heap that is marking, with a list of this many nodes whose last one is a root.
fn marking(len: u64) -> (Heap, slotgc::Root<Node>, Vec<Gc<Node>>) {
    let mut heap = heap();
    let nodes = list(&mut heap, len);
    let root = heap.root(nodes[nodes.len() - 1]).unwrap();
    heap.collect();
    step_to(&mut heap, Phase::Mark);
    (heap, root, nodes)
}

#[test]
fn a_cycle_frees_what_was_allocated_while_it_marked_unless_it_survives_by_default() {
    for collects in [false, true] {
        let mut heap = Heap::with_config(HeapConfig::default().collect_new(collects));
        let root = heap.alloc_root(Node::leaf(1));
        step_to(&mut heap, Phase::Mark);
        let new = heap.alloc(Node::leaf(2));
        let texts = heap.alloc_many((0..1000).map(|n| n.to_string()));
        finish(&mut heap);
        assert_eq!(heap.is_alive(new), !collects);
        assert!(texts.iter().all(|text| heap.is_alive(text) != collects));
        assert_eq!(heap.len(), if collects { 1 } else { 1002 });
        heap.verify();
        heap.collect();
        assert_eq!(heap.len(), 1);
        drop(root);
    }
}

#[test]
fn what_reaches_a_new_object_keeps_it_whenever_it_was_stored() {
    // At every step of the cycle: in an object that was traced, in one that was not, and in new ones.
    for at in 0..60 {
        let (mut heap, root, nodes) = marking(50);
        for _ in 0..at {
            heap.step(Budget::Objects(1));
        }
        let leaf = heap.alloc(Node::leaf(1));
        let (in_first, in_last) = (heap.alloc(Node::with([leaf])), heap.alloc(Node::leaf(2)));
        heap[nodes[0]].edges.push(in_first);
        heap[nodes[49]].edges.push(in_last);
        let rooted = heap.alloc_root(Node::leaf(3));
        let below = heap.alloc(Node::leaf(4));
        heap[&rooted].edges.push(below);
        let cyclic = heap.alloc_cyclic(|heap, own| {
            let child = heap.alloc_root(Node::with([own]));
            heap.step(Budget::Objects(2));
            Node::with([child.gc()])
        });
        heap[in_last].edges.push(cyclic);
        let later = heap.alloc_later(Node::with([leaf]));
        heap[below].edges.push(later);
        let child = heap[cyclic].edges[0];
        if heap.stats().phase == Phase::Idle {
            heap.flush();
        } else {
            finish(&mut heap);
        }
        let stored = [leaf, in_first, in_last, rooted.gc(), below, cyclic, child, later];
        assert_eq!(stored.map(|gc| heap.is_alive(gc)), [true; 8], "stored after {at} steps");
        heap.verify();
        // They are old now, and changes of them are noticed.
        let young = heap.alloc(Node::leaf(5));
        heap[child].edges.push(young);
        heap.collect_minor();
        assert!(heap.is_alive(young));
        heap.collect();
        assert_eq!(heap.len(), 50 + 9);
        drop(root);
    }
}

#[test]
fn a_source_keeps_new_objects_that_it_reports_before_marking_ends() {
    let mut heap = heap();
    let column = RefCell::new(Vec::new());
    let source = roots(|tracer| tracer.edges(column.borrow().iter().copied()));
    column.borrow_mut().extend(list(&mut heap, 100));
    let mut stored = Vec::new();
    while heap.step_with(Budget::Objects(3), &source).finished.is_none() {
        let child = heap.alloc(Node::leaf(1));
        let new = heap.alloc(Node::with([child]));
        column.borrow_mut().push(new);
        stored.extend([child, new]);
        heap.alloc(Node::leaf(2));
    }
    assert!(stored.iter().all(|gc| heap.is_alive(gc)) && stored.len() > 20);
    heap.verify();
    heap.collect_with(&source);
    assert_eq!(heap.len(), 100 + stored.len());
}

#[test]
fn a_new_key_keeps_its_value_and_a_dead_one_does_not() {
    let mut heap = heap();
    let map = heap.alloc_root(WeakKeyMap::<u64, Gc<String>>::new());
    let kept = heap.alloc_root(0_u64);
    step_to(&mut heap, Phase::Mark);
    let (key, dead) = (heap.alloc_root(1_u64), heap.alloc(2_u64));
    let values = [10, 11, 12].map(|n| heap.alloc(n.to_string()));
    for (key, value) in [kept.gc(), key.gc(), dead].into_iter().zip(values) {
        heap[&map].insert(key, value);
    }
    finish(&mut heap);
    assert_eq!(values.map(|value| heap.is_alive(value)), [true, true, false]);
    assert_eq!(heap[&map].len(), 2);
    heap.verify();
}

#[test]
fn an_object_destroyed_while_a_cycle_marks_is_no_longer_in_weak_maps_after_a_minor_collection() {
    for collects in [false, true] {
        let mut heap = Heap::with_config(HeapConfig::default().collect_new(collects));
        let map = heap.alloc_root(WeakKeyMap::<u64, u64>::new());
        let old: Vec<_> = (0..100).map(|n: u64| heap.alloc_root(n)).collect();
        old.iter().for_each(|key| _ = heap[&map].insert(key.gc(), 1));
        heap.collect();
        step_to(&mut heap, Phase::Mark);
        old[..50].iter().for_each(|key| _ = heap.destroy(key));
        finish(&mut heap);
        assert_eq!(heap[&map].len(), 50);
        old[50..60].iter().for_each(|key| _ = heap.destroy(key));
        heap[&map].insert(old[60].gc(), 2);
        heap.collect_minor();
        assert_eq!(heap[&map].len(), 40);
        heap.verify();
    }
}

#[test]
fn a_cycle_ends_though_more_is_allocated_and_stored_than_its_steps_trace() {
    for (allocations, budget) in [(1000, 300), (100, 1), (64, 64), (3000, 10)] {
        let (mut heap, root, _) = marking(3000);
        for _ in 0..2 {
            let mut steps = 0;
            while heap.step(Budget::Objects(budget)).finished.is_none() {
                steps += 1;
                for _ in 0..allocations {
                    // Each is reached through the one before.
                    let last = heap[&root].edges.last().copied();
                    let new = heap.alloc(Node { value: 0, edges: last.into_iter().collect() });
                    heap[&root].edges = vec![new];
                }
                let bound = 8 * (heap.len() / budget + 64);
                assert!(steps < bound, "{steps} steps of {budget}, {} objects", heap.len());
            }
        }
        heap.verify();
    }
}

#[test]
#[cfg_attr(gc_zeal, ignore = "zeal marks a bit at each allocation")]
fn temporary_objects_of_a_long_cycle_do_not_outlive_it() {
    let mut peaks = Vec::new();
    for collects in [false, true] {
        let config = HeapConfig::default().collect_new(collects).nursery_bytes(1 << 16);
        let mut heap = Heap::with_config(config.ceiling_bytes(4 << 20).growth(0.1));
        let nodes = list(&mut heap, 20_000);
        let _root = heap.root(nodes[19_999]).unwrap();
        heap.collect();
        let (mut after, mut forced) = (0, 0);
        for _ in 0..2000 {
            (0..100).for_each(|n| _ = heap.alloc([n as u64; 4]));
            let report = heap.pace(Budget::Objects(150));
            forced += usize::from(report.rule == Rule::Ceiling);
            if report.finished.is_some_and(|stats| !stats.is_minor) {
                after = after.max(heap.len());
            }
        }
        peaks.push((after, forced));
        heap.verify();
    }
    let [(kept, _), (left, forced)] = peaks[..] else { unreachable!() };
    assert!(left < 21_000 && kept > 25_000 && forced == 0, "{peaks:?}");
}

#[cfg(feature = "std")]
#[test]
fn an_object_made_later_is_traced_though_its_edge_was_followed_before_it_was_there() {
    use slotgc::{Trace, Tracer};

    /// Its trace takes the lock also where it should not.
    #[derive(Default)]
    struct Shared(std::sync::Mutex<Option<Gc<Node>>>);

    impl Trace for Shared {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            let _ = tracer.interior_mutability();
            self.0.lock().unwrap().trace(tracer);
        }
    }

    #[derive(Trace)]
    struct Link(Option<Gc<Link>>, Option<Gc<Shared>>);

    let mut heap = heap();
    let shared = heap.alloc(Shared::default());
    let mut last = heap.alloc(Link(None, Some(shared)));
    for _ in 0..300 {
        last = heap.alloc(Link(Some(last), None));
    }
    let _root = heap.root(last).unwrap();
    // From now on slots are set aside.
    (0..300).for_each(|n| _ = heap.alloc_later(Node::leaf(n)));
    heap.flush();
    step_to(&mut heap, Phase::Mark);
    heap.step(Budget::Objects(20));
    let child = heap.alloc_later(Node::leaf(1));
    let new = heap.alloc_later(Node::with([child]));
    *heap[shared].0.lock().unwrap() = Some(new);
    assert!(heap.step_shared(Budget::Unlimited).work > 200);
    finish(&mut heap);
    assert_eq!([new, child].map(|gc| heap.is_alive(gc)), [true, true]);
    heap.verify();
}

#[test]
fn changes_of_objects_that_marking_has_not_reached_cost_it_nothing() {
    let work = |changed: usize| {
        let (mut heap, root, nodes) = marking(1000);
        nodes[..changed].iter().for_each(|gc| heap[gc].value += 1);
        let mut work = 0;
        loop {
            let report = heap.step(Budget::Objects(10));
            work += report.work;
            if report.finished.is_some() {
                break;
            }
        }
        drop(root);
        work
    };
    assert_eq!(work(900), work(0));
}

#[test]
fn an_object_under_construction_keeps_its_slot_though_the_cycle_ends_meanwhile() {
    let (mut heap, root, _) = marking(100);
    let made = heap.alloc_cyclic(|heap, own| {
        finish(heap);
        (0..200).for_each(|n| _ = heap.alloc(Node::leaf(n)));
        Node::with([own])
    });
    assert_eq!(heap[made].edges, [made]);
    heap.verify();
    heap.collect_with(&[made]);
    assert_eq!(heap.len(), 101);
    drop(root);
}
