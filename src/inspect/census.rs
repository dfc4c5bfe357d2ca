//! The objects of a snapshot by type.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::fmt;

use crate::inspect::dominators::Visit;
use crate::inspect::graph::NodeIndex;
use crate::inspect::snapshot::{Snapshot, saturated};
use crate::inspect::types::TypeRow;

/// How many objects of each type there are, and what they take. Made by [`Snapshot::census`].
///
/// Ordered by retained bytes, most first; methods sort it in other orders. `Display` is a table.
///
/// # Examples
/// ```
/// use slotgc::Heap;
///
/// let mut heap = Heap::new();
/// let names = heap.alloc_root(vec![heap_name("bear"), heap_name("wolf")]);
/// heap.alloc(1_u64);
/// heap.alloc(2_u64);
/// let census = heap.snapshot().census().by_count();
/// assert_eq!(census.rows()[0].type_name, "u64");
/// assert_eq!((census.rows()[0].count, census.rows()[0].bytes), (2, 32));
/// println!("{census}");
/// # fn heap_name(name: &str) -> String { name.to_string() }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Census {
    rows: Vec<CensusRow>,
}

/// A type in a [`Census`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CensusRow {
    /// The short name of the type, with enough of its path to tell it from others.
    pub type_name: String,
    /// How many objects there are.
    pub count: usize,
    /// Bytes of their slots.
    pub bytes: usize,
    /// Bytes that they own outside their slots.
    pub owned_bytes: usize,
    /// Bytes that would be freed with them: the sum over those that no other object of the same type
    /// dominates. What several of them keep alive together is not included.
    pub retained_bytes: usize,
}

impl Snapshot {
    /// The objects by type. Its `Display` is a table.
    pub fn census(&self) -> Census {
        Census::of(self)
    }
}

impl Census {
    fn of(snapshot: &Snapshot) -> Self {
        let row = |(index, of): (usize, &TypeRow)| {
            let nodes = snapshot.slots.nodes_of(index);
            let count = nodes.len();
            let owned = nodes.map(|node| snapshot.notes.owned_bytes(NodeIndex(node)));
            CensusRow {
                type_name: of.name.into(),
                count,
                bytes: count * of.slot_bytes as usize,
                owned_bytes: saturated(owned.fold(0, u64::saturating_add)),
                retained_bytes: 0,
            }
        };
        let mut rows: Vec<CensusRow> = snapshot.types.iter().enumerate().map(row).collect();
        add_retained(snapshot, &mut rows);
        rows.retain(|row| row.count != 0);
        Self { rows }.by_retained_bytes()
    }

    /// The types, in the order last chosen.
    pub fn rows(&self) -> &[CensusRow] {
        &self.rows
    }

    /// The row of a type, by its name in this census.
    pub fn get(&self, type_name: &str) -> Option<&CensusRow> {
        self.rows.iter().find(|row| row.type_name == type_name)
    }

    /// Sorts by the number of objects, most first.
    pub fn by_count(self) -> Self {
        self.sorted_by(|row| row.count)
    }

    /// Sorts by bytes of slots, most first.
    pub fn by_bytes(self) -> Self {
        self.sorted_by(|row| row.bytes)
    }

    /// Sorts by bytes owned outside slots, most first.
    pub fn by_owned_bytes(self) -> Self {
        self.sorted_by(|row| row.owned_bytes)
    }

    /// Sorts by retained bytes, most first.
    pub fn by_retained_bytes(self) -> Self {
        self.sorted_by(|row| row.retained_bytes)
    }

    /// Sorts by name.
    pub fn by_name(mut self) -> Self {
        self.rows.sort_by(|a, b| a.type_name.cmp(&b.type_name));
        self
    }

    fn sorted_by(mut self, key: impl Fn(&CensusRow) -> usize) -> Self {
        self.rows.sort_by(|a, b| (Reverse(key(a)), &a.type_name).cmp(&(Reverse(key(b)), &b.type_name)));
        self
    }
}

/// Adds up what the topmost objects of each type in the dominator tree retain, and the garbage of each.
fn add_retained(snapshot: &Snapshot, rows: &mut [CensusRow]) {
    let dominators = snapshot.dominators();
    let add = |row: &mut CensusRow, bytes| {
        row.retained_bytes = row.retained_bytes.saturating_add(saturated(bytes));
    };
    // Objects of each type above the one that is visited.
    let mut above = vec![0_u32; rows.len()];
    dominators.walk(|visit| match visit {
        Visit::Enter(NodeIndex::ROOT) | Visit::Leave(NodeIndex::ROOT) => {}
        Visit::Enter(node) => {
            let of = snapshot.slots.type_of(node);
            if above[of] == 0 {
                add(&mut rows[of], dominators.retained_bytes(node));
            }
            above[of] += 1;
        }
        Visit::Leave(node) => above[snapshot.slots.type_of(node)] -= 1,
    });
    for node in (1..snapshot.slots.nodes_len()).map(NodeIndex::from_place) {
        if dominators.immediate(node).is_none() {
            add(&mut rows[snapshot.slots.type_of(node)], snapshot.bytes_of(node));
        }
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total =
            |column: fn(&CensusRow) -> usize| self.rows.iter().map(column).fold(0, usize::saturating_add);
        let width = self.rows.iter().map(|row| row.type_name.chars().count()).max().unwrap_or(0).max(5);
        writeln!(f, "{:width$} {:>10} {:>14} {:>14} {:>14}", "type", "count", "bytes", "owned", "retained")?;
        for row in &self.rows {
            let CensusRow { type_name, count, bytes, owned_bytes, retained_bytes } = row;
            writeln!(f, "{type_name:width$} {count:>10} {bytes:>14} {owned_bytes:>14} {retained_bytes:>14}")?;
        }
        let (count, bytes) = (total(|row| row.count), total(|row| row.bytes));
        write!(f, "{:width$} {count:>10} {bytes:>14} {:>14}", "total", total(|row| row.owned_bytes))
    }
}
