//! The bounds on what a heap may do, checked whenever the program holds the heap.
//!
//! [`Runner::look`] runs after every op, at the beginning of every callback and at the end of every call that
//! may collect. Between two of them the program does one thing, so what it changed and what the heap did can
//! be distinguished.

use std::collections::BTreeSet;

use slotgc::{Phase, Rule};

use crate::contents::Contents;
use crate::dyn_heap;
use crate::kind::Fuse;
use crate::link::{Link, ObjectId};
use crate::log::{self, Event};
use crate::model::{Index, Life, Plan};
use crate::stepped::frame::Call;
use crate::stepped::program::Source;
use crate::stepped::runner::Runner;
use crate::tables::Named;

/// How the cycle began in which objects died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// The program was stopped from its beginning on.
    InOneGo,
    /// In an earlier call.
    InSlices,
    Minor,
    /// Minor, or in one go.
    Unknown,
}

/// The heap verifies itself at every fourth comparison.
const VERIFY_EVERY: u64 = 4;

impl Runner {
    /// Records what the heap did, and compares. `in_call`: a call of it is under way or just over.
    pub(super) fn look(&mut self, in_call: bool) {
        self.unite(false);
        let dropped = self.read_log(in_call);
        let stats = self.heap.stats();
        let condemned =
            stats.collections + u64::from(matches!(stats.phase, Phase::Prune | Phase::Sweep | Phase::Drop));
        let cycles = condemned - self.condemned;
        let died = self.died();
        assert!(died.is_empty() || cycles > 0, "objects died, and no cycle came so far: {died:?}");
        if cycles > 0 {
            assert!(in_call, "a cycle went on by itself");
            self.judge(cycles, &died);
        }
        self.report.collections += stats.collections - self.ended;
        let pruned = cycles > 0 || self.phase == Phase::Prune;
        if self.phase == Phase::Prune || cycles > 1 {
            // They may have been pruned in the cycle before the one that they died in.
            let held = |index: &Index| self.model.objects[*index].contents.clone().prune(|_| false);
            self.slack += died.iter().map(held).sum::<usize>();
        }
        (self.phase, self.condemned, self.ended) = (stats.phase, condemned, stats.collections);
        // What a cycle before had yet to send goes first.
        let earlier = self.tags.clone();
        self.mourn(&died);
        self.destructors(&dropped);
        self.sent(in_call, cycles, earlier);
        self.compare(pruned);
        let [aside, gone] = self.entries;
        let is_late = gone < aside && matches!(self.phase, Phase::Idle | Phase::Notify);
        assert!(!is_late && gone <= aside + self.slack, "{aside} entries were set aside, and {gone} dropped");
        self.entries[0] = aside.max(gone);
        let reached = self.model.plan(&self.source());
        for index in &self.model.alive {
            if reached.reaches(*index) {
                self.known[*index].reachable_at = self.epoch;
            }
        }
    }

    /// Reads the log. Returns the objects whose destructors ran.
    fn read_log(&mut self, in_call: bool) -> Vec<ObjectId> {
        let mut dropped = Vec::new();
        if self.heap.stats().collections > self.ended {
            self.needs_major = false;
        }
        for event in log::take() {
            match event {
                Event::Dropped(id) => {
                    dropped.push(id);
                    if in_call && self.armed.contains(&id) {
                        self.throw(id);
                    }
                }
                Event::EntryDropped(_) => self.entries[1] += 1,
                Event::TracePanicked(id) => {
                    // In zeal mode making an object traces another, and swallows its panic.
                    assert!(in_call || cfg!(gc_zeal), "{id:?} was traced, and nobody collects");
                    self.model.disarm_trace(id);
                    if in_call {
                        self.throw(id);
                    }
                    self.needs_major = true;
                }
                Event::NoticeDropped(id) => {
                    assert!(self.notices.remove(&id), "the closure or tag of {id:?} is dropped once");
                }
                Event::ClockPanicked => {
                    let frame = self.frames.last_mut().expect("only calls that collect read the clock");
                    frame.clock_panicked = true;
                }
            }
            self.fold(event.id().0.into());
        }
        dropped
    }

