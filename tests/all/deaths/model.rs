//! Random programs of registrations and deaths, with callbacks that act on the heap, compared with a naive
//! model of who is notified and in which order.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use slotgc::{DeathQueue, Finalizer, Gc, Heap, Root, Watch, WatchGuard};

use crate::objects::{APART, Dice};

/// What a program or a callback does. Numbers name objects and registrations, modulo how many there are.
#[derive(Clone, Debug)]
enum Op {
    Alloc { rooted: bool },
    Unroot(usize),
    Register(Kind, usize, Vec<Op>),
    Cancel(usize),
    DropGuard(usize),
    Call(usize),
    NotAtExit(usize),
    Destroy(usize),
    DestroyAny(usize),
    Collect,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Callback,
    Finalizer,
    Tag,
}

/// What a program sees.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Event {
    Ran(usize),
    /// Tags that were polled at the beginning of a callback, or after an operation.
    Tags(Vec<usize>),
    Refused,
    Cancelled(bool),
    Called(bool),
    Destroyed(bool),
    Collected {
        freed: usize,
        notified: usize,
    },
    /// The number of watchers of each object, and how many objects are alive.
    Counts(Vec<usize>, usize),
}

fn op(dice: &mut Dice, depth: usize) -> Op {
    let number = dice.below(1 << 20);
    match dice.below(24) {
        0..4 => Op::Alloc { rooted: dice.one_in(2) },
        4..6 => Op::Unroot(number),
        6..15 => {
            let kind = [Kind::Callback, Kind::Callback, Kind::Finalizer, Kind::Tag][dice.below(4)];
            let len = if depth == 0 || kind == Kind::Tag { 0 } else { dice.below(4) };
            Op::Register(kind, number, (0..len).map(|_| op(dice, depth - 1)).collect())
        }
        15..17 => Op::Cancel(number),
        17 => Op::DropGuard(number),
        18 => Op::Call(number),
        19 => Op::NotAtExit(number),
        20 | 21 => Op::Destroy(number),
        22 => Op::DestroyAny(number),
        _ => Op::Collect,
    }
}

// ---- The model

struct Registered {
    target: usize,
    kind: Kind,
    at_exit: bool,
    script: Vec<Op>,
}

#[derive(Default)]
struct Model {
    /// Whether the object is alive, and whether it is rooted.
    objects: Vec<(bool, bool)>,
    registered: Vec<Option<Registered>>,
    due: BTreeSet<usize>,
    tags: Vec<usize>,
    in_batch: bool,
    wants_collection: bool,
    /// All callbacks run and tags sent so far.
    notified: usize,
    events: Vec<Event>,
}

impl Model {
    fn run(&mut self, op: &Op) {
        let (objects, registrations) = (self.objects.len().max(1), self.registered.len().max(1));
        match op {
            Op::Alloc { rooted } => self.objects.push((true, *rooted)),
            Op::Unroot(n) => {
                if let Some(object) = self.objects.get_mut(n % objects) {
                    object.1 = false;
                }
            }
            Op::Register(kind, n, script) => match self.objects.get(n % objects) {
                Some((true, _)) => {
                    let (target, script) = (n % objects, script.clone());
                    self.registered.push(Some(Registered { target, kind: *kind, at_exit: true, script }));
                }
                _ => self.events.push(Event::Refused),
            },
            Op::Cancel(n) | Op::DropGuard(n) => {
                let place = self.registered.get_mut(n % registrations);
                // A finalizer has no watch.
                let taken = place
                    .filter(|place| place.as_ref().is_none_or(|known| known.kind != Kind::Finalizer))
                    .and_then(Option::take);
                if taken.is_some() {
                    self.due.remove(&(n % registrations));
                }
                if matches!(op, Op::Cancel(_)) {
                    self.events.push(Event::Cancelled(taken.is_some()));
                }
            }
            Op::Call(n) => {
                let index = n % registrations;
                let is_finalizer = self.is(index, Kind::Finalizer);
                self.events.push(Event::Called(is_finalizer));
                if is_finalizer {
                    self.due.remove(&index);
                    self.begin(index);
                }
            }
            Op::NotAtExit(n) => {
                if let Some(Some(known)) = self.registered.get_mut(n % registrations) {
                    known.at_exit = false;
                }
            }
            Op::Destroy(n) | Op::DestroyAny(n) => {
                let index = n % objects;
                let is_alive = self.objects.get(index).is_some_and(|object| object.0);
                if is_alive {
                    self.die(&[index], false);
                    if !self.in_batch && self.batch() {
                        self.collect();
                    }
                }
                self.events.push(Event::Destroyed(is_alive));
            }
            Op::Collect if self.in_batch => {
                self.wants_collection = true;
                self.events.push(Event::Collected { freed: 0, notified: 0 });
            }
            Op::Collect => {
                let before = self.notified;
                let freed = self.collect();
                self.events.push(Event::Collected { freed, notified: self.notified - before });
            }
        }
    }

