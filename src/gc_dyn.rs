//! Handles of objects behind a trait: [`GcDyn`], [`WeakDyn`] and [`RootDyn`].
//!
//! Beside the object's handle is the address of a [`Cast`]: a table of functions for the object's type, made
//! where the type was known. Invariant: the handle is that of a `T`, and the table that of the same `T`. Only
//! the two constructors combine them, so a handle always reads an object of its own type, checked like any
//! other by the type's tag and the generation. No `unsafe`.

mod root;

use core::any::TypeId;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;

use crate::config::{Cause, Dead, Obituary};
use crate::handle::{AnyGc, Gc, RawHandle, ShortName, Weak};
use crate::store::{Barrier, Store};
use crate::trace::{Components, Inspector, Links, Trace, Tracer};
pub use root::RootDyn;

/// Turns a `&T` into a `&dyn YourTrait`. [`gc_dyn!`](crate::gc_dyn) implements it for a trait object and
/// every type that implements the trait.
pub trait CastFrom<T>: 'static {
    /// The object behind the trait.
    fn cast_from(object: &T) -> &Self;

    /// The object behind the trait, mutably.
    fn cast_from_mut(object: &mut T) -> &mut Self;
}

/// Allows objects behind a trait: needed by [`GcDyn`](crate::GcDyn), once for each trait. For a foreign
/// trait, make it a supertrait of one of your own first.
///
/// # Examples
/// A generic trait is named with its parameters:
/// ```
/// use slotgc::{GcDyn, Heap, gc_dyn};
///
/// trait System<World> {
///     fn run(&mut self, world: &mut World);
/// }
/// gc_dyn!(<World: 'static> dyn System<World>);
///
/// impl System<u32> for u8 {
///     fn run(&mut self, world: &mut u32) {
///         *self += 1;
///         *world += u32::from(*self);
///     }
/// }
///
/// let mut heap = Heap::new();
/// let system: GcDyn<dyn System<u32>> = heap.alloc(1_u8).into();
/// let mut world = 10;
/// heap[system].run(&mut world);
/// assert_eq!(world, 12);
/// ```
#[macro_export]
macro_rules! gc_dyn {
    (<$($param:ident $(: $bound:tt $(+ $more:tt)*)?),+ $(,)?> dyn $($of:tt)+) => {
        $crate::gc_dyn!(@ [$($param $(: $bound $(+ $more)*)?),+] $($of)+);
    };
    (dyn $($of:tt)+) => {
        $crate::gc_dyn!(@ [] $($of)+);
    };
    (@ [$($generics:tt)*] $($of:tt)+) => {
        impl<SlotGcObject: $crate::Trace + $($of)+, $($generics)*> $crate::CastFrom<SlotGcObject>
            for dyn $($of)+
        {
            fn cast_from(object: &SlotGcObject) -> &Self {
                object
            }

            fn cast_from_mut(object: &mut SlotGcObject) -> &mut Self {
                object
            }
        }
    };
}

