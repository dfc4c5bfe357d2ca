//! [`Relinked`]: which object replaces which, after a graph was copied or loaded.

use alloc::vec::Vec;
#[cfg(feature = "serde")]
use core::any::TypeId;
use core::any::type_name_of_val;
use core::fmt;

use hashbrown::HashSet;

#[cfg(feature = "serde")]
use crate::geometry::PAGE_GRANULES;
use crate::handle::{AnyGc, Gc, RawHandle};
use crate::trace::{Copies, Link, Links, Relinker, Trace};
use crate::weak::Fixed;

/// The new handles of objects that were copied or loaded, by their old ones. For handles that live outside
/// the graph: in a world's components, in the editor's selection.
///
/// # Examples
/// ```
/// use slotgc::{Gc, Heap, Schema, Trace};
///
/// #[derive(Trace, Clone)]
/// struct Node { next: Option<Gc<Node>> }
///
/// let mut heap = Heap::new();
/// let last = heap.alloc(Node { next: None });
/// let first = heap.alloc(Node { next: Some(last) });
/// let mut selection = vec![last];
///
/// let (copy, relinked) = heap.clone_graph(first, &Schema::new().with::<Node>("node")).unwrap();
/// relinked.apply(&mut selection);
/// assert_eq!(heap[copy].next, Some(selection[0]));
/// assert_eq!(relinked.get(first), Some(copy));
/// ```
pub struct Relinked {
    pub(crate) map: Map,
    pub(crate) roots: Vec<AnyGc>,
    pub(crate) became_null: usize,
    pub(crate) merged: usize,
}

/// New handles by old ones.
pub(crate) enum Map {
    /// After a copy: what is not in it stays as it is.
    Copies(Copies),
    /// After a load: what is not in it becomes null.
    #[cfg(feature = "serde")]
    Loaded(Vec<Column>),
}

/// The loaded objects of one type, in the order of their old slots.
#[cfg(feature = "serde")]
pub(crate) struct Column {
    pub(crate) id: TypeId,
    /// Old handles in their dense form: ascending numbers, and generations.
    keys: Vec<u64>,
    pub(crate) new: Vec<RawHandle>,
    /// Granules from one old slot to the next, needed to compute the key of an old handle from its bits.
    stride: u32,
    /// The first row of each 64 numbers, and one more at the end. Empty if many numbers have no object.
    starts: Vec<u32>,
}

#[cfg(feature = "serde")]
impl Column {
    pub(crate) fn new(id: TypeId) -> Self {
        Self { id, keys: Vec::new(), new: Vec::new(), stride: 1, starts: Vec::new() }
    }

    /// Sets how many granules there were from one slot to the next; `false` if that is impossible.
    pub(crate) fn set_stride(&mut self, stride: u32) -> bool {
        self.stride = stride.max(1);
        stride > 0
    }

    /// Whether a row of this key may come next.
    #[inline]
    pub(crate) fn ascends(&self, key: u64) -> bool {
        self.keys.last().is_none_or(|last| (*last as u32) < key as u32)
    }

    #[inline]
    pub(crate) fn push(&mut self, key: u64, new: RawHandle) {
        self.keys.push(key);
        self.new.push(new);
    }

    /// Ends the rows.
    pub(crate) fn close(&mut self) {
        let blocks = self.keys.last().map_or(0, |key| *key as u32 as usize / BLOCK + 1);
        if blocks > self.keys.len() {
            return;
        }
        let mut row = 0;
        self.starts = (0..=blocks)
            .map(|block| {
                while self.keys.get(row).is_some_and(|key| (*key as u32 as usize) < block * BLOCK) {
                    row += 1;
                }
                row as u32
            })
            .collect();
    }

    #[inline]
    fn by_key(&self, key: u64) -> Option<RawHandle> {
        let block = key as u32 as usize / BLOCK;
        let rows = match self.starts.get(block..).unwrap_or_default() {
            [start, end, ..] => *start as usize..*end as usize,
            _ if self.starts.is_empty() => 0..self.keys.len(),
            _ => return None,
        };
        let row = match rows.len() {
            // Every number has an object.
            BLOCK => rows.start + key as u32 as usize % BLOCK,
            _ => rows.start + self.keys[rows].binary_search_by_key(&(key as u32), |key| *key as u32).ok()?,
        };
        (self.keys[row] == key).then(|| self.new[row])
    }

