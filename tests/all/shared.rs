//! Marking through `&Heap`, alongside readers and other markers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use slotgc::{
    Budget, Gc, Heap, HeapConfig, Phase, Root, RootSource, Trace, Tracer, WeakKeyMap, WeakSet, WeakValueMap,
};

use crate::objects::{APART, Dice, Log, Node, Noisy};

/// Objects that refer to each other at random, and a root of the first.
fn random_graph(heap: &mut Heap, len: usize, dice: &mut Dice) -> (Vec<Gc<Node>>, Root<Node>) {
    let nodes: Vec<Gc<Node>> = (0..len).map(|value| heap.alloc(Node::leaf(value as u64))).collect();
    for node in &nodes {
        heap[*node].edges = (0..dice.below(4)).map(|_| nodes[dice.below(len)]).collect();
    }
    let root = heap.root(nodes[0]).unwrap();
    (nodes, root)
}

/// Marks with this many threads until they have no work left.
fn mark_beside(heap: &Heap, threads: usize, budget: Budget) -> usize {
    thread::scope(|scope| {
        let mark = || {
            let mut work = 0;
            loop {
                let report = heap.step_shared(budget);
                assert!(report.finished.is_none() && (report.work == 0 || report.phase == Phase::Mark));
                work += report.work;
                if report.work == 0 {
                    break work;
                }
            }
        };
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(mark)).collect();
        mark() + others.into_iter().map(|other| other.join().unwrap()).sum::<usize>()
    })
}

fn finish(heap: &mut Heap) -> slotgc::CollectStats {
    loop {
        if let Some(stats) = heap.step(Budget::Objects(50)).finished {
            return stats;
        }
    }
}

#[test]
fn without_a_cycle_that_marks_there_is_nothing_to_do() {
    let mut heap = Heap::new();
    assert_eq!(heap.step_shared(Budget::Unlimited).work, 0);
    let _root = random_graph(&mut heap, 100, &mut Dice::new(1));
    assert_eq!(heap.step_shared(Budget::Unlimited).work, 0, "only `&mut` calls begin a cycle");
    heap.step(Budget::Objects(1));
    while heap.stats().phase == Phase::Mark {
        heap.step(Budget::Objects(1));
    }
    let report = heap.step_shared(Budget::Unlimited);
    assert_eq!((report.work, report.phase, report.finished), (0, heap.stats().phase, None));
}

#[test]
fn the_same_objects_die_in_the_same_order_whoever_marked() {
    for seed in (0..20).step_by(APART) {
        let run = |threads: usize, budget: Budget| {
            let (mut heap, mut dice, log) = (Heap::new(), Dice::new(seed), Log::default());
            let (nodes, root) = random_graph(&mut heap, 2000, &mut dice);
            let noisy: Vec<Gc<Noisy>> = (0..300).map(|n| heap.alloc(Noisy::new(n, &log))).collect();
            let owner = heap.alloc_root(noisy.iter().copied().step_by(3).collect::<Vec<_>>());
            heap.step(Budget::Objects(1));
            if threads > 0 {
                mark_beside(&heap, threads, budget);
            }
            let stats = finish(&mut heap);
            heap.verify();
            let alive: Vec<bool> = nodes.iter().map(|gc| heap.is_alive(gc)).collect();
            assert!(heap.is_alive(&root) && heap.is_alive(&owner));
            (alive, log.take(), stats.marked, stats.kept, stats.freed)
        };
        let alone = run(0, Budget::Unlimited);
        for threads in 1..4 {
            assert_eq!(run(threads, Budget::Unlimited), alone, "{threads} threads, seed {seed}");
            assert_eq!(run(threads, Budget::Objects(7)), alone, "{threads} threads in steps, seed {seed}");
        }
    }
}

#[test]
fn a_list_is_followed_by_one_of_several_markers_to_its_end() {
    let mut heap = Heap::new();
    let mut head = heap.alloc(Node::leaf(0));
    for _ in 0..20_000 {
        head = heap.alloc(Node::with([head]));
    }
    let _root = heap.root(head).unwrap();
    heap.step(Budget::Objects(1));
    assert!(mark_beside(&heap, 3, Budget::Unlimited) > 19_900);
    assert_eq!(heap.step(Budget::Unlimited).finished.unwrap().kept, 20_001);
}

