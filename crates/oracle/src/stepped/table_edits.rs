//! Edits of weak collections, one or many, in which user code may panic.

use crate::kind::Kind;
use crate::link::Link;
use crate::log::{self, Armed, CODE_ID, Thrown};
use crate::model::{Index, Object};
use crate::ops::{Goal, KeysEdit, Pick, SetEdit, ValuesEdit};
use crate::stepped::program::Edit;
use crate::stepped::runner::Runner;
use crate::tables::Tables;
use crate::types::view::View;

/// Where an edit of a table names an object: the links that come with it say which.
const ANY: Pick = Pick::Live(0);

/// The kind of what the tables of an object refer to.
fn member_kind(kind: Kind) -> Kind {
    if kind.has_shelf() { Kind::Plain } else { Kind::Node }
}

impl Runner {
    /// A living object of this kind.
    fn member(&self, kind: Kind, number: u8) -> Option<Link> {
        let members = self.model.alive.iter().rev().filter(|index| self.model.objects[**index].kind == kind);
        let members: Vec<Index> = members.copied().collect();
        let at = usize::from(number).checked_rem(members.len())?;
        // What is under construction is a member too, now and then.
        let building = self.building().filter(|index| self.model.objects[*index].kind == kind);
        building.filter(|_| number % 3 == 0).or(Some(members[at])).map(|index| self.link(index))
    }

    /// All that live, of this kind.
    fn members(&self, kind: Kind) -> Vec<Link> {
        let members = self.model.alive.iter().rev().map(|index| &self.model.objects[*index]);
        members.filter(|object| object.kind == kind).map(Object::link).collect()
    }

    pub(super) fn edit_table(
        &mut self,
        index: Index,
        edit: Edit,
        write: impl FnOnce(&mut Self, &mut dyn FnMut(&mut dyn View)),
    ) {
        let kind = self.model.objects[index].kind;
        let edits = match edit {
            Edit::Fill { from, len } | Edit::Empty { from, len } => {
                let members = self.members(member_kind(kind));
                let is_table = kind.is_bare() || kind.has_shelf();
                if members.is_empty() || !is_table {
                    return;
                }
                let puts = matches!(edit, Edit::Fill { .. });
                many(puts, from, &members).map(|edits| (edits, usize::from(len))).to_vec()
            }
            _ => {
                let Some(links) = self.links_of(member_kind(kind), edit) else { return };
                vec![(vec![(edit, links)], 1)]
            }
        };
        let fills = matches!(edit, Edit::Fill { .. });
        let mut tables = self.model.objects[index].contents.tables.clone();
        let (mut code, mut broken) = (self.code.take(), 0);
        write(self, &mut |view| {
            for (edits, len) in &edits {
                for (number, (edit, links)) in edits.iter().enumerate() {
                    if number >= *len && !(fills && has_room(view, &tables, *edit)) {
                        break;
                    }
                    broken += u64::from(edit_in_both(view, &mut tables, *edit, links, &mut code));
                }
            }
        });
        self.code = code;
        self.report.broken += broken;
        self.model.objects[index].contents.tables = tables;
    }

    /// The links that an edit names; `None` if there are none to be named.
    fn links_of(&self, member: Kind, edit: Edit) -> Option<Vec<Link>> {
        let of = |number| self.member(member, number);
        match edit {
            Edit::Element { of: number, .. }
            | Edit::Unkeyed(number)
            | Edit::LockKey(number)
            | Edit::Remapped { to: number, .. } => of(number).map(|link| vec![link]),
            Edit::Mapped { to, edge, .. } => of(to).map(|to| {
                let edge = edge.and_then(|edge| self.pick(edge)).map(|edge| self.link(edge));
                [Some(to), edge].into_iter().flatten().collect()
            }),
            Edit::Keyed { key, to, inner } => of(key).and_then(|key| {
                let to = self.link(self.pick(to)?);
                Some([Some(key), Some(to), inner.and_then(of)].into_iter().flatten().collect())
            }),
            _ => Some(Vec::new()),
        }
    }
}

/// Edits with the links that they name.
type Edits = Vec<(Edit, Vec<Link>)>;

