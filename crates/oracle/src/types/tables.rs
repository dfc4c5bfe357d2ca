//! Objects that are weak collections or have some, and names.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, PoisonError, RwLock};

use slotgc::{Interner, Trace, Weak, WeakKeyMap, WeakSet, WeakValueMap};

use crate::contents::Contents;
use crate::kind::UserCode;
use crate::link::{Link, ObjectId};
use crate::log::{Token, user_code};
use crate::tables::{Named, Tables};
use crate::types::containers::{Held, Number, Tag};
use crate::types::shapes::{Node, Plain};
use crate::types::view::{KeysView, Object, SetView, ValuesView, View};

pub(crate) type ValueMap = WeakValueMap<Tag, Node>;
pub(crate) type KeyMap = WeakKeyMap<Node, Held<Node>>;
pub(crate) type Set = WeakSet<Node>;
pub(crate) type Names = Interner<Name>;

/// Whether an interner has those names.
pub(crate) fn has_names(interner: &Names, tables: &Tables) -> bool {
    let sorted = |bits: &mut dyn Iterator<Item = u64>| {
        let mut bits: Vec<_> = bits.collect();
        bits.sort_unstable();
        bits
    };
    let found = sorted(&mut interner.iter().map(Weak::to_bits));
    let len = (interner.len(), interner.is_empty()) == (found.len(), found.is_empty());
    len && found == sorted(&mut tables.names.iter().map(|link| link.bits))
}

/// Whether a map has this key, or the key's value has this inner one.
fn has_key<T: Object>(keys: &WeakKeyMap<T, Held<T>>, entry: Named) -> bool {
    match entry {
        Named::Key(key) => keys.contains_key(key.weak::<T>()),
        Named::Inner(key, inner) => {
            keys.get(key.weak::<T>()).is_some_and(|held| held.inner.contains_key(inner.weak::<T>()))
        }
        _ => false,
    }
}

/// Whether contents are nothing but tables.
fn is_bare(contents: &Contents) -> bool {
    contents.edges.is_empty() && !contents.is_weak_collection() && contents.value == 0
}

impl View for ValueMap {
    fn holds(&self, _: ObjectId, contents: &Contents) -> bool {
        ValuesView::holds(self, &contents.tables) && is_bare(contents)
    }

    fn store(&mut self, _: &Contents) {}

    fn values(&mut self) -> Option<&mut dyn ValuesView> {
        Some(self)
    }

    fn has(&self, entry: Named) -> Option<bool> {
        Some(matches!(entry, Named::Value(number) if self.contains_key(&Number(number))))
    }
}

impl View for KeyMap {
    fn holds(&self, _: ObjectId, contents: &Contents) -> bool {
        KeysView::holds(self, &contents.tables) && is_bare(contents)
    }

    fn store(&mut self, _: &Contents) {}

    fn keys(&mut self) -> Option<&mut dyn KeysView> {
        Some(self)
    }

    fn keys_shared(&self) -> Option<&dyn KeysView> {
        Some(self)
    }

    fn has(&self, entry: Named) -> Option<bool> {
        Some(has_key(self, entry))
    }
}

impl View for Set {
    fn holds(&self, _: ObjectId, contents: &Contents) -> bool {
        SetView::holds(self, &contents.tables) && is_bare(contents)
    }

    fn store(&mut self, _: &Contents) {}

    fn set(&mut self) -> Option<&mut dyn SetView> {
        Some(self)
    }

    fn has(&self, entry: Named) -> Option<bool> {
        Some(matches!(entry, Named::Element(link) if self.contains(link.weak())))
    }
}

impl View for Names {
    fn holds(&self, _: ObjectId, contents: &Contents) -> bool {
        has_names(self, &contents.tables) && is_bare(contents)
    }

    fn store(&mut self, _: &Contents) {}

    fn has(&self, entry: Named) -> Option<bool> {
        Some(matches!(entry, Named::Name(link) if self.iter().any(|weak| weak.to_bits() == link.bits)))
    }
}

impl Object for ValueMap {
    fn make(_: ObjectId, _: &Contents) -> Self {
        Self::new()
    }
}

impl Object for KeyMap {
    fn make(_: ObjectId, _: &Contents) -> Self {
        Self::new()
    }
}

impl Object for Set {
    fn make(_: ObjectId, _: &Contents) -> Self {
        Self::new()
    }
}

impl Object for Names {
    fn make(_: ObjectId, _: &Contents) -> Self {
        Self::new()
    }
}

/// Weak collections in fields, beside edges.
#[derive(Debug, Trace)]
pub(crate) struct Shelf {
    value: u64,
    edges: Vec<Link>,
    values: WeakValueMap<Tag, Plain>,
    keys: WeakKeyMap<Plain, Held<Plain>>,
    set: WeakSet<Plain>,
    #[trace(skip)]
    token: Token,
}

impl View for Shelf {
    fn holds(&self, id: ObjectId, contents: &Contents) -> bool {
        let Contents { value, edges, tables, .. } = contents;
        self.token.id == id
            && (self.value, &self.edges) == (*value, edges)
            && !contents.is_weak_collection()
            && ValuesView::holds(&self.values, tables)
            && KeysView::holds(&self.keys, tables)
            && SetView::holds(&self.set, tables)
    }

    fn store(&mut self, contents: &Contents) {
        self.value = contents.value;
        self.edges.clone_from(&contents.edges);
    }

    fn token(&mut self) -> Option<&mut Token> {
        Some(&mut self.token)
    }

    fn values(&mut self) -> Option<&mut dyn ValuesView> {
        Some(&mut self.values)
    }