#[test]
fn a_budget_in_objects_is_kept() {
    let mut heap = Heap::new();
    let (nodes, _root) = random_graph(&mut heap, 3000, &mut Dice::new(4));
    let _all = heap.alloc_root(Node::with(nodes));
    heap.step(Budget::Objects(2));
    for _ in 0..20 {
        assert!((1..=10).contains(&heap.step_shared(Budget::Objects(10)).work));
    }
    assert!(heap.step_shared(Budget::Time(Duration::from_millis(1))).work > 0);
}

#[test]
fn readers_read_root_and_iterate_while_others_mark() {
    let mut heap = Heap::new();
    let mut dice = Dice::new(5);
    let (nodes, _root) = random_graph(&mut heap, 20_000, &mut dice);
    let names =
        heap.alloc_root(WeakValueMap::<u64, Node>::from_iter(nodes.iter().map(|gc| (heap[*gc].value, *gc))));
    for round in 0..5 {
        heap.step(Budget::Objects(1));
        let over = AtomicBool::new(false);
        let rooted = thread::scope(|scope| {
            let readers: Vec<_> = (0..2_u64)
                .map(|seed| {
                    let (heap, nodes, names, over) = (&heap, &nodes, &names, &over);
                    scope.spawn(move || {
                        let (mut dice, mut held) = (Dice::new(seed), Vec::new());
                        while !over.load(Ordering::Relaxed) {
                            let value = dice.below(nodes.len());
                            let Some(node) = heap.get(nodes[value]) else { continue };
                            assert_eq!(node.value, value as u64);
                            let weak = heap[names].get(&(value as u64)).unwrap();
                            assert_eq!(heap.upgrade(weak), Some(nodes[value]));
                            held.push(heap.root(nodes[value]).unwrap().clone());
                            held.truncate(20);
                            assert_eq!(
                                (heap.watch_count(nodes[value]), heap.stats().phase),
                                (0, Phase::Mark)
                            );
                        }
                        assert_eq!(heap.iter::<Node>().count(), heap.len_of::<Node>());
                        held
                    })
                })
                .collect();
            mark_beside(&heap, 2, Budget::Objects(500));
            over.store(true, Ordering::Relaxed);
            readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect::<Vec<_>>()
        });
        finish(&mut heap);
        heap.verify();
        assert!(rooted.iter().all(|root| heap.is_alive(root)), "rooted beside markers, round {round}");
    }
}

#[test]
fn what_the_program_changes_between_shared_steps_is_seen_before_marking_ends() {
    for seed in 0..30 {
        let (mut heap, mut dice) = (Heap::new(), Dice::new(seed));
        let (_, root) = random_graph(&mut heap, 500, &mut dice);
        let mut reachable: Vec<Gc<Node>> = vec![root.gc()];
        heap.step(Budget::Objects(1));
        while heap.stats().phase == Phase::Mark {
            heap.step_shared(Budget::Objects(dice.below(60)));
            // Possibly into an object that `step_shared` has traced.
            let new = heap.alloc(Node::leaf(7));
            let holder = reachable[dice.below(reachable.len())];
            heap[holder].edges.push(new);
            reachable.push(new);
            heap.step(Budget::Objects(1));
        }
        heap.step(Budget::Unlimited);
        assert!(reachable.iter().all(|gc| heap.is_alive(gc)), "seed {seed}");
        heap.verify();
    }
}

#[derive(Trace)]
struct Mailbox {
    letters: Mutex<Vec<Gc<Node>>>,
    text: Mutex<String>,
}

