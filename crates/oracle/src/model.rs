//! The model: what a heap must do, so naive that it is obviously right.
//!
//! A list of all objects ever made, and a map from handles to objects. No handle is used twice, so entries
//! are never removed from the map, and a link resolves if its object is alive and of the link's type.
//! Reachability is a search from the roots, repeated until no ephemeron adds to it.
//!
//! Nothing here names the crate under test.

mod deaths;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::contents::Contents;
use crate::kind::{Fuse, Kind};
use crate::link::{Link, ObjectId};
use crate::ops::Setup;

pub(crate) use deaths::{Deaths, Notice, Registered, ValueGoes, WatchRef};

/// The place of an object in the model's list.
pub(crate) type Index = usize;

/// How far an object's life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// `alloc_cyclic` has handed its handle out and has not finished.
    Building,
    Alive,
    Dead,
}

/// An object, alive or dead.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) id: ObjectId,
    pub(crate) kind: Kind,
    pub(crate) bits: u64,
    pub(crate) life: Life,
    pub(crate) contents: Contents,
    pub(crate) fuses: [bool; 2],
    /// What its destructor cancels.
    pub(crate) guards: Vec<WatchRef>,
}

impl Object {
    pub(crate) fn link(&self) -> Link {
        Link { bits: self.bits, kind: Some(self.kind) }
    }

    /// Whether its destructor, or its next `trace`, panics.
    pub(crate) fn is_armed(&self, fuse: Fuse) -> bool {
        self.fuses[fuse as usize]
    }
}

/// What a heap holds.
#[derive(Debug, Default)]
pub(crate) struct Model {
    limits: Limits,
    /// The bytes that an object of each kind counts: the only thing that is taken from the heap unchecked.
    slot_bytes: [usize; Kind::ALL.len()],
    pub(crate) objects: Vec<Object>,
    by_bits: HashMap<u64, Index>,
    pub(crate) alive: BTreeSet<Index>,
    building: Vec<Index>,
    /// The object of every `Root`, once for each.
    pub(crate) roots: Vec<Index>,
    pub(crate) bytes: usize,
    pub(crate) collections: u64,
    pub(crate) allocated: u64,
    pub(crate) deaths: Deaths,
}

/// The limits of a heap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) objects: usize,
    pub(crate) bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { objects: usize::MAX, bytes: usize::MAX }
    }
}

impl Limits {
    pub(crate) fn of(setup: Setup) -> Self {
        let objects = setup.max_objects.map_or(usize::MAX, |objects| usize::from(objects) * 16 + 1);
        let bytes = setup.max_bytes.map_or(usize::MAX, |kib| (usize::from(kib) + 1) << 10);
        Self { objects, bytes }
    }
}

/// What a collection is to do.
#[derive(Debug)]
pub(crate) struct Plan {
    reached: BTreeSet<Index>,
    /// Reached objects whose `trace` panics, so that nothing else happens.
    pub(crate) armed: Vec<ObjectId>,
}

/// What one collection did, or several that one call set off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Collected {
    pub(crate) marked: usize,
    pub(crate) kept: usize,
    pub(crate) freed: usize,
    pub(crate) freed_bytes: usize,
    pub(crate) pruned: usize,
    pub(crate) notified: usize,
}

impl Collected {
    /// This one and the next, combined.
    pub(crate) fn then(self, next: Self) -> Self {
        Self {
            marked: next.marked,
            kept: next.kept,
            freed: self.freed + next.freed,
            freed_bytes: self.freed_bytes + next.freed_bytes,
            pruned: self.pruned + next.pruned,
            notified: self.notified + next.notified,
        }
    }
}

impl Model {
    pub(crate) fn new(limits: Limits, slot_bytes: [usize; Kind::ALL.len()]) -> Self {
        Self { limits, slot_bytes, ..Self::default() }
    }

    fn slot_bytes(&self, kind: Kind) -> usize {
        self.slot_bytes[kind as usize]
    }

    /// The object that a link names, if it is alive and of the link's type.
    pub(crate) fn resolve(&self, link: Link) -> Option<Index> {
        let index = self.by_bits.get(&link.bits).copied()?;
        let object = &self.objects[index];
        let fits = link.kind.is_none_or(|kind| kind == object.kind);
        (object.life == Life::Alive && fits).then_some(index)
    }

