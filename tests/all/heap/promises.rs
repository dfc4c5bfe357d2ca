//! Further promises of a heap: determinism, cheap creation, concurrent readers.

use std::sync::atomic::{AtomicBool, Ordering};

use slotgc::{Gc, Heap, HeapStats, Weak};

use crate::objects::{Dice, Link, Log, Node, Noisy, panic_text};
use crate::subprocess;

/// What can be observed of a run: every handle, every destructor, and the counts (not the times).
#[derive(Clone, Debug, PartialEq)]
struct Trail {
    handles: Vec<u64>,
    dropped: Vec<u32>,
    numbers: [u64; 8],
}

/// A program that does a bit of everything. `junk` makes the allocator return other addresses.
fn program(seed: u64, junk: bool) -> Trail {
    let log = Log::default();
    let mut dice = Dice::new(seed);
    let mut noise = Vec::new();
    let mut handles = Vec::new();
    let mut heap = Heap::new();
    let mut others: Vec<Heap> = Vec::new();
    let mut rooted = vec![];
    for number in 0..6000_u32 {
        if junk {
            noise.push(vec![0_u8; dice.clone().below(5000)]);
            if number % 500 == 0 {
                others.push(Heap::new());
            }
            for other in &mut others {
                other.alloc(Node::leaf(1));
            }
        }
        let nodes = || heap.iter::<Node>().map(|(gc, _)| gc);
        let edges: Vec<Gc<Node>> = nodes().step_by(100).take(dice.below(4)).collect();
        let gc = heap.alloc(Node { value: u64::from(number), edges });
        let noisy = heap.alloc(Noisy::new(number, &log));
        handles.extend([gc.to_bits(), noisy.to_bits(), heap.alloc([u64::from(number); 200]).to_bits()]);
        match dice.below(30) {
            0..4 => rooted.push(heap.root(gc).unwrap()),
            4 => assert!(heap.destroy(gc).is_some()),
            5 => assert!(heap.destroy_any(noisy.erase())),
            6 => {
                let make = |heap: &mut Heap, me: Gc<Noisy>| {
                    handles.push(me.to_bits());
                    heap.alloc(Noisy::new(number, &log));
                    panic!()
                };
                panic_text(|| heap.alloc_cyclic(make));
            }
            7 => {
                let kept = rooted.len() / 2;
                rooted.truncate(kept);
            }
            8 if number % 4 == 0 => {
                heap.collect();
                handles.extend(heap.iter::<Node>().map(|(gc, _)| gc.to_bits()));
            }
            9 if number % 8 == 0 => heap.shrink_to_fit(),
            _ => {}
        }
    }
    // Not the times.
    let HeapStats { objects, bytes, pages, roots, collections, allocated, freed, pauses, .. } = heap.stats();
    let numbers =
        [objects as u64, bytes as u64, pages as u64, roots as u64, collections, allocated, freed, pauses];
    drop(heap);
    Trail { handles, dropped: log.take(), numbers }
}

