//! The weak collections under test, alone and in a field, and what is in them.
//!
//! Each is changed by an edit of the op language, which returns an [`Answer`], and compared with the model's
//! [`Tables`] in every observable way.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};

use slotgc::{Trace, Weak, WeakKeyMap, WeakSet, WeakValueMap};

use crate::kind::UserCode;
use crate::link::Link;
use crate::log::{Mark, user_code};
use crate::ops::{KeysEdit, SetEdit, ValuesEdit};
use crate::tables::{Answer, Tables, is_kept};
use crate::types::view::{KeysView, Object, SetView, ValuesView};

/// What a key of a `WeakValueMap` is looked up by. Not `Clone`, so that it can define its own owned form.
#[derive(Debug, Trace)]
pub(crate) struct Number(pub(crate) u8);

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        user_code(UserCode::Comparing);
        self.0 == other.0
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        user_code(UserCode::Hashing);
        self.0.hash(state);
    }
}

/// A key of a `WeakValueMap`: a small number, and a strong edge that equality does not see.
#[derive(Clone, Debug, Trace)]
pub(crate) struct Tag {
    number: NumberOf,
    edge: Option<Link>,
    #[trace(skip)]
    _mark: Mark,
}

/// The number of a key that is owned.
#[derive(Debug, Trace)]
struct NumberOf(Number);

impl Clone for NumberOf {
    fn clone(&self) -> Self {
        user_code(UserCode::Cloning);
        Self(Number(self.0.0))
    }
}

impl Tag {
    pub(crate) fn new(number: u8, edge: Option<Link>) -> Self {
        Self { number: NumberOf(Number(number)), edge, _mark: Mark::new() }
    }

    pub(crate) fn number(&self) -> u8 {
        self.number.0.0
    }
}

impl PartialEq for Tag {
    fn eq(&self, other: &Self) -> bool {
        self.number.0 == other.number.0
    }
}

impl Eq for Tag {}

impl Hash for Tag {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.0.hash(state);
    }
}

impl Borrow<Number> for Tag {
    fn borrow(&self) -> &Number {
        &self.number.0
    }
}

impl ToOwned for Number {
    type Owned = Tag;

    fn to_owned(&self) -> Tag {
        user_code(UserCode::Cloning);
        Tag::new(self.0, None)
    }
}

/// What is added to a value of a `WeakKeyMap` through `&`, behind one of std's locks or the crate's.
#[derive(Debug)]
#[cfg_attr(feature = "std", derive(Trace))]
enum Late {
    Mutex(Mutex<Vec<Link>>),
    RwLock(RwLock<Vec<Link>>),
    Once(OnceLock<Link>),
    #[cfg(feature = "std")]
    Noted(slotgc::GcRwLock<Vec<Link>>),
}

impl Late {
    /// One of them.
    fn new(number: u64) -> Self {
        match number % 4 {
            0 => Late::Mutex(Mutex::default()),
            1 => Late::RwLock(RwLock::default()),
            #[cfg(feature = "std")]
            2 => Late::Noted(slotgc::GcRwLock::default()),
            _ => Late::Once(OnceLock::new()),
        }
    }

    /// Adds a link through `&`; `false` if there is no place for it.
    fn push(&self, link: Link) -> bool {
        match self {
            Late::Mutex(links) => links.lock().unwrap_or_else(PoisonError::into_inner).push(link),
            Late::RwLock(links) => links.write().unwrap_or_else(PoisonError::into_inner).push(link),
            Late::Once(once) => return once.set(link).is_ok(),
            #[cfg(feature = "std")]
            Late::Noted(links) => links.write().unwrap_or_else(PoisonError::into_inner).push(link),
        }
        true
    }

