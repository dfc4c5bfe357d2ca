//! A walk over what some handles reach: through `&`, without a trace in the heap, and without recursion.
//!
//! Beside the heap it takes a bit a granule, and eight bytes for each object found and not yet followed. Only
//! entries of ephemeron tables whose key was not reached so far take more.
//!
//! An object is looked at once, when its turn comes, and its memory is asked for some turns before. So an
//! edge marks the place that it names before anybody knows who lives there. A handle of an object that is
//! gone does no harm as long as nobody does: the mark is taken back. If there is a new tenant, edges to that
//! one may have been passed over, and the walk says so ([`Stop::Stale`]). It is then made once more with
//! care: each edge looks at its target first.

use alloc::boxed::Box;
use alloc::vec::Vec;

use hashbrown::HashMap;

use crate::graph::marks::Marks;
use crate::graph::schema::TypeOps;
use crate::handle::RawHandle;
use crate::pool::Pool;
use crate::store::{Store, Tenant};
use crate::tag::Tag;
#[cfg(feature = "serde")]
use crate::trace::RootSource;
use crate::trace::{EdgeStack, Recorded, Spill, Watcher};
use crate::weak::Fixed;

/// Why a walk ended early: at this object.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    NotInSchema(RawHandle),
    Locked(RawHandle),
    /// A root source holds a lock that somebody has.
    #[cfg(feature = "serde")]
    SourceLocked,
    /// A handle of an object that is gone names the place of another one: to be made again with
    /// [`Care::Each`].
    Stale,
}

/// When a target is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Care {
    /// When its turn comes.
    Late,
    /// At each edge.
    Each,
}

/// An edge that counts once keys are reached: all that are left of them.
struct Waiting {
    edge: RawHandle,
    more_keys: Vec<RawHandle>,
}

/// What is known of a page.
#[derive(Clone, Copy)]
struct Page {
    of: Tag,
    /// The number of its type in the schema.
    index: Option<u16>,
    /// Lines that a slot spans, those at which a prefetch pays.
    lines: u8,
}

pub(crate) struct Walk<'a> {
    store: &'a Store,
    types: &'a [TypeOps],
    care: Care,
    pages: Vec<Option<Page>>,
    marks: Marks,
    stack: EdgeStack,
    spill: Spill,
    waiting: HashMap<RawHandle, Vec<Waiting>, Fixed>,
    /// `None` while objects are followed.
    watcher: Option<Box<Watcher>>,
}

/// What decides whether an object that was reached is followed.
pub(crate) type LeaveOut<'s> = Option<&'s mut dyn FnMut(RawHandle) -> bool>;

/// How many objects are on their way from memory while others are followed.
const AHEAD: usize = 32;

impl<'a> Walk<'a> {
    pub(crate) fn new(store: &'a Store, pools: &[Pool], types: &'a [TypeOps], care: Care) -> Self {
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
        Self {
            store,
            types,
            care,
            pages,
            marks: Marks::default(),
            stack: EdgeStack::default(),
            spill: Spill::default(),
            waiting: HashMap::default(),
            watcher: Some(Box::new(Watcher::new())),
        }
    }

    fn page(&self, raw: RawHandle) -> Option<Page> {
        *self.pages.get(raw.granule().page() as usize)?
    }

    /// What a root source reports, in order and with repeats, null handles and dead ones included; not what
    /// it has under the key of an ephemeron, which waits for that.
    #[cfg(feature = "serde")]
    pub(crate) fn report(&mut self, source: &dyn RootSource) -> Result<Vec<RawHandle>, Stop> {
        let mut watcher = Watcher::new();
        watcher.watch(|tracer| source.trace_roots(tracer));
        let findings = watcher.take();
        let mut handles = Vec::with_capacity(findings.most());
        let mut keys = Vec::new();
        for found in findings {
            match found {
                Recorded::Edge(raw, of) if keys.is_empty() => handles.push(self.of(raw, of)),
                Recorded::Edge(raw, of) => {
                    // Nothing is reached so far.
                    self.wait(self.of(raw, of), keys.clone());
                }
                Recorded::Ephemeron(key, of) => keys.push(self.of(key, of)),
                Recorded::EndOfEphemeron => drop(keys.pop()),
                Recorded::Gap => return Err(Stop::SourceLocked),
            }
        }
        Ok(handles)
    }

    /// The handle if it lies in a page of this type, else null: a handle of made-up bits may lead elsewhere,
    /// and does not name what is there.
    #[inline]
    fn of(&self, raw: RawHandle, of: Tag) -> RawHandle {
        match self.page(raw) {
            Some(page) if of == Tag::NONE || of == page.of => raw,
            _ => RawHandle::NULL,
        }
    }

    /// The object is reached, if there is one. What waits for it is too. The handle lies in a page of its
    /// type, or is null.
    #[inline]
    pub(crate) fn reach(&mut self, raw: RawHandle, leave_out: &mut LeaveOut<'_>) {
        if self.enter(raw, leave_out) && !self.waiting.is_empty() {
            self.release(raw, leave_out);
        }
    }

