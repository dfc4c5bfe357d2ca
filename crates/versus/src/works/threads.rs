//! What threads cost and gain: allocation by two of them, marking by two, reading beside a marker.
//!
//! Times are wall-clock times, since two threads are to finish sooner, and the process may use both cores:
//! only here the pin is lifted. If it may use only one, there is nothing to measure. With other work on the
//! machine the two threads wait for it, and for each other.

use std::hint::black_box;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use slotgc::{Budget, Gc, Heap, HeapConfig, Phase, Root, Trace};
use slotgc_graphs::{DEGREE, Graph, NONE, Random};

use crate::machine::AllCores;
use crate::needs::NODE_BYTES;
use crate::shape::{Inputs, Shape};
use crate::work::{Bound, Work, per_object};

/// An object with four edges.
#[derive(Trace)]
#[repr(C)]
struct Node {
    id: u64,
    edges: [Option<Gc<Node>>; DEGREE],
    fill: [u64; 3],
}

const _: () = assert!(size_of::<Node>() == NODE_BYTES);

/// What a thread makes in a frame.
#[derive(Trace)]
struct Particle {
    place: [f32; 4],
}

fn particle(number: usize) -> Particle {
    Particle { place: [number as f32; 4] }
}

pub(super) fn works(inputs: &Rc<Inputs>) -> Vec<Work> {
    let works = [
        alloc(inputs.objects),
        frames(),
        collect(inputs, Shape::Random),
        collect(inputs, Shape::List),
        read(inputs),
    ];
    works.into_iter().map(with_two_cores).collect()
}

/// No cases, if the process may use only one core.
fn with_two_cores(mut work: Work) -> Work {
    if AllCores::count() < 2 {
        work.cases.clear();
        work.notes.clear();
        return work.absent(&["slotgc"], "two threads need two cores, and this process may use one only");
    }
    work
}

// ---- Making objects

/// Makes `each` objects on each of two threads.
fn make_later(heap: &Heap, each: usize) {
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(move || {
                (0..each).for_each(|number| _ = black_box(heap.alloc_later(particle(number))));
            });
        }
    });
}

fn alloc(n: usize) -> Work {
    let two = move || {
        let _cores = AllCores::use_all();
        let mut heap = Heap::new();
        let start = Instant::now();
        make_later(&heap, n);
        let made = heap.flush();
        let time = start.elapsed();
        assert_eq!((made, heap.len()), (2 * n, 2 * n));
        per_object(time, 2 * n)
    };
    let one = move || {
        let mut heap = Heap::new();
        let start = Instant::now();
        (0..2 * n).for_each(|number| _ = black_box(heap.alloc(particle(number))));
        let time = start.elapsed();
        assert_eq!(heap.len(), 2 * n);
        per_object(time, 2 * n)
    };
    Work::new(
        "threads/alloc",
        format!("`alloc_later` of {n} objects of 16 bytes on each of two threads, and `flush`"),
    )
    .case("slotgc", two)
    .case("slotgc:one", one)
    .target_of("slotgc", "slotgc:one", Bound::AtMost(2.0))
    .note(&["slotgc:one"], "`alloc` of all by one thread")
}

/// Frames that count, after those that do not.
const FRAMES: usize = 100;
const UNCOUNTED: usize = 20;

/// Objects of each thread in a frame.
const IN_FRAME: usize = 5000;

/// Nanoseconds per frame, in which objects are made and then all of them die.
fn frame(make: impl Fn(&mut Heap)) -> f64 {
    let mut heap = Heap::new();
    let mut start = Instant::now();
    for number in 0..UNCOUNTED + FRAMES {
        if number == UNCOUNTED {
            start = Instant::now();
        }
        make(&mut heap);
        assert_eq!(heap.collect().freed, 2 * IN_FRAME);
    }
    per_object(start.elapsed(), FRAMES)
}

fn frames() -> Work {
    let two = || {
        let _cores = AllCores::use_all();
        frame(|heap| {
            make_later(heap, IN_FRAME);
            heap.flush();
        })
    };
    let one =
        || frame(|heap| (0..2 * IN_FRAME).for_each(|number| _ = black_box(heap.alloc(particle(number)))));
    let about = format!(
        "ns a frame: two threads start, `alloc_later` {IN_FRAME} objects each, `flush`, `collect` of all"
    );
    Work::new("threads/frames", about)
        .case("slotgc", two)
        .case("slotgc:one", one)
        .note(&["slotgc:one"], "`alloc` of all by one thread")
}

// ---- Marking

/// The objects of a graph, and roots for its roots.
fn build(heap: &mut Heap, graph: &Graph) -> (Vec<Root<Node>>, Vec<Gc<Node>>) {
    let node = |id| Node { id, edges: [None; DEGREE], fill: [0; 3] };
    let all: Vec<_> = (0..graph.len() as u64).map(|id| heap.alloc(node(id))).collect();
    for (from, edges) in all.iter().zip(&graph.edges) {
        heap[from].edges = edges.map(|edge| (edge != NONE).then(|| all[edge as usize]));
    }
    let root = |root: &u32| heap.root(all[*root as usize]).expect("a living object");
    (graph.roots.iter().map(root).collect(), all)
}

