//! The end of a heap: `shutdown`, and what dropping a heap does.

use std::sync::{Arc, Mutex};

use slotgc::{DeathQueue, Gc, Graveyard, Heap, Root, Weak, WeakKeyMap};

use crate::objects::{Bomb, Log, Node, Noisy, panic_text, text_of, traced};
use crate::subprocess;

/// Ends a heap in one of the two ways.
fn end(heap: Heap, by_dropping: bool) {
    if by_dropping {
        drop(heap);
    } else {
        heap.shutdown().unwrap();
    }
}

const BOTH: [bool; 2] = [false, true];

#[test]
fn at_exit_finalizers_run_latest_first_with_their_targets_readable() {
    // weak-cases 38
    for by_dropping in BOTH {
        let log = Log::default();
        let mut heap = Heap::new();
        // One is rooted, the others are garbage that no collection has found.
        let root = heap.alloc_root(Node::leaf(1));
        let mut finalizers = Vec::new();
        for number in 1..=4 {
            let gc = if number == 1 { root.gc() } else { heap.alloc(Node::leaf(number)) };
            let log = log.clone();
            let f = heap.finalizer(gc, move |heap| log.write(heap[gc].value as u32)).unwrap();
            finalizers.push(f);
        }
        finalizers[1].set_at_exit(&mut heap, false);
        finalizers[2].set_at_exit(&mut heap, false);
        finalizers[2].set_at_exit(&mut heap, true);
        end(heap, by_dropping);
        assert_eq!(log.take(), [4, 3, 1]);
    }
}

#[test]
fn a_finalizer_that_is_not_at_exit_runs_at_an_earlier_death() {
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc(Node::leaf(1));
    let inner = log.clone();
    let f = heap.finalizer(object, move |_| inner.write(1)).unwrap();
    f.set_at_exit(&mut heap, false);
    assert!(f.is_alive(&heap));
    heap.collect();
    assert_eq!(log.take(), [1]);
    f.set_at_exit(&mut heap, true);
    heap.shutdown().unwrap();
    assert!(log.take().is_empty());
}

#[test]
fn what_at_exit_finalizers_make_and_store_is_dropped_with_the_rest() {
    // weak-cases 39
    for by_dropping in BOTH {
        struct Shelf(Vec<Gc<Noisy>>);
        traced!(Shelf { 0 });
        let log = Log::default();
        let mut heap = Heap::new();
        let shelf = heap.alloc_root(Shelf(Vec::new()));
        let (gc, inner) = (shelf.gc(), log.clone());
        heap.finalizer(gc, move |heap| {
            for number in 0..100 {
                let made = heap.alloc(Noisy::new(number, &inner));
                heap[gc].0.push(made);
            }
        })
        .unwrap();
        end(heap, by_dropping);
        let mut dropped = log.take();
        dropped.sort_unstable();
        assert!(dropped.into_iter().eq(0..100));
    }
}

#[test]
fn finalizers_registered_meanwhile_run_too_the_latest_first() {
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc(Node::leaf(1));
    let note = |log: &Log, number| {
        let log = log.clone();
        move |_: &mut Heap| log.write(number)
    };
    heap.finalizer(object, note(&log, 1)).unwrap();
    let inner = log.clone();
    heap.finalizer(object, move |heap| {
        inner.write(2);
        heap.finalizer(object, note(&inner, 3)).unwrap();
        let made = heap.alloc(Node::leaf(2));
        heap.finalizer(made, note(&inner, 4)).unwrap();
        heap.finalizer(made, note(&inner, 5)).unwrap().set_at_exit(heap, false);
    })
    .unwrap();
    heap.shutdown().unwrap();
    assert_eq!(log.take(), [2, 4, 3, 1]);
}

#[test]
fn a_finalizer_may_destroy_and_collect_and_the_targets_of_the_others_stay_readable() {
    let log = Log::default();
    let mut heap = Heap::new();
    let objects: Vec<_> = (0..3).map(|n| heap.alloc(Node::leaf(n))).collect();
    for gc in objects.clone() {
        let log = log.clone();
        heap.finalizer(gc, move |heap| log.write(heap.get(gc).map_or(100, |node| node.value as u32)))
            .unwrap();
    }
    let (inner, target) = (log.clone(), objects[1]);
    heap.on_death(target, move |_, _| inner.write(50)).unwrap();
    heap.finalizer(objects[0], move |heap| {
        heap.collect();
        assert!(heap.destroy(target).is_some() && heap.len() == 2);
    })
    .unwrap();
    heap.shutdown().unwrap();
    // Nothing died except the destroyed object: its callback and its finalizer run first, joining the batch
    // in progress.
    assert_eq!(log.take(), [50, 100, 2, 0]);
}

