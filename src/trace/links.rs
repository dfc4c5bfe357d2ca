//! [`Links`]: hands out every handle in a value, to be replaced.

use core::any::{TypeId, type_name};
use core::fmt;

use slotmap::KeyData;

use crate::handle::{AnyGc, Gc, RawHandle, Weak};
use crate::store::Store;
use crate::tag::Tag;
use crate::trace::{Copies, Trace};

/// A handle that is to be replaced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) raw: RawHandle,
    /// The type that the handle claims; `None` for an `AnyGc`.
    #[cfg_attr(not(feature = "serde"), allow(dead_code, reason = "what is loaded is looked up by it"))]
    pub(crate) typed: Option<Typed>,
}

/// A type, and the dense numbers of its handles, which takes a division.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "serde"), allow(dead_code, reason = "what is loaded is looked up by it"))]
pub(crate) struct Typed {
    pub(crate) id: TypeId,
    pub(crate) key: fn(RawHandle) -> KeyData,
}

impl Typed {
    fn of<T: 'static>() -> Self {
        Self { id: TypeId::of::<T>(), key: |raw| slotmap::Key::data(&Weak::<T>::from_raw(raw)) }
    }
}

impl Link {
    pub(crate) fn of_gc<T: 'static>(gc: Gc<T>) -> Self {
        Self { raw: gc.raw(), typed: Some(Typed::of::<T>()) }
    }

    /// Whether it names nothing in any heap.
    pub(crate) fn is_null(&self) -> bool {
        self.raw.is_null()
    }
}

/// Knows the new handles.
pub(crate) trait Relinker {
    /// The handle to put in its place; null if there is none.
    fn replace(&mut self, link: Link) -> RawHandle;

    /// As `replace`, for an edge to an object without a copy, when a graph is copied. The type is the one
    /// that the handle claims.
    fn reach(&mut self, copies: &mut Copies, raw: RawHandle, of: Tag) -> RawHandle {
        let _ = (copies, of);
        raw
    }

    /// A value cannot hand out its handles.
    fn unsupported(&mut self, type_name: &'static str);

    /// An entry of a map or a set was dropped because another one now has an equal key.
    fn merged(&mut self);

    /// The value has a table that hashes objects by their values. Those change as well: once all objects have
    /// their new handles, the value is relinked once more.
    fn note_table(&mut self) {}

    /// The other objects, when a table is rehashed. All handles then stay.
    fn values(&self) -> Option<Values<'_>> {
        None
    }
}

/// The values of all objects but one, which is being changed.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a> {
    store: &'a Store,
    apart: RawHandle,
}

impl<'a> Values<'a> {
    pub(crate) fn new(store: &'a Store, apart: RawHandle) -> Self {
        Self { store, apart }
    }

    pub(crate) fn get<T: Trace>(self, weak: Weak<T>) -> Option<&'a T> {
        if weak.raw() == self.apart { None } else { self.store.look().get::<T>(weak.raw()) }
    }
}

/// Replaces the handles in a value: what [`Trace::relink`] hands them to when a graph is copied or loaded.
///
/// A map or a set whose keys hold handles must be rebuilt, since its keys change; those of std do it. Of
/// entries whose keys become equal the first stays.
///
/// # Examples
/// ```
/// use slotgc::{AnyGc, Gc, Links, Trace, Tracer};
///
/// enum Value { Nil, Pair(Gc<Value>, Gc<Value>), Other(AnyGc) }
///
/// impl Trace for Value {
///     fn trace(&self, tracer: &mut Tracer<'_>) {
///         match self {
///             Value::Nil => {}
///             Value::Pair(head, tail) => tracer.edges([*head, *tail]),
///             Value::Other(any) => tracer.edge_any(*any),
///         }
///     }
///     fn relink(&mut self, links: &mut Links<'_>) {
///         match self {
///             Value::Nil => {}
///             Value::Pair(head, tail) => {
///                 links.gc(head);
///                 links.gc(tail);
///             }
///             Value::Other(any) => links.any(any),
///         }
///     }
/// }
/// ```
pub struct Links<'a> {
    relinker: &'a mut dyn Relinker,
    /// Searched first, without a call: most handles in a copy lead to another copy.
    copies: Option<&'a mut Copies>,
}

impl<'a> Links<'a> {
    pub(crate) fn new(relinker: &'a mut dyn Relinker) -> Self {
        Self { relinker, copies: None }
    }

    /// Replaces handles of copied objects by those of the copies, and asks `others` for the rest.
    #[inline]
    pub(crate) fn to_copies(copies: &'a mut Copies, others: &'a mut dyn Relinker) -> Self {
        Self { relinker: others, copies: Some(copies) }
    }