    fn is(&self, index: usize, kind: Kind) -> bool {
        self.registered.get(index).is_some_and(|known| known.as_ref().is_some_and(|known| known.kind == kind))
    }

    /// Sends tags and makes the rest due.
    fn die(&mut self, dead: &[usize], is_end: bool) {
        dead.iter().for_each(|index| self.objects[*index] = (false, false));
        for number in 0..self.registered.len() {
            let Some(known) = self.registered[number].as_ref().filter(|known| dead.contains(&known.target))
            else {
                continue;
            };
            match known.kind {
                Kind::Tag => {
                    self.registered[number] = None;
                    self.notified += 1;
                    self.tags.push(number);
                }
                Kind::Finalizer if is_end => self.registered[number] = None,
                Kind::Callback | Kind::Finalizer => drop(self.due.insert(number)),
            }
        }
    }

    fn begin(&mut self, number: usize) {
        let known = self.registered[number].take().unwrap();
        let tags = std::mem::take(&mut self.tags);
        self.events.extend([Event::Tags(tags), Event::Ran(number)]);
        known.script.iter().for_each(|op| self.run(op));
    }

    fn run_due(&mut self) -> bool {
        let Some(number) = self.due.pop_last() else { return false };
        self.notified += 1;
        self.begin(number);
        true
    }

    /// Runs what is due; returns whether a collection was requested.
    fn batch(&mut self) -> bool {
        self.in_batch = true;
        while self.run_due() {}
        self.in_batch = false;
        std::mem::take(&mut self.wants_collection)
    }

    fn collect(&mut self) -> usize {
        let mut freed = 0;
        loop {
            let dead: Vec<usize> =
                (0..self.objects.len()).filter(|n| self.objects[*n] == (true, false)).collect();
            freed += dead.len();
            self.die(&dead, false);
            if !self.batch() {
                return freed;
            }
        }
    }

    fn shut_down(&mut self) {
        loop {
            self.in_batch = true;
            loop {
                if self.run_due() {
                    continue;
                }
                let last = (0..self.registered.len()).rev().find(|n| {
                    self.registered[*n]
                        .as_ref()
                        .is_some_and(|known| known.kind == Kind::Finalizer && known.at_exit)
                });
                let Some(last) = last else { break };
                self.begin(last);
            }
            let living: Vec<usize> = (0..self.objects.len()).filter(|n| self.objects[*n].0).collect();
            self.die(&living, true);
            self.batch();
            if self.objects.iter().all(|object| !object.0) {
                return;
            }
        }
    }

    fn look(&mut self) {
        let tags = std::mem::take(&mut self.tags);
        let count = |index: usize| {
            self.registered
                .iter()
                .flatten()
                .filter(|known| known.target == index && self.objects[index].0)
                .count()
        };
        let counts = (0..self.objects.len()).map(count).collect();
        let living = self.objects.iter().filter(|object| object.0).count();
        self.events.extend([Event::Tags(tags), Event::Counts(counts, living)]);
    }
}

// ---- The heap

enum Known {
    Watch(Watch),
    Finalizer(Finalizer<u64, ()>),
}

#[derive(Default)]
struct World {
    objects: Vec<(Gc<u64>, Option<Root<u64>>)>,
    known: Vec<Arc<Known>>,
    events: Vec<Event>,
}

/// What closures share. Unlocked whenever the heap may call a closure.
#[derive(Clone, Default)]
struct Program {
    world: Arc<Mutex<World>>,
    dead: DeathQueue<usize>,
}

impl Program {
    fn event(&self, event: Event) {
        self.world.lock().unwrap().events.push(event);
    }

    fn object(&self, n: usize) -> Gc<u64> {
        let objects = &self.world.lock().unwrap().objects;
        objects.get(n % objects.len().max(1)).map_or(Gc::default(), |object| object.0)
    }

