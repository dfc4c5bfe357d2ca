//! Closures that get `&mut Heap` and leave another heap in its place. Whatever runs afterwards trusts nothing
//! that it knew: every program here ends in `None`, in a clear panic or in the right answer, and no value is
//! lost.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use slotgc::{Budget, Gc, Graveyard, Heap, HeapConfig, Phase, Trace, WeakSet, WeakValueMap};

use crate::objects::{Log, Noisy, panic_text};

/// Holds no handles, so nothing of it is traced.
#[derive(Trace)]
enum Cell {
    Number(u64),
    Boxed(Box<u64>),
}

fn two_heaps() -> (Heap, Heap) {
    let (mut a, mut b) = (Heap::new(), Heap::new());
    a.alloc(Cell::Number(0));
    b.alloc(Cell::Number(0));
    (a, b)
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn make_that_swaps_heaps_fills_no_slot_of_the_other() {
    let (mut a, mut b) = two_heaps();
    let mut inner = Gc::default();
    let text = panic_text(|| {
        a.alloc_cyclic(|heap, own| {
            inner = own;
            mem::swap(heap, &mut b);
            Cell::Boxed(Box::new(7))
        })
    });
    assert_eq!(text, "slotgc: the heap was replaced by another one inside `make` of `alloc_cyclic`");
    for (heap, is_own) in [(&mut a, false), (&mut b, true)] {
        assert!(!heap.is_alive(inner), "a handle whose construction failed never resolves");
        heap.verify();
        for number in 0..100 {
            let made = heap.alloc(Cell::Number(number));
            assert!(!is_own || made != inner);
            let (value, mut rest) = heap.split_mut(made).unwrap();
            rest.alloc(Cell::Number(u64::MAX));
            assert!(matches!(value, Cell::Number(same) if *same == number));
        }
        assert!(!is_own || !heap.is_alive(inner));
        heap.collect();
        heap.verify();
        assert!(heap.is_empty());
    }
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn a_make_that_swaps_and_panics_leaves_both_heaps_as_they_were() {
    for rounds in 0..3 {
        let (mut a, mut b) = two_heaps();
        let claimed = b.alloc(Cell::Boxed(Box::new(1)));
        let kept = b.root(claimed).unwrap();
        assert_eq!(
            panic_text(|| a.alloc_cyclic::<Cell>(|heap, _| {
                mem::swap(heap, &mut b);
                panic!("in make")
            })),
            "in make"
        );
        // `a` is now the other heap.
        assert!(a.is_alive(&kept) && !b.is_alive(&kept));
        for heap in [&mut a, &mut b] {
            (0..1000 * rounds).for_each(|number| {
                heap.alloc(Cell::Number(number));
            });
            heap.collect();
            heap.verify();
        }
        assert_eq!((a.len(), b.len()), (1, 0));
    }
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn a_slot_abandoned_by_a_swapping_make_is_no_root_and_does_not_outlast_shrinking() {
    let (mut a, mut b) = two_heaps();
    let kept = a.alloc_root(1_u64);
    panic_text(|| {
        a.alloc_cyclic(|heap, _| {
            mem::swap(heap, &mut b);
            Cell::Number(1)
        })
    });
    mem::swap(&mut a, &mut b);
    assert_eq!((a.stats().roots, b.stats().roots), (1, 0));
    drop(kept);
    assert_eq!(a.stats().roots, 0);
    a.shrink_to_fit();
    // Nothing is reserved any more: the slot counts neither as rooted nor as under construction.
    let root = a.alloc_root(2_u64);
    assert_eq!(a.stats().roots, 1);
    drop(root);
    a.collect();
    a.verify();
    assert!(a.is_empty());
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn a_slot_abandoned_by_a_swapping_make_during_a_cycle_is_dead_to_that_cycle() {
    let (mut a, mut b) = two_heaps();
    let set = a.alloc_root(WeakSet::<Cell>::new());
    a.step(Budget::Objects(1));
    assert_eq!(a.stats().phase, Phase::Mark);
    panic_text(|| {
        a.alloc_cyclic(|heap, own| {
            heap[&set].insert(own);
            mem::swap(heap, &mut b);
            Cell::Number(1)
        })
    });
    mem::swap(&mut a, &mut b);
    while a.step(Budget::Unlimited).finished.is_none() {}
    assert_eq!(a[&set].len(), 0);
    a.verify();
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn a_slot_that_a_swapping_make_gave_up_counts_for_no_limit() {
    // A `u64` and its header.
    let slot = 16;
    for config in [HeapConfig::default().max_objects(3), HeapConfig::default().max_bytes(3 * slot)] {
        for later in [false, true] {
            let (mut heap, mut other) = (Heap::with_config(config.clone()), Heap::new());
            for _ in 0..2 {
                panic_text(|| {
                    heap.alloc_cyclic(|heap, _| {
                        mem::swap(heap, &mut other);
                        0_u64
                    })
                });
                mem::swap(&mut heap, &mut other);
            }
            for number in 0..3_u64 {
                let made = if later { heap.try_alloc_later(number) } else { heap.try_alloc(number) };
                assert!(made.is_ok(), "{number}: {config:?}");
            }
            let refused = if later { heap.try_alloc_later(3_u64) } else { heap.try_alloc(3_u64) };
            assert!(refused.is_err(), "{config:?}");
            heap.flush();
            heap.verify();
            heap.collect();
            assert!(heap.is_empty());
        }
    }
}

#[test]
fn a_make_that_swaps_back_makes_its_object() {
    let (mut a, mut b) = two_heaps();
    let made = a.alloc_cyclic(|heap, own| {
        mem::swap(heap, &mut b);
        assert!(!heap.is_alive(own) && !b.is_alive(own));
        heap.collect();
        mem::swap(heap, &mut b);
        Cell::Boxed(Box::new(7))
    });
    assert!(matches!(&a[made], Cell::Boxed(boxed) if **boxed == 7));
    a.verify();
    b.verify();
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn makes_that_swap_heaps_fill_no_slot_that_the_other_one_reserved() {
    let (mut a, mut b) = two_heaps();
    let (mut in_a, mut in_b) = (Gc::default(), Gc::default());
    let mut inner_text = String::new();
    let text = panic_text(|| {
        a.alloc_cyclic(|a, own| {
            in_a = own;
            inner_text = panic_text(|| {
                b.alloc_cyclic(|b, own| {
                    in_b = own;
                    mem::swap(a, b);
                    Cell::Boxed(Box::new(1))
                })
            });
            Cell::Boxed(Box::new(2))
        })
    });
    assert_eq!(in_a.to_bits(), in_b.to_bits(), "the same slot, reserved in both");
    for text in [text, inner_text] {
        assert!(text.contains("the heap was replaced"), "{text}");
    }
    for heap in [&mut a, &mut b] {
        assert!(!heap.is_alive(in_a));
        heap.collect();
        heap.verify();
        assert!(heap.is_empty());
    }
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn every_value_of_swapped_heaps_is_dropped_once() {
    let log = Log::default();
    {
        let (mut a, mut b) = (Heap::new(), Heap::new());
        let (first, second) = (a.alloc_root(Noisy::new(1, &log)), b.alloc_root(Noisy::new(2, &log)));
        panic_text(|| {
            a.alloc_cyclic(|heap, _| {
                mem::swap(heap, &mut b);
                Noisy::new(3, &log)
            })
        });
        assert_eq!(log.take(), [3], "the value that got no slot");
        drop((first, second));
    }
    let mut dropped = log.take();
    dropped.sort_unstable();
    assert_eq!(dropped, [1, 2]);
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn a_heap_may_end_inside_its_own_make() {
    let mut heap = Heap::new();
    let text = panic_text(|| {
        heap.alloc_cyclic(|heap, own: Gc<Cell>| {
            heap.alloc_cyclic(|heap, _: Gc<Cell>| {
                drop(mem::take(heap));
                Cell::Boxed(Box::new(1))
            });
            assert!(!heap.is_alive(own));
            Cell::Number(2)
        })
    });
    assert!(text.contains("the heap was replaced"), "{text}");
    assert!(heap.is_empty());
    heap.verify();
}

#[test]
fn what_a_cache_makes_in_another_heap_is_cached_in_neither() {
    type Cache = WeakValueMap<String, u64>;
    let (mut a, mut b) = (Heap::new(), Heap::new());
    let (cache, other) = (a.alloc_root(Cache::new()), b.alloc_root(Cache::new()));
    assert_eq!(cache.gc().to_bits(), other.gc().to_bits(), "the same place, in another heap");
    let gc = a.get_or_alloc(&cache, "key".into(), |heap, _| {
        mem::swap(heap, &mut b);
        7
    });
    assert_eq!(a.get(gc), Some(&7), "allocated in the heap that the caller now has");
    assert!(a[&other].is_empty() && b[&cache].is_empty());
    let gc: Result<_, ()> = b.get_or_try_alloc(&cache, "key", |heap| {
        let made = heap.alloc(8);
        mem::swap(heap, &mut a);
        Ok(made)
    });
    assert!(gc.is_ok() && a[&cache].is_empty() && b[&other].is_empty());
}

/// Objects with counting callbacks.
fn mortals(heap: &mut Heap, count: usize, told: &Arc<AtomicUsize>) -> Vec<Gc<u64>> {
    let mortals: Vec<_> = (0..count as u64).map(|number| heap.alloc(number)).collect();
    for mortal in &mortals {
        let told = Arc::clone(told);
        heap.on_death(mortal, move |_, _| {
            told.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap();
    }
    mortals
}

#[test]
fn destroy_whose_callback_swaps_the_heap_loses_no_notification() {
    for steps in 0..200 {
        let told = Arc::new(AtomicUsize::new(0));
        let mut heap = Heap::new();
        mortals(&mut heap, 3, &told);
        let (target, elsewhere) = (heap.alloc_root(9_u64), Arc::new(std::sync::Mutex::new(Heap::new())));
        let away = Arc::clone(&elsewhere);
        heap.on_death(&target, move |heap, _| mem::swap(heap, &mut away.lock().unwrap())).unwrap();
        // Some of the dead have been notified, others not yet.
        for _ in 0..steps {
            if heap.stats().phase == Phase::Notify {
                break;
            }
            heap.step(Budget::Objects(1));
        }
        assert_eq!(heap.destroy(&target), Some(9));
        assert!(heap.is_empty() && heap.stats().phase == Phase::Idle, "the other heap, untouched");
        heap.collect();
        let mut own = mem::take(&mut *elsewhere.lock().unwrap());
        own.collect();
        own.verify();
        assert_eq!((told.load(Ordering::Relaxed), own.len()), (3, 0), "after {steps} steps");
    }
}

#[test]
fn a_callback_that_swaps_the_heap_ends_the_call_and_the_next_call_notifies_the_rest() {
    let told = Arc::new(AtomicUsize::new(0));
    let (mut heap, elsewhere) = (Heap::new(), Arc::new(std::sync::Mutex::new(Heap::new())));
    let theirs = Arc::new(AtomicUsize::new(0));
    mortals(&mut elsewhere.lock().unwrap(), 2, &theirs);
    mortals(&mut heap, 3, &told);
    let (trap, away) = (heap.alloc(0_u64), Arc::clone(&elsewhere));
    heap.on_death(trap, move |heap, _| mem::swap(heap, &mut away.lock().unwrap())).unwrap();
    heap.collect();
    assert_eq!((told.load(Ordering::Relaxed), theirs.load(Ordering::Relaxed)), (0, 0));
    heap.collect();
    assert_eq!((told.load(Ordering::Relaxed), theirs.load(Ordering::Relaxed)), (0, 2));
    let mut own = mem::take(&mut *elsewhere.lock().unwrap());
    own.collect();
    own.verify();
    assert_eq!(told.load(Ordering::Relaxed), 3);
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn the_panic_of_a_callback_that_swaps_the_heap_is_raised_and_nothing_else_runs() {
    let told = Arc::new(AtomicUsize::new(0));
    let (mut heap, elsewhere) = (Heap::new(), Arc::new(std::sync::Mutex::new(Heap::new())));
    mortals(&mut heap, 3, &told);
    let (trap, away) = (heap.alloc(0_u64), Arc::clone(&elsewhere));
    heap.on_death(trap, move |heap, _| {
        mem::swap(heap, &mut away.lock().unwrap());
        panic!("and away")
    })
    .unwrap();
    assert_eq!(panic_text(|| heap.collect()), "and away");
    assert_eq!(told.load(Ordering::Relaxed), 0);
    drop(mem::take(&mut *elsewhere.lock().unwrap_or_else(std::sync::PoisonError::into_inner)));
    assert_eq!(told.load(Ordering::Relaxed), 3, "notified when that heap ends");
}

#[test]
fn an_at_exit_finalizer_that_swaps_in_a_sweeping_heap_loses_no_destructor() {
    let log = Log::default();
    let mut sweeping = Heap::new();
    (0..2000).for_each(|number| {
        sweeping.alloc(Noisy::new(number, &log));
    });
    while sweeping.stats().phase != Phase::Sweep {
        sweeping.step(Budget::Objects(10));
    }
    sweeping.step(Budget::Objects(10));
    let mut heap = Heap::new();
    let object = heap.alloc_root(Noisy::new(2000, &log));
    let taken_out = Arc::new(std::sync::Mutex::new(None));
    let keep = Arc::clone(&taken_out);
    heap.finalizer(&object, move |heap| *keep.lock().unwrap() = Some(mem::replace(heap, sweeping))).unwrap();
    heap.shutdown().unwrap();
    drop(taken_out.lock().unwrap().take());
    let mut dropped = log.take();
    dropped.sort_unstable();
    assert!(dropped.iter().copied().eq(0..=2000), "{} of 2001 destructors ran", dropped.len());
}

#[test]
fn heaps_that_replace_each_other_at_their_ends_end() {
    fn arm(heap: &mut Heap, ended: &Arc<AtomicUsize>) {
        let (object, ended) = (heap.alloc(1_u64), Arc::clone(ended));
        heap.finalizer(object, move |heap| {
            ended.fetch_add(1, Ordering::Relaxed);
            let mut next = Heap::new();
            arm(&mut next, &ended);
            drop(mem::replace(heap, next));
        })
        .unwrap();
    }
    let ended = Arc::new(AtomicUsize::new(0));
    let mut heap = Heap::new();
    arm(&mut heap, &ended);
    let error = heap.shutdown().unwrap_err();
    assert_eq!((error.uncalled(), ended.load(Ordering::Relaxed)), (1, 16));
    assert!(error.to_string().contains("callbacks kept arming others"), "{error}");
}

#[test]
fn callbacks_that_arm_themselves_again_end_and_are_counted() {
    fn arm(heap: &mut Heap, runs: &Arc<AtomicUsize>) {
        let (object, again) = (heap.alloc(1_u64), Arc::clone(runs));
        heap.on_death(object, move |heap, _| {
            again.fetch_add(1, Ordering::Relaxed);
            arm(heap, &again);
        })
        .unwrap();
    }
    let runs = Arc::new(AtomicUsize::new(0));
    let mut heap = Heap::new();
    arm(&mut heap, &runs);
    assert_eq!((heap.collect().notified, heap.len(), heap.is_ending()), (1, 1, false));
    let error = heap.shutdown().unwrap_err();
    assert_eq!((error.uncalled(), runs.load(Ordering::Relaxed)), (1, 17));
    // Dropping a heap ends as well, without a panic.
    let mut heap = Heap::new();
    arm(&mut heap, &runs);
    drop(heap);
    assert_eq!(runs.load(Ordering::Relaxed), 33);
}

#[test]
fn a_callback_knows_that_the_heap_is_ending() {
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut heap = Heap::new();
    for _ in 0..2 {
        let (object, seen) = (heap.alloc(1_u64), Arc::clone(&seen));
        heap.on_death(object, move |heap, _| seen.lock().unwrap().push(heap.is_ending())).unwrap();
    }
    let kept = heap.alloc_root(2_u64);
    let at_exit = Arc::clone(&seen);
    heap.finalizer(&kept, move |heap| at_exit.lock().unwrap().push(heap.is_ending())).unwrap();
    heap.collect();
    assert!(!heap.is_ending());
    heap.shutdown().unwrap();
    assert_eq!(*seen.lock().unwrap(), [false, false, true]);
}

#[test]
fn a_collection_never_continues_in_another_heap() {
    let (mut a, mut b) = (Heap::with_config(HeapConfig::default().max_objects(8)), Heap::new());
    let graves = Graveyard::new();
    let theirs = b.alloc(1_u64);
    graves.bury(&mut b, theirs).unwrap();
    let b = Arc::new(std::sync::Mutex::new(b));
    for _ in 0..4 {
        let (mortal, other) = (a.alloc(0_u64), Arc::clone(&b));
        a.on_death(mortal, move |heap, _| {
            heap.collect();
            mem::swap(heap, &mut other.lock().unwrap());
        })
        .unwrap();
    }
    let stats = a.collect();
    assert_eq!((stats.freed, a.stats().collections, a.is_alive(theirs)), (0, 0, true), "the other heap");
    assert_eq!((a.collect().freed, graves.len()), (1, 1));
    // The remaining callbacks of the first heap swap the heaps back and forth.
    for _ in 0..8 {
        b.lock().unwrap().verify();
        let mut own = mem::take(&mut *b.lock().unwrap());
        own.collect();
        own.verify();
        drop(own);
    }
}
