//! A walk over what some handles reach: through `&`, without changing the heap, and without recursion.
//!
//! Beside the heap it needs a bit per granule, and a record of each object found and not yet followed.
//! [`Ahead`] keeps these and decides their order. Only entries of ephemeron tables whose key was not reached
//! yet take more.
//!
//! An object is read once, when its turn comes, and is prefetched some turns before. So an edge marks the
//! place that it names before it is known which object lives there. A handle of an object that is gone does
//! no harm if the slot is empty: the mark is taken back. If there is a new tenant, edges to that tenant may
//! have been skipped, and the walk reports that ([`Stop::Stale`]). It is then repeated with care: each edge
//! checks its target first.

use alloc::vec::Vec;

use hashbrown::HashMap;

use crate::graph::marks::Marks;
#[cfg(feature = "serde")]
use crate::graph::saved::Saved;
use crate::graph::schema::TypeOps;
use crate::handle::RawHandle;
use crate::pool::Pool;
use crate::store::{Store, Tenant};
use crate::tag::Tag;
#[cfg(feature = "serde")]
use crate::trace::RootSource;
use crate::trace::{Recorded, Watcher};
use crate::weak::Fixed;

/// Why a walk ended early: at this object.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    NotInSchema(RawHandle),
    Locked(RawHandle),
    /// A lock in a root source is held.
    #[cfg(feature = "serde")]
    SourceLocked,
    /// A handle of an object that is gone names the place of another one: the walk must be repeated with
    /// [`Care::Each`].
    Stale,
}

/// When a target is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Care {
    /// When its turn comes.
    Late,
    /// At each edge.
    Each,
}

/// An edge that counts once all of its remaining keys are reached.
struct Waiting {
    edge: RawHandle,
    more_keys: Vec<RawHandle>,
}

/// What is known about a page.
#[derive(Clone, Copy)]
struct Page {
    of: Tag,
    /// The number of its type in the schema.
    index: Option<u16>,
    /// Cache lines of a slot for which a prefetch pays off.
    lines: u8,
}

/// Where a walk continues: what was found and not yet followed.
pub(crate) trait Ahead {
    fn store(&self) -> &Store;

    /// Adds an object to follow, for the first time, with the number of its type if the schema lists it.
    /// Whether the object exists was not checked.
    fn push(&mut self, raw: RawHandle, index: Option<u16>);

    /// Whether it was reached without the walk.
    fn has(&self, raw: RawHandle) -> bool {
        let _ = raw;
        false
    }
}

pub(crate) struct Walk {
    care: Care,
    pages: Vec<Option<Page>>,
    marks: Marks,
    waiting: HashMap<RawHandle, Vec<Waiting>, Fixed>,
    /// Of the entry that is read.
    keys: Vec<RawHandle>,
}

/// What decides whether an object that was reached is followed.
pub(crate) type LeaveOut<'s> = Option<&'s mut dyn FnMut(RawHandle) -> bool>;

impl Walk {
    pub(crate) fn new(pools: &[Pool], types: &[TypeOps], care: Care) -> Self {
        let mut pages = Vec::new();
        for pool in pools {
            let (of, index) = (pool.info().tag, types.iter().position(|ops| ops.tag == pool.info().tag));
            let lines = pool.info().slot_bytes.div_ceil(64).min(4) as u8;
            let page = Page { of, index: index.map(|index| index as u16), lines };
            for place in pool.pages().iter().map(|page| *page as usize) {
                if pages.len() <= place {
                    pages.resize(place + 1, None);
                }
                pages[place] = Some(page);
            }
        }
        Self { care, pages, marks: Marks::default(), waiting: HashMap::default(), keys: Vec::new() }
    }

    pub(crate) fn care(&self) -> Care {
        self.care
    }

    #[inline]
    fn page(&self, raw: RawHandle) -> Option<Page> {
        *self.pages.get(raw.granule().page() as usize)?
    }

    /// The number of the type of a handle's page, if the schema lists it.
    #[inline]
    pub(crate) fn index_of(&self, raw: RawHandle) -> Option<u16> {
        self.page(raw)?.index
    }

    /// Prefetches an object that will be followed soon.
    #[inline]
    pub(crate) fn prefetch(&self, store: &Store, raw: RawHandle) {
        let lines = self.page(raw).map_or(1, |page| page.lines);
        store.look().prefetch_far(raw.granule(), u32::from(lines));
    }

    /// What a root source reports, in order and with repeats, null and dead handles included; without values
    /// of ephemerons, which wait for their keys.
    #[cfg(feature = "serde")]
    pub(crate) fn report(&mut self, store: &Store, source: &dyn RootSource) -> Result<Vec<RawHandle>, Stop> {
        let mut watcher = Watcher::new();
        watcher.watch(|tracer| source.trace_roots(tracer));
        let findings = watcher.take();
        let mut handles = Vec::with_capacity(findings.most());
        let mut keys = Vec::new();
        for found in findings {
            match found {
                Recorded::Edge(raw, of) if keys.is_empty() => handles.push(self.of(raw, of)),
                Recorded::Edge(raw, of) => {
                    // Nothing is reached yet.
                    self.wait(store, |_| false, self.of(raw, of), keys.clone());
                }
                Recorded::Ephemeron(key, of) => keys.push(self.of(key, of)),
                Recorded::EndOfEphemeron => drop(keys.pop()),
                Recorded::Gap => return Err(Stop::SourceLocked),
            }
        }
        Ok(handles)
    }

