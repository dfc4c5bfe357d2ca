//! Weak collections: edits, canonicalising, interning, and those outside of the heap.

use slotgc::Heap;

use crate::contents::Contents;
use crate::dyn_heap::{self, Made, weak as weak_calls};
use crate::kind::Kind;
use crate::link::{Link, ObjectId};
use crate::log::Thrown;
use crate::model::{Index, Life};
use crate::ops::{
    Access, Block, Combine, Ending, Gives, Goal, Interning, KeysEdit, Make, Pick, SetEdit, Sort, ValuesEdit,
};
use crate::runner::state::Runner;
use crate::tables::Tables;
use crate::types::Set;
use crate::types::view::{KeysView, SetView, ValuesView, View};

/// The kinds that have a weak collection of each sort.
fn has_values(kind: Kind) -> bool {
    matches!(kind, Kind::ValueMap | Kind::Shelf | Kind::Locked)
}

fn has_keys(kind: Kind) -> bool {
    matches!(kind, Kind::KeyMap | Kind::Shelf | Kind::Locked)
}

fn has_set(kind: Kind) -> bool {
    matches!(kind, Kind::Set | Kind::Shelf | Kind::Locked)
}

/// What a weak collection in an object of this kind refers to; `None`: the one outside of the heap.
fn member(owner: Option<Kind>) -> Kind {
    if owner.is_some_and(Kind::has_shelf) { Kind::Plain } else { Kind::Node }
}

/// What an error says when the container is gone.
const GONE: &str = "weakly-referenced object no longer exists";

impl Runner {
    /// One of the living objects with such a weak collection; `None`: the collection outside of the heap,
    /// which counts as the last.
    fn place(&self, heap: usize, table: u8, has: fn(Kind) -> bool) -> Option<Index> {
        let model = self.model(heap);
        let places = model.alive.iter().copied().filter(|index| has(model.objects[*index].kind));
        let places: Vec<_> = places.collect();
        places.get(usize::from(table) % (places.len() + 1)).copied()
    }

    fn kind_at(&self, heap: usize, place: Option<Index>) -> Option<Kind> {
        place.map(|index| self.model(heap).objects[index].kind)
    }

    /// The handle that a pick names, of this type: of the objects of the type where a pick counts objects.
    fn member_link(&self, heap: usize, pick: Pick, kind: Kind) -> Link {
        let model = self.model(heap);
        let of_kind = |index: &Index| model.objects[*index].kind == kind;
        let nth = |indices: Vec<Index>, number: u8| {
            indices.get(usize::from(number) % indices.len().max(1)).map(|index| model.objects[*index].bits)
        };
        let bits = match pick {
            Pick::Recent(back) => nth((0..model.objects.len()).rev().filter(of_kind).collect(), back),
            Pick::Live(back) => nth(model.alive.iter().rev().copied().filter(of_kind).collect(), back),
            Pick::Rooted(at) => nth(model.roots.iter().copied().filter(of_kind).collect(), at),
            _ => None,
        };
        Link::typed(kind, bits.unwrap_or_else(|| self.pick(heap, pick).1))
    }

    /// The model of the tables at a place.
    fn tables(&mut self, heap: usize, place: Option<Index>) -> &mut Tables {
        let world = &mut self.worlds[heap];
        match place {
            Some(index) => &mut world.model.objects[index].contents.tables,
            None => &mut world.outside_tables,
        }
    }

    /// The object at a place, to be changed.
    fn owner(&mut self, heap: usize, index: Index) -> &mut dyn View {
        let world = &mut self.worlds[heap];
        let object = &world.model.objects[index];
        let (kind, link) = (object.kind, object.link());
        dyn_heap::write(&mut world.heap, kind, link, Access::ByGc).expect("a living object")
    }

    pub(super) fn edit_values(&mut self, heap: usize, table: u8, edit: ValuesEdit) {
        let place = self.place(heap, table, has_values);
        let kind = member(self.kind_at(heap, place));
        let links: Vec<Link> = match edit {
            ValuesEdit::PutValue { edge, to, .. } => {
                let edge = edge.map(|pick| self.typed_link(heap, pick));
                [Some(self.member_link(heap, to, kind)), edge].into_iter().flatten().collect()
            }
            ValuesEdit::EntryValue { to, .. } | ValuesEdit::SwapValue { to, .. } => {
                vec![self.member_link(heap, to, kind)]
            }
            _ => Vec::new(),
        };
        let expected = self.tables(heap, place).edit_values(edit, &links);
        let answer = match place {
            Some(index) => self.owner(heap, index).values().expect("a map").edit(edit, &links),
            None => self.worlds[heap].outside.values.edit(edit, &links),
        };
        assert_eq!(answer, expected, "the map's answer (left), and the model's (right)");
    }

