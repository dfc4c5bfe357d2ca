//! The program "binary trees": trees of all depths are built, counted and dropped, beside one that stays.
//!
//! Nodes have two edges and nothing else. For every second depth from 4 to the largest, enough trees are
//! built to have sixteen times the nodes of the largest tree together; a tree one level deeper comes first.
//! All of that is timed, to the last count of the tree that stayed.

use std::rc::Rc;

use crate::clock::Stopwatch;
use crate::needs::trees::{Trees, nodes};
use crate::peers::trees::arena::ArenaTrees;
use crate::peers::trees::rc::RcTrees;
use crate::peers::trees::slotgc::{Pace, SlotGcTrees, WhenDue};
use crate::peers::trees::slotmap::SlotMapTrees;
use crate::shape::Inputs;
use crate::work::{Work, per_object};

const SHALLOWEST: u32 = 4;

/// The trees of one depth.
fn trees(depth: u32, deepest: u32) -> u64 {
    1 << (deepest - depth + 4)
}

/// Nanoseconds for each node that is made.
fn play<T: Trees>(deepest: u32) -> f64 {
    let depths = || (SHALLOWEST..=deepest).step_by(2);
    let start = Stopwatch::start();
    let mut program = T::new();
    let stretched = program.pass(deepest + 1);
    program.keep(deepest);
    let counted: u64 = depths().map(|depth| pass_all(&mut program, depth, trees(depth, deepest))).sum();
    let kept = program.count_kept();
    let time = start.elapsed();
    let made = nodes(deepest + 1)
        + nodes(deepest)
        + depths().map(|depth| trees(depth, deepest) * nodes(depth)).sum::<u64>();
    assert_eq!(stretched + kept + counted, made, "nodes counted and made");
    assert_eq!(kept, nodes(deepest), "nodes of the tree that stayed");
    assert!(program.living().is_none_or(|living| living == kept), "nodes that live at the end");
    per_object(time, made as usize)
}

#[inline(never)]
fn pass_all(program: &mut impl Trees, depth: u32, trees: u64) -> u64 {
    (0..trees).map(|_| program.pass(depth)).sum()
}

pub(super) fn works(inputs: &Rc<Inputs>) -> Vec<Work> {
    // 16 for a million objects.
    let deepest = inputs.objects.ilog2().saturating_sub(3).max(SHALLOWEST);
    let about = format!(
        "ns a node: trees of up to {deepest} levels are built, counted and dropped, beside one that stays"
    );
    let work = Work::new(format!("trees/{deepest}"), about)
        .case("slotgc", move || play::<SlotGcTrees<Pace>>(deepest))
        .case("slotgc:collect", move || play::<SlotGcTrees<WhenDue>>(deepest))
        .case("slotmap", move || play::<SlotMapTrees>(deepest))
        .case("gc-arena", move || play::<ArenaTrees>(deepest))
        .case("rc", move || play::<RcTrees>(deepest))
        .target("slotmap", 0.95)
        .target("gc-arena", 1.0)
        .note(&["slotgc"], "`pace` with 1 ms after each tree")
        .note(&["slotgc:collect"], "`collect` after a tree if `is_due` says so")
        .note(&["slotmap"], "takes each tree apart by hand")
        .note(&["gc-arena"], "`collect_debt` after each tree")
        .absent(&["thunderdome"], "would be slotmap once more")
        .absent(&["safe-gc", "boa_gc", "gc", "dumpster", "rust-cc"], "`collect/tree2` has their collections");
    vec![work]
}