    /// Objects that stopped resolving.
    fn died(&self) -> Vec<Index> {
        let is_dead = |index: &Index| {
            let object = &self.model.objects[*index];
            !dyn_heap::ask(&self.heap, object.kind, object.link()).is_alive
        };
        self.model.alive.iter().copied().filter(is_dead).collect()
    }

    /// Cycles left `Mark` since the last look, and these objects died in them.
    fn judge(&mut self, cycles: u64, died: &[Index]) {
        let (phase, stress) = (self.phase, self.stress);
        let frame = self.frames.last_mut().expect("a call is under way");
        let is_first = frame.cycles == 0 && cycles == 1;
        frame.cycles += cycles;
        let (source, call, extra) = (frame.source, frame.call, frame.extra.clone());
        let manner = match call {
            Call::Quiet => panic!("a collection in a call that makes none"),
            Call::Slice if is_first && phase == Phase::Mark => Manner::InSlices,
            Call::Pace if is_first && phase == Phase::Mark && !stress => Manner::InSlices,
            Call::Pace if is_first && phase == Phase::Idle => match frame.rule {
                Some(Rule::Nursery) => Manner::Minor,
                Some(_) => Manner::InOneGo,
                None => Manner::Unknown,
            },
            Call::Minor if is_first => Manner::Minor,
            Call::OrCollect if is_first && phase != Phase::Mark => Manner::Unknown,
            _ => Manner::InOneGo,
        };
        assert!(source != Source::Panicking, "the root source is asked before anything dies");
        self.report.freed += died.len() as u64;
        self.unreported[0] += died.len();
        let reached = self.model.plan(&extra);
        // An earlier cycle may have pruned in the same call what it found dead, before this one marked. Which
        // of those that died were the first of two to die is not known.
        let first: &[Index] = if cycles > 1 { died } else { &[] };
        let has_pruned = phase == Phase::Prune || cycles > 1;
        let pruned = has_pruned.then(|| self.model.plan_when_pruned(&extra, first));
        let must_live = pruned.as_ref().unwrap_or(&reached);
        for index in died {
            let object = &self.model.objects[*index];
            assert!(!must_live.reaches(*index), "{manner:?}: reachable, and died: {object:?}");
        }
        let led_to =
            if manner == Manner::Minor { self.led_to_by_the_old(&reached, &extra) } else { BTreeSet::new() };
        let floats = (manner == Manner::InSlices).then(|| self.floats(&extra));
        for index in self.model.alive.iter().filter(|index| !died.contains(index)) {
            let (object, known) = (&self.model.objects[*index], self.known[*index]);
            let may_live = reached.reaches(*index)
                || match manner {
                    Manner::InOneGo => false,
                    Manner::InSlices => floats.as_ref().is_some_and(|floats| floats.reaches(*index)),
                    Manner::Minor => led_to.contains(index),
                    Manner::Unknown => true,
                };
            assert!(may_live, "{manner:?}: is not reachable, and lives: {known:?}, {object:?}");
            let unexploded = object.is_armed(Fuse::Trace) && must_live.reaches(*index);
            let traces_all = matches!(manner, Manner::InOneGo | Manner::InSlices);
            assert!(!unexploded || !traces_all, "{manner:?}: was not traced: {object:?}");
        }
    }

    /// What may outlive a cycle in slices: all that was reachable at some moment of it, and what that leads
    /// to, by an ephemeron perhaps whose key was reached when its map no longer was.
    fn floats(&self, extra: &Contents) -> Plan {
        let was_reachable = |index: &Index| self.known[*index].reachable_at >= self.cycle_epoch;
        let floats = self.model.alive.iter().filter(|index| was_reachable(index));
        let mut from = extra.clone();
        from.edges.extend(floats.map(|index| self.link(*index)));
        self.model.plan(&from)
    }

    fn is_young(&self, index: Index) -> bool {
        self.known[index].young_since == Some(self.ended)
    }

