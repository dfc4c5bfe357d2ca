//! Runs a stepped program: all ops except edits and calls that may run callbacks.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::mem;
use std::panic::{self, AssertUnwindSafe};

use slotgc::{DeathQueue, Gc, Heap, Phase, RootLog, RootSource, Trace, Tracer, Watch};

use crate::contents::Contents;
use crate::dyn_heap::Held;
use crate::dyn_heap::deaths::{Finalizing, Tagged};
use crate::kind::Kind;
use crate::link::{Link, ObjectId};
use crate::log::{self, Armed, Event, Mark};
use crate::model::{Index, Model};
use crate::stepped::frame::Frame;
use crate::stepped::program::{End, Ending, Inside, Making, Op, Report, Source, Tuning};
use crate::types::{Node, slot_bytes};

/// What the bounds need to know of an object beside its contents.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// The epoch when it was last seen reachable, or touched.
    pub(super) reachable_at: u64,
    /// How many collections had ended when it was made; `None` if a minor collection may take it for old.
    pub(super) young_since: Option<u64>,
    /// How many cycles had left `Mark` then: what it names that died in them leaves it in the next.
    pub(super) made_at: u64,
    /// Destroyed, or lost by a `make` that panicked: entries that name it stay until the next collection.
    pub(super) by_hand: bool,
}

/// Something registered on an object.
#[derive(Clone, Debug)]
pub(super) struct Registration {
    pub(super) id: ObjectId,
    pub(super) target: Index,
    /// What the callback does; `None`: a tag.
    pub(super) then: Option<Inside>,
    pub(super) ending: Ending,
    /// Or a finalizer.
    pub(super) is_callback: bool,
}

/// The state of a run.
#[derive(Default)]
pub(super) struct Runner {
    pub(super) heap: Heap,
    pub(super) model: Model,
    pub(super) known: Vec<Known>,
    pub(super) stress: bool,
    pub(super) roots: Vec<Box<dyn Held>>,
    /// The root source.
    pub(super) kept: Vec<Index>,
    pub(super) queue: DeathQueue<Tagged>,
    /// What is put there and was not reported, and the books that a source keeps.
    pub(super) changed: Vec<Index>,
    pub(super) log: RootLog,
    pub(super) watches: Vec<Registered>,
    pub(super) registered: BTreeMap<u64, Registration>,
    pub(super) made: u32,
    /// Cycles in slices that may have begun: counted at each step with none under way.
    pub(super) epoch: u64,
    /// That of the cycle under way.
    pub(super) cycle_epoch: u64,
    /// The heap's phase when it was last observed, and how many cycles had left `Mark` and had ended.
    pub(super) phase: Phase,
    pub(super) condemned: u64,
    pub(super) ended: u64,
    /// Whether a cycle was abandoned and none finished since.
    pub(super) needs_major: bool,
    /// Destructors that are to run in the cycle under way, and those that must run in this op.
    pub(super) doomed: BTreeSet<ObjectId>,
    pub(super) expected: BTreeSet<ObjectId>,
    /// Tags and callbacks of dead objects that were not delivered yet.
    pub(super) tags: BTreeSet<u64>,
    pub(super) due: BTreeSet<u64>,
    /// Closures and tags that were not dropped yet.
    pub(super) notices: BTreeSet<ObjectId>,
    /// Entries that had to be set aside, and those that were dropped.
    pub(super) entries: [usize; 2],
    /// Entries of the dead that may have been set aside before.
    pub(super) slack: usize,
    /// How often the heap was compared with the model.
    pub(super) looks: u64,
    /// What cycles did that the heap has not reported yet.
    pub(super) unreported: [usize; 3],
    /// Values that the call under way drops if it makes no objects of them.
    pub(super) unmade: BTreeSet<ObjectId>,
    /// Objects whose destructors panic.
    pub(super) armed: HashSet<ObjectId>,
    /// User code that panics.
    pub(super) code: Armed,
    /// The calls of the heap that are under way.
    pub(super) frames: Vec<Frame>,
    /// Whether a callback is running.
    pub(super) telling: bool,
    /// What a callback found wrong: a panic there is the heap's to deal with.
    pub(super) failed: Option<String>,
    /// Whether the callback that is about to return leaves another heap; the one under test, if one did.
    pub(super) swaps: bool,
    pub(super) away: Option<Heap>,
    /// Whether that happened in the last call.
    pub(super) was_swapped: bool,
    /// What such a call did is in no report: until the cycle is over.
    pub(super) uncounted: bool,
    /// After such a call: notifications of several deaths are due, and not in the order of one.
    pub(super) unordered: bool,
    /// What the program said that objects own, and whether some say so themselves.
    pub(super) owned: BTreeMap<Index, usize>,
    pub(super) some_own: bool,
    /// The end: callbacks run no more ops.
    pub(super) is_over: bool,
    pub(super) depth: u32,
    pub(super) report: Report,
}

