//! Snapshots in V8's format, which Chrome DevTools and memlab read.
//!
//! The format is a JSON object with long arrays of numbers. Nodes come first, each with its number of edges;
//! then the edges of all nodes in the same order, each naming its target by its place in the array of nodes;
//! last the texts, which both name by number. So everything is written in one pass, and only the numbers of
//! texts are kept meanwhile.
//!
//! The root is node 0 as in V8's own files; below it `(GC roots)`, and below that a node for each name or
//! origin of `Root`s and for each root source. Unreachable objects hang on `(unreachable)` by weak edges.

mod ids;
mod json;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use std::io;

use crate::hash::Map;
use crate::inspect::graph::{EdgeIndex, EdgeKind, NodeIndex};
use crate::inspect::names::{NameId, TextId};
use crate::inspect::snapshot::{HolderView, Snapshot};

use ids::{Ids, id_of_group};
use json::JsonWriter;

/// V8's description of the arrays. The types of nodes used are `object` and `synthetic`; those of edges are
/// `element`, `property`, `internal` and `weak`.
const META: &str = r#"{"node_fields":["type","name","id","self_size","edge_count","trace_node_id","detachedness"],"node_types":[["hidden","array","string","object","code","closure","regexp","number","native","synthetic","concatenated string","sliced string","symbol","bigint","object shape","wasm object"],"string","number","number","number","number","number"],"edge_fields":["type","name_or_index","to_node"],"edge_types":[["context","element","property","internal","hidden","shortcut","weak"],"string_or_number","node"],"trace_function_info_fields":["function_id","name","script_name","script_id","line","column"],"trace_node_fields":["id","function_info_index","count","size","children"],"sample_fields":["timestamp_us","last_assigned_id"],"location_fields":["object_index","script_id","line","column"]}"#;

/// How many numbers a node has.
const NODE_FIELDS: u64 = 7;

const OBJECT: u64 = 3;
const SYNTHETIC: u64 = 9;

const ELEMENT: u64 = 1;
const PROPERTY: u64 = 2;
const INTERNAL: u64 = 3;
const WEAK: u64 = 6;

impl Snapshot {
    /// Writes the snapshot in V8's format: it opens in the Memory tab of Chrome DevTools (*Load profile*) and
    /// in memlab. Streamed: needs little memory beside the snapshot, whatever its size.
    ///
    /// An object's name is that of its type, or `<Mob "wolf">` if objects of the type have labels: DevTools
    /// counts by the word in the brackets. Its size is that of its slot plus what it owns. Its id is the same
    /// in every snapshot of one heap, so two files can be compared. (If a slot has had more than 32 tenants
    /// or the heap more than 256 MiB of slots, ids of 32 bits cannot tell all handles apart: then a few
    /// objects in a thousand may have another id in the next file. No two objects in one file share an id.)
    ///
    /// Dominators and retained sizes are the same there as here, except that an object held by only one name
    /// or one line has the node of these roots as its dominator. DevTools and memlab treat unreachable
    /// objects as roots of their own, so that one may retain others; here it retains only itself.
    ///
    /// # Errors
    /// Those of `out`.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let bus = heap.alloc_root("event bus").named("event_bus");
    /// let mut file = Vec::new();
    /// heap.snapshot().write_heapsnapshot(&mut file)?;
    /// assert!(file.starts_with(br#"{"snapshot":{"meta":{"node_fields":["type","name","id","#));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn write_heapsnapshot(&self, out: impl io::Write) -> io::Result<()> {
        let mut json = JsonWriter::new(out);
        Layout::of(self).write(&mut json)?;
        json.finish()
    }
}

/// What comes before the objects, and the numbers of texts.
struct Layout<'s> {
    snapshot: &'s Snapshot,
    groups: Vec<Group>,
    unreachable: Vec<NodeIndex>,
    texts: Vec<String>,
    /// The number of the first type's name.
    first_type: u64,
    /// The numbers of the names of objects with a label.
    labelled: Map<(u32, TextId), u64>,
    labelled_texts: Vec<String>,
}

/// Roots of one name or origin, or a root source.
struct Group {
    name: String,
    /// Its edges in the snapshot.
    edges: Vec<EdgeIndex>,
}

/// The texts before those of groups.
const FIXED_TEXTS: [&str; 4] = ["<dummy>", "", "(GC roots)", "(unreachable)"];
const EMPTY: u64 = 1;
const GC_ROOTS: u64 = 2;
const UNREACHABLE: u64 = 3;

