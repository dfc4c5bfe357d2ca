//! The machine, and the table.

use std::fs;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::program::Substrate;
use crate::rounds::Measured;

/// Binds this process to one core and returns which: the one asked for, or else the last allowed.
pub(crate) fn pin(core: Option<usize>) -> Option<usize> {
    let allowed = sched_getaffinity(None).ok()?;
    let core = core.or_else(|| (0..CpuSet::MAX_CPU).rev().find(|core| allowed.is_set(*core)))?;
    let mut only = CpuSet::new();
    only.set(core);
    sched_setaffinity(None, &only).ok().map(|()| core)
}

/// The processor and the method.
pub(crate) fn heading(rounds: usize, pinned: Option<usize>) {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(':')).map_or("?", |(_, model)| model.trim());
    let core = pinned.map_or("not pinned".to_owned(), |core| format!("pinned to core {core}"));
    println!(
        "{model}, {core}, {rounds} rounds, each run in a process of its own. Milliseconds of processor time, \
         medians; the ratios are medians of the rounds' ratios, in bold where the goal is missed \
         (at most 1.00 of gc-arena and of Rc, 1.25 of indices).\n"
    );
}

/// A row for each part.
pub(crate) fn table(all: &[Measured]) {
    let names = Substrate::ALL.map(Substrate::name);
    let ratios: Vec<String> = names[1..].iter().map(|name| format!("slotgc / {name}")).collect();
    println!("| program | {} | {} |", names.join(" | "), ratios.join(" | "));
    println!("|:---{}|", "|---:".repeat(names.len() + ratios.len()));
    for measured in all {
        let medians = Substrate::ALL.map(|substrate| format!("{:.1}", measured.median(substrate)));
        let ratios: Vec<String> = Substrate::ALL[1..].iter().map(|peer| ratio(measured, *peer)).collect();
        println!("| {} | {} | {} |", measured.name, medians.join(" | "), ratios.join(" | "));
    }
}

fn ratio(measured: &Measured, peer: Substrate) -> String {
    let ratio = measured.ratio(peer);
    let is_missed = peer.limit().is_some_and(|limit| ratio > limit);
    if is_missed { format!("**{ratio:.2}**") } else { format!("{ratio:.2}") }
}
