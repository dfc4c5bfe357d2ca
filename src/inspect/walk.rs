//! A search of the heap itself for one object: what `why_alive` does without a snapshot.
//!
//! Breadth-first, over the edges that `trace` reports, which have no names and cost little. A bit for each
//! slot, kept outside the heap, records what was reached. Names are looked up afterwards, only for the
//! objects on the path.
//!
//! If it is not certain to find what a snapshot would, it reports that, and a snapshot is taken: when it
//! meets an ephemeron, and when a handle is not what it claims to be.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::bitmap::Class;
use crate::handle::RawHandle;
use crate::inspect::names::{NameId, Names, Segment};
use crate::inspect::ops::InspectOps;
use crate::pool::Pool;
use crate::store::{Store, Tenant};
use crate::tag::Tag;
use crate::trace::{Place, Recorded, RootSource, Sink, Watcher};

/// The heap, to be searched.
#[derive(Clone, Copy)]
pub(crate) struct Walk<'h> {
    pub(crate) store: &'h Store,
    pub(crate) pools: &'h [Pool],
    pub(crate) ops: &'h [InspectOps],
}

/// The result of a search.
#[derive(Debug)]
pub(crate) enum Found {
    /// The objects on a shortest path, the target last.
    Way(Vec<RawHandle>),
    /// Nothing reaches it.
    Nothing,
    /// There are ephemerons, or handles that lie.
    Uncertain,
}

/// The objects reached, in order. The arrays are longer than their contents, so that an object is added
/// without a branch: whether one was reached before is unpredictable, and a misprediction takes longer than
/// all the rest.
struct Queue {
    len: usize,
    /// The handles' bits: as numbers, so that memory is allocated zeroed and not written before it is needed.
    raws: Vec<u64>,
    /// For each object, the place of the one that refers to it, plus one.
    by: Vec<u32>,
}

/// Held by a root.
const ROOT: u32 = 0;

/// How far ahead objects are prefetched: the latency of memory, in objects.
const AHEAD: usize = 24;

impl Walk<'_> {
    /// Looks for an object from these roots and what the source holds.
    pub(crate) fn find(
        self,
        target: RawHandle,
        roots: impl Iterator<Item = RawHandle>,
        source: &dyn RootSource,
    ) -> Found {
        let mut seen = Seen::of(self);
        // Capacity for all, so that it is not copied as it grows.
        let most = self.pools.iter().map(Pool::live).sum();
        let mut queue = Queue::with_room(most);
        let mut watcher = Watcher::listing();
        roots.for_each(|raw| queue.meet(&mut seen, raw, Tag::NONE, ROOT));
        watcher.watch(|tracer| source.trace_roots(tracer));
        let mut next = 0;
        let mut found = None;
        let mut by = ROOT;
        loop {
            for recorded in &*watcher.reported() {
                match recorded {
                    Recorded::Edge(raw, of) => queue.meet(&mut seen, *raw, *of, by),
                    Recorded::Ephemeron(..) => return Found::Uncertain,
                    Recorded::EndOfEphemeron | Recorded::Gap => {}
                }
            }
            watcher.reported().clear();
            let Some(raw) = queue.get(next) else { break };
            if let Some(ahead) = queue.get(next + AHEAD) {
                self.store.look().prefetch_near(ahead.granule());
            }
            if raw == target {
                found = Some(next);
            }
            by = next as u32 + 1;
            let is_alive =
                (self.ops[self.store.pool_of(raw.granule()) as usize].trace)(self.store, raw, &mut watcher);
            if !is_alive && !self.is_vacant(raw) {
                return Found::Uncertain;
            }
            next += 1;
        }
        found.map_or(Found::Nothing, |place| Found::Way(queue.way(place)))
    }

    /// Whether the handle names an empty slot. If not, it may have hidden the object that lives there.
    fn is_vacant(self, raw: RawHandle) -> bool {
        let slot_granules = self.pools[self.store.pool_of(raw.granule()) as usize].info().slot_granules();
        raw.granule().in_page() % slot_granules == 0 && self.store.tenant_of(raw) == Tenant::None
    }

    /// The name that an object on the path has for the next one, and what tells the object from others of its
    /// type.
    pub(crate) fn name_step(self, raw: RawHandle, next: Option<RawHandle>, names: &mut Names) -> StepName {
        let of = next.map_or(Tag::NONE, |next| self.type_of(next));
        let mut finder = Finder::new(names, next, of);
        (self.ops[self.store.pool_of(raw.granule()) as usize].inspect)(self.store, raw, &mut finder);
        finder.step
    }

    /// The source's name for an object that it holds; `None` if it does not hold it.
    pub(crate) fn name_root(self, raw: RawHandle, source: &dyn RootSource, names: &mut Names) -> StepName {
        let mut finder = Finder::new(names, Some(raw), self.type_of(raw));
        source.inspect_roots(&mut crate::trace::Inspector::new(&mut finder));
        finder.step
    }

    pub(crate) fn type_of(self, raw: RawHandle) -> Tag {
        self.ops[self.store.pool_of(raw.granule()) as usize].tag
    }
}

impl Queue {
    fn with_room(len: usize) -> Self {
        Self { len: 0, raws: vec![0; len + 1], by: vec![ROOT; len + 1] }
    }