    /// What is old, reachable or not, with all that it may lead to.
    ///
    /// A known bug: in a minor collection a stale handle keeps the next tenant of its slot.
    fn led_to_by_the_old(&self, reached: &Plan, source: &Contents) -> BTreeSet<Index> {
        let living = self.model.alive.iter().map(|index| &self.model.objects[*index].contents);
        let held = living
            .chain([source])
            .flat_map(|contents| contents.strong().chain(contents.ephemerons().map(|(_, value)| value)));
        let stale = held.filter(|link| self.model.resolve(*link).is_none());
        let stale: BTreeSet<u64> = stale.map(|link| link.bits >> 32).collect();
        let is_tenant = |index: Index| stale.contains(&(self.model.objects[index].bits >> 32));
        let is_start =
            |index: &&Index| !self.is_young(**index) || reached.reaches(**index) || is_tenant(**index);
        self.closure(self.model.alive.iter().filter(is_start).copied().collect())
    }

    /// These and all that they may lead to, whether keys live or not.
    fn closure(&self, mut next: Vec<Index>) -> BTreeSet<Index> {
        let mut found = BTreeSet::new();
        while let Some(index) = next.pop() {
            if found.insert(index) {
                let contents = &self.model.objects[index].contents;
                let links = contents.strong().chain(contents.ephemerons().map(|(_, value)| value));
                next.extend(links.filter_map(|link| self.model.resolve(link)));
            }
        }
        found
    }

    /// What the program makes, changes or roots may outlive the cycle under way, with all it leads to.
    pub(super) fn touch(&mut self, index: Index) {
        let mut touched = self.closure(vec![index]);
        loop {
            // What an ephemeron keeps whose key may live.
            let contents = self.model.alive.iter().map(|index| &self.model.objects[*index].contents);
            let may_live = |link: &Link| self.model.resolve(*link).is_some_and(|key| touched.contains(&key));
            let values =
                contents.flat_map(Contents::ephemerons).filter(|(keys, _)| keys.iter().any(may_live));
            let values = values.filter_map(|(_, value)| self.model.resolve(value));
            let more: Vec<Index> = values.filter(|value| !touched.contains(value)).collect();
            if more.is_empty() {
                break;
            }
            touched.extend(self.closure(more));
        }
        for index in touched {
            self.known[index].reachable_at = self.epoch;
        }
    }

    /// These objects are dead: what is to follow.
    fn mourn(&mut self, died: &[Index]) {
        for index in died {
            let object = &self.model.objects[*index];
            if object.kind.has_destructor() {
                self.doomed.insert(object.id);
            }
            self.model.kill(*index);
            self.fold(*index as u64);
        }
        for (number, known) in &self.registered {
            if died.contains(&known.target) {
                let told = if known.then.is_some() { &mut self.due } else { &mut self.tags };
                told.insert(*number);
            }
        }
    }

    /// These destructors ran.
    fn destructors(&mut self, dropped: &[ObjectId]) {
        for id in dropped {
            if !self.expected.remove(id) && !self.unmade.remove(id) {
                assert!(self.doomed.remove(id), "the destructor of {id:?} runs once, when it is dead");
                let is_time = !matches!(self.phase, Phase::Mark | Phase::Prune | Phase::Sweep);
                assert!(is_time, "the destructor of {id:?} ran in {:?}", self.phase);
            }
        }
        if matches!(self.phase, Phase::Idle | Phase::Notify) {
            assert!(self.doomed.is_empty(), "destructors that did not run: {:?}", self.doomed);
        }
    }

    /// Takes the tags that were sent.
    fn sent(&mut self, in_call: bool, cycles: u64, mut earlier: BTreeSet<u64>) {
        let mut sent = Vec::new();
        while let Some(tag) = self.queue.poll() {
            sent.push(tag.number);
        }
        for number in sent {
            let is_turn = match earlier.first().or(self.tags.first()) {
                Some(next) if cycles < 2 && !self.unordered => *next == number,
                _ => self.tags.contains(&number),
            };
            earlier.remove(&number);
            assert!(in_call && is_turn, "tag {number} was sent, and next are {:?}", self.tags);
            self.tags.remove(&number);
            self.registered.remove(&number).expect("what is sent is registered");
            self.fold(number);
            self.count_told();
            let is_cycles = self
                .frames
                .last()
                .is_some_and(|frame| !frame.is_apart() && frame.has_ended && frame.call != Call::Quiet);
            let is_time = matches!(self.phase, Phase::Idle | Phase::Notify);
            assert!(!is_cycles || is_time, "tag {number} was sent in {:?}", self.phase);
        }
    }