/// Edits of a map by keys, of one by objects, and of a set, that put these members in or take them out, from
/// this one on.
fn many(puts: bool, from: u8, members: &[Link]) -> [Edits; 3] {
    let member = |number: usize| members[(usize::from(from) + number) % members.len()];
    let mapped = |number: usize| {
        let key = from.wrapping_add(number as u8);
        // With a strong edge to another one.
        let named = [member(number), members[number % members.len()]];
        (Edit::Mapped { key, to: 0, edge: None }, if puts { named.to_vec() } else { Vec::new() })
    };
    let keyed = |number: usize| {
        let edit = Edit::Keyed { key: 0, to: 0, inner: None };
        let key = member(number);
        (edit, if puts { vec![key, members[number]] } else { vec![key] })
    };
    let element = |number: usize| (Edit::Element { of: 0, put: puts }, vec![member(number)]);
    let each = 0..members.len();
    [(0..256).map(mapped).collect(), each.clone().map(keyed).collect(), each.map(element).collect()]
}

/// Whether the table that is edited has room for one more.
fn has_room(view: &mut dyn View, tables: &Tables, edit: Edit) -> bool {
    let (len, capacity) = match edit {
        Edit::Element { .. } => (tables.set.len(), view.set().map(|set| set.capacity())),
        Edit::Mapped { .. } => (tables.values.len(), view.values().map(|values| values.capacity())),
        _ => (tables.keys.len(), view.keys().map(|keys| keys.capacity())),
    };
    capacity.is_some_and(|capacity| len < capacity)
}

/// Edits a weak collection, and its model. Whether user code panicked.
fn edit_in_both(
    view: &mut dyn View,
    tables: &mut Tables,
    edit: Edit,
    links: &[Link],
    code: &mut Armed,
) -> bool {
    match edit {
        Edit::Element { put, .. } => {
            let edit = if put { SetEdit::PutElement(ANY) } else { SetEdit::TakeElement(ANY) };
            let Some(set) = view.set() else { return false };
            assert_eq!(set.edit(edit, links[0]), tables.edit_set(edit, links[0]), "what the set says");
        }
        Edit::Mapped { key, .. } | Edit::Unmapped(key) => {
            let put = ValuesEdit::PutValue { key, edge: None, to: ANY };
            let edit = if links.is_empty() { ValuesEdit::TakeValue(key) } else { put };
            return edit_values(view, tables, edit, links, code);
        }
        Edit::Remapped { key, .. } => {
            return edit_values(view, tables, ValuesEdit::SwapValue { key, to: ANY }, links, code);
        }
        Edit::Shorten => return edit_values(view, tables, ValuesEdit::ShrinkValues, links, code),
        Edit::LockKey(_) => {
            if let Some(keys) = view.keys() {
                keys.lock(links[0]);
            }
        }
        _ => {
            let put = KeysEdit::EntryKey { key: ANY, to: Goal::ToKey, inner: None };
            let edit = if links.len() == 1 { KeysEdit::TakeKey(ANY) } else { put };
            let Some(keys) = view.keys() else { return false };
            assert_eq!(keys.edit(edit, links), tables.edit_keys(edit, links), "what the map says");
        }
    }
    false
}

/// Of the one whose keys are user code's. After a panic the map is as it was, or changed as it was to be.
fn edit_values(
    view: &mut dyn View,
    tables: &mut Tables,
    edit: ValuesEdit,
    links: &[Link],
    code: &mut Armed,
) -> bool {
    let Some(values) = view.values() else { return false };
    match log::breaking(code, || log::catch(|| values.edit(edit, links))) {
        Ok(answer) => assert_eq!(answer, tables.edit_values(edit, links), "what the map says"),
        Err(Thrown::Injected(CODE_ID)) => {
            if !values.holds(tables) {
                tables.edit_values(edit, links);
                assert!(
                    values.holds(tables),
                    "user code panicked in {edit:?}, and the map is changed in part"
                );
            }
            return true;
        }
        Err(thrown) => panic!("{edit:?} ended with {thrown:?}"),
    }
    false
}
