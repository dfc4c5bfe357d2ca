//! What weak collections hold, naively: the model of them.
//!
//! Ordered tables of links. Nothing here knows which links resolve, and nothing is removed unasked.

use std::collections::{BTreeMap, BTreeSet};

use crate::link::Link;
use crate::ops::{Combine, KeysEdit, SetEdit, ValuesEdit};

/// What a call returned, in numbers that can be compared: handles as bits, sorted where the order is not
/// promised.
pub(crate) type Answer = Vec<u64>;

/// What the weak collections of one object hold. Most objects have none, or one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tables {
    /// A `WeakValueMap`: the strong edge in each key, and the object it is mapped to.
    pub(crate) values: BTreeMap<u8, Mapped>,
    /// A `WeakKeyMap`.
    pub(crate) keys: BTreeMap<Link, Kept>,
    /// A `WeakSet`.
    pub(crate) set: BTreeSet<Link>,
    /// An `Interner`: no two living names are equal.
    pub(crate) names: Vec<Link>,
}

/// An entry of a `WeakValueMap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapped {
    pub(crate) edge: Option<Link>,
    pub(crate) to: Link,
}

/// A value of a `WeakKeyMap`: strong edges, and a map of the same kind inside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) links: Vec<Link>,
    pub(crate) inner: BTreeMap<Link, Link>,
}

/// An entry of the weak collections of one object.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Named {
    Value(u8),
    Key(Link),
    /// Of the map inside the value of the first.
    Inner(Link, Link),
    Element(Link),
    Name(Link),
}

/// Whether a retain keeps what has this handle.
pub(crate) fn is_kept(bits: u64, by: u8) -> bool {
    (bits ^ bits >> 32).wrapping_add(by.into()) % 3 != 0
}

impl Tables {
    /// The handles inside the keys of a `WeakValueMap`.
    pub(crate) fn strong(&self) -> impl Iterator<Item = Link> {
        self.values.values().filter_map(|mapped| mapped.edge)
    }

    /// What is kept alive as long as all of the keys are.
    pub(crate) fn ephemerons(&self) -> impl Iterator<Item = (Vec<Link>, Link)> {
        self.keys.iter().flat_map(|(key, kept)| {
            let own = kept.links.iter().map(|link| (vec![*key], *link));
            own.chain(kept.inner.iter().map(|(inner, link)| (vec![*key, *inner], *link)))
        })
    }

    /// Removes what names the dead; returns how many entries those were. What is in an entry goes with it.
    pub(crate) fn prune(&mut self, is_live: impl Fn(Link) -> bool) -> usize {
        let mut pruned = self.prune_flat(&is_live);
        for kept in self.keys.values_mut() {
            let before = kept.inner.len();
            kept.inner.retain(|key, _| is_live(*key));
            pruned += before - kept.inner.len();
        }
        pruned
    }

    /// As `prune`, without the maps inside of values: what `prune_dead` does.
    pub(crate) fn prune_flat(&mut self, is_live: impl Fn(Link) -> bool) -> usize {
        let before = self.len();
        self.values.retain(|_, mapped| is_live(mapped.to));
        self.keys.retain(|key, _| is_live(*key));
        self.set.retain(|link| is_live(*link));
        self.names.retain(|link| is_live(*link));
        before - self.len()
    }

    /// As `prune`, of the entries that `has` no longer finds.
    pub(crate) fn prune_partly(
        &mut self,
        is_live: impl Fn(Link) -> bool,
        has: impl Fn(Named) -> bool,
    ) -> usize {
        let before = self.len();
        self.values.retain(|number, mapped| is_live(mapped.to) || has(Named::Value(*number)));
        self.keys.retain(|key, _| is_live(*key) || has(Named::Key(*key)));
        self.set.retain(|link| is_live(*link) || has(Named::Element(*link)));
        self.names.retain(|link| is_live(*link) || has(Named::Name(*link)));
        let mut pruned = before - self.len();
        for (key, kept) in &mut self.keys {
            let before = kept.inner.len();
            kept.inner.retain(|inner, _| is_live(*inner) || has(Named::Inner(*key, *inner)));
            pruned += before - kept.inner.len();
        }
        pruned
    }

    fn len(&self) -> usize {
        self.values.len() + self.keys.len() + self.set.len() + self.names.len()
    }

    /// The number of keys and values with a `Mark`.
    pub(crate) fn marks(&self) -> usize {
        self.values.len() + self.keys.len()
    }