    /// Notes that the object is reached; `false` if that was known.
    #[inline]
    fn enter(&mut self, raw: RawHandle, leave_out: &mut LeaveOut<'_>) -> bool {
        if raw.is_null() || (self.care == Care::Each && !self.store.is_alive_any(raw)) {
            return false;
        }
        let is_new = self.marks.insert(raw.granule());
        if is_new && leave_out.as_mut().is_none_or(|leave_out| !leave_out(raw)) {
            self.stack.push(raw, &mut self.spill);
        }
        is_new
    }

    /// Lets go what waits for this object, and what waits for that.
    #[cold]
    fn release(&mut self, key: RawHandle, leave_out: &mut LeaveOut<'_>) {
        let mut keys = Vec::from([key]);
        while let Some(key) = keys.pop() {
            for Waiting { edge, more_keys } in self.waiting.remove(&key).into_iter().flatten() {
                let edge = self.wait(edge, more_keys);
                keys.extend(edge.filter(|edge| self.enter(*edge, leave_out)));
            }
        }
    }

    fn is_reached(&self, raw: RawHandle) -> bool {
        self.store.is_alive_any(raw) && self.marks.contains(raw.granule())
    }

    /// Files an edge under the first of its keys that is not reached; gives it back if there is none.
    fn wait(&mut self, edge: RawHandle, mut keys: Vec<RawHandle>) -> Option<RawHandle> {
        while let Some(key) = keys.pop() {
            if self.is_reached(key) {
                continue;
            }
            if !key.is_null() && self.store.is_alive_any(key) {
                self.waiting.entry(key).or_default().push(Waiting { edge, more_keys: keys });
            }
            return None;
        }
        Some(edge)
    }

    /// Follows all edges; `visit` gets each object that is reached, once, with the number of its type.
    pub(crate) fn follow(
        &mut self,
        leave_out: &mut LeaveOut<'_>,
        visit: &mut dyn FnMut(RawHandle, usize),
    ) -> Result<(), Stop> {
        let mut watcher = self.watcher.take().unwrap_or_else(|| Box::new(Watcher::new()));
        let followed = self.follow_with(&mut watcher, leave_out, visit);
        self.watcher = Some(watcher);
        followed
    }

    fn follow_with(
        &mut self,
        watcher: &mut Watcher,
        leave_out: &mut LeaveOut<'_>,
        visit: &mut dyn FnMut(RawHandle, usize),
    ) -> Result<(), Stop> {
        let mut queue = [RawHandle::NULL; AHEAD];
        let (mut first, mut len) = (0, 0);
        loop {
            while len < AHEAD {
                let Some(raw) = self.stack.pop() else {
                    match self.stack.unspill(&mut self.spill) {
                        true => continue,
                        false => break,
                    }
                };
                let lines = self.page(raw).map_or(1, |page| page.lines);
                self.store.look().prefetch_far(raw.granule(), u32::from(lines));
                queue[(first + len) % AHEAD] = raw;
                len += 1;
            }
            if len == 0 {
                return Ok(());
            }
            let raw = queue[first];
            (first, len) = ((first + 1) % AHEAD, len - 1);
            self.follow_one(watcher, raw, leave_out, visit)?;
        }
    }

    #[inline]
    fn follow_one(
        &mut self,
        watcher: &mut Watcher,
        raw: RawHandle,
        leave_out: &mut LeaveOut<'_>,
        visit: &mut dyn FnMut(RawHandle, usize),
    ) -> Result<(), Stop> {
        let Some(Page { index: Some(index), .. }) = self.page(raw) else {
            return if self.store.is_alive_any(raw) {
                Err(Stop::NotInSchema(raw))
            } else {
                self.take_back(raw)
            };
        };
        let ops = self.types[usize::from(index)];
        if !(ops.trace)(self.store, raw, watcher) {
            return self.take_back(raw);
        }
        visit(raw, usize::from(index));
        if !ops.needs_trace {
            return Ok(());
        }
        let mut keys = Vec::new();
        for found in watcher.drain() {
            match found {
                Recorded::Edge(edge, of) if keys.is_empty() => self.reach(self.of(edge, of), leave_out),
                Recorded::Edge(edge, of) => {
                    if let Some(edge) = self.wait(self.of(edge, of), keys.clone()) {
                        self.reach(edge, leave_out);
                    }
                }
                Recorded::Ephemeron(key, of) => keys.push(self.of(key, of)),
                Recorded::EndOfEphemeron => drop(keys.pop()),
                Recorded::Gap => return Err(Stop::Locked(raw)),
            }
        }
        Ok(())
    }

    /// The handle names nobody.
    #[cold]
    fn take_back(&mut self, raw: RawHandle) -> Result<(), Stop> {
        if self.store.tenant_of(raw) == Tenant::Other {
            return Err(Stop::Stale);
        }
        self.marks.remove(raw.granule());
        Ok(())
    }

    /// Everything reached, and what was left out.
    #[cfg(feature = "serde")]
    pub(crate) fn into_marks(self) -> Marks {
        self.marks
    }
}
