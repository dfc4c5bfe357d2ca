//! What a callback may do to the heap that runs it: everything.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use slotgc::{Budget, CollectStats, Gc, Heap, HeapConfig, Root, Trace, Tracer, Watch, roots};

use super::note;
use crate::objects::{Log, Node, Noisy, panic_text};

/// Where closures leave things for the test.
type Shared<T> = Arc<Mutex<T>>;

#[test]
fn a_callback_may_allocate() {
    // weak-cases 24
    // weak-cases: mistakes
    let mut heap = Heap::new();
    let object = heap.alloc(Node::leaf(1));
    let kept: Shared<Option<Root<Node>>> = Shared::default();
    let inner = Arc::clone(&kept);
    heap.on_death(object, move |heap, _| {
        let made: Vec<_> = (0..1000).map(|n| heap.alloc(Node::leaf(n))).collect();
        *inner.lock().unwrap() = heap.root(made[500]);
    })
    .unwrap();
    heap.collect();
    assert_eq!((heap.len(), heap.collect().freed), (1000, 999));
    assert_eq!(heap[kept.lock().unwrap().as_ref().unwrap()].value, 500);
}

#[test]
fn a_callback_may_register_on_the_living_and_the_new_and_not_on_the_dead() {
    // weak-cases 25
    let log = Log::default();
    let mut heap = Heap::new();
    let (object, twin) = (heap.alloc(Node::leaf(1)), heap.alloc(Node::leaf(2)));
    let living = heap.alloc_root(Node::leaf(3));
    let (gc, inner, kept) = (living.gc(), log.clone(), Shared::<Vec<Root<Node>>>::default());
    let made = Arc::clone(&kept);
    heap.on_death(object, move |heap, dead| {
        inner.write(1);
        note(heap, gc, 2, &inner);
        let new = heap.alloc_root(Node::leaf(4));
        note(heap, new.gc(), 3, &inner);
        made.lock().unwrap().push(new);
        for dying in [dead, twin.downgrade()] {
            assert!(heap.on_death(dying, |_, _| unreachable!()).is_err());
        }
    })
    .unwrap();
    assert_eq!((heap.collect().notified, log.take()), (1, vec![1]));
    assert_eq!((heap.collect().notified, heap.watch_count(gc)), (0, 1));
    kept.lock().unwrap().clear();
    assert_eq!((heap.collect().notified, log.take()), (1, vec![3]));
    drop(living);
    assert_eq!((heap.collect().notified, log.take()), (1, vec![2]));
    assert_eq!(heap.collect().notified, 0);
}

#[test]
fn what_a_callback_destroys_joins_the_batch_in_its_order() {
    let log = Log::default();
    let mut heap = Heap::new();
    let (early, late) = (heap.alloc_root(Node::leaf(1)), heap.alloc_root(Node::leaf(2)));
    let object = heap.alloc(Node::leaf(3));
    note(&mut heap, early.gc(), 0, &log);
    note(&mut heap, object, 1, &log);
    note(&mut heap, early.gc(), 2, &log);
    let (inner, targets) = (log.clone(), [early.gc(), late.gc()]);
    heap.on_death(object, move |heap, _| {
        inner.write(3);
        assert_eq!(heap.destroy(targets[0]).unwrap().value, 1);
        assert!(heap.destroy_any(targets[1].erase()) && heap.destroy(targets[0]).is_none());
        // They are dead at once; their notifications come later.
        assert!(!heap.is_alive(targets[0]) && !heap.is_alive(targets[1]));
        inner.write(30);
    })
    .unwrap();
    note(&mut heap, object, 4, &log);
    note(&mut heap, late.gc(), 5, &log);
    let stats = heap.collect();
    assert_eq!(log.take(), [4, 3, 30, 5, 2, 1, 0]);
    assert_eq!((stats.notified, heap.len()), (6, 0));
}

