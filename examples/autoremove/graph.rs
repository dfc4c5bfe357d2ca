//! The installed packages as objects in a heap: what they need are strong edges, and whatever has its own
//! reason to be there is a root. All uses of slotgc are in this file.
//!
//! Invariant: `Graph::packages` has a weak handle for each package of the database, at the same position. A
//! handle that resolves to nothing means that the package is not needed.

use std::cmp::Reverse;

use slotgc::{Gc, Heap, Root, Trace, Weak};

use crate::database::{Database, Installed};
use crate::relation::Kind;
use crate::resolve::{Edge, Offers};
use crate::rules::{Reason, Rules};

/// An installed package.
#[derive(Trace)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) needs: Vec<Need>,
}

/// A strong edge: as long as the package that has it is alive, so is the one it names.
#[derive(Trace)]
pub(crate) struct Need {
    #[trace(skip)] // a type of our own that holds no handles
    pub(crate) kind: Kind,
    pub(crate) package: Gc<Package>,
}

pub(crate) struct Graph {
    pub(crate) heap: Heap,
    pub(crate) roots: Vec<(Reason, Root<Package>)>,
    pub(crate) packages: Vec<Weak<Package>>,
}

impl Graph {
    /// An object for each package, with these edges, and a root for each that has a reason to be there.
    pub(crate) fn build(database: &Database, edges: &[Vec<Edge>], reasons: &[Option<Reason>]) -> Self {
        let mut heap = Heap::new();

        // A package can only name objects that exist: first all objects, then the edges between them. That
        // the handles are on the stack meanwhile is fine, since nothing is freed before `collect` is called.
        let handles: Vec<Gc<Package>> = (0..database.packages.len())
            .map(|index| heap.alloc(Package { name: database.shown_name(index), needs: Vec::new() }))
            .collect();
        for (handle, edges) in handles.iter().zip(edges) {
            let needs = edges.iter().map(|edge| Need { kind: edge.kind, package: handles[edge.to] });
            heap[handle].needs = needs.collect();
        }

        // From here on only the roots keep packages; the weak handles show which are left.
        let with_reason =
            handles.iter().zip(reasons).filter_map(|(handle, reason)| Some((handle, (*reason)?)));
        let roots = with_reason.filter_map(|(handle, reason)| Some((reason, heap.root(handle)?))).collect();
        let packages = handles.into_iter().map(Gc::downgrade).collect();
        Self { heap, roots, packages }
    }

    /// The packages that have died, by their position in the database.
    pub(crate) fn dead(&self) -> Vec<usize> {
        (0..self.packages.len()).filter(|index| !self.heap.is_alive(self.packages[*index])).collect()
    }
}

/// Which packages keep the most others in place: the three whose root, dropped alone, frees the most objects,
/// and how many.
pub(crate) fn holders(
    database: &Database,
    rules: &Rules,
    offers: &Offers<'_>,
    edges: &[Vec<Edge>],
) -> Vec<(usize, usize)> {
    let mut reasons = reasons(database, rules, offers);
    let mut holders = Vec::new();
    for index in 0..reasons.len() {
        // Where something else needs the package, its own root changes little.
        let is_needed = edges.iter().flatten().any(|edge| edge.to == index);
        if is_needed || reasons[index] != Some(Reason::Manual) {
            continue;
        }
        let automatic = Installed { automatic: true, ..database.packages[index].clone() };
        let reason = std::mem::replace(&mut reasons[index], rules.reason(offers.kernels(), &automatic));
        let freed = Graph::build(database, edges, &reasons).heap.collect().freed;
        reasons[index] = reason;
        if freed > 0 {
            holders.push((index, freed));
        }
    }
    holders.sort_by_key(|(_, freed)| Reverse(*freed));
    holders.truncate(3);
    holders
}

/// Why each package is in the root set, if it is.
pub(crate) fn reasons(database: &Database, rules: &Rules, offers: &Offers<'_>) -> Vec<Option<Reason>> {
    database.packages.iter().map(|package| rules.reason(offers.kernels(), package)).collect()
}

/// All of it in one go: the graph after the collection, and the packages that nothing needs.
pub(crate) fn removable(database: &Database, rules: &Rules) -> (Graph, Vec<usize>) {
    let offers = Offers::of(database, rules);
    let mut graph = Graph::build(database, &offers.edges(), &reasons(database, rules, &offers));
    graph.heap.collect();
    let dead = graph.dead();
    (graph, dead)
}
