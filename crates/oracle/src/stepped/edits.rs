//! Changes of objects.

use crate::dyn_heap;
use crate::kind::Kind;
use crate::link::Entry;
use crate::model::Index;
use crate::ops::Access;
use crate::stepped::program::{Edit, Way};
use crate::stepped::runner::Runner;
use crate::types::view::View;

impl Runner {
    /// What is under construction.
    pub(super) fn building(&self) -> Option<Index> {
        self.model.last_building()
    }

    pub(super) fn change(&mut self, target: u8, by: Way, edit: Edit) {
        if let Some(index) = self.pick(target) {
            self.edit(index, edit, |runner, f| runner.with_object(index, by, f));
        }
    }

    /// As `change`, through `&`.
    pub(super) fn through(&mut self, target: u8, edit: Edit) {
        let is_locked = |index: &&Index| self.model.objects[**index].kind == Kind::Locked;
        let locked: Vec<Index> = self.model.alive.iter().filter(is_locked).copied().collect();
        let Some(place) = usize::from(target).checked_rem(locked.len()) else { return };
        let index = locked[place];
        let (kind, link) = (Kind::Locked, self.link(index));
        self.edit(index, edit, |runner, f| {
            let view = dyn_heap::read(&runner.heap, kind, link, Access::ByGc);
            assert!(view.is_ok_and(|view| view.through(f)), "{link:?} is lost");
        });
    }

    pub(super) fn through_value(&mut self, target: u8, to: u8) {
        let has_keys =
            |index: &&Index| matches!(self.model.objects[**index].kind, Kind::KeyMap | Kind::Shelf);
        let maps: Vec<Index> = self.model.alive.iter().filter(has_keys).copied().collect();
        let Some(place) = usize::from(target).checked_rem(maps.len()) else { return };
        let Some(to) = self.pick(to).map(|index| self.link(index)) else { return };
        let (index, link) = (maps[place], self.link(maps[place]));
        let view = dyn_heap::read(&self.heap, self.model.objects[index].kind, link, Access::ByGc);
        let view = view.unwrap_or_else(|_| panic!("{link:?} is lost"));
        let Some(key) = view.keys_shared().and_then(|keys| keys.add_through(to)) else { return };
        let keys = &mut self.model.objects[index].contents.tables.keys;
        let kept = keys.iter_mut().find(|(link, _)| link.bits == key).expect("the model has that key").1;
        kept.links.push(to);
        self.touch(index);
    }

    /// Calls `f` with an object to change it.
    fn with_object(&mut self, index: Index, by: Way, f: &mut dyn FnMut(&mut dyn View)) {
        let named = |index: Index| (self.model.objects[index].kind, self.link(index));
        let (kind, link) = named(index);
        let other = match by {
            Way::Beside(other) | Way::With(other) | Way::After(other) => self.pick(other),
            _ => None,
        };
        let other = other.filter(|other| *other != index).map(named);
        let is_pair = |a: Kind, b: Kind| a == b || dyn_heap::PAIRED.contains(&b);
        let heap = &mut self.heap;
        let mut seen = 0;
        let mut once = |view: &mut dyn View| {
            seen += 1;
            f(view);
        };
        match (by, other) {
            (Way::ByIter, _) => dyn_heap::for_each_mut(heap, kind, &mut |bits, view| {
                if bits == link.bits {
                    once(view);
                }
            }),
            (Way::BySplit, _) => drop(dyn_heap::split(heap, kind, link, &mut |view, _| once(view))),
            (Way::Beside(_), Some((other, apart))) => {
                dyn_heap::split(heap, other, apart, &mut |_, mut rest| {
                    dyn_heap::write_beside(&mut rest, kind, link).into_iter().for_each(&mut once);
                });
            }
            (Way::With(_), Some(other)) if is_pair(kind, other.0) => {
                let two = dyn_heap::write_two(heap, (kind, link), other);
                two.into_iter().for_each(|(view, _)| once(view));
            }
            (Way::After(_), Some(other)) if is_pair(other.0, kind) => {
                let two = dyn_heap::write_two(heap, other, (kind, link));
                two.into_iter().for_each(|(_, view)| once(view));
            }
            _ => {
                let by = match by {
                    Way::ByTry => Access::ByTry,
                    Way::ByIndex => Access::ByIndex,
                    _ => Access::ByGc,
                };
                dyn_heap::write(heap, kind, link, by).into_iter().for_each(&mut once);
            }
        }
        assert_eq!(seen, 1, "{link:?} is given out once, {by:?}");
    }

    fn edit(
        &mut self,
        index: Index,
        edit: Edit,
        write: impl FnOnce(&mut Self, &mut dyn FnMut(&mut dyn View)),
    ) {
        let kind = self.model.objects[index].kind;
        match edit {
            Edit::Element { .. }
            | Edit::Mapped { .. }
            | Edit::Unmapped(_)
            | Edit::Keyed { .. }
            | Edit::Unkeyed(_)
            | Edit::LockKey(_)
            | Edit::Remapped { .. }
            | Edit::Fill { .. }
            | Edit::Empty { .. }
            | Edit::Shorten => {
                self.edit_table(index, edit, write);
            }
            _ => {
                let named = |number| self.pick(number).map(|index| self.link(index));
                let weakly = |number: u8| match self.building() {
                    Some(index) if number % 3 == 0 => Some(self.link(index)),
                    _ => named(number),
                };
                let mut contents = self.model.objects[index].contents.clone();
                match edit {
                    Edit::Value(value) => contents.value = contents.value & !0xff | u64::from(value),
                    Edit::Link(to) => contents.edges.extend(named(to)),
                    Edit::Unlink(at) => {
                        if let Some(at) = usize::from(at).checked_rem(contents.edges.len()) {
                            contents.edges.remove(at);
                        }
                    }
                    Edit::Clear => {
                        contents.edges.clear();
                        contents.weaks.clear();
                        contents.entries.clear();
                    }
                    Edit::Listen(to) => contents.weaks.extend(weakly(to)),
                    Edit::Entry { key, inner, value } => {
                        let inner = inner.and_then(weakly);
                        if let (Some(key), Some(value)) = (weakly(key), named(value)) {
                            contents.entries.push(Entry { key, inner, value });
                        }
                    }
                    _ => unreachable!("of a table"),
                }
                kind.fit(&mut contents);
                write(self, &mut |view| view.store(&contents));
                self.model.objects[index].contents = contents;
            }
        }
        self.touch(index);
    }
}