    fn known(&self, n: usize) -> Option<Arc<Known>> {
        let known = &self.world.lock().unwrap().known;
        known.get(n % known.len().max(1)).cloned()
    }

    fn begin(&self, heap: &mut Heap, number: usize, script: &[Op]) {
        let tags = self.dead.drain().collect();
        self.world.lock().unwrap().events.extend([Event::Tags(tags), Event::Ran(number)]);
        script.iter().for_each(|op| self.run(heap, op));
    }

    fn run(&self, heap: &mut Heap, op: &Op) {
        match op {
            Op::Alloc { rooted } => {
                let gc = heap.alloc(7);
                let root = rooted.then(|| heap.root(gc).unwrap());
                self.world.lock().unwrap().objects.push((gc, root));
            }
            Op::Unroot(n) => {
                let objects = &mut self.world.lock().unwrap().objects;
                let len = objects.len().max(1);
                objects.get_mut(n % len).map(|object| object.1.take());
            }
            Op::Register(kind, n, script) => {
                let (target, number) = (self.object(*n), self.world.lock().unwrap().known.len());
                let (program, script) = (self.clone(), script.clone());
                let known = match kind {
                    Kind::Callback => {
                        let run = move |heap: &mut Heap, _| program.begin(heap, number, &script);
                        heap.on_death(target, run).map(Known::Watch)
                    }
                    Kind::Finalizer => {
                        let run = move |heap: &mut Heap| program.begin(heap, number, &script);
                        heap.finalizer(target, run).map(Known::Finalizer)
                    }
                    Kind::Tag => self.dead.watch(heap, target, number).map(Known::Watch),
                };
                match known {
                    Ok(known) => self.world.lock().unwrap().known.push(Arc::new(known)),
                    Err(_) => self.event(Event::Refused),
                }
            }
            Op::Cancel(n) => {
                let cancelled = match self.known(*n).as_deref() {
                    Some(Known::Watch(watch)) => heap.cancel(*watch),
                    _ => false,
                };
                self.event(Event::Cancelled(cancelled));
            }
            Op::DropGuard(n) => {
                if let Some(Known::Watch(watch)) = self.known(*n).as_deref() {
                    drop(WatchGuard::from(*watch));
                }
            }
            Op::Call(n) => match self.known(*n).as_deref() {
                Some(Known::Finalizer(finalizer)) => {
                    self.event(Event::Called(finalizer.is_alive(heap)));
                    finalizer.call(heap);
                }
                _ => self.event(Event::Called(false)),
            },
            Op::NotAtExit(n) => {
                if let Some(Known::Finalizer(finalizer)) = self.known(*n).as_deref() {
                    finalizer.set_at_exit(heap, false);
                }
            }
            Op::Destroy(n) => {
                let destroyed = heap.destroy(self.object(*n)).is_some();
                self.event(Event::Destroyed(destroyed));
            }
            Op::DestroyAny(n) => {
                let destroyed = heap.destroy_any(self.object(*n).erase());
                self.event(Event::Destroyed(destroyed));
            }
            Op::Collect => {
                let stats = heap.collect();
                self.event(Event::Collected { freed: stats.freed, notified: stats.notified });
            }
        }
    }

    fn look(&self, heap: &Heap) {
        let tags = self.dead.drain().collect();
        let mut world = self.world.lock().unwrap();
        let counts = world.objects.iter().map(|object| heap.watch_count(object.0)).collect();
        world.events.extend([Event::Tags(tags), Event::Counts(counts, heap.len())]);
    }
}

#[test]
fn random_programs_are_notified_as_the_model_says_in_its_order() {
    let rounds = if cfg!(debug_assertions) { 3000 } else { 20_000 } / APART;
    let mut dice = Dice::new(21);
    for round in 0..rounds {
        let ops: Vec<Op> = (0..5 + dice.below(40)).map(|_| op(&mut dice, 3)).collect();
        let (mut model, mut heap, program) = (Model::default(), Heap::new(), Program::default());
        for op in &ops {
            model.run(op);
            model.look();
            program.run(&mut heap, op);
            program.look(&heap);
        }
        model.shut_down();
        heap.shutdown().unwrap();
        let tags = std::mem::take(&mut model.tags);
        model.events.push(Event::Tags(tags));
        program.event(Event::Tags(program.dead.drain().collect()));
        let events = std::mem::take(&mut program.world.lock().unwrap().events);
        assert_eq!(events, model.events, "round {round}: {ops:#?}");
    }
}