    fn keys(&mut self) -> Option<&mut dyn KeysView> {
        Some(&mut self.keys)
    }

    fn keys_shared(&self) -> Option<&dyn KeysView> {
        Some(&self.keys)
    }

    fn set(&mut self) -> Option<&mut dyn SetView> {
        Some(&mut self.set)
    }

    fn has(&self, entry: Named) -> Option<bool> {
        let has = match entry {
            Named::Value(number) => self.values.contains_key(&Number(number)),
            Named::Key(_) | Named::Inner(..) => has_key(&self.keys, entry),
            Named::Element(link) => self.set.contains(link.weak::<Plain>()),
            Named::Name(_) => false,
        };
        Some(has)
    }
}

impl Object for Shelf {
    fn make(id: ObjectId, contents: &Contents) -> Self {
        Self {
            value: contents.value,
            edges: contents.edges.clone(),
            values: WeakValueMap::default(),
            keys: WeakKeyMap::default(),
            set: WeakSet::default(),
            token: Token::new(id),
        }
    }
}

/// A shelf behind one of std's locks: all of it may change through `&`.
#[cfg_attr(feature = "std", derive(Trace))]
pub(crate) enum Locked {
    Mutex(Mutex<Shelf>),
    RwLock(RwLock<Shelf>),
    #[cfg(feature = "std")]
    Noted(slotgc::GcRwLock<Shelf>),
}

/// Without its feature `std` the crate traces no locks, so a type with one implements what the crate does for
/// std's.
#[cfg(not(feature = "std"))]
impl Trace for Locked {
    fn trace(&self, tracer: &mut slotgc::Tracer<'_>) {
        if tracer.interior_mutability() {
            self.with(|shelf| shelf.trace(tracer));
        }
    }

    fn prune(&mut self, live: &slotgc::Liveness<'_>) {
        self.unlocked().prune(live);
    }
}

impl Locked {
    /// Locks it. No test holds the lock across a call of the heap.
    fn with<R>(&self, f: impl FnOnce(&mut Shelf) -> R) -> R {
        match self {
            Locked::Mutex(shelf) => f(&mut shelf.lock().unwrap_or_else(PoisonError::into_inner)),
            Locked::RwLock(shelf) => f(&mut shelf.write().unwrap_or_else(PoisonError::into_inner)),
            #[cfg(feature = "std")]
            Locked::Noted(shelf) => f(&mut shelf.write().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// Looks without changing anything: a lock that tells when it is written must not tell then.
    fn look<R>(&self, f: impl FnOnce(&Shelf) -> R) -> R {
        match self {
            Locked::Mutex(shelf) => f(&shelf.lock().unwrap_or_else(PoisonError::into_inner)),
            Locked::RwLock(shelf) => f(&shelf.read().unwrap_or_else(PoisonError::into_inner)),
            #[cfg(feature = "std")]
            Locked::Noted(shelf) => f(&shelf.read().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// What is behind the lock, without locking.
    fn unlocked(&mut self) -> &mut Shelf {
        match self {
            Locked::Mutex(shelf) => shelf.get_mut().unwrap_or_else(PoisonError::into_inner),
            Locked::RwLock(shelf) => shelf.get_mut().unwrap_or_else(PoisonError::into_inner),
            #[cfg(feature = "std")]
            Locked::Noted(shelf) => shelf.get_mut().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

impl View for Locked {
    fn holds(&self, id: ObjectId, contents: &Contents) -> bool {
        self.look(|shelf| shelf.holds(id, contents))
    }

    fn store(&mut self, contents: &Contents) {
        self.unlocked().store(contents);
    }

    fn token(&mut self) -> Option<&mut Token> {
        self.unlocked().token()
    }

    fn values(&mut self) -> Option<&mut dyn ValuesView> {
        self.unlocked().values()
    }

    fn keys(&mut self) -> Option<&mut dyn KeysView> {
        self.unlocked().keys()
    }

    fn set(&mut self) -> Option<&mut dyn SetView> {
        self.unlocked().set()
    }

    fn through(&self, f: &mut dyn FnMut(&mut dyn View)) -> bool {
        self.with(|shelf| f(shelf));
        true
    }

    fn has(&self, entry: Named) -> Option<bool> {
        self.look(|shelf| shelf.has(entry))
    }
}

impl Object for Locked {
    fn make(id: ObjectId, contents: &Contents) -> Self {
        let shelf = Shelf::make(id, contents);
        // Mixed, so that programs in which every third object is one have all kinds.
        match (id.0.wrapping_mul(0x9e37_79b9) >> 16) % 3 {
            0 => Locked::Mutex(Mutex::new(shelf)),
            #[cfg(feature = "std")]
            1 => Locked::Noted(slotgc::GcRwLock::new(shelf)),
            _ => Locked::RwLock(RwLock::new(shelf)),
        }
    }
}

/// What is interned.
#[derive(Debug, Trace)]
pub(crate) struct Name {
    name: u8,
    #[trace(skip)]
    token: Token,
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        user_code(UserCode::Comparing);
        self.name == other.name
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        user_code(UserCode::Hashing);
        self.name.hash(state);
    }
}

impl Borrow<u8> for Name {
    fn borrow(&self) -> &u8 {
        &self.name
    }
}

impl View for Name {
    fn holds(&self, id: ObjectId, contents: &Contents) -> bool {
        self.token.id == id && self.name == contents.name
    }

    fn store(&mut self, _: &Contents) {}

    fn token(&mut self) -> Option<&mut Token> {
        Some(&mut self.token)
    }
}

impl Object for Name {
    fn make(id: ObjectId, contents: &Contents) -> Self {
        Self { name: contents.name, token: Token::new(id) }
    }
}
