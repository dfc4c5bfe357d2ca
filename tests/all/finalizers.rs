//! `Finalizer`: code that runs when an object dies, when it is called, or when the heap ends. The last is in
//! `shutdown.rs`.

use std::sync::{Arc, Mutex};

use slotgc::{Finalizer, Gc, Heap};

use crate::objects::{Log, Node, Noisy, panic_text};

fn finalizer(heap: &mut Heap, gc: Gc<Node>, number: u32, log: &Log) -> Finalizer<Node, u32> {
    let log = log.clone();
    heap.finalizer(gc, move |_| {
        log.write(number);
        number
    })
    .unwrap()
}

#[test]
fn a_called_finalizer_returns_its_value_once() {
    // weak-cases 35
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc_root(Node::leaf(1));
    let f = finalizer(&mut heap, object.gc(), 7, &log);
    assert_eq!((f.peek(&heap), f.is_alive(&heap)), (Some(object.gc()), true));
    assert_eq!((f.call(&mut heap), log.take()), (Some(7), vec![7]));
    assert_eq!((f.call(&mut heap), f.peek(&heap), f.detach(&mut heap)), (None, None, None));
    assert!(!f.is_alive(&heap) && heap.watch_count(&object) == 0);
    drop(object);
    assert_eq!((heap.collect().notified, log.take()), (0, vec![]));
    heap.shutdown().unwrap();
    assert!(log.take().is_empty());
}

#[test]
fn a_detached_finalizer_returns_its_living_target_and_never_runs() {
    // weak-cases 36
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc_root(Node::leaf(1));
    let f = finalizer(&mut heap, object.gc(), 7, &log);
    assert_eq!((f.detach(&mut heap), f.detach(&mut heap)), (Some(object.gc()), None));
    assert_eq!((f.call(&mut heap), f.peek(&heap), f.is_alive(&heap)), (None, None, false));
    drop(object);
    assert_eq!((heap.collect().notified, log.take()), (0, vec![]));
}

#[test]
fn dropping_a_finalizer_changes_nothing() {
    // weak-cases 37
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc(Node::leaf(1));
    let mut made: Vec<_> = (1..=5).map(|number| finalizer(&mut heap, object, number, &log)).collect();
    made.remove(3);
    made.remove(0);
    let [_f2, f3, f5] = made.try_into().unwrap();
    assert_eq!(f5.detach(&mut heap), Some(object));
    assert_eq!((f3.call(&mut heap), log.take()), (Some(3), vec![3]));
    assert_eq!((heap.collect().notified, log.take()), (3, vec![4, 2, 1]));
}

#[test]
fn a_finalizer_runs_once_when_its_target_dies_and_not_before() {
    // weak-cases: mistakes
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc_root(Node::leaf(1));
    let f = finalizer(&mut heap, object.gc(), 7, &log);
    assert_eq!((heap.collect().notified, log.take(), f.is_alive(&heap)), (0, vec![], true));
    drop(object);
    assert_eq!((heap.collect().notified, log.take(), f.is_alive(&heap)), (1, vec![7], false));
    assert_eq!((f.call(&mut heap), f.peek(&heap), heap.collect().notified), (None, None, 0));
    for by_type in [true, false] {
        let object = heap.alloc(Node::leaf(1));
        let f = finalizer(&mut heap, object, 8, &log);
        if by_type {
            heap.destroy(object);
        } else {
            assert!(heap.destroy_any(object.erase()));
        }
        assert_eq!((log.take(), f.is_alive(&heap), f.call(&mut heap)), (vec![8], false, None));
    }
    heap.shutdown().unwrap();
    assert!(log.take().is_empty());
}

#[test]
fn results_have_any_type() {
    let mut heap = Heap::new();
    let object = heap.alloc_root(Node::leaf(41));
    let gc = object.gc();
    let text = heap.finalizer(&object, move |heap| format!("{}", heap[gc].value + 1)).unwrap();
    let made = heap.finalizer(&object, |heap| heap.alloc_root(Node::leaf(2))).unwrap();
    let nothing = heap.finalizer(gc.downgrade(), |_| ()).unwrap();
    let failed = heap.finalizer(gc, |_| Err::<u32, &str>("no")).unwrap();
    assert_eq!(text.call(&mut heap).as_deref(), Some("42"));
    let made = made.call(&mut heap).unwrap();
    assert_eq!(
        (heap[&made].value, nothing.call(&mut heap), failed.call(&mut heap)),
        (2, Some(()), Some(Err("no")))
    );
    assert_eq!(heap.watch_count(gc), 0);
}

#[test]
fn an_unclaimed_result_is_dropped() {
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc(Node::leaf(1));
    let inner = log.clone();
    heap.finalizer(object, move |_| Noisy::new(5, &inner)).unwrap();
    heap.collect();
    assert_eq!(log.take(), [5]);
}

/// Storage for a finalizer that its own code reads.
type Own = Arc<Mutex<Option<Finalizer<Node, u32>>>>;