    /// Compares what the heap holds. `pruned`: weak collections may have lost their dead entries.
    fn compare(&mut self, pruned: bool) {
        // It takes longer than all other comparisons.
        if self.looks % VERIFY_EVERY == 0 {
            self.heap.verify();
        }
        self.looks += 1;
        let stats = self.heap.stats();
        let living = self.model.alive.len();
        assert_eq!((self.heap.len(), stats.objects), (living, living), "len");
        assert_eq!((stats.roots, stats.allocated), (self.model.roots.len(), self.model.allocated), "stats");
        assert_eq!(stats.freed, stats.allocated - living as u64, "freed");
        assert!(self.model.keeps_limits(), "{living} objects are more than there may be");
        let most = self.model.most_pages();
        assert!(stats.pages <= most, "{} pages were taken, for which {most} are enough", stats.pages);
        let said = |known: &(&Index, &usize)| self.model.alive.contains(known.0);
        let said: usize = self.owned.iter().filter(said).map(|(_, bytes)| bytes).sum();
        assert!(stats.owned_bytes >= said, "{} bytes are owned, {said} at least", stats.owned_bytes);
        let is_exact = !self.some_own && matches!(stats.phase, Phase::Idle | Phase::Notify);
        assert!(!is_exact || stats.owned_bytes == said, "{} bytes are owned, not {said}", stats.owned_bytes);
        if !self.model.is_building() {
            assert_eq!(stats.bytes, self.model.bytes, "bytes");
        }
        for index in 0..self.model.objects.len() {
            let object = &self.model.objects[index];
            let is_alive = object.life == Life::Alive;
            let asked = dyn_heap::ask(&self.heap, object.kind, object.link());
            let alive =
                [asked.is_alive, asked.is_alive_any, asked.upgrades_to.is_some(), asked.view.is_some()];
            assert_eq!(alive, [is_alive; 4], "whether it lives: {object:?}");
            let watches = self.registered.values().filter(|known| is_alive && known.target == index).count();
            assert_eq!(asked.watch_count, watches, "watch_count of {object:?}");
            let Some(view) = asked.view else { continue };
            if view.holds(object.id, &object.contents) && !pruned {
                continue;
            }
            assert!(pruned || view.holds(object.id, &object.contents), "the heap has another {object:?}");
            let mut rest = object.contents.clone();
            let is_live = |link| self.model.resolve_key(link).is_some();
            // In slices, and later what was destroyed after the slice that would have dropped its entry.
            let may_keep_some = view.has(Named::Value(0)).is_some();
            let entries = if may_keep_some {
                rest.tables.prune_partly(is_live, |entry| view.has(entry) == Some(true))
            } else {
                rest.prune(is_live)
            };
            let is_pruned = view.holds(object.id, &rest);
            assert!(is_pruned || view.holds(object.id, &object.contents), "the heap has another {object:?}");
            let left = if is_pruned { &rest } else { &object.contents };
            let is_new = self.known[index].made_at == self.condemned;
            let is_late = self.phase != Phase::Prune && !is_new && self.names_dead(left);
            assert!(!is_late, "was not pruned: {object:?}");
            if is_pruned {
                self.report.pruned += entries as u64;
                self.unreported[1] += entries;
                self.entries[0] += if object.kind.has_body() { entries } else { 0 };
                self.model.objects[index].contents = rest;
            }
        }
    }

    /// Whether weak collections name what died in a cycle.
    fn names_dead(&self, contents: &Contents) -> bool {
        let is_fine = |link: Link| {
            let by_hand = self.model.given(link.bits).is_some_and(|index| self.known[index].by_hand);
            by_hand || self.model.resolve_key(link).is_some()
        };
        contents.clone().prune(is_fine) > 0
    }
}
