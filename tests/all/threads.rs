//! Threads that read, root, watch and poll while the heap's own thread steps and collects.
//!
//! `tests/loom.rs` checks exhaustively, on tiny heaps, what threads may do at the same time. The tests here
//! run longer, on real threads.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, RwLock, mpsc};
use std::thread;

use slotgc::{Budget, DeathQueue, Gc, Graveyard, Heap, Root, WatchGuard};

use crate::objects::{Dice, Log, Node, Noisy};

const ROUNDS: usize = if cfg!(miri) { 20 } else { 2000 };

/// A collection of some kind, or a part of one.
fn collect_somehow(heap: &mut Heap, dice: &mut Dice) {
    match dice.below(10) {
        0 => _ = heap.collect(),
        1..4 => _ = heap.collect_minor(),
        4 => _ = heap.pace(Budget::Objects(10)),
        _ => _ = heap.step(Budget::Objects(1 + dice.below(50))),
    }
}

/// Signals the end when it is dropped, even if its thread panics, so that the others stop waiting.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn roots_passed_on_from_thread_to_thread_keep_their_objects_in_every_phase() {
    // Each object is rooted at every moment, each time by another entry in the table.
    let mut heap = Heap::new();
    let mut dice = Dice::new(1);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let done = Over(&over);
        let mut kept: Vec<Gc<Node>> = Vec::new();
        for thread in 0..3 {
            let mut roots: Vec<Root<Node>> = Vec::new();
            for value in 0..8 {
                let kid = heap.alloc(Node::leaf(value));
                roots.push(heap.alloc_root(Node { value, edges: vec![kid] }));
            }
            kept.extend(roots.iter().map(Root::gc));
            let (over, mut dice) = (&over, Dice::new(10 + thread));
            scope.spawn(move || {
                let mut spare: Vec<Root<Node>> = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let place = dice.below(8);
                    let next = roots[place].clone();
                    spare.push(std::mem::replace(&mut roots[place], next));
                    if spare.len() > dice.below(20) {
                        spare.clear();
                    }
                }
            });
        }
        for round in 0..ROUNDS {
            for value in 0..20 {
                heap.alloc(Node::leaf(value));
            }
            collect_somehow(&mut heap, &mut dice);
            for (number, gc) in kept.iter().enumerate() {
                let (value, kid) = (heap[*gc].value, heap[*gc].edges[0]);
                assert_eq!((value, heap[kid].value), (number as u64 % 8, value), "in round {round}");
            }
        }
        drop(done);
    });
    heap.collect();
    assert_eq!((heap.collect().kept, heap.stats().roots), (0, 0));
}

#[test]
fn roots_sent_to_another_thread_are_dropped_there_and_their_objects_die() {
    let mut heap = Heap::new();
    let mut dice = Dice::new(2);
    let log = Log::default();
    let (send, receive) = mpsc::channel::<Root<Noisy>>();
    let receive = Mutex::new(receive);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let root = receive.lock().unwrap().recv();
                    let Ok(root) = root else { break };
                    let copy = root.clone();
                    drop(root);
                    assert_eq!(copy.gc(), copy.downgrade());
                }
            });
        }
        for number in 0..ROUNDS {
            let root = heap.alloc_root(Noisy::new(number as u32, &log));
            assert_eq!(heap[&root].number, number as u32);
            send.send(root).unwrap();
            collect_somehow(&mut heap, &mut dice);
        }
        drop(send);
    });
    heap.collect();
    let mut dropped = log.take();
    dropped.sort_unstable();
    assert!(heap.is_empty() && dropped.into_iter().eq(0..ROUNDS as u32), "each is dropped once");
}

#[test]
fn readers_see_whole_objects_between_steps_and_may_root_what_they_see() {
    let mut heap = Heap::new();
    let world = heap.alloc_root(Node::leaf(0));
    let lock = RwLock::new(heap);
    let (over, rooted) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let done = Over(&over);
        for seed in 0..3 {
            let (lock, world, over, rooted) = (&lock, &world, &over, &rooted);
            scope.spawn(move || {
                let mut dice = Dice::new(seed);
                let mut held: Option<(u64, Root<Node>)> = None;
                while !over.load(Ordering::Relaxed) {
                    let heap = lock.read().unwrap();
                    if let Some((value, root)) = &held {
                        assert_eq!(
                            heap[root].value, *value,
                            "rooted through a shared borrow, during a cycle"
                        );
                        assert_eq!(heap[heap[root].edges[0]].value, *value);
                    }
                    let edges = &heap[world].edges;
                    assert!(edges.iter().all(|gc| heap[heap[*gc].edges[0]].value == heap[*gc].value));
                    if !edges.is_empty() {
                        let gc = edges[dice.below(edges.len())];
                        held = heap.root(gc).map(|root| (heap[gc].value, root));
                        assert!(held.is_some());
                        rooted.fetch_add(1, Ordering::Relaxed);
                    }
                    drop(heap);
                    thread::yield_now();
                }
            });
        }
        let mut dice = Dice::new(9);
        let mut round = 0;
        while round < ROUNDS as u64 || rooted.load(Ordering::Relaxed) < 100 {
            round += 1;
            let mut heap = lock.write().unwrap();
            let kid = heap.alloc(Node::leaf(round));
            let made = heap.alloc(Node { value: round, edges: vec![kid] });
            heap[&world].edges.push(made);
            if heap[&world].edges.len() > 20 {
                let at = dice.below(20);
                heap[&world].edges.swap_remove(at);
            }
            collect_somehow(&mut heap, &mut dice);
            drop(heap);
            thread::yield_now();
        }
        drop(done);
    });
    let mut heap = lock.into_inner().unwrap();
    heap.collect();
    assert_eq!((heap.stats().roots, heap.len()), (1, 1 + 2 * heap[&world].edges.len()));
}