/// Two full collections, after one that lets the collector's own memory grow.
fn collections(graph: &Graph, threads: usize) -> f64 {
    let mut heap = Heap::with_config(HeapConfig::default().mark_threads(threads));
    let (roots, _) = build(&mut heap, graph);
    heap.collect();
    let start = Instant::now();
    (0..2).for_each(|_| _ = heap.collect());
    let time = start.elapsed();
    assert_eq!(heap.len(), graph.len(), "everything is reached");
    drop(roots);
    per_object(time, 2 * graph.len())
}

/// A limit out of reach: two heaps of half the objects, which share nothing, each collected by a thread.
fn apart(n: usize) -> f64 {
    let half = Graph::random(n / 2);
    let mut heaps = [Heap::new(), Heap::new()];
    let roots = heaps.each_mut().map(|heap| build(heap, &half).0);
    let mut both = || {
        thread::scope(|scope| heaps.iter_mut().for_each(|heap| _ = scope.spawn(|| heap.collect())));
    };
    both();
    let start = Instant::now();
    (0..2).for_each(|_| both());
    let time = start.elapsed();
    assert!(heaps.iter().all(|heap| heap.len() == n / 2), "everything is reached");
    drop(roots);
    per_object(time, 2 * (n / 2 * 2))
}

fn collect(inputs: &Rc<Inputs>, shape: Shape) -> Work {
    let n = inputs.objects;
    let (name, what, at_most) = match shape {
        Shape::List => ("threads/collect/list", "list", 1.1),
        _ => ("threads/collect/graph", "random graph", 0.65),
    };
    let case = |threads| {
        let inputs = Rc::clone(inputs);
        move || {
            let _cores = AllCores::use_all();
            collections(inputs.graph(shape), threads)
        }
    };
    let work = Work::new(name, format!("full collection by two threads, nothing dies: {what}; {n} objects"))
        .case("slotgc", case(2))
        .case("slotgc:one", case(1))
        .target_of("slotgc", "slotgc:one", Bound::AtMost(at_most))
        .note(&["slotgc:one"], "by one thread");
    if shape == Shape::List {
        return work;
    }
    let apart = move || {
        let _cores = AllCores::use_all();
        apart(n)
    };
    work.case("limit:apart", apart)
        .note(&["limit:apart"], "two heaps of half the objects, each by a thread of its own")
}

// ---- Reading beside a marker

/// Lookups at random, while a marker marks or while it does not.
fn reads(graph: &Graph, has_marker: bool) -> f64 {
    let mut heap = Heap::new();
    let (roots, all) = build(&mut heap, graph);
    heap.collect();
    let mut random = Random::new(7);
    let handles: Vec<_> = (0..all.len() / 5).map(|_| all[random.below(all.len())]).collect();
    // In small steps, so that it is still marking when the other thread begins.
    while heap.step(Budget::Objects(1)).phase != Phase::Mark {}
    let is_over = AtomicBool::new(false);
    let time = thread::scope(|scope| {
        let (heap, is_over) = (&heap, &is_over);
        let mark = move || {
            // Relaxed: it only says when to stop.
            while heap.step_shared(Budget::Objects(1000)).work > 0 && !is_over.load(Ordering::Relaxed) {}
        };
        let marker = has_marker.then(|| scope.spawn(mark));
        let time = look_up(heap, &handles);
        assert!(
            marker.is_none_or(|marker| !marker.is_finished() || all.len() < LONG_ENOUGH),
            "it marked to the end"
        );
        // Relaxed: likewise.
        is_over.store(true, Ordering::Relaxed);
        time
    });
    heap.collect();
    assert_eq!(heap.len(), graph.len(), "everything is reached");
    drop(roots);
    per_object(time, handles.len())
}

/// So many objects that marking them takes longer than looking up a fifth of them.
const LONG_ENOUGH: usize = 500_000;

/// The loop that is timed.
#[inline(never)]
fn look_up(heap: &Heap, handles: &[Gc<Node>]) -> Duration {
    let start = Instant::now();
    let sum = handles.iter().fold(0, |sum: u64, gc| sum.wrapping_add(heap[gc].id));
    let time = start.elapsed();
    black_box(sum);
    time
}

fn read(inputs: &Rc<Inputs>) -> Work {
    let case = |has_marker| {
        let inputs = Rc::clone(inputs);
        move || {
            let _cores = AllCores::use_all();
            reads(inputs.graph(Shape::Random), has_marker)
        }
    };
    let n = inputs.objects;
    Work::new(
        "threads/read",
        format!("look up {} of {n} objects at random while another thread marks", n / 5),
    )
    .case("slotgc", case(true))
    .case("slotgc:alone", case(false))
    .target_of("slotgc", "slotgc:alone", Bound::AtMost(1.0 / 0.85))
    .note(&["slotgc:alone"], "nobody marks")
}
