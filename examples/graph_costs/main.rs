//! What do copying, saving and loading a graph, checkpoints and rollbacks cost, as multiples of the same work
//! on the same values in a `Vec`?
//!
//! ```text
//! taskset -c 1 cargo run --release --example graph_costs --features graph_costs -- [ROUNDS [GROUP [PART]]]
//! ```
//!
//! Groups: `list`, `shuffled`, `tree`, `random`, `strings`, `save`, `checkpoint`, `peak`; the second argument
//! selects groups, the third works by a part of their name. One round is a test, with a hundredth of the
//! objects.
//!
//! A ratio compares two times measured in turn in one round; the median over the rounds is shown. Times are
//! this thread's processor time, so that a busy machine does not count. All values have 64 bytes. Each work
//! checks its result.
//!
//! Memory matters. The system clears a page when a program first touches it, which takes longer than filling
//! it. *Touched* means a `Vec` that copies into memory used before, and a heap that has free slots from an
//! earlier collection; *fresh* means a new `Vec` and a heap that opens new pages. The allocator decides which
//! of the two a program gets from `Vec::clone`: glibc's returns blocks larger than 32 MB to the system.
//!
//! Do not conclude that a copy always costs this many times a `Vec`'s. Values here have no destructors,
//! except those with a `String`; if a `clone` allocates, that is most of the time of both. Nor that any shape
//! can be copied in a few times what a `Vec` takes: if memory is not read in order, any copy waits for it at
//! each object. Hence the copies by hand.

mod counting;

use std::hint::black_box;
use std::time::Duration;

use counting::{Counting, IN_USE, PEAK};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use slotgc::{CloneTypes, Gc, Heap, Root, Save, Schema, Trace};

/// A node of a list.
#[derive(Trace, Clone, Serialize, Deserialize)]
struct Link {
    id: u64,
    next: Option<Gc<Link>>,
    fill: [u64; 6],
}

/// A node of a tree or a random graph.
#[derive(Trace, Clone, Serialize)]
struct Node {
    id: u64,
    edges: [Option<Gc<Node>>; 4],
    fill: [u64; 3],
}

/// A node of a list, with a name.
#[derive(Trace, Clone)]
struct Named {
    id: u64,
    next: Option<Gc<Named>>,
    name: String,
    fill: [u64; 3],
}

const _: () = assert!(size_of::<Link>() == 64 && size_of::<Node>() == 64 && size_of::<Named>() == 64);

/// What the works require of a value.
trait Value: Trace + Clone {
    type List: CloneTypes;

    fn schema() -> Schema<Self::List>;
    fn new(id: u64) -> Self;
    fn id(&self) -> u64;
    fn lead_to(&mut self, edge: usize, to: Gc<Self>);
}

macro_rules! values {
    ($($ty:ident { $($rest:tt)* } of $id:ident: $lead:expr;)*) => {$(
        impl Value for $ty {
            type List = ($ty, ());

            fn schema() -> Schema<Self::List> {
                Schema::new().with::<$ty>("value")
            }

            fn new($id: u64) -> Self {
                $ty { id: $id, $($rest)* }
            }

            fn id(&self) -> u64 {
                self.id
            }

            fn lead_to(&mut self, edge: usize, to: Gc<Self>) {
                let lead: fn(&mut $ty, usize, Option<Gc<$ty>>) = $lead;
                lead(self, edge, Some(to));
            }
        }
    )*};
}

values! {
    Link { next: None, fill: [id; 6] } of id: |link, _, to| link.next = to;
    Node { edges: [None; 4], fill: [id; 3] } of id: |node, edge, to| node.edges[edge] = to;
    Named { next: None, name: format!("object {id}"), fill: [id; 3] } of id: |named, _, to| named.next = to;
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(mixed ^ (mixed >> 31)) * limit as u128) >> 64) as usize
    }

    fn order(&mut self, len: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        (1..len).rev().for_each(|last| order.swap(last, self.below(last + 1)));
        order
    }
}

/// The edges of a graph in which the first object reaches all: number, which edge, target.
type Shape = fn(usize) -> Vec<(usize, usize, usize)>;

fn list(len: usize) -> Vec<(usize, usize, usize)> {
    (1..len).map(|to| (to - 1, 0, to)).collect()
}

fn shuffled_list(len: usize) -> Vec<(usize, usize, usize)> {
    let order = Random(1).order(len);
    let start = order.iter().position(|place| *place == 0).expect("all numbers");
    let at = |place: usize| order[(start + place) % len];
    (1..len).map(|place| (at(place - 1), 0, at(place))).collect()
}

fn tree(len: usize) -> Vec<(usize, usize, usize)> {
    (1..len).map(|to| ((to - 1) / 4, (to - 1) % 4, to)).collect()
}

