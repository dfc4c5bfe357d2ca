//! Links: handles of any type as plain data, and what an object holds.
//!
//! A [`Link`] is what a field stores and what the model compares: bits and the type they are read as. It
//! becomes a handle where the heap is called. Nothing here knows whether a link resolves.

use slotgc::{AnyGc, Gc, Liveness, Trace, Tracer};

use crate::kinds::{Kind, of_kind};
use crate::tables::Tables;

/// A handle as data: `Gc<T>` where `T` is what the kind stands for, or `AnyGc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Link {
    pub(crate) bits: u64,
    /// `None`: an `AnyGc`.
    pub(crate) kind: Option<Kind>,
}

impl Link {
    /// The handle of this kind that `bits` make: null where they are none.
    pub(crate) fn typed(kind: Kind, bits: u64) -> Self {
        Self { bits: of_kind!(kind, T => Gc::<T>::from_bits(bits).to_bits()), kind: Some(kind) }
    }

    /// The handle without a type that `bits` make.
    pub(crate) fn erased(bits: u64) -> Self {
        Self { bits: AnyGc::from_bits(bits).to_bits(), kind: None }
    }

    pub(crate) fn any(self) -> AnyGc {
        AnyGc::from_bits(self.bits)
    }

    pub(crate) fn gc<T>(self) -> Gc<T> {
        Gc::from_bits(self.bits)
    }

    #[inline(never)]
    fn lives(self, live: &Liveness<'_>) -> bool {
        of_kind!(self.kind.unwrap_or(Kind::Node), T => live.is_live(self.gc::<T>()))
    }
}

/// A link in a field is a strong edge.
impl Trace for Link {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        match self.kind {
            Some(kind) => of_kind!(kind, T => tracer.edge(self.gc::<T>())),
            None => tracer.edge_any(self.any()),
        }
    }
}

/// An ephemeron: the value is reached only while the key is, and the inner key too, where there is one.
/// Keys have a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Link,
    pub(crate) inner: Option<Link>,
    pub(crate) value: Link,
}

/// What the outer key of an entry guards.
struct Inner(Option<Link>, Link);

impl Trace for Inner {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        match self.0 {
            Some(key) => ephemeron(tracer, key, &self.1),
            None => self.1.trace(tracer),
        }
    }
}

#[inline(never)]
fn ephemeron(tracer: &mut Tracer<'_>, key: Link, value: &impl Trace) {
    of_kind!(key.kind.unwrap_or(Kind::Node), T => tracer.ephemeron(key.gc::<T>().downgrade(), value));
}

impl Entry {
    pub(crate) fn keys(self) -> impl Iterator<Item = Link> {
        [Some(self.key), self.inner].into_iter().flatten()
    }
}

/// What an object holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) value: u64,
    /// Strong edges.
    pub(crate) edges: Vec<Link>,
    /// A weak list: links that do not keep, pruned by collections.
    pub(crate) weaks: Vec<Link>,
    /// An ephemeron table, pruned too.
    pub(crate) entries: Vec<Entry>,
    /// What makes one `Name` equal to another. Never changes.
    pub(crate) name: u8,
    /// What the crate's own weak collections hold, where it is one or has some.
    pub(crate) tables: Tables,
}

impl Contents {
    /// Whether a collection that reaches the object prunes it.
    pub(crate) fn is_weak_collection(&self) -> bool {
        !self.weaks.is_empty() || !self.entries.is_empty()
    }

    /// Removes what names the dead; gives how many entries those were.
    pub(crate) fn prune(&mut self, is_live: impl Fn(Link) -> bool) -> usize {
        let before = self.weaks.len() + self.entries.len();
        self.weaks.retain(|link| is_live(*link));
        self.entries.retain(|entry| entry.keys().all(&is_live));
        before - self.weaks.len() - self.entries.len() + self.tables.prune(is_live)
    }

    /// What it keeps alive whatever else is.
    pub(crate) fn strong(&self) -> impl Iterator<Item = Link> {
        self.edges.iter().copied().chain(self.tables.strong())
    }

    /// What it keeps alive as long as all of the keys are.
    pub(crate) fn ephemerons(&self) -> impl Iterator<Item = (Vec<Link>, Link)> {
        let entries = self.entries.iter().map(|entry| (entry.keys().collect(), entry.value));
        entries.chain(self.tables.ephemerons())
    }

    /// As `prune`, asked by the heap.
    pub(crate) fn prune_with(&mut self, live: &Liveness<'_>) -> usize {
        self.prune(|link| link.lives(live))
    }

    #[inline(never)]
    pub(crate) fn trace(&self, tracer: &mut Tracer<'_>) {
        self.edges.iter().for_each(|edge| edge.trace(tracer));
        for entry in &self.entries {
            ephemeron(tracer, entry.key, &Inner(entry.inner, entry.value));
        }
        if self.is_weak_collection() {
            tracer.weak_collection();
        }
    }
}
