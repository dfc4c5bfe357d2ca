//! The settings of a heap, and its errors.

mod dead;

use core::error::Error;
use core::fmt;
use core::time::Duration;

use crate::clock::{Clock, Timer};
use crate::handle::{Generation, ShortName};

pub use dead::Dead;
#[cfg(gc_zeal)]
pub(crate) use dead::Death;
pub(crate) use dead::{Cause, Obituary};

/// Settings of a [`Heap`](crate::Heap). Builder methods take and return it by value.
///
/// # Examples
/// ```
/// use slotgc::{Heap, HeapConfig};
///
/// let mut heap = Heap::with_config(HeapConfig::default().max_objects(1));
/// assert!(heap.try_alloc(1).is_ok());
/// assert_eq!(heap.try_alloc(2).unwrap_err().into_inner(), 2);
/// ```
#[derive(Clone, Debug)]
pub struct HeapConfig {
    max_objects: usize,
    max_bytes: usize,
    max_owned_bytes: usize,
    first_generation: u32,
    nursery_bytes: usize,
    growth: f32,
    ceiling_bytes: Option<usize>,
    release_after: u32,
    collects_new: bool,
    stress: bool,
    root_origins: bool,
    mark_threads: usize,
    clock: Clock,
}

impl Default for HeapConfig {
    fn default() -> Self {
        Self {
            max_objects: usize::MAX,
            max_bytes: usize::MAX,
            max_owned_bytes: usize::MAX,
            first_generation: 1,
            nursery_bytes: 256 << 10,
            growth: 0.5,
            ceiling_bytes: None,
            release_after: 2,
            collects_new: false,
            stress: false,
            root_origins: cfg!(debug_assertions),
            mark_threads: 1,
            clock: Clock::default(),
        }
    }
}

impl HeapConfig {
    /// The last generation a slot can have. A slot that has reached it is retired: never used again.
    pub const MAX_GENERATION: u32 = u32::MAX;

    /// At most this many objects alive at once, garbage included. Default: no limit.
    #[must_use]
    pub fn max_objects(mut self, objects: usize) -> Self {
        self.max_objects = objects;
        self
    }

    /// At most this many bytes in objects, each counted as its slot: `size_of::<T>()`, the header of 8 bytes
    /// and padding. What objects own elsewhere (a `Vec`'s buffer) is not counted. Default: no limit.
    ///
    /// It also determines how much address space the heap reserves: about twice as much, up to 32 GiB.
    /// Without a limit that is 32 GiB, or 4 where the process has hundreds of heaps, or an eighth of what is
    /// left of the process's own limit (`ulimit -v`).
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// A ceiling, not a limit, for what objects own outside their slots
    /// ([`Trace::owned_bytes`](crate::Trace::owned_bytes),
    /// [`Heap::set_owned_bytes`](crate::Heap::set_owned_bytes)). Nothing is refused:
    /// [`Heap::pace`](crate::Heap::pace) finishes a collection, whatever its budget, when more is owned.
    /// Afterwards at most the ceiling is owned, if that much can be freed; if living objects own more, the
    /// next collection comes as if there were no ceiling. Default: none.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Budget, Heap, HeapConfig};
    ///
    /// let mut heap = Heap::with_config(HeapConfig::default().max_owned_bytes(1 << 20));
    /// for _ in 0..100 {
    ///     heap.alloc(vec![0_u8; 1 << 16]);
    ///     heap.pace(Budget::Objects(1));
    ///     assert!(heap.stats().owned_bytes <= 1 << 20);
    /// }
    /// ```
    #[must_use]
    pub fn max_owned_bytes(mut self, bytes: usize) -> Self {
        self.max_owned_bytes = bytes;
        self
    }

    /// The generation at which a fresh slot starts; an even number means the next odd one. Default: 1.
    ///
    /// Heaps that start at different generations notice a handle that strayed from one to the other: it
    /// resolves to nothing instead of to the object that happens to live in that slot.
    #[must_use]
    pub fn first_generation(mut self, generation: u32) -> Self {
        self.first_generation = generation | 1;
        self
    }

