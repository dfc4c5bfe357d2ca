//! Incremental cycles: what the program may do between two steps, in every phase.

mod model;
mod new_objects;
mod parts;
mod tables;

use slotgc::{Budget, CollectStats, DeathQueue, Gc, Heap, HeapConfig, Phase, Rule, StepReport, Weak};

use crate::objects::{APART, Log, Node, Noisy, slot_bytes};

/// Steps of one unit until the cycle is in this phase or finished.
fn step_to(heap: &mut Heap, phase: Phase) -> StepReport {
    loop {
        let report = heap.step(Budget::Objects(1));
        if report.phase >= phase || report.finished.is_some() {
            return report;
        }
    }
}

/// Runs the rest of the cycle in steps of one unit.
fn finish(heap: &mut Heap) -> CollectStats {
    loop {
        if let Some(stats) = heap.step(Budget::Objects(1)).finished {
            return stats;
        }
    }
}

/// A list of this many nodes.
fn list(heap: &mut Heap, len: u64) -> Vec<Gc<Node>> {
    let mut nodes: Vec<Gc<Node>> = Vec::new();
    for value in 0..len {
        let next = nodes.last().copied();
        nodes.push(heap.alloc(Node { value, edges: next.into_iter().collect() }));
    }
    nodes
}

#[test]
fn steps_of_one_unit_free_what_a_collection_frees() {
    let log = Log::default();
    let mut heap = Heap::new();
    let nodes = list(&mut heap, 500);
    let root = heap.root(nodes[249]).unwrap();
    for number in 0..300 {
        heap.alloc(Noisy::new(number, &log));
    }
    let stats = finish(&mut heap);
    assert_eq!((stats.marked, stats.kept, stats.freed), (250, 250, 550));
    assert_eq!((heap.len(), log.take()), (250, (0..300).collect()));
    assert!(nodes[..250].iter().all(|gc| heap.is_alive(gc)) && !heap.is_alive(nodes[250]));
    drop(root);
    assert_eq!(finish(&mut heap).freed, 250);
}

#[test]
fn what_is_upgraded_and_stored_while_marking_is_half_done_survives_with_all_it_reaches() {
    // weak-cases 8
    for when in (0..400).step_by(APART) {
        let mut heap = Heap::new();
        let nodes = list(&mut heap, 300);
        let hidden = list(&mut heap, 50);
        let last = Weak::from(hidden[49]);
        let root = heap.root(nodes[299]).unwrap();
        let mut done = false;
        for _ in 0..when {
            done |= heap.step(Budget::Objects(1)).finished.is_some();
        }
        let Some(gc) = heap.upgrade(last) else {
            assert!(hidden.iter().all(|gc| !heap.is_alive(gc)), "they all die at once");
            continue;
        };
        assert!(!done && hidden.iter().all(|gc| heap.is_alive(gc)));
        heap[&root].edges.push(gc);
        finish(&mut heap);
        assert_eq!((hidden.iter().all(|gc| heap.is_alive(gc)), heap.len()), (true, 350), "at step {when}");
    }
}

#[test]
fn all_that_a_cycle_frees_stops_resolving_in_one_step() {
    let log = Log::default();
    let mut heap = Heap::new();
    let nodes = list(&mut heap, 3000);
    let noisy: Vec<_> = (0..3000).map(|number| heap.alloc(Noisy::new(number, &log))).collect();
    let kept = heap.root(noisy[1234]).unwrap();
    step_to(&mut heap, Phase::Prune);
    for _ in 0.. {
        let alive = noisy.iter().filter(|gc| heap.is_alive(**gc)).count();
        let nodes_alive = nodes.iter().filter(|gc| heap.get(**gc).is_some()).count();
        assert_eq!((alive, nodes_alive, heap.len()), (1, 0, 1));
        assert_eq!((heap.len_of::<Noisy>(), heap.len_of::<Node>(), heap.iter::<Noisy>().count()), (1, 0, 1));
        assert_eq!((heap.stats().objects, heap.stats().freed), (1, 5999));
        assert!(heap.is_alive_any(kept.gc().erase()) && !heap.is_alive_any(noisy[0].erase()));
        if heap.step(Budget::Objects(100)).finished.is_some() {
            break;
        }
    }
    assert_eq!((heap.len(), log.take().len()), (1, 2999));
}

