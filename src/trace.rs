//! How objects tell the collector what they refer to.
//!
//! [`Trace`] is the safe trait that every object implements; a [`Tracer`] takes down the edges. It knows a
//! buffer of edges and the white bits, not the collector that will follow them. [`Liveness`] is what weak
//! collections ask when they drop their dead entries.

mod aside;
mod chunks;
mod edges;
pub(crate) mod field;
mod impls;
mod waiting;

use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use bumpalo::Bump;

use crate::handle::{AnyGc, Gc, RawHandle, Weak};
use crate::page::{Color, Headers, Look, Store};
use crate::root::Root;

pub(crate) use aside::Aside;
pub(crate) use edges::{EdgeStack, Spill};
pub use impls::Untraced;
pub(crate) use waiting::Waiting;

/// What can live in a heap.
///
/// Derive it: `#[derive(Trace)]`. The derive reports every field; `#[trace(skip)]` leaves out a field of a
/// foreign type that holds no handles, as [`Untraced`] does inside a std container.
///
/// The trait is safe. A `trace` that forgets an edge loses that object early, and handles to it give `None`;
/// one that reports too much keeps garbage. Neither is undefined behaviour.
///
/// Not implemented for [`Root`](crate::Root), since one inside an object would keep what it holds alive for
/// ever, nor for `Cell` and `RefCell`: all mutation goes through `&mut Heap`. Types with interior mutability
/// that are `Sync` (`Mutex`, `RwLock`) are allowed.
///
/// # Examples
/// ```
/// use slotgc::{Gc, Heap, Trace, Weak};
///
/// #[derive(Trace)]
/// struct Mob {
///     name: String,
///     goals: Vec<Gc<Goal>>,
///     target: Weak<Mob>, // keeps nothing alive
///     #[trace(skip)]
///     started: std::time::Instant,
/// }
///
/// #[derive(Trace)]
/// enum Goal {
///     Guard(Gc<Mob>),
///     Sleep,
/// }
///
/// let mut heap = Heap::new();
/// let sleep = heap.alloc(Goal::Sleep);
/// let started = std::time::Instant::now();
/// let mob = heap.alloc_root(Mob { name: "Bear".into(), goals: vec![sleep], target: Weak::dangling(), started });
/// let guard = heap.alloc(Goal::Guard(mob.gc()));
/// heap[&mob].goals.push(guard); // a cycle, no leak
/// heap.collect();
/// assert_eq!(heap.len(), 3);
/// drop(mob);
/// heap.collect();
/// assert_eq!(heap.len(), 0);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement `Trace`, so it cannot live in a GC heap",
    label = "`Trace` is not implemented for `{Self}`",
    note = "for a type of your own: `#[derive(slotgc::Trace)]`",
    note = "for a foreign type that holds no handles: `#[trace(skip)]` on the field, or `slotgc::Untraced<{Self}>` inside a container"
)]
pub trait Trace: Send + Sync + 'static {
    /// `false` says that values of this type never hold a handle: they are never visited, and changing them
    /// passes no write barrier.
    const NEEDS_TRACE: bool = true;

    /// Reports every strong edge.
    ///
    /// A panic here abandons the collection: nothing is freed, and the panic reaches the caller of `collect`.
    fn trace(&self, tracer: &mut Tracer<'_>);

    /// Drops the entries of weak collections in this value whose target died. Called on live objects whose
    /// `trace` asked for it ([`Tracer::weak_collection`]), after marking and before anything is freed.
    ///
    /// # Examples
    /// A weak list of one's own:
    /// ```
    /// use slotgc::{Heap, Liveness, Trace, Tracer, Weak};
    ///
    /// struct Listeners(Vec<Weak<String>>);
    ///
    /// impl Trace for Listeners {
    ///     fn trace(&self, tracer: &mut Tracer<'_>) {
    ///         tracer.weak_collection();
    ///     }
    ///     fn prune(&mut self, live: &Liveness<'_>) {
    ///         self.0.retain(|listener| live.is_live(listener) || { live.set_aside(()); false });
    ///     }
    /// }
    ///
    /// let mut heap = Heap::new();
    /// let (kept, lost) = (heap.alloc_root("kept".to_string()), heap.alloc("lost".to_string()));
    /// let list = heap.alloc_root(Listeners(vec![kept.downgrade(), lost.downgrade()]));
    /// assert_eq!(heap.collect().pruned, 1);
    /// assert_eq!(heap[&list].0, [kept.downgrade()]);
    /// ```
    fn prune(&mut self, live: &Liveness<'_>) {
        let _ = live;
    }
}

