//! Queries, each a walk over the whole document in its order.

use super::generate::{ATTRIBUTES, CLASSES, TAGS};
use super::node::{Content, Name, Node, Nodes};

/// What a query found.
#[derive(Default, Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) count: u64,
    /// A hash of the serial numbers, weighted by the order in which they were found.
    pub(crate) hash: u64,
}

impl Found {
    fn add(&mut self, serial: u32) {
        self.count += 1;
        self.hash = self.hash.wrapping_mul(31).wrapping_add(u64::from(serial));
    }
}

/// One round of queries: by tag, by class, by attribute, by what is above, and of all text.
pub(crate) fn round<M: Nodes>(memory: &M, root: &M::Id, number: usize) -> [Found; 5] {
    let name = |names: usize| (number * 7 % names) as Name;
    let (tag, class, attribute) = (name(TAGS), name(CLASSES), name(ATTRIBUTES));
    let mut found = [Found::default(); 5];
    let [by_tag, by_class, by_attribute, by_above, text] = &mut found;
    each(memory, root, &mut |node| {
        if node.content.has_tag(tag) {
            by_tag.add(node.serial);
        }
    });
    each(memory, root, &mut |node| {
        if node.content.has_class(class) {
            by_class.add(node.serial);
        }
    });
    each(memory, root, &mut |node| {
        if node.content.attribute(attribute).is_some_and(|value| value.ends_with('7')) {
            by_attribute.add(node.serial);
        }
    });
    // `.class tag`
    each(memory, root, &mut |node| {
        if node.content.has_tag(tag) && is_below(memory, node, class) {
            by_above.add(node.serial);
        }
    });
    each(memory, root, &mut |node| {
        if let Content::Text(content) = &node.content {
            text.add(node.serial + content.len() as u32);
        }
    });
    found
}

/// Whether a node above has the class.
fn is_below<M: Nodes>(memory: &M, node: &Node<M>, class: Name) -> bool {
    let mut above = node.parent.as_ref().map(M::follow);
    while let Some(id) = above {
        let node = memory.node(&id);
        if node.content.has_class(class) {
            return true;
        }
        above = node.parent.as_ref().map(M::follow);
    }
    false
}

/// The node and its siblings after it, each with all that is below it.
fn each<M: Nodes>(memory: &M, first: &M::Id, visit: &mut impl FnMut(&Node<M>)) {
    let mut at = Some(first.clone());
    while let Some(id) = at {
        let node = memory.node(&id);
        visit(&node);
        if let Some(child) = &node.first_child {
            each(memory, child, visit);
        }
        at = node.next.clone();
    }
}
