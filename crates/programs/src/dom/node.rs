//! A node, and what the document requires of the memory that its nodes live in.

use std::ops::{Deref, DerefMut};

use gc_arena::Collect;
use slotgc::{Trace, Tracer};

/// Makes nodes and gives access to them. Handles compare by identity.
pub(crate) trait Nodes: Sized {
    /// Keeps its node alive, where handles do that.
    type Id: Clone + PartialEq;
    /// A handle against the direction in which nodes keep each other alive: to the parent, the previous
    /// sibling, the last child. Weak where a cycle would leak.
    type Back: Clone;

    fn make(&mut self, node: Node<Self>) -> Self::Id;
    fn node<'a>(&'a self, id: &'a Self::Id) -> impl Deref<Target = Node<Self>> + 'a;
    fn node_mut<'a>(&'a mut self, id: &'a Self::Id) -> impl DerefMut<Target = Node<Self>> + 'a;

    fn back(id: &Self::Id) -> Self::Back;
    /// The node, which is alive.
    fn follow(back: &Self::Back) -> Self::Id;
}

/// A memory whose handles slotgc can trace.
pub(crate) trait Traced: Nodes<Id: Trace, Back: Trace> + 'static {}

/// A memory whose handles gc-arena can trace.
pub(crate) trait Collected<'gc>: Nodes<Id: Collect<'gc>, Back: Collect<'gc>> {}

/// The name of a tag, an attribute or a class.
pub(crate) type Name = u16;

/// An element or a text.
#[derive(Trace, Collect)]
#[trace(bound = "M: Traced")]
#[collect(no_drop, bound = "where M: Collected<'gc>")]
pub(crate) struct Node<M: Nodes> {
    pub(crate) parent: Option<M::Back>,
    pub(crate) previous: Option<M::Back>,
    pub(crate) next: Option<M::Id>,
    pub(crate) first_child: Option<M::Id>,
    pub(crate) last_child: Option<M::Back>,
    pub(crate) child_count: u32,
    /// In the order in which nodes were made.
    pub(crate) serial: u32,
    pub(crate) content: Content,
}

/// What is in a node besides its place.
#[derive(Collect)]
#[collect(require_static)]
pub(crate) enum Content {
    Element { tag: Name, classes: Box<[Name]>, attributes: Vec<(Name, Box<str>)> },
    Text(Box<str>),
}

impl<M: Nodes> Node<M> {
    pub(crate) fn new(serial: u32, content: Content) -> Self {
        Self {
            parent: None,
            previous: None,
            next: None,
            first_child: None,
            last_child: None,
            child_count: 0,
            serial,
            content,
        }
    }
}

impl Content {
    #[inline(always)]
    pub(crate) fn is_element(&self) -> bool {
        matches!(self, Self::Element { .. })
    }

    #[inline(always)]
    pub(crate) fn has_tag(&self, name: Name) -> bool {
        matches!(self, Self::Element { tag, .. } if *tag == name)
    }

    #[inline(always)]
    pub(crate) fn has_class(&self, name: Name) -> bool {
        matches!(self, Self::Element { classes, .. } if classes.contains(&name))
    }

    pub(crate) fn attribute(&self, name: Name) -> Option<&str> {
        let Self::Element { attributes, .. } = self else { return None };
        attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value)
    }
}

/// By hand, for `owned_bytes`: the derived one reads every attribute for the length of its value, which is a
/// cache miss for each element that a cycle looks at. An estimate will do.
impl Trace for Content {
    const NEEDS_TRACE: bool = false;
    const HOLDS_HANDLES: bool = false;
    const OWNS: bool = true;

    fn trace(&self, _: &mut Tracer<'_>) {}

    fn owned_bytes(&self) -> usize {
        const VALUE_BYTES: usize = 16;
        match self {
            Self::Element { classes, attributes, .. } => {
                size_of_val(&**classes)
                    + attributes.capacity() * (size_of::<(Name, Box<str>)>() + VALUE_BYTES)
            }
            Self::Text(text) => text.len(),
        }
    }
}