#[test]
fn a_minor_collection_frees_the_young_and_leaves_the_old() {
    let mut heap = Heap::new();
    let nodes = list(&mut heap, 1000);
    let root = heap.root(nodes[999]).unwrap();
    heap.collect();
    heap[&root].edges.clear();
    let kid = heap.alloc(Node::leaf(1));
    let grandkid = heap.alloc(Node::leaf(2));
    heap[kid].edges.push(grandkid);
    heap[nodes[500]].edges.push(kid);
    list(&mut heap, 700);
    let stats = heap.collect_minor();
    assert_eq!((stats.freed, stats.kept), (700, 1002));
    assert!(heap.is_alive(kid) && heap.is_alive(grandkid));
    assert_eq!(heap.collect().freed, 1001);
}

#[test]
fn a_sweep_that_stops_in_the_first_word_of_a_page_goes_on_there() {
    let mut heap = Heap::new();
    let all: Vec<_> = (0..31_u64).map(|n| heap.alloc(n)).collect();
    let queue = DeathQueue::new();
    queue.watch(&mut heap, all[0], 1).expect("a living object");
    while heap.step(Budget::Objects(4)).finished.is_none() {
        heap.verify();
    }
    assert_eq!((heap.len(), queue.poll()), (0, Some(1)));
}

#[test]
fn a_heap_that_shrinks_during_a_minor_collection_runs_the_remaining_destructors() {
    let log = Log::default();
    let mut heap = Heap::with_config(HeapConfig::default().nursery_bytes(320));
    for number in 0..20 {
        heap.alloc(Noisy::new(number, &log));
    }
    // The budget ends before the destructors do.
    let report = heap.pace(Budget::Objects(25));
    assert_eq!((report.rule, report.finished.is_some(), report.phase), (Rule::Nursery, false, Phase::Drop));
    heap.shrink_to_fit();
    heap.verify();
    while heap.step(Budget::Objects(5)).finished.is_none() {}
    assert_eq!(log.take().len(), 20);
}

#[test]
fn a_heap_that_shrinks_amid_a_sweep_counts_as_before() {
    for units in (1..200).step_by(APART) {
        let mut heap = Heap::new();
        let kept: Vec<_> = (0..500).map(|value| heap.alloc_root(Node::leaf(value))).collect();
        for value in 0..1500 {
            let gc = heap.alloc(Node::leaf(value));
            // These slots wait until a collection finds that nothing names them.
            if value % 2 == 0 && value < 1000 {
                heap.destroy(gc);
            }
        }
        step_to(&mut heap, Phase::Sweep);
        (0..units).for_each(|_| {
            heap.step(Budget::Objects(1));
        });
        heap.shrink_to_fit();
        let count = heap.iter::<Node>().count();
        assert_eq!((heap.len(), heap.len_of::<Node>(), count), (500, 500, 500), "after {units} steps");
        if heap.stats().phase != Phase::Idle {
            assert!(finish(&mut heap).freed >= 1000);
        }
        heap.verify();
        assert_eq!((heap.len(), heap.stats().bytes), (500, 500 * slot_bytes::<Node>()));
        drop(kept);
    }
}

#[test]
fn a_page_whose_last_white_slots_were_destroyed_before_its_sweep_is_like_any_other() {
    let mut heap = Heap::new();
    // Some objects of the first page are destroyed, so that their slots are in limbo; the rest is kept by an
    // object.
    let first: Vec<_> = (0..1000).map(|value| heap.alloc(Node::leaf(value))).collect();
    let (destroyed, kept) = first.split_at(500);
    let holder = heap.alloc_root(Node::with(kept));
    let others: Vec<_> = (0..20_000).map(|value| heap.alloc_root(Node::leaf(value))).collect();
    destroyed.iter().for_each(|gc| {
        heap.destroy(gc);
    });
    step_to(&mut heap, Phase::Prune);
    // So many that limbo frees its oldest slots, those of the first page.
    others[5000..15_000].iter().for_each(|root| {
        heap.destroy(root);
    });
    if heap.stats().phase != Phase::Idle {
        finish(&mut heap);
    }
    for _ in 0..3 {
        heap.collect();
        heap.verify();
        for (value, gc) in kept.iter().enumerate() {
            assert_eq!(heap.get(*gc).map(|node| node.value), Some(value as u64 + 500));
        }
        assert_eq!(heap.len(), 1 + kept.len() + 10_000);
        assert!(heap.is_alive(&holder));
    }
}
