//! What threads cost and gain: objects made by two threads at once, marking by two, a reader beside a marker.
//!
//! ```text
//! cargo run --release --example thread_costs [ROUNDS [OBJECTS]]
//! ```
//!
//! Each line is a ratio of two medians, measured alternately in one run. Two idle processors are needed.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use slotgc::{Budget, Gc, Heap, HeapConfig, Phase, Root, Trace};

/// An object with four edges.
#[derive(Trace)]
struct Node {
    edges: [Option<Gc<Node>>; 4],
    bytes: [u64; 2],
}

/// What one thread makes in a frame.
#[derive(Trace)]
struct Particle {
    place: [f32; 4],
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().expect("a number"));
    let rounds = arguments.next().unwrap_or(7);
    let objects = arguments.next().unwrap_or(5_000_000);
    let made = objects / 5;
    ratio(
        &format!("`alloc_later` of {made} by each of two threads, and `flush`, to `alloc` of both by one"),
        rounds,
        &mut || make_later(made),
        &mut || make(2 * made),
    );
    let (mut later, mut now) = (frames(), frames());
    ratio(
        "100 frames of 5000 by each of two threads, and `flush`, to `alloc` by one",
        rounds,
        &mut || time(|| (0..100).for_each(|_| frame_later(&mut later))),
        &mut || time(|| (0..100).for_each(|_| frame_now(&mut now))),
    );
    drop((later, now));
    apart(rounds, objects);
    marking("random objects", rounds, &|heap| random(heap, objects));
    marking("objects in a list", rounds, &|heap| list(heap, objects / 5));
    reader(rounds, objects);
}

/// Prints the ratio of the medians of two alternating measurements.
fn ratio(what: &str, rounds: usize, a: &mut dyn FnMut() -> Duration, b: &mut dyn FnMut() -> Duration) {
    let (mut first, mut second): (Vec<_>, Vec<_>) = (0..rounds).map(|_| (a(), b())).unzip();
    let (first, second) = (median(&mut first), median(&mut second));
    let ratio = first.as_secs_f64() / second.as_secs_f64();
    println!("{ratio:6.2}  {what} ({first:.2?} to {second:.2?})");
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

// ---- Making objects

fn particle(number: usize) -> Particle {
    Particle { place: [number as f32; 4] }
}

fn make_later(each: usize) -> Duration {
    let mut heap = Heap::new();
    time(|| {
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    (0..each).for_each(|number| _ = black_box(heap.alloc_later(particle(number))));
                });
            }
        });
        assert_eq!(heap.flush(), 2 * each);
    })
}

fn make(objects: usize) -> Duration {
    let mut heap = Heap::new();
    time(|| (0..objects).for_each(|number| _ = black_box(heap.alloc(particle(number)))))
}

fn frames() -> Heap {
    let mut heap = Heap::new();
    (0..20).for_each(|_| frame_later(&mut heap));
    heap
}

fn frame_later(heap: &mut Heap) {
    thread::scope(|scope| {
        let heap = &*heap;
        for _ in 0..2 {
            scope.spawn(|| (0..5000).for_each(|number| _ = black_box(heap.alloc_later(particle(number)))));
        }
    });
    heap.flush();
    heap.collect();
}

fn frame_now(heap: &mut Heap) {
    (0..10_000).for_each(|number| _ = black_box(heap.alloc(particle(number))));
    heap.collect();
}

// ---- Marking

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((u128::from(self.0) * end as u128) >> 64) as usize
    }
}

fn node(number: usize) -> Node {
    Node { edges: [None; 4], bytes: [number as u64; 2] }
}

/// A root, and all objects.
type Graph = (Root<Node>, Vec<Gc<Node>>);

/// A graph in which each object refers to four others.
fn random(heap: &mut Heap, objects: usize) -> Graph {
    let all: Vec<_> = (0..objects).map(|number| heap.alloc(node(number))).collect();
    let mut random = Random(1);
    for (number, gc) in all.iter().enumerate() {
        // The first edge makes a ring of all.
        let next = all[(number + 1) % objects];
        let others = [(); 3].map(|()| Some(all[random.below(objects)]));
        heap[*gc].edges = [Some(next), others[0], others[1], others[2]];
    }
    (heap.root(all[0]).expect("it is alive"), all)
}

