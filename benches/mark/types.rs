//! The same random graph with its objects spread over 1, 4 and 16 types, and with edges of unknown type.
//!
//! An edge knows the type of its target, as edges do in a program. One graph serves any number of types,
//! because it is built for 16: edge `e` of an object of type `t` leads to one of type `(4 * t + e) % 16`.
//! That rule holds modulo 4 and modulo 1 as well.

use std::marker::PhantomData;

use slotgc::{AnyGc, Gc, Heap, Trace, Tracer};
use slotgc_graphs::{DEGREE, Graph, NONE, Random};

use crate::Question;
use crate::mark::{Naive, mark_time};

pub(crate) fn ask(question: &mut Question<'_>) {
    let n = question.objects;
    let cases: [(&str, &[Type]); 4] = [
        ("types_1", &ONE),
        ("types_4", &FOUR),
        ("types_16", &SIXTEEN),
        ("types_1_any_gc", &[Type::of_any()]),
    ];
    for (name, types) in cases {
        question.case(
            name,
            n,
            || Mixed::build(types, &graph(n)),
            |mixed| mark_time(mixed.heap.collect_with(&[mixed.root]), mixed.reached),
        );
    }
}

/// Random edges that lead from type to type by that rule. Object `i` is of type `i % 16`.
fn graph(n: usize) -> Graph {
    assert_eq!(n % 16, 0, "as many objects of each type");
    let mut random = Random::new(6);
    let mut target = |node, edge| (random.below(n / 16) * 16 + (DEGREE * node + edge) % 16) as u32;
    Graph::of((0..n).map(|node| std::array::from_fn(|edge| target(node, edge))).collect())
}

/// The graph in a heap, without its unreachable objects.
struct Mixed {
    heap: Heap,
    root: AnyGc,
    reached: usize,
}

impl Mixed {
    fn build(types: &[Type], graph: &Graph) -> Self {
        let mut heap = Heap::new();
        let n = graph.len();
        let type_of = |node: usize| &types[node % types.len()];
        let nodes: Vec<u64> = (0..n).map(|node| (type_of(node).alloc)(&mut heap, node as u64)).collect();
        for (node, edges) in graph.edges.iter().enumerate() {
            assert!(!edges.contains(&NONE), "all edges lead somewhere");
            (type_of(node).link)(&mut heap, nodes[node], edges.map(|edge| nodes[edge as usize]));
        }
        let root = AnyGc::from_bits(nodes[0]);
        let reached = Naive::<4>::build(graph).mark(0);
        assert_eq!(heap.collect_with(&[root]).freed, n - reached);
        Self { heap, root, reached }
    }
}

/// What building a graph needs of a type. Handles are passed as bits.
struct Type {
    alloc: fn(&mut Heap, u64) -> u64,
    link: fn(&mut Heap, u64, [u64; DEGREE]),
}

impl Type {
    const fn of<K: Kind>() -> Self {
        Self {
            alloc: |heap, id| {
                let (a, b, c, d) = Default::default();
                heap.alloc(Typed::<K> { id, a, b, c, d, fill: [0; 3], kind: PhantomData }).to_bits()
            },
            link: |heap, from, [a, b, c, d]| {
                let from = &mut heap[Gc::<Typed<K>>::from_bits(from)];
                from.a = Gc::from_bits(a);
                from.b = Gc::from_bits(b);
                from.c = Gc::from_bits(c);
                from.d = Gc::from_bits(d);
            },
        }
    }

    const fn of_any() -> Self {
        Self {
            alloc: |heap, id| heap.alloc(Untyped { id, edges: Default::default(), fill: [0; 3] }).to_bits(),
            link: |heap, from, to| heap[Gc::<Untyped>::from_bits(from)].edges = to.map(AnyGc::from_bits),
        }
    }
}

/// Where the edges of a type lead.
trait Kind: Send + Sync + 'static {
    type A: Kind;
    type B: Kind;
    type C: Kind;
    type D: Kind;
}

/// An object of one of several types.
#[repr(C)]
struct Typed<K: Kind> {
    id: u64,
    a: Gc<Typed<K::A>>,
    b: Gc<Typed<K::B>>,
    c: Gc<Typed<K::C>>,
    d: Gc<Typed<K::D>>,
    fill: [u64; 3],
    kind: PhantomData<K>,
}

impl<K: Kind> Trace for Typed<K> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.edge(self.a);
        tracer.edge(self.b);
        tracer.edge(self.c);
        tracer.edge(self.d);
    }
}

/// An object whose edges do not know the types of their targets.
#[derive(Trace)]
#[repr(C)]
struct Untyped {
    id: u64,
    edges: [AnyGc; DEGREE],
    fill: [u64; 3],
}

const _: () = assert!(size_of::<Typed<Of<16, 0>>>() == 64 && size_of::<Untyped>() == 64);

/// Type `TYPE` of `TYPES`.
struct Of<const TYPES: usize, const TYPE: usize>;

/// The types that there are, and where their edges lead.
macro_rules! kinds {
    ($name:ident, $types:literal: $($kind:literal => $a:literal $b:literal $c:literal $d:literal,)*) => {
        $(impl Kind for Of<$types, $kind> {
            type A = Of<$types, $a>;
            type B = Of<$types, $b>;
            type C = Of<$types, $c>;
            type D = Of<$types, $d>;
        })*

        const $name: [Type; $types] = [$(Type::of::<Of<$types, $kind>>()),*];
    };
}

kinds!(ONE, 1: 0 => 0 0 0 0,);
kinds!(FOUR, 4: 0 => 0 1 2 3, 1 => 0 1 2 3, 2 => 0 1 2 3, 3 => 0 1 2 3,);
kinds!(SIXTEEN, 16:
    0 => 0 1 2 3, 1 => 4 5 6 7, 2 => 8 9 10 11, 3 => 12 13 14 15,
    4 => 0 1 2 3, 5 => 4 5 6 7, 6 => 8 9 10 11, 7 => 12 13 14 15,
    8 => 0 1 2 3, 9 => 4 5 6 7, 10 => 8 9 10 11, 11 => 12 13 14 15,
    12 => 0 1 2 3, 13 => 4 5 6 7, 14 => 8 9 10 11, 15 => 12 13 14 15,
);
