//! [`Tracer`]: records the edges of one object, or of a root source.

use alloc::vec::Vec;

use crate::geometry::Granule;
use crate::handle::{AnyGc, Gc, RawHandle, Weak};
use crate::store::{Color, Look, Store};
#[cfg(feature = "std")]
use crate::sync::Lock;
use crate::tag::Tag;
use crate::trace::edges::edge_apart;
use crate::trace::findings::{Findings, Recorded, Report};
use crate::trace::nested::{Nested, RecordedEphemeron};
#[cfg(feature = "std")]
use crate::trace::notes::{Listeners, Notes};
use crate::trace::{EdgeStack, Ephemerons, Epoch, Era, Reported, Spill, Trace};

/// How many handles ahead a loop over a weak collection prefetches their headers.
pub(crate) const LOOK_AHEAD: usize = 16;

/// What a trace needs besides edges, kept apart from the loop that follows them.
#[derive(Clone, Default)]
pub(crate) struct Side {
    pub(crate) era: Era,
    /// Whether edges are gathered instead of followed: see [`EdgeStack`].
    pub(crate) gathering: bool,
    /// What a look-only trace found.
    report: Report,
    /// The gathered edges: to white slots, whose bits stay set.
    pub(crate) gathered: Vec<RawHandle>,
    /// Edges to follow that did not fit on the stack.
    pub(crate) spill: Spill,
    /// What a root source reported and is not an edge yet.
    pub(crate) reported: Reported,
    /// Objects that requested their `prune`.
    pub(crate) weak_owners: Vec<RawHandle>,
    /// Ephemerons whose key has not been reached.
    pub(crate) ephemerons: Ephemerons,
    /// Handles from `alloc_cyclic` whose object is still being made: alive, though they do not resolve.
    pub(crate) building: Vec<RawHandle>,
    /// Objects that change through `&`, past the write barrier.
    pub(crate) unguarded: Vec<RawHandle>,
    /// Objects that did, as their locks say.
    #[cfg(feature = "std")]
    pub(crate) notes: Notes,
    /// Later tenants of slots that stale edges name, whose white bits were cleared by those edges.
    pub(crate) tenants: Vec<RawHandle>,
    /// Objects with a partly traced table, because the slice was used up.
    pub(crate) unfinished: Vec<RawHandle>,
    /// Entries of tables that may be traced until the next clock is read.
    pub(crate) slice: usize,
    /// Entries that were traced at once because the program kept changing their table between slices.
    pub(crate) granted: usize,
    /// What the traced objects own outside their slots.
    pub(crate) owned: usize,
    /// How deep tables and gathered ephemeron values are nested at the moment.
    pub(crate) nested: usize,
    /// Calls of [`Tracer::weak_collection`].
    pub(crate) weak_collections: usize,
    /// Calls of [`Tracer::interior_mutability`].
    unguarded_values: usize,
    /// Whether the root source that is asked may report in parts, and whether it has more to report.
    pub(crate) may_leave_rest: bool,
    pub(crate) has_rest: bool,
}

impl Side {
    /// Whether objects change, or changed, through `&` past the write barrier. Those that did so join the
    /// list.
    pub(crate) fn any_unguarded(&mut self) -> bool {
        #[cfg(feature = "std")]
        self.notes.take(&mut self.unguarded);
        !self.unguarded.is_empty()
    }

    /// How many such objects there are.
    pub(crate) fn unguarded_len(&self) -> usize {
        #[cfg(feature = "std")]
        return self.unguarded.len() + self.notes.len();
        #[cfg(not(feature = "std"))]
        self.unguarded.len()
    }

    /// For a tracer that only looks.
    pub(crate) fn recording() -> Self {
        Self { report: Report::Words(Findings::default()), ..Self::default() }
    }

    /// For a tracer that only looks, and only counts.
    pub(crate) fn counting() -> Self {
        Self { report: Report::Ignored, ..Self::default() }
    }

    /// For a tracer that only looks and whose findings are read as a slice.
    #[cfg(feature = "inspect")]
    pub(crate) fn listing() -> Self {
        Self { report: Report::List(Vec::new()), ..Self::default() }
    }

    /// What such a tracer found.
    pub(crate) fn report_mut(&mut self) -> &mut Report {
        &mut self.report
    }
}

/// Records the edges of an object, or of a root source.
pub struct Tracer<'a> {
    pub(crate) edges: EdgeStack,
    pub(crate) look: Look<'a>,
    pub(crate) store: &'a Store,
    /// The object being traced; null for a root source.
    pub(crate) current: RawHandle,
    pub(crate) side: &'a mut Side,
    /// A constant for the optimiser, as long as the loop that follows edges is one function.
    pub(crate) mode: Mode,
}

