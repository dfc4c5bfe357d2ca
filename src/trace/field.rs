//! What may be a field of an object: the way derived code goes, and what the compiler says where it ends.
//!
//! A `Root`, an `Rc` and std's cells are no part of an object, and each has its reason. An impl under a bound
//! that the type does not meet takes the place of one that is missing, since the bound brings a message of
//! its own, and the list of the types that do meet it, where `Trace` has one message for every type alike.
//! The methods of those impls never run.

use core::cell::{Cell, OnceCell, RefCell, UnsafeCell};
use core::sync::atomic;

use alloc::rc::Rc;

use crate::handle::{Gc, Weak};
use crate::root::Root;
use crate::sync::Arc;
use crate::trace::{Inspector, Links, Liveness, Trace, Tracer};

/// Stands for the type that was derived, whatever it is.
#[derive(Debug)]
pub struct Object;

/// Derived code asks for this of every field, and not for `F: Trace`: where it fails, the bound at the bottom
/// of it is about another type than `Object`, and only then does the compiler print that bound's message.
pub trait HasField<F: ?Sized> {
    /// `F::NEEDS_TRACE`. The name is for those whose types own each other in a circle: all that the compiler
    /// says then is which constants are in it.
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
}

/// Any object, where it is about which handles it may hold.
#[derive(Debug)]
pub struct Objects;

/// What objects may hold of the handles: all but a `Root`.
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

/// What may be shared between objects, and between them and others.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored inside an object: a heap may be used from several threads",
    label = "an `Rc` belongs to one thread",
    note = "to share an object store its `Gc`, to share data that holds no handles an `Arc`"
)]
pub trait SharedData: Send + Sync {}
impl<T> SharedData for Gc<T> {}
impl<T: ?Sized + Send + Sync> SharedData for Arc<T> {}

/// Impls in name only, under a bound that is not met.
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
