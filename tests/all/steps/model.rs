//! Random programs, with steps of a few units between any two operations, compared with naive reachability.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use slotgc::{Budget, Gc, Heap, Phase, Root, Trace, Tracer, Weak, WeakKeyMap, WeakSet};

use crate::objects::{Dice, traced};

/// Everything that can hold a handle, in one object; with a destructor.
struct Thing {
    id: usize,
    edges: Vec<Gc<Thing>>,
    plain: Vec<Gc<Plain>>,
    locked: Option<Locked>,
    notes: WeakKeyMap<Thing, Gc<Thing>>,
    friends: WeakSet<Thing>,
}

traced!(Thing { edges, plain, locked, notes, friends });

/// Changes bypass the write barrier.
#[derive(Default)]
struct Locked(Mutex<Vec<Gc<Thing>>>);

impl Trace for Locked {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        if !tracer.interior_mutability() {
            return;
        }
        tracer.edges(self.0.lock().unwrap().iter().copied());
    }
}

/// Without a destructor: pages of these are closed as a whole.
struct Plain {
    id: usize,
    next: Option<Gc<Thing>>,
}

traced!(Plain { next });

/// What the model knows about an object.
#[derive(Default)]
struct Known {
    edges: Vec<usize>,
    locked: Vec<usize>,
    notes: BTreeMap<usize, usize>,
    friends: BTreeSet<usize>,
    is_dead: bool,
    /// The number of full cycles begun when the object was last seen reachable.
    reachable_at: usize,
}

enum Handle {
    Thing(Gc<Thing>),
    Plain(Gc<Plain>),
}

