//! What a stepped program does with the heap and weak collections together: it interns, asks a cache, makes
//! copies. User code may panic in all of it.

use std::collections::BTreeMap;
use std::mem;
use std::panic::{self, AssertUnwindSafe};

use crate::contents::Contents;
use crate::dyn_heap::weak::{self as weak_calls, COPIED, Copied, Interned};
use crate::dyn_heap::{self, Made};
use crate::kind::Kind;
use crate::link::{Link, ObjectId};
use crate::log::{self, CODE_ID, Event, Injected, Thrown};
use crate::model::{Index, Life};
use crate::ops::{Interning, Sort};
use crate::stepped::program::{Ending, Inside, Making};
use crate::stepped::runner::{MANY, Runner};
use crate::tables::Mapped;

impl Runner {
    /// One of the living objects that are of such a kind.
    fn one_of(&self, is_such: impl Fn(Kind) -> bool, number: u8) -> Option<Index> {
        let such = |index: &&Index| is_such(self.model.objects[**index].kind);
        let such: Vec<Index> = self.model.alive.iter().filter(such).copied().collect();
        such.get(usize::from(number).checked_rem(such.len())?).copied()
    }

    /// One of this kind, if there may be more objects. If there is none, one is made for the next time.
    fn table(&mut self, kind: Kind, number: u8) -> Option<Index> {
        let found = self.one_of(|other| other == kind, number);
        if found.is_none() {
            self.make(kind, &[], Making::Rooted);
        }
        found.filter(|_| self.model.objects.len() <= MANY)
    }

    pub(super) fn intern(&mut self, table: u8, name: u8, by: Interning) {
        let Some(table) = self.table(Kind::Names, table) else { return };
        let (link, id) = (self.link(table), self.next_id());
        let asked = self.named(table, name);
        let (made, found) = match by {
            Interning::ByValue | Interning::ByTrying => (Some(name), asked),
            Interning::ByMaking(other) if asked.is_none() => (Some(other), self.named(table, other)),
            Interning::ByMaking(_) | Interning::Looking => (None, asked),
        };
        let refusal = self.model.refusal(Kind::Name);
        let heap = &mut self.heap;
        let given = log::breaking(&mut self.code, || weak_calls::intern(heap, link, id, name, by));
        if matches!(given, Err(Thrown::Injected(CODE_ID))) {
            self.report.broken += 1;
            // The first thing to be hashed may be what a name is made from.
            let was_made = log::has(Event::Dropped(id));
            assert!(was_made || matches!(by, Interning::ByMaking(_)) || made.is_none(), "{id:?} is dropped");
            self.expected.extend(was_made.then_some(id));
            return;
        }
        let (Some(name), None) = (made, found) else {
            let bits = found.map(|index| self.model.objects[index].bits);
            assert!(matches!(given, Ok(Interned::Found(found)) if found == bits), "{given:?}, not {bits:?}");
            self.expected.extend(made.map(|_| id));
            found.into_iter().for_each(|index| self.touch(index));
            return;
        };
        let made = match given {
            Ok(Interned::Found(bits)) => Made::Handle(bits.expect("a name is made")),
            Ok(Interned::Refused(text, unharmed)) => Made::Refused(text, unharmed),
            Err(thrown) => Made::Panicked(thrown),
        };
        let contents = Contents { name, ..Contents::default() };
        if let Some(index) = self.judge_made(Kind::Name, id, contents, made, refusal.as_deref()) {
            let link = self.link(index);
            self.model.objects[table].contents.tables.names.push(link);
            self.touch(table);
        }
    }

    /// The living name in the table that is equal to this one.
    fn named(&self, table: Index, name: u8) -> Option<Index> {
        let names = self.model.objects[table].contents.tables.names.iter();
        let mut living = names.filter_map(|link| self.model.resolve(*link));
        living.find(|index| self.model.objects[*index].contents.name == name)
    }

