//! Answers as text.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use crate::file::{File, FileNode};
use crate::graph::FileGraph;

/// How many nodes there are of each class, with their own bytes, the largest classes first.
pub fn census(file: &File, most: usize) -> String {
    let mut classes: HashMap<String, (u64, u64)> = HashMap::new();
    for node in file.nodes() {
        let (count, bytes) = classes.entry(node.class_name()).or_default();
        *count += 1;
        *bytes = bytes.saturating_add(node.bytes());
    }
    let mut rows: Vec<_> = classes.into_iter().collect();
    rows.sort_by(|(a_name, (_, a)), (b_name, (_, b))| b.cmp(a).then_with(|| a_name.cmp(b_name)));
    let mut text = format!("{:>10} {:>14}  class\n", "count", "bytes");
    for (class, (count, bytes)) in rows.iter().take(most) {
        let _ = writeln!(text, "{count:>10} {bytes:>14}  {}", short(class));
    }
    if rows.len() > most {
        let _ = writeln!(text, "{:>10} {:>14}  and {} classes more", "", "", rows.len() - most);
    }
    text
}

/// The nodes that keep the most bytes alive, of those that are not themselves kept by one of them through a
/// single chain.
pub fn biggest(graph: &FileGraph, most: usize) -> String {
    let mut nodes: Vec<(u64, FileNode<'_>)> = graph
        .file()
        .nodes()
        .filter(|node| node.type_name() != "synthetic")
        .map(|node| (graph.retained_bytes(node), node))
        .collect();
    nodes.sort_by_key(|(retained, node)| (std::cmp::Reverse(*retained), node.index()));
    let mut text = format!("{:>14} {:>10} {:>12}  node\n", "retained", "objects", "own bytes");
    for (retained, node) in nodes.into_iter().take(most) {
        let len = graph.node(node).retained_len();
        let _ = writeln!(text, "{retained:>14} {len:>10} {:>12}  {node}", node.bytes());
    }
    text
}

/// The path from the root to a node, one step per line.
pub fn path(graph: &FileGraph, id: u64) -> String {
    let Some(node) = graph.find(id) else { return format!("no node has the id {id}\n") };
    let Some(path) = graph.path(node) else { return format!("nothing reaches {node}\n") };
    let mut text = String::new();
    let mut before: Option<FileNode<'_>> = None;
    for step in path.steps() {
        let node = graph.place(step.handle());
        if let Some(edge) = before.and_then(|before| graph.edge_of_step(before, node, step.edge())) {
            let _ = write!(text, "  {edge} -> ");
        } else if let Some(ephemeron) = step.ephemeron() {
            let _ = write!(text, "  ({ephemeron}) -> ");
        }
        let _ = writeln!(text, "{node}");
        before = Some(node);
    }
    text
}

/// What is known of one node.
pub fn node(graph: &FileGraph, id: u64) -> String {
    let Some(node) = graph.find(id) else { return format!("no node has the id {id}\n") };
    let object = graph.node(node);
    let mut text = format!("{node}: {}, {} bytes\n", node.type_name(), node.bytes());
    let _ = writeln!(
        text,
        "retains {} bytes in {} nodes; distance {}",
        graph.retained_bytes(node),
        object.retained_len(),
        object.distance().map_or("none".to_string(), |distance| distance.to_string())
    );
    if let Some(dominator) = object.dominator() {
        let _ = writeln!(text, "kept by {}", graph.place(dominator.handle()));
    }
    for edge in object.referrers().take(20) {
        let from = graph.place(edge.source().handle());
        let name = graph.edge_of_step(from, node, edge.name()).map_or(String::new(), |edge| edge.to_string());
        let _ = writeln!(text, "  {} {from} {name}", if edge.is_weak() { "weakly from" } else { "from" });
    }
    for edge in node.edges().take(20) {
        let _ = writeln!(text, "  {edge} -> {}", edge.target());
    }
    text
}

/// What is new in the later file and what is gone, by class.
pub fn diff(earlier: &File, later: &File, most: usize) -> String {
    #[derive(Default)]
    struct Row {
        new: u64,
        gone: u64,
        bytes: i128,
    }
    let ids = |file: &File| {
        let mut ids: Vec<u64> = file.nodes().map(FileNode::id).collect();
        ids.sort_unstable();
        ids
    };
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for (file, others, is_later) in [(later, ids(earlier), true), (earlier, ids(later), false)] {
        for node in file.nodes().filter(|node| others.binary_search(&node.id()).is_err()) {
            let row = rows.entry(node.class_name()).or_default();
            let bytes = i128::from(node.bytes());
            if is_later {
                (row.new, row.bytes) = (row.new + 1, row.bytes + bytes)
            } else {
                (row.gone, row.bytes) = (row.gone + 1, row.bytes - bytes)
            }
        }
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by_key(|(_, row)| std::cmp::Reverse((row.bytes, row.new)));
    let mut text = format!("{:>10} {:>10} {:>14}  class\n", "new", "gone", "bytes");
    for (class, row) in rows.iter().take(most) {
        let _ = writeln!(text, "{:>10} {:>10} {:>+14}  {}", row.new, row.gone, row.bytes, short(class));
    }
    if rows.len() > most {
        let _ = writeln!(text, "{:>36}  and {} classes more", "", rows.len() - most);
    }
    text
}

/// At most 80 characters, on one line.
fn short(text: &str) -> String {
    let short = text.chars().take(80).map(|c| if c.is_control() { ' ' } else { c });
    short.collect()
}