    /// The object that was given this handle, dead or alive.
    pub(crate) fn given(&self, bits: u64) -> Option<Index> {
        self.by_bits.get(&bits).copied()
    }

    /// The object this many before the last one made, modulo their number.
    pub(crate) fn nth_last(&self, back: usize) -> Option<&Object> {
        self.objects.iter().rev().nth(back % self.objects.len().max(1))
    }

    /// Whether the object lives or is being made: an ephemeron's key may be either.
    pub(crate) fn resolve_key(&self, link: Link) -> Option<Index> {
        let being_made = |index: &Index| {
            let object = &self.objects[*index];
            object.life == Life::Building && link.kind.is_none_or(|kind| kind == object.kind)
        };
        self.resolve(link).or_else(|| self.by_bits.get(&link.bits).copied().filter(being_made))
    }

    /// Why an object of this kind cannot be made, if so: a part of the text.
    pub(crate) fn refusal(&self, kind: Kind) -> Option<String> {
        self.refusal_beside(kind, &[])
    }

    /// The same while objects of these kinds wait to be made.
    pub(crate) fn refusal_beside(&self, kind: Kind, waiting: &[Kind]) -> Option<String> {
        let being_made: usize =
            self.building.iter().map(|index| self.slot_bytes(self.objects[*index].kind)).sum();
        let Limits { objects, bytes } = self.limits;
        let waiting_bytes: usize = waiting.iter().map(|kind| self.slot_bytes(*kind)).sum();
        if self.alive.len() + self.building.len() + waiting.len() >= objects {
            return Some(format!("max_objects of {objects} objects reached"));
        }
        let too_large = self.bytes + being_made + waiting_bytes + self.slot_bytes(kind) > bytes;
        too_large.then(|| format!("max_bytes of {bytes} bytes reached"))
    }

    /// Whether there are no more objects than there may be.
    pub(crate) fn keeps_limits(&self) -> bool {
        let being_made: usize =
            self.building.iter().map(|index| self.slot_bytes(self.objects[*index].kind)).sum();
        let Limits { objects, bytes } = self.limits;
        self.alive.len() + self.building.len() <= objects && self.bytes + being_made <= bytes
    }

    /// Pages that all objects ever made would need if none had died, and some of each type that the heap has
    /// at hand.
    pub(crate) fn most_pages(&self) -> usize {
        const PAGE: usize = 1 << 16;
        /// A page of its own that the next allocation uses, one that is empty, those filled with `&Heap`.
        const AT_HAND: usize = 4;
        let mut made: BTreeMap<Kind, usize> = BTreeMap::new();
        self.objects.iter().for_each(|object| *made.entry(object.kind).or_default() += 1);
        let pages = made.into_iter().map(|(kind, count)| {
            let slot = self.slot_bytes(kind);
            let each = slot.div_ceil(PAGE);
            (count.div_ceil((PAGE / slot).max(1)) + AT_HAND) * each
        });
        pages.sum()
    }

    /// A handle was handed out. Returns the object's place.
    pub(crate) fn give_out(&mut self, id: ObjectId, kind: Kind, bits: u64, life: Life) -> Index {
        let index = self.objects.len();
        let before = self.by_bits.insert(bits, index);
        assert_eq!(before, None, "the handle {bits:#x} was handed out before");
        let (contents, fuses, guards) = (Contents::default(), [false; 2], Vec::new());
        self.objects.push(Object { id, kind, bits, life, contents, fuses, guards });
        if life == Life::Building {
            self.building.push(index);
        }
        index
    }

    /// The object exists from now on, with these contents.
    pub(crate) fn born(&mut self, index: Index, contents: Contents) {
        self.building.retain(|other| *other != index);
        let object = &mut self.objects[index];
        object.life = Life::Alive;
        object.contents = contents;
        self.alive.insert(index);
        self.allocated += 1;
        self.bytes += self.slot_bytes[object.kind as usize];
    }

    /// The object under construction will never exist.
    pub(crate) fn abandoned(&mut self, index: Index) {
        self.building.retain(|other| *other != index);
        self.objects[index].life = Life::Dead;
    }