fn list(heap: &mut Heap, objects: usize) -> Graph {
    let all: Vec<_> = (0..objects).map(|number| heap.alloc(node(number))).collect();
    for pair in all.windows(2) {
        heap[pair[0]].edges[0] = Some(pair[1]);
    }
    (heap.root(all[0]).expect("it is alive"), all)
}

/// Two threads against one, in two heaps with the same contents.
fn marking(what: &str, rounds: usize, build: &dyn Fn(&mut Heap) -> Graph) {
    let mut two = Heap::with_config(HeapConfig::default().mark_threads(2));
    let mut one = Heap::new();
    let (root, all) = build(&mut two);
    let kept = (root, build(&mut one).0);
    let collect = |heap: &mut Heap| {
        let took = time(|| _ = heap.collect());
        assert_eq!(heap.len(), all.len());
        took
    };
    let mut collect_two = || collect(&mut two);
    collect_two();
    let (mut times_two, mut times_one) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        times_two.push(collect_two());
        times_one.push(time(|| _ = one.collect()));
    }
    let (two, one) = (median(&mut times_two), median(&mut times_one));
    let ratio = two.as_secs_f64() / one.as_secs_f64();
    println!(
        "{ratio:6.2}  `collect` of {} {what} by two threads, to one ({two:.2?} to {one:.2?})",
        all.len()
    );
    drop(kept);
}

/// The upper bound: two heaps of half the objects, which share nothing, each collected by its own thread,
/// compared with one heap of all.
fn apart(rounds: usize, objects: usize) {
    let mut whole = Heap::new();
    let mut halves = [Heap::new(), Heap::new()];
    let mut kept = vec![random(&mut whole, objects).0];
    kept.extend(halves.iter_mut().map(|half| random(half, objects / 2).0));
    let collect = |heap: &mut Heap| _ = heap.collect();
    let both = |halves: &mut [Heap; 2]| {
        thread::scope(|scope| halves.iter_mut().for_each(|half| _ = scope.spawn(|| collect(half))));
    };
    collect(&mut whole);
    both(&mut halves);
    ratio(
        &format!("`collect` of two heaps of {} by a thread each, to one of {objects}", objects / 2),
        rounds,
        &mut || time(|| both(&mut halves)),
        &mut || time(|| collect(&mut whole)),
    );
}

// ---- Reading beside a marker

fn reader(rounds: usize, objects: usize) {
    let mut heap = Heap::new();
    let (root, all) = random(&mut heap, objects);
    heap.collect();
    let (mut beside, mut alone, mut has_marked) = (Vec::new(), Vec::new(), true);
    for _ in 0..rounds {
        alone.push(reads(&heap, &all, 200_000));
        while heap.step(Budget::Objects(1)).phase != Phase::Mark {}
        let is_over = AtomicBool::new(false);
        let read = thread::scope(|scope| {
            let (heap, is_over) = (&heap, &is_over);
            let marker = scope.spawn(move || {
                while heap.step_shared(Budget::Objects(1000)).work > 0 && !is_over.load(Ordering::Relaxed) {}
            });
            let read = reads(heap, &all, 200_000);
            has_marked &= !marker.is_finished();
            is_over.store(true, Ordering::Relaxed);
            read
        });
        beside.push(read);
        heap.collect();
    }
    let (alone, beside) = (median(&mut alone), median(&mut beside));
    let ratio = alone.as_secs_f64() / beside.as_secs_f64();
    println!(
        "{ratio:6.2}  the speed of random `get`s beside a marker, to that alone ({alone:.2?} to {beside:.2?})"
    );
    drop(root);
}

fn reads(heap: &Heap, all: &[Gc<Node>], reads: usize) -> Duration {
    let mut random = Random(7);
    time(|| {
        for _ in 0..reads {
            let found = heap.get(all[random.below(all.len())]).map(|node| node.bytes[0]);
            black_box(found);
        }
    })
}
