//! Do ten times and fifty times as many objects take ten times and fifty times as long?
//!
//! Works whose time per object has no reason to depend on the number of objects, at the size of the run and
//! at multiples of it. Only with `--scale`: fifty million objects of 64 bytes take gigabytes and minutes. A
//! size for which there is not enough free memory is left out, with a line that says so.
//!
//! A cache holds a part of a million objects and nothing of fifty million, and page-table entries are cached
//! less often: lookups in random order get slower for every peer, and for the limits too.

use std::rc::Rc;

use crate::limits::{IndexVec, TwoStageMark};
use crate::machine;
use crate::needs::collect::Rooted;
use crate::needs::weak::{Maps, Plan};
use crate::needs::{First, alloc::Fresh, alloc::Refill, heaps::Heaps};
use crate::peers::weak::{InHeap, SlotGcValues};
use crate::peers::{slotgc::SlotGc, slotmap::SlotMap};
use crate::shape::{Inputs, Shape};
use crate::work::{Bound, OURS, Work, per_object, size_name};
use crate::works::collect::{half_dies, nothing_dies};
use crate::works::get::{self, Order};
use crate::works::iterate;

/// By how much the time per object may grow.
const AT_MOST: f64 = 1.6;

/// The multiples of the number of objects, with the names of slotgc's cases.
const SIZES: [(usize, &str); 2] = [(10, "slotgc:x10"), (50, "slotgc:x50")];

/// The names of the cases of something else, for the same multiples.
type Names = [&'static str; 3];

const SLOTMAP: Names = ["slotmap", "slotmap:x10", "slotmap:x50"];
const INDEX: Names = ["limit:index", "limit:index:x10", "limit:index:x50"];
const TWO_STAGE: Names = ["limit:two-stage", "limit:two-stage:x10", "limit:two-stage:x50"];

/// How a work is done with inputs of some size.
type Run = fn(&Inputs) -> f64;

/// The inputs of all sizes for which there is memory, and why the others are not here.
struct Sizes {
    inputs: Vec<(&'static str, Rc<Inputs>)>,
    refused: Vec<(&'static str, String)>,
}

/// Memory in use for each object: graphs as numbers, the heap, handles, a map, what checks the answer.
const BYTES_EACH: usize = 240;

impl Sizes {
    fn new(inputs: &Rc<Inputs>) -> Self {
        let mut sizes = Self { inputs: vec![(OURS, Rc::clone(inputs))], refused: Vec::new() };
        for (times, name) in SIZES {
            let objects = times * inputs.objects;
            let (needed, free) = (objects * BYTES_EACH, machine::available_bytes());
            if needed <= free {
                sizes.inputs.push((name, Rc::new(Inputs::new(objects))));
            } else {
                let gib = |bytes: usize| bytes as f64 / (1 << 30) as f64;
                let [needed, free] = [needed, free].map(gib);
                let reason = format!(
                    "{} objects take up to {needed:.1} GiB, and {free:.1} are free",
                    size_name(objects)
                );
                sizes.refused.push((name, reason));
            }
        }
        sizes
    }

    fn work(&self, name: &str, about: &str, run: Run, others: Option<(Names, Run)>) -> Work {
        let largest = self.inputs.last().map_or(0, |(_, inputs)| inputs.objects);
        let mut work =
            Work::new(format!("scale/{name}"), format!("{about}; up to {} objects", size_name(largest)));
        for (peer, inputs) in &self.inputs {
            let inputs = Rc::clone(inputs);
            work = work.case(peer, move || run(&inputs));
        }
        if let Some((names, run)) = others {
            for (peer, (_, inputs)) in names.into_iter().zip(&self.inputs) {
                let inputs = Rc::clone(inputs);
                work = work.case(peer, move || run(&inputs));
            }
        }
        for (peer, _) in &self.inputs[1..] {
            work = work.target_of(peer, OURS, Bound::AtMost(AT_MOST));
        }
        for (peer, reason) in &self.refused {
            work = work.absent(&[peer], reason);
        }
        work.note(&["slotgc:x10", "slotgc:x50"], "ten and fifty times as many objects")
    }
}

pub(crate) fn works(inputs: &Rc<Inputs>) -> Vec<Work> {
    let sizes = Sizes::new(inputs);
    let fresh: Run = |inputs| per_object(SlotGc::fresh(inputs.objects).time, inputs.objects);
    let refill: Run = |inputs| per_object(SlotGc::refill(inputs.order()).time, inputs.objects / 2);
    let values: Run = |inputs| {
        let plan = Plan::new(inputs);
        per_object(<SlotGcValues<InHeap> as Maps>::prune(&plan), plan.len())
    };
    vec![
        sizes.work(
            "alloc/fresh",
            "a new heap and all objects in it",
            fresh,
            Some((SLOTMAP, |inputs| per_object(SlotMap::fresh(inputs.objects).time, inputs.objects))),
        ),
        sizes.work("alloc/refill", "as many objects as there were deaths", refill, None),
        sizes.work(
            "iterate",
            "iterate over all objects",
            |inputs| iterate::measure::<SlotGc>(inputs.objects),
            None,
        ),
        sizes.work(
            "get/sequence",
            "look up all objects in allocation order",
            |inputs| get::measure::<SlotGc, First>(Order::Sequence, inputs.objects),
            None,
        ),
        sizes.work(
            "get/random",
            "look up all objects in a random order",
            |inputs| get::measure::<SlotGc, First>(Order::Random, inputs.objects),
            Some((INDEX, |inputs| get::measure::<IndexVec, First>(Order::Random, inputs.objects))),
        ),
        sizes.work(
            "get/many",
            "look up all objects in a random order in one call",
            |inputs| get::measure_many::<First>(inputs.objects),
            None,
        ),
        sizes.work(
            "collect/graph",
            "full collection of a random graph in which nothing dies",
            |inputs| nothing_dies::<Rooted<SlotGc>>(inputs.graph(Shape::Random)),
            Some((TWO_STAGE, |inputs| nothing_dies::<TwoStageMark>(inputs.graph(Shape::Random)))),
        ),
        sizes.work(
            "collect/tree2",
            "full collection of a binary tree in which nothing dies",
            |inputs| nothing_dies::<Rooted<SlotGc>>(inputs.graph(Shape::TreeByBranch)),
            None,
        ),
        sizes.work(
            "collect/half",
            "full collection in which a random half dies",
            |inputs| half_dies::<Rooted<SlotGc>>(inputs.graph(Shape::Halves)),
            None,
        ),
        sizes.work("weak/prune", "pruning a weak map of which half dies, in a collection", values, None),
        sizes.work(
            "drop",
            "drop a heap",
            |inputs| per_object(SlotGc::end(inputs.objects), inputs.objects),
            None,
        ),
    ]
}