/// The operations on a handle of one type, for code that knows only the trait.
struct Cast<D: ?Sized> {
    get: fn(&Store, RawHandle) -> Option<&D>,
    get_mut: fn(&mut Store, RawHandle) -> Option<&mut D>,
    edge: fn(&mut Tracer<'_>, RawHandle),
    inspect: fn(&mut Inspector<'_>, RawHandle, Strength),
    relink: fn(&mut Links<'_>, RawHandle, Strength) -> RawHandle,
    is_of: fn(TypeId) -> bool,
    dead: fn(RawHandle, Cause) -> Dead,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Strength {
    Strong,
    Weak,
}

/// The table for one type.
struct Of<T, D: ?Sized>(PhantomData<T>, PhantomData<D>);

impl<T: Trace, D: ?Sized + CastFrom<T>> Of<T, D> {
    const CAST: Cast<D> = Cast {
        get: |store, raw| store.look().get::<T>(raw).map(D::cast_from),
        get_mut: |store, raw| store.get_mut::<T>(raw, Barrier::of(T::NEEDS_TRACE)).map(D::cast_from_mut),
        edge: |tracer, raw| tracer.edge(Gc::<T>::from_raw(raw)),
        inspect: |inspector, raw, strength| match strength {
            Strength::Strong => inspector.edge(Gc::<T>::from_raw(raw)),
            Strength::Weak => inspector.weak(Weak::<T>::from_raw(raw)),
        },
        relink: |links, raw, strength| match strength {
            Strength::Strong => {
                let mut gc = Gc::<T>::from_raw(raw);
                links.gc(&mut gc);
                gc.raw()
            }
            Strength::Weak => {
                let mut weak = Weak::<T>::from_raw(raw);
                links.weak(&mut weak);
                weak.raw()
            }
        },
        is_of: |id| id == TypeId::of::<T>(),
        dead: |raw, cause| Dead::new::<T>(raw, cause, Obituary::default()),
    };
}

impl<D: ?Sized> Cast<D> {
    /// For handles that name nothing.
    const NULL: Self = Self {
        get: |_, _| None,
        get_mut: |_, _| None,
        edge: |_, _| {},
        inspect: |_, _, _| {},
        relink: |_, raw, _| raw,
        is_of: |_| false,
        dead: |raw, cause| Dead::new::<D>(raw, cause, Obituary::default()),
    };
}

/// A handle of an object behind a trait: a [`Gc`] of which only the trait is known.
///
/// Sixteen bytes, `Copy`. A strong edge when it is stored inside an object. Made from a `Gc` with `into` or
/// [`new`](Self::new), for a trait for which [`gc_dyn!`](crate::gc_dyn) was invoked; read and changed by
/// [`Heap::get_dyn`](crate::Heap::get_dyn), [`get_dyn_mut`](crate::Heap::get_dyn_mut) and `heap[handle]`. An
/// access costs one call through a pointer more than with a `Gc`. Nothing is boxed: the object lies among the
/// others of its type, and its `Gc` still names it.
///
/// Equal, ordered and hashed by the object's identity. Copied and rolled back with its graph. It cannot be
/// saved, since no format knows which type to read: save the `Gc`, or an enum of them.
///
/// # Examples
/// ```
/// use slotgc::{Gc, GcDyn, Heap, Trace, gc_dyn};
///
/// trait Behaviour {
///     fn act(&mut self) -> u32;
/// }
/// gc_dyn!(dyn Behaviour);
///
/// #[derive(Trace)]
/// struct Follow { whom: Gc<String>, steps: u32 }
/// #[derive(Trace)]
/// struct Wait;
///
/// impl Behaviour for Follow {
///     fn act(&mut self) -> u32 { self.steps += 1; self.steps }
/// }
/// impl Behaviour for Wait {
///     fn act(&mut self) -> u32 { 0 }
/// }
///
/// #[derive(Trace)]
/// struct Mob { behaviours: Vec<GcDyn<dyn Behaviour>> }
///
/// let mut heap = Heap::new();
/// let whom = heap.alloc("Teddy".to_string());
/// let follow = heap.alloc(Follow { whom, steps: 0 });
/// let wait = heap.alloc(Wait);
/// let mob = heap.alloc_root(Mob { behaviours: vec![follow.into(), wait.into()] });
/// heap.collect();
///
/// let behaviours = heap[&mob].behaviours.clone();
/// let acted: Vec<_> = behaviours.iter().map(|behaviour| heap[behaviour].act()).collect();
/// assert_eq!(acted, [1, 0]);
/// assert_eq!(heap[follow].steps, 1);
/// assert_eq!(behaviours[0].downcast(), Some(follow));
/// ```
pub struct GcDyn<D: ?Sized + 'static> {
    raw: RawHandle,
    cast: &'static Cast<D>,
}

/// A [`GcDyn`] that keeps nothing alive: a [`Weak`] behind a trait.
///
/// # Examples
/// ```
/// use slotgc::{GcDyn, Heap, WeakDyn, gc_dyn};
///
/// trait Named { fn name(&self) -> &str; }
/// gc_dyn!(dyn Named);
/// impl Named for String { fn name(&self) -> &str { self } }
///
/// let mut heap = Heap::new();
/// let bear = heap.alloc_root("Teddy".to_string());
/// let target: WeakDyn<dyn Named> = bear.downgrade().into();
/// assert_eq!(heap.get_dyn(target).map(|named| named.name()), Some("Teddy"));
/// drop(bear);
/// heap.collect();
/// assert!(heap.get_dyn(target).is_none());
/// ```
pub struct WeakDyn<D: ?Sized + 'static> {
    raw: RawHandle,
    cast: &'static Cast<D>,
}

const _: () = {
    assert!(size_of::<GcDyn<dyn Send>>() <= 16 && size_of::<Option<GcDyn<dyn Send>>>() <= 16);
    const fn is_send_and_sync<T: Send + Sync + Unpin>() {}
    is_send_and_sync::<GcDyn<dyn fmt::Debug>>();
    is_send_and_sync::<WeakDyn<dyn fmt::Debug>>();
};

impl<D: ?Sized> GcDyn<D> {
    /// The handle of the same object, behind the trait.
    #[inline]
    pub fn new<T: Trace>(gc: Gc<T>) -> Self
    where
        D: CastFrom<T>,
    {
        Self { raw: gc.raw(), cast: const { &Of::<T, D>::CAST } }
    }

    /// The weak handle of the same object.
    #[inline]
    pub fn downgrade(self) -> WeakDyn<D> {
        WeakDyn { raw: self.raw, cast: self.cast }
    }

    /// The same handle without its type and trait.
    #[inline]
    pub fn erase(self) -> AnyGc {
        AnyGc::from_raw(self.raw)
    }

    /// The handle with its type, if it was made from one of that type; whether it resolves or not.
    pub fn downcast<T: Trace>(self) -> Option<Gc<T>> {
        (self.cast.is_of)(TypeId::of::<T>()).then(|| Gc::from_raw(self.raw))
    }
}

impl<D: ?Sized> WeakDyn<D> {
    /// The handle of the same object, behind the trait.
    #[inline]
    pub fn new<T: Trace>(weak: Weak<T>) -> Self
    where
        D: CastFrom<T>,
    {
        Self { raw: weak.raw(), cast: const { &Of::<T, D>::CAST } }
    }

    /// A handle that never resolves.
    pub fn dangling() -> Self {
        Self { raw: RawHandle::NULL, cast: const { &Cast::NULL } }
    }

    /// The handle with its type, if it was made from one of that type; whether it resolves or not.
    pub fn downcast<T: Trace>(self) -> Option<Weak<T>> {
        (self.cast.is_of)(TypeId::of::<T>()).then(|| Weak::from_raw(self.raw))
    }

    /// The strong handle with the same identity, whether or not it resolves.
    #[inline]
    pub(crate) fn assume_strong(self) -> GcDyn<D> {
        GcDyn { raw: self.raw, cast: self.cast }
    }

    #[inline]
    pub(crate) fn get(self, store: &Store) -> Option<&D> {
        (self.cast.get)(store, self.raw)
    }

    /// Passes the write barrier.
    #[inline]
    pub(crate) fn get_mut(self, store: &mut Store) -> Option<&mut D> {
        (self.cast.get_mut)(store, self.raw)
    }

    #[cold]
    pub(crate) fn dead(self, cause: Cause) -> Dead {
        (self.cast.dead)(self.raw, cause)
    }
}

impl<D: ?Sized> Default for GcDyn<D> {
    /// The null handle, which never resolves.
    fn default() -> Self {
        WeakDyn::dangling().assume_strong()
    }
}

impl<D: ?Sized> Default for WeakDyn<D> {
    /// A handle that never resolves.
    fn default() -> Self {
        Self::dangling()
    }
}

impl<T: Trace, D: ?Sized + CastFrom<T>> From<Gc<T>> for GcDyn<D> {
    fn from(gc: Gc<T>) -> Self {
        Self::new(gc)
    }
}

impl<T: Trace, D: ?Sized + CastFrom<T>> From<Weak<T>> for WeakDyn<D> {
    fn from(weak: Weak<T>) -> Self {
        Self::new(weak)
    }
}

impl<D: ?Sized> From<GcDyn<D>> for WeakDyn<D> {
    fn from(gc: GcDyn<D>) -> Self {
        gc.downgrade()
    }
}

impl<D: ?Sized> From<GcDyn<D>> for AnyGc {
    fn from(gc: GcDyn<D>) -> Self {
        gc.erase()
    }
}

/// A strong edge.
impl<D: ?Sized + 'static> Trace for GcDyn<D> {
    #[inline]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        (self.cast.edge)(tracer, self.raw);
    }