    pub(super) fn edit_keys(&mut self, heap: usize, table: u8, edit: KeysEdit) {
        let place = self.place(heap, table, has_keys);
        let kind = member(self.kind_at(heap, place));
        let links: Vec<Link> = match edit {
            KeysEdit::PutKey { key, to, inner }
            | KeysEdit::AddToKey { key, to, inner }
            | KeysEdit::EntryKey { key, to, inner } => {
                let key = self.member_link(heap, key, kind);
                let to = self.goal(heap, to, key, place);
                let inner = inner.map(|pick| self.member_link(heap, pick, kind));
                [Some(key), Some(to), inner].into_iter().flatten().collect()
            }
            KeysEdit::TakeKey(key) => vec![self.member_link(heap, key, kind)],
            _ => Vec::new(),
        };
        let expected = self.tables(heap, place).edit_keys(edit, &links);
        let answer = match place {
            Some(index) => self.owner(heap, index).keys().expect("a map").edit(edit, &links),
            None => self.worlds[heap].outside.keys.edit(edit, &links),
        };
        assert_eq!(answer, expected, "the map's answer (left), and the model's (right)");
    }

    fn goal(&self, heap: usize, goal: Goal, key: Link, place: Option<Index>) -> Link {
        match (goal, place) {
            (Goal::ToKey, _) => key,
            (Goal::ToOwner, Some(index)) => self.model(heap).objects[index].link(),
            (Goal::ToOwner, None) => Link::erased(0),
            (Goal::To(pick), _) => self.typed_link(heap, pick),
        }
    }

    pub(super) fn edit_set(&mut self, heap: usize, table: u8, edit: SetEdit) {
        let place = self.place(heap, table, has_set);
        let kind = member(self.kind_at(heap, place));
        let link = match edit {
            SetEdit::PutElement(pick) | SetEdit::TakeElement(pick) => self.member_link(heap, pick, kind),
            _ => Link::typed(kind, 0),
        };
        let expected = self.tables(heap, place).edit_set(edit, link);
        let answer = match place {
            Some(index) => self.owner(heap, index).set().expect("a set").edit(edit, link),
            None => self.worlds[heap].outside.set.edit(edit, link),
        };
        assert_eq!(answer, expected, "the set's answer (left), and the model's (right)");
    }

    pub(super) fn combine_sets(&mut self, heap: usize, table: u8, by: Combine) {
        let Some(index) = self.place(heap, table, |kind| kind == Kind::Set) else { return };
        let world = &mut self.worlds[heap];
        let object = &world.model.objects[index];
        let other = &world.heap[object.link().gc::<Set>()];
        world.outside.combine(by, other);
        world.outside_tables.set = by.of(&world.outside_tables.set, &object.contents.tables.set);
    }

    pub(super) fn copy_out(&mut self, heap: usize, table: u8, sort: Sort) {
        let has = match sort {
            Sort::OfValues => |kind| kind == Kind::ValueMap,
            Sort::OfKeys => |kind| kind == Kind::KeyMap,
            Sort::OfElements => |kind| kind == Kind::Set,
            Sort::OfNames => |kind| kind == Kind::Names,
        };
        let Some(index) = self.place(heap, table, has) else { return };
        let world = &mut self.worlds[heap];
        let object = &world.model.objects[index];
        weak_calls::copy_out(&world.heap, object.link(), sort, &mut world.outside);
        let copied = object.contents.tables.clone();
        sort.replace(&mut world.outside_tables, copied);
    }

    pub(super) fn copy_in(&mut self, heap: usize, sort: Sort, rooted: bool) {
        let kind = sort.kind();
        let refusal = self.model(heap).refusal(kind);
        let world = &mut self.worlds[heap];
        let made = weak_calls::copy_in(&mut world.heap, sort, &world.outside);
        assert_eq!(made.is_none(), refusal.is_some(), "{refusal:?}");
        let Some(bits) = made else { return };
        let mut contents = Contents::default();
        sort.replace(&mut contents.tables, world.outside_tables.clone());
        let id = self.next_id();
        let index = self.judge(heap, kind, id, contents, Made::Handle(bits), None).expect("it was made");
        if rooted {
            let link = self.model(heap).objects[index].link();
            self.root_link(heap, kind, link);
        }
    }

    pub(super) fn prune_outside(&mut self, heap: usize) {
        let world = &mut self.worlds[heap];
        world.outside.prune_dead(&world.heap);
        let model = &world.model;
        world.outside_tables.prune_flat(|link| model.resolve_key(link).is_some());
    }

    // ---- Canonicalising