/// What becomes of an edge to a white object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It is followed; or gathered or recorded, where the stack has no room.
    Follow,
    /// It is followed beside readers and other markers: see `trace/beside.rs`.
    Beside,
    /// It is gathered, and the object stays white: the value of an ephemeron is traced.
    Gather,
}

impl<'a> Tracer<'a> {
    #[inline(always)]
    pub(crate) fn new(edges: EdgeStack, store: &'a Store, side: &'a mut Side) -> Self {
        Self { edges, look: store.look(), store, current: RawHandle::NULL, side, mode: Mode::Follow }
    }

    /// Pushes the handle if its slot was white, without a branch on that: it is a coin toss.
    #[inline(always)]
    fn push(&mut self, raw: RawHandle, white: bool, of: Tag) {
        if !self.edges.try_push(raw, white) && !record_edge(raw, of, self.side) {
            let edges = core::mem::take(&mut self.edges);
            self.edges = overflow(edges, raw, white, self.store, self.side);
        }
    }

    /// A strong edge: the object lives as long as the one being traced. A handle that does not resolve keeps
    /// nothing alive. O(1).
    #[inline(always)]
    pub fn edge<T: 'static>(&mut self, gc: Gc<T>) {
        if self.mode != Mode::Follow {
            return edge_apart::<T>(self.mode, self.look, gc.raw(), &mut self.side.gathered);
        }
        let white = self.look.take_white::<T>(gc.raw());
        self.push(gc.raw(), white, Tag::of::<T>());
    }

    /// A strong edge to each. What a root source reports this way when an incremental cycle begins is only
    /// recorded, at about 1 ns per handle, and followed within the budgets of the steps.
    #[inline(always)]
    pub fn edges<T: 'static>(&mut self, gcs: impl IntoIterator<Item = Gc<T>>) {
        if self.side.reported.defers && self.mode == Mode::Follow {
            return self.side.reported.add(gcs.into_iter());
        }
        for gc in gcs {
            self.edge(gc);
        }
    }

    /// A strong edge to an object whose type is known only at run time.
    #[inline]
    pub fn edge_any(&mut self, gc: AnyGc) {
        let white = match self.mode {
            Mode::Follow => self.store.take_white_any(gc.raw()),
            Mode::Beside => self.store.take_white_any_beside(gc.raw()),
            Mode::Gather if self.store.is_white_any(gc.raw().granule()) => {
                return self.side.gathered.push(gc.raw());
            }
            Mode::Gather => false,
        };
        self.push(gc.raw(), white, Tag::NONE);
    }

    /// An entry of an ephemeron table: the value's edges count once the key is marked (reached otherwise).
    /// Where ephemerons nest, all their keys must be. Takes O(1) besides tracing the value, in whatever order
    /// keys are reached. (Ephemerons: Hayes, OOPSLA 1997. Filing them under their key, instead of repeating
    /// over all tables, makes this linear.)
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Gc, Heap, Trace, Tracer, Weak};
    ///
    /// /// The name of an object, for as long as the object lives.
    /// struct Label { of: Weak<u32>, text: Gc<String> }
    ///
    /// impl Trace for Label {
    ///     fn trace(&self, tracer: &mut Tracer<'_>) {
    ///         tracer.ephemeron(self.of, &self.text);
    ///     }
    /// }
    ///
    /// let mut heap = Heap::new();
    /// let object = heap.alloc_root(1);
    /// let text = heap.alloc("one".to_string());
    /// let label = heap.alloc_root(Label { of: object.downgrade(), text });
    /// heap.collect();
    /// assert!(heap.is_alive(text));
    /// drop(object);
    /// heap.collect();
    /// assert!(!heap.is_alive(text));
    /// ```
    #[doc(alias("WeakMap"))]
    pub fn ephemeron<K: 'static, V: Trace>(&mut self, key: Weak<K>, value: &V) {
        if !V::NEEDS_TRACE {
            return;
        }
        // A key of made-up bits may name an object of another type: that is no key of this table.
        let color = match self.look.color::<K>(key.raw()) {
            Some(Color::Dead) if self.side.building.contains(&key.raw()) => Color::Reached,
            Some(color) => color,
            None => Color::Dead,
        };
        match color {
            Color::Reached => value.trace(self),
            // Another marker may reach the key at this moment; then nothing would release what waits for it.
            Color::White if self.mode == Mode::Beside => self.leave_to_heap(),
            Color::White => self.wait_for(key, value),
            Color::Dead if self.is_recording() => {
                self.record(Recorded::Ephemeron(key.raw(), Tag::of::<K>()));
                value.trace(RecordedEphemeron(self).0);
            }
            Color::Dead => {}
        }
    }

    /// Whether this trace only looks: it must not write anything, not even through `&`.
    pub(crate) fn is_recording(&self) -> bool {
        !matches!(self.side.report, Report::None)
    }

    /// Whether this trace only looks, and keeps no edges.
    pub(crate) fn is_counting(&self) -> bool {
        matches!(self.side.report, Report::Ignored)
    }

    pub(super) fn record(&mut self, found: Recorded) {
        self.side.report.push(found);
    }

    /// Reports that a lock is held, so that what is behind it could not be read. A walk that only looks (a
    /// snapshot) shows a gap there; one that needs everything (saving, cloning) fails with an error. A
    /// collection has exclusive access to the heap: there the lock is held by a leaked guard, and counts as
    /// holding no handles. std's locks call this themselves.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Gc, Inspector, Trace, Tracer};
    ///
    /// # mod spin {
    /// #     pub struct Lock<T>(pub std::sync::Mutex<T>);
    /// #     impl<T> Lock<T> {
    /// #         pub fn try_lock(&self) -> Option<std::sync::MutexGuard<'_, T>> { self.0.try_lock().ok() }
    /// #     }
    /// # }
    /// struct Mailbox(spin::Lock<Vec<Gc<String>>>); // a lock of another crate
    ///
    /// impl Trace for Mailbox {
    ///     fn trace(&self, tracer: &mut Tracer<'_>) {
    ///         if !tracer.interior_mutability() {
    ///             return;
    ///         }
    ///         match self.0.try_lock() {
    ///             Some(letters) => letters.trace(tracer),
    ///             None => tracer.locked(),
    ///         }
    ///     }
    ///     fn inspect(&self, inspector: &mut Inspector<'_>) {
    ///         match self.0.try_lock() {
    ///             Some(letters) => letters.inspect(inspector),
    ///             None => inspector.locked(),
    ///         }
    ///     }
    /// }
    /// ```
    pub fn locked(&mut self) {
        self.record(Recorded::Gap);
    }

    /// Prefetches the header of an object that will be read soon.
    #[inline]
    pub(crate) fn prefetch<T>(&self, weak: Weak<T>) {
        self.prefetch_header(weak.raw().granule());
    }

    /// Whether the object at this place was not reached yet.
    pub(crate) fn is_place_white(&self, granule: Granule) -> bool {
        self.store.is_white_any(granule)
    }

    /// As `prefetch`, of the object at this place.
    #[inline]
    pub(crate) fn prefetch_header(&self, granule: Granule) {
        self.look.prefetch_near(granule);
    }

    /// Requests this object's [`prune`](Trace::prune) in this cycle. In a root source it does nothing.
    #[inline]
    pub fn weak_collection(&mut self) {
        if self.mode == Mode::Beside {
            return self.leave_to_heap();
        }
        self.side.weak_collections = self.side.weak_collections.wrapping_add(1);
        // An object with several weak collections calls this once for each, and again whenever it is traced.
        if !self.current.is_null() && self.store.set_weak_owner(self.current, true) {
            self.side.weak_owners.push(self.current);
        }
    }

    /// Reports that this object's edges can change through a shared reference, as those in a `Mutex` can: no
    /// write barrier sees that, so the object is traced again at the end of every collection, minor ones
    /// included. `Mutex`, `RwLock` and `OnceLock` of std call this themselves. In a root source it does
    /// nothing. Where many objects have a lock, `GcRwLock` is the better one: it tells the heap when it is
    /// written.
    ///
    /// Returns whether the edges may be read now: if not, report none of them, and do not touch the lock. The
    /// object is then traced once more before marking ends. This happens in
    /// [`step_shared`](crate::Heap::step_shared), beside threads that read: none of them ever waits for a
    /// marker at a lock.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Gc, Trace, Tracer};
    ///
    /// /// A lock of another crate.
    /// struct Lock<T>(std::sync::Mutex<T>);
    /// struct Mailbox(Lock<Vec<Gc<String>>>);
    ///
    /// impl Trace for Mailbox {
    ///     fn trace(&self, tracer: &mut Tracer<'_>) {
    ///         if tracer.interior_mutability() {
    ///             tracer.edges(self.0.0.lock().unwrap().iter().copied());
    ///         }
    ///     }
    /// }
    /// ```
    #[inline]
    #[must_use = "where it returns false, no lock may be touched"]
    pub fn interior_mutability(&mut self) -> bool {
        if self.mode == Mode::Beside {
            self.leave_to_heap();
            return false;
        }
        self.side.unguarded_values = self.side.unguarded_values.wrapping_add(1);
        if !self.current.is_null() && self.side.unguarded.last() != Some(&self.current) {
            self.side.unguarded.push(self.current);
        }
        true
    }

    /// The same for a lock that tells when it is written: the object is traced again only then. Where nobody
    /// would look for what it tells, it is a lock like any other.
    #[cfg(feature = "std")]
    pub(super) fn noted_mutability(&mut self, listeners: &Lock<Listeners>) -> bool {
        let is_in_table = self.side.nested > 0;
        if self.mode != Mode::Follow || self.is_recording() || is_in_table || self.current.is_null() {
            return self.interior_mutability();
        }
        self.side.notes.leave(self.current, listeners);
        true
    }

    /// The heap and its latest full cycle: a root source that reported everything in an epoch reports only
    /// changes as long as the epoch is the same. A full cycle begins a new epoch, and so does one that
    /// replaces an abandoned one. `None` in walks that only look, which do not count as reports.
    pub fn epoch(&self) -> Option<Epoch> {
        let is_cycle = self.side.era.full > 0 && !self.is_recording();
        is_cycle.then(|| Epoch { heap: self.store.heap_number(), cycle: self.side.era.full })
    }

    /// The current cycle.
    pub(crate) fn era(&self) -> Era {
        self.side.era
    }

    /// How often values reported so far that they change through a shared reference.
    pub(crate) fn unguarded_values(&self) -> usize {
        self.side.unguarded_values
    }

    pub(crate) fn weak_collections(&self) -> usize {
        self.side.weak_collections
    }

    /// A table begins to trace its entries, until the returned value is dropped.
    pub(crate) fn nest(&mut self) -> Nested<'_, 'a> {
        self.side.nested += 1;
        Nested(self)
    }

    /// Whether the table that is tracing its entries may leave some to another call: it is directly in an
    /// object, which will be traced again.
    pub(crate) fn may_leave_unfinished(&self) -> bool {
        self.side.nested == 1 && !self.current.is_null()
    }

    /// Causes the object to be traced once more before marking ends.
    pub(crate) fn leave_unfinished(&mut self) {
        if !self.is_left_unfinished() {
            self.side.unfinished.push(self.current);
        }
    }

    /// Whether the object will be traced once more, as far as its tables have been traced.
    pub(crate) fn is_left_unfinished(&self) -> bool {
        self.side.unfinished.last() == Some(&self.current)
    }

    /// Entries that the table may trace now.
    pub(crate) fn slice(&self) -> usize {
        self.side.slice
    }

    /// Entries are traced beyond any budget.
    pub(crate) fn grant(&mut self, entries: usize) {
        self.side.granted += entries;
    }

    pub(crate) fn spend(&mut self, entries: usize) {
        self.side.slice = self.side.slice.saturating_sub(entries);
    }
}

