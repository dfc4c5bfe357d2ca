//! A snapshot: the heap's graph at one moment, as independent data.

use alloc::string::String;
use alloc::vec::Vec;
use core::panic::Location;

use crate::handle::{AnyGc, RawHandle};
use crate::inspect::dominators::Dominators;
use crate::inspect::graph::{EdgeIndex, EdgeKind, Graph, NodeIndex};
use crate::inspect::names::{NameId, Names};
use crate::inspect::once::Once;
use crate::inspect::record::{Holder, Notes};
use crate::inspect::search::{Referrers, Shortest};
use crate::inspect::slots::Slots;
use crate::inspect::types::TypeRow;

/// The objects of a heap at one moment and the references between them, as independent data: the heap may
/// change or be dropped.
///
/// Made by [`Heap::snapshot`](crate::Heap::snapshot). It contains every object that resolved then, garbage
/// included. What takes a walk over the whole graph (distances, dominators, referrers) is computed at its
/// first use and kept: O(objects + edges) once, afterwards each query is O(1) or O(its result).
///
/// # Examples
/// ```
/// use slotgc::{Gc, Heap, Trace};
///
/// #[derive(Trace)]
/// struct Mob { loot: Vec<Gc<String>> }
///
/// let mut heap = Heap::new();
/// let sword = heap.alloc("sword".to_string());
/// let mob = heap.alloc_root(Mob { loot: vec![sword] });
/// let snapshot = heap.snapshot();
/// drop(heap);
///
/// assert_eq!(snapshot.len(), 2);
/// let node = snapshot.get(sword).unwrap();
/// assert_eq!(node.type_name(), "String");
/// assert_eq!(node.dominator().unwrap().handle(), mob.gc().erase());
/// let edge = node.referrers().next().unwrap();
/// assert_eq!((edge.name(), edge.source().handle()), (Some("loot[0]"), mob.gc().erase()));
/// ```
#[derive(Debug)]
pub struct Snapshot {
    pub(crate) slots: Slots,
    pub(crate) graph: Graph,
    pub(crate) names: Names,
    pub(crate) notes: Notes,
    pub(crate) types: Vec<TypeRow>,
    /// The generation at which the heap's slots start, for ids of 32 bits.
    #[cfg_attr(not(feature = "std"), allow(dead_code, reason = "for writing files, which takes std"))]
    pub(crate) first_generation: u32,
    shortest: Once<Shortest>,
    dominators: Once<Dominators>,
    referrers: Once<Referrers>,
    shown_names: Once<ShownNames>,
}

/// All names in full.
#[derive(Debug)]
struct ShownNames {
    text: String,
    ends: Vec<usize>,
}

impl Snapshot {
    pub(crate) fn new(
        slots: Slots,
        (graph, names, notes): (Graph, Names, Notes),
        types: Vec<TypeRow>,
        first_generation: u32,
    ) -> Self {
        Self {
            slots,
            graph,
            names,
            notes,
            types,
            first_generation,
            shortest: Once::new(),
            dominators: Once::new(),
            referrers: Once::new(),
            shown_names: Once::new(),
        }
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.slots.nodes_len() - 1
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes in the slots of the objects, as [`HeapStats::bytes`](crate::HeapStats::bytes).
    pub fn bytes(&self) -> usize {
        let of = |(index, row): (usize, &TypeRow)| self.slots.nodes_of(index).len() * row.slot_bytes as usize;
        self.types.iter().enumerate().map(of).sum()
    }

    /// Bytes that the objects own outside their slots, as they claim; `usize::MAX` if it is more. O(objects).
    pub fn owned_bytes(&self) -> usize {
        self.nodes().map(|node| node.owned_bytes()).fold(0, usize::saturating_add)
    }

    /// Bytes that this snapshot itself takes, with what was computed so far.
    pub fn memory_bytes(&self) -> usize {
        let shown =
            self.shown_names.get().map_or(0, |shown| shown.text.capacity() + shown.ends.capacity() * 8);
        self.slots.bytes()
            + self.graph.bytes()
            + self.names.bytes()
            + self.notes.bytes()
            + self.shortest.get().map_or(0, Shortest::bytes)
            + self.dominators.get().map_or(0, Dominators::bytes)
            + self.referrers.get().map_or(0, Referrers::bytes)
            + shown
    }

    /// The object; `None` if it was not alive when the snapshot was made. O(1).
    pub fn get(&self, any: impl Into<AnyGc>) -> Option<Node<'_>> {
        let index = self.slots.find(any.into().raw())?;
        Some(self.node(index))
    }

