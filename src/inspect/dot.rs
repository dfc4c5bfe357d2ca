//! Small neighbourhoods of objects, for Graphviz.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::Write;

use crate::handle::AnyGc;
use crate::inspect::graph::NodeIndex;
use crate::inspect::snapshot::Snapshot;

impl Snapshot {
    /// The objects within `depth` edges of this one, in either direction, as a graph in the language of
    /// Graphviz: weak edges dashed, those of ephemerons dotted, roots as boxes. For neighbourhoods that fit
    /// on a page. An empty graph if there is no such object.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let sword = heap.alloc("sword".to_string());
    /// let chest = heap.alloc_root(vec![sword]).named("chest");
    /// let dot = heap.snapshot().to_dot(sword, 1);
    /// assert!(dot.starts_with("digraph heap {\n"));
    /// assert!(dot.contains(&format!(r#""{chest}" -> "{sword}" [label="[0]"];"#)), "{dot}");
    /// ```
    pub fn to_dot(&self, around: impl Into<AnyGc>, depth: usize) -> String {
        let mut dot = String::from("digraph heap {\n  node [shape=ellipse];\n");
        let near =
            self.slots.find(around.into().raw()).map(|node| self.near(node, depth)).unwrap_or_default();
        // Writing to a `String` cannot fail.
        for node in near.iter().map(|node| self.node(*node)) {
            let _ = writeln!(dot, "  {} [label={}];", quoted(&node.handle()), quoted(&node));
            for (number, root) in node.roots().enumerate() {
                let id = quoted(&format!("root {number} of {}", node.handle()));
                let style = if root.is_weak() { " [style=dashed]" } else { "" };
                let _ = writeln!(dot, "  {id} [shape=box, label={}];", quoted(&root));
                let _ = writeln!(dot, "  {id} -> {}{style};", quoted(&node.handle()));
            }
            for edge in node.edges().filter(|edge| near.contains(&edge.target().index)) {
                let style = match (edge.is_ephemeron(), edge.is_weak()) {
                    (true, _) => ", style=dotted",
                    (false, true) => ", style=dashed",
                    (false, false) => "",
                };
                let (from, to) = (quoted(&node.handle()), quoted(&edge.target().handle()));
                let name = quoted(&edge.name().unwrap_or(""));
                let _ = writeln!(dot, "  {from} -> {to} [label={name}{style}];");
            }
        }
        dot.push_str("}\n");
        dot
    }

    /// The nodes within this many edges, in either direction.
    fn near(&self, around: NodeIndex, depth: usize) -> BTreeSet<NodeIndex> {
        let mut near = BTreeSet::from([around]);
        let mut queue = VecDeque::from([(around, 0)]);
        while let Some((node, distance)) = queue.pop_front() {
            if distance == depth {
                continue;
            }
            let graph = &self.graph;
            let onward = graph.edges(node).map(|edge| graph.target(edge));
            let back = self.referrers().to(node).iter().map(|edge| graph.source(*edge));
            for other in onward.chain(back) {
                if other != NodeIndex::ROOT && near.insert(other) {
                    queue.push_back((other, distance + 1));
                }
            }
        }
        near
    }
}

/// A string of the language: in quotes, with quotes, backslashes and line ends escaped.
fn quoted(text: &dyn ToString) -> String {
    let mut quoted = String::from("\"");
    for c in text.to_string().chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