/// What [`Tracer::push`] does when the stack has no room and the trace only looks; `false` if it does not.
/// Short, since such a trace comes here with every edge. Does not take the stack, which would be passed
/// through memory, written and read in pieces of different sizes.
#[cold]
#[inline(never)]
fn record_edge(raw: RawHandle, of: Tag, side: &mut Side) -> bool {
    // White or not: the store is empty and does not know the object.
    match &mut side.report {
        #[cfg(feature = "inspect")]
        Report::List(list) => list.push(Recorded::Edge(raw, of)),
        Report::Words(words) => words.push_edge(raw, of),
        Report::Ignored => {}
        Report::None => return false,
    }
    true
}

/// What [`Tracer::push`] does when the stack has no room: makes some, or gathers. By value, see
/// [`EdgeStack`].
#[cold]
#[inline(never)]
fn overflow(mut edges: EdgeStack, raw: RawHandle, white: bool, store: &Store, side: &mut Side) -> EdgeStack {
    if !side.gathering {
        edges.make_room(&mut side.spill);
        edges.try_push(raw, white);
    } else if white {
        store.put_white_back(raw);
        side.gathered.push(raw);
    }
    edges
}

impl core::fmt::Debug for Tracer<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Tracer").field("current", &self.current).finish_non_exhaustive()
    }
}