/// What the program has of a registration.
pub(super) enum Registered {
    Watch(Watch),
    Finalizer(Box<dyn Finalizing>),
}

/// A root source that says what changed, of its nodes; of the rest it says all.
pub(super) struct Logged {
    pub(super) all: Contents,
    pub(super) changed: Vec<Link>,
    pub(super) log: RootLog,
}

impl RootSource for Logged {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        fn nodes(links: &[Link]) -> impl Iterator<Item = Gc<Node>> {
            links.iter().filter(|link| link.kind == Some(Kind::Node)).map(|link| link.gc())
        }
        self.log.report(tracer, nodes(&self.all.edges), nodes(&self.changed));
        self.all
            .edges
            .iter()
            .filter(|link| link.kind != Some(Kind::Node))
            .for_each(|link| link.trace(tracer));
    }

    /// The log knows what was reported.
    fn trace_changed_roots(&self, tracer: &mut Tracer<'_>) {
        self.trace_roots(tracer);
    }
}

/// Ops nest so deep at most.
const MAX_DEPTH: u32 = 6;
/// Above this programs make no more objects: all are compared after every op.
pub(super) const MANY: usize = 200;

pub(super) fn run(tuning: Tuning, ops: &[Op], at: &mut usize) -> Report {
    let slot_bytes = *slot_bytes();
    log::take();
    Mark::reset();
    log::arm_clock(None);
    log::arm_code(None);
    let mut runner = Runner {
        heap: Heap::with_config(tuning.config()),
        model: Model::new(tuning.limits(), slot_bytes),
        stress: tuning.stress,
        ..Runner::default()
    };
    for (index, op) in ops.iter().enumerate() {
        *at = index;
        if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| runner.op(op))) {
            // The end of a heap that is broken may have none.
            mem::forget(mem::take(&mut runner.heap));
            panic::resume_unwind(payload);
        }
    }
    *at = ops.len();
    runner.finish(tuning.end)
}

impl Runner {
    pub(super) fn op(&mut self, op: &Op) {
        self.report.ops += 1;
        self.report.at[self.phase as usize] += 1;
        match *op {
            Op::Make { kind, edges, how } => self.make(kind, &edges, how),
            Op::TwoLater { kinds, edges } => self.two_later(kinds, edges),
            Op::Chain { kind, len, rooted } => {
                for number in 0..len {
                    let how = if rooted && number + 1 == len { Making::Rooted } else { Making::Unrooted };
                    self.make(kind, if number == 0 { &[] } else { &[0] }, how);
                }
            }
            Op::Cyclic { kind, edges, ref inside, ending } => self.cyclic(kind, edges, inside, ending),
            Op::Change { target, by, edit } => self.change(target, by, edit),
            Op::Through { target, edit } => self.through(target, edit),
            Op::ThroughValue { target, to } => self.through_value(target, to),
            Op::Own { target, kib } => self.own(target, kib),
            Op::ArmClock(reading) => log::arm_clock(Some(reading)),
            Op::ArmCode { code, call } => self.code = Some((code, call)),
            Op::Intern { table, name, by } => self.intern(table, name, by),
            Op::GetOrAlloc { table, key, edge, ref inside, ending } => {
                self.get_or_alloc(table, (key, edge), inside, ending);
            }
            Op::CloneTable(table) => self.clone_table(table),
            Op::CloneGraph(target) => self.clone_graph(target),
            Op::Root(target) => self.root(target),
            Op::Unroot(number) => {
                if let Some(place) = usize::from(number).checked_rem(self.roots.len()) {
                    self.roots.swap_remove(place);
                    self.model.roots.swap_remove(place);
                }
            }
            Op::Keep(target) => {
                let target = self.pick(target);
                self.kept.extend(target);
                self.changed.extend(target);
            }
            Op::Forget(number) => {
                if let Some(place) = usize::from(number).checked_rem(self.kept.len()) {
                    self.kept.swap_remove(place);
                }
            }
            Op::Destroy { target, erased } => self.destroy(target, erased),
            Op::OnDeath { target, ref then, ending } => self.on_death(target, then, ending),
            Op::Finalize { target, ref then, ending } => self.finalize(target, then, ending),
            Op::Watch(target) => self.watch(target),
            Op::Cancel(number) => self.cancel(number),
            Op::Arm { target, fuse } => self.arm(target, fuse),
            Op::Step { units, source } => drop(self.step(units, source)),
            Op::StepTo { phase } => self.step_to(phase),
            Op::Help { units, alone } => self.help(units, alone),
            Op::Pace { units, source } => self.pace(units, source),
            Op::Minor(source) => self.minor(source),
            Op::Collect(source) => self.collect(source),
            Op::Due => assert!(self.heap.is_due(), "something is due"),
            Op::Pause => self.heap.pause(),
            Op::Resume => self.heap.resume(),
            Op::Shrink => self.heap.shrink_to_fit(),
        }
        self.look(false);
        // A callback of what is destroyed runs before the value is given out.
        let is_over = !self.frames.is_empty() || self.expected.is_empty();
        assert!(is_over, "destructors that did not run: {:?}", self.expected);
    }

