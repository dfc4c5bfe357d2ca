//! slotmap: each tree is taken apart by hand.

use slotmap::{DefaultKey, SlotMap};

use crate::needs::trees::Trees;

struct Node {
    left: Option<DefaultKey>,
    right: Option<DefaultKey>,
}

/// A map.
pub(crate) struct SlotMapTrees {
    map: SlotMap<DefaultKey, Node>,
    kept: Option<DefaultKey>,
}

fn build(map: &mut SlotMap<DefaultKey, Node>, depth: u32) -> DefaultKey {
    let mut child = || (depth > 0).then(|| build(map, depth - 1));
    let (left, right) = (child(), child());
    map.insert(Node { left, right })
}

fn count(map: &SlotMap<DefaultKey, Node>, tree: DefaultKey) -> u64 {
    let Node { left, right } = &map[tree];
    1 + [left, right].into_iter().flatten().map(|child| count(map, *child)).sum::<u64>()
}

fn free(map: &mut SlotMap<DefaultKey, Node>, tree: DefaultKey) {
    let Node { left, right } = map.remove(tree).expect("a living object");
    [left, right].into_iter().flatten().for_each(|child| free(map, child));
}

impl Trees for SlotMapTrees {
    fn new() -> Self {
        Self { map: SlotMap::new(), kept: None }
    }

    fn keep(&mut self, depth: u32) {
        self.kept = Some(build(&mut self.map, depth));
    }

    fn count_kept(&self) -> u64 {
        self.kept.map_or(0, |tree| count(&self.map, tree))
    }

    fn pass(&mut self, depth: u32) -> u64 {
        let tree = build(&mut self.map, depth);
        let nodes = count(&self.map, tree);
        free(&mut self.map, tree);
        nodes
    }

    fn living(&mut self) -> Option<u64> {
        Some(self.map.len() as u64)
    }
}