    /// All objects, by type, each type's in slot order.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        (1..self.slots.nodes_len()).map(|place| self.node(NodeIndex::from_place(place)))
    }

    /// What refers to objects from outside: each [`Root`](crate::Root) (clones count as one), and each handle
    /// in a root source.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let door = heap.alloc_root("door").named("front");
    /// let snapshot = heap.snapshot();
    /// let root = snapshot.roots().next().unwrap();
    /// assert_eq!((root.name(), root.target().handle()), (Some("front"), door.gc().erase()));
    /// ```
    pub fn roots(&self) -> impl Iterator<Item = RootEdge<'_>> {
        self.graph.edges(NodeIndex::ROOT).map(|edge| RootEdge { snapshot: self, edge })
    }

    /// Unreachable objects: garbage that the next full collection frees. By type, in slot order.
    pub fn unreachable(&self) -> impl Iterator<Item = Node<'_>> {
        let shortest = self.shortest();
        self.nodes().filter(|node| !shortest.is_reached(node.index))
    }

    pub(crate) fn node(&self, index: NodeIndex) -> Node<'_> {
        Node { snapshot: self, index }
    }

    pub(crate) fn shortest(&self) -> &Shortest {
        self.shortest.get_or_init(|| Shortest::of(&self.graph))
    }

    pub(crate) fn dominators(&self) -> &Dominators {
        self.dominators.get_or_init(|| Dominators::of(&self.graph, |node| self.bytes_of(node)))
    }

    pub(crate) fn referrers(&self) -> &Referrers {
        self.referrers.get_or_init(|| Referrers::of(&self.graph))
    }

    /// Slot and owned bytes of a node. Any object may claim to own the whole address space, so what is added
    /// to what it owns, here and in all sums, saturates.
    pub(crate) fn bytes_of(&self, node: NodeIndex) -> u64 {
        match node {
            NodeIndex::ROOT => 0,
            _ => u64::from(self.type_row(node).slot_bytes).saturating_add(self.notes.owned_bytes(node)),
        }
    }

    pub(crate) fn type_row(&self, node: NodeIndex) -> &TypeRow {
        &self.types[self.slots.type_of(node)]
    }

    pub(crate) fn label(&self, node: NodeIndex) -> Option<&str> {
        self.notes.label(node).map(|label| self.names.texts.get(label))
    }

    /// The full name; `None` for the empty one.
    pub(crate) fn name(&self, name: NameId) -> Option<&str> {
        let shown = self.shown_names.get_or_init(|| ShownNames::of(&self.names));
        let place = name.number() as usize;
        let start = place.checked_sub(1).map_or(0, |before| shown.ends[before]);
        Some(&shown.text[start..shown.ends[place]]).filter(|name| !name.is_empty())
    }

    /// A root source's name for the handle; no name for a `Root`.
    #[cfg(feature = "std")]
    pub(crate) fn name_in_source(&self, root_edge: EdgeIndex) -> NameId {
        match self.notes.holders[self.graph.name(root_edge).number() as usize] {
            Holder::Root(_) => NameId::NONE,
            Holder::Source { name, .. } => name,
        }
    }

    pub(crate) fn holder(&self, root_edge: EdgeIndex) -> HolderView<'_> {
        let text = |id| self.names.texts.get(id);
        match self.notes.holders[self.graph.name(root_edge).number() as usize] {
            Holder::Root(number) => {
                let note = self.notes.roots[number as usize];
                HolderView::Root { name: note.name.map(text), origin: note.origin, clones: note.clones }
            }
            Holder::Source { source, name } => HolderView::Source {
                source: Some(text(source)).filter(|source| !source.is_empty()),
                name: self.name(name),
            },
        }
    }
}

impl ShownNames {
    fn of(names: &Names) -> Self {
        let mut shown = Self { text: String::new(), ends: Vec::with_capacity(names.len()) };
        for number in 0..names.len() as u32 {
            names.write(NameId::from_number(number), &mut shown.text);
            shown.ends.push(shown.text.len());
        }
        shown.text.shrink_to_fit();
        shown
    }
}

