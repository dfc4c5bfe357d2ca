//! Memory above the objects' own size, each peer in a process of its own.
//!
//! It is the growth of resident memory since before the heap, divided by the objects, minus their size. Two kinds:
//! plain values that nothing refers to (a peer whose handles keep objects alive forgets them), before any
//! collection; and the random graph of the collection works, with what collections need for themselves.

use std::process::Command;

use crate::machine;
use crate::malloc;
use crate::options::Options;
use crate::peers::{
    NODE_BYTES, Rooted, boa_gc, dumpster, gc, gc_arena, rc, rust_cc, safe_gc, slotgc, slotmap, thunderdome,
};
use crate::shape::Graph;
use crate::work::collect::Collector;

/// The most bytes that slotgc is to take for a plain value.
pub(crate) const AT_MOST: f64 = 9.0;

/// How memory may be handed out at once, on huge pages: this much more is filled to find out where a page ends.
const LARGEST_PAGE_BYTES: usize = 2 << 20;

/// What is in the heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Contents {
    /// Values of 16 bytes.
    Small,
    /// Values of 64 bytes.
    Large,
    /// Nodes of 64 bytes.
    Graph,
}

impl Contents {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Small, Self::Large, Self::Graph];

    /// The name on the command line, behind `memory/`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Small => "16",
            Self::Large => "64",
            Self::Graph => "graph",
        }
    }

    /// What is measured.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Small => "bytes in memory an object, above its own 16",
            Self::Large => "bytes in memory an object, above its own 64",
            Self::Graph => {
                "bytes in memory an object, above its own 64, in a random graph before and after collections"
            }
        }
    }

    /// The heads of the two columns.
    pub(crate) fn columns(self) -> [&'static str; 2] {
        match self {
            Self::Small | Self::Large => ["filled", "last page aside"],
            Self::Graph => ["built", "after collections"],
        }
    }

    fn object_bytes(self) -> usize {
        match self {
            Self::Small => 16,
            Self::Large | Self::Graph => NODE_BYTES,
        }
    }
}

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

/// Fills a heap while it reads the process's memory.
#[derive(Debug)]
pub(crate) struct Meter {
    objects: usize,
    contents: Contents,
    overheads: Vec<f64>,
}

impl Meter {
    /// The most objects that it makes.
    pub(crate) fn most_objects(&self) -> usize {
        self.objects + LARGEST_PAGE_BYTES / self.contents.object_bytes()
    }

    fn above(&self, bytes: usize, objects: usize) -> f64 {
        bytes as f64 / objects as f64 - self.contents.object_bytes() as f64
    }

    /// Makes objects, and then some more until a page may have been filled to its end.
    pub(crate) fn fill(&mut self, mut alloc: impl FnMut(u64)) {
        const STEP: usize = 256;
        let empty = machine::resident_bytes();
        (0..self.objects).for_each(|id| alloc(id as u64));
        let filled = self.above(machine::resident_bytes() - empty, self.objects);
        let mut least = filled;
        for start in (self.objects..self.most_objects() - STEP).step_by(STEP) {
            (start..start + STEP).for_each(|id| alloc(id as u64));
            least = least.min(self.above(machine::resident_bytes() - empty, start + STEP));
        }
        self.overheads = vec![filled, least];
    }
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

/// One peer's bytes an object above its own size, in two columns.
#[derive(Debug)]
pub(crate) struct Overhead {
    /// The peer.
    pub(crate) peer: &'static str,
    /// What was in the heap.
    pub(crate) contents: Contents,
    /// See [`Contents::columns`].
    pub(crate) bytes: [f64; 2],
}

/// The child: fills a heap and gives a line for the parent.
pub(crate) fn child(peer: &str, contents: &str, objects: usize) -> String {
    let peer = peers().into_iter().find(|known| known.name == peer).expect("a peer's name");
    let contents =
        Contents::ALL.into_iter().find(|known| known.name() == contents).expect("a known contents");
    let mut meter = Meter { objects, contents, overheads: Vec::new() };
    let fill = match contents {
        Contents::Small => peer.small,
        Contents::Large => peer.large,
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
            let bytes = run_child(peer.name, contents, options.objects);
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