fn random_graph(len: usize) -> Vec<(usize, usize, usize)> {
    let mut random = Random(2);
    let mut edges: Vec<_> = shuffled_list(len);
    edges.extend((0..len * 3).map(|edge| (edge / 3, 1 + edge % 3, random.below(len))));
    edges
}

/// A graph and its first object; the same values in a `Vec`.
struct Graph<T: Value> {
    heap: Heap,
    first: Root<T>,
    values: Vec<T>,
}

impl<T: Value> Graph<T> {
    fn new(objects: usize, shape: Shape) -> Self {
        let mut heap = Heap::new();
        let all = heap.alloc_many((0..objects as u64).map(T::new));
        for (from, edge, to) in shape(objects) {
            heap[all[from]].lead_to(edge, all[to]);
        }
        let first = heap.root(all[0]).expect("it was made just now");
        heap.collect();
        let values = heap.iter::<T>().map(|(_, value)| value.clone()).collect();
        Self { heap, first, values }
    }

    /// A graph in a heap with free slots for as many objects again.
    fn with_room(objects: usize, shape: Shape) -> Self {
        let mut graph = Self::new(objects, shape);
        graph.heap.extend((0..objects as u64).map(T::new));
        graph.heap.collect();
        graph
    }
}

/// Processor time of this thread.
fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn timed<R>(work: impl FnOnce() -> R) -> (Duration, R) {
    let start = now();
    let result = black_box(work());
    (now() - start, result)
}

fn copy_to_touched<T: Clone>(values: &[T], room: &mut Vec<T>) -> Duration {
    room.clear();
    timed(|| room.extend_from_slice(values)).0
}

/// A block of more than 32 MB is untouched memory.
fn copy_to_fresh<T: Clone>(values: &[T]) -> Duration {
    let mut copy = Vec::with_capacity(values.len().max((40 << 20) / size_of::<T>()));
    let (time, ()) = timed(|| copy.extend_from_slice(values));
    assert_eq!(black_box(copy).len(), values.len());
    time
}

/// One line of the table: two works, and the limit of the ratio of `ours` to `plain`.
struct Work {
    name: String,
    goal: f64,
    ours: Box<dyn FnMut() -> Duration>,
    plain: Box<dyn FnMut() -> Duration>,
    per: usize,
}

/// Adds the works of a group.
type Add<'a> = &'a dyn Fn(&mut Vec<Work>);

fn copies<T: Value>(works: &mut Vec<Work>, name: &str, objects: usize, shape: Shape) {
    let schema = T::schema();
    let mut graph = Graph::<T>::with_room(objects, shape);
    let (values, mut room) = (graph.values.clone(), graph.values.clone());
    let touched = move || {
        let Graph { heap, first, .. } = &mut graph;
        let time = check_copy(heap, first, &schema, objects);
        heap.collect();
        assert_eq!(heap.len(), objects);
        time
    };
    works.push(Work {
        name: format!("clone_graph, {name}, touched"),
        goal: 4.0,
        ours: Box::new(touched),
        plain: Box::new(move || copy_to_touched(&values, &mut room)),
        per: objects,
    });
    let schema = T::schema();
    let values = Graph::<T>::new(objects, shape).values;
    works.push(Work {
        name: format!("clone_graph, {name}, fresh"),
        goal: 4.0,
        ours: Box::new(move || {
            let Graph { mut heap, first, .. } = Graph::<T>::new(objects, shape);
            check_copy(&mut heap, &first, &schema, objects)
        }),
        plain: Box::new(move || copy_to_fresh(&values)),
        per: objects,
    });
}

fn check_copy<T: Value>(
    heap: &mut Heap,
    first: &Root<T>,
    schema: &Schema<T::List>,
    objects: usize,
) -> Duration {
    let (time, copied) = timed(|| heap.clone_graph(first, schema));
    let (copy, relinked) = copied.expect("a graph of known types");
    assert_eq!((heap.len(), heap[copy].id()), (2 * objects, heap[first].id()));
    assert_eq!((relinked.became_null(), relinked.get(first.gc())), (0, Some(copy)));
    time
}