    /// Handles of other types have numbers in other pages, for which there is no row.
    fn by_bits(&self, raw: RawHandle) -> Option<RawHandle> {
        let (granule, stride) = (raw.granule(), self.stride);
        let page_slots = (PAGE_GRANULES / stride).max(1);
        let (slot, rest) = (granule.in_page() / stride, granule.in_page() % stride);
        let number = granule.page().checked_mul(page_slots)?.checked_add(slot)?;
        let is_boundary = rest == 0 && slot < page_slots;
        is_boundary.then(|| self.by_key(u64::from(raw.generation().0) << 32 | u64::from(number)))?
    }
}

/// Numbers that are looked up together.
#[cfg(feature = "serde")]
const BLOCK: usize = 64;

impl Map {
    /// Sets which handles name nothing, in a copy and in later lookups.
    pub(crate) fn set_dead(&mut self, dead: HashSet<RawHandle, Fixed>) {
        match self {
            Self::Copies(copies) => copies.dead = dead,
            #[cfg(feature = "serde")]
            Self::Loaded(_) => {}
        }
    }

    pub(crate) fn find(&self, link: Link) -> Option<RawHandle> {
        match self {
            Self::Copies(copies) => copies.get(link.raw),
            #[cfg(feature = "serde")]
            Self::Loaded(columns) => match link.typed {
                Some(typed) => {
                    let column = columns.iter().find(|column| column.id == typed.id)?;
                    column.by_key((typed.key)(link.raw).as_ffi())
                }
                None => columns.iter().find_map(|column| column.by_bits(link.raw)),
            },
        }
    }
}

impl Relinked {
    /// The new handle of an object, by its old one; `None` if the object is not part of the graph.
    pub fn get<T: Trace>(&self, old: Gc<T>) -> Option<Gc<T>> {
        let new = self.map.find(Link::of_gc(old))?;
        Some(Gc::from_bits(new.to_bits()))
    }

    /// As [`get`](Self::get), for a handle whose type is known only at run time.
    pub fn get_any(&self, old: impl Into<AnyGc>) -> Option<AnyGc> {
        let raw = old.into().raw();
        self.map.find(Link { raw, typed: None }).map(AnyGc::from_raw)
    }

    /// Replaces the old handles in a value by the new ones. Call it once per value: a new handle may look
    /// like the old one of another object. After a load, a handle of an object that was not loaded becomes
    /// null.
    ///
    /// # Panics
    /// If the value holds something without [`relink`](Trace::relink). The text names its type.
    pub fn apply(&self, value: &mut impl Trace) {
        let mut relinking = Relinking::new(&self.map);
        Links::new(&mut relinking).field(value);
        if let Some(type_name) = relinking.unsupported {
            panic!("slotgc: {type_name} in {} has no `Trace::relink`", type_name_of_val(value));
        }
    }

    /// After a load, what the saved root source reported, in its order, repeats included; a handle to nothing
    /// is null. After a copy, the copy.
    pub fn roots(&self) -> &[AnyGc] {
        &self.roots
    }

    /// How many handles became null because they named nothing.
    pub fn became_null(&self) -> usize {
        self.became_null
    }

    /// How many entries of maps and sets were dropped because their key became equal to another's.
    pub fn merged(&self) -> usize {
        self.merged
    }
}

impl fmt::Debug for Relinked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relinked")
            .field("roots", &self.roots)
            .field("became_null", &self.became_null)
            .field("merged", &self.merged)
            .finish_non_exhaustive()
    }
}

/// The replacement of handles in progress.
pub(crate) struct Relinking<'a> {
    map: &'a Map,
    pub(crate) became_null: usize,
    pub(crate) merged: usize,
    pub(crate) unsupported: Option<&'static str>,
    /// How many tables must be rehashed.
    pub(crate) tables: usize,
    /// Handles that a copy keeps unchanged.
    pub(crate) outside: HashSet<RawHandle, Fixed>,
}

impl<'a> Relinking<'a> {
    pub(crate) fn new(map: &'a Map) -> Self {
        Self { map, became_null: 0, merged: 0, unsupported: None, tables: 0, outside: HashSet::default() }
    }
}

impl Relinker for Relinking<'_> {
    fn replace(&mut self, link: Link) -> RawHandle {
        if let Some(new) = self.map.find(link) {
            return new;
        }
        match self.map {
            Map::Copies(copies) if !copies.dead.contains(&link.raw) => {
                self.outside.insert(link.raw);
                link.raw
            }
            _ => {
                // A null handle names nothing before and after.
                self.became_null += usize::from(!link.is_null());
                RawHandle::NULL
            }
        }
    }

    fn unsupported(&mut self, type_name: &'static str) {
        self.unsupported.get_or_insert(type_name);
    }

    fn merged(&mut self) {
        self.merged += 1;
    }

    fn note_table(&mut self) {
        self.tables += 1;
    }
}