    fn inspect(&self, inspector: &mut Inspector<'_>) {
        (self.cast.inspect)(inspector, self.raw, Strength::Strong);
    }

    fn relink(&mut self, links: &mut Links<'_>) {
        self.raw = (self.cast.relink)(links, self.raw, Strength::Strong);
    }

    fn relinks_edges(_: &mut Components) -> bool {
        true
    }
}

/// A weak handle is not an edge.
impl<D: ?Sized + 'static> Trace for WeakDyn<D> {
    const NEEDS_TRACE: bool = false;

    fn trace(&self, _: &mut Tracer<'_>) {}

    fn inspect(&self, inspector: &mut Inspector<'_>) {
        (self.cast.inspect)(inspector, self.raw, Strength::Weak);
    }

    fn relink(&mut self, links: &mut Links<'_>) {
        self.raw = (self.cast.relink)(links, self.raw, Strength::Weak);
    }

    fn relinks_edges(_: &mut Components) -> bool {
        true
    }
}

mod sealed {
    pub trait Sealed {}
}

/// Anything that names an object behind a trait: [`GcDyn`], [`WeakDyn`], `&RootDyn`, and references to them,
/// however deep. The counterpart of [`Handle`](crate::Handle).
pub trait DynHandle: Copy + sealed::Sealed {
    /// The trait object.
    type Dyn: ?Sized + 'static;