/// Writes a save somewhere; returns how many bytes.
type To<'a> = &'a mut dyn FnMut(&Save<'_, (Link, ())>) -> usize;

fn saves(works: &mut Vec<Work>, objects: usize) {
    let Graph { heap, first, values } = Graph::<Link>::new(objects, list);
    let (heap, first) = (std::rc::Rc::new(heap), [first.gc()]);
    let save = {
        let heap = heap.clone();
        move |to: To<'_>| {
            let schema = Link::schema();
            to(&heap.save(&schema, &first).expect("a graph of known types"))
        }
    };
    let (save, values) = (std::rc::Rc::new(save), std::rc::Rc::new(values));
    let mut bytes = Vec::new();
    save(&mut |save| {
        bytes = postcard::to_stdvec(save).expect("plain data");
        bytes.len()
    });
    let plain_bytes = postcard::to_stdvec(&*values).expect("plain data");
    assert!(bytes.len() > plain_bytes.len());
    let (to_vec, plain_to_vec) = (save.clone(), values.clone());
    works.push(Work {
        name: String::from("save, into a Vec that grows"),
        goal: 1.5,
        ours: Box::new(move || {
            timed(|| to_vec(&mut |save| postcard::to_stdvec(save).expect("plain data").len())).0
        }),
        plain: Box::new(move || timed(|| postcard::to_stdvec(&*plain_to_vec).expect("plain data").len()).0),
        per: objects,
    });
    let mut room = vec![1; bytes.len()];
    let mut plain_room = room.clone();
    works.push(Work {
        name: String::from("save, into memory in use"),
        goal: 1.5,
        ours: Box::new(move || {
            timed(|| save(&mut |save| postcard::to_slice(save, &mut room).expect("plain data").len())).0
        }),
        plain: Box::new(move || {
            timed(|| postcard::to_slice(&*values, &mut plain_room).expect("plain data").len()).0
        }),
        per: objects,
    });
    works.push(Work {
        name: String::from("load"),
        goal: 2.0,
        ours: Box::new(move || {
            let (schema, mut heap) = (Link::schema(), Heap::new());
            let mut from = postcard::Deserializer::from_bytes(&bytes);
            let (time, loaded) = timed(|| heap.load(&schema, &mut from));
            let loaded = loaded.expect("saved just now");
            assert_eq!((heap.len(), loaded.became_null()), (objects, 0));
            let first = heap.downcast::<Link>(loaded.roots()[0]).expect("the first of the list");
            let second = heap[first].next.expect("the next of the list");
            assert_eq!((heap[first].id, heap[second].fill[5]), (0, 1));
            time
        }),
        plain: Box::new(move || {
            let (time, values) = timed(|| postcard::from_bytes::<Vec<Link>>(&plain_bytes));
            assert_eq!(values.expect("saved just now").len(), objects);
            time
        }),
        per: objects,
    });
}

