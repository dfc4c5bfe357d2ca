//! Links as handles of the heap under test, and as edges of its objects.
//!
//! An object of any type may have an edge to one of any other, so this module is above all the types, and
//! they know it by `Trace` and methods only.

use slotgc::{AnyGc, Gc, Links, Liveness, Trace, Tracer, Weak};

use crate::contents::Contents;
use crate::kind::Kind;
use crate::link::Link;
use crate::types::of_kind;

impl Link {
    /// The handle of this kind with these bits; null if they are not a handle.
    pub(crate) fn typed(kind: Kind, bits: u64) -> Self {
        Self { bits: of_kind!(kind, T => Gc::<T>::from_bits(bits).to_bits()), kind: Some(kind) }
    }

    /// The untyped handle with these bits.
    pub(crate) fn erased(bits: u64) -> Self {
        Self { bits: AnyGc::from_bits(bits).to_bits(), kind: None }
    }

    pub(crate) fn any(self) -> AnyGc {
        AnyGc::from_bits(self.bits)
    }

    pub(crate) fn gc<T>(self) -> Gc<T> {
        Gc::from_bits(self.bits)
    }

    pub(crate) fn weak<T>(self) -> Weak<T> {
        self.gc().downgrade()
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

    fn relink(&mut self, links: &mut Links<'_>) {
        match self.kind {
            Some(kind) => of_kind!(kind, T => {
                let mut gc = self.gc::<T>();
                links.gc(&mut gc);
                self.bits = gc.to_bits();
            }),
            None => {
                let mut any = self.any();
                links.any(&mut any);
                self.bits = any.to_bits();
            }
        }
    }
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

impl Contents {
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