    #[inline]
    fn get(&self, place: usize) -> Option<RawHandle> {
        (place < self.len).then(|| RawHandle::from_bits(self.raws[place]))
    }

    #[inline]
    fn meet(&mut self, seen: &mut Seen, raw: RawHandle, of: Tag, by: u32) {
        let is_new = seen.is_new(raw, of);
        if self.len == self.raws.len() {
            self.grow();
        }
        self.raws[self.len] = raw.to_bits();
        self.by[self.len] = by;
        self.len += usize::from(is_new);
    }

    /// Grows: more was reached than there are objects, because of handles to nothing.
    #[cold]
    fn grow(&mut self) {
        let len = 2 * self.len + 64;
        assert!(len < u32::MAX as usize, "slotgc: more than 2^32 handles");
        self.raws.resize(len, 0);
        self.by.resize(len, ROOT);
    }

    /// The path from a root to the object at this place.
    fn way(&self, mut place: usize) -> Vec<RawHandle> {
        let mut way = Vec::from_iter(self.get(place));
        while self.by[place] != ROOT {
            place = self.by[place] as usize - 1;
            way.extend(self.get(place));
        }
        way.reverse();
        way
    }
}

/// A bit for each slot of the heap.
struct Seen {
    /// By page number.
    pages: Vec<SeenPage>,
    words: Vec<u64>,
}

#[derive(Clone, Copy)]
struct SeenPage {
    /// Where its words begin.
    first: u32,
    class: Class,
    /// The type of its objects.
    of: Tag,
}

impl SeenPage {
    /// A page without objects: its words come before those of all other pages, and are always full.
    const NONE: SeenPage = SeenPage { first: 0, class: Class(1), of: Tag::NONE };
}

impl Seen {
    fn of(walk: Walk<'_>) -> Self {
        let mut seen = Self { pages: Vec::new(), words: vec![u64::MAX; crate::bitmap::MAX_PAGE_WORDS] };
        for (pool, ops) in walk.pools.iter().zip(walk.ops) {
            let class = Class::of_slots(pool.info().slot_granules());
            for page in pool.pages().iter().map(|page| *page as usize) {
                if seen.pages.len() <= page {
                    seen.pages.resize(page + 1, SeenPage::NONE);
                }
                seen.pages[page] = SeenPage { first: seen.words.len() as u32, class, of: ops.tag };
                seen.words.resize(seen.words.len() + class.page_words(), 0);
            }
        }
        seen
    }

    #[inline]
    fn is_new(&mut self, raw: RawHandle, of: Tag) -> bool {
        let granule = raw.granule();
        let page = self.pages.get(granule.page() as usize).copied().unwrap_or(SeenPage::NONE);
        // A handle of another type than its object's is not an edge.
        let SeenPage { first, class, .. } =
            if of == page.of || of == Tag::NONE { page } else { SeenPage::NONE };
        let word = &mut self.words[first as usize + (granule.in_page() >> (class.0 + 6)) as usize];
        let old = *word;
        *word = old | class.mask(granule);
        old & class.mask(granule) == 0
    }
}

/// What an object on a path reports about the next.
#[derive(Debug, Default)]
pub(crate) struct StepName {
    /// The name of the edge to the next one; `None` if there is no such edge.
    pub(crate) name: Option<NameId>,
    /// The name of the root source, if it is one.
    pub(crate) source: Option<alloc::string::String>,
    pub(crate) label: Option<alloc::string::String>,
}

/// Looks for the first strong edge to an object.
struct Finder<'n> {
    names: &'n mut Names,
    next: Option<RawHandle>,
    of: Tag,
    way: Vec<NameId>,
    sources: Vec<&'static str>,
    ephemerons: usize,
    step: StepName,
}

impl<'n> Finder<'n> {
    fn new(names: &'n mut Names, next: Option<RawHandle>, of: Tag) -> Self {
        let (way, sources) = (Vec::new(), Vec::new());
        Self { names, next, of, way, sources, ephemerons: 0, step: StepName::default() }
    }
}

impl Sink for Finder<'_> {
    fn enter(&mut self, place: Place<'_>) {
        let before = self.way.last().copied().unwrap_or(NameId::NONE);
        self.way.push(self.names.child(before, Segment::from(place)));
    }

    fn leave(&mut self) {
        self.way.pop();
    }

    fn edge(&mut self, target: RawHandle, of: Tag) {
        let is_it = Some(target) == self.next && (of == Tag::NONE || of == self.of) && self.ephemerons == 0;
        if is_it && self.step.name.is_none() {
            self.step.name = Some(self.way.last().copied().unwrap_or(NameId::NONE));
            self.step.source = self.sources.last().map(|source| (*source).into());
        }
    }

    fn weak(&mut self, _: RawHandle, _: Tag) {}

    fn enter_source(&mut self, name: &'static str) {
        self.sources.push(name);
    }

    fn leave_source(&mut self) {
        self.sources.pop();
    }

    fn enter_ephemeron(&mut self, _: RawHandle, _: Tag) {
        self.ephemerons += 1;
    }

    fn leave_ephemeron(&mut self) {
        self.ephemerons -= 1;
    }

    fn label(&mut self, text: &dyn fmt::Display) {
        self.step.label = Some(alloc::format!("{}", crate::inspect::record::Beginning(text)));
    }

    fn gap(&mut self) {}
}
