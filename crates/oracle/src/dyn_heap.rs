//! The heap's interface for objects of a type known at run time: each function makes one call of the heap,
//! and returns the result in a form that can be compared with the model.
//!
//! Functions with a type parameter are kept out of line: sixteen types, some of them
//! large, inlined into one function take minutes to compile.

pub(crate) mod deaths;
pub(crate) mod weak;

use slotgc::inspect::Path;
use slotgc::{AllocError, AnyGc, Gc, Heap, Others, Root};

use crate::contents::Contents;
use crate::kind::Kind;
use crate::link::{Link, ObjectId};
use crate::log::{Thrown, catch};
use crate::ops::{Access, How, Pick};
use crate::types::view::{Object, View};
use crate::types::{Large, Leaf, Node, Plain, of_kind};

/// Why a call returned no object: the text that came with it, if any.
pub(crate) type Gone = Option<String>;

/// A `Root` of any type.
pub(crate) trait Held {
    fn clone_held(&self) -> Box<dyn Held>;
    fn view<'h>(&self, heap: &'h Heap) -> Option<&'h dyn View>;
    fn bits(&self) -> u64;
}

impl<T: Object> Held for Root<T> {
    fn clone_held(&self) -> Box<dyn Held> {
        let clone = self.clone();
        assert!(clone == *self && clone == self.gc(), "a clone is equal to its root and to the handle");
        Box::new(clone)
    }

    fn view<'h>(&self, heap: &'h Heap) -> Option<&'h dyn View> {
        assert_eq!(heap.is_alive(self), heap.get(self).is_some());
        heap.get(self).map(|object| object as &dyn View)
    }

    fn bits(&self) -> u64 {
        assert_eq!(self.downgrade().to_bits(), self.gc().to_bits());
        self.gc().to_bits()
    }
}

/// The outcome of an allocation.
pub(crate) enum Made {
    Handle(u64),
    Rooted(Box<dyn Held>),
    /// The limit's text, and whether the value came back unharmed.
    Refused(String, bool),
    Panicked(Thrown),
}

impl Made {
    fn refused<T: Object>(refused: AllocError<T>, id: ObjectId, contents: &Contents) -> Self {
        let text = refused.to_string();
        Made::Refused(text, refused.into_inner().holds(id, contents))
    }

    /// Compares this with what had to become of an allocation: the object, with its root, or a refusal that
    /// names this limit.
    pub(crate) fn judged(self, refusal: Option<&str>) -> Option<(u64, Option<Box<dyn Held>>)> {
        match (self, refusal) {
            (Made::Handle(bits), None) => Some((bits, None)),
            (Made::Rooted(root), None) => Some((root.bits(), Some(root))),
            (Made::Refused(text, true), Some(limit)) | (Made::Panicked(Thrown::Text(text)), Some(limit)) => {
                assert!(text.contains(limit), "the refusal names the limit, {limit}: {text}");
                None
            }
            (Made::Handle(_) | Made::Rooted(_), Some(limit)) => panic!("made an object, but {limit}"),
            (Made::Refused(text, _), None) => panic!("refused without a limit: {text}"),
            (Made::Refused(_, false), _) => panic!("a refused value came back changed"),
            (Made::Panicked(thrown), _) => panic!("an allocation panicked: {thrown:?}"),
        }
    }
}

/// Makes an object; `How::OrCollect` with the source given.
pub(crate) fn alloc(
    heap: &mut Heap,
    kind: Kind,
    id: ObjectId,
    contents: &Contents,
    how: How,
    kept: &[Link],
) -> Made {
    of_kind!(kind, T => alloc_as::<T>(heap, id, contents, how, kept))
}

#[inline(never)]
fn alloc_as<T: Object>(heap: &mut Heap, id: ObjectId, contents: &Contents, how: How, kept: &[Link]) -> Made {
    let value = T::make(id, contents);
    let made = match how {
        How::Unrooted => catch(|| Ok(heap.alloc(value))),
        How::AtRoot => {
            return catch(|| heap.alloc_root(value)).map_or_else(Made::Panicked, |root| {
                check_handle(root.gc());
                Made::Rooted(Box::new(root))
            });
        }
        How::Trying => catch(|| heap.try_alloc(value)),
        How::Later => catch(|| later(heap, value)),
        How::OrCollect(_) => catch(|| heap.alloc_or_collect(value, &kept)),
    };
    match made {
        Ok(Ok(gc)) => {
            check_handle(gc);
            Made::Handle(gc.to_bits())
        }
        Ok(Err(refused)) => Made::refused(refused, id, contents),
        Err(thrown) => Made::Panicked(thrown),
    }
}

