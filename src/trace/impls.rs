//! `Trace` for what people put in fields, and `RootSource` for what people keep handles in.

#[cfg(any(
    feature = "glam",
    feature = "smallvec",
    feature = "arrayvec",
    feature = "indexmap",
    feature = "uuid",
    feature = "smol_str",
    feature = "ordered-float",
    feature = "serde_json",
    feature = "bevy_ecs",
    feature = "hecs"
))]
mod foreign;
mod keyed;
#[cfg(feature = "std")]
mod locks;
pub(crate) mod owned;
mod plain;
mod sequences;
mod structs;
mod text;

use core::borrow::Borrow;
use core::ops::{Deref, DerefMut};

use crate::handle::{AnyGc, Gc, Weak};
use crate::trace::{Components, Inspector, Links, Trace, Tracer};

/// Traces a part of a value, unless its type says that it is never visited: the constant decides when this is
/// compiled.
#[inline(always)]
pub(crate) fn visit<T: Trace + ?Sized>(part: &T, tracer: &mut Tracer<'_>) {
    if T::NEEDS_TRACE {
        part.trace(tracer);
    }
}

impl<T: Trace> Trace for Gc<T> {
    #[inline(always)]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.edge(*self);
    }

    fn inspect(&self, inspector: &mut Inspector<'_>) {
        inspector.edge(*self);
    }

    #[inline]
    fn relink(&mut self, links: &mut Links<'_>) {
        links.gc(self);
    }

    fn relinks_edges(_: &mut Components) -> bool {
        true
    }
}

impl Trace for AnyGc {
    #[inline]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.edge_any(*self);
    }

    fn inspect(&self, inspector: &mut Inspector<'_>) {
        inspector.edge_any(*self);
    }

    #[inline]
    fn relink(&mut self, links: &mut Links<'_>) {
        links.any(self);
    }

    fn relinks_edges(_: &mut Components) -> bool {
        true
    }
}

/// A weak handle is not an edge.
impl<T: 'static> Trace for Weak<T> {
    const NEEDS_TRACE: bool = false;

    #[inline(always)]
    fn trace(&self, _: &mut Tracer<'_>) {}

    fn inspect(&self, inspector: &mut Inspector<'_>) {
        inspector.weak(*self);
    }

    #[inline]
    fn relink(&mut self, links: &mut Links<'_>) {
        links.weak(self);
    }

    fn relinks_edges(_: &mut Components) -> bool {
        true
    }
}

/// A value of a foreign type that holds no handles, where `#[trace(skip)]` cannot reach: inside a std
/// container.
///
/// `Eq`, `Ord` and `Hash` are those of `T`, and it is `Borrow<T>`, so a map keyed by it can be queried with a
/// `&T`.
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
    const HOLDS_HANDLES: bool = false;

    #[inline(always)]
    fn trace(&self, _: &mut Tracer<'_>) {}

    #[inline(always)]
    fn relink(&mut self, _: &mut Links<'_>) {}
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