    /// How many bytes of new objects make a minor collection worthwhile for [`pace`](crate::Heap::pace).
    /// Default: 256 KiB. Below that `pace` does nothing, so a tiny heap is left alone.
    #[must_use]
    pub fn nursery_bytes(mut self, bytes: usize) -> Self {
        self.nursery_bytes = bytes;
        self
    }

    /// How much a heap grows before [`pace`](crate::Heap::pace) begins a full cycle, as a fraction of what
    /// the last one left alive. Default: 0.5. Less means less memory and more work.
    ///
    /// # Panics
    /// If it is negative or not a number.
    #[must_use]
    pub fn growth(mut self, part: f32) -> Self {
        assert!(part >= 0.0, "slotgc: the growth of a heap must be zero or more, not {part}");
        self.growth = part;
        self
    }

    /// How many bytes a heap grows at most, counted from what the last full cycle left alive, before
    /// [`pace`](crate::Heap::pace) finishes the cycle whatever its budget, even if the heap is
    /// [paused](crate::Heap::pause). Default: as many as are alive, and at least 32 MiB.
    ///
    /// So between two calls of `pace` a heap has no more bytes than the sum of what was alive, the ceiling,
    /// and what the program allocates between the two.
    #[must_use]
    pub fn ceiling_bytes(mut self, bytes: usize) -> Self {
        self.ceiling_bytes = Some(bytes);
        self
    }

    /// When memory is returned to the system: a page that this many full cycles in a row left empty, and that
    /// was not used between them, is returned by the next, in slices like everything else. A heap whose size
    /// goes up and down with each cycle keeps its pages. A larger number keeps them for longer ups and downs;
    /// `u32::MAX` keeps all memory until
    /// [`Heap::shrink_to_fit`](crate::Heap::shrink_to_fit). Default: 2.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Heap, HeapConfig};
    ///
    /// let mut heap = Heap::with_config(HeapConfig::default().release_after(1));
    /// (0..100_000_u64).for_each(|number| { heap.alloc(number); });
    /// heap.collect(); // empty now
    /// assert!(heap.stats().pages > 0);
    /// heap.collect(); // and still empty
    /// assert_eq!(heap.stats().pages, 0);
    /// ```
    #[must_use]
    pub fn release_after(mut self, full_cycles: u32) -> Self {
        self.release_after = full_cycles;
        self
    }

    /// Whether a full cycle may free objects that were allocated while it marks, if nothing reaches them.
    /// Otherwise all of them survive it. Default: `false`.
    ///
    /// A program that allocates many temporary objects in each frame should set this: a cycle of a hundred
    /// frames then frees theirs too, instead of tracing and keeping them. It does so as for a minor
    /// collection: a bare [`Gc`](crate::Gc) to a new object must not be in flight when a step begins.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Budget, Heap, HeapConfig, Phase};
    ///
    /// let mut heap = Heap::with_config(HeapConfig::default().collect_new(true));
    /// let world = heap.alloc_root(vec![]);
    /// while heap.step(Budget::Objects(1)).phase < Phase::Mark {}
    ///
    /// let (bullet, smoke) = (heap.alloc("bullet"), heap.alloc("smoke"));
    /// heap[&world].push(bullet);
    /// heap.step(Budget::Unlimited);
    /// assert_eq!((heap.is_alive(bullet), heap.is_alive(smoke)), (true, false));
    /// ```
    #[must_use]
    pub fn collect_new(mut self, collect: bool) -> Self {
        self.collects_new = collect;
        self
    }

    /// Every [`pace`](crate::Heap::pace) is a full collection whatever its budget, and
    /// [`is_due`](crate::Heap::is_due) is always true: finds handles that nothing keeps alive. Default:
    /// `false`.
    #[must_use]
    pub fn stress(mut self, stress: bool) -> Self {
        self.stress = stress;
        self
    }