/// A sum of bytes as far as `usize` can hold it.
pub(crate) fn saturated(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// What holds an object from outside, with texts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HolderView<'a> {
    Root { name: Option<&'a str>, origin: Option<&'static Location<'static>>, clones: u32 },
    Source { source: Option<&'a str>, name: Option<&'a str> },
}

/// An object in a [`Snapshot`].
///
/// # Examples
/// ```
/// use slotgc::{Gc, Heap, Trace};
///
/// #[derive(Trace)]
/// struct Level { #[trace(label)] name: String, mobs: Vec<Gc<u64>> }
///
/// let mut heap = Heap::new();
/// let mobs = (0..3).map(|n| heap.alloc(n)).collect();
/// let level = heap.alloc_root(Level { name: "cave".into(), mobs });
/// let snapshot = heap.snapshot();
/// let level = snapshot.get(level.gc()).unwrap();
/// assert_eq!((level.type_name(), level.label()), ("Level", Some("cave")));
/// assert_eq!((level.retained_len(), level.distance(), level.edges().count()), (4, Some(0), 3));
/// assert!(level.retained_bytes() > level.bytes() + level.owned_bytes());
/// ```
#[derive(Clone, Copy)]
pub struct Node<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) index: NodeIndex,
}

impl<'a> Node<'a> {
    /// The object's handle.
    pub fn handle(self) -> AnyGc {
        AnyGc::from_raw(self.raw())
    }

    pub(crate) fn raw(self) -> RawHandle {
        self.snapshot.slots.handle(self.index)
    }

    /// The short name of the object's type, with enough of its path to tell it from other types of the heap.
    pub fn type_name(self) -> &'a str {
        self.snapshot.type_row(self.index).name
    }

    /// What tells the object from others of its type: the field with `#[trace(label)]`.
    pub fn label(self) -> Option<&'a str> {
        self.snapshot.label(self.index)
    }

    /// Bytes of the object's slot.
    pub fn bytes(self) -> usize {
        self.snapshot.type_row(self.index).slot_bytes as usize
    }

    /// Bytes that the object owns outside its slot, with what
    /// [`Heap::set_owned_bytes`](crate::Heap::set_owned_bytes) said.
    pub fn owned_bytes(self) -> usize {
        saturated(self.snapshot.notes.owned_bytes(self.index))
    }

    /// Bytes that would be freed with this object, in slots and owned: its own, and those of everything that
    /// it alone keeps alive. For an unreachable object, its own bytes.
    pub fn retained_bytes(self) -> usize {
        saturated(self.snapshot.dominators().retained_bytes(self.index))
    }

    /// Objects that would be freed with this one, itself included.
    pub fn retained_len(self) -> usize {
        self.snapshot.dominators().retained_len(self.index)
    }

    /// The nearest object through which every path from the roots to this one leads. `None` if the paths have
    /// no object in common, and for an unreachable object.
    pub fn dominator(self) -> Option<Node<'a>> {
        let dominator = self.snapshot.dominators().immediate(self.index)?;
        (dominator != NodeIndex::ROOT).then(|| self.snapshot.node(dominator))
    }

    /// The fewest strong edges from an object that a root or a root source holds: 0 for such an object
    /// itself, `None` for an unreachable one.
    pub fn distance(self) -> Option<usize> {
        self.snapshot.shortest().distance(self.index).map(|distance| distance as usize - 1)
    }

    /// What the object refers to, in the order in which it reports it. Edges to the values of ephemerons of
    /// which it is the key come last.
    pub fn edges(self) -> impl Iterator<Item = Edge<'a>> {
        let snapshot = self.snapshot;
        snapshot.graph.edges(self.index).map(move |edge| Edge { snapshot, edge })
    }

    /// The edges that lead to this object from others, weak ones included. What holds it from outside is in
    /// [`roots`](Self::roots).
    pub fn referrers(self) -> impl Iterator<Item = Edge<'a>> {
        let snapshot = self.snapshot;
        let all = snapshot.referrers().to(self.index).iter();
        let from_objects = all.filter(|edge| !snapshot.graph.row(NodeIndex::ROOT).contains(&edge.0));
        from_objects.map(move |edge| Edge { snapshot, edge: *edge })
    }

    /// Whether a part of the object could not be read because its lock was held: edges may be missing.
    pub fn has_gap(self) -> bool {
        self.snapshot.notes.has_gap(self.index)
    }

    /// The roots and handles in root sources that name this very object.
    pub fn roots(self) -> impl Iterator<Item = RootEdge<'a>> {
        let snapshot = self.snapshot;
        let all = snapshot.referrers().to(self.index).iter();
        let from_outside = all.filter(|edge| snapshot.graph.row(NodeIndex::ROOT).contains(&edge.0));
        from_outside.map(move |edge| RootEdge { snapshot, edge: *edge })
    }
}

impl PartialEq for Node<'_> {
    /// Whether it is the same object of the same snapshot.
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.snapshot, other.snapshot) && self.index == other.index
    }
}

impl Eq for Node<'_> {}

