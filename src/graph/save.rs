//! [`Save`]: a graph being serialized.
//!
//! What is written is one struct: the version, the types with their objects, and the roots. A type consists
//! of its name in the schema, how many granules there are from one of its slots to the next, and a sequence
//! of rows: an object's handle in its dense form and the object. The other form, that of handles of unknown
//! type, follows from the two numbers. Rows ascend by slot, so that a table of them can be searched and
//! memory is read in order. Nothing is collected in between: the walk has left a bit per granule, and objects
//! are serialized from the heap one by one.

use alloc::vec::Vec;
use core::fmt;

use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};

use crate::geometry::{Geometry, Granule};
use crate::graph::saved::Saved;
use crate::graph::schema::{Schema, TypeList};
use crate::handle::{AnyGc, Gc, RawHandle, Weak};
use crate::store::Store;
use crate::sync::Arc;
#[cfg(feature = "std")]
use crate::tag::Tag;
use crate::trace::Trace;

/// The version of the format.
pub(crate) const VERSION: u32 = 1;

/// A graph of objects, ready to be serialized into any format of serde: what
/// [`Heap::save`](crate::Heap::save) returns.
pub struct Save<'a, L> {
    pub(crate) store: &'a Store,
    pub(crate) schema: &'a Schema<L>,
    pub(crate) saved: Arc<Saved>,
    /// How many objects of each type there are.
    pub(crate) counts: Vec<usize>,
    pub(crate) roots: Vec<RawHandle>,
}

impl<L> Save<'_, L> {
    /// How many objects will be saved.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Heap, Schema};
    ///
    /// let mut heap = Heap::new();
    /// let kept = [heap.alloc(1_u32), heap.alloc(2)];
    /// heap.alloc(3_u32);
    /// let schema = Schema::new().with::<u32>("number");
    /// assert_eq!(heap.save(&schema, &kept).unwrap().len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Whether there is nothing to save.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<L> fmt::Debug for Save<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Save").field("objects", &self.len()).finish_non_exhaustive()
    }
}

impl<L: SaveTypes> Serialize for Save<'_, L> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let _saving = Saving::begin(&self.saved);
        let mut save = serializer.serialize_struct("Save", 3)?;
        save.serialize_field("version", &VERSION)?;
        save.serialize_field("types", &Types(self))?;
        save.serialize_field("roots", &Roots(&self.roots))?;
        save.end()
    }
}

/// The types of a [`Schema`] that are all `Serialize`; nothing to implement.
pub trait SaveTypes: TypeList {
    #[doc(hidden)]
    fn save<S: SerializeSeq>(sections: &Sections<'_>, seq: &mut S) -> Result<(), S::Error>;
}

impl SaveTypes for () {
    fn save<S: SerializeSeq>(_: &Sections<'_>, _: &mut S) -> Result<(), S::Error> {
        Ok(())
    }
}

impl<T: Trace + Serialize, L: SaveTypes> SaveTypes for (T, L) {
    fn save<S: SerializeSeq>(sections: &Sections<'_>, seq: &mut S) -> Result<(), S::Error> {
        L::save(sections, seq)?;
        match sections.counts[L::LEN] {
            0 => Ok(()),
            _ => seq.serialize_element(&Section::<T> {
                sections,
                index: L::LEN,
                target: core::marker::PhantomData,
            }),
        }
    }
}

/// What a list of types needs to save its objects.
#[doc(hidden)]
pub struct Sections<'a> {
    store: &'a Store,
    names: Vec<&'static str>,
    saved: &'a Saved,
    counts: &'a [usize],
}

impl fmt::Debug for Sections<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sections").field("names", &self.names).finish_non_exhaustive()
    }
}

struct Types<'s, 'a, L>(&'s Save<'a, L>);

impl<L: SaveTypes> Serialize for Types<'_, '_, L> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Save { store, schema, saved, counts, .. } = self.0;
        let names = schema.types().iter().map(|ops| ops.name).collect();
        let sections = Sections { store, names, saved, counts };
        let mut seq = serializer.serialize_seq(Some(counts.iter().filter(|count| **count > 0).count()))?;
        L::save(&sections, &mut seq)?;
        seq.end()
    }
}

/// One type.
struct Section<'s, 'a, T> {
    sections: &'s Sections<'a>,
    index: usize,
    target: core::marker::PhantomData<T>,
}

impl<T: Trace + Serialize> Serialize for Section<'_, '_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut section = serializer.serialize_struct("Type", 3)?;
        section.serialize_field("name", self.sections.names[self.index])?;
        section.serialize_field("stride", &Geometry::<T>::SLOT_GRANULES)?;
        section.serialize_field("objects", &Objects(self))?;
        section.end()
    }
}

struct Objects<'o, 's, 'a, T>(&'o Section<'s, 'a, T>);

impl<T: Trace + Serialize> Serialize for Objects<'_, '_, '_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Section { sections: Sections { store, saved, counts, .. }, index, .. } = self.0;
        let (look, marks) = (store.look(), &saved.marks);
        let mut seq = serializer.serialize_seq(Some(counts[*index]))?;
        // A page has one type, that of its objects.
        let is_own = |granule: Granule| granule.is_boundary::<T>() && look.generation::<T>(granule).is_some();
        for page in marks.pages().filter(|page| marks.of_page(*page).next().is_some_and(is_own)) {
            // Inside the iterator, which is a nested loop.
            marks.of_page(page).try_for_each(|granule| {
                let generation = look.generation::<T>(granule).filter(|generation| generation.is_occupied());
                let raw = RawHandle::new(granule, generation.expect("nothing died since it was found"));
                let object = look.get::<T>(raw).expect("nothing died since it was found");
                seq.serialize_element(&(Gc::<T>::from_raw(raw), object))
            })?;
        }
        seq.end()
    }
}

struct Roots<'a>(&'a [RawHandle]);

impl Serialize for Roots<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let roots = self.0.iter().map(|raw| AnyGc::from_raw(*raw));
        serializer.collect_seq(roots)
    }
}

#[cfg(feature = "std")]
std::thread_local! {
    /// What is being saved on this thread: weak collections leave out the rest, and cannot know it otherwise.
    static SAVED: core::cell::RefCell<Option<Arc<Saved>>> = const { core::cell::RefCell::new(None) };
}

/// As long as this lives, weak collections write only entries that are saved.
struct Saving(#[cfg(feature = "std")] Option<Arc<Saved>>);

impl Saving {
    #[cfg(feature = "std")]
    fn begin(saved: &Arc<Saved>) -> Self {
        Self(SAVED.with(|current| current.replace(Some(Arc::clone(saved)))))
    }

    /// Without thread locals all entries are written. Those whose objects are not saved are removed at load.
    #[cfg(not(feature = "std"))]
    fn begin(_: &Arc<Saved>) -> Self {
        Self()
    }
}

#[cfg(feature = "std")]
impl Drop for Saving {
    fn drop(&mut self) {
        SAVED.with(|current| *current.borrow_mut() = self.0.take());
    }
}

/// Whether the handle is that of an object that is being saved on this thread, or nothing is being saved.
pub(crate) fn is_saved<T>(weak: Weak<T>) -> bool {
    #[cfg(feature = "std")]
    {
        let is_in = |saved: &Arc<Saved>| saved.contains(weak.raw(), Tag::of_any::<T>());
        SAVED.with(|current| current.borrow().as_ref().is_none_or(is_in))
    }
    #[cfg(not(feature = "std"))]
    {
        let _ = weak;
        true
    }
}