    /// Every [`Root`](crate::Root) remembers where it was made: the file and line of the call to
    /// [`alloc_root`](crate::Heap::alloc_root) or [`root`](crate::Heap::root), shown by paths and snapshots.
    /// Costs a lock and an entry in a table for each root that is made and for each whose last clone is
    /// dropped. Default: in builds with debug assertions.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Heap, HeapConfig};
    ///
    /// let mut heap = Heap::with_config(HeapConfig::default().root_origins(true));
    /// let root = heap.alloc_root("Teddy");
    /// # #[cfg(feature = "inspect")]
    /// assert!(heap.why_alive(&root).unwrap().origin().unwrap().file().ends_with(".rs"));
    /// ```
    #[must_use]
    pub fn root_origins(mut self, remember: bool) -> Self {
        self.root_origins = remember;
        self
    }

    /// How many threads mark in [`collect`](crate::Heap::collect) and the like: the caller, and others that
    /// are started once there is enough to do and end with the call. Steps and minor collections use only the
    /// caller. Default: 1.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Heap, HeapConfig};
    ///
    /// let mut heap = Heap::with_config(HeapConfig::default().mark_threads(2));
    /// let kept = heap.alloc_root("kept");
    /// heap.collect();
    /// assert!(heap.is_alive(&kept));
    /// ```
    #[cfg(feature = "std")]
    #[must_use]
    pub fn mark_threads(mut self, threads: usize) -> Self {
        self.mark_threads = threads;
        self
    }

    /// Where budgets of time and the times in reports come from: a function that returns the time since some
    /// moment. Default: the system's clock. Without one (the feature `std` off, bare WebAssembly) and without
    /// this, times are zero and a budget of time counts as one object for each 50 ns.
    ///
    /// # Examples
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use std::time::Duration;
    /// use slotgc::{Budget, Heap, HeapConfig};
    ///
    /// static MICROS: AtomicU64 = AtomicU64::new(0);
    ///
    /// // A clock that advances by a microsecond whenever it is read.
    /// let now = || Duration::from_micros(MICROS.fetch_add(1, Ordering::Relaxed));
    /// let mut heap = Heap::with_config(HeapConfig::default().clock(now));
    /// let report = heap.step(Budget::Time(Duration::from_millis(1)));
    /// assert!(report.time > Duration::ZERO);
    /// ```
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.clock = Clock::supplied(now);
        self
    }

    /// Reads the clock for the duration of one call.
    pub(crate) fn timer(&self) -> Timer {
        self.clock.timer()
    }

    pub(crate) fn remembers_root_origins(&self) -> bool {
        self.root_origins
    }

    pub(crate) fn is_stress(&self) -> bool {
        self.stress
    }

    pub(crate) fn nursery(&self) -> usize {
        self.nursery_bytes
    }

    /// Bytes by which a heap with this many live bytes may grow before a cycle begins.
    pub(crate) fn growth_bytes(&self, live: usize) -> usize {
        // The conversion saturates: a growth past all memory is never reached.
        let growth = (live as f64 * f64::from(self.growth)) as usize;
        growth.max(self.nursery_bytes.saturating_mul(4)).min(self.ceiling(live) / 2)
    }

    /// Bytes by which a heap with this many live bytes may grow at all.
    pub(crate) fn ceiling(&self, live: usize) -> usize {
        const LEAST: usize = 32 << 20;
        self.ceiling_bytes.unwrap_or(live.max(LEAST))
    }

    pub(crate) fn objects_limit(&self) -> usize {
        self.max_objects
    }

    pub(crate) fn threads(&self) -> usize {
        self.mark_threads
    }

    pub(crate) fn release_after_cycles(&self) -> u32 {
        self.release_after
    }

    pub(crate) fn collects_new(&self) -> bool {
        self.collects_new
    }

    pub(crate) fn owned_limit(&self) -> usize {
        self.max_owned_bytes
    }

    pub(crate) fn bytes_limit(&self) -> usize {
        self.max_bytes
    }

    pub(crate) fn fresh_generation(&self) -> Generation {
        Generation(self.first_generation)
    }

    pub(crate) fn has_limits(&self) -> bool {
        (self.max_objects, self.max_bytes) != (usize::MAX, usize::MAX)
    }
}