/// Used in the name of a class, which a space would end.
const NO_BREAK_SPACE: &str = "\u{a0}";

impl<'s> Layout<'s> {
    fn of(snapshot: &'s Snapshot) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for edge in snapshot.graph.edges(NodeIndex::ROOT) {
            let view = match snapshot.holder(edge) {
                // The source's name for the object is the edge's name.
                HolderView::Source { source, .. } => HolderView::Source { source, name: None },
                HolderView::Root { name: Some(name), .. } => {
                    HolderView::Root { name: Some(name), origin: None, clones: 1 }
                }
                root => root,
            };
            let place = *places.entry(view.to_string()).or_insert_with_key(|name| {
                groups.push(Group { name: name.clone(), edges: Vec::new() });
                groups.len() - 1
            });
            groups[place].edges.push(edge);
        }
        let unreachable = snapshot.unreachable().map(|node| node.index).collect();
        let mut texts: Vec<String> = FIXED_TEXTS.iter().map(|text| text.to_string()).collect();
        texts.extend(groups.iter().map(|group| group.name.clone()));
        let first_type = texts.len() as u64;
        texts.extend(snapshot.types.iter().map(|of| of.name.to_string()));
        let (labelled, labelled_texts) = (Map::default(), Vec::new());
        let mut layout = Self { snapshot, groups, unreachable, texts, first_type, labelled, labelled_texts };
        (0..snapshot.types.len()).for_each(|index| layout.name_labelled(index));
        layout
    }

    /// Names for the labelled objects of one type. In brackets, as for DOM nodes: DevTools takes what comes
    /// before the first space of such a name as the class. Otherwise each label would be a class.
    fn name_labelled(&mut self, type_index: usize) {
        let first = self.texts.len() as u64;
        let Self { snapshot, labelled, labelled_texts, .. } = self;
        let labelled_before = labelled_texts.len();
        let type_name = snapshot.types[type_index].name.to_string().replace(' ', NO_BREAK_SPACE);
        for node in snapshot.slots.nodes_of(type_index).map(NodeIndex) {
            if let Some(label) = snapshot.notes.label(node) {
                labelled.entry((type_index as u32, label)).or_insert_with(|| {
                    labelled_texts.push(format!("<{type_name} {:?}>", snapshot.names.texts.get(label)));
                    first + labelled_texts.len() as u64 - 1
                });
            }
        }
        if labelled_texts.len() > labelled_before {
            self.texts[self.first_type as usize + type_index] = format!("<{type_name}>");
        }
    }

    /// The number of an edge's name.
    fn text_of_name(&self, name: NameId) -> u64 {
        match name {
            NameId::NONE => EMPTY,
            name => (self.texts.len() + self.labelled_texts.len()) as u64 + u64::from(name.number()) - 1,
        }
    }

    fn has_unreachable(&self) -> bool {
        !self.unreachable.is_empty()
    }

    /// The number of nodes before those of objects.
    fn synthetic_len(&self) -> u64 {
        2 + self.groups.len() as u64 + u64::from(self.has_unreachable())
    }

    /// An object's place in the array of nodes.
    fn place(&self, node: NodeIndex) -> u64 {
        (self.synthetic_len() + u64::from(node.0) - 1) * NODE_FIELDS
    }

    fn write(&self, json: &mut JsonWriter<impl io::Write>) -> io::Result<()> {
        let graph = &self.snapshot.graph;
        let root_edges = 1 + u64::from(self.has_unreachable());
        let nodes = self.synthetic_len() + self.snapshot.len() as u64;
        let edges =
            root_edges + self.groups.len() as u64 + self.unreachable.len() as u64 + graph.edges_len() as u64;
        json.text("{\"snapshot\":{\"meta\":")?;
        json.text(META)?;
        json.text(&format!(
            ",\"node_count\":{nodes},\"edge_count\":{edges},\"trace_function_count\":0}},\n\"nodes\":["
        ))?;
        self.write_nodes(json, root_edges)?;
        json.text("],\n\"edges\":[")?;
        self.write_edges(json)?;
        json.text(
            "],\n\"trace_function_infos\":[],\n\"trace_tree\":[],\n\"samples\":[],\n\"locations\":[],\n",
        )?;
        json.text("\"strings\":[")?;
        self.write_texts(json)?;
        json.text("]}")
    }

    fn write_nodes(&self, json: &mut JsonWriter<impl io::Write>, root_edges: u64) -> io::Result<()> {
        json.row(true, &[SYNTHETIC, EMPTY, 1, 0, root_edges, 0, 0])?;
        json.row(false, &[SYNTHETIC, GC_ROOTS, 3, 0, self.groups.len() as u64, 0, 0])?;
        let mut taken = Vec::new();
        for (number, group) in self.groups.iter().enumerate() {
            let name = FIXED_TEXTS.len() as u64 + number as u64;
            let id = id_of_group(&group.name, &mut taken);
            json.row(false, &[SYNTHETIC, name, id, 0, group.edges.len() as u64, 0, 0])?;
        }
        if self.has_unreachable() {
            let id = id_of_group("(unreachable)", &mut taken);
            json.row(false, &[SYNTHETIC, UNREACHABLE, id, 0, self.unreachable.len() as u64, 0, 0])?;
        }
        let Snapshot { slots, graph, notes, types, first_generation, .. } = self.snapshot;
        let mut ids = Ids::new(*first_generation);
        for (index, of) in types.iter().enumerate() {
            for node in slots.nodes_of(index).map(NodeIndex) {
                let name = match notes.label(node) {
                    Some(label) => self.labelled[&(index as u32, label)],
                    None => self.first_type + index as u64,
                };
                let bytes = u64::from(of.slot_bytes).saturating_add(notes.owned_bytes(node));
                let edges = graph.row(node).len() as u64;
                json.row(
                    false,
                    &[OBJECT, name, ids.of(slots.handle(node)), bytes.min(u32::MAX.into()), edges, 0, 0],
                )?;
            }
        }
        Ok(())
    }

    fn write_edges(&self, json: &mut JsonWriter<impl io::Write>) -> io::Result<()> {
        let graph = &self.snapshot.graph;
        json.row(true, &[ELEMENT, 1, NODE_FIELDS])?;
        if self.has_unreachable() {
            json.row(false, &[ELEMENT, 2, (self.synthetic_len() - 1) * NODE_FIELDS])?;
        }
        for number in 0..self.groups.len() as u64 {
            json.row(false, &[ELEMENT, number + 1, (number + 2) * NODE_FIELDS])?;
        }
        for group in &self.groups {
            for (number, edge) in group.edges.iter().enumerate() {
                let name = self.snapshot.name_in_source(*edge);
                self.write_edge(json, *edge, name, number as u64 + 1, graph.is_strong(*edge))?;
            }
        }
        for node in &self.unreachable {
            json.row(false, &[WEAK, UNREACHABLE, self.place(*node)])?;
        }
        let mut is_garbage = vec![false; graph.nodes_len()];
        self.unreachable.iter().for_each(|node| is_garbage[node.place()] = true);
        for node in (1..graph.nodes_len()).map(NodeIndex::from_place) {
            for (number, edge) in graph.edges(node).enumerate() {
                // Garbage keeps only garbage alive.
                let counts = !is_garbage[node.place()] || is_garbage[graph.target(edge).place()];
                let keeps = counts && graph.is_strong(edge);
                self.write_edge(json, edge, graph.name(edge), number as u64, keeps)?;
            }
        }
        Ok(())
    }

    fn write_edge(
        &self,
        json: &mut JsonWriter<impl io::Write>,
        edge: EdgeIndex,
        name: NameId,
        number: u64,
        keeps: bool,
    ) -> io::Result<()> {
        let graph = &self.snapshot.graph;
        let target = self.place(graph.target(edge));
        let of_key = || graph.ephemeron(edge).is_some_and(|entry| graph.source(edge) != entry.map);
        let (kind, name) = if !keeps {
            (WEAK, self.text_of_name(name))
        } else if graph.kind(edge) == EdgeKind::Ephemeron && of_key() {
            (INTERNAL, self.text_of_name(name))
        } else if name == NameId::NONE {
            (ELEMENT, number)
        } else {
            match self.snapshot.names.as_index(name) {
                Some(index) => (ELEMENT, index.into()),
                None => (PROPERTY, self.text_of_name(name)),
            }
        };
        json.row(false, &[kind, name, target])
    }

    fn write_texts(&self, json: &mut JsonWriter<impl io::Write>) -> io::Result<()> {
        let mut is_first = true;
        for text in self.texts.iter().chain(&self.labelled_texts) {
            json.string(core::mem::replace(&mut is_first, false), text)?;
        }
        let names = &self.snapshot.names;
        let mut text = String::new();
        for number in 1..names.len() as u32 {
            text.clear();
            names.write(NameId::from_number(number), &mut text);
            json.string(false, &text)?;
        }
        Ok(())
    }
}