    #[inline]
    fn copy_of(&self, raw: RawHandle) -> Option<RawHandle> {
        self.copies.as_ref()?.get(raw)
    }

    /// Replaces a strong handle.
    #[inline]
    pub fn gc<T: 'static>(&mut self, gc: &mut Gc<T>) {
        match self.copy_of(gc.raw()) {
            Some(copy) => *gc = Gc::from_raw(copy.checked::<T>()),
            None => self.ask_for_gc(gc),
        }
    }

    #[inline(never)]
    fn ask_for_gc<T: 'static>(&mut self, gc: &mut Gc<T>) {
        *gc = match &mut self.copies {
            // The object is of this type, or the handle stays as it is.
            Some(copies) => Gc::from_raw(self.relinker.reach(copies, gc.raw(), Tag::of::<T>())),
            None => Gc::from_bits(self.relinker.replace(Link::of_gc(*gc)).to_bits()),
        };
    }

    /// Replaces a weak handle.
    #[inline]
    pub fn weak<T: 'static>(&mut self, weak: &mut Weak<T>) {
        match self.copy_of(weak.raw()) {
            Some(copy) => *weak = Weak::from_raw(copy.checked::<T>()),
            None => self.ask_for_weak(weak),
        }
    }

    #[inline(never)]
    fn ask_for_weak<T: 'static>(&mut self, weak: &mut Weak<T>) {
        let typed = Some(Typed::of::<T>());
        *weak = Weak::from_bits(self.relinker.replace(Link { raw: weak.raw(), typed }).to_bits());
    }

    /// Replaces a handle whose type is known only at run time.
    pub fn any(&mut self, any: &mut AnyGc) {
        let raw = any.raw();
        *any = AnyGc::from_raw(match (self.copy_of(raw), &mut self.copies) {
            (Some(copy), _) => copy,
            (None, Some(copies)) => self.relinker.reach(copies, raw, Tag::NONE),
            (None, None) => self.relinker.replace(Link { raw, typed: None }),
        });
    }

    /// Replaces every handle in a field.
    #[inline]
    pub fn field<F: Trace + ?Sized>(&mut self, value: &mut F) {
        if F::HOLDS_HANDLES {
            value.relink(self);
        }
    }

    /// Reports that values of this type cannot hand out their handles: copying or loading the graph then
    /// fails with an error that names the type. This is what [`Trace::relink`] does by default.
    pub fn unsupported<F: ?Sized>(&mut self) {
        self.relinker.unsupported(type_name::<F>());
    }

    /// Replaces a weak handle that is the key of an entry; `false` if it has no replacement: the entry is
    /// removed, as after a collection.
    pub(crate) fn weak_key<T: 'static>(&mut self, weak: &mut Weak<T>) -> bool {
        self.weak(weak);
        !weak.raw().is_null()
    }

    pub(crate) fn note_table(&mut self) {
        self.relinker.note_table();
    }

    pub(crate) fn values(&self) -> Option<Values<'_>> {
        self.relinker.values()
    }

    /// An entry whose key became equal to another's was dropped.
    pub(crate) fn merged(&mut self) {
        self.relinker.merged();
    }
}

