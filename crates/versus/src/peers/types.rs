//! Heaps of many types, for `crate::works::types`.
//!
//! An object of any type is eight words, of which the first is its id. The type to allocate is a number, so
//! every peer goes through a table.
//!
//! Each type costs the compiler a third of a second, so nothing is generated for one but what is timed.

use std::rc::Rc;

use slotgc::{AnyGc, Heap, Trace, Tracer};
use slotmap::{DefaultKey, SlotMap};

use crate::needs::NODE_BYTES;
use crate::needs::types::{MOST, Types};

/// An object of the type with this number.
struct Of<const NUMBER: usize>([u64; 8]);

const _: () = assert!(size_of::<Of<0>>() == NODE_BYTES);

impl<const NUMBER: usize> Trace for Of<NUMBER> {
    const NEEDS_TRACE: bool = false;
    const HOLDS_HANDLES: bool = false;

    fn trace(&self, _: &mut Tracer<'_>) {}
}

const fn words(id: u64) -> [u64; 8] {
    [id, 0, 0, 0, 0, 0, 0, 0]
}

/// Makes an object of one type.
type Make = fn(&mut Heap, u64) -> AnyGc;

fn make<const NUMBER: usize>(heap: &mut Heap, id: u64) -> AnyGc {
    heap.alloc(Of::<NUMBER>(words(id))).erase()
}

/// Eight types for each number.
macro_rules! eights {
    ($($eight:literal)*) => {
        [$(
            make::<{ $eight * 8 }>, make::<{ $eight * 8 + 1 }>, make::<{ $eight * 8 + 2 }>,
            make::<{ $eight * 8 + 3 }>, make::<{ $eight * 8 + 4 }>, make::<{ $eight * 8 + 5 }>,
            make::<{ $eight * 8 + 6 }>, make::<{ $eight * 8 + 7 }>,
        )*]
    };
}

#[cfg(feature = "many-types")]
static MAKE: [Make; MOST] = eights!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24);

#[cfg(not(feature = "many-types"))]
static MAKE: [Make; MOST] = eights!(0);

/// A heap of all types.
#[derive(Debug)]
pub(crate) struct SlotGcTypes(Heap);

impl Types for SlotGcTypes {
    type Handle = AnyGc;

    fn new() -> Self {
        Self(Heap::new())
    }

    #[inline(always)]
    fn alloc(&mut self, number: usize, id: u64) -> AnyGc {
        MAKE[number](&mut self.0, id)
    }

    /// Checks that every handle resolves, that the heap has the right number of objects of each type, and
    /// that the ids of the first are right.
    fn check(&self, types: usize, handles: &[AnyGc]) {
        assert!(handles.iter().all(|any| self.0.is_alive_any(*any)), "objects alive");
        let mut counts: Vec<_> = self.0.census().map(|of_type| of_type.objects).collect();
        counts.sort_unstable();
        let mut expected: Vec<_> = (0..types).map(|number| count(types, handles.len(), number)).collect();
        expected.sort_unstable();
        assert_eq!(counts, expected, "objects of each type");
        let sum: u64 = self.0.iter::<Of<0>>().map(|(_, object)| object.0[0]).sum();
        assert_eq!(sum, (0..handles.len() as u64).step_by(types).sum::<u64>());
    }
}

/// How many of the numbers less than `n` leave this remainder.
fn count(types: usize, n: usize, number: usize) -> usize {
    n / types + usize::from(number < n % types)
}

/// A map for each type.
#[derive(Debug)]
pub(crate) struct SlotMapTypes(Vec<SlotMap<DefaultKey, [u64; 8]>>);

impl Types for SlotMapTypes {
    type Handle = DefaultKey;

    fn new() -> Self {
        Self((0..MOST).map(|_| SlotMap::new()).collect())
    }

    #[inline(always)]
    fn alloc(&mut self, number: usize, id: u64) -> DefaultKey {
        self.0[number].insert(words(id))
    }

    fn check(&self, types: usize, handles: &[DefaultKey]) {
        for (id, key) in handles.iter().enumerate() {
            assert_eq!(self.0[id % types][*key][0], id as u64);
        }
    }
}

/// Pointers, to which types make no difference.
#[derive(Debug)]
pub(crate) struct RcTypes;

impl Types for RcTypes {
    type Handle = Rc<[u64; 8]>;

    fn new() -> Self {
        Self
    }

    #[inline(always)]
    fn alloc(&mut self, _: usize, id: u64) -> Rc<[u64; 8]> {
        Rc::new(words(id))
    }

    fn check(&self, _: usize, handles: &[Rc<[u64; 8]>]) {
        assert!(handles.iter().enumerate().all(|(id, object)| object[0] == id as u64));
    }
}
