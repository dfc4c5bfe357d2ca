//! How long single steps pause a program, next to a loop that does nothing for as long.
//!
//! After each step the process spins for the same millisecond of wall-clock time. What the machine does
//! (another process, an interrupt, the hypervisor) affects both; what the steps take beyond that is the
//! collector's. A step longer than its budget is blamed on the machine if the thread did not run all that
//! time, or if a spin was as long.
//!
//! - `cycle`: full cycles of a heap, half of which lives: a random graph. The garbage of each is made of
//!   plain objects, of objects with a destructor, and of watched ones; a thousandth of the objects are weak
//!   maps of which half the entries die. A step counts for the phase in which it ended.
//! - `pace`: frames that allocate 5k objects, of which 500 replace others on old ones. Counted by the rule
//!   that decided.
//! - `debt`: the same with twice as many objects as `pace` was seen to free in its budget, all of them stored
//!   until the next frame, so that the ceiling is reached again and again.

use std::cell::Cell;
use std::time::{Duration, Instant};

use slotgc::{Budget, CollectStats, Gc, Heap, HeapConfig, Root, Rule, StepReport, Trace, WeakValueMap};
use slotgc_graphs::{DEGREE, Random};

use crate::clock::Stopwatch;
use crate::distribution::Distribution;
use crate::needs::NODE_BYTES;
use crate::options::Options;

/// The budget of a step.
pub(crate) const BUDGET: Duration = Duration::from_millis(1);

/// How much longer it may take.
pub(crate) const MARGIN: Duration = Duration::from_micros(200);

/// Cycles, and frames, for each round that the command line asks for.
const CYCLES: usize = 12;
const FRAMES: usize = 250;

/// Name, what is timed, and how: with this many objects and rounds.
type Measurement = (&'static str, &'static str, fn(usize, usize) -> Pauses);

/// The works.
pub(crate) const WORKS: [Measurement; 3] = [
    ("pause/cycle", "full cycles in steps of 1 ms, by the phase in which a step ended", cycles),
    ("pause/pace", "`pace` with 1 ms a frame, by the rule that decided", pace),
    ("debt", "`pace` with 1 ms a frame, twice as much allocated as it can free, by the rule", debt),
];

/// How long something took.
#[derive(Clone, Copy, Debug)]
struct Took {
    /// Wall-clock time.
    wall: Duration,
    /// Time of the thread.
    thread: Duration,
}

/// Steps of one kind.
#[derive(Debug)]
pub(crate) struct Group {
    /// Which.
    pub(crate) name: String,
    /// Why it may take longer, if it may.
    pub(crate) excuse: Option<&'static str>,
    steps: Vec<Took>,
}

impl Group {
    /// Wall-clock times, in microseconds.
    pub(crate) fn wall(&self) -> Distribution {
        Distribution::new(self.steps.iter().map(|step| micros(step.wall)).collect())
    }

    /// Times of the thread, in microseconds.
    pub(crate) fn thread(&self) -> Distribution {
        Distribution::new(self.steps.iter().map(|step| micros(step.thread)).collect())
    }

    /// Steps that took too long: all, and those that neither the machine nor an excuse explains.
    pub(crate) fn longer(&self, spin_max: f64) -> [usize; 2] {
        let longer = || self.steps.iter().filter(|step| step.wall > BUDGET + MARGIN);
        let unexplained =
            longer().filter(|step| step.thread > BUDGET + MARGIN && micros(step.wall) > spin_max);
        [longer().count(), if self.excuse.is_some() { 0 } else { unexplained.count() }]
    }
}

/// Steps and spins of one work.
#[derive(Debug)]
pub(crate) struct Pauses {
    /// The work's name.
    pub(crate) name: &'static str,
    /// What was timed.
    pub(crate) about: &'static str,
    /// In the order in which they first came.
    pub(crate) groups: Vec<Group>,
    spins: Vec<Duration>,
    /// What else there is to say.
    pub(crate) remarks: Vec<String>,
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

impl Pauses {
    fn new() -> Self {
        Self { name: "", about: "", groups: Vec::new(), spins: Vec::new(), remarks: Vec::new() }
    }

    /// The spins, in microseconds.
    pub(crate) fn spins(&self) -> Distribution {
        Distribution::new(self.spins.iter().map(|spin| micros(*spin)).collect())
    }

