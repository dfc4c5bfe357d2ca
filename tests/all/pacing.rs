//! `pace`: what is due and when, debt, ceilings, pauses; and that budgets in objects make a run reproducible.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use slotgc::{Budget, Gc, Heap, HeapConfig, Phase, Rule, StepReport};

use crate::objects::{Node, slot_bytes};

const KIB: usize = 1 << 10;

fn config() -> HeapConfig {
    HeapConfig::default().nursery_bytes(16 * KIB)
}

/// Allocates this many bytes of garbage.
fn litter(heap: &mut Heap, bytes: usize) {
    for _ in 0..bytes.div_ceil(slot_bytes::<Node>()) {
        heap.alloc(Node::leaf(1));
    }
}

#[test]
fn nothing_is_due_in_a_small_heap() {
    let mut heap = Heap::new();
    for _ in 0..1000 {
        heap.alloc(1);
        assert!(!heap.is_due());
        assert_eq!(heap.pace(Budget::Unlimited), StepReport::default());
    }
    assert_eq!((heap.len(), heap.stats().collections, heap.stats().steps), (1000, 0, 0));
}

#[test]
fn pace_works_exactly_when_it_says_that_something_is_due() {
    let mut heap = Heap::with_config(config());
    let mut kept = Vec::new();
    for round in 0..20_000 {
        let gc = heap.alloc(Node::leaf(round));
        if round % 7 == 0 {
            kept.push(heap.root(gc).unwrap());
        }
        if round % 5000 == 0 {
            kept.clear();
        }
        let is_due = heap.is_due();
        assert_eq!(heap.pace(Budget::Objects(50)).work > 0, is_due);
    }
    assert!(heap.stats().collections > 10);
}

#[test]
fn short_lived_objects_die_in_minor_collections_and_long_lived_ones_begin_full_cycles() {
    let mut heap = Heap::with_config(config());
    litter(&mut heap, 20 * KIB);
    let report = heap.pace(Budget::Objects(10_000));
    let stats = report.finished.expect("a minor collection in one call");
    assert_eq!((report.rule, stats.is_minor, heap.len()), (Rule::Nursery, true, 0));

    let mut kept = Vec::new();
    let rule = loop {
        (0..200).for_each(|value| kept.push(heap.alloc_root(Node::leaf(value))));
        let report = heap.pace(Budget::Objects(10_000));
        if report.rule == Rule::Growth {
            break report.rule;
        }
    };
    assert!(rule == Rule::Growth && kept.len() > 1000);
    // A minor collection that does not fit in the budget does not start.
    let mut heap = Heap::with_config(config());
    litter(&mut heap, 20 * KIB);
    let report = heap.pace(Budget::Objects(100));
    assert_eq!((report.rule, report.finished), (Rule::Growth, None));
    assert!(report.phase != Phase::Idle && report.work <= 100);
}

#[test]
fn the_ceiling_holds_whatever_the_budget() {
    let ceiling = 200 * KIB;
    let mut heap = Heap::with_config(config().ceiling_bytes(ceiling));
    let kept: Vec<_> = (0..1000).map(|value| heap.alloc_root(Node::leaf(value))).collect();
    heap.collect();
    let live = heap.stats().bytes;
    let mut forced = 0;
    for _ in 0..2000 {
        let before = heap.stats().bytes;
        litter(&mut heap, 8 * KIB);
        let step = heap.stats().bytes - before;
        assert!(heap.stats().bytes <= live + ceiling + step, "{:?}", heap.stats());
        let report = heap.pace(Budget::Objects(3));
        forced += usize::from(report.rule == Rule::Ceiling);
        // About 170 objects are allocated per frame: a cycle that cannot catch up does up to twice that in
        // one step.
        assert!(report.rule == Rule::Ceiling || report.work < 400, "{report:?}");
    }
    assert!(forced > 10 && kept.iter().all(|root| heap.is_alive(root)));
}

