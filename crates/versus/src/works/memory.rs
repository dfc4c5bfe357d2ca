//! Memory above the objects' own size, each peer in a process of its own.
//!
//! It is the growth of resident memory since before the heap, divided by the objects, minus their size. Two
//! kinds: plain values that nothing refers to (a peer whose handles keep objects alive forgets them), before
//! any collection; and the random graph of the collection works, with what collections need for themselves.

use std::process::Command;

use slotgc_graphs::Graph;

use crate::machine;
use crate::malloc;
use crate::needs::collect::{Collector, Rooted};
use crate::needs::memory::{Contents, Meter};
use crate::options::Options;
use crate::peers::{boa_gc, dumpster, gc, gc_arena, rc, rust_cc, safe_gc, slotgc, slotmap, thunderdome};

/// Fills a heap through a meter.
type Fill = fn(&mut Meter);

/// A peer, with values of two words, with values of eight, and with a graph if it collects.
struct Peer {
    name: &'static str,
    small: Fill,
    large: Fill,
    graph: Option<Fill>,
}

macro_rules! peer {
    ($name:literal, $peer:ident $(, $collector:ty)?) => {
        Peer {
            name: $name,
            small: $peer::memory::<2>,
            large: $peer::memory::<8>,
            graph: [$(graph::<$collector> as Fill)?].first().copied(),
        }
    };
}

fn peers() -> Vec<Peer> {
    vec![
        peer!("slotgc", slotgc, Rooted<slotgc::SlotGc>),
        peer!("slotmap", slotmap),
        peer!("thunderdome", thunderdome),
        peer!("gc-arena", gc_arena, gc_arena::GcArena),
        peer!("safe-gc", safe_gc, Rooted<safe_gc::SafeGc>),
        peer!("boa_gc", boa_gc, Rooted<boa_gc::BoaGc>),
        peer!("gc", gc, Rooted<gc::RustGc>),
        peer!("dumpster", dumpster, Rooted<dumpster::Dumpster>),
        peer!("rust-cc", rust_cc, Rooted<rust_cc::RustCc>),
        peer!("rc", rc),
    ]
}

/// Builds a random graph and collects twice.
fn graph<C: Collector>(meter: &mut Meter) {
    let graph = Graph::random(meter.objects);
    malloc::trim();
    let empty = machine::resident_bytes();
    let resident = || {
        malloc::trim();
        machine::resident_bytes().saturating_sub(empty)
    };
    let mut heap = C::build(&graph);
    meter.overheads.push(meter.above(resident(), meter.objects));
    (0..2).for_each(|_| heap.collect());
    meter.overheads.push(meter.above(resident(), meter.objects));
}

/// One peer's bytes per object above the object's own size, in two columns.
#[derive(Debug)]
pub(crate) struct Overhead {
    /// The peer.
    pub(crate) peer: &'static str,
    /// What was in the heap.
    pub(crate) contents: Contents,
    /// See [`Contents::columns`].
    pub(crate) bytes: [f64; 2],
}

/// The child: fills a heap and returns a line for the parent.
pub(crate) fn child(peer: &str, contents: &str, objects: usize) -> String {
    let peer = peers().into_iter().find(|known| known.name == peer).expect("a peer's name");
    let contents =
        Contents::ALL.into_iter().find(|known| known.name() == contents).expect("a known contents");
    let mut meter = Meter { objects, contents, overheads: Vec::new() };
    let fill = match contents {
        Contents::Small => peer.small,
        Contents::Large | Contents::Few => peer.large,
        Contents::Graph => peer.graph.expect("a peer that collects"),
    };
    fill(&mut meter);
    meter.overheads.iter().map(f64::to_string).collect::<Vec<_>>().join(" ")
}

/// The parent: starts a child for each peer and contents.
pub(crate) fn measure(options: &Options) -> Vec<Overhead> {
    let mut overheads = Vec::new();
    for contents in Contents::ALL {
        if !options.wants_work(&format!("memory/{}", contents.name())) {
            continue;
        }
        let wanted = |peer: &Peer| {
            options.wants_peer(peer.name) && (contents != Contents::Graph || peer.graph.is_some())
        };
        for peer in peers().into_iter().filter(wanted) {
            let bytes = run_child(peer.name, contents, contents.objects(options.objects));
            overheads.push(Overhead { peer: peer.name, contents, bytes });
        }
    }
    overheads
}

fn run_child(peer: &str, contents: Contents, objects: usize) -> [f64; 2] {
    let program = std::env::current_exe().expect("a path of this program");
    let output = Command::new(program)
        .args(["--objects", &objects.to_string(), "--child", "memory", peer, contents.name()])
        .output()
        .expect("a child process");
    assert!(output.status.success(), "{peer}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text.split_whitespace().map(|number| number.parse().expect("a number")).collect();
    numbers.try_into().expect("two numbers")
}
