//! Dispatches each op to its method.

use crate::ops::{Block, Op};
use crate::runner::collecting;
use crate::runner::state::Runner;

/// Ops nest this deep at most; deeper ones do nothing.
const MAX_DEPTH: u32 = 3;

impl Runner {
    /// One op, and the comparison after it.
    pub(super) fn step(&mut self, op: &Op) {
        self.report.ops += 1;
        match *op {
            Op::Alloc { heap, ref make, how } => self.alloc(heap.into(), make, how),
            Op::Cyclic { heap, ref make, ref inside, ending } => {
                self.cyclic(heap.into(), make, inside, ending);
            }
            Op::Burst { heap, kind, size, shape, rooted } => {
                self.burst(heap.into(), kind, size, shape, rooted);
            }
            Op::Read { heap, target, by } => self.read(heap.into(), target, by),
            Op::Change { heap, target, by, edit } => self.change(heap.into(), target, by, edit),
            Op::Exchange { heap, targets } => self.exchange(heap.into(), targets),
            Op::ChangeAll { heap, kind, value } => self.change_all(heap.into(), kind, value),
            Op::Split { heap, target, peek, ref make, edit } => {
                self.split(heap.into(), target, peek, make.as_ref(), edit);
            }
            Op::Arm { heap, target, fuse } => self.arm(heap.into(), target, fuse),
            Op::Downcast { heap, target, kind } => self.downcast(heap.into(), target, kind),
            Op::Compare { heap, targets } => self.compare_two(heap.into(), targets),
            Op::Root { heap, target } => self.root(heap.into(), target),
            Op::CloneRoot { index } => self.clone_root(index),
            Op::DropRoots { index, len } => self.drop_roots(index, len),
            Op::Destroy { heap, target, erased } => self.destroy(heap.into(), target, erased),
            Op::DestroyMany { heap, kind, size, newest } => {
                self.destroy_many(heap.into(), kind, size, newest);
            }
            Op::Collect { heap } => self.collect(heap.into()),
            Op::CollectWith { heap, roots, ending } => self.collect_with(heap.into(), roots, ending),
            Op::Shrink { heap } => self.shrink(heap.into()),
            Op::Fresh { heap, setup } => self.fresh(heap.into(), setup, drop),
            Op::Shutdown { heap, setup } => self.fresh(heap.into(), setup, collecting::shut_down),
            _ => self.step_weak(op),
        }
        self.settle();
        self.compare();
    }

    /// An op about weak collections or deaths.
    fn step_weak(&mut self, op: &Op) {
        match *op {
            Op::EditValues { heap, table, edit } => self.edit_values(heap.into(), table, edit),
            Op::EditKeys { heap, table, edit } => self.edit_keys(heap.into(), table, edit),
            Op::EditSet { heap, table, edit } => self.edit_set(heap.into(), table, edit),
            Op::CombineSets { heap, table, by } => self.combine_sets(heap.into(), table, by),
            Op::Intern { heap, table, name, by } => self.intern(heap.into(), table, name, by),
            Op::GetOrAlloc { heap, table, key, edge, ref make, ref inside, swaps, ending } => {
                self.get_or_alloc(heap.into(), table, (key, edge), make, (inside, swaps, ending));
            }
            Op::GetOrTry { heap, table, key, ref inside, swaps, gives } => {
                self.get_or_try(heap.into(), table, key, (inside, swaps, gives));
            }
            Op::CopyOut { heap, table, sort } => self.copy_out(heap.into(), table, sort),
            Op::CopyIn { heap, sort, rooted } => self.copy_in(heap.into(), sort, rooted),
            Op::PruneOutside { heap } => self.prune_outside(heap.into()),
            Op::OnDeath { heap, target, ref then, ending } => {
                self.on_death(heap.into(), target, then, ending);
            }
            Op::Finalize { heap, target, ref then, ending } => {
                self.finalize(heap.into(), target, then, ending);
            }
            Op::UseFinalizer { heap, index, by } => self.use_finalizer(heap.into(), index, by),
            Op::WatchQueue { heap, target } => self.watch_queue(heap.into(), target),
            Op::Poll { heap, all } => self.poll(heap.into(), all),
            Op::Bury { heap, target, second } => self.bury(heap.into(), target, second),
            Op::Exhume { heap, all } => self.exhume(heap.into(), all),
            Op::Cancel { heap, watch } => self.cancel(heap.into(), watch),
            Op::DropGuard { watch } => self.drop_guard(watch),
            Op::GuardIn { heap, target, watch } => self.guard_in(heap.into(), target, watch),
            ref op => unreachable!("an op that `step` does: {op:?}"),
        }
    }

    pub(super) fn block(&mut self, block: &Block) {
        self.depth += 1;
        if self.depth <= MAX_DEPTH {
            block.0.iter().for_each(|op| self.step(op));
        }
        self.depth -= 1;
    }
}
