//! Edits at random places: subtrees move, go and come, attributes change.

use super::generate::{ATTRIBUTES, Generator, MOST_CHILDREN};
use super::node::{Content, Name, Nodes};
use super::tree::{append, child, detach, insert_before, is_above, within};

/// The most nodes removed at once.
const MOST_REMOVED: usize = 200;

/// What happened.
#[derive(Default, Debug, PartialEq, Eq)]
pub(crate) struct Edits {
    pub(crate) moved: usize,
    pub(crate) removed: usize,
    pub(crate) inserted: usize,
    pub(crate) changed: usize,
    /// Nodes to be inserted until the document is as large as it was.
    owed: usize,
}

impl Edits {
    /// One edit.
    pub(crate) fn edit<M: Nodes>(&mut self, memory: &mut M, root: &M::Id, generator: &mut Generator) {
        match generator.random.below(10) {
            0..4 => self.move_one(memory, root, generator),
            4..6 => self.remove(memory, root, generator),
            6..8 => self.insert(memory, root, generator),
            _ => self.change(memory, root, generator),
        }
    }

    fn move_one<M: Nodes>(&mut self, memory: &mut M, root: &M::Id, generator: &mut Generator) {
        let node = pick(memory, root, generator, 2);
        let target = pick(memory, root, generator, 1);
        if !is_above(memory, &node, &target) {
            detach(memory, &node);
            place(memory, &target, &node, generator);
            self.moved += 1;
        }
    }

    fn remove<M: Nodes>(&mut self, memory: &mut M, root: &M::Id, generator: &mut Generator) {
        let node = pick(memory, root, generator, 4);
        if let Some(left) = within(memory, &node, MOST_REMOVED) {
            let nodes = MOST_REMOVED - left;
            detach(memory, &node);
            self.owed += nodes;
            self.removed += nodes;
        }
    }

    fn insert<M: Nodes>(&mut self, memory: &mut M, root: &M::Id, generator: &mut Generator) {
        if self.owed == 0 {
            return;
        }
        let target = pick(memory, root, generator, 1);
        let mut left = self.owed.min(50);
        self.owed -= left;
        let nodes = left;
        let node = generator.subtree(memory, &mut left);
        self.owed += left;
        self.inserted += nodes - left;
        place(memory, &target, &node, generator);
    }

    fn change<M: Nodes>(&mut self, memory: &mut M, root: &M::Id, generator: &mut Generator) {
        let id = pick(memory, root, generator, 1);
        let name = generator.random.below(ATTRIBUTES) as Name;
        let value = generator.value();
        let mut node = memory.node_mut(&id);
        match &mut node.content {
            Content::Element { attributes, .. } => {
                match attributes.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, known)) => *known = value,
                    None => attributes.push((name, value)),
                }
            }
            Content::Text(text) => *text = value,
        }
        self.changed += 1;
    }
}

/// A node at least this deep, or where the way down ends.
fn pick<M: Nodes>(memory: &M, root: &M::Id, generator: &mut Generator, least: usize) -> M::Id {
    let mut id = root.clone();
    for depth in 0.. {
        let count = memory.node(&id).child_count as usize;
        if count == 0 || depth >= least && generator.random.below(6) == 0 {
            break;
        }
        id = child(memory, &id, generator.random.below(count));
    }
    id
}

/// Inserts into the target if it has room, or else beside one of its children; beside the target if that is a
/// text.
fn place<M: Nodes>(memory: &mut M, target: &M::Id, node: &M::Id, generator: &mut Generator) {
    let (is_element, count) = {
        let target = memory.node(target);
        (target.content.is_element(), target.child_count as usize)
    };
    if !is_element {
        return insert_before(memory, target, node);
    }
    if count == 0 || count < MOST_CHILDREN && generator.random.below(2) == 0 {
        return append(memory, target, node);
    }
    let sibling = child(memory, target, generator.random.below(count));
    insert_before(memory, &sibling, node);
}
