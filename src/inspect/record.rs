//! Taking a heap's graph: what objects and root sources report becomes nodes, edges and names.
//!
//! Handles are looked up in batches, separately from the code that reports them, so that the lookups' cache
//! misses overlap. Edges to what is not alive are left out.

use alloc::vec::Vec;
use core::fmt;
use core::panic::Location;

use crate::handle::RawHandle;
use crate::inspect::graph::{EdgeKind, EphemeronIndex, Graph, GraphBuilder, NodeIndex, Tag};
use crate::inspect::names::{NameId, Names, Segment, TextId};
use crate::inspect::slots::Slots;
use crate::inspect::types::TypeRow;
use crate::root::RootNote;
use crate::tag::Tag as TypeTag;

/// What holds an object from outside the heap.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Holder {
    /// `Root`s, by number.
    Root(u32),
    /// A root source: its name, and its name for the handle.
    Source { source: TextId, name: NameId },
}

/// What is known about a `Root` and its clones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RootText {
    /// The name given by [`Root::named`](crate::Root::named), if any.
    pub(crate) name: Option<TextId>,
    pub(crate) origin: Option<&'static Location<'static>>,
    pub(crate) clones: u32,
}

/// All that is known besides nodes and edges.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// By the number that a root's edge has as its name.
    pub(crate) holders: Vec<Holder>,
    pub(crate) roots: Vec<RootText>,
    /// By node; empty if no object has a label.
    labels: Vec<TextId>,
    /// By node; empty if no object owns anything.
    owned_bytes: Vec<u32>,
    /// Those for which 32 bits are not enough: by node, ascending.
    large_owned_bytes: Vec<(NodeIndex, u64)>,
    /// Nodes with a part that could not be read, ascending.
    gaps: Vec<NodeIndex>,
}

impl Notes {
    pub(crate) fn label(&self, node: NodeIndex) -> Option<TextId> {
        self.labels.get(node.place()).copied().filter(|label| *label != TextId::EMPTY)
    }

    pub(crate) fn owned_bytes(&self, node: NodeIndex) -> u64 {
        match self.owned_bytes.get(node.place()).copied() {
            None => 0,
            Some(u32::MAX) => {
                let place = self.large_owned_bytes.binary_search_by_key(&node, |(node, _)| *node);
                place.map_or(u32::MAX.into(), |place| self.large_owned_bytes[place].1)
            }
            Some(bytes) => bytes.into(),
        }
    }

    pub(crate) fn has_gap(&self, node: NodeIndex) -> bool {
        self.gaps.binary_search(&node).is_ok()
    }

    fn set_label(&mut self, node: NodeIndex, nodes: usize, label: TextId) {
        if self.labels.is_empty() {
            self.labels = alloc::vec![TextId::EMPTY; nodes];
        }
        self.labels[node.place()] = label;
    }

    fn set_owned_bytes(&mut self, node: NodeIndex, nodes: usize, bytes: u64) {
        if self.owned_bytes.is_empty() {
            self.owned_bytes = alloc::vec![0; nodes];
        }
        self.owned_bytes[node.place()] = u32::try_from(bytes).unwrap_or(u32::MAX);
        if bytes >= u32::MAX.into() {
            self.large_owned_bytes.push((node, bytes));
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.holders.capacity() * size_of::<Holder>()
            + self.roots.capacity() * size_of::<RootText>()
            + self.labels.capacity() * size_of::<TextId>()
            + self.owned_bytes.capacity() * 4
            + self.large_owned_bytes.capacity() * size_of::<(NodeIndex, u64)>()
    }
}

/// Records the graph, row after row: the root's, then those of objects in the order of [`Slots`].
#[derive(Debug)]
pub(crate) struct Recorder<'s> {
    slots: &'s Slots,
    types: &'s [TypeRow],
    /// The type looked up last, and its number.
    last_type: (TypeTag, u32),
    builder: GraphBuilder,
    pub(crate) names: Names,
    notes: Notes,
    /// The node whose row is recorded.
    node: NodeIndex,
    /// Bytes that its object owns.
    owned: u64,
    /// What the program said objects own besides, by node, the last first: taken as their rows end.
    hints: Vec<(NodeIndex, u64)>,
    /// The name so far of the next edge, each prefix of it; the last is the longest.
    way: Vec<NameId>,
    /// The ephemerons whose values are being walked: their keys, and the ephemerons around them.
    ephemerons: Vec<(NodeIndex, Option<EphemeronIndex>)>,
    /// How many of them have a dead key: what is reported inside counts for nothing.
    dead_keys: usize,
    /// The names of the root sources being walked, the innermost last.
    sources: Vec<TextId>,
    /// Edges to be looked up: the target, the type that it must have, and the edge.
    pending: Vec<(RawHandle, u32, Tag)>,
    /// Where in `pending` the rows end.
    row_ends: Vec<u32>,
}