#[test]
fn a_lock_is_never_taken_beside_readers_and_what_is_behind_it_is_found_all_the_same() {
    let mut heap = Heap::new();
    let boxes: Vec<Root<Mailbox>> = (0..50)
        .map(|value| {
            let inner = heap.alloc(Node::leaf(value));
            let letter = heap.alloc(Node::with([inner]));
            let text = Mutex::new("x".repeat(100));
            heap.alloc_root(Mailbox { letters: Mutex::new(vec![letter]), text })
        })
        .collect();
    heap.step(Budget::Objects(1));
    // Roots are traced by `&mut` calls.
    heap.step(Budget::Objects(20));
    let held: Vec<MutexGuard<'_, _>> = boxes.iter().map(|root| heap[root].letters.lock().unwrap()).collect();
    let held_texts: Vec<MutexGuard<'_, _>> =
        boxes.iter().map(|root| heap[root].text.lock().unwrap()).collect();
    mark_beside(&heap, 2, Budget::Unlimited);
    drop((held, held_texts));
    let late = heap.alloc(Node::leaf(99));
    heap[&boxes[7]].letters.lock().unwrap().push(late);
    finish(&mut heap);
    assert!(heap.is_alive(late));
    assert_eq!(heap.collect().kept, 151);
    heap.verify();
}

#[test]
fn what_a_lock_owns_counts_though_it_is_not_read_beside_readers() {
    let mut heap = Heap::new();
    let texts = (0..20).map(|_| heap.alloc(Mutex::new(String::with_capacity(1000)))).collect::<Vec<_>>();
    let _root = heap.alloc_root(texts);
    heap.collect();
    let owned = heap.stats().owned_bytes;
    heap.step(Budget::Objects(1));
    mark_beside(&heap, 1, Budget::Unlimited);
    finish(&mut heap);
    assert_eq!(heap.stats().owned_bytes, owned);
}

#[derive(Trace, Default)]
struct Tables {
    notes: WeakKeyMap<Node, Vec<Gc<Node>>>,
    seen: WeakSet<Node>,
    chain: Vec<Gc<Tables>>,
}

#[test]
fn weak_collections_and_ephemerons_are_as_exact_as_with_one_marker() {
    for seed in 0..20 {
        let run = |help: bool| {
            let (mut heap, mut dice) = (Heap::new(), Dice::new(seed));
            let (nodes, _root) = random_graph(&mut heap, 300, &mut dice);
            let more: Vec<Gc<Node>> = (0..300).map(|value| heap.alloc(Node::leaf(value))).collect();
            let mut tables: Vec<Gc<Tables>> = Vec::new();
            for _ in 0..10 {
                let mut table = Tables { chain: tables.clone(), ..Tables::default() };
                for _ in 0..60 {
                    // Includes keys that only other entries reach.
                    let key = if dice.one_in(2) { nodes[dice.below(300)] } else { more[dice.below(300)] };
                    table.notes.insert(key, vec![more[dice.below(300)]]);
                    table.seen.insert(key);
                }
                tables.push(heap.alloc(table));
            }
            let _tables = heap.root(tables[9]).unwrap();
            heap.step(Budget::Objects(1));
            while heap.stats().phase == Phase::Mark {
                if help {
                    mark_beside(&heap, 2, Budget::Objects(30));
                }
                heap.step(Budget::Objects(5));
            }
            heap.step(Budget::Unlimited);
            heap.verify();
            let lens = tables.iter().map(|table| (heap[*table].notes.len(), heap[*table].seen.len()));
            (heap.len(), lens.collect::<Vec<_>>())
        };
        assert_eq!(run(true), run(false), "seed {seed}");
    }
}

struct Bomb {
    armed: AtomicBool,
    next: Option<Gc<Bomb>>,
}

impl Trace for Bomb {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        assert!(!self.armed.load(Ordering::Relaxed), "this trace panics");
        tracer.edges(self.next);
    }
}

