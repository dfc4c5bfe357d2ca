//! The page of guarantees in the docs: each guarantee names the tests that attack it, and those tests exist.
//! Also attacks on the guarantees that have no file of their own: determinism of steps, the two cycles, the
//! budget.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use slotgc::{Budget, DeathQueue, Gc, Heap, HeapConfig, Root, Rule, Trace, Tracer, WeakKeyMap};

use crate::objects::{Dice, Link, Log, Node, Noisy};

// ---- The page

/// The items of the numbered list in the docs of `guarantees`.
fn guarantees() -> Vec<String> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guarantees.md");
    let docs = std::fs::read_to_string(docs).expect("the page is beside the tests");
    let mut items: Vec<String> = Vec::new();
    for line in docs.lines() {
        if line.starts_with(|first: char| first.is_ascii_digit()) {
            items.push(String::new());
        }
        // The continuation lines of an item are indented; the links come after the items.
        if let Some(item) = items.last_mut().filter(|_| !line.starts_with('[')) {
            item.push_str(line.trim());
            item.push(' ');
        }
    }
    items
}

/// The tests that an item names.
fn attackers(item: &str) -> Vec<&str> {
    let (_, named) = item.split_once("Attacked by: ").expect("every guarantee is attacked");
    named.split('`').skip(1).step_by(2).collect()
}

/// Whether there is such a test: `steps::model::name` in `tests/all/steps/model.rs`, `loom::name` in
/// `tests/loom.rs`.
fn exists(path: &str) -> bool {
    let Some((module, name)) = path.rsplit_once("::") else { return false };
    let file = format!("{}.rs", module.replace("::", "/"));
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let text = [tests.join("all").join(&file), tests.join(&file)].iter().find_map(|file| {
        let text = std::fs::read_to_string(file).ok()?;
        Some(text.replace("\r\n", "\n"))
    });
    text.is_some_and(|text| {
        let head = text.split_once(&format!("\nfn {name}() {{")).map(|(before, _)| before);
        // The attributes of a test, one per line.
        head.and_then(|head| head.rsplit("\n\n").next()).is_some_and(|head| head.contains("#[test]"))
    })
}

#[test]
fn every_guarantee_names_tests_that_exist() {
    let items = guarantees();
    assert_eq!(items.len(), 9);
    let mut all = BTreeSet::new();
    for (number, item) in items.iter().enumerate() {
        assert!(item.starts_with(&format!("{}. **", number + 1)), "{item}");
        assert!(item.contains("Limits: "), "{item}");
        let named = attackers(item);
        assert!(named.len() >= 2, "{item}");
        for path in named {
            assert!(exists(path), "{path} is no test");
            all.insert(path);
        }
    }
    assert!(all.len() > 30, "{}", all.len());
}

#[test]
fn a_test_that_does_not_exist_would_be_noticed() {
    assert!(exists("guarantees::a_test_that_does_not_exist_would_be_noticed"));
    assert!(exists("loom::a_root_passed_on_during_a_collection_keeps_its_object"));
    for path in
        ["", "guarantees", "guarantees::guarantees", "guarantees::exists", "steps::no_such_test", "no::such"]
    {
        assert!(!exists(path), "{path}");
    }
}

// ---- Two cycles

#[test]
fn what_becomes_unreachable_at_any_step_is_gone_after_two_cycles() {
    for when in 0..250 {
        let mut heap = Heap::new();
        // A ring through an ephemeron's value, reached by one root.
        let map = heap.alloc(WeakKeyMap::<Link, Gc<Node>>::new());
        let key = heap.alloc(Link::default());
        let first = heap.alloc(Node::leaf(0));
        let mut last = first;
        for value in 1..50 {
            last = heap.alloc(Node { value, edges: vec![last] });
        }
        heap[first].edges.push(last);
        heap[map].insert(key, last);
        let holder = heap.alloc_root((map, key, first));
        let kept = heap.alloc_root(Node::leaf(100));
        (0..when).for_each(|_| _ = heap.step(Budget::Objects(1)));
        assert!(heap.is_alive(&holder) && heap.is_alive(last) && heap.len() == 54);
        drop(holder);
        // Writing to it during the cycle keeps it for this cycle and no longer.
        heap[last].value = 7;
        let made = heap.alloc(Node::with([first]));
        let mut cycles = 0;
        while cycles < 2 {
            cycles += u32::from(heap.step(Budget::Objects(1)).finished.is_some());
        }
        assert!(
            !heap.is_alive(first) && !heap.is_alive(made) && !heap.is_alive(map),
            "unreachable from step {when} on"
        );
        assert_eq!((heap.len(), heap[&kept].value), (1, 100));
    }
}

// ---- Determinism

/// What can be observed of a program that steps: handles, destructors, notifications and reports.
fn trail(seed: u64, junk: bool) -> Vec<u64> {
    let (mut heap, mut dice) = (Heap::new(), Dice::new(seed));
    let (log, queue) = (Log::default(), DeathQueue::new());
    let (mut trail, mut roots, mut noise) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..4000 {
        if junk {
            // Other addresses, and other heaps in between.
            noise.push((vec![0_u8; number % 700], Heap::new()));
            noise.truncate(50);
        }
        let noisy = heap.alloc(Noisy::new(number as u32, &log));
        let list = heap.alloc(vec![noisy]);
        queue.watch(&mut heap, noisy, number as u64).unwrap();
        trail.extend([noisy.to_bits(), list.to_bits()]);
        match dice.below(8) {
            0 => roots.push(heap.root(list).unwrap()),
            1 => roots.truncate(dice.below(roots.len() + 1)),
            2 => _ = heap.collect_minor(),
            3 => trail.push(heap.pace(Budget::Objects(30)).work as u64),
            _ => {
                let report = heap.step(Budget::Objects(dice.below(30)));
                trail.extend([report.work as u64, report.phase as u64]);
            }
        }
        trail.extend(queue.drain());
        trail.extend(log.take().into_iter().map(u64::from));
    }
    trail
}