mod sealed {
    pub trait Sealed {}
}

/// Anything that names an object: [`Gc`], [`Weak`], `&Root`, and references to the first two, as iterators
/// give them. The methods of [`Heap`](crate::Heap) take any of these.
pub trait Handle: Copy + sealed::Sealed {
    /// The type of the object.
    type Target: Trace;

    /// The weak handle of the object.
    fn downgrade(self) -> Weak<Self::Target>;
}

/// What is a handle, and how it becomes a weak one.
macro_rules! handles {
    ($($handle:ty),*) => {$(
        impl<T> sealed::Sealed for $handle {}

        impl<T: Trace> Handle for $handle {
            type Target = T;

            #[inline(always)]
            fn downgrade(self) -> Weak<T> {
                self.into()
            }
        }
    )*};
}

handles!(Gc<T>, Weak<T>, &Gc<T>, &Weak<T>, &Root<T>);

/// How many handles ahead a loop over a weak collection asks for their headers.
pub(crate) const LOOK_AHEAD: usize = 16;

/// A cycle of some heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Moment {
    /// The heap's number, from one on.
    pub(crate) heap: u32,
    /// The cycle's.
    pub(crate) cycle: u32,
}

/// Which cycle is under way, and what it takes for granted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Era {
    pub(crate) now: Moment,
    /// The first cycle of this heap after which nothing died but what was young, or in `destroyed` of the collector.
    pub(crate) since: u32,
    pub(crate) is_minor: bool,
}

impl Era {
    /// The same cycle, by another number.
    pub(crate) fn again(self) -> Self {
        let now = Moment { cycle: self.now.cycle + 1, ..self.now };
        Self { now, since: now.cycle, ..self }
    }

    /// Whether what an earlier cycle found alive is old and alive now.
    pub(crate) fn knows(&self, then: Moment) -> bool {
        self.is_minor && then.heap == self.now.heap && then.cycle >= self.since
    }
}

/// An object that the program destroyed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destroyed {
    /// The cycle under way then, or the last one before.
    pub(crate) cycle: u32,
    pub(crate) raw: RawHandle,
}

/// What a trace needs besides edges, out of the way of the loop that follows them.
#[derive(Default)]
pub(crate) struct Side {
    pub(crate) era: Era,
    /// Whether edges are gathered instead of followed: see [`EdgeStack`].
    pub(crate) gathering: bool,
    /// The edges gathered: to white slots, whose bits stay set.
    pub(crate) gathered: Vec<RawHandle>,
    /// Edges to follow that found no room on the stack.
    pub(crate) spill: Spill,
    /// Objects that asked for their `prune`.
    pub(crate) weak_owners: Vec<RawHandle>,
    /// Ephemerons whose key has not been reached.
    pub(crate) waiting: Waiting,
    /// Handles given out by `alloc_cyclic` whose object is still being made: alive, though they do not resolve.
    pub(crate) building: Vec<RawHandle>,
    /// Objects that change through `&`, past the write barrier.
    pub(crate) unguarded: Vec<RawHandle>,
    /// Later tenants of slots that stale edges name, whose white bits were cleared by those edges.
    pub(crate) tenants: Vec<RawHandle>,
    /// Objects with a table that is traced in part, because the slice was used up.
    pub(crate) paused: Vec<RawHandle>,
    /// Entries of tables that may be traced until the next clock is read.
    pub(crate) slice: usize,
    /// Entries that were traced at once because the program would not let their table be traced in slices.
    pub(crate) granted: usize,
    /// Tables being traced inside of each other, and entries that wait.
    pub(crate) nested: usize,
    /// Calls of [`Tracer::weak_collection`].
    pub(crate) weak_collections: usize,
}

/// Takes down the edges of an object, or of a root source.
pub struct Tracer<'a> {
    pub(crate) edges: EdgeStack,
    pub(crate) look: Look<'a>,
    pub(crate) store: &'a Store,
    /// The object being traced; null for a root source.
    pub(crate) current: RawHandle,
    pub(crate) side: &'a mut Side,
}

impl<'a> Tracer<'a> {
    #[inline(always)]
    pub(crate) fn new(edges: EdgeStack, store: &'a Store, side: &'a mut Side) -> Self {
        Self { edges, look: store.look(), store, current: RawHandle::NULL, side }
    }