    pub(super) fn block(&mut self, ops: &Inside) {
        self.depth += 1;
        if self.depth <= MAX_DEPTH {
            ops.0.iter().for_each(|op| self.op(op));
        }
        self.depth -= 1;
    }

    /// The end of the program.
    fn finish(mut self, end: End) -> Report {
        let abrupt = end != End::Collected;
        let mut rounds = 0;
        while rounds == 0 || !abrupt && !self.model.alive.is_empty() {
            // Callbacks may have made some.
            self.roots.clear();
            self.model.roots.clear();
            self.kept.clear();
            rounds += 1;
            if abrupt {
                break;
            }
            self.collect(Source::Nothing);
            self.look(false);
            self.heap.verify();
            assert!(
                rounds < 100,
                "what is unreachable is freed: {} objects are left",
                self.model.alive.len()
            );
        }
        self.is_over = true;
        log::arm_clock(None);
        // What is left dies, whatever phase the heap is in; panics of destructors come out.
        let heap = mem::take(&mut self.heap);
        drop(log::catch(|| end.end(heap)));
        for event in log::take() {
            match event {
                Event::Dropped(id) => {
                    let known = self.doomed.remove(&id)
                        || self.model.alive.iter().any(|index| self.model.objects[*index].id == id);
                    assert!(known, "the destructor of {id:?} runs once");
                    self.doomed.remove(&id);
                    let dead = self.model.alive.iter().find(|index| self.model.objects[**index].id == id);
                    if let Some(index) = dead.copied() {
                        self.model.kill(index);
                    }
                }
                Event::NoticeDropped(id) => assert!(self.notices.remove(&id), "{id:?} is dropped once"),
                Event::EntryDropped(_) => self.entries[1] += 1,
                Event::TracePanicked(_) | Event::ClockPanicked => panic!("{event:?} at the end of the heap"),
            }
        }
        drop(mem::take(&mut self.queue));
        for event in log::take() {
            let Event::NoticeDropped(id) = event else { panic!("{event:?} after the end") };
            assert!(self.notices.remove(&id), "{id:?} is dropped once");
        }
        let left = self.model.alive.iter().map(|index| &self.model.objects[*index]);
        let left: Vec<_> = left.filter(|object| object.kind.has_destructor()).collect();
        assert!(left.is_empty() && self.doomed.is_empty(), "the end drops all: {left:?}, {:?}", self.doomed);
        assert!(self.notices.is_empty(), "the end drops all closures and tags: {:?}", self.notices);
        assert_eq!(Mark::count(), 0, "keys and values of weak maps that are left");
        // Nothing that was set aside is leaked; what is in a dying heap may be pruned or not.
        assert!(self.entries[0] <= self.entries[1], "set aside and dropped: {:?}", self.entries);
        self.report
    }

    // ---- Objects

    /// The living object of this number.
    pub(super) fn pick(&self, number: u8) -> Option<Index> {
        let back = usize::from(number).checked_rem(self.model.alive.len())?;
        self.model.alive.iter().rev().nth(back).copied()
    }

    pub(super) fn link(&self, index: Index) -> Link {
        self.model.objects[index].link()
    }

    pub(super) fn next_id(&mut self) -> ObjectId {
        self.made += 1;
        ObjectId(self.made - 1)
    }

    pub(super) fn fold(&mut self, number: u64) {
        self.report.digest = (self.report.digest.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl End {
    /// Ends a heap, whatever it is doing.
    fn end(self, mut heap: Heap) {
        match self {
            End::Collected | End::Dropped => drop(heap),
            End::ShutDown => {
                if let Err(error) = heap.shutdown() {
                    panic::resume_unwind(error.into_payload());
                }
            }
            End::InMake => {
                heap.alloc_cyclic(|heap, _| {
                    *heap = Heap::new();
                    0_u64
                });
            }
            End::InCallback => {
                let gc = heap.alloc(0_u64);
                heap.on_death(gc, |heap, _| *heap = Heap::new()).expect("a living object");
                heap.destroy(gc);
            }
            End::AtExit => {
                let root = heap.alloc_root(0_u64);
                heap.finalizer(&root, |heap| *heap = Heap::new()).expect("a living object");
                drop(heap);
            }
        }
    }
}