#[test]
fn with_budgets_in_objects_a_run_is_the_same_to_the_last_handle() {
    for seed in 0..if cfg!(gc_zeal) { 1 } else { 3 } {
        let first = trail(seed, false);
        assert!(first == trail(seed, false), "again");
        let elsewhere = std::thread::spawn(move || trail(seed, true)).join().unwrap();
        assert!(first == elsewhere, "on another thread, at other addresses");
    }
    assert!(trail(0, false) != trail(1, false));
}

// ---- The budget

/// What a step may do beyond its budget, in units: it finishes marking, and one weak collection.
const END_OF_MARKING: usize = 64;
const ENTRIES: usize = 10;

/// A graph with garbage, destructors and weak maps; returns what is rooted.
fn populated(heap: &mut Heap, log: &Log) -> Vec<Root<Node>> {
    let mut roots = Vec::new();
    for value in 0..1000 {
        let map = heap.alloc_root(WeakKeyMap::new());
        let holder = heap.alloc_root(Node::leaf(value));
        for entry in 0..ENTRIES {
            let node = heap.alloc(Node { value, edges: vec![holder.gc()] });
            let noisy = heap.alloc(Noisy::new(value as u32, log));
            heap[&map].insert(node, noisy);
            if entry == 0 {
                roots.push(heap.root(node).unwrap());
            }
        }
    }
    roots
}

#[test]
fn a_step_does_at_least_one_unit_and_keeps_to_its_budget() {
    for units in [0, 1, 2, 3, 7, 50, 999] {
        let mut heap = Heap::new();
        let log = Log::default();
        let roots = populated(&mut heap, &log);
        let (mut steps, mut work) = (0, 0);
        let stats = loop {
            let report = heap.step(Budget::Objects(units));
            let most = units.max(1) + END_OF_MARKING + ENTRIES;
            assert!((1..=most).contains(&report.work), "{} units of {units}", report.work);
            (steps, work) = (steps + 1, work + report.work);
            if let Some(stats) = report.finished {
                break stats;
            }
        };
        assert!(stats.freed > 10_000 && work >= stats.marked + stats.freed, "{work} units");
        assert!(work <= steps * units.max(1) * 3 / 2 + 200, "{work} units in {steps} steps of {units}");
        assert!(roots.iter().all(|root| heap.is_alive(root)));
    }
}

#[test]
fn a_time_budget_is_kept_to_within_microseconds_by_the_programs_own_clock() {
    /// Takes time to trace and to drop, by the clock of the test.
    struct Slow(Arc<AtomicU64>, Vec<Gc<Slow>>, u64);
    impl Trace for Slow {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            self.0.fetch_add(self.2, Ordering::Relaxed);
            tracer.edges(self.1.iter().copied());
        }
    }
    impl Drop for Slow {
        fn drop(&mut self) {
            self.0.fetch_add(self.2, Ordering::Relaxed);
        }
    }
    for cost_ns in [10, 100, 1000, 5000] {
        let now = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&now);
        let read = move || Duration::from_nanos(clock.fetch_add(20, Ordering::Relaxed));
        let mut heap = Heap::with_config(HeapConfig::default().clock(read));
        let mut last = Vec::new();
        for _ in 0..20_000 {
            last = vec![heap.alloc(Slow(Arc::clone(&now), last, cost_ns))];
            heap.alloc(Slow(Arc::clone(&now), Vec::new(), cost_ns));
        }
        let root = heap.root(last[0]).unwrap();
        let budget = Duration::from_micros(200);
        for steps in 0.. {
            let report = heap.step(Budget::Time(budget));
            let over = report.time.saturating_sub(budget);
            assert!(
                over < Duration::from_micros(60) && !report.overshot,
                "{over:?} with units of {cost_ns} ns"
            );
            if report.finished.is_some() {
                assert!(steps as u64 + 2 >= 40_000 * cost_ns / 200_000 * 3 / 4, "{steps} steps");
                break;
            }
        }
        assert!(heap.is_alive(&root) && heap.len() == 20_000);
    }
}

#[test]
fn pacing_exceeds_its_budget_only_at_the_ceiling_and_bounds_the_heap() {
    let ceiling = 4 << 20;
    let mut heap = Heap::with_config(HeapConfig::default().ceiling_bytes(ceiling));
    let ring = heap.alloc_root(vec![None::<Gc<[u64; 16]>>; 2000]);
    let mut at_ceiling = 0;
    for frame in 0..3000_u64 {
        for number in 0..100 {
            let made = heap.alloc([frame; 16]);
            let at = ((frame * 100 + number) % 2000) as usize;
            heap[&ring][at] = Some(made);
        }
        // In the second half, too little for what this program allocates.
        let units = if frame < 1500 { 2000 } else { 1 };
        let report = heap.pace(Budget::Objects(units));
        if report.rule == Rule::Ceiling {
            at_ceiling += 1;
            assert!(frame >= 1500, "in frame {frame}");
        } else {
            // Pages are swept whole.
            assert!(
                report.work <= units + units / 8 + END_OF_MARKING,
                "{} units by {:?} in frame {frame}",
                report.work,
                report.rule
            );
        }
        let live = heap.stats().live_bytes;
        assert!(heap.stats().bytes <= live + ceiling + 100 * 200, "{} bytes", heap.stats().bytes);
    }
    assert!(at_ceiling > 0);
    assert!(heap[&ring].iter().all(|gc| gc.is_some_and(|gc| heap.is_alive(gc))));
}
