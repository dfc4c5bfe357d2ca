//! The works, one per file.
//!
//! A new work is a file here, a file in `needs` with a trait for what it needs of a peer, an implementation
//! of that trait for each peer that has it, and a line in [`all`].

pub(crate) mod alloc;
pub(crate) mod barrier;
pub(crate) mod collect;
pub(crate) mod cycle;
pub(crate) mod ecs;
pub(crate) mod ephemeron;
pub(crate) mod frame;
pub(crate) mod get;
pub(crate) mod heaps;
pub(crate) mod idle;
pub(crate) mod iterate;
pub(crate) mod memory;
pub(crate) mod minor;
pub(crate) mod pause;
pub(crate) mod scale;
pub(crate) mod threads;
pub(crate) mod trees;
pub(crate) mod types;
pub(crate) mod unused;
pub(crate) mod weak;

use std::rc::Rc;

use crate::shape::Inputs;
use crate::work::Work;

/// All works except [`scale`], which takes long, memory, which is measured in processes of its own, and
/// pauses, which are distributions.
pub(crate) fn all(inputs: &Rc<Inputs>) -> Vec<Work> {
    let mut works = get::works(inputs);
    works.extend(iterate::works(inputs));
    works.extend(alloc::works(inputs));
    works.extend(types::works(inputs));
    works.extend(collect::works(inputs));
    works.extend(weak::works(inputs));
    works.extend(ephemeron::works(inputs));
    works.extend(unused::works(inputs));
    works.extend(heaps::works(inputs));
    works.extend(trees::works(inputs));
    works.extend(frame::works(inputs));
    works.extend(idle::works(inputs));
    works.extend(ecs::works(inputs));
    works.extend(minor::works(inputs));
    works.extend(cycle::works(inputs));
    works.extend(barrier::works(inputs));
    works.extend(threads::works(inputs));
    works
}