#[test]
fn debt_takes_more_of_the_budget() {
    let mut heap = Heap::with_config(config().ceiling_bytes(1 << 20));
    let mut works = Vec::new();
    while works.iter().all(|(rule, _)| *rule != Rule::Ceiling) {
        litter(&mut heap, 12 * KIB);
        let report = heap.pace(Budget::Objects(80));
        works.push((report.rule, report.work));
    }
    let most =
        |wanted| works.iter().filter(|(rule, _)| *rule == wanted).map(|(_, work)| *work).max().unwrap();
    assert!(most(Rule::Debt) > most(Rule::Growth) && most(Rule::Debt) <= 80 + 64, "{works:?}");
}

#[derive(slotgc::Trace)]
struct Tree {
    left: Option<Gc<Tree>>,
    number: u64,
}

#[test]
#[cfg_attr(gc_zeal, ignore = "zeal marks a bit at each allocation")]
fn a_cycle_takes_the_whole_budget_before_it_takes_more_to_catch_up_with_the_program() {
    const BUDGET: usize = 1000;
    let mut heap = Heap::with_config(config().ceiling_bytes(64 << 20));
    let kept: Vec<_> = (0..10_000).map(|number| heap.alloc_root(Tree { left: None, number })).collect();
    heap.collect();
    for _ in 0..3 {
        heap.step(Budget::Objects(1));
        for frame in 0.. {
            // More than half of the budget can trace.
            (0..700).for_each(|_| _ = heap.alloc(Tree { left: None, number: frame }));
            let report = heap.pace(Budget::Objects(BUDGET));
            assert!(report.work <= BUDGET + 128, "in frame {frame}: {report:?}");
            if report.finished.is_some() {
                break;
            }
            assert!(frame < 200, "{report:?}");
        }
    }
    assert!(kept.iter().zip(0..).all(|(root, number)| heap[root].number == number));
}

#[test]
#[cfg_attr(gc_zeal, ignore = "zeal marks a bit at each allocation")]
fn a_cycle_during_which_much_was_allocated_is_followed_by_one_that_takes_whole_budgets() {
    const BUDGET: usize = 1000;
    let mut heap = Heap::with_config(config().ceiling_bytes(1 << 20));
    let kept: Vec<_> = (0..12_000).map(|number| heap.alloc_root(Tree { left: None, number })).collect();
    heap.collect();
    let first_slices = [(); 2].map(|()| {
        heap.step(Budget::Objects(1));
        let first = heap.pace(Budget::Objects(BUDGET));
        while heap.stats().phase != Phase::Idle {
            litter(&mut heap, 12 * KIB);
            assert_ne!(heap.pace(Budget::Objects(BUDGET)).rule, Rule::Ceiling);
        }
        assert_eq!(first.rule, Rule::Slice);
        first.work
    });
    assert!(kept.iter().all(|root| heap.is_alive(root)));
    assert!(first_slices[0] <= BUDGET / 2 + 64 && first_slices[1] >= BUDGET - 64, "{first_slices:?}");
}

#[test]
#[cfg_attr(gc_zeal, ignore = "zeal marks a bit at each allocation")]
fn a_cycle_that_would_not_end_in_time_at_half_the_budget_gets_the_whole() {
    let mut heap = Heap::with_config(config().ceiling_bytes(8 << 20));
    let kept: Vec<_> = (0..60_000).map(|number| heap.alloc_root(Tree { left: None, number })).collect();
    heap.collect();
    for frame in 0..1500 {
        // More than a minor collection may trace.
        (0..1100).for_each(|_| _ = heap.alloc([frame; 4]));
        assert_ne!(heap.pace(Budget::Objects(1000)).rule, Rule::Ceiling, "in frame {frame}");
    }
    assert!(kept.iter().zip(0..).all(|(root, number)| heap[root].number == number));
    assert!(heap.stats().collections > 10);
}