/// Makes an object that waits for the next flush.
pub(crate) fn alloc_later(heap: &Heap, kind: Kind, id: ObjectId, contents: &Contents) -> Made {
    of_kind!(kind, T => alloc_later_as::<T>(heap, id, contents))
}

#[inline(never)]
fn alloc_later_as<T: Object>(heap: &Heap, id: ObjectId, contents: &Contents) -> Made {
    match heap.try_alloc_later(T::make(id, contents)) {
        Ok(gc) => {
            check_handle(gc);
            Made::Handle(gc.to_bits())
        }
        Err(refused) => Made::refused(refused, id, contents),
    }
}

/// Makes an object through `&Heap`.
fn later<T: Object>(heap: &mut Heap, value: T) -> Result<Gc<T>, AllocError<T>> {
    let gc = heap.try_alloc_later(value)?;
    assert!(heap.get(gc).is_none() && !heap.is_alive(gc), "{gc:?} waits for the flush");
    assert_eq!(heap.flush(), 1, "one object waited");
    assert!(heap.is_alive(gc), "{gc:?} was flushed");
    Ok(gc)
}

/// Checks what holds for every handle that is handed out, whatever becomes of its object.
pub(crate) fn check_handle<T: Object>(gc: Gc<T>) {
    let weak = gc.downgrade();
    assert_eq!(Gc::from_bits(gc.to_bits()), gc, "bits and back");
    assert_eq!((weak.to_bits(), gc.erase().to_bits()), (gc.to_bits(), gc.to_bits()), "the same bits");
    assert!(Gc::from(slotmap::Key::data(&gc)) == gc, "slotmap's key and back");
    assert!(gc != Gc::default() && gc == weak, "a handle is not null and equal to its weak form");
}

/// Reads an object.
pub(crate) fn read(heap: &Heap, kind: Kind, link: Link, by: Access) -> Result<&dyn View, Gone> {
    of_kind!(kind, T => read_as::<T>(heap, link.gc(), by).map(|object| object as &dyn View))
}

#[inline(never)]
fn read_as<T: Object>(heap: &Heap, gc: Gc<T>, by: Access) -> Result<&T, Gone> {
    let weak = gc.downgrade();
    match by {
        Access::ByGc => heap.get(gc).ok_or(None),
        Access::ByWeak => heap.get(weak).ok_or(None),
        Access::ByGcRef => heap.get(&gc).ok_or(None),
        Access::ByWeakRef => heap.get(&weak).ok_or(None),
        Access::ByTry => heap.try_get(gc).map_err(|dead| Some(dead.to_string())),
        Access::ByIndex => catch(|| &heap[gc]).map_err(text_of_thrown),
        Access::ByWeakIndex => catch(|| &heap[&weak]).map_err(text_of_thrown),
    }
}

/// Reads an object to change it.
pub(crate) fn write(heap: &mut Heap, kind: Kind, link: Link, by: Access) -> Result<&mut dyn View, Gone> {
    of_kind!(kind, T => write_as::<T>(heap, link.gc(), by).map(|object| object as &mut dyn View))
}

#[inline(never)]
fn write_as<T: Object>(heap: &mut Heap, gc: Gc<T>, by: Access) -> Result<&mut T, Gone> {
    let weak = gc.downgrade();
    match by {
        Access::ByGc => heap.get_mut(gc).ok_or(None),
        Access::ByWeak => heap.get_mut(weak).ok_or(None),
        Access::ByGcRef => heap.get_mut(&gc).ok_or(None),
        Access::ByWeakRef => heap.get_mut(&weak).ok_or(None),
        Access::ByTry => heap.try_get_mut(gc).map_err(|dead| Some(dead.to_string())),
        Access::ByIndex => catch(move || &mut heap[gc]).map_err(text_of_thrown),
        Access::ByWeakIndex => catch(move || &mut heap[&weak]).map_err(text_of_thrown),
    }
}

fn text_of_thrown(thrown: Thrown) -> Gone {
    match thrown {
        Thrown::Text(text) => Some(text),
        Thrown::Injected(id) => panic!("reading an object ran user code of {id:?}"),
    }
}

/// The types that may come second in a pair with another. (All pairs would prove no more and take a minute
/// to compile.)
pub(crate) const PAIRED: [Kind; 4] = [Kind::Node, Kind::Plain, Kind::Leaf, Kind::Large];