    /// Times a step, then a spin. The step counts for the group that `group` returns, unless it did nothing.
    fn step(
        &mut self,
        step: impl FnOnce() -> StepReport,
        group: impl FnOnce(&StepReport) -> (String, Option<&'static str>),
    ) -> StepReport {
        let (start, thread) = (Instant::now(), Stopwatch::start());
        let report = step();
        let took = Took { thread: thread.elapsed(), wall: start.elapsed() };
        if report.rule != Rule::NotDue {
            let (name, excuse) = group(&report);
            match self.groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.steps.push(took),
                None => self.groups.push(Group { name, excuse, steps: vec![took] }),
            }
        }
        self.spins.push(spin());
        report
    }
}

/// Does nothing until the budget is spent, and returns how long that took.
fn spin() -> Duration {
    let start = Instant::now();
    while start.elapsed() < BUDGET {
        std::hint::spin_loop();
    }
    start.elapsed()
}

fn by_phase(report: &StepReport) -> (String, Option<&'static str>) {
    match report.finished {
        Some(_) => ("last".to_owned(), None),
        None => (format!("{:?}", report.phase), None),
    }
}

fn by_rule(report: &StepReport) -> (String, Option<&'static str>) {
    let excuse = (report.rule == Rule::Ceiling).then_some("forced");
    (format!("{:?}", report.rule), excuse)
}

#[derive(Trace)]
#[repr(C)]
struct Node {
    id: u64,
    edges: [Option<Gc<Node>>; DEGREE],
    fill: [u64; 3],
}

const _: () = assert!(size_of::<Node>() == NODE_BYTES);

/// As large, with a destructor.
#[derive(Trace)]
struct Mortal([u64; 8]);

thread_local! {
    static DESTRUCTORS: Cell<u64> = const { Cell::new(0) };
}

impl Drop for Mortal {
    fn drop(&mut self) {
        DESTRUCTORS.set(DESTRUCTORS.get() + self.0[0]);
    }
}

fn node(id: u64, edges: [Option<Gc<Node>>; DEGREE]) -> Node {
    Node { id, edges, fill: [0; 3] }
}

/// A random graph that a root keeps alive: the first edges make a cycle, the last are unused.
fn graph(heap: &mut Heap, n: usize, random: &mut Random) -> (Vec<Gc<Node>>, Root<Node>) {
    let nodes: Vec<_> = (0..n as u64).map(|id| heap.alloc(node(id, [None; DEGREE]))).collect();
    let cycle = random.order(n);
    for (place, from) in cycle.iter().enumerate() {
        let next = nodes[cycle[(place + 1) % n] as usize];
        let [second, third] = std::array::from_fn(|_| Some(nodes[random.below(n)]));
        heap[nodes[*from as usize]].edges = [Some(next), second, third, None];
    }
    let root = heap.root(nodes[0]).expect("a living object");
    (nodes, root)
}

fn cycles(n: usize, rounds: usize) -> Pauses {
    const ENTRIES: usize = 100;
    let mut pauses = Pauses::new();
    let mut random = Random::new(10);
    let mut heap = Heap::new();
    let (nodes, _root) = graph(&mut heap, n / 2, &mut random);
    let maps: Vec<Root<WeakValueMap<u64, Node>>> =
        (0..(n / 1000).max(1)).map(|_| heap.alloc_root(WeakValueMap::new())).collect();
    heap.collect();
    for _ in 0..CYCLES * rounds {
        let garbage: Vec<_> = (0..n as u64 / 4)
            .map(|id| heap.alloc(node(id, [Some(nodes[random.below(nodes.len())]), None, None, None])))
            .collect();
        let destructors = DESTRUCTORS.get();
        (0..n / 8).for_each(|_| _ = heap.alloc(Mortal([1; 8])));
        for watched in garbage.iter().take(n / 8) {
            heap.on_death(watched, |_, _| {}).expect("a living object");
        }
        for map in &maps {
            for id in 0..ENTRIES {
                let from = if id % 2 == 0 { &garbage } else { &nodes };
                heap[map].insert(id as u64, from[random.below(from.len())]);
            }
        }
        let stats = loop {
            let report = pauses.step(|| heap.step(Budget::Time(BUDGET)), by_phase);
            if let Some(stats) = report.finished {
                break stats;
            }
        };
        let CollectStats { marked, freed, notified, pruned, .. } = stats;
        let expected = (nodes.len() + maps.len(), n / 4 + n / 8, n / 8, maps.len() * ENTRIES / 2);
        assert_eq!((marked, freed, notified, pruned), expected, "what the cycle did");
        assert_eq!(DESTRUCTORS.get() - destructors, n as u64 / 8, "destructors that ran");
    }
    pauses
}

/// Frames of a program that stores a tenth of what it allocates in old objects, where the next replaces it.
struct Frames {
    heap: Heap,
    random: Random,
    nodes: Vec<Gc<Node>>,
    _root: Root<Node>,
    next_id: u64,
}

impl Frames {
    fn new(n: usize, config: HeapConfig) -> Self {
        let mut heap = Heap::with_config(config);
        let mut random = Random::new(11);
        let (nodes, root) = graph(&mut heap, n, &mut random);
        heap.collect();
        Self { heap, random, nodes, _root: root, next_id: n as u64 }
    }

