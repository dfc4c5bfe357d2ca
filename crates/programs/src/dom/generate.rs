//! Documents and subtrees from a deterministic generator.

use slotgc_graphs::Random;

use super::node::{Content, Name, Node, Nodes};
use super::tree;

pub(crate) const TAGS: usize = 30;
pub(crate) const CLASSES: usize = 60;
pub(crate) const ATTRIBUTES: usize = 12;

/// Elements of a document have at most this many children.
pub(crate) const MOST_CHILDREN: usize = 16;

/// Makes nodes.
pub(crate) struct Generator {
    pub(crate) random: Random,
    serial: u32,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), serial: 0 }
    }

    fn name(&mut self, names: usize) -> Name {
        self.random.below(names) as Name
    }

    pub(crate) fn value(&mut self) -> Box<str> {
        format!("value {}", self.random.below(1000)).into()
    }

    fn element(&mut self) -> Content {
        let classes = (0..self.random.below(4)).map(|_| self.name(CLASSES)).collect();
        let attributes = (0..self.random.below(4)).map(|_| (self.name(ATTRIBUTES), self.value())).collect();
        Content::Element { tag: self.name(TAGS), classes, attributes }
    }

    fn node<M: Nodes>(&mut self, memory: &mut M, content: Content) -> M::Id {
        self.serial += 1;
        memory.make(Node::new(self.serial, content))
    }

    /// A document of this many nodes, including the root.
    pub(crate) fn document<M: Nodes>(&mut self, memory: &mut M, nodes: usize) -> M::Id {
        let content = self.element();
        let root = self.node(memory, content);
        let mut left = nodes - 1;
        let mut sections = 0;
        while left > 0 {
            // The last takes what is left.
            let mut section =
                if sections == MOST_CHILDREN - 1 { left } else { left.min(nodes / MOST_CHILDREN + 1) };
            left -= section;
            let child = self.subtree(memory, &mut section);
            left += section;
            tree::append(memory, &root, &child);
            sections += 1;
        }
        root
    }

    /// A subtree of at most `left` nodes, at least one; subtracts those it used.
    pub(crate) fn subtree<M: Nodes>(&mut self, memory: &mut M, left: &mut usize) -> M::Id {
        *left -= 1;
        if *left == 0 || self.random.below(4) == 0 && *left < 100 {
            let content = match self.random.below(2) {
                0 => self.element(),
                _ => Content::Text(format!("text {}", self.random.below(100)).into()),
            };
            return self.node(memory, content);
        }
        let content = self.element();
        let id = self.node(memory, content);
        let children = 2 + self.random.below(7);
        for child in 0..children {
            let mut share = left.div_ceil(children - child);
            if share == 0 {
                break;
            }
            *left -= share;
            let child = self.subtree(memory, &mut share);
            *left += share;
            tree::append(memory, &id, &child);
        }
        id
    }
}
