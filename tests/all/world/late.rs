//! Collections begin in time, end, and keep to their budget.

use std::cell::Cell;
use std::time::Duration;

use slotgc::{
    Budget, DeathQueue, Gc, Heap, HeapConfig, Phase, RootLog, RootSource, Rule, Schema, Trace, Tracer,
    WeakSet, roots,
};

#[derive(Clone, Trace)]
struct Node {
    next: Option<Gc<Node>>,
    bytes: [u64; 4],
}

fn node(heap: &mut Heap, next: Option<Gc<Node>>) -> Gc<Node> {
    heap.alloc(Node { next, bytes: [0; 4] })
}

fn level(heap: &mut Heap, len: usize) -> Gc<Node> {
    (1..len).fold(node(heap, None), |next, _| node(heap, Some(next)))
}

#[test]
fn destroyed_objects_do_not_leave_their_entries_for_ever() {
    let mut heap = Heap::new();
    let set = heap.alloc_root(WeakSet::new());
    heap.collect();
    for _ in 0..3000 {
        for number in 0..100_u64 {
            let object = heap.alloc(number);
            heap[&set].insert(object);
            heap.destroy(object);
        }
        heap.pace(Budget::Objects(5000));
        assert!(heap[&set].len() < 20_000, "{} dead entries", heap[&set].len());
    }
}

#[test]
fn a_level_is_freed_in_a_quiet_menu_after_its_last_root_is_dropped() {
    for others in [0, 10, 5000] {
        let mut heap = Heap::new();
        let kept: Vec<_> = (0..others).map(|number| heap.alloc_root(number)).collect();
        let first = level(&mut heap, 20_000);
        let root = heap.root(first).unwrap();
        while heap.pace(Budget::Objects(10_000)).work > 0 {}
        heap.collect();
        let unloaded = DeathQueue::new();
        unloaded.watch(&mut heap, &root, "unloaded").unwrap();
        drop(root);
        let frames = (0..300).find(|_| {
            heap.pace(Budget::Objects(2000));
            !unloaded.is_empty()
        });
        assert!(frames.is_some(), "beside {others} roots");
        assert_eq!(heap.len(), kept.len());
        // After that nothing more is done.
        while heap.is_due() {
            heap.pace(Budget::Objects(2000));
        }
        for _ in 0..1000 {
            assert_eq!(heap.pace(Budget::Objects(2000)).work, 0);
        }
    }
}

#[test]
fn buffers_that_objects_own_count() {
    let mut heap = Heap::new();
    let mut peak = 0;
    for _ in 0..300 {
        (0..50).for_each(|_| {
            heap.alloc(Vec::<u8>::with_capacity(64 << 10));
        });
        heap.pace(Budget::Objects(1000));
        peak = peak.max(heap.stats().owned_bytes);
    }
    assert!(peak < 100 << 20, "{} MiB owned at the peak", peak >> 20);
    let mut heap = Heap::new();
    for _ in 0..300 {
        heap.alloc(Vec::<u8>::with_capacity(1 << 20));
        heap.pace(Budget::Objects(1000));
        assert!(heap.stats().owned_bytes < 100 << 20);
    }
}

#[test]
fn what_objects_own_is_exact_after_a_full_cycle() {
    let mut heap = Heap::new();
    let list = heap.alloc_root(Vec::<u8>::with_capacity(1000));
    assert_eq!(heap.stats().owned_bytes, 1000);
    heap[&list].reserve_exact(5000);
    heap.collect();
    assert_eq!(heap.stats().owned_bytes, heap[&list].capacity());
    assert!(heap.set_owned_bytes(&list, 10) && heap.set_owned_bytes(&list, 20));
    assert_eq!(heap.stats().owned_bytes, heap[&list].capacity() + 20);
    for _ in 0..3 {
        heap.collect();
        while heap.step(Budget::Objects(1)).finished.is_none() {
            heap.alloc(Vec::<u8>::with_capacity(10));
        }
        heap.collect();
        assert_eq!(heap.stats().owned_bytes, heap[&list].capacity() + 20);
    }
    assert!(heap.destroy(&list).is_some());
    assert_eq!((heap.stats().owned_bytes, heap.set_owned_bytes(&list, 7)), (0, false));
    let strings: Vec<_> = (0..100).map(|_| heap.alloc_root(String::with_capacity(100))).collect();
    assert_eq!(heap.stats().owned_bytes, 10_000);
    drop(strings);
    heap.collect_minor();
    assert_eq!(heap.stats().owned_bytes, 0, "a dead object owns nothing");
}