    /// Makes `young` objects, of which every `kept`th is stored.
    fn play(&mut self, young: usize, kept: usize) {
        let hooks = (self.nodes.len() / 20).max(1);
        for number in 0..young {
            let to = self.nodes[self.random.below(self.nodes.len())];
            let made = self.heap.alloc(node(self.next_id, [Some(to), None, None, None]));
            self.next_id += 1;
            if number % kept == 0 {
                let hook = self.nodes[self.random.below(hooks) * 20 % self.nodes.len()];
                self.heap[hook].edges[DEGREE - 1] = Some(made);
            }
        }
    }

    /// Checks what is alive, by following edges from the old objects.
    fn check(&mut self) {
        self.heap.collect();
        let hung: Vec<_> = self.nodes.iter().filter_map(|gc| self.heap[gc].edges[DEGREE - 1]).collect();
        assert!(hung.iter().all(|gc| self.heap.is_alive(gc)), "what is stored lives");
        assert_eq!(self.heap.len(), self.nodes.len() + hung.len(), "and nothing else");
    }
}

fn pace(n: usize, rounds: usize) -> Pauses {
    let mut pauses = Pauses::new();
    let mut frames = Frames::new((n / 5).max(400), HeapConfig::default());
    for _ in 0..FRAMES * rounds {
        frames.play((n / 200).max(10), 10);
        pauses.step(|| frames.heap.pace(Budget::Time(BUDGET)), by_rule);
    }
    let stats = frames.heap.stats();
    pauses.remarks.push(format!("{} collections, {} overshoots", stats.collections, stats.overshoots));
    frames.check();
    pauses
}

fn debt(n: usize, rounds: usize) -> Pauses {
    let mut pauses = Pauses::new();
    let live = (n / 5).max(400);
    // Objects freed for each millisecond of full cycles over a heap that has grown by half.
    let mut frames = Frames::new(live, HeapConfig::default());
    frames.play(live / 2, 10);
    let (mut steps, mut freed) = (0, 0);
    while freed == 0 {
        steps += 1;
        freed = frames.heap.step(Budget::Time(BUDGET)).finished.map_or(0, |stats| stats.freed);
    }
    let young = 2 * freed / steps;
    let ceiling = live * (NODE_BYTES + 8);
    let mut frames = Frames::new(live, HeapConfig::default().ceiling_bytes(ceiling));
    let (mut peak, mut most) = (0.0_f64, 0);
    for _ in 0..FRAMES * rounds {
        // Two thirds outlive a minor collection, so minor collections do not suffice.
        frames.play(young, 2);
        let before = frames.heap.stats();
        pauses.step(|| frames.heap.pace(Budget::Time(BUDGET)), by_rule);
        let allowed = before.live_bytes + ceiling + young * (NODE_BYTES + 8);
        peak = peak.max(before.bytes as f64 / allowed as f64);
        most = most.max(before.bytes);
        assert!(before.bytes <= allowed, "{} bytes, where {allowed} are allowed", before.bytes);
    }
    pauses.remarks.push(format!(
        "{live} old objects, {young} new ones a frame (twice {freed} freed in {steps} steps); at most {most} bytes, \
         {peak:.2} of live + ceiling + one frame"
    ));
    frames.check();
    pauses
}

/// Runs those that the command line asks for.
pub(crate) fn measure(options: &Options) -> Vec<Pauses> {
    let wanted = WORKS.iter().filter(|(name, ..)| options.wants_work(name) && options.wants_peer("slotgc"));
    wanted.map(|(name, about, run)| Pauses { name, about, ..run(options.objects, options.rounds) }).collect()
}