    pub(super) fn get_or_alloc(
        &mut self,
        table: u8,
        (key, edge): (u8, Option<u8>),
        inside: &Inside,
        ending: Ending,
    ) {
        let Some(map) = self.table(Kind::ValueMap, table) else { return };
        let cached = self.model.objects[map].contents.tables.values.get(&key).copied();
        let cached = cached.and_then(|mapped| self.model.resolve(mapped.to));
        let edge = edge.and_then(|edge| self.pick(edge)).map(|index| self.link(index));
        let map = self.link(map);
        let mut making = None;
        let (mut apart, mut code) = (mem::take(&mut self.heap), self.code.take());
        let given = log::breaking(&mut code, || {
            weak_calls::get_or_alloc(&mut apart, map, (key, edge), &mut |lent| {
                self.code = log::disarm_code();
                let id = self.next_id();
                mem::swap(lent, &mut self.heap);
                let ran = panic::catch_unwind(AssertUnwindSafe(|| self.block(inside)));
                let contents = self.contents(Kind::Node, id, &[0]);
                mem::swap(lent, &mut self.heap);
                log::arm_code(self.code.take());
                making = Some((id, contents.clone()));
                if let Err(payload) = ran {
                    panic::resume_unwind(payload);
                }
                if ending.panics() {
                    Injected(id).raise();
                }
                (id, contents)
            })
        });
        (self.heap, self.code) = (apart, code);
        let is_broken = matches!(given, Err(Thrown::Injected(CODE_ID)));
        self.report.broken += u64::from(is_broken);
        let Some((id, contents)) = making else {
            let bits = cached.map(|index| self.model.objects[index].bits);
            assert!(is_broken || bits.is_some() && given == bits.ok_or(Thrown::Injected(CODE_ID)), "a hit");
            cached.into_iter().for_each(|index| self.touch(index));
            return;
        };
        assert!(cached.is_none(), "nothing is made on a hit");
        let made = match given {
            Err(Thrown::Injected(thrown)) if thrown == id && ending.panics() => return,
            // It was made, and then the map asked the key: nothing refers to the object.
            Err(Thrown::Injected(CODE_ID)) => Made::Handle(self.bits_of(Kind::Node, id, &contents)),
            given => given.map_or_else(Made::Panicked, Made::Handle),
        };
        let refusal = self.model.refusal(Kind::Node);
        let made = self.judge_made(Kind::Node, id, contents, made, refusal.as_deref());
        if let (Some(index), Some(map)) = (made, self.model.resolve(map)) {
            let to = self.link(index);
            if !is_broken {
                self.model.objects[map].contents.tables.map_value(key, edge, to);
            }
            self.touch(map);
        }
    }

    /// The handle of an object that no call returned.
    fn bits_of(&self, kind: Kind, id: ObjectId, contents: &Contents) -> u64 {
        let mut found = None;
        dyn_heap::for_each(&self.heap, kind, &mut |bits, view| {
            if view.holds(id, contents) {
                found = Some(bits);
            }
        });
        found.unwrap_or_else(|| panic!("{id:?} was made"))
    }

    pub(super) fn clone_table(&mut self, table: u8) {
        let Some(index) = self.one_of(Kind::is_bare, table) else { return };
        if self.model.objects.len() > MANY {
            return;
        }
        let (kind, link, id) = (self.model.objects[index].kind, self.link(index), self.next_id());
        let refusal = self.model.refusal(kind);
        let sort = Sort::of(kind).expect("a weak collection");
        let heap = &mut self.heap;
        let cloned = log::breaking(&mut self.code, || match weak_calls::clone_table(heap, link, sort) {
            Made::Panicked(thrown) => Err(thrown),
            made => Ok(made),
        });
        match cloned {
            Err(Thrown::Injected(CODE_ID)) => self.report.broken += 1,
            cloned => {
                let contents = self.model.objects[index].contents.clone();
                let made = cloned.unwrap_or_else(Made::Panicked);
                self.judge_made(kind, id, contents, made, refusal.as_deref());
            }
        }
    }