#[test]
#[cfg_attr(gc_zeal, ignore = "zeal marks a bit at each allocation")]
fn a_cycle_begins_so_early_that_it_ends_before_the_ceiling() {
    // Minor collections fit, so the heap could grow further before a cycle begins.
    for (replaced, ceiling, budget) in [(60, 100 * KIB, 14), (140, 200 * KIB, 20)] {
        let now = AtomicU64::new(0);
        let read = move || Duration::from_micros(now.fetch_add(1, Ordering::Relaxed));
        let budget = Budget::Time(Duration::from_micros(budget));
        let config = HeapConfig::default().nursery_bytes(KIB).ceiling_bytes(ceiling);
        let mut heap = Heap::with_config(config.collect_new(true).clock(read));
        let trees: Vec<_> = (0..60_000).map(|number| heap.alloc(Tree { left: None, number })).collect();
        let list = heap.alloc_root(trees);
        heap.collect();
        // What a cycle takes is known from the last one.
        while heap.step(budget).finished.is_none() {}
        let (mut minors, mut at) = (0, 0);
        for frame in 0..1500 {
            for _ in 0..replaced {
                at = (at + 7919) % 60_000;
                let new = heap.alloc(Tree { left: None, number: at as u64 });
                heap[&list][at] = new;
            }
            let report = heap.pace(budget);
            assert_ne!(report.rule, Rule::Ceiling, "in frame {frame}, {replaced} replaced");
            minors += usize::from(report.finished.is_some_and(|stats| stats.is_minor));
        }
        assert!(heap[&list].iter().zip(0..).all(|(gc, number)| heap[*gc].number == number));
        assert!(minors > 10 && heap.stats().collections - minors as u64 > 10);
    }
}

#[test]
fn a_paused_heap_is_left_alone_up_to_its_ceiling() {
    let ceiling = 300 * KIB;
    let mut heap = Heap::with_config(config().ceiling_bytes(ceiling));
    heap.pause();
    litter(&mut heap, 100 * KIB);
    assert!(!heap.is_due() && heap.pace(Budget::Unlimited).work == 0);
    heap.resume();
    assert!(heap.is_due() && heap.pace(Budget::Unlimited).finished.is_some() && heap.is_empty());

    // Also in the middle of a cycle.
    litter(&mut heap, 100 * KIB);
    heap.pace(Budget::Objects(8));
    assert!(heap.stats().phase != Phase::Idle);
    heap.pause();
    assert!(!heap.is_due() && heap.pace(Budget::Unlimited).work == 0);
    litter(&mut heap, ceiling);
    assert_eq!(heap.pace(Budget::Objects(1)).rule, Rule::Ceiling);
    assert!(heap.stats().bytes < ceiling && !heap.is_due());
    heap.resume();
    // Explicit collections work as ever.
    heap.pause();
    litter(&mut heap, KIB);
    heap.collect();
    assert!(heap.is_empty());
}

#[test]
fn under_stress_every_pace_is_a_full_collection() {
    let mut heap = Heap::with_config(HeapConfig::default().stress(true));
    for _ in 0..10 {
        heap.alloc(1);
        assert!(heap.is_due());
        let report = heap.pace(Budget::Objects(1));
        assert_eq!((report.rule, report.finished.map(|stats| stats.freed)), (Rule::Stress, Some(1)));
        assert!(report.work > 0 && heap.is_due());
    }
}

#[test]
fn with_budgets_in_objects_the_same_program_runs_the_same_steps() {
    let run = || {
        let mut heap = Heap::with_config(config().ceiling_bytes(400 * KIB));
        let mut kept = Vec::new();
        let mut trail = Vec::new();
        for round in 0..3000_u64 {
            for value in 0..40 {
                let gc = heap.alloc(Node::leaf(round * 40 + value));
                trail.push(gc.to_bits());
                if value % 13 == 0 {
                    kept.push(heap.root(gc).unwrap());
                }
            }
            kept.truncate(2000);
            if round % 100 == 0 {
                kept.drain(..kept.len() / 2);
            }
            let report = heap.pace(Budget::Objects(700));
            trail.extend([report.work as u64, report.phase as u64, report.rule as u64]);
        }
        (trail, heap.stats().collections)
    };
    let (trail, collections) = run();
    assert!(collections > 50, "{collections}");
    assert!((trail, collections) == run());
}