#[test]
fn a_callback_may_cancel_those_that_are_due_and_register_others() {
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc(Node::leaf(1));
    let watches: Vec<Watch> = (0..9).map(|number| note(&mut heap, object, number, &log)).collect();
    let living = heap.alloc_root(Node::leaf(2));
    let (gc, inner) = (living.gc(), log.clone());
    heap.on_death(object, move |heap, _| {
        for watch in &watches[1..] {
            assert!(heap.cancel(*watch) && !heap.cancel(*watch));
        }
        note(heap, gc, 100, &inner);
        assert_eq!(heap.watch_count(gc), 1);
    })
    .unwrap();
    assert_eq!((heap.collect().notified, log.take()), (2, vec![0]));
    drop(living);
    assert_eq!((heap.collect().notified, log.take()), (1, vec![100]));
}

#[test]
fn a_callback_can_cancel_neither_itself_nor_one_that_ran() {
    // weak-cases: mistakes
    let mut heap = Heap::new();
    let object = heap.alloc(1);
    let watches: Shared<Vec<Watch>> = Shared::default();
    for number in 0..3 {
        let inner = Arc::clone(&watches);
        let watch = heap.on_death(object, move |heap, _| {
            let watches = inner.lock().unwrap().clone();
            assert!(watches[number..].iter().all(|watch| !heap.cancel(*watch)));
        });
        watches.lock().unwrap().push(watch.unwrap());
    }
    assert_eq!(heap.collect().notified, 3);
}

#[test]
fn a_collection_requested_inside_runs_after_the_batch() {
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc(Node::leaf(1));
    let other = heap.alloc_root(Node::leaf(2));
    note(&mut heap, object, 0, &log);
    note(&mut heap, other.gc(), 1, &log);
    let (inner, held) = (log.clone(), Shared::from(Mutex::new(Some(other))));
    heap.on_death(object, move |heap, _| {
        inner.write(2);
        let other = held.lock().unwrap().take().unwrap();
        let gc = other.gc();
        drop(other);
        for _ in 0..3 {
            assert_eq!(heap.collect(), CollectStats::default());
            assert_eq!(heap.collect_with(&[gc]), CollectStats::default());
        }
        assert!(heap.is_alive(gc));
        inner.write(20);
    })
    .unwrap();
    let before = heap.stats().collections;
    let stats = heap.collect();
    assert_eq!(log.take(), [2, 20, 0, 1]);
    assert_eq!((stats.freed, stats.notified, stats.kept), (2, 3, 0));
    assert_eq!(heap.stats().collections, before + 2);
}

#[test]
fn the_collection_after_the_batch_has_the_root_source_of_the_one_before() {
    let mut heap = Heap::new();
    let stack = [heap.alloc(Node::leaf(1)), heap.alloc(Node::leaf(2))];
    let object = heap.alloc(Node::leaf(3));
    heap.on_death(object, |heap, _| {
        heap.alloc(Node::leaf(4));
        heap.collect();
    })
    .unwrap();
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let stats = heap.collect_with(&roots(|tracer| {
        asked.fetch_add(1, Ordering::Relaxed);
        tracer.edges(stack);
    }));
    assert_eq!((stats.freed, stats.kept, asked.load(Ordering::Relaxed)), (2, 2, 2));
    // After `destroy` there is no source: only the heap's roots count.
    let kept = heap.alloc_root(Node::leaf(5));
    heap.on_death(stack[0], |heap, _| {
        heap.collect();
    })
    .unwrap();
    heap.destroy(stack[0]);
    assert!(heap.is_alive(&kept) && !heap.is_alive(stack[1]) && heap.len() == 1);
}

#[test]
fn a_collection_requested_while_a_requested_one_notifies_waits_for_the_next_call() {
    fn again(heap: &mut Heap, left: u32) {
        let next = heap.alloc(left);
        heap.on_death(next, move |heap, _| {
            if left > 0 {
                again(heap, left - 1);
                heap.collect();
            }
        })
        .unwrap();
    }
    let mut heap = Heap::new();
    again(&mut heap, 1000);
    let stats = heap.collect();
    assert_eq!((stats.freed, stats.notified, heap.stats().collections), (2, 2, 2));
    let calls = (0..).find(|_| heap.collect().freed == 0);
    assert_eq!((calls, heap.stats().collections, heap.len()), (Some(500), 1002, 0));
}