    /// The handle of one of the living objects of a kind that is a weak collection. The last is the handle of
    /// one that is gone.
    fn table_link(&self, heap: usize, table: u8, has: fn(Kind) -> bool, kind: Kind) -> (Option<Index>, Link) {
        let model = self.model(heap);
        let place = self.place(heap, table, has);
        let gone = |object: &&crate::model::Object| object.kind == kind && object.life == Life::Dead;
        let gone = || model.objects.iter().rev().find(gone).map_or(0, |object| object.bits);
        (place, Link::typed(kind, place.map_or_else(gone, |index| model.objects[index].bits)))
    }

    pub(super) fn get_or_alloc(
        &mut self,
        heap: usize,
        table: u8,
        (key, edge): (u8, Option<Pick>),
        make: &Make,
        (inside, swaps, ending): (&Block, bool, Ending),
    ) {
        let (place, map) = self.table_link(heap, table, |kind| kind == Kind::ValueMap, Kind::ValueMap);
        let edge = edge.map(|pick| self.typed_link(heap, pick));
        let cached = place.and_then(|index| self.cached(heap, index, key));
        let make = Make { kind: Kind::Node, ..make.clone() };
        let (mut making, mut has_swapped) = (None, false);
        self.in_flight += 1;
        let given = self.with_heap_apart(heap, |runner, apart| {
            let given = weak_calls::get_or_alloc(apart, map, (key, edge), &mut |apart| {
                let id = runner.next_id();
                runner.lending(heap, apart, inside);
                let contents = runner.contents_of(heap, id, &make);
                making = Some((id, contents.clone()));
                has_swapped = swaps && runner.swap_apart(heap, apart);
                match ending {
                    Ending::Returns => (id, contents),
                    Ending::Panics => crate::log::Injected(id).raise(),
                }
            });
            if has_swapped {
                runner.swap_apart(heap, apart);
            }
            given
        });
        self.in_flight -= 1;
        match (given, making) {
            (Err(Thrown::Text(text)), None) if place.is_none() => assert!(text.contains(GONE), "{text}"),
            (Ok(bits), None) => assert_eq!(Some(bits), cached, "a hit"),
            (Err(Thrown::Injected(id)), Some((made, _))) => assert_eq!((id, ending), (made, Ending::Panics)),
            (given, Some((id, contents))) if has_swapped => {
                // The object is in the other heap, which has no map for it.
                let refusal = self.model(1 - heap).refusal(Kind::Node);
                let made = given.map_or_else(Made::Panicked, Made::Handle);
                self.judge(1 - heap, Kind::Node, id, contents, made, refusal);
            }
            (given, Some((id, contents))) if place.is_some() && cached.is_none() => {
                self.made_for_key(heap, map, (key, edge), (id, contents), given);
            }
            (given, making) => panic!("gave {given:?} for {making:?}, with {cached:?} in the map"),
        }
    }

    /// Swaps a heap that is apart with the other one; `false` if that one is lent to somebody.
    fn swap_apart(&mut self, heap: usize, apart: &mut Heap) -> bool {
        let other = &mut self.worlds[1 - heap];
        let is_there = other.busy == 0;
        if is_there {
            std::mem::swap(apart, &mut other.heap);
        }
        is_there
    }

    /// The living object that the map has for this key.
    fn cached(&self, heap: usize, map: Index, key: u8) -> Option<u64> {
        let mapped = self.model(heap).objects[map].contents.tables.values.get(&key)?;
        self.model(heap).resolve(mapped.to).map(|_| mapped.to.bits)
    }

    /// A node was made for a key: the map has it if it lives.
    fn made_for_key(
        &mut self,
        heap: usize,
        map: Link,
        (key, edge): (u8, Option<Link>),
        (id, contents): (ObjectId, Contents),
        given: Result<u64, Thrown>,
    ) {
        let refusal = self.model(heap).refusal(Kind::Node);
        let made = given.map_or_else(Made::Panicked, Made::Handle);
        let Some(index) = self.judge(heap, Kind::Node, id, contents, made, refusal) else { return };
        let to = self.model(heap).objects[index].link();
        if let Some(place) = self.model(heap).resolve(map) {
            self.tables(heap, Some(place)).map_value(key, edge, to);
        }
    }

