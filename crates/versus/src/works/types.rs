//! Objects of many types: allocated in turn, and marked when edges lead from type to type.

use std::rc::Rc;

use slotgc::{AnyGc, Gc, Heap, Trace};
use slotgc_graphs::{DEGREE, Graph, Random};

use crate::clock::Stopwatch;
use crate::needs::NODE_BYTES;
use crate::needs::types::{MOST, Types};
use crate::peers::types::{RcTypes, SlotGcTypes, SlotMapTypes};
use crate::shape::Inputs;
use crate::work::{Bound, Work, per_object, touched};

/// How many types there are.
const NUMBERS: [usize; 4] = [1, 8, 32, 200];

pub(super) fn works(inputs: &Rc<Inputs>) -> Vec<Work> {
    let mut works: Vec<_> = NUMBERS
        .into_iter()
        .filter(|types| *types <= MOST)
        .map(|types| alloc(types, inputs.objects))
        .collect();
    works.push(collect(inputs.objects));
    works
}

/// A new heap, and objects of all types in turn.
fn fill<T: Types>(types: usize, n: usize) -> f64 {
    let mut handles = touched(n);
    let start = Stopwatch::start();
    let mut heap = T::new();
    fill_in_turn(&mut heap, types, n, &mut handles);
    let time = start.elapsed();
    heap.check(types, &handles);
    // Handles go before the heap does.
    drop(handles);
    per_object(time, n)
}

/// The loop that is timed.
#[inline(never)]
fn fill_in_turn<T: Types>(heap: &mut T, types: usize, n: usize, handles: &mut Vec<T::Handle>) {
    let mut number = 0;
    for id in 0..n as u64 {
        handles.push(heap.alloc(number, id));
        number = if number + 1 == types { 0 } else { number + 1 };
    }
}

fn alloc(types: usize, n: usize) -> Work {
    let about = format!("a new heap and {n} objects in it, of {types} types in turn");
    let work = Work::new(format!("types/alloc/{types}"), about)
        .case("slotgc", move || fill::<SlotGcTypes>(types, n))
        .case("slotmap", move || fill::<SlotMapTypes>(types, n))
        .case("rc", move || fill::<RcTypes>(types, n))
        .target("slotmap", 1.0)
        .note(&["slotmap"], "a `SlotMap` for each type, in a vector")
        .absent(&["thunderdome"], "would be slotmap once more")
        .absent(
            &["gc-arena", "safe-gc", "boa_gc", "gc", "dumpster", "rust-cc"],
            "`alloc/fresh` has them with one type",
        );
    if types == 1 {
        return work;
    }
    work.case("slotgc:one", move || fill::<SlotGcTypes>(1, n))
        .note(&["slotgc:one"], "as many objects of one type")
}

/// An object of one of four types, with an edge to one of each.
#[derive(Trace)]
#[repr(C)]
struct Mixed<const TYPE: usize> {
    id: u64,
    a: Option<Gc<Mixed<0>>>,
    b: Option<Gc<Mixed<1>>>,
    c: Option<Gc<Mixed<2>>>,
    d: Option<Gc<Mixed<3>>>,
    fill: [u64; 3],
}

/// The same of one type.
#[derive(Trace)]
#[repr(C)]
struct Alike {
    id: u64,
    a: Option<Gc<Alike>>,
    b: Option<Gc<Alike>>,
    c: Option<Gc<Alike>>,
    d: Option<Gc<Alike>>,
    fill: [u64; 3],
}

const _: () = assert!(size_of::<Mixed<0>>() == NODE_BYTES && size_of::<Alike>() == NODE_BYTES);

/// What making a graph needs of a type. Handles are bits.
struct Type {
    alloc: fn(&mut Heap, u64) -> u64,
    link: fn(&mut Heap, u64, [u64; DEGREE]),
}

macro_rules! type_of {
    ($node:ident $(, $number:literal)?) => {
        Type {
            alloc: |heap, id| {
                let node = $node $(::<$number>)? { id, a: None, b: None, c: None, d: None, fill: [0; 3] };
                heap.alloc(node).to_bits()
            },
            link: |heap, from, [a, b, c, d]| {
                let from = &mut heap[Gc::<$node $(<$number>)?>::from_bits(from)];
                from.a = Some(Gc::from_bits(a));
                from.b = Some(Gc::from_bits(b));
                from.c = Some(Gc::from_bits(c));
                from.d = Some(Gc::from_bits(d));
            },
        }
    };
}

static ONE: [Type; 1] = [type_of!(Alike)];
static FOUR: [Type; 4] = [type_of!(Mixed, 0), type_of!(Mixed, 1), type_of!(Mixed, 2), type_of!(Mixed, 3)];

/// A random graph in which each node's edges lead to a node of each type, when node `i` is of type `i % 4`.
/// The first edges from node to node make a cycle through all of a quarter.
fn graph(n: usize) -> Graph {
    let quarter = n / DEGREE;
    let mut random = Random::new(6);
    let cycle = random.order(quarter);
    let mut edges = vec![[0; DEGREE]; quarter * DEGREE];
    for (place, group) in cycle.iter().enumerate() {
        for type_number in 0..DEGREE {
            let from = *group as usize * DEGREE + type_number;
            let mut to = |edge| (random.below(quarter) * DEGREE + edge) as u32;
            edges[from] = std::array::from_fn(&mut to);
            // The next node in the group, or the first of the next group.
            let next = cycle[(place + usize::from(type_number == DEGREE - 1)) % quarter] as usize;
            let edge = (type_number + 1) % DEGREE;
            edges[from][edge] = (next * DEGREE + edge) as u32;
        }
    }
    Graph::of(edges)
}

/// A full collection in which nothing dies.
fn collect_types(types: &[Type], graph: &Graph) -> f64 {
    let mut heap = Heap::new();
    let type_of = |node: usize| &types[node % types.len()];
    let nodes: Vec<_> = (0..graph.len()).map(|node| (type_of(node).alloc)(&mut heap, node as u64)).collect();
    for (node, edges) in graph.edges.iter().enumerate() {
        (type_of(node).link)(&mut heap, nodes[node], edges.map(|edge| nodes[edge as usize]));
    }
    let root = [AnyGc::from_bits(nodes[0])];
    heap.collect_with(&root);
    let start = Stopwatch::start();
    heap.collect_with(&root);
    let time = start.elapsed();
    assert_eq!(heap.len(), graph.len(), "everything is reached");
    per_object(time, graph.len())
}

fn collect(n: usize) -> Work {
    let graph = Rc::new(std::cell::OnceCell::new());
    let case = |types: &'static [Type]| {
        let graph = Rc::clone(&graph);
        move || collect_types(types, graph.get_or_init(|| self::graph(n)))
    };
    let about = format!("full collection, nothing dies: random graph of {n} objects of four types");
    Work::new("types/collect", about)
        .case("slotgc", case(&FOUR))
        .case("slotgc:one", case(&ONE))
        .target_of("slotgc", "slotgc:one", Bound::AtMost(1.1))
        .note(&["slotgc:one"], "the same graph of one type")
}