#[test]
fn the_same_program_gives_the_same_handles_and_the_same_order_of_destructors() {
    for seed in 1..4 {
        let first = program(seed, false);
        let [objects, .., collections, _, _, _] = first.numbers;
        assert!(collections > 5 && first.dropped.len() > 6000 && objects > 0);
        assert_eq!(first, program(seed, false), "again");
        assert_eq!(first, program(seed, true), "at other addresses");
        let elsewhere = std::thread::spawn(move || program(seed, true)).join().unwrap();
        assert_eq!(first, elsewhere, "on another thread");
    }
    assert_ne!(program(1, false), program(2, false));
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn another_process_sees_the_same_handles_and_destructors() {
    let test = "heap::promises::another_process_sees_the_same_handles_and_destructors";
    let print = || format!("{:?}", program(9, false));
    if let Some(output) = subprocess::run(test, || eprintln!("{}", print())) {
        assert!(String::from_utf8_lossy(&output.stderr).contains(&print()));
    }
}

#[test]
fn destructors_run_type_by_type_in_slot_order() {
    struct Other(Noisy);
    crate::objects::traced!(Other { 0 });
    let log = Log::default();
    let mut heap = Heap::new();
    for number in 0..1000 {
        heap.alloc(Noisy::new(number, &log));
        heap.alloc(Other(Noisy::new(1000 + number, &log)));
    }
    assert!(heap.iter::<Other>().all(|(_, other)| other.0.number >= 1000));
    heap.collect();
    assert!(log.take().into_iter().eq(0..2000));
    for number in 0..10 {
        heap.alloc(Noisy::new(number, &log));
    }
    drop(heap);
    assert!(log.take().into_iter().eq(0..10));
}

#[test]
fn empty_heaps_by_the_thousand_are_no_trouble() {
    for _ in 0..10_000 {
        let heap = Heap::new();
        assert!(heap.is_empty() && heap.get(Gc::<Node>::from_bits(1)).is_none());
    }
    let many: Vec<Heap> = (0..10_000).map(|_| Heap::new()).collect();
    assert!(many.iter().all(|heap| heap.stats().pages == 0));
    drop(many);
}

#[test]
fn thousands_of_small_heaps_live_side_by_side() {
    let mut heaps: Vec<(Heap, Gc<Link>)> = Vec::new();
    for value in 0..300 {
        let mut heap = Heap::new();
        let gc = heap.alloc(Link { value, next: None });
        heaps.push((heap, gc));
    }
    assert!(heaps.iter().zip(0..).all(|((heap, gc), value)| heap[*gc].value == value));
    for _ in 0..3000 {
        let mut heap = Heap::new();
        heap.alloc(1);
        heap.collect();
    }
}

#[test]
fn any_number_of_threads_read_through_a_shared_heap() {
    let mut heap = Heap::new();
    let all: Vec<_> = (0..5000).map(|value| heap.alloc(Node::leaf(value))).collect();
    let weak: Vec<Weak<Node>> = all.iter().map(|gc| gc.downgrade()).collect();
    for gc in all.iter().step_by(5) {
        heap.destroy(gc);
    }
    let heap = &heap;
    std::thread::scope(|scope| {
        for offset in 0..4 {
            let (all, weak) = (&all, &weak);
            scope.spawn(move || {
                for index in (0..5000).map(|index| (index + offset * 1250) % 5000) {
                    let expected = (index % 5 != 0).then_some(index as u64);
                    assert_eq!(heap.get(all[index]).map(|node| node.value), expected);
                    assert_eq!(heap.upgrade(weak[index]), expected.map(|_| all[index]));
                    let root = heap.root(weak[index]);
                    assert_eq!(root.map(|root| heap[&root].value), expected);
                }
                assert_eq!(heap.iter::<Node>().count(), 4000);
                assert_eq!(heap.stats().objects, 4000);
            });
        }
    });
    assert_eq!(heap.stats().roots, 0);
}

#[test]
fn roots_made_on_many_threads_at_once_all_count() {
    let mut heap = Heap::new();
    let all: Vec<_> = (0..1000).map(|value| heap.alloc(Node::leaf(value))).collect();
    let shared = &heap;
    let roots: Vec<_> = std::thread::scope(|scope| {
        let make = |offset: usize| all.iter().skip(offset).step_by(4).map(|gc| shared.root(gc).unwrap());
        let threads: Vec<_> = (0..4)
            .map(|offset| {
                scope.spawn(move || {
                    make(offset).for_each(drop);
                    make(offset).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(heap.stats().roots, 1000);
    assert_eq!(heap.collect().kept, 1000);
    assert!(roots.iter().all(|root| heap.is_alive(root)));
    drop(roots);
    assert_eq!(heap.collect().kept, 0);
}

#[test]
fn a_heap_can_move_to_another_thread_and_back() {
    let log = Log::default();
    let mut heap = Heap::new();
    let root = heap.alloc_root(Noisy::new(1, &log));
    heap.alloc(Noisy::new(2, &log));
    let mut heap = std::thread::spawn(move || {
        heap.collect();
        heap.alloc(Noisy::new(3, &log));
        assert_eq!(log.take(), [2]);
        heap
    })
    .join()
    .unwrap();
    assert_eq!(heap[&root].number, 1);
    assert_eq!(heap.collect().freed, 1);
}

#[test]
fn a_lock_around_a_heap_lets_readers_in_between_collections() {
    let mut heap = Heap::new();
    let root = heap.alloc_root(Node::leaf(0));
    let lock = std::sync::RwLock::new(heap);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let heap = lock.read().unwrap();
                    let edges = &heap[&root].edges;
                    assert!(edges.iter().all(|gc| heap[*gc].value == edges.len() as u64));
                }
            });
        }
        for round in 0..200 {
            let mut heap = lock.write().unwrap();
            let kids: Vec<_> = (0..round).map(|_| heap.alloc(Node::leaf(round))).collect();
            heap[&root].edges = kids;
            heap.collect();
        }
        done.store(true, Ordering::Relaxed);
    });
}