#[test]
fn everything_happens_in_the_promised_order() {
    for by_dropping in BOTH {
        let log = Log::default();
        let dead: DeathQueue<u32> = DeathQueue::new();
        let graves = Graveyard::new();
        let mut heap = Heap::new();
        let objects: Vec<Root<Noisy>> = (0..3).map(|n| heap.alloc_root(Noisy::new(n, &log))).collect();
        let buried = heap.alloc(Noisy::new(9, &log));
        graves.bury(&mut heap, buried).unwrap();
        for (number, root) in (0..).zip(&objects) {
            let (gc, seen, inner) = (root.gc(), dead.clone(), log.clone());
            dead.watch(&mut heap, gc, number).unwrap();
            heap.on_death(gc, move |heap, dying| {
                assert!(heap.is_empty() && heap.get(dying).is_none() && seen.len() == 3);
                inner.write(200 + number);
            })
            .unwrap();
            let inner = log.clone();
            heap.finalizer(gc, move |heap| {
                assert_eq!(heap.len(), 4);
                inner.write(100 + heap[gc].number);
            })
            .unwrap();
            heap.finalizer(gc, |_| unreachable!("not at exit")).unwrap().set_at_exit(&mut heap, false);
        }
        end(heap, by_dropping);
        assert_eq!(log.take(), [102, 101, 100, 0, 1, 2, 202, 201, 200]);
        assert!(dead.drain().eq(0..3));
        let (weak, noisy) = graves.exhume().unwrap();
        assert_eq!((weak, noisy.number, log.take()), (buried.downgrade(), 9, vec![]));
    }
}

#[test]
fn a_shutdown_continues_while_callbacks_register_more() {
    let log = Log::default();
    let mut heap = Heap::new();
    fn again(heap: &mut Heap, number: u32, log: &Log) {
        let made = heap.alloc(Noisy::new(number, log));
        let (inner, last) = (log.clone(), log.clone());
        heap.finalizer(made, move |heap| inner.write(10 * heap[made].number)).unwrap();
        heap.on_death(made, move |heap, _| {
            if number < 4 {
                again(heap, number + 1, &last);
            }
        })
        .unwrap();
    }
    again(&mut heap, 1, &log);
    heap.shutdown().unwrap();
    assert_eq!(log.take(), [10, 1, 20, 2, 30, 3, 40, 4]);
}