struct World {
    heap: Heap,
    dice: Dice,
    handles: Vec<Handle>,
    known: Vec<Known>,
    roots: Vec<(usize, Root<Thing>)>,
    /// Roots outside of the heap.
    outside: Vec<usize>,
    begun: usize,
    finished: usize,
    /// Whether the last op was a full collection, so that the weak collections that it reached are exact.
    is_just_collected: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            heap: Heap::new(),
            dice: Dice::new(seed),
            handles: vec![],
            known: vec![],
            roots: vec![],
            outside: vec![],
            begun: 0,
            finished: 0,
            is_just_collected: false,
        }
    }

    fn thing(&self, id: usize) -> Option<Gc<Thing>> {
        match self.handles[id] {
            Handle::Thing(gc) if self.heap.is_alive(gc) => Some(gc),
            _ => None,
        }
    }

    /// A thing that resolves, reachable or not.
    fn pick(&mut self) -> Option<(usize, Gc<Thing>)> {
        // The latest are the most likely to be alive.
        let len = self.handles.len();
        let back = self.dice.below(len.clamp(1, 60));
        let id =
            if self.dice.below(3) == 0 { self.dice.below(len.max(1)) } else { len.checked_sub(back + 1)? };
        (id < len).then(|| self.thing(id).map(|gc| (id, gc))).flatten()
    }

    fn alive(&self, id: usize) -> bool {
        match self.handles[id] {
            Handle::Thing(gc) => self.heap.get(gc).is_some_and(|thing| thing.id == id),
            Handle::Plain(gc) => self.heap.get(gc).is_some_and(|plain| plain.id == id),
        }
    }

    fn alloc(&mut self) {
        let id = self.handles.len();
        let mut known = Known { reachable_at: self.begun, ..Known::default() };
        let target = self.pick();
        if self.dice.below(3) == 0 {
            known.edges.extend(target.map(|(id, _)| id));
            self.handles.push(Handle::Plain(self.heap.alloc(Plain { id, next: target.map(|(_, gc)| gc) })));
            self.known.push(known);
            if let Some((holder, gc)) = self.pick() {
                let Handle::Plain(plain) = self.handles[id] else { unreachable!() };
                self.heap[gc].plain.push(plain);
                self.known[holder].edges.push(id);
                self.touch(holder);
            }
            self.touch(id);
            return;
        }
        let locked = (self.dice.below(4) == 0).then(Locked::default);
        let edges = target.map(|(_, gc)| gc).into_iter().collect();
        known.edges.extend(target.map(|(id, _)| id));
        let (notes, friends) = (WeakKeyMap::new(), WeakSet::new());
        let make = Thing { id, edges, plain: vec![], locked, notes, friends };
        let gc = match self.dice.below(4) {
            0 => {
                let budget = Budget::Objects(self.dice.below(9));
                let outside = self.outside_handles();
                let steps = self.dice.below(3);
                let (mut begun, mut finished) = (0, 0);
                let gc = self.heap.alloc_cyclic(|heap, me: Gc<Thing>| {
                    for _ in 0..steps {
                        begun += usize::from(heap.stats().phase == Phase::Idle);
                        let report =
                            heap.step_with(budget, &(&make.edges as &dyn slotgc::RootSource, &outside));
                        finished += usize::from(report.finished.is_some());
                    }
                    assert!(!heap.is_alive(me));
                    make
                });
                self.begun += begun;
                self.finished += finished;
                gc
            }
            _ => self.heap.alloc(make),
        };
        self.handles.push(Handle::Thing(gc));
        self.known.push(known);
        if self.dice.below(3) == 0 {
            self.roots.push((id, self.heap.root(gc).unwrap()));
        } else if let Some((holder, by)) = self.pick() {
            self.heap[by].edges.push(gc);
            self.known[holder].edges.push(id);
            self.touch(holder);
        }
        self.touch(id);
    }

    /// What the program stores or changes during a cycle may outlive it, with all it leads to, reachable or
    /// not.
    fn touch(&mut self, id: usize) {
        let (mut touched, mut next) = (BTreeSet::new(), vec![id]);
        while let Some(id) = next.pop() {
            if touched.insert(id) {
                let known = &mut self.known[id];
                known.reachable_at = self.begun;
                next.extend(known.edges.iter().chain(&known.locked).chain(known.notes.values()));
            }
        }
    }

    fn outside_handles(&self) -> Vec<Gc<Thing>> {
        self.outside.iter().filter_map(|id| self.thing(*id)).collect()
    }

    fn mutate(&mut self) {
        let (Some((a, a_gc)), Some((b, b_gc))) = (self.pick(), self.pick()) else { return };
        match self.dice.below(13) {
            0..4 => {
                self.heap[a_gc].edges.push(b_gc);
                self.known[a].edges.push(b);
            }
            4 | 5 => {
                let things: BTreeSet<usize> =
                    self.heap[a_gc].plain.iter().map(|gc| self.id_of(*gc)).collect();
                self.heap[a_gc].edges.clear();
                self.known[a].edges.retain(|id| things.contains(id));
            }
            6 => {
                if let Some(locked) = &self.heap[a_gc].locked {
                    let mut locked = locked.0.lock().unwrap();
                    if self.dice.below(3) == 0 {
                        locked.clear();
                        self.known[a].locked.clear();
                    }
                    locked.push(b_gc);
                    self.known[a].locked.push(b);
                }
            }
            7 | 8 => {
                let value = self.pick().map_or((b, b_gc), |value| value);
                self.heap[a_gc].notes.insert(b_gc, value.1);
                self.known[a].notes.insert(b, value.0);
            }
            9 => {
                self.heap[a_gc].friends.insert(b_gc);
                self.known[a].friends.insert(b);
            }
            10 => self.outside.push(a),
            11 => {
                self.roots.push((a, self.heap.root(Weak::from(a_gc)).unwrap()));
            }
            _ => {
                if self.dice.below(4) == 0 {
                    assert!(self.heap.destroy(a_gc).is_some());
                    self.known[a].is_dead = true;
                }
            }
        }
        self.touch(a);
    }

    fn id_of(&self, gc: Gc<Plain>) -> usize {
        self.heap.get(gc).map_or(usize::MAX, |plain| plain.id)
    }

    fn forget(&mut self) {
        if !self.roots.is_empty() && self.dice.below(2) == 0 {
            let index = self.dice.below(self.roots.len());
            self.roots.swap_remove(index);
        } else if !self.outside.is_empty() {
            let index = self.dice.below(self.outside.len());
            self.outside.swap_remove(index);
        }
    }

    /// What is reachable, with ephemerons repeated until nothing changes.
    fn reachable(&self) -> BTreeSet<usize> {
        let mut reached = BTreeSet::new();
        let mut next: Vec<usize> =
            self.roots.iter().map(|(id, _)| *id).chain(self.outside.iter().copied()).collect();
        loop {
            while let Some(id) = next.pop() {
                if !self.known[id].is_dead && reached.insert(id) {
                    next.extend(&self.known[id].edges);
                    next.extend(&self.known[id].locked);
                }
            }
            for id in &reached {
                let notes = self.known[*id].notes.iter();
                next.extend(
                    notes
                        .filter(|(key, value)| reached.contains(*key) && !reached.contains(*value))
                        .map(|(_, value)| *value),
                );
            }
            next.retain(|id| !self.known[*id].is_dead);
            if next.is_empty() {
                return reached;
            }
        }
    }

    fn collect(&mut self) {
        let outside = self.outside_handles();
        match self.dice.below(12) {
            0 => {
                self.is_just_collected = true;
                self.heap.collect_with(&outside);
                self.begun += 1;
                self.has_freed_what_was_unreachable_before(self.begun);
            }
            1 | 2 => {
                self.heap.collect_minor_with(&outside);
            }
            _ => {
                let budget = Budget::Objects(self.dice.below(40));
                self.begun += usize::from(self.heap.stats().phase == Phase::Idle);
                if self.heap.step_with(budget, &outside).finished.is_some() {
                    self.finished += 1;
                    self.has_freed_what_was_unreachable_before(self.begun);
                }
            }
        }
    }

    fn has_freed_what_was_unreachable_before(&self, cycle: usize) {
        for id in 0..self.handles.len() {
            assert!(
                !self.alive(id) || self.known[id].reachable_at >= cycle - 1,
                "object {id} should be gone"
            );
        }
    }

    fn check(&mut self) {
        self.heap.verify();
        let reachable = self.reachable();
        let mut alive = 0;
        for id in 0..self.handles.len() {
            let resolves = self.alive(id);
            alive += usize::from(resolves);
            assert!(resolves || !reachable.contains(&id), "object {id} was lost");
            assert!(!(resolves && self.known[id].is_dead), "object {id} came back");
            self.known[id].is_dead = !resolves;
            if reachable.contains(&id) {
                self.known[id].reachable_at = self.begun;
            }
        }
        assert_eq!(self.heap.len(), alive);
        for id in reachable {
            let Some(gc) = self.thing(id) else { continue };
            let thing = &self.heap[gc];
            let ids = |gcs: &[Gc<Thing>]| {
                gcs.iter().filter_map(|gc| Some(self.heap.get(gc)?.id)).collect::<Vec<_>>()
            };
            let model = |ids: &[usize]| {
                ids.iter().copied().filter(|id| self.thing(*id).is_some()).collect::<Vec<_>>()
            };
            assert_eq!(ids(&thing.edges), model(&self.known[id].edges));
            let friends = self.known[id].friends.iter().filter_map(|friend| self.thing(*friend));
            assert!(friends.into_iter().all(|friend| thing.friends.contains(friend)));
            if self.heap.stats().phase == Phase::Idle && self.is_just_collected {
                assert!(thing.friends.iter().all(|friend| self.heap.is_alive(friend)), "{id}");
                assert!(thing.notes.keys().all(|key| self.heap.is_alive(key)), "{id}");
            }
            for (key, value) in &self.known[id].notes {
                if let Some(key) = self.thing(*key) {
                    let found = thing.notes.get(key).expect("an entry of a living key");
                    assert_eq!(Some(*found), self.thing(*value).or(Some(*found)));
                    assert!(self.known[*value].is_dead || self.heap.is_alive(*found));
                }
            }
        }
    }
}

/// Runs a program; returns how many cycles it finished in steps.
fn run(seed: u64, len: usize) -> usize {
    let mut world = World::new(seed);
    for _ in 0..len {
        match world.dice.below(10) {
            0..3 => world.alloc(),
            3..6 => world.mutate(),
            6 => world.forget(),
            _ => world.collect(),
        }
        world.check();
        world.is_just_collected = false;
    }
    world.finished
}

#[test]
fn whatever_the_program_does_between_steps_nothing_reachable_is_lost() {
    let usual = if cfg!(miri) {
        2
    } else if cfg!(gc_zeal) {
        30
    } else {
        50
    };
    let seeds =
        std::env::var("SLOTGC_SEEDS").map_or(usual, |seeds| seeds.parse().expect("a number of seeds"));
    let finished: usize = (1..=seeds).map(|seed| run(seed, 400)).sum();
    assert!(finished > 5 * seeds as usize, "{finished} cycles");
}