#[test]
fn pace_collects_before_a_limit_refuses_what_that_frees() {
    let configs = [
        HeapConfig::default().max_objects(5000),
        HeapConfig::default().max_bytes(16 << 20),
        HeapConfig::default().max_bytes(16 << 20).max_objects(400_000),
    ];
    for config in configs {
        for budget in [Budget::Objects(50), Budget::Objects(5000), Budget::Time(Duration::from_micros(100))] {
            let mut heap = Heap::with_config(config.clone());
            // Three quarters of the limit stay alive.
            let mut kept = Vec::new();
            while heap.stats().bytes < 12 << 20 && heap.len() < 3750 {
                kept.push(heap.alloc_root([0_u64; 32]));
            }
            for _ in 0..2000 {
                (0..20).for_each(|_| {
                    heap.alloc([1_u64; 32]);
                });
                heap.pace(budget);
            }
            assert!(kept.iter().all(|root| heap.is_alive(root)));
        }
    }
}

#[test]
fn a_nearly_full_heap_does_not_pay_for_all_objects_at_each_allocation() {
    let mut heap = Heap::with_config(HeapConfig::default().max_objects(20_000));
    let _kept: Vec<_> = (0..19_990).map(|number: u64| heap.alloc_root(number)).collect();
    heap.collect();
    let mut full = 0;
    for number in 0..2000_u64 {
        let before = heap.stats().times.mark;
        heap.alloc_or_collect(number, &()).unwrap();
        let _ = before;
        full += u64::from(heap.stats().phase != Phase::Idle);
    }
    assert_eq!(full, 0);
    assert!(heap.stats().collections < 300, "{} collections for 2000 allocations", heap.stats().collections);
}

/// Handles outside of the heap, as components have them.
struct World {
    handles: Vec<Gc<Node>>,
    asked: Cell<usize>,
}

impl RootSource for World {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        self.asked.set(self.asked.get() + 1);
        tracer.edges(self.handles.iter().copied());
    }
}

#[test]
fn a_cycle_with_a_large_root_source_traces_it_a_few_times_and_ends() {
    let mut heap = Heap::new();
    let handles: Vec<_> = (0..50_000).map(|_| node(&mut heap, None)).collect();
    let mut world = World { handles, asked: Cell::new(0) };
    for cycle in 0..3 {
        world.asked.set(0);
        let mut steps = 0;
        while heap.step_with(Budget::Objects(500), &world).finished.is_none() {
            steps += 1;
            // Handles move, are added and are removed.
            let last = world.handles.len() - 1;
            world.handles.swap(steps % last, last);
            world.handles[steps % last] = node(&mut heap, None);
        }
        assert!(steps < 400 && world.asked.get() <= 4, "{steps} steps, {} reports", world.asked.get());
        assert!(world.handles.iter().all(|gc| heap.is_alive(gc)), "in cycle {cycle}");
    }
}

#[test]
fn a_handle_that_moves_from_an_object_to_a_source_during_a_cycle_is_not_lost() {
    for moved_at in 0..60 {
        let mut heap = Heap::new();
        let target = node(&mut heap, None);
        let holder = node(&mut heap, Some(target));
        let root = heap.root(holder).unwrap();
        let _more: Vec<_> = (0..40).map(|number: u64| heap.alloc_root(number)).collect();
        let mut outside = Vec::new();
        for step in 0.. {
            if step == moved_at {
                outside.extend(heap[&root].next.take());
            }
            if heap.step_with(Budget::Objects(1), &outside).finished.is_some() {
                break;
            }
        }
        let moved = outside.first().copied().or(heap[&root].next).unwrap();
        assert!(moved == target && heap.is_alive(target), "moved at step {moved_at}");
    }
}

/// A source that reports only changes.
#[derive(Default)]
struct Changes {
    all: Vec<Gc<Node>>,
    changed: Vec<Gc<Node>>,
    log: RootLog,
    reported: Cell<usize>,
}

impl RootSource for Changes {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        let count = |gc: &Gc<Node>| {
            self.reported.set(self.reported.get() + 1);
            *gc
        };
        self.log.report(tracer, self.all.iter().map(count), self.changed.iter().map(count));
    }

    fn trace_changed_roots(&self, tracer: &mut Tracer<'_>) {
        self.trace_roots(tracer);
    }
}