/// Edges looked up in one go: 16 KiB of them.
const BATCH: usize = 1024;

/// How far ahead of its lookup a handle's place is prefetched.
const AHEAD: usize = 16;

/// A type without objects.
const NO_TYPE: u32 = u32::MAX - 1;

/// The beginning of a text: labels are for people, and kept once for each object.
pub(crate) struct Beginning<T>(pub(crate) T);

const MOST_LABEL: usize = 80;

impl<T: fmt::Display> fmt::Display for Beginning<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Rest<'a, 'f> {
            out: &'a mut fmt::Formatter<'f>,
            room: usize,
        }
        impl fmt::Write for Rest<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                for c in text.chars() {
                    // An error ends the text.
                    self.room = self.room.checked_sub(1).ok_or(fmt::Error)?;
                    fmt::Write::write_char(self.out, c)?;
                }
                Ok(())
            }
        }
        let mut rest = Rest { out: f, room: MOST_LABEL };
        let is_whole = fmt::Write::write_fmt(&mut rest, format_args!("{}", self.0)).is_ok();
        if is_whole { Ok(()) } else { f.write_str("..") }
    }
}

impl<'s> Recorder<'s> {
    pub(crate) fn new(slots: &'s Slots, types: &'s [TypeRow]) -> Self {
        // Capacity for most graphs, so that it is not copied as it grows.
        let builder = GraphBuilder::with_capacity(slots.nodes_len(), slots.nodes_len().saturating_mul(4));
        Self {
            slots,
            types,
            last_type: (TypeTag::NONE, Slots::ANY),
            builder,
            names: Names::default(),
            notes: Notes::default(),
            node: NodeIndex::ROOT,
            owned: 0,
            hints: Vec::new(),
            way: Vec::new(),
            ephemerons: Vec::new(),
            dead_keys: 0,
            sources: Vec::new(),
            pending: Vec::with_capacity(2 * BATCH),
            row_ends: Vec::with_capacity(BATCH),
        }
    }

    /// What the program said that these objects own, beside what they say.
    pub(crate) fn hints(&mut self, hints: impl Iterator<Item = (RawHandle, usize)>) {
        let of_node = |(raw, bytes)| Some((self.slots.find(raw)?, bytes as u64));
        self.hints = hints.filter_map(of_node).collect();
        self.hints.sort_unstable_by(|(a, _), (b, _)| b.cmp(a));
    }

    /// Records a `Root`, and the number of its clones.
    pub(crate) fn root(&mut self, raw: RawHandle, note: RootNote, clones: u32) {
        let RootNote { name, origin } = note;
        let name = name.map(|name| self.names.texts.intern(&name));
        let number = self.notes.roots.len() as u32;
        self.notes.roots.push(RootText { name, origin, clones });
        let holder = self.hold(Holder::Root(number));
        self.pending.push((raw, Slots::ANY, Tag::new(EdgeKind::Strong, holder.number())));
    }

    /// What is reported until [`leave_source`](Self::leave_source) is held by the source with this name.
    pub(crate) fn enter_source(&mut self, name: &str) {
        let name = self.names.texts.intern(name);
        self.sources.push(name);
    }

    pub(crate) fn leave_source(&mut self) {
        self.sources.pop();
    }

    /// Ends a row; the next one is that of the next object.
    pub(crate) fn end_row(&mut self) {
        debug_assert!(self.way.is_empty() && self.ephemerons.is_empty(), "what was entered is left");
        self.row_ends.push(self.pending.len() as u32);
        if let Some((_, hint)) = self.hints.last().copied().filter(|(node, _)| *node == self.node) {
            self.hints.pop();
            self.owned = self.owned.saturating_add(hint);
        }
        match core::mem::take(&mut self.owned) {
            0 => {}
            bytes => self.notes.set_owned_bytes(self.node, self.slots.nodes_len(), bytes),
        }
        self.node.0 += 1;
        if self.pending.len() >= BATCH || self.row_ends.len() >= BATCH {
            self.flush();
        }
    }

    /// The next part of the names of edges, until [`leave`](Self::leave).
    #[inline]
    pub(crate) fn enter(&mut self, segment: Segment<'_>) {
        let name = self.names.child(self.name(), segment);
        self.way.push(name);
    }

    pub(crate) fn leave(&mut self) {
        self.way.pop();
    }

    #[inline]
    fn name(&self) -> NameId {
        self.way.last().copied().unwrap_or(NameId::NONE)
    }