#[test]
fn a_trace_that_panics_beside_readers_abandons_the_cycle_and_loses_nothing() {
    let mut heap = Heap::new();
    let mut head = None;
    for _ in 0..100 {
        head = Some(heap.alloc(Bomb { armed: AtomicBool::new(false), next: head }));
    }
    let bombs: Vec<Gc<Bomb>> = heap.iter().map(|(gc, _)| gc).collect();
    let _root = heap.root(head.unwrap()).unwrap();
    let garbage = heap.alloc(Node::leaf(1));
    heap.step(Budget::Objects(1));
    heap[bombs[40]].armed = AtomicBool::new(true);
    let payload = catch_unwind(AssertUnwindSafe(|| heap.step_shared(Budget::Unlimited))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"this trace panics"));
    assert_eq!(heap.step_shared(Budget::Unlimited).work, 0, "the cycle is abandoned");
    heap[bombs[40]].armed = AtomicBool::new(false);
    assert!(heap.step(Budget::Objects(1)).finished.is_none(), "a new cycle begins");
    mark_beside(&heap, 2, Budget::Unlimited);
    assert_eq!(finish(&mut heap).freed, 1);
    assert!(bombs.iter().all(|gc| heap.is_alive(gc)) && !heap.is_alive(garbage));
    heap.verify();
}

#[test]
fn every_call_that_collects_abandons_a_cycle_that_a_panic_made_void() {
    let calls: [fn(&mut Heap); 5] = [
        |heap| _ = heap.collect(),
        |heap| _ = heap.collect_minor(),
        |heap| _ = heap.step(Budget::Unlimited),
        |heap| _ = heap.pace(Budget::Unlimited),
        |heap| heap.shrink_to_fit(),
    ];
    for (number, call) in calls.into_iter().enumerate() {
        let mut heap = Heap::new();
        let kept = heap.alloc(Bomb { armed: AtomicBool::new(false), next: None });
        let bomb = heap.alloc(Bomb { armed: AtomicBool::new(true), next: Some(kept) });
        let all = (0..5000).map(|value| heap.alloc(Node::leaf(value))).collect::<Vec<_>>();
        let (root, _nodes) = (heap.root(bomb).unwrap(), heap.alloc_root(Node::with(all)));
        heap.step(Budget::Objects(1));
        if catch_unwind(AssertUnwindSafe(|| heap.step_shared(Budget::Unlimited))).is_ok() {
            // The root had not been traced yet.
            _ = catch_unwind(AssertUnwindSafe(|| heap.step(Budget::Unlimited)));
        }
        heap[&root].armed = AtomicBool::new(false);
        call(&mut heap);
        heap.collect();
        assert!(heap.is_alive(kept) && heap.len() == 5003, "call {number}");
        heap.verify();
    }
}

#[test]
fn stale_edges_met_beside_readers_keep_no_later_tenant() {
    let mut heap = Heap::new();
    let old: Vec<Gc<Node>> = (0..3000).map(|value| heap.alloc(Node::leaf(value))).collect();
    let _holder = heap.alloc_root(Node::with(old.clone()));
    old.iter().for_each(|gc| _ = heap.destroy(gc));
    // So many that slots are reused although the holder names them.
    let new: Vec<Gc<Node>> = (0..3000).map(|value| heap.alloc(Node::leaf(value))).collect();
    heap.step(Budget::Objects(1));
    heap.step(Budget::Objects(10));
    mark_beside(&heap, 2, Budget::Unlimited);
    finish(&mut heap);
    assert!(new.iter().all(|gc| !heap.is_alive(gc)));
    heap.verify();
}

#[test]
fn a_checkpoint_and_a_verification_beside_markers_see_one_moment() {
    let mut heap = Heap::new();
    let (nodes, _root) = random_graph(&mut heap, 5000, &mut Dice::new(9));
    let schema = slotgc::Schema::new().with::<Node>("node");
    for _ in 0..5 {
        heap.step(Budget::Objects(1));
        let checkpoint = thread::scope(|scope| {
            let heap = &heap;
            scope.spawn(move || mark_beside(heap, 1, Budget::Objects(100)));
            let checkpoint = heap.checkpoint(&schema).unwrap();
            heap.verify();
            checkpoint
        });
        finish(&mut heap);
        let alive: Vec<bool> = nodes.iter().map(|gc| heap.is_alive(gc)).collect();
        heap.roll_back(&checkpoint);
        assert_eq!(heap.stats().phase, Phase::Mark);
        finish(&mut heap);
        heap.verify();
        assert!(nodes.iter().map(|gc| heap.is_alive(gc)).eq(alive));
    }
}

