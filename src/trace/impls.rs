//! `Trace` for what people put in fields, and `RootSource` for what people keep handles in.

mod containers;
mod plain;

use core::borrow::Borrow;
use core::ops::{Deref, DerefMut};

use crate::handle::{AnyGc, Gc, Weak};
use crate::trace::{Trace, Tracer};

impl<T: Trace> Trace for Gc<T> {
    #[inline(always)]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.edge(*self);
    }
}

impl Trace for AnyGc {
    #[inline]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.edge_any(*self);
    }
}

/// A weak handle is no edge.
impl<T: 'static> Trace for Weak<T> {
    const NEEDS_TRACE: bool = false;

    #[inline(always)]
    fn trace(&self, _: &mut Tracer<'_>) {}
}

/// A value of a foreign type that holds no handles, where `#[trace(skip)]` cannot reach: inside a std
/// container.
///
/// `Eq`, `Ord` and `Hash` are those of `T`, and it is `Borrow<T>`, so a map keyed by it is asked with a `&T`.
///
/// # Examples
/// ```
/// use std::collections::HashMap;
/// use slotgc::{Gc, Trace, Untraced};
///
/// #[derive(PartialEq, Eq, Hash)]
/// struct Entity(u32); // of another crate
///
/// #[derive(Trace)]
/// struct Scripts {
///     of: HashMap<Untraced<Entity>, Gc<String>>,
/// }
///
/// let scripts = Scripts { of: HashMap::from([(Untraced(Entity(1)), Gc::default())]) };
/// assert!(scripts.of.contains_key(&Entity(1)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Untraced<T>(pub T);

impl<T: Send + Sync + 'static> Trace for Untraced<T> {
    const NEEDS_TRACE: bool = false;

    #[inline(always)]
    fn trace(&self, _: &mut Tracer<'_>) {}
}

impl<T> Deref for Untraced<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Untraced<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> Borrow<T> for Untraced<T> {
    fn borrow(&self) -> &T {
        &self.0
    }
}

impl<T> From<T> for Untraced<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}