    /// The weak handle of the object.
    fn downgrade(self) -> WeakDyn<Self::Dyn>;

    /// Which message to use where it does not resolve.
    #[doc(hidden)]
    fn is_strong(self) -> bool;

    /// Whether it may name an object of the heap with this number.
    #[doc(hidden)]
    fn is_of(self, _heap: u64) -> bool {
        true
    }

    /// Whether it is known to belong to a heap with another number.
    #[doc(hidden)]
    fn is_foreign(self, _heap: u64) -> bool {
        false
    }
}

impl<H: sealed::Sealed> sealed::Sealed for &H {}

impl<H: DynHandle> DynHandle for &H {
    type Dyn = H::Dyn;

    fn downgrade(self) -> WeakDyn<H::Dyn> {
        (*self).downgrade()
    }

    fn is_strong(self) -> bool {
        (*self).is_strong()
    }

    fn is_of(self, heap: u64) -> bool {
        (*self).is_of(heap)
    }

    fn is_foreign(self, heap: u64) -> bool {
        (*self).is_foreign(heap)
    }
}

/// What both handles have in common.
macro_rules! handles {
    ($($handle:ident: $is_strong:literal),*) => {$(
        impl<D: ?Sized> Clone for $handle<D> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<D: ?Sized> Copy for $handle<D> {}

        impl<D: ?Sized> PartialEq for $handle<D> {
            fn eq(&self, other: &Self) -> bool {
                self.raw == other.raw
            }
        }

        impl<D: ?Sized> Eq for $handle<D> {}

        impl<D: ?Sized> PartialOrd for $handle<D> {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl<D: ?Sized> Ord for $handle<D> {
            fn cmp(&self, other: &Self) -> Ordering {
                self.raw.cmp(&other.raw)
            }
        }

        impl<D: ?Sized> Hash for $handle<D> {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.raw.hash(state);
            }
        }

        impl<D: ?Sized> fmt::Debug for $handle<D> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}<{}>({})", stringify!($handle), ShortName::of::<D>(), self.raw)
            }
        }

        impl<D: ?Sized> fmt::Display for $handle<D> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.raw, f)
            }
        }

        impl<D: ?Sized> sealed::Sealed for $handle<D> {}

        impl<D: ?Sized + 'static> DynHandle for $handle<D> {
            type Dyn = D;

            fn downgrade(self) -> WeakDyn<D> {
                self.into()
            }

            fn is_strong(self) -> bool {
                $is_strong
            }
        }
    )*};
}

handles!(GcDyn: true, WeakDyn: false);