#[test]
fn several_threads_mark_in_a_collection_and_find_what_one_finds() {
    for seed in (0..10).step_by(APART) {
        let run = |threads: usize| {
            let mut heap = Heap::with_config(HeapConfig::default().mark_threads(threads));
            let (nodes, _root) = random_graph(&mut heap, 20_000, &mut Dice::new(seed));
            let all = heap.alloc_root(Node::with(nodes.iter().copied().step_by(2).collect::<Vec<_>>()));
            let stats = heap.collect();
            heap.verify();
            assert!(heap.is_alive(&all));
            (stats.marked, stats.freed, nodes.iter().map(|gc| heap.is_alive(gc)).collect::<Vec<_>>())
        };
        let alone = run(1);
        assert!(run(2) == alone && run(4) == alone, "seed {seed}");
    }
}

#[test]
fn a_trace_that_panics_in_a_thread_of_a_collection_is_raised_by_the_collection() {
    let mut heap = Heap::with_config(HeapConfig::default().mark_threads(3));
    let bombs: Vec<Gc<Bomb>> =
        (0..20_000).map(|_| heap.alloc(Bomb { armed: AtomicBool::new(false), next: None })).collect();
    let _all = heap.alloc_root(bombs.clone());
    heap[bombs[3]].armed = AtomicBool::new(true);
    let payload = catch_unwind(AssertUnwindSafe(|| heap.collect())).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"this trace panics"));
    heap[bombs[3]].armed = AtomicBool::new(false);
    assert_eq!(heap.collect().kept, 20_001);
    heap.verify();
}

#[test]
#[cfg_attr(gc_zeal, ignore = "zeal mode marks at each allocation")]
fn pace_does_not_count_on_help_from_the_threads_of_a_collection() {
    let mut heap = Heap::with_config(HeapConfig::default().mark_threads(2));
    let (nodes, _root) = random_graph(&mut heap, 50_000, &mut Dice::new(12));
    let _all = heap.alloc_root(Node::with(nodes));
    heap.collect();
    let mut work = Vec::new();
    for _ in 0..2000 {
        (0..400).for_each(|value| _ = heap.alloc(Node::leaf(value)));
        let report = heap.pace(Budget::Objects(1000));
        if report.phase == Phase::Mark && heap.stats().phase == Phase::Mark {
            work.push(report.work);
        }
        if work.len() == 8 {
            break;
        }
    }
    assert!(work.len() == 8 && work.iter().all(|work| *work > 200), "steps of too few units: {work:?}");
}

/// Counts how often it is traced.
struct Source(Vec<Gc<Node>>, std::sync::atomic::AtomicUsize);

impl RootSource for Source {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        self.1.fetch_add(1, Ordering::Relaxed);
        tracer.edges(self.0.iter().copied());
    }
}

#[test]
#[cfg_attr(gc_zeal, ignore = "zeal mode marks at each allocation")]
fn pace_leaves_the_edges_to_helpers_that_mark_beside_the_frame() {
    let mut heap = Heap::new();
    let (nodes, _root) = random_graph(&mut heap, 100_000, &mut Dice::new(11));
    let source = Source(nodes, Default::default());
    let (mut own, mut beside, mut cycles) = (0, 0, 0);
    for _ in 0..20_000 {
        (0..200).for_each(|value| _ = heap.alloc(Node::leaf(value)));
        let report = heap.pace_with(Budget::Objects(2000), &source);
        if report.phase == Phase::Mark {
            // The first cycle does not know yet that another thread helps.
            own += if cycles > 0 { report.work } else { 0 };
        }
        cycles += usize::from(report.finished.is_some_and(|stats| !stats.is_minor));
        let work = heap.step_shared(Budget::Objects(3000)).work;
        beside += if cycles > 0 { work } else { 0 };
        if cycles == 4 {
            break;
        }
    }
    assert_eq!(cycles, 4);
    assert!(beside > 10 * own, "{beside} objects beside the frames, {own} in them");
}
