//! Types of every shape derive without a warning, however strict the crate is.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unused, future_incompatible, nonstandard_style, rust_2018_idioms, rust_2024_compatibility)]
#![deny(let_underscore, missing_copy_implementations, missing_debug_implementations, single_use_lifetimes)]
#![deny(trivial_casts, trivial_numeric_casts, unreachable_pub, unused_import_braces, unused_lifetimes)]
#![deny(unused_qualifications, unused_results, variant_size_differences, meta_variable_misuse)]
#![allow(dead_code, reason = "only the types matter")]

use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::sync::Mutex;

use slotgc::{Gc, Heap, Trace, Untraced, Weak};

/// Not `Trace`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Foreign;

#[derive(Debug, Trace, Clone, Copy)]
struct Unit;

#[derive(Debug, Trace, Clone, Copy)]
struct EmptyTuple();

#[derive(Debug, Trace, Clone, Copy)]
struct EmptyNamed {}

#[derive(Debug, Trace)]
enum Never {}

#[derive(Debug, Trace)]
struct Tuple(u32, Gc<Tuple>, #[trace(skip)] Foreign, Vec<(String, Weak<Self>)>);

#[derive(Debug, Trace)]
struct Named {
    r#type: Gc<Tuple>,
    tracer: u8,
    live: HashMap<Untraced<Foreign>, Vec<Gc<Unit>>>,
    #[trace(skip)]
    skipped: Foreign,
    locked: Mutex<Option<Gc<Named>>>,
}

#[derive(Debug, Trace)]
enum Shape {
    Unit,
    Empty(),
    Tuple(u8, Gc<Shape>),
    Named { a: Box<Shape>, #[trace(skip)] b: Foreign },
    #[trace(skip)]
    Skipped(Foreign, Gc<Shape>),
    AllSkipped(#[trace(skip)] Foreign),
    Tracer { tracer: u8, live: u8 },
}

#[derive(Debug, Trace, Clone, Copy)]
enum Plain {
    A,
    B = 7,
}

#[derive(Debug, Trace)]
struct Generic<T: Clone, U, const N: usize = 3>
where
    U: Copy,
{
    items: [Option<T>; N],
    #[trace(skip)]
    foreign: U,
    tag: PhantomData<fn() -> U>,
}

#[derive(Debug, Trace)]
struct Iter<I: Iterator> {
    first: Option<I::Item>,
    second: Vec<<I as Iterator>::Item>,
}

trait Game: 'static {
    type Item: Trace;
    type Mesh: Send + Sync;
}

#[derive(Trace)]
#[trace(bound = "")]
struct Chest<G: Game> {
    items: Vec<G::Item>,
    #[trace(skip)]
    mesh: G::Mesh,
}

impl<G: Game> std::fmt::Debug for Chest<G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chest").finish_non_exhaustive()
    }
}

#[derive(Debug, Trace)]
enum List<T> {
    Nil,
    Cons(T, Box<List<T>>),
}

#[derive(Debug, Trace)]
struct Unsized<T: ?Sized>(u8, T);

mod old {
    use slotgc::Trace;

    #[deprecated]
    #[derive(Debug, Trace, Clone, Copy)]
    pub(crate) struct Kind {
        /// A field.
        #[deprecated]
        pub(crate) value: u32,
    }
}

#[derive(Debug, Trace)]
struct UsesOld {
    #[allow(deprecated)]
    kind: Option<old::Kind>,
}

macro_rules! by_macro {
    ($name:ident, $field:ident: $ty:ty) => {
        #[derive(Debug, Trace)]
        struct $name {
            $field: $ty,
            tracer: $ty,
        }
    };
}

by_macro!(ByMacro, live: BTreeMap<String, Option<Gc<ByMacro>>>);

/// A function may have types of its own.
fn main() {
    #[derive(Debug, Trace)]
    struct Local(Gc<Local>);

    let mut heap = Heap::new();
    let unit = heap.alloc(Unit);
    let tuple = heap.alloc(Tuple(1, Gc::default(), Foreign, Vec::new()));
    let named = Named {
        r#type: tuple,
        tracer: 1,
        live: HashMap::from([(Untraced(Foreign), vec![unit])]),
        skipped: Foreign,
        locked: Mutex::new(None),
    };
    let root = heap.alloc_root(named);
    let shapes = [
        Shape::Unit,
        Shape::Empty(),
        Shape::Tuple(1, Gc::default()),
        Shape::Named { a: Box::new(Shape::Unit), b: Foreign },
        Shape::Skipped(Foreign, Gc::default()),
        Shape::AllSkipped(Foreign),
        Shape::Tracer { tracer: 1, live: 2 },
    ];
    let shapes = heap.alloc_root(Vec::from(shapes));
    let generic = Generic::<u8, Foreign> { items: [None; 3], foreign: Foreign, tag: PhantomData };
    let generic = heap.alloc_root(generic);
    let list = heap.alloc_root(List::Cons(unit, Box::new(List::Nil)));
    let iter = heap.alloc_root(Iter::<std::ops::Range<u32>> { first: None, second: vec![1] });
    let plain = heap.alloc_root([Plain::A, Plain::B]);
    let stats = heap.collect();
    assert_eq!((stats.freed, heap.len()), (0, 8));
    assert_eq!((heap[&root].tracer, heap[&root].skipped), (1, Foreign));
    assert_eq!(format!("{:?}", heap[&plain]), "[A, B]");
    drop((root, shapes, generic, list, iter, plain));
    assert_eq!(heap.collect().freed, 8);
}
