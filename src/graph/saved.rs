//! [`Saved`]: which objects are part of a graph that is being saved.
//!
//! A mark says that an object of some generation is saved. Weak collections may also hold handles of earlier
//! tenants of its slot, or handles made of bits that lead to objects of another type. So beside the marks
//! there is what such handles are compared with: for each page the tag of its type, and the generation that
//! all of its saved objects have, or that of each.

#[cfg(feature = "std")]
use alloc::boxed::Box;
#[cfg(feature = "std")]
use alloc::vec::Vec;

use crate::graph::marks::Marks;
#[cfg(feature = "std")]
use crate::handle::{Generation, RawHandle};
#[cfg(feature = "std")]
use crate::store::Store;
#[cfg(feature = "std")]
use crate::tag::Tag;

/// The objects that are saved.
pub(crate) struct Saved {
    pub(crate) marks: Marks,
    #[cfg(feature = "std")]
    pages: Vec<Page>,
}

/// The objects of a page that are saved.
#[cfg(feature = "std")]
struct Page {
    of: Tag,
    generations: Generations,
}

#[cfg(feature = "std")]
enum Generations {
    /// That of all of them.
    Same(Generation),
    /// One for each, in the order of the slots.
    Each(Box<[Generation]>),
}

impl Saved {
    /// The marks of a walk that is complete, with the tag of each page that has some.
    #[cfg(feature = "std")]
    pub(crate) fn new(marks: Marks, tag_of: impl Fn(u32) -> Tag, store: &Store) -> Self {
        let mut pages = Vec::new();
        for page in marks.pages() {
            let generation =
                |granule| store.generation_any(granule).expect("nothing died since it was found");
            let mut all = marks.of_page(page).map(generation);
            let first = all.next().unwrap_or(Generation::ZERO);
            let generations = if all.all(|other| other == first) {
                Generations::Same(first)
            } else {
                Generations::Each(marks.of_page(page).map(generation).collect())
            };
            pages.resize_with(page as usize, || Page::EMPTY);
            pages.push(Page { of: tag_of(page), generations });
        }
        Self { marks, pages }
    }

    /// Whether the handle, which claims to be of this type, is that of an object that is saved.
    #[cfg(feature = "std")]
    pub(crate) fn contains(&self, raw: RawHandle, of: Tag) -> bool {
        let granule = raw.granule();
        if !self.marks.contains(granule) {
            return false;
        }
        let page = &self.pages[granule.page() as usize];
        let generation = match &page.generations {
            Generations::Same(generation) => *generation,
            Generations::Each(all) => all[self.marks.before(granule)],
        };
        page.of == of && generation == raw.generation()
    }

    /// Without thread locals nobody asks.
    #[cfg(not(feature = "std"))]
    pub(crate) fn new(marks: Marks) -> Self {
        Self { marks }
    }
}

#[cfg(feature = "std")]
impl Page {
    /// No object of the page is saved.
    const EMPTY: Page = Page { of: Tag::NONE, generations: Generations::Same(Generation::ZERO) };
}