#[test]
fn a_callback_at_the_limit_does_not_collect() {
    let mut heap = Heap::with_config(HeapConfig::default().max_objects(2));
    let (object, unreachable) = (heap.alloc(Node::leaf(1)), Shared::<Option<Gc<Node>>>::default());
    let (inner, done) = (Arc::clone(&unreachable), Arc::new(AtomicBool::new(false)));
    let ran = Arc::clone(&done);
    heap.on_death(object, move |heap, _| {
        let first = heap.alloc(Node::leaf(2));
        heap.alloc(Node::leaf(3));
        *inner.lock().unwrap() = Some(first);
        assert_eq!(heap.alloc_or_collect(Node::leaf(4), &()).unwrap_err().into_inner().value, 4);
        ran.store(true, Ordering::Relaxed);
    })
    .unwrap();
    let collections = heap.stats().collections;
    assert_eq!((heap.collect().freed, done.load(Ordering::Relaxed)), (1, true));
    // Nor afterwards.
    assert_eq!(heap.stats().collections, collections + 1);
    assert!(heap.is_alive(unreachable.lock().unwrap().unwrap()));
    assert!(heap.alloc_or_collect(Node::leaf(5), &()).is_ok());
}

#[test]
fn the_first_panic_wins_over_that_of_a_requested_collection() {
    struct Moody(bool);
    impl Trace for Moody {
        fn trace(&self, _: &mut Tracer<'_>) {
            assert!(!self.0, "in trace");
        }
    }
    let mut heap = Heap::new();
    let moody = heap.alloc_root(Moody(false));
    let (object, gc) = (heap.alloc(1), moody.gc());
    heap.on_death(object, move |heap, _| {
        heap[gc].0 = true;
        heap.collect();
        panic!("in a callback")
    })
    .unwrap();
    assert_eq!(panic_text(|| heap.collect()), "in a callback");
    assert_eq!(panic_text(|| heap.collect()), "in trace");
    heap[gc].0 = false;
    assert_eq!(heap.collect().kept, 1);
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn a_callback_may_panic_after_it_requested_a_collection() {
    let mut heap = Heap::new();
    let object = heap.alloc(1);
    heap.on_death(object, |heap, _| {
        heap.alloc(2);
        heap.collect();
        panic!("after all")
    })
    .unwrap();
    assert_eq!(panic_text(|| heap.collect()), "after all");
    assert_eq!((heap.len(), heap.stats().collections), (0, 2));
}

#[test]
fn a_callback_may_replace_its_heap() {
    let log = Log::default();
    let mut heap = Heap::new();
    let (object, other) = (heap.alloc(Noisy::new(1, &log)), heap.alloc_root(Noisy::new(2, &log)));
    for number in [10, 11] {
        let log = log.clone();
        heap.on_death(object, move |_, _| log.write(number)).unwrap();
    }
    let inner = log.clone();
    heap.on_death(object, move |heap, _| {
        *heap = Heap::new();
        inner.write(30);
        let made = heap.alloc(Noisy::new(3, &inner));
        let last = inner.clone();
        heap.on_death(made, move |_, _| last.write(40)).unwrap();
        heap.collect();
        inner.write(50);
    })
    .unwrap();
    heap.collect();
    // The old heap ends where it is replaced, with the callbacks that were due. The new heap has no batch in
    // progress.
    assert_eq!(log.take(), [1, 11, 10, 2, 30, 3, 40, 50]);
    drop(other);
    assert!(heap.is_empty());
    heap.alloc(Noisy::new(4, &log));
    assert_eq!((heap.collect().freed, log.take()), (1, vec![4]));
}

#[test]
fn a_callback_may_swap_heaps_and_both_go_on() {
    let log = Log::default();
    let elsewhere: Shared<Heap> = Shared::default();
    let mut heap = Heap::new();
    let object = heap.alloc(Node::leaf(1));
    note(&mut heap, object, 1, &log);
    let inner = Arc::clone(&elsewhere);
    heap.on_death(object, move |heap, _| std::mem::swap(heap, &mut inner.lock().unwrap())).unwrap();
    note(&mut heap, object, 2, &log);
    heap.collect();
    for heap in [&mut heap, &mut elsewhere.lock().unwrap()] {
        let new = heap.alloc(Node::leaf(2));
        note(heap, new, 3, &log);
        let stats = heap.collect();
        // Objects freed by the collection that swapped the heaps count with this one.
        assert!((1..=2).contains(&stats.freed) && heap.is_empty());
    }
    // Pending notifications moved with their heap, which delivers them with its next ones.
    let mut written = log.take();
    written.sort_unstable();
    assert_eq!(written, [1, 2, 3, 3]);
}

#[test]
fn a_callback_may_shut_its_heap_down() {
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc(Node::leaf(1));
    let rest = heap.alloc_root(Node::leaf(2));
    note(&mut heap, object, 1, &log);
    note(&mut heap, rest.gc(), 2, &log);
    heap.on_death(object, |heap, _| std::mem::take(heap).shutdown().unwrap()).unwrap();
    heap.collect();
    assert_eq!((log.take(), heap.len(), heap.is_alive(&rest)), (vec![1, 2], 0, false));
}

#[test]
fn a_callback_may_use_another_heap_which_is_in_no_batch() {
    let log = Log::default();
    let other: Shared<Heap> = Shared::default();
    let mut heap = Heap::new();
    let object = heap.alloc(Node::leaf(1));
    let inner = log.clone();
    heap.on_death(object, move |_, _| {
        let mut other = other.lock().unwrap();
        let gc = other.alloc(Node::leaf(2));
        note(&mut other, gc, 5, &inner);
        assert_eq!(other.collect().notified, 1);
        inner.write(6);
    })
    .unwrap();
    heap.collect();
    assert_eq!(log.take(), [5, 6]);
}

#[test]
fn a_collection_that_callbacks_of_a_requested_one_request_waits_for_the_next_call() {
    /// Makes an object whose death makes another and requests a collection.
    fn arm(heap: &mut Heap, told: Arc<AtomicUsize>) -> Gc<u32> {
        let object = heap.alloc(0_u32);
        let callback = heap.on_death(object, move |heap, _| {
            told.fetch_add(1, Ordering::Relaxed);
            arm(heap, Arc::clone(&told));
            heap.collect();
        });
        callback.unwrap();
        object
    }
    type Call = fn(&mut Heap, Gc<u32>);
    let calls: [(Call, usize); 7] = [
        (|heap, _| _ = heap.collect(), 2),
        (|heap, _| _ = heap.collect_minor(), 2),
        (|heap, _| _ = heap.step(Budget::Unlimited), 2),
        (|heap, _| while heap.step(Budget::Objects(1)).finished.is_none() {}, 2),
        (
            |heap, _| {
                while !heap.is_due() {
                    heap.alloc([0_u64; 100]);
                }
                heap.pace(Budget::Unlimited);
            },
            2,
        ),
        (|heap, object| _ = heap.destroy(object), 1),
        (|heap, _| (0..2).for_each(|_| _ = heap.step(Budget::Unlimited)), 4),
    ];
    for (number, (call, collections)) in calls.into_iter().enumerate() {
        let (mut heap, told) = (Heap::new(), Arc::default());
        let object = arm(&mut heap, Arc::clone(&told));
        call(&mut heap, object);
        // `destroy` is followed by one collection, which has one more death.
        let deaths = if collections == 1 { 2 } else { collections };
        let seen = (heap.stats().collections as usize, told.load(Ordering::Relaxed));
        assert_eq!(seen, (collections, deaths), "call {number}");
    }
}
