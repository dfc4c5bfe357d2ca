//! Callbacks that panic, or whose neighbours do.

use slotgc::Heap;

use super::{Death, note};
use crate::objects::{Bomb, Log, Node, Noisy, panic_text};

#[test]
fn a_panic_in_a_callback_stops_no_other_and_is_raised_once() {
    // weak-cases 27
    // weak-cases: mistakes
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc(Node::leaf(1));
    let kept = heap.alloc_root(Node::leaf(2));
    note(&mut heap, object, 1, &log);
    heap.on_death(object, |_, _| panic!("c2")).unwrap();
    note(&mut heap, object, 3, &log);
    assert_eq!(panic_text(|| heap.collect()), "c2");
    assert_eq!((log.take(), heap.len()), (vec![3, 1], 1));
    note(&mut heap, kept.gc(), 4, &log);
    let stats = heap.collect();
    assert_eq!((stats.marked, stats.kept, stats.notified), (1, 1, 0));
    drop(kept);
    assert_eq!((heap.collect().notified, log.take(), heap.len()), (1, vec![4], 0));
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std a second panic ends the process")]
fn of_several_panics_the_first_is_raised() {
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc(Node::leaf(1));
    let other = heap.alloc(Node::leaf(2));
    note(&mut heap, object, 1, &log);
    heap.on_death(other, |_, _| panic!("a later one")).unwrap();
    note(&mut heap, object, 3, &log);
    heap.on_death(object, |_, _| panic!("the first to run")).unwrap();
    assert_eq!(panic_text(|| heap.collect()), "the first to run");
    assert_eq!((log.take(), heap.len(), heap.collect().notified), (vec![3, 1], 0, 0));
}

#[test]
fn a_panic_in_a_callback_reaches_whoever_destroyed_the_object() {
    let log = Log::default();
    for death in [Death::Destroy, Death::DestroyAny] {
        let mut heap = Heap::new();
        let object = heap.alloc(Noisy::new(9, &log));
        let inner = log.clone();
        heap.on_death(object, move |_, _| inner.write(1)).unwrap();
        heap.on_death(object, |_, _| panic!("oh no")).unwrap();
        let text = panic_text(|| match death {
            Death::Destroy => heap.destroy(object).is_some(),
            _ => heap.destroy_any(object.erase()),
        });
        let mut written = log.take();
        written.sort_unstable();
        assert_eq!((text.as_str(), written, heap.is_alive(object)), ("oh no", vec![1, 9], false));
        assert_eq!((heap.len(), heap.collect().notified), (0, 0));
    }
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn what_a_closure_owns_may_panic_when_it_is_dropped() {
    let log = Log::default();
    let mut heap = Heap::new();
    let object = heap.alloc(Node::leaf(1));
    for number in 0..3 {
        let (bomb, log) = (Bomb(Noisy::new(number, &log)), log.clone());
        heap.on_death(object, move |_, _| {
            let whole = &bomb;
            log.write(10 + whole.0.number);
        })
        .unwrap();
    }
    assert_eq!(panic_text(|| heap.collect()), "bomb 2");
    assert_eq!((log.take(), heap.len()), (vec![12, 2, 11, 1, 10, 0], 0));
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn a_panic_in_a_destructor_stops_no_callback() {
    let log = Log::default();
    let mut heap = Heap::new();
    for number in 0..3 {
        let bomb = heap.alloc(Bomb(Noisy::new(number, &log)));
        let log = log.clone();
        heap.on_death(bomb, move |_, _| log.write(10 + number)).unwrap();
    }
    let text = panic_text(|| heap.collect());
    let written = log.take();
    assert_eq!((text, &written[3..]), (format!("bomb {}", written[0]), &[12, 11, 10][..]));
    let bomb = heap.alloc(Bomb(Noisy::new(7, &log)));
    let inner = log.clone();
    heap.on_death(bomb, move |_, _| inner.write(8)).unwrap();
    assert_eq!(panic_text(|| heap.destroy_any(bomb.erase())), "bomb 7");
    assert_eq!((log.take(), heap.len()), (vec![7, 8], 0));
}