fn checkpoints(works: &mut Vec<Work>, objects: usize) {
    let bytes = |graph: &Graph<Link>| -> Vec<[u64; 8]> { vec![[7; 8]; graph.values.len()] };
    let graph = Graph::<Link>::new(objects, list);
    let (plain, mut room) = (bytes(&graph), bytes(&graph));
    let schema = Link::schema();
    let keep = move || {
        let (time, checkpoint) = timed(|| graph.heap.checkpoint(&schema));
        (time, checkpoint.expect("all types are known"))
    };
    let (keep, plain) = (std::rc::Rc::new(keep), std::rc::Rc::new(plain));
    let (keep_again, plain_again, mut kept) = (keep.clone(), plain.clone(), Vec::new());
    works.push(Work {
        name: String::from("checkpoint, touched"),
        goal: 2.0,
        ours: Box::new(move || keep().0),
        plain: Box::new(move || copy_to_touched(&plain, &mut room)),
        per: objects,
    });
    works.push(Work {
        name: String::from("checkpoint, fresh"),
        goal: 2.0,
        ours: Box::new(move || {
            let (time, checkpoint) = keep_again();
            // If it were freed, the next one would reuse its memory.
            kept.push(checkpoint);
            time
        }),
        plain: Box::new(move || copy_to_fresh(&plain_again)),
        per: objects,
    });
    let mut graph = Graph::<Link>::new(objects, list);
    let (plain, mut room) = (bytes(&graph), bytes(&graph));
    let checkpoint = graph.heap.checkpoint(&Link::schema()).expect("all types are known");
    works.push(Work {
        name: String::from("roll_back"),
        goal: 2.0,
        ours: Box::new(move || {
            let Graph { heap, first, .. } = &mut graph;
            heap[&*first].id = 77;
            let later = heap.alloc(Link::new(5));
            let (time, ()) = timed(|| heap.roll_back(&checkpoint));
            assert_eq!((heap.len(), heap[&*first].id, heap.is_alive(later)), (objects, 0, false));
            time
        }),
        plain: Box::new(move || copy_to_touched(&plain, &mut room)),
        per: objects,
    });
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many bytes per object saving takes at its peak, beside the heap, which lies in pages of its own.
fn peak_of_saving(name: &str, objects: usize, shape: Shape) {
    let Graph { heap, first, .. } = Graph::<Node>::new(objects, shape);
    let (schema, roots, before) = (Node::schema(), [first.gc()], IN_USE.get());
    PEAK.set(before);
    let save = heap.save(&schema, &roots).expect("a graph of known types");
    assert_eq!(save.len(), objects);
    postcard::to_io(&save, std::io::sink()).expect("plain data");
    let bytes = (PEAK.get() - before) as f64 / objects as f64;
    println!("{:40} {bytes:8.1} {:8} {:8} {:>8}", format!("peak of saving, {name}: bytes"), "", "", 16);
    assert!(objects < 100_000 || bytes <= 16.0, "saving takes more memory than it says");
}

/// A hand-written copy of a graph of one type in a `Vec`, with indices as handles: about the least that a
/// walk over this shape costs.
fn by_hand(works: &mut Vec<Work>, name: &str, objects: usize, shape: Shape) {
    #[derive(Clone)]
    struct Indexed {
        id: u64,
        edges: [u32; 4],
        _fill: [u64; 5],
    }

    const NONE: u32 = u32::MAX;
    let new = |id| Indexed { id, edges: [NONE; 4], _fill: [id; 5] };
    let mut graph: Vec<_> = (0..objects as u64).map(new).collect();
    shape(objects).into_iter().for_each(|(from, edge, to)| graph[from].edges[edge] = to as u32);
    let (values, mut room) = (graph.clone(), graph.clone());
    let (mut copies, mut line, mut places) = (Vec::with_capacity(objects), Vec::new(), Vec::new());
    let copy = move || {
        copies.clear();
        line.clear();
        places.clear();
        let (time, ()) = timed(|| {
            places.resize(objects, NONE);
            line.push(0);
            places[0] = 0;
            while let Some(next) = line.get(copies.len()) {
                let original: &Indexed = &graph[*next as usize];
                for to in original.edges {
                    if to != NONE && places[to as usize] == NONE {
                        places[to as usize] = line.len() as u32;
                        line.push(to);
                    }
                }
                let mut copy = original.clone();
                let edges = copy.edges.iter_mut().filter(|to| **to != NONE);
                edges.for_each(|to| *to = places[*to as usize]);
                copies.push(copy);
            }
        });
        assert_eq!((copies.len(), copies[1].id), (objects, u64::from(line[1])));
        time
    };
    works.push(Work {
        name: format!("a copy by hand, {name}, touched"),
        goal: f64::NAN,
        ours: Box::new(copy),
        plain: Box::new(move || copy_to_touched(&values, &mut room)),
        per: objects,
    });
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn main() {
    let mut args = std::env::args().skip(1);
    let rounds = args.next().map_or(15, |rounds| rounds.parse::<usize>().expect("a number")).max(1);
    let part = args.next().unwrap_or_default();
    let only = args.next().unwrap_or_default();
    // A test is a small run.
    let scale = if rounds == 1 { 100 } else { 1 };
    let (few, some, many) = (100_000 / scale, 200_000 / scale, 1_000_000 / scale);
    let mut works = Vec::new();
    let works_of: [(&str, Add<'_>); 8] = [
        ("list", &|works| {
            copies::<Link>(works, "list", few, list);
            by_hand(works, "list", few, list);
        }),
        ("shuffled", &|works| {
            copies::<Link>(works, "shuffled list", few, shuffled_list);
            by_hand(works, "shuffled list", few, shuffled_list);
        }),
        ("tree", &|works| {
            copies::<Node>(works, "tree", few, tree);
            by_hand(works, "tree", few, tree);
        }),
        ("random", &|works| {
            copies::<Node>(works, "random graph", few, random_graph);
            by_hand(works, "random graph", few, random_graph);
        }),
        ("strings", &|works| copies::<Named>(works, "list with strings", few, list)),
        ("save", &|works| saves(works, many)),
        ("checkpoint", &|works| checkpoints(works, some)),
        ("peak", &|_| {
            peak_of_saving("list", many, list);
            peak_of_saving("tree", many, tree);
            peak_of_saving("random graph", many, random_graph);
        }),
    ];
    println!("{:40} {:>8} {:>8} {:>8} {:>8}", "", "ns", "plain ns", "ratio", "goal");
    for (name, add) in works_of {
        if !name.starts_with(&part) {
            continue;
        }
        add(&mut works);
        for Work { name, goal, ours, plain, per } in works.iter_mut().filter(|work| work.name.contains(&only))
        {
            let times: Vec<_> = (0..rounds).map(|_| (ours().as_secs_f64(), plain().as_secs_f64())).collect();
            let each = |times: Vec<f64>| median(times) * 1e9 / *per as f64;
            println!(
                "{name:40} {:8.1} {:8.1} {:8.2} {:>8}",
                each(times.iter().map(|times| times.0).collect()),
                each(times.iter().map(|times| times.1).collect()),
                median(times.iter().map(|times| times.0 / times.1).collect()),
                if goal.is_nan() { String::new() } else { goal.to_string() },
            );
        }
        works.clear();
    }
}
