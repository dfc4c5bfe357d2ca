//! What changed between two snapshots of one heap.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::any::TypeId;
use core::cmp::Reverse;
use core::fmt;

use crate::handle::AnyGc;
use crate::inspect::graph::NodeIndex;
use crate::inspect::snapshot::Snapshot;

/// What is new, gone and still there since an earlier snapshot, by type. Made by [`Snapshot::since`].
///
/// Ordered by growth in bytes, most first. An object is the same in both snapshots if its handle is: slots
/// are reused, handles never are. `Display` is a table.
///
/// # Examples
/// ```
/// use slotgc::{Heap, Root};
///
/// let mut heap = Heap::new();
/// let mut kept: Vec<Root<u64>> = vec![heap.alloc_root(0)];
/// let before = heap.snapshot();
/// heap.alloc_root(1); // dropped at once
/// kept.push(heap.alloc_root(2)); // kept for ever: a leak
/// heap.collect();
///
/// let growth = heap.snapshot().since(&before);
/// let row = &growth.rows()[0];
/// assert_eq!((row.type_name.as_str(), row.new, row.gone, row.survived), ("u64", 1, 0, 1));
/// let suspect = growth.new_objects().next().unwrap();
/// assert!(heap.why_alive(heap.downcast::<u64>(suspect).unwrap()).is_some());
/// ```
#[derive(Clone, Debug)]
pub struct Growth {
    rows: Vec<GrowthRow>,
    /// By row, in slot order.
    new: Vec<Vec<AnyGc>>,
}

/// A type in a [`Growth`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrowthRow {
    /// The short name of the type.
    pub type_name: String,
    /// Objects that only the later snapshot has.
    pub new: usize,
    /// Objects that only the earlier snapshot has.
    pub gone: usize,
    /// Objects that both have.
    pub survived: usize,
    /// How many more bytes, slots and owned, the objects of this type take than before; the nearest `i64`.
    pub bytes: i64,
}

impl Snapshot {
    /// What has changed since an earlier snapshot of the same heap. If the same action was repeated between
    /// the two, what is new and should not be is the leak.
    pub fn since(&self, earlier: &Snapshot) -> Growth {
        Growth::between(earlier, self)
    }
}

impl Growth {
    fn between(earlier: &Snapshot, later: &Snapshot) -> Self {
        let mut rows: BTreeMap<TypeId, (GrowthRow, i128, Vec<AnyGc>)> = BTreeMap::new();
        for (snapshot, other, sign) in [(later, earlier, 1_i64), (earlier, later, -1)] {
            for (index, of) in snapshot.types.iter().enumerate() {
                let (row, bytes, new) = rows.entry(of.id).or_default();
                if row.type_name.is_empty() {
                    row.type_name = of.name.into();
                }
                for node in snapshot.slots.nodes_of(index).map(NodeIndex) {
                    let raw = snapshot.slots.handle(node);
                    // Exact in between, since a later summand may have the other sign.
                    *bytes += i128::from(sign) * i128::from(snapshot.bytes_of(node));
                    match (other.slots.find(raw).is_some(), sign) {
                        (true, 1) => row.survived += 1,
                        (true, _) => {}
                        (false, 1) => {
                            row.new += 1;
                            new.push(AnyGc::from_raw(raw));
                        }
                        (false, _) => row.gone += 1,
                    }
                }
            }
        }
        let rows = rows.into_values().filter(|(row, _, _)| row.is_something());
        let mut rows: Vec<(GrowthRow, Vec<AnyGc>)> =
            rows.map(|(row, bytes, new)| (GrowthRow { bytes: saturated(bytes), ..row }, new)).collect();
        rows.sort_by(|(a, _), (b, _)| a.order().cmp(&b.order()));
        let (rows, new) = rows.into_iter().unzip();
        Self { rows, new }
    }

    /// The types, those that grew the most first.
    pub fn rows(&self) -> &[GrowthRow] {
        &self.rows
    }

    /// The row of a type, by its short name.
    pub fn get(&self, type_name: &str) -> Option<&GrowthRow> {
        self.rows.iter().find(|row| row.type_name == type_name)
    }

    /// The objects that only the later snapshot has, in the order of rows; each type's in slot order.
    pub fn new_objects(&self) -> impl Iterator<Item = AnyGc> {
        self.new.iter().flatten().copied()
    }

    /// The new objects of one type, by its short name.
    pub fn new_of(&self, type_name: &str) -> impl Iterator<Item = AnyGc> {
        let place = self.rows.iter().position(|row| row.type_name == type_name);
        place.map_or(&[][..], |place| &self.new[place]).iter().copied()
    }
}

impl GrowthRow {
    fn is_something(&self) -> bool {
        self.new + self.gone + self.survived != 0
    }

    fn order(&self) -> (Reverse<i64>, Reverse<usize>, &str) {
        (Reverse(self.bytes), Reverse(self.new), &self.type_name)
    }
}

/// The nearest `i64`.
fn saturated(bytes: i128) -> i64 {
    let nearest = if bytes < 0 { i64::MIN } else { i64::MAX };
    i64::try_from(bytes).unwrap_or(nearest)
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.type_name.chars().count()).max().unwrap_or(0).max(4);
        write!(f, "{:width$} {:>10} {:>10} {:>10} {:>14}", "type", "new", "gone", "survived", "bytes")?;
        self.rows.iter().try_for_each(|row| {
            let GrowthRow { type_name, new, gone, survived, bytes } = row;
            write!(f, "\n{type_name:width$} {new:>10} {gone:>10} {survived:>10} {bytes:>+14}")
        })
    }
}