    pub(super) fn clone_graph(&mut self, target: u8) {
        let Some(first) = self.one_of(|kind| kind == Kind::Plain, target) else { return };
        if self.model.objects.len() > MANY || self.model.is_building() {
            return;
        }
        let reached = self.reached_from(first);
        let kinds: Vec<Kind> = reached.iter().map(|index| self.model.objects[*index].kind).collect();
        let is_listed = kinds.iter().all(|kind| COPIED.contains(kind));
        let place = |at: usize| self.model.refusal_beside(kinds[at], &kinds[..at]);
        let refusal = (0..kinds.len()).find_map(place);
        let (heap, link) = (&mut self.heap, self.model.objects[first].link());
        let copied = log::breaking(&mut self.code, || match weak_calls::clone_graph(heap, link) {
            Copied::Panicked(thrown) => Err(thrown),
            copied => Ok(copied),
        });
        match copied {
            Ok(Copied::Made(relinked)) => {
                assert!(is_listed && refusal.is_none(), "copied, but {refusal:?}, {kinds:?}");
                let bits = |index: &Index| relinked.get_any(self.link(*index).any()).map(|any| any.to_bits());
                let bits = reached.iter().map(bits).collect::<Option<Vec<u64>>>().expect("a copy of each");
                return self.copied(&reached, &bits);
            }
            Ok(Copied::Refused(text)) => {
                let is_limit = refusal.as_ref().is_some_and(|limit| text.contains(limit));
                assert!(is_limit || !is_listed && text.contains("schema"), "{text}: {refusal:?}, {kinds:?}");
                self.report.refused += u64::from(is_limit);
            }
            Err(Thrown::Injected(CODE_ID)) => self.report.broken += 1,
            Ok(Copied::Panicked(thrown)) | Err(thrown) => panic!("copying ended with {thrown:?}"),
        }
        // Some copies were made, and are dead.
        self.model.allocated = self.model.allocated.max(self.heap.stats().allocated);
    }

    /// What an object reaches by edges, itself first.
    fn reached_from(&self, first: Index) -> Vec<Index> {
        let mut reached = vec![first];
        let mut next = 0;
        while let Some(index) = reached.get(next) {
            let edges = self.model.objects[*index].contents.strong();
            let more: Vec<Index> = edges.filter_map(|link| self.model.resolve(link)).collect();
            more.into_iter().for_each(|index| {
                if !reached.contains(&index) {
                    reached.push(index);
                }
            });
            next += 1;
        }
        reached
    }

    /// These objects have copies with these handles.
    fn copied(&mut self, originals: &[Index], bits: &[u64]) {
        let mut copies = BTreeMap::new();
        for (original, bits) in originals.iter().zip(bits) {
            let (id, kind) = (self.model.objects[*original].id, self.model.objects[*original].kind);
            copies.insert(*original, self.give_out(id, kind, *bits, Life::Alive));
        }
        for original in originals {
            let mut contents = self.model.objects[*original].contents.clone();
            contents.edges.iter_mut().for_each(|edge| *edge = self.relinked(*edge, &copies));
            let values = mem::take(&mut contents.tables.values).into_iter();
            let living = values.filter(|(_, mapped)| self.model.resolve(mapped.to).is_some());
            let relinked = living.map(|(key, Mapped { edge, to })| {
                let edge = edge.map(|edge| self.relinked(edge, &copies));
                (key, Mapped { edge, to: self.relinked(to, &copies) })
            });
            contents.tables.values = relinked.collect();
            self.born(copies[original], contents);
        }
    }

    /// A link in a copy: to another copy, to what was not copied, or to nothing.
    fn relinked(&self, link: Link, copies: &BTreeMap<Index, Index>) -> Link {
        match self.model.resolve(link) {
            Some(index) => {
                Link { bits: self.link(copies.get(&index).copied().unwrap_or(index)).bits, ..link }
            }
            None => link.kind.map_or_else(|| Link::erased(0), |kind| Link::typed(kind, 0)),
        }
    }
}