    /// A `WeakValueMap` that has the key keeps it, and drops the one it is given.
    pub(crate) fn map_value(&mut self, key: u8, edge: Option<Link>, to: Link) -> Option<Link> {
        let before = self.values.get(&key).copied();
        let edge = before.map_or(edge, |mapped| mapped.edge);
        self.values.insert(key, Mapped { edge, to });
        before.map(|mapped| mapped.to)
    }

    /// An edit of the `WeakValueMap`; the links are those it names, the object first.
    pub(crate) fn edit_values(&mut self, edit: ValuesEdit, links: &[Link]) -> Answer {
        let bits = |link: Option<Link>| link.map(|link| link.bits).into_iter().collect();
        match edit {
            ValuesEdit::PutValue { key, .. } => bits(self.map_value(key, links.get(1).copied(), links[0])),
            ValuesEdit::EntryValue { key, .. } => {
                vec![self.values.entry(key).or_insert(Mapped { edge: None, to: links[0] }).to.bits]
            }
            ValuesEdit::SwapValue { key, .. } => {
                bits(self.values.get_mut(&key).map(|mapped| std::mem::replace(&mut mapped.to, links[0])))
            }
            ValuesEdit::TakeValue(key) => bits(self.values.remove(&key).map(|mapped| mapped.to)),
            ValuesEdit::RetainValues(by) => {
                self.values.retain(|_, mapped| is_kept(mapped.to.bits, by));
                Answer::new()
            }
            ValuesEdit::ClearValues => {
                self.values.clear();
                Answer::new()
            }
            ValuesEdit::DrainValues => {
                let drained = std::mem::take(&mut self.values);
                drained.into_values().map(|mapped| mapped.to.bits).collect()
            }
            ValuesEdit::ShrinkValues => Answer::new(),
        }
    }

    /// An edit of the `WeakKeyMap`; the links are the key, what goes into the value, and a key inside of it.
    pub(crate) fn edit_keys(&mut self, edit: KeysEdit, links: &[Link]) -> Answer {
        let bits = |kept: Option<Kept>| kept.map_or_else(Answer::new, |kept| kept.bits());
        match edit {
            KeysEdit::PutKey { .. } => {
                let mut kept = Kept::default();
                kept.add(links);
                bits(self.keys.insert(links[0], kept))
            }
            KeysEdit::AddToKey { .. } => {
                let kept = self.keys.get_mut(&links[0]);
                kept.map_or_else(Answer::new, |kept| {
                    kept.add(links);
                    kept.bits()
                })
            }
            KeysEdit::EntryKey { .. } => {
                let kept = self.keys.entry(links[0]).or_default();
                kept.add(links);
                kept.bits()
            }
            KeysEdit::TakeKey(_) => bits(self.keys.remove(&links[0])),
            KeysEdit::RetainKeys(by) => {
                self.keys.retain(|key, _| is_kept(key.bits, by));
                Answer::new()
            }
            KeysEdit::ClearKeys => {
                self.keys.clear();
                Answer::new()
            }
            KeysEdit::DrainKeys => {
                let drained = std::mem::take(&mut self.keys);
                drained.into_iter().flat_map(|(key, kept)| [vec![key.bits], kept.bits()].concat()).collect()
            }
        }
    }

    /// An edit of the `WeakSet`, of this element.
    pub(crate) fn edit_set(&mut self, edit: SetEdit, link: Link) -> Answer {
        match edit {
            SetEdit::PutElement(_) => vec![self.set.insert(link).into()],
            SetEdit::TakeElement(_) => vec![self.set.remove(&link).into()],
            SetEdit::RetainElements(by) => {
                self.set.retain(|link| is_kept(link.bits, by));
                Answer::new()
            }
            SetEdit::ClearElements => {
                self.set.clear();
                Answer::new()
            }
            SetEdit::DrainElements => {
                std::mem::take(&mut self.set).into_iter().map(|link| link.bits).collect()
            }
        }
    }
}

impl Kept {
    /// Puts the second link in: as an edge, or behind the third as a key.
    fn add(&mut self, links: &[Link]) {
        match links.get(2) {
            Some(inner) => drop(self.inner.insert(*inner, links[1])),
            None => self.links.push(links[1]),
        }
    }

    pub(crate) fn bits(&self) -> Answer {
        let inner = self.inner.iter().flat_map(|(key, link)| [key.bits, link.bits]);
        self.links.iter().map(|link| link.bits).chain(inner).collect()
    }
}

impl Combine {
    /// Two sets combined.
    pub(crate) fn of(self, a: &BTreeSet<Link>, b: &BTreeSet<Link>) -> BTreeSet<Link> {
        match self {
            Combine::Union => a | b,
            Combine::Intersection => a & b,
            Combine::Difference => a - b,
            Combine::Symmetric => a ^ b,
        }
    }
}