impl fmt::Debug for Links<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::{BTreeMap, BTreeSet, BinaryHeap};
    use alloc::string::String;
    use alloc::vec;
    use alloc::vec::Vec;

    use slotgc_derive::Trace;

    use crate::geometry::Granule;
    use crate::handle::Generation;
    use crate::hash::{Map, Set};
    use crate::trace::Tracer;
    use crate::weak::{Interner, WeakKeyMap, WeakSet, WeakValueMap};

    use super::*;

    fn gc<T>(number: u32) -> Gc<T> {
        Gc::from_raw(RawHandle::new(Granule::of_slot::<T>(number, 0), Generation(1)))
    }

    fn weak<T>(number: u32) -> Weak<T> {
        gc(number).downgrade()
    }

    /// Moves every object by this many pages; those in `lost` have no counterpart.
    #[derive(Default)]
    struct Mover {
        by: u32,
        lost: Vec<RawHandle>,
        replaced: usize,
        merged: usize,
        unsupported: Vec<&'static str>,
    }

    impl Relinker for Mover {
        fn replace(&mut self, link: Link) -> RawHandle {
            self.replaced += 1;
            if self.lost.contains(&link.raw) {
                return RawHandle::NULL;
            }
            let to = Granule::new(link.raw.granule().page() + self.by, link.raw.granule().in_page());
            RawHandle::new(to, link.raw.generation())
        }

        fn unsupported(&mut self, type_name: &'static str) {
            self.unsupported.push(type_name);
        }

        fn merged(&mut self) {
            self.merged += 1;
        }
    }

    fn moved<T: Trace>(mut value: T) -> T {
        let mut mover = Mover { by: 10, ..Mover::default() };
        Links::new(&mut mover).field(&mut value);
        assert!(mover.unsupported.is_empty());
        value
    }

    #[derive(Trace, Clone, Debug, PartialEq)]
    enum Shape {
        Empty,
        Tuple(Gc<u8>, u32, #[trace(skip)] Gc<u8>),
        Named { list: Vec<Option<Weak<u8>>>, any: AnyGc, pair: (String, [Gc<u16>; 2]) },
    }

    #[test]
    fn derived_code_hands_out_every_handle_but_the_skipped() {
        assert_eq!(moved(Shape::Empty), Shape::Empty);
        assert_eq!(moved(Shape::Tuple(gc(1), 2, gc(3))), Shape::Tuple(gc(11), 2, gc(3)));
        let named = |n: u32| Shape::Named {
            list: vec![None, Some(weak(n))],
            any: gc::<u32>(n).erase(),
            pair: ("x".into(), [gc(n), gc(n + 1)]),
        };
        assert_eq!(moved(named(1)), named(11));
    }

    #[test]
    fn maps_and_sets_keyed_by_handles_are_filed_again() {
        let map = moved(Map::from_iter([(gc::<u8>(1), 'a'), (gc(2), 'b')]));
        assert_eq!(map, Map::from_iter([(gc(11), 'a'), (gc(12), 'b')]));
        let nested = moved(BTreeMap::from([((1, gc::<u8>(1)), vec![gc::<u8>(2)])]));
        assert_eq!(nested, BTreeMap::from([((1, gc(11)), vec![gc(12)])]));
        let set = moved(Set::from_iter([gc::<u8>(1), gc(2)]));
        assert!(set.contains(&gc(11)) && set.contains(&gc(12)) && set.len() == 2);
        assert_eq!(moved(BTreeSet::from([weak::<u8>(1)])), BTreeSet::from([weak(11)]));
        let heap = moved(BinaryHeap::from([gc::<u8>(1), gc(1)]));
        assert_eq!(heap.into_vec(), [gc(11), gc(11)]);

        let values = moved(WeakValueMap::<_, u16>::from_iter([(gc::<u8>(1), gc(2))]));
        assert_eq!(values.get(&gc(11)), Some(weak(12)));
        let keys = moved(WeakKeyMap::from_iter([(gc::<u8>(1), gc::<u16>(2))]));
        assert_eq!(keys.get(gc(11)), Some(&gc(12)));
        let set = moved(WeakSet::from_iter([gc::<u8>(1)]));
        assert!(set.contains(gc(11)) && set.len() == 1);
        let mut interner = Interner::<u8>::new();
        interner.file(77, weak(1));
        assert_eq!(moved(interner).find(77, |_| true), Some(weak(11)));
    }

    #[test]
    fn of_entries_whose_keys_become_equal_the_first_stays_and_weak_ones_go() {
        let lost: Vec<RawHandle> = [1, 2].into_iter().map(|n| gc::<u8>(n).raw()).collect();
        let mut mover = Mover { lost, ..Mover::default() };
        let mut map = BTreeMap::from([(gc::<u8>(1), 'a'), (gc(2), 'b'), (gc(3), 'c')]);
        let mut weak_map = WeakKeyMap::from_iter([(gc::<u8>(1), 'a'), (gc(3), 'c')]);
        let mut links = Links::new(&mut mover);
        links.field(&mut map);
        links.field(&mut weak_map);
        assert_eq!(map, BTreeMap::from([(Gc::default(), 'a'), (gc(3), 'c')]));
        assert_eq!(weak_map.iter().collect::<Vec<_>>(), [(weak(3), &'c')]);
        assert_eq!((mover.merged, mover.replaced), (1, 5));
    }

    #[test]
    fn a_value_without_relink_is_named_and_one_without_handles_is_passed_by() {
        struct Foreign(Gc<u8>);

        impl Trace for Foreign {
            fn trace(&self, tracer: &mut Tracer<'_>) {
                tracer.edge(self.0);
            }
        }

        struct Plain;

        impl Trace for Plain {
            const NEEDS_TRACE: bool = false;
            const HOLDS_HANDLES: bool = false;

            fn trace(&self, _: &mut Tracer<'_>) {}
        }

        let mut mover = Mover::default();
        Links::new(&mut mover).field(&mut (vec![Foreign(gc(1))], Some(Plain)));
        assert_eq!(mover.unsupported.len(), 1);
        assert!(mover.unsupported[0].ends_with("Foreign"), "{:?}", mover.unsupported);
    }
}