/// One object's reference to another one in a [`Snapshot`].
///
/// # Examples
/// ```
/// use slotgc::{Heap, WeakKeyMap, WeakSet};
///
/// let mut heap = Heap::new();
/// let (mob, nest) = (heap.alloc_root("wolf"), heap.alloc("den"));
/// let nests = heap.alloc_root(WeakKeyMap::from_iter([(mob.downgrade(), nest)]));
/// let seen = heap.alloc_root(WeakSet::from_iter([mob.downgrade()]));
/// let snapshot = heap.snapshot();
///
/// let edge = snapshot.get(nests.gc()).unwrap().edges().find(|edge| edge.is_ephemeron()).unwrap();
/// assert_eq!((edge.target().handle(), edge.is_weak()), (nest.erase(), false));
/// let edge = snapshot.get(seen.gc()).unwrap().edges().next().unwrap();
/// assert_eq!((edge.target().handle(), edge.is_weak()), (mob.gc().erase(), true));
/// ```
#[derive(Clone, Copy)]
pub struct Edge<'a> {
    snapshot: &'a Snapshot,
    edge: EdgeIndex,
}

impl<'a> Edge<'a> {
    /// The object's name for it: `loot`, `listeners[3]`, `by_name["sheep"]`. `None` if its `Trace` reports no
    /// names.
    pub fn name(self) -> Option<&'a str> {
        self.snapshot.name(self.snapshot.graph.name(self.edge))
    }

    /// The object that refers.
    pub fn source(self) -> Node<'a> {
        self.snapshot.node(self.snapshot.graph.source(self.edge))
    }

    /// The object that is referred to.
    pub fn target(self) -> Node<'a> {
        self.snapshot.node(self.snapshot.graph.target(self.edge))
    }

    /// Whether the edge keeps nothing alive: a weak handle, or an ephemeron with an end that is not reached.
    pub fn is_weak(self) -> bool {
        !self.kind().is_strong()
    }

    /// Whether the edge leads to the value of an ephemeron, which lives as long as map and key do: from the
    /// map, or from the key.
    pub fn is_ephemeron(self) -> bool {
        self.kind().is_ephemeron()
    }

    /// The key of the ephemeron.
    pub fn key(self) -> Option<Node<'a>> {
        self.snapshot.graph.ephemeron(self.edge).map(|ephemeron| self.snapshot.node(ephemeron.key))
    }

    fn kind(self) -> EdgeKind {
        self.snapshot.graph.kind(self.edge)
    }
}

/// What holds an object from outside the heap, in a [`Snapshot`]: a [`Root`](crate::Root) with its clones, or
/// a handle in a root source.
///
/// `Display` is how a [`Path`](crate::inspect::Path) begins: `root "event_bus" (src/game.rs:41)`, `source
/// "world" .player`.
#[derive(Clone, Copy)]
pub struct RootEdge<'a> {
    snapshot: &'a Snapshot,
    edge: EdgeIndex,
}

impl<'a> RootEdge<'a> {
    /// The object.
    pub fn target(self) -> Node<'a> {
        self.snapshot.node(self.snapshot.graph.target(self.edge))
    }

    /// The name of the `Root`, or the source's name for the handle.
    pub fn name(self) -> Option<&'a str> {
        match self.view() {
            HolderView::Root { name, .. } | HolderView::Source { name, .. } => name,
        }
    }

    /// The name of the root source; `None` for a `Root`, and for a source without a name.
    pub fn source(self) -> Option<&'a str> {
        match self.view() {
            HolderView::Root { .. } => None,
            HolderView::Source { source, .. } => source,
        }
    }

    /// Where the `Root` was made, if the heap remembers.
    pub fn origin(self) -> Option<&'static Location<'static>> {
        match self.view() {
            HolderView::Root { origin, .. } => origin,
            HolderView::Source { .. } => None,
        }
    }

    /// How many clones of the `Root` there are; 1 for a handle in a source.
    pub fn clones(self) -> usize {
        match self.view() {
            HolderView::Root { clones, .. } => clones as usize,
            HolderView::Source { .. } => 1,
        }
    }

    /// Whether it is a handle in a root source.
    pub fn is_source(self) -> bool {
        matches!(self.view(), HolderView::Source { .. })
    }

    /// Whether a source holds the object weakly, or by an ephemeron whose key is not reached.
    pub fn is_weak(self) -> bool {
        !self.snapshot.graph.is_strong(self.edge)
    }

    pub(crate) fn view(self) -> HolderView<'a> {
        self.snapshot.holder(self.edge)
    }
}
