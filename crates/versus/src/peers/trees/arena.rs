//! gc-arena: one `mutate` per tree, and then `collect_debt`.

use gc_arena::{Arena, Collect, Gc, Mutation, Rootable};

use crate::needs::trees::Trees;

#[derive(Collect)]
#[collect(no_drop)]
struct Node<'gc> {
    left: Option<Gc<'gc, Node<'gc>>>,
    right: Option<Gc<'gc, Node<'gc>>>,
}

type Kept<'gc> = Option<Gc<'gc, Node<'gc>>>;

/// An arena.
pub(crate) struct ArenaTrees {
    arena: Arena<Rootable![Kept<'_>]>,
}

fn build<'gc>(mc: &Mutation<'gc>, depth: u32) -> Gc<'gc, Node<'gc>> {
    let child = || (depth > 0).then(|| build(mc, depth - 1));
    let (left, right) = (child(), child());
    Gc::new(mc, Node { left, right })
}

fn count(tree: &Node<'_>) -> u64 {
    1 + [&tree.left, &tree.right].into_iter().flatten().map(|child| count(child)).sum::<u64>()
}

impl Trees for ArenaTrees {
    fn new() -> Self {
        Self { arena: Arena::new(|_| None) }
    }

    fn keep(&mut self, depth: u32) {
        self.arena.mutate_root(|mc, kept| *kept = Some(build(mc, depth)));
    }

    fn count_kept(&self) -> u64 {
        self.arena.mutate(|_, kept| kept.map_or(0, |tree| count(&tree)))
    }

    fn pass(&mut self, depth: u32) -> u64 {
        let nodes = self.arena.mutate(|mc, _| count(&build(mc, depth)));
        self.arena.collect_debt();
        nodes
    }

    fn living(&mut self) -> Option<u64> {
        (0..2).for_each(|_| self.arena.finish_cycle());
        Some(self.arena.metrics().total_gc_count() as u64)
    }
}