    /// Pushes the handle if its slot was white, without a branch on that: it is a coin toss.
    #[inline(always)]
    fn push(&mut self, raw: RawHandle, white: bool) {
        if !self.edges.try_push(raw, white) {
            let edges = core::mem::take(&mut self.edges);
            self.edges = overflow(edges, raw, white, self.store, self.side);
        }
    }

    /// A strong edge: the object lives as long as the one being traced. A handle that does not resolve keeps
    /// nothing alive. O(1).
    #[inline(always)]
    pub fn edge<T: Trace>(&mut self, gc: Gc<T>) {
        let white = self.look.take_white::<T>(gc.raw());
        self.push(gc.raw(), white);
    }

    /// A strong edge to each.
    #[inline(always)]
    pub fn edges<T: Trace>(&mut self, gcs: impl IntoIterator<Item = Gc<T>>) {
        for gc in gcs {
            self.edge(gc);
        }
    }

    /// A strong edge to an object whose type is known at run time only.
    #[inline]
    pub fn edge_any(&mut self, gc: AnyGc) {
        let white = self.store.take_white_any(gc.raw());
        self.push(gc.raw(), white);
    }

    /// An entry of an ephemeron table: the value's edges count once the key is marked (reached otherwise).
    /// Where ephemerons nest, all their keys must be. Takes O(1) besides what tracing the value takes, in
    /// whatever order keys are reached. (Ephemerons: Hayes, OOPSLA 1997. Waiting on the key instead of
    /// repeating over all tables is what makes it linear.)
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Gc, Heap, Trace, Tracer, Weak};
    ///
    /// /// The name of an object, for as long as there is the object.
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
    pub fn ephemeron<K: Trace, V: Trace>(&mut self, key: Weak<K>, value: &V) {
        if !V::NEEDS_TRACE {
            return;
        }
        // A key of made-up bits may name an object of another type: no key of this table.
        let color = match self.look.is_page_of::<K>(key.raw().granule()) {
            true => self.color_of_key(key.raw()),
            false => Color::Dead,
        };
        match color {
            Color::Reached => value.trace(self),
            Color::White => self.wait_for(key.raw(), value),
            Color::Dead => {}
        }
    }

    /// Asks for the header of an object that will be looked at soon.
    #[inline]
    pub(crate) fn prefetch<T>(&self, weak: Weak<T>) {
        self.look.prefetch_near(weak.raw().granule());
    }

    /// Asks for this object's [`prune`](Trace::prune) in this cycle. In a root source it does nothing.
    #[inline]
    pub fn weak_collection(&mut self) {
        self.side.weak_collections = self.side.weak_collections.wrapping_add(1);
        // An object with several weak collections asks once for each, and again whenever it is traced.
        if !self.current.is_null() && self.store.set_weak_owner(self.current, true) {
            self.side.weak_owners.push(self.current);
        }
    }

    /// Says that this object's edges can change through a shared reference, as those in a `Mutex` can: no write
    /// barrier sees that, so the object is traced again at the end of every collection, minor ones included.
    /// `Mutex`, `RwLock` and `OnceLock` of std say it themselves. In a root source it does nothing.
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
    ///         tracer.interior_mutability();
    ///         tracer.edges(self.0.0.lock().unwrap().iter().copied());
    ///     }
    /// }
    /// ```
    #[inline]
    pub fn interior_mutability(&mut self) {
        if !self.current.is_null() && self.side.unguarded.last() != Some(&self.current) {
            self.side.unguarded.push(self.current);
        }
    }

    /// The cycle under way.
    pub(crate) fn era(&self) -> Era {
        self.side.era
    }

    pub(crate) fn weak_collections(&self) -> usize {
        self.side.weak_collections
    }

    /// A table begins or ends to trace its entries.
    pub(crate) fn nest(&mut self, begins: bool) {
        match begins {
            true => self.side.nested += 1,
            false => self.side.nested -= 1,
        }
    }

    /// Whether the table that is tracing its entries may leave some to another call: it is one of an object's own, which
    /// will be traced again.
    pub(crate) fn may_pause(&self) -> bool {
        self.side.nested == 1 && !self.current.is_null()
    }

    /// Has the object traced once more before marking ends.
    pub(crate) fn pause(&mut self) {
        if self.side.paused.last() != Some(&self.current) {
            self.side.paused.push(self.current);
        }
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

    pub(crate) fn color_of_key(&self, key: RawHandle) -> Color {
        match self.store.color_any(key) {
            Color::Dead if self.side.building.contains(&key) => Color::Reached,
            color => color,
        }
    }

    /// Sets the value's edges aside until the key is marked.
    fn wait_for<V: Trace>(&mut self, key: RawHandle, value: &V) {
        let start = self.side.gathered.len();
        let edges = core::mem::take(&mut self.edges);
        let gathering = core::mem::replace(&mut self.side.gathering, true);
        let record = self.side.waiting.begin(key);
        self.side.nested += 1;
        value.trace(self);
        self.side.nested -= 1;
        self.side.waiting.end(self.store, record, &self.side.gathered[start..]);
        self.side.gathered.truncate(start);
        self.side.gathering = gathering;
        self.edges = edges;
    }

    /// Lets go what waits for this object.
    pub(crate) fn release(&mut self, key: RawHandle) {
        let mut next = self.side.waiting.take(self.store, key);
        while let Some(record) = next {
            let (first_edge, more_edges, mut nested) = self.side.waiting.release(record);
            if let Some(edge) = first_edge {
                self.edge_any(AnyGc::from_raw(edge));
            }
            for index in more_edges {
                let edge = self.side.waiting.edge(index);
                self.edge_any(AnyGc::from_raw(edge));
            }
            while let Some(inner) = nested {
                nested = self.side.waiting.next(inner);
                match self.color_of_key(self.side.waiting.key(inner)) {
                    // Its turn comes right after this record's.
                    Color::Reached => self.side.waiting.link_after(record, inner),
                    Color::White => self.side.waiting.file(self.store, inner),
                    Color::Dead => {}
                }
            }
            next = self.side.waiting.next(record);
        }
    }
}