#[test]
fn many_readers_of_one_heap_agree() {
    let mut heap = Heap::new();
    let mut all: Vec<Gc<Node>> = Vec::new();
    for value in 0..3000 {
        let edges = all.last().copied().into_iter().collect();
        all.push(heap.alloc(Node { value, edges }));
    }
    for gc in all.iter().skip(1).step_by(3) {
        heap.destroy(*gc);
    }
    // During a cycle, so that readers meet objects of every color.
    (0..50).for_each(|_| assert!(heap.step(Budget::Objects(10)).work > 0));
    let seen = |heap: &Heap| -> Vec<Option<u64>> {
        all.iter().map(|gc| heap.get(*gc).map(|node| node.value)).collect()
    };
    let expected = seen(&heap);
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                for _ in 0..ROUNDS / 100 {
                    assert_eq!(seen(&heap), expected);
                    let living = heap.iter::<Node>().map(|(_, node)| node.value);
                    assert!(living.eq(expected.iter().flatten().copied()));
                    let roots: Vec<_> = all.iter().filter_map(|gc| heap.root(gc)).collect();
                    assert_eq!(roots.len(), heap.len());
                }
            });
        }
    });
    assert_eq!(heap.stats().roots, 0);
}

#[test]
fn queues_graveyards_and_guards_on_other_threads_lose_and_duplicate_nothing() {
    let mut heap = Heap::new();
    let mut dice = Dice::new(3);
    let log = Log::default();
    let (queue, graveyard) = (DeathQueue::<u32>::new(), Graveyard::<Noisy>::new());
    let (guards, cancelling) = mpsc::channel::<WatchGuard>();
    let over = AtomicBool::new(false);
    let (mut tags, mut values) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        let done = Over(&over);
        let polling = [queue.clone(), queue.clone()].map(|queue| {
            let over = &over;
            scope.spawn(move || {
                let mut got = Vec::new();
                loop {
                    let was_over = over.load(Ordering::Relaxed);
                    got.extend(queue.poll());
                    if was_over {
                        break got;
                    }
                }
            })
        });
        let exhuming = scope.spawn(|| {
            let mut got = Vec::new();
            while !over.load(Ordering::Relaxed) {
                got.extend(graveyard.exhume().map(|(_, value)| value.number));
            }
            got
        });
        scope.spawn(move || cancelling.into_iter().for_each(drop));
        for number in 0..ROUNDS as u32 {
            let gc = heap.alloc(Noisy::new(number, &log));
            queue.watch(&mut heap, gc, number).unwrap();
            if number % 2 == 0 {
                graveyard.bury(&mut heap, gc).unwrap();
            }
            let never = heap.on_death(gc, |_, _| {}).unwrap();
            guards.send(WatchGuard::from(never)).unwrap();
            collect_somehow(&mut heap, &mut dice);
        }
        drop(guards);
        (0..2).for_each(|_| assert!(heap.collect().kept == 0));
        drop(done);
        tags.extend(polling.into_iter().flat_map(|thread| thread.join().unwrap()));
        values.extend(exhuming.join().unwrap());
    });
    tags.extend(queue.drain());
    tags.sort_unstable();
    assert!(tags.into_iter().eq(0..ROUNDS as u32), "each tag once");
    values.extend(graveyard.drain().map(|(_, value)| value.number));
    values.sort_unstable();
    assert!(values.into_iter().eq((0..ROUNDS as u32).step_by(2)), "each value once");
    let mut dropped = log.take();
    dropped.sort_unstable();
    assert!(dropped.into_iter().eq(0..ROUNDS as u32), "each destructor once");
}

/// An intentional race: if this test passes under ThreadSanitizer, the sanitizer does not work. See `tsan` in
/// `ci/platforms`.
#[cfg(slotgc_race)]
#[test]
#[ignore = "a race, for ThreadSanitizer to find"]
#[expect(unsafe_code, reason = "safe code has no races")]
fn planted_race() {
    struct Raced(std::cell::UnsafeCell<usize>);

    // SAFETY: there is no excuse; this is the race.
    unsafe impl Sync for Raced {}

    let raced = Raced(std::cell::UnsafeCell::new(0));
    // Otherwise, on a busy machine one thread may end before the other begins, and what the system and the
    // library do in between may hide the race.
    let start = Barrier::new(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let raced = &raced;
                start.wait();
                for _ in 0..1000 {
                    // SAFETY: as above. The sanitizer reports the two threads' accesses.
                    unsafe { *raced.0.get() += 1 };
                }
            });
        }
    });
    drop(raced);
}
