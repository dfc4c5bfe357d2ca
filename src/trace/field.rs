//! What may be a field of an object: how derived code handles a field, and the compiler's message where it
//! cannot.
//!
//! A `Root`, an `Rc` and std's cells cannot be part of an object, each for its own reason. Instead of having
//! no impl, they have one under a bound that they do not meet: the bound brings its own message and a list of
//! types that meet it, whereas `Trace` has the same message for every type. The methods of those impls never
//! run.

use core::cell::{Cell, OnceCell, RefCell, UnsafeCell};
use core::sync::atomic;

use alloc::rc::Rc;

use crate::handle::{Gc, Weak};
use crate::root::Root;
use crate::sync::Arc;
use crate::trace::{Components, Inspector, Links, Liveness, Trace, Tracer};

/// Stands for the deriving type, whatever it is.
#[derive(Debug)]
pub struct Object;

/// Derived code requires this of every field instead of `F: Trace`. Where it fails, the bound at the root of
/// the failure is about another type than `Object`; only then does the compiler print that bound's message.
pub trait HasField<F: ?Sized> {
    /// `F::NEEDS_TRACE`. The name is for types that own each other in a circle: the compiler then names only
    /// the constants that form it.
    const IF_THIS_IS_A_CYCLE_ADD_TRACE_RECURSIVE: bool;
    /// `F::HOLDS_HANDLES`.
    const IF_THIS_IS_A_CYCLE_ADD_TRACE_RECURSIVE_HOLDS: bool;
    /// `F::OWNS`.
    const IF_THIS_IS_A_CYCLE_ADD_TRACE_RECURSIVE_OWNS: bool;

    /// Traces the field.
    fn trace(field: &F, tracer: &mut Tracer<'_>);

    /// Prunes the field.
    fn prune(field: &mut F, live: &Liveness<'_>);

    /// Bytes that the field owns.
    fn owned_bytes(field: &F) -> usize;

    /// Inspects the field under this name.
    fn inspect(field: &F, name: &'static str, inspector: &mut Inspector<'_>);

    /// Replaces the handles in the field.
    fn relink(field: &mut F, links: &mut Links<'_>);

    /// Whether that hands out exactly the edges of the field.
    fn relinks_edges(components: &mut Components) -> bool;
}

impl<F: Trace + ?Sized> HasField<F> for Object {
    const IF_THIS_IS_A_CYCLE_ADD_TRACE_RECURSIVE: bool = F::NEEDS_TRACE;
    const IF_THIS_IS_A_CYCLE_ADD_TRACE_RECURSIVE_HOLDS: bool = F::HOLDS_HANDLES;
    const IF_THIS_IS_A_CYCLE_ADD_TRACE_RECURSIVE_OWNS: bool = F::OWNS;

    #[inline(always)]
    fn trace(field: &F, tracer: &mut Tracer<'_>) {
        if F::NEEDS_TRACE {
            field.trace(tracer);
        }
    }

    #[inline(always)]
    fn prune(field: &mut F, live: &Liveness<'_>) {
        field.prune(live);
    }

    #[inline]
    fn owned_bytes(field: &F) -> usize {
        if F::OWNS { field.owned_bytes() } else { 0 }
    }

    #[inline]
    fn inspect(field: &F, name: &'static str, inspector: &mut Inspector<'_>) {
        inspector.field(name, field);
    }

    #[inline]
    fn relink(field: &mut F, links: &mut Links<'_>) {
        links.field(field);
    }

    fn relinks_edges(components: &mut Components) -> bool {
        components.relink_edges::<F>()
    }
}

/// Any object, in messages about the handles that it may hold.
#[derive(Debug)]
pub struct Objects;

/// The handles that objects may hold: all but a `Root`.
#[diagnostic::on_unimplemented(
    message = "`{Handle}` cannot be stored inside an object: what holds itself through a `Root` is never freed",
    label = "a root inside the heap",
    note = "store a `Gc` (`root.gc()`): inside an object it keeps its target alive for as long as the object itself lives"
)]
pub trait MayHold<Handle> {}
impl<T> MayHold<Gc<T>> for Objects {}
impl<T> MayHold<Weak<T>> for Objects {}

#[doc(hidden)]
impl<T: 'static> Trace for Root<T>
where
    Objects: MayHold<Root<T>>,
{
    fn trace(&self, _: &mut Tracer<'_>) {}
}

/// What may change inside an object through a shared reference. None of std's cells is `Sync`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored inside an object: objects are changed through `&mut Heap`, not through `&`",
    label = "not `Sync`, and not needed in an object",
    note = "make it a plain field, and change it by `heap[handle].field = ..` or `heap.get_mut(handle)`"
)]
pub trait SharedMutability: Send + Sync {}
impl SharedMutability for atomic::AtomicBool {}
impl SharedMutability for atomic::AtomicU32 {}
impl SharedMutability for atomic::AtomicUsize {}
#[cfg(feature = "std")]
impl<T: Trace> SharedMutability for std::sync::Mutex<T> {}
#[cfg(feature = "std")]
impl<T: Trace> SharedMutability for std::sync::RwLock<T> {}
#[cfg(feature = "std")]
impl<T: Trace> SharedMutability for std::sync::OnceLock<T> {}
#[cfg(feature = "std")]
impl<T: Trace> SharedMutability for crate::trace::GcRwLock<T> {}

/// What may be shared between objects, and between them and others.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored inside an object: a heap may be used from several threads",
    label = "an `Rc` belongs to one thread",
    note = "to share an object store its `Gc`, to share data that holds no handles an `Arc`"
)]
pub trait SharedData: Send + Sync {}
impl<T> SharedData for Gc<T> {}
impl<T: ?Sized + Send + Sync> SharedData for Arc<T> {}

/// Impls that never apply, under a bound that is not met.
macro_rules! refused {
    ($([$($size:tt)*] $ty:ident: $bound:ident),* $(,)?) => {$(
        #[doc(hidden)]
        impl<T: $($size)* 'static> Trace for $ty<T>
        where
            $ty<T>: $bound,
        {
            fn trace(&self, _: &mut Tracer<'_>) {}
        }
    )*};
}

refused! {
    [?Sized +] Cell: SharedMutability,
    [?Sized +] RefCell: SharedMutability,
    [?Sized +] UnsafeCell: SharedMutability,
    [] OnceCell: SharedMutability,
    [?Sized +] Rc: SharedData,
}