#[test]
fn a_running_finalizer_is_not_alive_and_cannot_be_called() {
    let log = Log::default();
    let mut heap = Heap::new();
    for way in 0..4 {
        let (own, ran) = (Own::default(), log.clone());
        let (object, inner) = (heap.alloc_root(Node::leaf(1)), Arc::clone(&own));
        let f = heap.finalizer(&object, move |heap| {
            let own = inner.lock().unwrap();
            let own = own.as_ref().unwrap();
            assert!(!own.is_alive(heap) && own.peek(heap).is_none());
            assert_eq!((own.call(heap), own.detach(heap)), (None, None));
            own.set_at_exit(heap, true);
            ran.write(way);
            way
        });
        *own.lock().unwrap() = Some(f.unwrap());
        match way {
            0 => {
                drop(object);
                assert_eq!(heap.collect().notified, 1);
            }
            1 => drop(heap.destroy(&object)),
            2 => assert!(heap.destroy_any(object.gc().erase())),
            _ => std::mem::take(&mut heap).shutdown().unwrap(),
        }
        assert_eq!(log.take(), [way]);
    }
}

#[test]
fn a_finalizer_may_call_detach_and_cancel_others() {
    let log = Log::default();
    let mut heap = Heap::new();
    let (object, other) = (heap.alloc(Node::leaf(1)), heap.alloc_root(Node::leaf(2)));
    let on_dying = finalizer(&mut heap, object, 1, &log);
    let detached = finalizer(&mut heap, object, 2, &log);
    let on_living = finalizer(&mut heap, other.gc(), 3, &log);
    let (inner, gc) = (log.clone(), other.gc());
    heap.finalizer(object, move |heap| {
        inner.write(10);
        // Due but not yet run; its target is dead.
        assert!(on_dying.is_alive(heap) && on_dying.peek(heap).is_none());
        assert_eq!((on_dying.call(heap), on_dying.call(heap)), (Some(1), None));
        assert_eq!((detached.detach(heap), detached.call(heap)), (None, None));
        assert_eq!((on_living.peek(heap), on_living.call(heap)), (Some(gc), Some(3)));
        inner.write(11);
    })
    .unwrap();
    assert_eq!(heap.collect().notified, 1);
    assert_eq!((log.take(), heap.watch_count(&other)), (vec![10, 1, 3, 11], 0));
}

#[test]
fn a_called_finalizer_may_collect_at_once() {
    let mut heap = Heap::new();
    let object = heap.alloc_root(Node::leaf(1));
    heap.alloc(Node::leaf(2));
    let f = heap.finalizer(&object, |heap| heap.collect().freed).unwrap();
    assert_eq!(f.call(&mut heap), Some(1));
    // Inside a callback, its collection waits for the end of the batch.
    let f = heap.finalizer(&object, |heap| heap.collect().freed).unwrap();
    let (trigger, garbage) = (heap.alloc(Node::leaf(3)), heap.alloc_root(Node::leaf(4)));
    let weak = garbage.downgrade();
    heap.on_death(trigger, move |heap, _| {
        heap.alloc(Node::leaf(5));
        assert_eq!(f.call(heap), Some(0));
    })
    .unwrap();
    let stats = heap.collect();
    assert_eq!((stats.freed, heap.is_alive(weak), heap.stats().collections), (2, true, 3));
}

#[test]
fn a_panic_of_a_called_finalizer_reaches_the_caller() {
    let mut heap = Heap::new();
    let object = heap.alloc_root(Node::leaf(1));
    let f = heap.finalizer(&object, |_| -> u32 { panic!("by hand") }).unwrap();
    assert_eq!(panic_text(|| f.call(&mut heap)), "by hand");
    assert_eq!((f.is_alive(&heap), f.call(&mut heap), heap.watch_count(&object)), (false, None, 0));
    drop(object);
    assert_eq!(heap.collect().notified, 0);
}

#[test]
fn a_finalizer_that_owns_a_root_of_its_target_keeps_it_until_detached() {
    let mut heap = Heap::new();
    let object = heap.alloc_root(Node::leaf(1));
    let gc = object.gc();
    let f = heap.finalizer(gc, move |_| drop(object)).unwrap();
    assert_eq!((heap.collect().freed, heap.is_alive(gc)), (0, true));
    assert_eq!((f.detach(&mut heap), heap.collect().freed), (Some(gc), 1));
}

#[test]
fn in_another_heap_a_finalizer_is_unknown() {
    let log = Log::default();
    let (mut heap, mut other) = (Heap::new(), Heap::new());
    let (object, twin) = (heap.alloc_root(Node::leaf(1)), other.alloc_root(Node::leaf(1)));
    let f = finalizer(&mut heap, object.gc(), 1, &log);
    let own = finalizer(&mut other, twin.gc(), 2, &log);
    assert!(!f.is_alive(&other) && f.peek(&other).is_none());
    f.set_at_exit(&mut other, false);
    assert_eq!((f.call(&mut other), f.detach(&mut other)), (None, None));
    assert!(f.is_alive(&heap) && own.is_alive(&other));
    drop((heap, other));
    assert_eq!(log.take(), [1, 2]);
}

#[test]
fn a_finalizer_is_send_and_sync_and_prints_its_target() {
    fn shared<T: Send + Sync>(_: &T) {}
    let mut heap = Heap::new();
    let object = heap.alloc(Node::leaf(1));
    let f = heap.finalizer(object, |_| std::cell::Cell::new(1)).unwrap();
    shared(&f);
    let text = format!("{f:?}");
    assert!(text.contains(&format!("Weak<Node>({object})")), "{text}");
}
