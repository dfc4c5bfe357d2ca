//! [`RootDyn`]: a root of an object behind a trait.

use alloc::borrow::Cow;
use core::any::TypeId;
use core::fmt;
use core::hash::{Hash, Hasher};

use super::{Cast, CastFrom, DynHandle, GcDyn, Of, WeakDyn, sealed};
use crate::handle::{AnyGc, ShortName};
use crate::root::Root;
use crate::trace::Trace;

/// A [`Root`] of which only the trait is known: keeps its object alive until dropped.
///
/// Made from a `Root` with `into`, or by [`Heap::root_dyn`](crate::Heap::root_dyn). A `&RootDyn` goes
/// wherever a [`GcDyn`] does. It knows its heap, as a `Root` does, and resolves to nothing in any other.
///
/// # Examples
/// ```
/// use slotgc::{Heap, RootDyn, gc_dyn};
///
/// trait Named { fn name(&self) -> &str; }
/// gc_dyn!(dyn Named);
/// impl Named for String { fn name(&self) -> &str { self } }
/// impl Named for u32 { fn name(&self) -> &str { "a number" } }
///
/// let mut heap = Heap::new();
/// let bear = heap.alloc_root("Teddy".to_string());
/// let cast: Vec<RootDyn<dyn Named>> = vec![bear.into(), heap.alloc_root(7).into()];
/// heap.collect();
/// let names: Vec<_> = cast.iter().map(|root| heap[root].name()).collect();
/// assert_eq!(names, ["Teddy", "a number"]);
/// ```
pub struct RootDyn<D: ?Sized + 'static> {
    root: Root<()>,
    cast: &'static Cast<D>,
}

impl<D: ?Sized> RootDyn<D> {
    /// A root of the same object, behind the trait.
    pub fn new<T: Trace>(root: Root<T>) -> Self
    where
        D: CastFrom<T>,
    {
        Self { root: root.retyped(), cast: const { &Of::<T, D>::CAST } }
    }

    /// Combines a root with the handle of the same object.
    pub(crate) fn of(root: Root<()>, handle: WeakDyn<D>) -> Self {
        Self { root, cast: handle.cast }
    }

    /// The handle of the object, to be stored in other objects.
    pub fn gc(&self) -> GcDyn<D> {
        GcDyn { raw: self.root.gc().raw(), cast: self.cast }
    }

    /// A weak handle of the object.
    pub fn downgrade(&self) -> WeakDyn<D> {
        self.gc().downgrade()
    }

    /// A root with its type, if it was made from one of that type.
    pub fn downcast<T: Trace>(&self) -> Option<Root<T>> {
        (self.cast.is_of)(TypeId::of::<T>()).then(|| self.root.clone().retyped())
    }

    /// The same root with a name for people: see [`Root::named`].
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self { root: self.root.named(name), ..self }
    }
}

impl<D: ?Sized> Clone for RootDyn<D> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone(), cast: self.cast }
    }
}

impl<D: ?Sized> PartialEq for RootDyn<D> {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl<D: ?Sized> Eq for RootDyn<D> {}

impl<D: ?Sized> Hash for RootDyn<D> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.root.hash(state);
    }
}

impl<D: ?Sized> fmt::Debug for RootDyn<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootDyn<{}>({})", ShortName::of::<D>(), self.root)
    }
}

impl<D: ?Sized> fmt::Display for RootDyn<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.root, f)
    }
}

impl<T: Trace, D: ?Sized + CastFrom<T>> From<Root<T>> for RootDyn<D> {
    fn from(root: Root<T>) -> Self {
        Self::new(root)
    }
}

impl<D: ?Sized> From<&RootDyn<D>> for GcDyn<D> {
    fn from(root: &RootDyn<D>) -> Self {
        root.gc()
    }
}

impl<D: ?Sized> From<&RootDyn<D>> for WeakDyn<D> {
    fn from(root: &RootDyn<D>) -> Self {
        root.downgrade()
    }
}

impl<D: ?Sized> From<&RootDyn<D>> for AnyGc {
    fn from(root: &RootDyn<D>) -> Self {
        root.gc().erase()
    }
}

impl<D: ?Sized> sealed::Sealed for &RootDyn<D> {}

impl<D: ?Sized + 'static> DynHandle for &RootDyn<D> {
    type Dyn = D;

    fn downgrade(self) -> WeakDyn<D> {
        self.into()
    }

    fn is_strong(self) -> bool {
        false
    }

    fn is_of(self, heap: u64) -> bool {
        self.root.is_of(heap)
    }

    fn is_foreign(self, heap: u64) -> bool {
        self.root.heap_number() != heap
    }
}