#[test]
fn a_source_that_reports_changes_pays_for_changes() {
    let mut heap = Heap::new();
    let all = (0..10_000).map(|_| node(&mut heap, None)).collect();
    let mut world = Changes { all, ..Changes::default() };
    heap.collect_with(&world);
    assert_eq!(world.reported.replace(0), 10_000);
    for frame in 0..2000 {
        for number in 0..10 {
            let made = node(&mut heap, None);
            let place = (frame * 10 + number) % world.all.len();
            world.all[place] = made;
            world.changed.push(made);
        }
        heap.pace_with(Budget::Objects(2000), &world);
        world.log.forget_reported(&mut world.changed);
        assert!(world.all.iter().all(|gc| heap.is_alive(gc)), "in frame {frame}");
    }
    let full = heap.stats().collections;
    assert!(full > 2 && heap.len() < 40_000, "{full} collections, {} objects", heap.len());
    // In another heap, the same log starts again with everything.
    let mut other = Heap::new();
    other.collect_with(&world);
    world.reported.set(0);
    heap.collect_minor_with(&world);
    assert_eq!(world.reported.get(), world.all.len());
}

#[test]
fn what_a_source_reports_as_a_whole_is_traced_in_slices_whatever_happens_in_between() {
    let mut heap = Heap::new();
    let len = if cfg!(gc_zeal) { 2000 } else { 40_000 };
    let all: Vec<_> = (0..len).map(|_| node(&mut heap, None)).collect();
    let mut world = Changes { all, ..Changes::default() };
    heap.collect();
    world.all = (0..len).map(|_| node(&mut heap, None)).collect();
    let schema = Schema::new().with::<Node>("node");
    for between in 0..4 {
        let (mut steps, mut garbage) = (0, Vec::new());
        while heap.step_with(Budget::Objects(50), &world).finished.is_none() {
            steps += 1;
            garbage.push(node(&mut heap, None));
            if steps == 3 {
                match between {
                    0 => heap.shrink_to_fit(),
                    1 => {
                        let checkpoint = heap.checkpoint(&schema).unwrap();
                        heap.step_with(Budget::Objects(1000), &world);
                        heap.roll_back(&checkpoint);
                    }
                    // The cycle starts again.
                    2 => _ = heap.collect_with(&world),
                    _ => _ = heap.destroy(world.all.swap_remove(7)),
                }
            }
        }
        assert!(steps > len / 8 / 100, "{steps} steps for {len} handles");
        assert!(world.all.iter().all(|gc| heap.is_alive(gc)), "{between}");
        heap.verify();
    }
    assert_eq!(heap.collect_with(&world).kept, world.all.len());
}

/// Reports all its edges at once.
struct Many(Vec<Gc<u64>>);

impl Trace for Many {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.edges(self.0.iter().copied());
    }
}

#[test]
fn an_ephemeron_of_a_source_lives_by_its_key_in_incremental_cycles_too() {
    let mut heap = Heap::new();
    let (dead, alive) = (heap.alloc(1_u64).downgrade(), heap.alloc_root(2_u64));
    let (lost, kept) = (Many(vec![heap.alloc(3)]), Many(vec![heap.alloc(4)]));
    let plain = heap.alloc(5_u64);
    let source = roots(|tracer| {
        tracer.ephemeron(dead, &lost);
        tracer.ephemeron(alive.downgrade(), &kept);
        tracer.edges([plain]);
    });
    while heap.step_with(Budget::Objects(1), &source).finished.is_none() {}
    assert!(heap.is_alive(kept.0[0]) && heap.is_alive(plain) && !heap.is_alive(lost.0[0]));
    assert_eq!(heap.len(), 3);
}

#[test]
fn changes_that_no_report_included_are_not_forgotten() {
    let mut heap = Heap::new();
    let mut world = Changes { all: vec![node(&mut heap, None)], ..Changes::default() };
    // The level is loaded; nobody reads the log.
    heap.collect_with(&world);
    assert!(world.log.take_reported());
    let first = node(&mut heap, None);
    world.all.push(first);
    world.changed.push(first);
    heap.pace_with(Budget::Objects(100), &world);
    world.log.forget_reported(&mut world.changed);
    assert_eq!(world.changed, [first], "nothing was due, so nothing was reported");
    heap.collect_minor_with(&world);
    let second = node(&mut heap, None);
    world.all.push(second);
    world.changed.push(second);
    world.log.forget_reported(&mut world.changed);
    assert_eq!(world.changed, [second]);
    // A walk that changes nothing is no report.
    assert_eq!(heap.why_alive_with(second, &world).map(|path| path.len()), Some(1));
    world.log.forget_reported(&mut world.changed);
    assert_eq!(world.changed, [second]);
    heap.collect_minor_with(&world);
    world.log.forget_reported(&mut world.changed);
    assert!(world.changed.is_empty() && world.all.iter().all(|gc| heap.is_alive(gc)));
}