/// What [`Tracer::push`] does when the stack has no room: makes some, or gathers. By value, see [`EdgeStack`].
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

/// When liveness is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum During {
    /// In a collection, marking done: what is white is dead.
    Collection(Era),
    /// Outside of one: what resolves is alive.
    Mutation,
}

/// Which objects are alive, asked by weak collections when marking is done.
pub struct Liveness<'a> {
    headers: Headers<'a>,
    /// When it is asked.
    during: During,
    /// Objects under construction.
    building: &'a [RawHandle],
    pruned: Cell<usize>,
    aside: &'a RefCell<Aside>,
    scratch: &'a Bump,
    /// Old objects that the program destroyed, as far back as a minor collection knows tables, in order.
    destroyed: &'a [Destroyed],
    /// Entries of tables that may be looked at in this call.
    slice: Cell<usize>,
    /// Whether a table was not finished.
    paused: Cell<bool>,
}

impl<'a> Liveness<'a> {
    /// With no limit.
    pub(crate) fn new(
        headers: Headers<'a>,
        during: During,
        building: &'a [RawHandle],
        aside: &'a RefCell<Aside>,
        scratch: &'a Bump,
    ) -> Self {
        Self {
            headers,
            during,
            building,
            pruned: Cell::new(0),
            aside,
            scratch,
            destroyed: &[],
            slice: Cell::new(usize::MAX),
            paused: Cell::new(false),
        }
    }

    pub(crate) fn in_slices(mut self, slice: usize, destroyed: &'a [Destroyed]) -> Self {
        self.slice.set(slice);
        self.destroyed = destroyed;
        self
    }

    /// Entries that tables may look at now.
    pub(crate) fn slice(&self) -> usize {
        self.slice.get()
    }

    pub(crate) fn spend(&self, entries: usize) {
        self.slice.set(self.slice.get().saturating_sub(entries));
    }

    /// Has the owner's `prune` called once more.
    pub(crate) fn pause(&self) {
        self.paused.set(true);
    }

    pub(crate) fn has_paused(&self) -> bool {
        self.paused.get()
    }