#[test]
fn a_callback_that_requests_a_collection_at_the_end_gets_none_and_does_no_harm() {
    let mut heap = Heap::new();
    let (object, ran) = (heap.alloc(1), Arc::new(Mutex::new(0)));
    let inner = Arc::clone(&ran);
    heap.on_death(object, move |heap, _| {
        heap.alloc(2);
        assert_eq!(heap.collect(), slotgc::CollectStats::default());
        *inner.lock().unwrap() += 1;
    })
    .unwrap();
    heap.shutdown().unwrap();
    assert_eq!(*ran.lock().unwrap(), 1);
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn the_first_panic_is_the_error_and_everything_else_has_run() {
    let made = |log: &Log| {
        let mut heap = Heap::new();
        let object = heap.alloc_root(Bomb(Noisy::new(1, log)));
        heap.alloc(Bomb(Noisy::new(2, log)));
        for number in [10, 11] {
            let (a, b) = (log.clone(), log.clone());
            let panics = number == 11;
            heap.finalizer(&object, move |_| {
                a.write(number);
                assert!(!panics, "in a finalizer");
            })
            .unwrap();
            heap.on_death(&object, move |_, _| {
                b.write(10 + number);
                panic!("in a callback")
            })
            .unwrap();
        }
        heap
    };
    let log = Log::default();
    let error = made(&log).shutdown().unwrap_err();
    assert_eq!(log.take(), [11, 10, 1, 2, 21, 20]);
    assert_eq!(error.to_string(), "user code panicked while the heap was shut down: in a finalizer");
    assert_eq!(format!("{error:?}"), "ShutdownError(\"in a finalizer\")");
    let _: &(dyn std::error::Error + Send + Sync) = &error;
    assert_eq!(text_of(&*error.into_payload()), "in a finalizer");
    let heap = made(&log);
    assert_eq!(panic_text(|| drop(heap)), "in a finalizer");
    assert_eq!(log.take(), [11, 10, 1, 2, 21, 20]);
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn the_payload_is_what_was_thrown() {
    let mut heap = Heap::new();
    let object = heap.alloc(1);
    heap.on_death(object, |_, _| std::panic::panic_any(42_u8)).unwrap();
    let error = heap.shutdown().unwrap_err();
    assert!(error.to_string().contains("a panic without a text"), "{error}");
    assert_eq!(error.into_payload().downcast_ref(), Some(&42_u8));
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn a_heap_dropped_while_panicking_notifies_completely_and_does_not_abort() {
    subprocess::survives(
        "shutdown::a_heap_dropped_while_panicking_notifies_completely_and_does_not_abort",
        || {
            let log = Log::default();
            let inner = log.clone();
            let text = panic_text(move || {
                let mut heap = Heap::new();
                let object = heap.alloc_root(Bomb(Noisy::new(1, &inner)));
                for number in [10, 11] {
                    let (a, b) = (inner.clone(), inner.clone());
                    heap.on_death(&object, move |_, _| {
                        a.write(number);
                        panic!("callback")
                    })
                    .unwrap();
                    heap.finalizer(&object, move |_| {
                        b.write(10 + number);
                        panic!("finalizer")
                    })
                    .unwrap();
                }
                panic!("first");
            });
            assert_eq!((text.as_str(), log.take()), ("first", vec![21, 20, 1, 11, 10]));
        },
    );
}

#[test]
fn registrations_that_never_fire_are_dropped_once() {
    // weak-cases 34
    for by_dropping in BOTH {
        let log = Log::default();
        let mut heap = Heap::new();
        let dead = DeathQueue::new();
        let object = heap.alloc_root(1);
        let owned = |number| {
            let noisy = Noisy::new(number, &log);
            move || drop(noisy)
        };
        let (callback, at_exit, other) = (owned(1), owned(2), owned(3));
        heap.on_death(&object, move |_, _| callback()).unwrap();
        heap.finalizer(&object, move |_| at_exit()).unwrap();
        heap.finalizer(&object, move |_| other()).unwrap().set_at_exit(&mut heap, false);
        dead.watch(&mut heap, &object, Noisy::new(4, &log)).unwrap();
        let unheard = DeathQueue::new();
        unheard.watch(&mut heap, &object, Noisy::new(5, &log)).unwrap();
        drop(unheard);
        end(heap, by_dropping);
        let mut dropped = log.take();
        dropped.sort_unstable();
        assert_eq!((dropped, dead.len()), (vec![1, 2, 3, 5], 1));
        drop(dead);
        assert_eq!(log.take(), [4]);
    }
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn a_panic_of_a_finalizer_dropped_uncalled_stops_nothing() {
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc(1);
    for number in 0..3 {
        let bomb = Bomb(Noisy::new(number, &log));
        heap.finalizer(object, move |_| drop(bomb)).unwrap().set_at_exit(&mut heap, false);
    }
    let inner = log.clone();
    heap.on_death(object, move |_, _| inner.write(10)).unwrap();
    assert!(heap.shutdown().is_err());
    let mut written = log.take();
    assert_eq!(written.pop(), Some(10));
    written.sort_unstable();
    assert_eq!(written, [0, 1, 2]);
}

#[test]
fn roots_and_weak_collections_keep_nothing_past_the_end() {
    let log = Log::default();
    let mut heap = Heap::new();
    let map = heap.alloc_root(WeakKeyMap::new());
    let key = heap.alloc_root(Node::leaf(1));
    heap[&map].insert(&key, Noisy::new(1, &log));
    let tag = heap.alloc_root(Node::leaf(2));
    let dead = DeathQueue::new();
    dead.watch(&mut heap, &key, tag).unwrap();
    let weak: Weak<Node> = key.downgrade();
    heap.shutdown().unwrap();
    assert_eq!(log.take(), [1]);
    // Roots that outlive the heap are harmless.
    let other = Heap::new();
    assert!(dead.poll().is_some_and(|tag| !other.is_alive(&tag)) && !other.is_alive(weak));
    drop((key, map));
}

#[test]
fn an_at_exit_finalizer_may_replace_the_heap() {
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc(Noisy::new(1, &log));
    let (early, late) = (log.clone(), log.clone());
    heap.finalizer(object, move |_| early.write(10)).unwrap();
    heap.finalizer(object, move |heap| {
        *heap = Heap::new();
        let made = heap.alloc(Noisy::new(2, &late));
        let last = late.clone();
        heap.finalizer(made, move |_| last.write(30)).unwrap();
        late.write(20);
    })
    .unwrap();
    heap.shutdown().unwrap();
    assert_eq!(log.take(), [10, 1, 20, 30, 2]);
}

#[test]
fn an_empty_heap_ends_quietly() {
    Heap::new().shutdown().unwrap();
    let mut heap = Heap::new();
    let object = heap.alloc(1);
    heap.on_death(object, |_, _| {}).unwrap();
    heap.collect();
    heap.shutdown().unwrap();
}