/// Two objects to change, in the two ways there are. The second is of the same type as the first, or
/// `PAIRED`.
pub(crate) fn write_two(
    heap: &mut Heap,
    a: (Kind, Link),
    b: (Kind, Link),
) -> Option<(&mut dyn View, &mut dyn View)> {
    of_kind!(a.0, A => {
        if a.0 == b.0 {
            let [x, y] = heap.get_disjoint_mut([a.1.gc::<A>(), b.1.gc::<A>()])?;
            return Some((x, y));
        }
        match b.0 {
            Kind::Plain => pair::<A, Plain>(heap, a.1, b.1),
            Kind::Leaf => pair::<A, Leaf>(heap, a.1, b.1),
            Kind::Large => pair::<A, Large>(heap, a.1, b.1),
            Kind::Node => pair::<A, Node>(heap, a.1, b.1),
            _ => panic!("{:?} is not one of the types that are paired", b.0),
        }
    })
}

#[inline(never)]
fn pair<A: Object, B: Object>(heap: &mut Heap, a: Link, b: Link) -> Option<(&mut dyn View, &mut dyn View)> {
    let (x, y) = heap.get_pair_mut(a.gc::<A>(), b.gc::<B>().downgrade())?;
    Some((x, y))
}

/// Splits an object off and calls `f` with it and the rest.
pub(crate) fn split(
    heap: &mut Heap,
    kind: Kind,
    link: Link,
    f: &mut dyn FnMut(&mut dyn View, Others<'_>),
) -> bool {
    of_kind!(kind, T => split_as::<T>(heap, link.gc(), f))
}

#[inline(never)]
fn split_as<T: Object>(heap: &mut Heap, gc: Gc<T>, f: &mut dyn FnMut(&mut dyn View, Others<'_>)) -> bool {
    let Some((object, rest)) = heap.split_mut(gc) else { return false };
    assert!(rest.is_alive(gc) && rest.upgrade(gc.downgrade()) == Some(gc), "what is split off is alive");
    assert!(rest.get(gc).is_none(), "what is split off is not among the others");
    let indexed = catch(|| rest[gc].holds(ObjectId(0), &Contents::default()));
    let split_off = matches!(&indexed, Err(Thrown::Text(text)) if text.contains("split off"));
    assert!(split_off, "indexing what is split off says so, not {indexed:?}");
    f(object, rest);
    true
}

/// Reads an object among the others, in both ways.
pub(crate) fn read_beside<'o>(
    rest: &'o mut Others<'_>,
    kind: Kind,
    link: Link,
) -> (bool, Option<&'o dyn View>) {
    of_kind!(kind, T => {
        let gc = link.gc::<T>();
        let written = rest.get_mut(gc).is_some();
        let alive = rest.is_alive(gc);
        (alive, rest.get(gc.downgrade()).map(|object| object as &dyn View).filter(|_| written))
    })
}

/// An object among the others, to change it.
pub(crate) fn write_beside<'o>(rest: &'o mut Others<'_>, kind: Kind, link: Link) -> Option<&'o mut dyn View> {
    of_kind!(kind, T => rest.get_mut(link.gc::<T>()).map(|object| object as &mut dyn View))
}

/// Sets how many bytes an object owns.
pub(crate) fn set_owned_bytes(heap: &mut Heap, kind: Kind, link: Link, bytes: usize) -> bool {
    of_kind!(kind, T => heap.set_owned_bytes(link.gc::<T>(), bytes))
}

/// Makes an object beside the one split off.
pub(crate) fn alloc_beside(rest: &mut Others<'_>, kind: Kind, id: ObjectId, contents: &Contents) -> Made {
    of_kind!(kind, T => alloc_beside_as::<T>(rest, id, contents)).map_or_else(Made::Panicked, Made::Handle)
}

#[inline(never)]
fn alloc_beside_as<T: Object>(
    rest: &mut Others<'_>,
    id: ObjectId,
    contents: &Contents,
) -> Result<u64, Thrown> {
    catch(|| rest.alloc(T::make(id, contents)).to_bits())
}

/// Makes an object that knows its own handle: `make` gets the heap and the handle's bits.
pub(crate) fn alloc_cyclic(
    heap: &mut Heap,
    kind: Kind,
    make: &mut dyn FnMut(&mut Heap, u64) -> (ObjectId, Contents),
) -> Result<u64, Thrown> {
    of_kind!(kind, T => alloc_cyclic_as::<T>(heap, make))
}

#[inline(never)]
fn alloc_cyclic_as<T: Object>(
    heap: &mut Heap,
    make: &mut dyn FnMut(&mut Heap, u64) -> (ObjectId, Contents),
) -> Result<u64, Thrown> {
    let gc = catch(|| {
        heap.alloc_cyclic(|heap, gc: Gc<T>| {
            let (id, contents) = make(heap, gc.to_bits());
            T::make(id, &contents)
        })
    })?;
    check_handle(gc);
    Ok(gc.to_bits())
}

/// Calls `f` with every object of a kind, to be changed, in the heap's order.
pub(crate) fn for_each_mut(heap: &mut Heap, kind: Kind, f: &mut dyn FnMut(u64, &mut dyn View)) {
    of_kind!(kind, T => heap.iter_mut::<T>().for_each(|(gc, object)| f(gc.to_bits(), object)));
}

/// Calls `f` with every object of a kind, in the heap's order. Returns `len_of`.
pub(crate) fn for_each(heap: &Heap, kind: Kind, f: &mut dyn FnMut(u64, &dyn View)) -> usize {
    of_kind!(kind, T => {
        heap.iter::<T>().for_each(|(gc, object)| f(gc.to_bits(), object));
        heap.len_of::<T>()
    })
}

/// A heap's answers about a handle.
pub(crate) struct Asked<'h> {
    pub(crate) view: Option<&'h dyn View>,
    pub(crate) is_alive: bool,
    pub(crate) upgrades_to: Option<u64>,
    pub(crate) downcasts_to: Option<u64>,
    pub(crate) is_alive_any: bool,
    pub(crate) watch_count: usize,
}

