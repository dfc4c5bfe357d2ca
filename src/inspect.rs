//! Why an object is alive: the heap's graph as data, and queries on it.
//!
//! [`Heap::why_alive`](crate::Heap::why_alive) answers that question for one object: with a [`Path`] from a
//! root to the object, with field names. [`Heap::snapshot`](crate::Heap::snapshot) answers it for all
//! objects: a [`Snapshot`] knows which object refers to which, what would be freed with an object, and what
//! grew since an earlier snapshot. It can be written to a file that Chrome DevTools opens.
//! [`finding_a_leak`](crate::docs::finding_a_leak) explains how to use both.
//!
//! Everything here only reads: no header, bit or table of the heap is written, so it works in the middle of a
//! cycle, inside callbacks, and from several threads beside readers. Nothing here recurses.

mod census;
mod dominators;
mod dot;
mod graph;
mod growth;
#[cfg(feature = "std")]
mod heapsnapshot;
mod names;
mod once;
mod ops;
mod path;
mod record;
mod roots;
mod search;
mod slots;
mod snapshot;
#[cfg(all(test, not(slotgc_plain)))]
mod tests;
mod types;
mod walk;

pub use census::{Census, CensusRow};
pub use growth::{Growth, GrowthRow};
pub use path::{Path, Step};
pub use roots::{RootInfo, named_roots};
pub use snapshot::{Edge, Node, RootEdge, Snapshot};

// For the heap, whose methods are in `heap/inspect.rs`.
pub(crate) use names::Names;
pub(crate) use ops::InspectOps;
pub(crate) use path::{ObjectName, PathBuilder};
pub(crate) use record::Recorder;
pub(crate) use slots::Slots;
pub(crate) use snapshot::HolderView as Holder;
pub(crate) use types::TypeRow;
pub(crate) use walk::{Found, Walk};
