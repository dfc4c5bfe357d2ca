//! `std::rc::Rc`: a tree is freed when its last handle goes.

use std::rc::Rc;

use crate::needs::trees::Trees;

#[derive(Debug)]
struct Node {
    left: Option<Rc<Node>>,
    right: Option<Rc<Node>>,
}

/// The C allocator's heap.
#[derive(Debug)]
pub(crate) struct RcTrees {
    kept: Option<Rc<Node>>,
}

fn build(depth: u32) -> Rc<Node> {
    let child = || (depth > 0).then(|| build(depth - 1));
    let (left, right) = (child(), child());
    Rc::new(Node { left, right })
}

fn count(tree: &Node) -> u64 {
    1 + [&tree.left, &tree.right].into_iter().flatten().map(|child| count(child)).sum::<u64>()
}

impl Trees for RcTrees {
    fn new() -> Self {
        Self { kept: None }
    }

    fn keep(&mut self, depth: u32) {
        self.kept = Some(build(depth));
    }

    fn count_kept(&self) -> u64 {
        self.kept.as_ref().map_or(0, |tree| count(tree))
    }

    fn pass(&mut self, depth: u32) -> u64 {
        count(&build(depth))
    }

    fn living(&mut self) -> Option<u64> {
        None
    }
}