/// Asks all that can be asked of a handle.
pub(crate) fn ask(heap: &Heap, kind: Kind, link: Link) -> Asked<'_> {
    of_kind!(kind, T => ask_as::<T>(heap, link.gc()))
}

#[inline(never)]
fn ask_as<T: Object>(heap: &Heap, gc: Gc<T>) -> Asked<'_> {
    Asked {
        view: heap.get(gc).map(|object| object as &dyn View),
        is_alive: heap.is_alive(gc),
        upgrades_to: heap.upgrade(gc.downgrade()).map(Gc::to_bits),
        downcasts_to: downcast_as::<T>(heap, gc.erase()),
        is_alive_any: heap.is_alive_any(gc.erase()),
        watch_count: heap.watch_count(gc),
    }
}

/// Asks whether the object is of a kind.
pub(crate) fn downcast(heap: &Heap, kind: Kind, any: AnyGc) -> Option<u64> {
    of_kind!(kind, T => downcast_as::<T>(heap, any))
}

/// Asks what keeps the object alive.
pub(crate) fn why_alive(heap: &Heap, kind: Kind, any: AnyGc) -> Option<Path> {
    of_kind!(kind, T => heap.why_alive(Gc::<T>::from_bits(any.to_bits())))
}

#[inline(never)]
fn downcast_as<T: Object>(heap: &Heap, any: AnyGc) -> Option<u64> {
    heap.downcast::<T>(any).map(Gc::to_bits)
}

/// Roots an object.
pub(crate) fn root(heap: &Heap, kind: Kind, link: Link) -> Option<Box<dyn Held>> {
    of_kind!(kind, T => heap.root(link.gc::<T>()).map(|root| Box::new(root) as Box<dyn Held>))
}

/// Ends an object and returns its value.
pub(crate) fn destroy(heap: &mut Heap, kind: Kind, link: Link) -> Option<Box<dyn View>> {
    of_kind!(kind, T => destroy_as::<T>(heap, link.gc()))
}

#[inline(never)]
fn destroy_as<T: Object>(heap: &mut Heap, gc: Gc<T>) -> Option<Box<dyn View>> {
    heap.destroy(gc).map(|object| Box::new(object) as Box<dyn View>)
}

/// Whether the two handles are equal, each way that they can be compared.
pub(crate) fn are_equal(kind: Kind, a: Link, b: Link) -> [bool; 5] {
    of_kind!(kind, T => {
        let (x, y) = (a.gc::<T>(), b.gc::<T>());
        let (v, w) = (x.downgrade(), y.downgrade());
        [x == y, x == w, v == y, x.erase() == y.erase(), x.cmp(&y).is_eq() && v.cmp(&w).is_eq()]
    })
}

/// The handle that this way to make an object keeps outside, if any.
pub(crate) fn kept_by(how: How) -> Option<Pick> {
    match how {
        How::OrCollect(pick) => Some(pick),
        How::Unrooted | How::AtRoot | How::Trying | How::Later => None,
    }
}