/// How much one call may do: [`Heap::step`](crate::Heap::step), [`Heap::pace`](crate::Heap::pace).
///
/// With budgets in objects a run is reproducible to the last handle, on every machine: what lockstep and
/// rollback need. With budgets of time it is not, since it is not known how far a step will come.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use slotgc::{Budget, Heap};
///
/// let mut heap = Heap::new();
/// heap.step(Budget::Time(Duration::from_millis(1)));
/// heap.step(Budget::Objects(10_000));
/// assert!(heap.step(Budget::Unlimited).finished.is_some());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Budget {
    /// This much time. Kept to within some microseconds, unless one indivisible piece takes longer: a
    /// destructor, a callback, a root source, the `trace` of one object with very many edges that is not a
    /// weak collection.
    Time(Duration),
    /// This many units of work: an object traced, freed or dropped, an entry of a weak collection visited, a
    /// callback run. At least one is done, and of a weak collection the next few entries. When marking is
    /// almost done, up to 64 objects that the program changed meanwhile are traced beyond the budget. If the
    /// program changes more than a step traces, some of the last steps trace more: 64 objects, then 128, and
    /// so on, until one catches up and marking ends.
    Objects(usize),
    /// No limit: to the end of the cycle.
    Unlimited,
}

impl Budget {
    /// Half of it.
    pub(crate) fn half(self) -> Self {
        match self {
            Budget::Time(time) => Budget::Time(time / 2),
            Budget::Objects(units) => Budget::Objects(units / 2),
            Budget::Unlimited => Budget::Unlimited,
        }
    }
}

/// Why an allocation was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Limit {
    Objects(usize),
    Bytes(usize),
    Types(usize),
    Range(u64),
    Memory(usize),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Objects(max) => write!(f, "max_objects of {max} objects reached"),
            Limit::Bytes(max) => write!(f, "max_bytes of {max} bytes reached"),
            Limit::Types(max) => write!(f, "a heap holds objects of {max} types at most"),
            Limit::Range(bytes) => write!(f, "the heap's address range of {bytes} bytes is used up"),
            Limit::Memory(bytes) => write!(f, "the system refused {bytes} bytes of memory"),
        }
    }
}

/// An allocation met a limit; the value is inside, unharmed.
///
/// The text names the type, the limit and its number.
///
/// # Examples
/// ```
/// use slotgc::{Heap, HeapConfig};
///
/// let mut heap = Heap::with_config(HeapConfig::default().max_objects(0));
/// let refused = heap.try_alloc("a bear").unwrap_err();
/// assert_eq!(refused.to_string(), "cannot allocate &str: max_objects of 0 objects reached");
/// assert_eq!(refused.into_inner(), "a bear");
/// ```
pub struct AllocError<T> {
    value: T,
    limit: Limit,
}

impl<T> AllocError<T> {
    #[cold]
    pub(crate) fn new(value: T, limit: Limit) -> Self {
        Self { value, limit }
    }

    /// The value that was not allocated.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// The same error, without its value.
    #[cfg(feature = "serde")]
    pub(crate) fn without_value(self) -> AllocError<()> {
        AllocError { value: (), limit: self.limit }
    }

    /// The error's text, without the value.
    pub(crate) fn refusal(&self) -> Refusal {
        Refusal { type_name: core::any::type_name::<T>(), limit: self.limit }
    }
}

impl<T> fmt::Debug for AllocError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AllocError({})", self.refusal())
    }
}

impl<T> fmt::Display for AllocError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.refusal(), f)
    }
}

impl<T> Error for AllocError<T> {}

/// What an [`AllocError`] and the panic of `alloc` say.
pub(crate) struct Refusal {
    type_name: &'static str,
    limit: Limit,
}

impl Refusal {
    pub(crate) fn of<T>(limit: Limit) -> Self {
        Self { type_name: core::any::type_name::<T>(), limit }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot allocate {}: {}", ShortName(self.type_name), self.limit)
    }
}
