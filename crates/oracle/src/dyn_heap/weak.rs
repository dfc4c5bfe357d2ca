//! Canonicalising and interning: the calls of the heap that take a handle of a weak collection.

use slotgc::{Gc, Heap, Relinked, Schema};

use crate::contents::Contents;
use crate::dyn_heap::{Made, check_handle};
use crate::kind::Kind;
use crate::link::{Link, ObjectId};
use crate::log::{Thrown, catch};
use crate::ops::{Interning, Sort};
use crate::outside::Outside;
use crate::types::containers::Number;
use crate::types::containers::Tag;
use crate::types::view::Object;
use crate::types::view::View;
use crate::types::{Chunk, KeyMap, Name, Names, Node, Plain, Set, Small, ValueMap, Zero};

/// What `get_or_alloc` returns; `make` gets the heap.
pub(crate) fn get_or_alloc(
    heap: &mut Heap,
    map: Link,
    (key, edge): (u8, Option<Link>),
    make: &mut dyn FnMut(&mut Heap) -> (ObjectId, Contents),
) -> Result<u64, Thrown> {
    let map = map.gc::<ValueMap>();
    let tag = Tag::new(key, edge);
    let gc = catch(|| {
        heap.get_or_alloc(map, tag, |heap, tag| {
            assert_eq!(tag.number(), key, "`make` gets the key");
            let (id, contents) = make(heap);
            Node::make(id, &contents)
        })
    })?;
    check_handle(gc);
    Ok(gc.to_bits())
}

/// What `get_or_try_alloc` returns; the inner error is `make`'s.
pub(crate) fn get_or_try(
    heap: &mut Heap,
    map: Link,
    key: u8,
    make: &mut dyn FnMut(&mut Heap) -> Option<Link>,
) -> Result<Option<u64>, Thrown> {
    let map = map.gc::<ValueMap>().downgrade();
    let given = |link: Link| -> Gc<Node> { link.gc() };
    catch(|| heap.get_or_try_alloc(map, &Number(key), |heap| make(heap).map(given).ok_or(())))
        .map(|given| given.ok().map(Gc::to_bits))
}

/// The outcome of interning a name.
#[derive(Debug)]
pub(crate) enum Interned {
    Found(Option<u64>),
    /// The limit's text, and whether the value came back unharmed.
    Refused(String, bool),
}

/// Interns a name. If that makes an object, it is this one.
pub(crate) fn intern(
    heap: &mut Heap,
    table: Link,
    id: ObjectId,
    name: u8,
    by: Interning,
) -> Result<Interned, Thrown> {
    let table = table.gc::<Names>();
    let named = |name| Contents { name, ..Contents::default() };
    let found = |gc: Gc<Name>| Interned::Found(Some(gc.to_bits()));
    match by {
        Interning::ByValue => catch(|| heap.intern(table, Name::make(id, &named(name)))).map(found),
        Interning::ByTrying => catch(|| heap.try_intern(table, Name::make(id, &named(name)))).map(|gc| {
            gc.map_or_else(
                |refused| {
                    let text = refused.to_string();
                    Interned::Refused(text, View::holds(&refused.into_inner(), id, &named(name)))
                },
                found,
            )
        }),
        Interning::ByMaking(other) => {
            let make = |asked: &u8| {
                assert_eq!(*asked, name, "`make` gets what was asked for");
                Name::make(id, &named(other))
            };
            catch(|| heap.intern_with(table, &name, make)).map(found)
        }
        Interning::Looking => {
            catch(|| heap.interned(table, &name)).map(|gc| Interned::Found(gc.map(Gc::to_bits)))
        }
    }
}

/// Replaces a collection outside of the heap with a clone of an object that is one.
pub(crate) fn copy_out(heap: &Heap, table: Link, sort: Sort, outside: &mut Outside) {
    match sort {
        Sort::OfValues => outside.values = heap[table.gc::<ValueMap>()].clone(),
        Sort::OfKeys => outside.keys = heap[table.gc::<KeyMap>()].clone(),
        Sort::OfElements => outside.set = heap[table.gc::<Set>()].clone(),
        Sort::OfNames => outside.names = heap[table.gc::<Names>()].clone(),
    }
}

/// Makes an object from a clone of the collection outside.
pub(crate) fn copy_in(heap: &mut Heap, sort: Sort, outside: &Outside) -> Option<u64> {
    Some(match sort {
        Sort::OfValues => heap.try_alloc(outside.values.clone()).ok()?.to_bits(),
        Sort::OfKeys => heap.try_alloc(outside.keys.clone()).ok()?.to_bits(),
        Sort::OfElements => heap.try_alloc(outside.set.clone()).ok()?.to_bits(),
        Sort::OfNames => heap.try_alloc(outside.names.clone()).ok()?.to_bits(),
    })
}

/// Makes an object of a clone of one that is a weak collection.
pub(crate) fn clone_table(heap: &mut Heap, table: Link, sort: Sort) -> Made {
    match sort {
        Sort::OfValues => clone_as::<ValueMap>(heap, table),
        Sort::OfKeys => clone_as::<KeyMap>(heap, table),
        Sort::OfElements => clone_as::<Set>(heap, table),
        Sort::OfNames => clone_as::<Names>(heap, table),
    }
}

#[inline(never)]
fn clone_as<T: Object + Clone>(heap: &mut Heap, table: Link) -> Made {
    let made = catch(|| {
        let copy = heap[table.gc::<T>()].clone();
        heap.try_alloc(copy)
    });
    match made {
        Ok(Ok(gc)) => Made::Handle(gc.to_bits()),
        Ok(Err(refused)) => Made::Refused(refused.to_string(), true),
        Err(thrown) => Made::Panicked(thrown),
    }
}

/// What copying a graph gave.
pub(crate) enum Copied {
    /// From originals to copies.
    Made(Relinked),
    /// The error's text.
    Refused(String),
    Panicked(Thrown),
}

/// Copies what a `Plain` reaches.
pub(crate) fn clone_graph(heap: &mut Heap, link: Link) -> Copied {
    let schema = Schema::new().with::<Plain>("plain").with::<Chunk>("chunk").with::<Small>("small");
    let schema = schema.with::<Zero>("zero").with::<ValueMap>("values");
    match catch(|| heap.clone_graph(link.gc::<Plain>(), &schema)) {
        Ok(Ok((copy, relinked))) => {
            assert_eq!(relinked.get(link.gc()), Some(copy), "the copy of the first");
            Copied::Made(relinked)
        }
        Ok(Err(error)) => Copied::Refused(error.to_string()),
        Err(thrown) => Copied::Panicked(thrown),
    }
}

/// The kinds that it copies.
pub(crate) const COPIED: [Kind; 5] = [Kind::Plain, Kind::Chunk, Kind::Small, Kind::Zero, Kind::ValueMap];

impl Sort {
    /// That of the objects of a kind that are nothing but a weak collection.
    pub(crate) fn of(kind: Kind) -> Option<Self> {
        let sorts = [Sort::OfValues, Sort::OfKeys, Sort::OfElements, Sort::OfNames];
        sorts.into_iter().find(|sort| sort.kind() == kind)
    }

    /// The kind of objects that are nothing but such a collection.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Sort::OfValues => Kind::ValueMap,
            Sort::OfKeys => Kind::KeyMap,
            Sort::OfElements => Kind::Set,
            Sort::OfNames => Kind::Names,
        }
    }
}