#[test]
fn one_slow_minor_collection_does_not_disable_them_for_ever() {
    // A clock that hardly advances, except for a jump at its third reading.
    let countdown = Arc::new(AtomicU64::new(0));
    let (now, reads_left) = (AtomicU64::new(0), Arc::clone(&countdown));
    let clock = move || {
        let left = reads_left.load(Ordering::Relaxed);
        reads_left.store(left.saturating_sub(1), Ordering::Relaxed);
        let step = if left == 1 { 5_000_000 } else { 100 };
        Duration::from_nanos(now.fetch_add(step, Ordering::Relaxed) + step)
    };
    let mut heap = Heap::with_config(config().clock(clock));
    let budget = Budget::Time(Duration::from_millis(1));
    let mut rules = Vec::new();
    for round in 0..600 {
        litter(&mut heap, 17 * KIB);
        if (100..105).contains(&round) {
            countdown.store(3, Ordering::Relaxed);
        }
        rules.push(heap.pace(budget).rule);
    }
    assert!(rules[..100].contains(&Rule::Nursery) && rules[300..].contains(&Rule::Nursery), "{rules:?}");
    assert!(heap.stats().overshoots >= 1 && heap.stats().pause_max >= Duration::from_millis(5));
}

#[test]
fn statistics_report_pauses_steps_and_sizes() {
    let mut heap = Heap::new();
    let kept: Vec<_> = (0..1000).map(|value| heap.alloc_root(Node::leaf(value))).collect();
    litter(&mut heap, 100 * KIB);
    let peak = heap.stats().bytes;
    while heap.step(Budget::Objects(100)).finished.is_none() {}
    let stats = heap.stats();
    assert!(stats.steps > 10 && stats.cycle_steps == stats.steps && stats.pauses == stats.steps);
    assert!(stats.pause_p50 <= stats.pause_p99 && stats.pause_p99 <= stats.pause_p999);
    assert!(stats.pause_p999 <= stats.pause_max);
    assert_eq!((stats.peak_bytes, stats.live_bytes, stats.debt_bytes), (peak, stats.bytes, 0));
    assert_eq!(stats.allocated, stats.freed + kept.len() as u64);
    let census: Vec<_> = heap.census().collect();
    assert_eq!((census.len(), census[0].objects, census[0].bytes), (1, kept.len(), stats.bytes));
    assert!(census[0].type_name.ends_with("Node") && census[0].pages == stats.pages);
}

#[test]
fn after_pace_no_more_is_owned_than_the_ceiling_however_little_was_allocated() {
    for ceiling in [1000, 10 << 20] {
        for paused in [false, true] {
            let mut heap = Heap::with_config(HeapConfig::default().max_owned_bytes(ceiling));
            if paused {
                heap.pause();
            }
            let _living = heap.alloc_root(vec![0_u8; ceiling - 500]);
            for _ in 0..100 {
                heap.alloc(vec![0_u8; 400]);
                let is_due = heap.is_due();
                let report = heap.pace(Budget::Objects(1));
                assert_eq!(is_due, report.work > 0);
                assert!(heap.stats().owned_bytes <= ceiling, "{:?}", heap.stats());
            }
            // What only the program knows counts, too.
            let texture = heap.alloc(7_u32);
            heap.set_owned_bytes(texture, ceiling);
            heap.pace(Budget::Objects(1));
            assert!(!heap.is_alive(texture));
        }
    }
}

#[test]
fn what_lives_above_the_ceiling_for_owned_bytes_causes_no_collection_at_each_call() {
    let mut heap = Heap::with_config(HeapConfig::default().max_owned_bytes(1000));
    let _living = heap.alloc_root(vec![0_u8; 5000]);
    heap.alloc(vec![0_u8; 10]);
    heap.pace(Budget::Objects(1));
    let before = heap.stats().collections;
    for _ in 0..100 {
        heap.alloc(vec![0_u8; 10]);
        heap.pace(Budget::Objects(1));
    }
    assert_eq!(heap.stats().collections, before);
}