#[test]
fn an_epoch_is_of_one_heap_and_one_full_cycle() {
    let (mut heap, mut other) = (Heap::new(), Heap::new());
    let epochs = Cell::new(None);
    let note = roots(|tracer| epochs.set(tracer.epoch()));
    let ask = |heap: &mut Heap, minor: bool| {
        if minor {
            heap.collect_minor_with(&note)
        } else {
            heap.collect_with(&note)
        };
        epochs.get().expect("a collection has an epoch")
    };
    let first = ask(&mut heap, false);
    assert_eq!(ask(&mut heap, true), first);
    assert_eq!(ask(&mut heap, true), first);
    let second = ask(&mut heap, false);
    assert!(second != first && ask(&mut other, false) != second);
}

#[test]
fn many_new_roots_are_traced_in_slices() {
    let mut heap = Heap::new();
    let _old: Vec<_> = (0..100).map(|number: u64| heap.alloc_root(number)).collect();
    heap.step(Budget::Objects(10));
    let _loaded: Vec<_> = (0..100_000).map(|number: u64| heap.alloc_root(number)).collect();
    let mut steps = 0;
    while heap.step(Budget::Objects(1000)).finished.is_none() {
        steps += 1;
    }
    assert!((40..400).contains(&steps), "{steps} steps for 100,000 roots");
}

#[test]
fn a_cycle_ends_though_the_program_changes_more_than_a_step_traces() {
    for (changes, allocations, budget) in [(250, 100, 300), (5000, 1000, 1), (64, 64, 64), (0, 3000, 10)] {
        let mut heap = Heap::new();
        // Zeal verifies the heap in every step.
        let (len, changes, allocations) =
            if cfg!(gc_zeal) { (400, changes / 25, allocations / 25) } else { (3000, changes, allocations) };
        let objects: Vec<_> = (0..len).map(|_| node(&mut heap, None)).collect();
        let list = heap.alloc_root(objects.clone());
        heap.collect();
        for _ in 0..2 {
            let (mut steps, mut turn) = (0, 0);
            while heap.step(Budget::Objects(budget)).finished.is_none() {
                steps += 1;
                for _ in 0..changes {
                    turn = (turn + 7919) % objects.len();
                    heap[objects[turn]].bytes[0] += 1;
                }
                for _ in 0..allocations {
                    let made = node(&mut heap, None);
                    turn = (turn + 104_729) % objects.len();
                    heap[objects[turn]].next = Some(made);
                }
                let bound = 8 * (heap.len() / budget + 64);
                assert!(steps < bound, "{steps} steps of {budget}, {} objects", heap.len());
            }
        }
        assert!(heap.is_alive(&list));
    }
}

#[test]
fn pace_has_no_forced_collection_under_steady_changes() {
    let mut heap = Heap::new();
    let objects: Vec<_> = (0..20_000).map(|_| node(&mut heap, None)).collect();
    let _list = heap.alloc_root(objects.clone());
    let mut turn = 0;
    for _ in 0..5000 {
        for _ in 0..250 {
            turn = (turn + 7919) % objects.len();
            heap[objects[turn]].bytes[0] += 1;
        }
        (0..100).for_each(|_| {
            node(&mut heap, None);
        });
        let report = heap.pace(Budget::Objects(300));
        assert_ne!(report.rule, Rule::Ceiling);
    }
    assert!(heap.len() < 400_000, "{} objects", heap.len());
}

#[cfg(feature = "std")]
#[test]
fn objects_with_locks_count_in_what_a_minor_collection_costs() {
    let mut heap = Heap::new();
    let locks: Vec<_> = (0..20_000).map(|_| heap.alloc(std::sync::Mutex::new(None::<Gc<Node>>))).collect();
    let _list = heap.alloc_root(locks);
    heap.collect();
    for _ in 0..200 {
        (0..1000).for_each(|_| {
            node(&mut heap, None);
        });
        let report = heap.pace(Budget::Objects(2000));
        assert_ne!(report.rule, Rule::Nursery, "a minor collection would trace 20,000 locks");
    }
}

#[test]
fn a_step_over_a_long_list_ends_though_the_clock_stands_still() {
    let config = HeapConfig::default().clock(|| Duration::from_secs(1));
    let mut heap = Heap::with_config(config);
    let first = level(&mut heap, 200_000);
    let _root = heap.root(first).unwrap();
    let report = heap.step(Budget::Time(Duration::from_millis(1)));
    assert!(report.finished.is_none() && report.work < 50_000, "{} units", report.work);
}