    /// The name of the edges from here on: in the root's row, by what holds them.
    #[inline]
    fn edge_name(&mut self) -> NameId {
        let name = self.name();
        match self.node {
            NodeIndex::ROOT => {
                let source = self.sources.last().copied().unwrap_or(TextId::EMPTY);
                self.hold(Holder::Source { source, name })
            }
            _ => name,
        }
    }

    fn hold(&mut self, holder: Holder) -> NameId {
        let number = self.notes.holders.len() as u32;
        assert!(number <= NameId::MAX, "slotgc: more than 2^30 roots in a snapshot");
        self.notes.holders.push(holder);
        NameId::from_number(number)
    }

    /// The number of a type that a handle claims for its object.
    #[inline]
    fn type_index(&mut self, of: TypeTag) -> u32 {
        if of == TypeTag::NONE {
            return Slots::ANY;
        }
        if of != self.last_type.0 {
            let place = self.types.iter().position(|row| row.tag == of);
            self.last_type = (of, place.map_or(NO_TYPE, |place| place as u32));
        }
        self.last_type.1
    }

    #[inline]
    pub(crate) fn edge(&mut self, raw: RawHandle, of: TypeTag) {
        if self.dead_keys != 0 {
            return;
        }
        let name = self.edge_name();
        let tag = match self.ephemerons.last().copied() {
            None => Tag::new(EdgeKind::Strong, name.number()),
            Some((key, outer)) => {
                let ephemeron = self.builder.ephemeron(self.node, key, name, outer);
                Tag::new(EdgeKind::IdleEphemeron, ephemeron.number())
            }
        };
        let of = self.type_index(of);
        self.pending.push((raw, of, tag));
    }

    #[inline]
    pub(crate) fn weak(&mut self, raw: RawHandle, of: TypeTag) {
        if self.dead_keys != 0 {
            return;
        }
        let name = self.edge_name();
        let of = self.type_index(of);
        self.pending.push((raw, of, Tag::new(EdgeKind::Weak, name.number())));
    }

    /// Begins the value of an ephemeron: what is reported until [`end_ephemeron`](Self::end_ephemeron) counts
    /// together with this key. What belongs to a dead key is left out.
    pub(crate) fn begin_ephemeron(&mut self, key: RawHandle, of: TypeTag) {
        let of = self.type_index(of);
        let key = self.slots.find_of(key, of).unwrap_or(NodeIndex::NONE);
        self.dead_keys += usize::from(key == NodeIndex::NONE);
        let around = self.ephemerons.last().copied().filter(|_| self.dead_keys == 0);
        let outer = around
            .map(|(outer_key, outer)| self.builder.ephemeron(self.node, outer_key, NameId::NONE, outer));
        self.ephemerons.push((key, outer));
    }

    pub(crate) fn end_ephemeron(&mut self) {
        if let Some((NodeIndex::NONE, _)) = self.ephemerons.pop() {
            self.dead_keys -= 1;
        }
    }

    /// What tells the object from others of its type; the beginning of a long text.
    pub(crate) fn label(&mut self, text: impl fmt::Display) {
        let label = self.names.texts.intern_shown(Beginning(text));
        if label != TextId::EMPTY && self.node != NodeIndex::ROOT {
            self.notes.set_label(self.node, self.slots.nodes_len(), label);
        }
    }

    /// The object has a part that could not be read.
    pub(crate) fn gap(&mut self) {
        if self.notes.gaps.last() != Some(&self.node) {
            self.notes.gaps.push(self.node);
        }
    }

    /// What the object says that it owns.
    pub(crate) fn owned_bytes(&mut self, bytes: usize) {
        self.owned = bytes as u64;
    }

    fn flush(&mut self) {
        let mut place = 0;
        for end in self.row_ends.drain(..) {
            for (raw, of, tag) in &self.pending[place..end as usize] {
                place += 1;
                if let Some((ahead, _, _)) = self.pending.get(place + AHEAD) {
                    self.slots.prefetch(*ahead);
                }
                if let Some(target) = self.slots.find_of(*raw, *of) {
                    self.builder.push(target, *tag);
                }
            }
            self.builder.end_row();
        }
        self.pending.drain(..place);
    }

    /// The graph, when every object has its row.
    pub(crate) fn finish(mut self) -> (Graph, Names, Notes) {
        self.flush();
        assert_eq!(self.node.place(), self.slots.nodes_len(), "a row for each node");
        self.names.seal();
        self.notes.holders.shrink_to_fit();
        self.notes.roots.shrink_to_fit();
        (self.builder.finish(), self.names, self.notes)
    }
}