    /// What is there.
    fn links(&self) -> Vec<Link> {
        match self {
            Late::Mutex(links) => links.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Late::RwLock(links) => links.read().unwrap_or_else(PoisonError::into_inner).clone(),
            Late::Once(once) => once.get().copied().into_iter().collect(),
            #[cfg(feature = "std")]
            Late::Noted(links) => links.read().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Takes out what is there.
    fn take(&mut self) -> Vec<Link> {
        match self {
            Late::Mutex(links) => std::mem::take(links.get_mut().unwrap_or_else(PoisonError::into_inner)),
            Late::RwLock(links) => std::mem::take(links.get_mut().unwrap_or_else(PoisonError::into_inner)),
            Late::Once(once) => once.take().into_iter().collect(),
            #[cfg(feature = "std")]
            Late::Noted(links) => std::mem::take(links.get_mut().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

impl Clone for Late {
    fn clone(&self) -> Self {
        match self {
            Late::Mutex(_) => Late::Mutex(Mutex::new(self.links())),
            Late::RwLock(_) => Late::RwLock(RwLock::new(self.links())),
            Late::Once(once) => Late::Once(once.clone()),
            #[cfg(feature = "std")]
            Late::Noted(links) => Late::Noted(links.clone()),
        }
    }
}

/// Without its feature `std` the crate traces no locks.
#[cfg(not(feature = "std"))]
impl Trace for Late {
    fn trace(&self, tracer: &mut slotgc::Tracer<'_>) {
        if tracer.interior_mutability() {
            self.links().trace(tracer);
        }
    }
}

/// A value of a `WeakKeyMap`.
#[derive(Debug, Trace)]
pub(crate) struct Held<T> {
    links: Vec<Link>,
    late: Option<Late>,
    pub(super) inner: WeakKeyMap<T, Link>,
    #[trace(skip)]
    _mark: Mark,
}

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self { links: Vec::new(), late: None, inner: WeakKeyMap::new(), _mark: Mark::new() }
    }
}

impl<T> Clone for Held<T> {
    fn clone(&self) -> Self {
        user_code(UserCode::Cloning);
        Self {
            links: self.links.clone(),
            late: self.late.clone(),
            inner: self.inner.clone(),
            _mark: self._mark.clone(),
        }
    }
}

impl<T> Held<T> {
    fn add(&mut self, links: &[Link]) {
        // In the order in which they came.
        self.links.extend(self.late.iter_mut().flat_map(Late::take));
        match links.get(2) {
            Some(inner) => drop(self.inner.insert(inner.weak(), links[1])),
            None => self.links.push(links[1]),
        }
    }

    fn bits(&self) -> Answer {
        let mut inner: Vec<_> = self.inner.iter().map(|(key, link)| [key.to_bits(), link.bits]).collect();
        inner.sort_unstable();
        let late: Vec<Link> = self.late.iter().flat_map(Late::links).collect();
        let links = self.links.iter().chain(&late).map(|link| link.bits);
        links.chain(inner.into_iter().flatten()).collect()
    }
}

impl<T: Object> ValuesView for WeakValueMap<Tag, T> {
    #[inline(never)]
    fn edit(&mut self, edit: ValuesEdit, links: &[Link]) -> Answer {
        let weak = |at: usize| links[at].weak::<T>();
        let bits = |weak: Option<Weak<T>>| weak.map(|weak| weak.to_bits()).into_iter().collect();
        match edit {
            ValuesEdit::PutValue { key, .. } => {
                bits(self.insert(Tag::new(key, links.get(1).copied()), weak(0)))
            }
            ValuesEdit::EntryValue { key, .. } => {
                vec![self.entry(Tag::new(key, None)).or_insert_with(|| weak(0)).to_bits()]
            }
            ValuesEdit::SwapValue { key, .. } => {
                bits(self.get_mut(&Number(key)).map(|place| std::mem::replace(place, weak(0))))
            }
            ValuesEdit::TakeValue(key) => bits(self.remove(&Number(key))),
            ValuesEdit::RetainValues(by) => {
                self.retain(|_, weak| is_kept(weak.to_bits(), by));
                Answer::new()
            }
            ValuesEdit::ClearValues => {
                self.clear();
                Answer::new()
            }
            ValuesEdit::DrainValues => {
                let mut drained: Vec<_> =
                    self.drain().map(|(tag, weak)| (tag.number(), weak.to_bits())).collect();
                drained.sort_unstable();
                drained.into_iter().map(|(_, bits)| bits).collect()
            }
            ValuesEdit::ShrinkValues => {
                self.shrink_to_fit();
                assert!(self.capacity() >= self.len(), "there is room for what is there");
                Answer::new()
            }
        }
    }

    fn capacity(&self) -> usize {
        self.capacity()
    }

    #[inline(never)]
    fn holds(&self, tables: &Tables) -> bool {
        let expected = tables.values.iter();
        let expected = expected.map(|(number, mapped)| (*number, mapped.edge, mapped.to.bits));
        let mut found: Vec<_> =
            self.iter().map(|(tag, weak)| (tag.number(), tag.edge, weak.to_bits())).collect();
        found.sort_unstable();
        let each = tables.values.iter().all(|(number, mapped)| {
            let number = Number(*number);
            self.contains_key(&number) && self.get(&number) == Some(mapped.to.weak())
        });
        let counted = (self.len(), self.keys().count(), self.values().count());
        let len = found.len();
        each && found.into_iter().eq(expected) && counted == (len, len, len) && self.is_empty() == (len == 0)
    }
}

impl<T: Object> KeysView for WeakKeyMap<T, Held<T>> {
    #[inline(never)]
    fn edit(&mut self, edit: KeysEdit, links: &[Link]) -> Answer {
        let key = links.first().map_or_else(Weak::dangling, |link| link.weak::<T>());
        let bits = |held: Option<Held<T>>| held.map_or_else(Answer::new, |held| held.bits());
        match edit {
            KeysEdit::PutKey { .. } => {
                let mut held = Held::default();
                held.add(links);
                bits(self.insert(key, held))
            }
            KeysEdit::AddToKey { .. } => self.get_mut(key).map_or_else(Answer::new, |held| {
                held.add(links);
                held.bits()
            }),
            KeysEdit::EntryKey { .. } => {
                let held = self.entry(key).or_default();
                held.add(links);
                held.bits()
            }
            KeysEdit::TakeKey(_) => bits(self.remove(key)),
            KeysEdit::RetainKeys(by) => {
                self.retain(|key, _| is_kept(key.to_bits(), by));
                Answer::new()
            }
            KeysEdit::ClearKeys => {
                self.clear();
                Answer::new()
            }
            KeysEdit::DrainKeys => {
                let mut drained: Vec<_> = self.drain().collect();
                drained.sort_by_key(|(key, _)| key.to_bits());
                drained
                    .into_iter()
                    .flat_map(|(key, held)| [vec![key.to_bits()], held.bits()].concat())
                    .collect()
            }
        }
    }

    fn capacity(&self) -> usize {
        self.capacity()
    }

    #[inline(never)]
    fn holds(&self, tables: &Tables) -> bool {
        let mut found: Vec<_> = self.iter().map(|(key, held)| (key.to_bits(), held.bits())).collect();
        found.sort_unstable();
        let expected = tables.keys.iter().map(|(key, kept)| (key.bits, kept.bits()));
        let each = tables.keys.iter().all(|(key, kept)| {
            let key = key.weak::<T>();
            self.contains_key(key) && self.get(key).is_some_and(|held| held.bits() == kept.bits())
        });
        let counted = (self.len(), self.keys().count(), self.values().count());
        let len = found.len();
        each && found.into_iter().eq(expected) && counted == (len, len, len) && self.is_empty() == (len == 0)
    }

    fn lock(&mut self, key: Link) {
        if let Some(held) = self.get_mut(key.weak::<T>()) {
            held.late.get_or_insert_with(|| Late::new(key.bits >> 1));
        }
    }

    fn add_through(&self, link: Link) -> Option<u64> {
        let locked = self.iter().filter_map(|(key, held)| Some((key.to_bits(), held.late.as_ref()?)));
        let (key, late) = locked.min_by_key(|(key, _)| *key)?;
        late.push(link).then_some(key)
    }
}

impl<T: Object> SetView for WeakSet<T> {
    #[inline(never)]
    fn edit(&mut self, edit: SetEdit, link: Link) -> Answer {
        match edit {
            SetEdit::PutElement(_) => vec![self.insert(link.weak::<T>()).into()],
            SetEdit::TakeElement(_) => vec![self.remove(link.weak::<T>()).into()],
            SetEdit::RetainElements(by) => {
                self.retain(|weak| is_kept(weak.to_bits(), by));
                Answer::new()
            }
            SetEdit::ClearElements => {
                self.clear();
                Answer::new()
            }
            SetEdit::DrainElements => {
                let mut drained: Answer = self.drain().map(Weak::to_bits).collect();
                drained.sort_unstable();
                drained
            }
        }
    }

    fn capacity(&self) -> usize {
        self.capacity()
    }

    #[inline(never)]
    fn holds(&self, tables: &Tables) -> bool {
        let mut found: Vec<_> = self.iter().map(Weak::to_bits).collect();
        found.sort_unstable();
        let each = tables.set.iter().all(|link| self.contains(link.weak::<T>()));
        let len = (self.len(), self.is_empty()) == (found.len(), found.is_empty());
        each && len && found.into_iter().eq(tables.set.iter().map(|link| link.bits))
    }
}
