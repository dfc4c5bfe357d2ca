//! Roots with names.

use alloc::borrow::Cow;
use alloc::string::String;
use core::panic::Location;

use crate::handle::AnyGc;
use crate::trace::{Inspector, RootSource, Tracer};

/// A living [`Root`](crate::Root) and its clones, from [`Heap::roots`](crate::Heap::roots).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RootInfo {
    /// The object.
    pub handle: AnyGc,
    /// The short name of its type, with enough of its path to tell it from other types of the heap. Empty if
    /// the handle resolves to nothing: the object was destroyed, or is not made yet.
    pub type_name: String,
    /// The name given by [`Root::named`](crate::Root::named).
    pub name: Option<Cow<'static, str>>,
    /// Where the `Root` was made, if the heap [remembers](crate::HeapConfig::root_origins).
    pub origin: Option<&'static Location<'static>>,
    /// How many `Root`s of the object there are, those of other rows with the same handle included.
    pub clones: usize,
}

/// The same source with a name for people: paths and snapshots show `source "world"`.
///
/// # Examples
/// ```
/// use slotgc::Heap;
/// use slotgc::inspect::named_roots;
///
/// let mut heap = Heap::new();
/// let stack = [heap.alloc("bear")];
/// let path = heap.why_alive_with(stack[0], &named_roots("stack", &stack)).unwrap();
/// assert!(path.to_string().starts_with("source \"stack\" [0] -> &str "));
/// ```
pub fn named_roots<'a>(name: &'static str, source: &'a (impl RootSource + ?Sized)) -> impl RootSource + 'a {
    NamedRoots { name, source }
}

struct NamedRoots<'a, S: ?Sized> {
    name: &'static str,
    source: &'a S,
}

impl<S: RootSource + ?Sized> RootSource for NamedRoots<'_, S> {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        self.source.trace_roots(tracer);
    }

    fn inspect_roots(&self, inspector: &mut Inspector<'_>) {
        inspector.source(self.name, |inspector| self.source.inspect_roots(inspector));
    }
}