    pub(crate) fn last_building(&self) -> Option<Index> {
        self.building.last().copied()
    }

    pub(crate) fn is_building(&self) -> bool {
        !self.building.is_empty()
    }

    pub(crate) fn kill(&mut self, index: Index) {
        let object = &mut self.objects[index];
        object.life = Life::Dead;
        object.contents = Contents::default();
        assert!(self.alive.remove(&index), "an object dies once");
        self.bytes -= self.slot_bytes[object.kind as usize];
    }

    /// The living objects of a kind in the order of their slots, which is that of their handles.
    pub(crate) fn of_kind(&self, kind: Kind) -> Vec<&Object> {
        let mut objects: Vec<_> = self.alive.iter().map(|index| &self.objects[*index]).collect();
        objects.retain(|object| object.kind == kind);
        objects.sort_by_key(|object| object.bits);
        objects
    }

    /// Everything reachable from the roots, and from what `extra` holds.
    pub(crate) fn plan(&self, extra: &Contents) -> Plan {
        let mut reached = HashSet::new();
        let mut found: Vec<Index> = self.roots.clone();
        found.extend(extra.strong().filter_map(|link| self.resolve(link)));
        loop {
            while let Some(index) = found.pop() {
                if self.objects[index].life == Life::Alive && reached.insert(index) {
                    let edges = self.objects[index].contents.strong();
                    found.extend(edges.filter_map(|link| self.resolve(link)));
                }
            }
            let tables = reached.iter().map(|index| &self.objects[*index].contents).chain([extra]);
            for (keys, value) in tables.flat_map(Contents::ephemerons) {
                let is_marked =
                    |key: &Link| self.resolve_key(*key).is_some_and(|key| self.counts(key, &reached));
                let value = self.resolve(value).filter(|value| !reached.contains(value));
                found.extend(value.filter(|_| keys.iter().all(is_marked)));
            }
            if found.is_empty() {
                break;
            }
        }
        let armed = reached.iter().map(|index| &self.objects[*index]);
        let armed = armed.filter(|object| object.is_armed(Fuse::Trace)).map(|object| object.id).collect();
        Plan { reached: reached.into_iter().collect(), armed }
    }

    /// As `plan`, once all weak collections have dropped what names the dead or these.
    pub(crate) fn plan_when_pruned(&mut self, extra: &Contents, died: &[Index]) -> Plan {
        let before: Vec<Contents> = self.objects.iter().map(|object| object.contents.clone()).collect();
        for (index, contents) in before.iter().enumerate() {
            let mut contents = contents.clone();
            contents.prune(|link| self.resolve_key(link).is_some_and(|index| !died.contains(&index)));
            self.objects[index].contents = contents;
        }
        let plan = self.plan(extra);
        self.objects.iter_mut().zip(before).for_each(|(object, contents)| object.contents = contents);
        plan
    }

    /// Whether an object counts as live: an object under construction does.
    fn counts(&self, index: Index, reached: &HashSet<Index>) -> bool {
        self.objects[index].life == Life::Building || reached.contains(&index)
    }

    /// Prunes what the plan reaches; returns how many entries were removed, and what is to die.
    pub(crate) fn prune(&mut self, plan: &Plan) -> (Pruned, Vec<Index>) {
        let is_live = |model: &Self, link| {
            let key = model.resolve_key(link);
            key.is_some_and(|key| model.objects[key].life == Life::Building || plan.reached.contains(&key))
        };
        let mut pruned = Pruned::default();
        for index in &plan.reached {
            let mut contents = std::mem::take(&mut self.objects[*index].contents);
            let entries = contents.prune(|link| is_live(self, link));
            pruned.all += entries;
            pruned.logged += if self.objects[*index].kind.has_body() { entries } else { 0 };
            self.objects[*index].contents = contents;
        }
        (pruned, self.alive.difference(&plan.reached).copied().collect())
    }
}

/// How many entries of weak collections were removed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pruned {
    pub(crate) all: usize,
    /// Those whose drop is in the log.
    pub(crate) logged: usize,
}

impl Plan {
    pub(crate) fn reaches(&self, index: Index) -> bool {
        self.reached.contains(&index)
    }

    pub(crate) fn marked(&self) -> usize {
        self.reached.len()
    }
}
