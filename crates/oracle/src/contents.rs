//! What an object holds, as plain data: the model of its fields.

use crate::kind::Kind;
use crate::link::{Entry, Link};
use crate::tables::Tables;

/// The edges of an object that has room for a few.
pub(crate) const FEW_EDGES: usize = 4;

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

    /// Removes what names the dead; returns how many entries those were.
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
}

impl Kind {
    /// Cuts contents down to what an object of this kind holds.
    pub(crate) fn fit(self, contents: &mut Contents) {
        let (edges, weak) = match self {
            Kind::Node | Kind::Block | Kind::Large | Kind::Wide => (1 << 12, 32),
            Kind::Plain | Kind::Chunk => (FEW_EDGES, 0),
            Kind::Shelf | Kind::Locked => (1 << 12, 0),
            _ => (0, 0),
        };
        contents.edges.truncate(edges);
        contents.weaks.truncate(weak);
        contents.entries.truncate(weak);
        if self == Kind::Zero || self == Kind::Name || self.is_bare() {
            contents.value = 0;
        }
        if self != Kind::Name {
            contents.name = 0;
        }
    }
}