    pub(crate) fn destroyed(&self) -> &'a [Destroyed] {
        self.destroyed
    }

    /// Asks for the header of an object whose liveness will be asked for soon.
    pub(crate) fn prefetch<T>(&self, weak: Weak<T>) {
        self.headers.prefetch(weak.raw());
    }

    /// Whether the object lives on. O(1); touches the object's page.
    #[inline]
    pub fn is_live(&self, h: impl Handle) -> bool {
        self.is_live_weak(h.downgrade())
    }

    #[inline]
    fn is_live_weak<T: Trace>(&self, weak: Weak<T>) -> bool {
        let raw = weak.raw();
        let in_cycle = matches!(self.during, During::Collection(_));
        if let Some(is_live) = self.headers.is_live_by_bits::<T>(raw, in_cycle) {
            return is_live;
        }
        match self.headers.is_alive::<T>(raw) {
            true => !in_cycle || !self.headers.is_white::<T>(raw),
            false => self.building.contains(&raw) && self.headers.is_of::<T>(raw),
        }
    }

    /// Takes a removed entry: it counts as one pruned entry and is dropped once the heap is in its final
    /// state, so that its destructor is no part of the pruning.
    pub fn set_aside<X: Send + 'static>(&self, entry: X) {
        self.count_pruned(1);
        self.put_aside(entry);
    }

    /// Takes a removed entry that is counted elsewhere.
    pub(crate) fn put_aside<X: Send + 'static>(&self, entry: X) {
        self.aside.borrow_mut().push(entry);
    }

    /// The cycle that asks, if it is one.
    pub(crate) fn era(&self) -> Option<&Era> {
        match &self.during {
            During::Collection(era) => Some(era),
            During::Mutation => None,
        }
    }

    /// Counts removed entries.
    pub(crate) fn count_pruned(&self, entries: usize) {
        self.pruned.set(self.pruned.get() + entries);
    }

    /// Whether each of these objects lives on, to be asked for in the same order. Judged before the entries are
    /// touched, so that the headers of the next objects arrive meanwhile.
    pub(crate) fn verdicts<T: Trace>(&self, handles: impl Iterator<Item = Weak<T>> + Clone) -> Verdicts<'_> {
        let len = handles.size_hint().0;
        let mut bits = bumpalo::collections::Vec::with_capacity_in(len.div_ceil(64), self.scratch);
        let mut ahead = handles.clone().skip(LOOK_AHEAD);
        for (index, weak) in handles.enumerate() {
            if let Some(weak) = ahead.next() {
                self.headers.prefetch(weak.raw());
            }
            if index % 64 == 0 {
                bits.push(0_u64);
            }
            bits[index / 64] |= u64::from(self.is_live_weak(weak)) << (index % 64);
        }
        Verdicts { bits, next: 0 }
    }

    pub(crate) fn pruned(&self) -> usize {
        self.pruned.get()
    }
}

/// Answers of [`Liveness::verdicts`], in the order of its questions.
pub(crate) struct Verdicts<'a> {
    bits: bumpalo::collections::Vec<'a, u64>,
    next: usize,
}

impl Verdicts<'_> {
    /// Whether the next object lives on.
    #[inline]
    pub(crate) fn next(&mut self) -> bool {
        let index = self.next;
        self.next += 1;
        self.bits[index / 64] >> (index % 64) & 1 != 0
    }
}

impl core::fmt::Debug for Liveness<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Liveness").field("pruned", &self.pruned).finish_non_exhaustive()
    }
}

/// Roots that live outside of the heap: in a VM's stack, in the components of an ECS world.
///
/// Asked by [`collect_with`](crate::Heap::collect_with) at the beginning of marking. Implemented for closures
/// (see [`roots`]), for slices, arrays, `Vec` and `Option` of anything that implements [`Trace`], for tuples
/// of references to sources, and for `()`, which has none. A slice goes in as `&&v[..]`.
///
/// # Examples
/// A VM that owns its heap:
/// ```
/// use slotgc::{Gc, Heap, RootSource, Tracer};
///
/// #[derive(Default)]
/// struct State { stack: Vec<Gc<String>> }
///
/// impl RootSource for State {
///     fn trace_roots(&self, tracer: &mut Tracer<'_>) {
///         tracer.edges(self.stack.iter().copied());
///     }
/// }
///
/// #[derive(Default)]
/// struct Vm { heap: Heap, state: State }
///
/// let mut vm = Vm::default();
/// let text = vm.heap.alloc("kept by the stack".to_string());
/// vm.state.stack.push(text);
/// vm.heap.collect_with(&vm.state);
/// assert!(vm.heap.is_alive(text));
/// ```
pub trait RootSource {
    /// Reports every handle whose object must live on.
    fn trace_roots(&self, tracer: &mut Tracer<'_>);
}

/// Lets a closure be a root source without naming its argument's type.
///
/// # Examples
/// ```
/// use slotgc::{Heap, roots};
///
/// let mut heap = Heap::new();
/// let query = [(heap.alloc(1),), (heap.alloc(2),)];
/// heap.collect_with(&roots(|t| t.edges(query.iter().map(|component| component.0))));
/// assert_eq!(heap.len(), 2);
/// ```
pub fn roots<F: Fn(&mut Tracer<'_>)>(f: F) -> F {
    f
}