    /// The handle if it lies in a page of this type, otherwise null: a handle of made-up bits may lead
    /// elsewhere, and does not name what is there.
    #[inline]
    pub(crate) fn of(&self, raw: RawHandle, of: Tag) -> RawHandle {
        match self.page(raw) {
            Some(page) if of == Tag::NONE || of == page.of => raw,
            _ => RawHandle::NULL,
        }
    }

    /// Reaches the object, if it exists, and what waits for it. The handle lies in a page of its type, or is
    /// null.
    #[inline(always)]
    pub(crate) fn reach(&mut self, raw: RawHandle, leave_out: &mut LeaveOut<'_>, ahead: &mut impl Ahead) {
        if self.enter(raw, leave_out, ahead) && !self.waiting.is_empty() {
            self.release(raw, leave_out, ahead);
        }
    }

    /// The number of the type of an object, if reaching it takes no more than adding it to what is ahead:
    /// the handle is what it claims to be, the type is listed, nothing waits for any object, and no edge is
    /// checked.
    #[inline(always)]
    pub(crate) fn is_reached_plainly(&self, raw: RawHandle, of: Tag) -> Option<u16> {
        let page = self.page(raw)?;
        let is_plain =
            (of == page.of || of == Tag::NONE) && self.waiting.is_empty() && self.care == Care::Late;
        if is_plain { page.index } else { None }
    }

    /// Records that the object is reached; `false` if that was known.
    #[inline(always)]
    fn enter(&mut self, raw: RawHandle, leave_out: &mut LeaveOut<'_>, ahead: &mut impl Ahead) -> bool {
        if raw.is_null() || (self.care == Care::Each && !ahead.store().is_alive_any(raw)) {
            return false;
        }
        let is_new = !ahead.has(raw) && self.marks.insert(raw.granule());
        if is_new && leave_out.as_mut().is_none_or(|leave_out| !leave_out(raw)) {
            ahead.push(raw, self.index_of(raw));
        }
        is_new
    }

    /// Releases what waits for this object, and what waits for that.
    #[cold]
    fn release(&mut self, key: RawHandle, leave_out: &mut LeaveOut<'_>, ahead: &mut impl Ahead) {
        let mut keys = Vec::from([key]);
        while let Some(key) = keys.pop() {
            for Waiting { edge, more_keys } in self.waiting.remove(&key).into_iter().flatten() {
                let edge = self.wait(ahead.store(), |raw| ahead.has(raw), edge, more_keys);
                keys.extend(edge.filter(|edge| self.enter(*edge, leave_out, ahead)));
            }
        }
    }

    /// Files an edge under the first of its keys that is not reached, `has` or by a mark; returns the edge if
    /// there is none.
    fn wait(
        &mut self,
        store: &Store,
        has: impl Fn(RawHandle) -> bool,
        edge: RawHandle,
        mut keys: Vec<RawHandle>,
    ) -> Option<RawHandle> {
        let is_reached = |marks: &Marks, key: RawHandle| {
            store.is_alive_any(key) && (has(key) || marks.contains(key.granule()))
        };
        while let Some(key) = keys.pop() {
            if is_reached(&self.marks, key) {
                continue;
            }
            if !key.is_null() && store.is_alive_any(key) {
                self.waiting.entry(key).or_default().push(Waiting { edge, more_keys: keys });
            }
            return None;
        }
        Some(edge)
    }

    /// Reaches what the watcher saw in the object of this handle.
    #[inline(always)]
    pub(crate) fn reach_seen(
        &mut self,
        raw: RawHandle,
        watcher: &mut Watcher,
        leave_out: &mut LeaveOut<'_>,
        ahead: &mut impl Ahead,
    ) -> Result<(), Stop> {
        for found in watcher.drain() {
            match found {
                Recorded::Edge(edge, of) if self.keys.is_empty() => {
                    self.reach(self.of(edge, of), leave_out, ahead);
                }
                Recorded::Edge(edge, of) => {
                    let keys = self.keys.clone();
                    let edge = self.of(edge, of);
                    if let Some(edge) = self.wait(ahead.store(), |raw| ahead.has(raw), edge, keys) {
                        self.reach(edge, leave_out, ahead);
                    }
                }
                Recorded::Ephemeron(key, of) => self.keys.push(self.of(key, of)),
                Recorded::EndOfEphemeron => drop(self.keys.pop()),
                Recorded::Gap => return Err(Stop::Locked(raw)),
            }
        }
        Ok(())
    }

    /// The handle names no object.
    #[cold]
    pub(crate) fn take_back(&mut self, store: &Store, raw: RawHandle) -> Result<(), Stop> {
        if store.tenant_of(raw) == Tenant::Other {
            return Err(Stop::Stale);
        }
        self.marks.remove(raw.granule());
        Ok(())
    }

    /// Everything reached, and what was left out, when the walk is complete.
    #[cfg(feature = "serde")]
    pub(crate) fn into_saved(self, store: &Store) -> Saved {
        #[cfg(feature = "std")]
        {
            let pages = self.pages;
            let tag_of = |page: u32| pages[page as usize].map_or(Tag::NONE, |page| page.of);
            Saved::new(self.marks, tag_of, store)
        }
        #[cfg(not(feature = "std"))]
        {
            let _ = store;
            Saved::new(self.marks)
        }
    }
}