    pub(super) fn get_or_try(
        &mut self,
        heap: usize,
        table: u8,
        key: u8,
        (inside, swaps, gives): (&Block, bool, Gives),
    ) {
        let (place, map) = self.table_link(heap, table, |kind| kind == Kind::ValueMap, Kind::ValueMap);
        let cached = place.and_then(|index| self.cached(heap, index, key));
        let broken = self.next_id();
        let (mut making, mut has_swapped) = (None, false);
        let given = self.with_heap_apart(heap, |runner, apart| {
            let given = weak_calls::get_or_try(apart, map, key, &mut |apart| {
                runner.lending(heap, apart, inside);
                let found = match gives {
                    Gives::Found(pick) => Some(runner.member_link(heap, pick, Kind::Node)),
                    Gives::Nothing | Gives::Breaks => None,
                };
                making = Some(found);
                has_swapped = swaps && runner.swap_apart(heap, apart);
                match gives {
                    Gives::Breaks => crate::log::Injected(broken).raise(),
                    _ => found,
                }
            });
            if has_swapped {
                runner.swap_apart(heap, apart);
            }
            given
        });
        match (given, making) {
            (Err(Thrown::Text(text)), None) if place.is_none() => assert!(text.contains(GONE), "{text}"),
            (Ok(bits), None) => assert_eq!(bits, cached, "a hit"),
            (Err(Thrown::Injected(id)), Some(None)) => assert_eq!((id, gives), (broken, Gives::Breaks)),
            (Ok(bits), Some(found)) if place.is_some() && cached.is_none() => {
                assert_eq!(bits, found.map(|link| link.bits), "what `make` returned");
                let place = self.model(heap).resolve(map).filter(|_| !has_swapped);
                if let (Some(place), Some(to)) = (place, found) {
                    self.tables(heap, Some(place)).map_value(key, None, to);
                }
            }
            (given, making) => panic!("gave {given:?} for {making:?}, with {cached:?} in the map"),
        }
    }

    pub(super) fn intern(&mut self, heap: usize, table: u8, name: u8, by: Interning) {
        let (place, link) = self.table_link(heap, table, |kind| kind == Kind::Names, Kind::Names);
        let id = self.next_id();
        let given = weak_calls::intern(&mut self.worlds[heap].heap, link, id, name, by);
        let makes = matches!(by, Interning::ByValue | Interning::ByTrying);
        let Some(place) = place else {
            let gone = matches!(&given, Err(Thrown::Text(text)) if text.contains(GONE));
            assert!(gone, "a table that is gone returned {given:?}");
            if makes {
                self.expect_drop(Kind::Name, id);
            }
            return;
        };
        let asked = self.named(heap, place, name);
        match by {
            Interning::Looking => self.judge_name(heap, place, (id, None), asked, given),
            Interning::ByMaking(_) if asked.is_some() => {
                self.judge_name(heap, place, (id, None), asked, given);
            }
            Interning::ByMaking(other) => {
                let found = self.named(heap, place, other);
                self.judge_name(heap, place, (id, Some(other)), found, given);
            }
            Interning::ByValue | Interning::ByTrying => {
                self.judge_name(heap, place, (id, Some(name)), asked, given);
            }
        }
    }

    /// The living name in the table that is equal to this one.
    fn named(&self, heap: usize, table: Index, name: u8) -> Option<u64> {
        let model = self.model(heap);
        let is_equal = |link: &&Link| {
            model.resolve(**link).is_some_and(|index| model.objects[index].contents.name == name)
        };
        model.objects[table].contents.tables.names.iter().find(is_equal).map(|link| link.bits)
    }

    /// Compares the outcome of interning with what it had to be: a name was `found`, or the one `made`
    /// becomes an object.
    fn judge_name(
        &mut self,
        heap: usize,
        table: Index,
        (id, made): (ObjectId, Option<u8>),
        found: Option<u64>,
        given: Result<weak_calls::Interned, Thrown>,
    ) {
        use weak_calls::Interned;
        let (Some(name), None) = (made, found) else {
            let as_found = matches!(given, Ok(Interned::Found(bits)) if bits == found);
            assert!(as_found, "interning returned {given:?}, not {found:?}");
            if made.is_some() {
                self.expect_drop(Kind::Name, id);
            }
            return;
        };
        let made = match given {
            Ok(Interned::Found(bits)) => Made::Handle(bits.expect("a name is made")),
            Ok(Interned::Refused(text, unharmed)) => Made::Refused(text, unharmed),
            Err(thrown) => Made::Panicked(thrown),
        };
        let refusal = self.model(heap).refusal(Kind::Name);
        let contents = Contents { name, ..Contents::default() };
        if let Some(index) = self.judge(heap, Kind::Name, id, contents, made, refusal) {
            let link = self.model(heap).objects[index].link();
            self.tables(heap, Some(table)).names.push(link);
        }
    }
}

impl Sort {
    /// Puts one sort of tables in place of what is there.
    fn replace(self, tables: &mut Tables, by: Tables) {
        match self {
            Sort::OfValues => tables.values = by.values,
            Sort::OfKeys => tables.keys = by.keys,
            Sort::OfElements => tables.set = by.set,
            Sort::OfNames => tables.names = by.names,
        }
    }
}
