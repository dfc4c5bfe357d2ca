//! The graph of a file as objects of a slotgc heap.
//!
//! Each node becomes an object, each edge a strong or a weak handle; what V8 writes about the entries of a
//! `WeakMap` becomes ephemerons. The file's root becomes a `Root`. So a snapshot of the heap answers
//! questions about the file, and `slotgc::inspect` is tested on the graphs of real programs.

use slotgc::inspect::{Node, Path, Snapshot};
use slotgc::{AnyGc, Gc, GcMap, Heap, Inspector, Root, Trace, Tracer, Weak};

use crate::file::{EdgeType, File, FileEdge, FileNode};

/// A node of a file.
struct Object {
    index: u32,
    bytes: usize,
    links: Box<[Link]>,
}

/// An edge of a file, in the order of the file.
enum Link {
    Strong(Gc<Object>),
    Weak(Weak<Object>),
    Ephemeron(Weak<Object>, Gc<Object>),
    /// Covered by another edge.
    None,
}

impl Trace for Object {
    const OWNS: bool = true;

    fn trace(&self, tracer: &mut Tracer<'_>) {
        for link in &self.links {
            match link {
                Link::Strong(gc) => tracer.edge(*gc),
                Link::Ephemeron(key, value) => tracer.ephemeron(*key, value),
                Link::Weak(_) | Link::None => {}
            }
        }
    }

    /// Edges are named by their place, so that those of the file can be found.
    fn inspect(&self, inspector: &mut Inspector<'_>) {
        for (place, link) in self.links.iter().enumerate() {
            match link {
                Link::Strong(gc) => inspector.item(place, gc),
                Link::Weak(weak) => inspector.item(place, weak),
                Link::Ephemeron(key, value) => inspector.ephemeron(*key, value),
                Link::None => {}
            }
        }
    }

    /// The node's size in its own program.
    fn owned_bytes(&self) -> usize {
        self.bytes
    }
}

/// A file and the snapshot of a heap made from it.
#[derive(Debug)]
pub struct FileGraph {
    file: File,
    snapshot: Snapshot,
    /// The objects, in the order of the file's nodes.
    objects: Vec<AnyGc>,
    /// The nodes' places, by handle.
    places: GcMap<AnyGc, u32>,
    /// Bytes of an object's slot, which the file knows nothing of.
    slot_bytes: usize,
    /// How many objects a collection of the heap kept.
    pub kept: usize,
}

impl FileGraph {
    /// Builds a heap from the file and takes a snapshot of it. `advance` is called every so many nodes with
    /// their number.
    pub fn of(file: File, mut advance: impl FnMut(u64)) -> Self {
        const UNIT: usize = 16 * 1024;
        let mut heap = Heap::new();
        let objects: Vec<Gc<Object>> = file.nodes().map(|node| heap.alloc(Object::bare(node))).collect();
        let by_id: GcMap<u64, usize> = file.nodes().map(|node| (node.id(), node.index())).collect();
        for node in file.nodes() {
            let links = node.edges().map(|edge| link(node, edge, &objects, &by_id)).collect();
            heap[objects[node.index()]].links = links;
            if node.index() % UNIT == UNIT - 1 {
                advance(UNIT as u64);
            }
        }
        advance((file.len() % UNIT) as u64);
        let root: Option<Root<Object>> = objects.first().and_then(|root| heap.root(root));
        let root = root.map(|root| root.named("file"));
        let snapshot = heap.snapshot();
        let kept = heap.collect().kept;
        drop(root);
        let slot_bytes = snapshot.nodes().next().map_or(0, |node| node.bytes());
        let objects: Vec<AnyGc> = objects.into_iter().map(AnyGc::from).collect();
        let places = objects.iter().copied().zip(0..).collect();
        Self { file, snapshot, objects, places, slot_bytes, kept }
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The snapshot of the heap made from it.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The node with this id.
    pub fn find(&self, id: u64) -> Option<FileNode<'_>> {
        self.file.nodes().find(|node| node.id() == id)
    }

    /// A node as the heap's snapshot knows it.
    pub fn node(&self, node: FileNode<'_>) -> Node<'_> {
        self.snapshot.get(self.objects[node.index()]).expect("nothing was freed before the snapshot")
    }

    /// The node of the file that an object stands for.
    pub fn place(&self, object: AnyGc) -> FileNode<'_> {
        self.file.node(self.places[&object] as usize)
    }

    /// Bytes that would be free without this node, by the sizes of the file.
    pub fn retained_bytes(&self, node: FileNode<'_>) -> u64 {
        let object = self.node(node);
        (object.retained_bytes() - object.retained_len() * self.slot_bytes) as u64
    }

    /// A shortest path from the root to the node.
    pub fn path(&self, node: FileNode<'_>) -> Option<Path> {
        self.snapshot.path_to(self.objects[node.index()])
    }

    /// The edge of the file by which a step of a path is reached from the one before.
    pub fn edge_of_step<'a>(
        &'a self,
        from: FileNode<'a>,
        to: FileNode<'a>,
        name: Option<&str>,
    ) -> Option<FileEdge<'a>> {
        let by_place = name.and_then(|name| name.strip_prefix('[')?.strip_suffix(']')?.parse::<usize>().ok());
        let mut edges = from.edges();
        match by_place {
            Some(place) => edges.nth(place),
            None => edges.find(|edge| edge.target().index() == to.index()),
        }
    }
}

impl Object {
    fn bare(node: FileNode<'_>) -> Self {
        // A terabyte is enough for any node, and so sums stay in range.
        let bytes = node.bytes().min(1 << 40) as usize;
        Self { index: node.index() as u32, bytes, links: Box::default() }
    }
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Object({})", self.index)
    }
}

/// The edge as a handle. A shortcut counts at the root only, as for DevTools.
fn link(node: FileNode<'_>, edge: FileEdge<'_>, objects: &[Gc<Object>], by_id: &GcMap<u64, usize>) -> Link {
    let target = objects[edge.target().index()];
    match edge.edge_type() {
        EdgeType::Weak => Link::Weak(target.downgrade()),
        EdgeType::Shortcut if node.index() != 0 => Link::Weak(target.downgrade()),
        EdgeType::Internal => match ephemeron(edge.text()) {
            Some((key, table)) if table == node.id() => match by_id.get(&key) {
                Some(key) => Link::Ephemeron(objects[*key].downgrade(), target),
                None => Link::Strong(target),
            },
            // The same entry, reported by its key.
            Some((key, table)) if key == node.id() && by_id.contains_key(&table) => Link::None,
            _ => Link::Strong(target),
        },
        _ => Link::Strong(target),
    }
}

/// The ids of key and table in the name of an edge to a value in a `WeakMap`:
/// `7 / part of key (Foo @17) -> value (Bar @19) pair in WeakMap (table @21)`.
fn ephemeron(name: &str) -> Option<(u64, u64)> {
    let (_, rest) = name.split_once(" / part of key (")?;
    let (rest, table) = rest.rsplit_once(" pair in WeakMap (table @")?;
    let (key, _) = rest.rsplit_once(") -> value (")?;
    let (_, key) = key.rsplit_once(" @")?;
    Some((key.parse().ok()?, table.strip_suffix(')')?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_weak_maps_are_known_by_their_names() {
        let name = "7 / part of key (Foo (a @1) @17) -> value (Bar @19) pair in WeakMap (table @21)";
        assert_eq!(ephemeron(name), Some((17, 21)));
        for name in
            ["", "part of key", "7 / part of key (Foo @x) -> value (Bar @19) pair in WeakMap (table @21)"]
        {
            assert_eq!(ephemeron(name), None);
        }
    }
}
