//! What several markers of one cycle share: edges that nobody follows yet, and what each of them found out.
//!
//! Between two calls with `&mut Heap`, all edges found lie here. Markers with `&Heap` take some, follow them,
//! and give some back when another one has none. All of it happens under one lock, which nobody holds for
//! long, and which no reader takes.
//!
//! Invariant: an edge is in here, or in the hands of one marker that is *busy*. So when there is none in here
//! and nobody is busy, all are followed.

use alloc::vec::Vec;

use crate::handle::RawHandle;
use crate::sync::{AtomicBool, AtomicU32, Lock, Ordering, wait};
use crate::trace::{EdgeStack, Spill};

/// What a marker found out besides edges.
#[derive(Clone, Default)]
pub(super) struct Findings {
    /// Objects traced.
    pub(super) traced: usize,
    /// What they own outside of their slots.
    pub(super) owned: usize,
    /// Objects left to whoever has the heap to itself.
    pub(super) left: Vec<RawHandle>,
    /// Objects traced for which ephemerons wait.
    pub(super) awaited: Vec<RawHandle>,
    /// Later tenants of slots that stale edges name.
    pub(super) tenants: Vec<RawHandle>,
}

impl Findings {
    fn append(&mut self, mut more: Self) {
        self.traced += more.traced;
        self.owned = self.owned.saturating_add(more.owned);
        self.left.append(&mut more.left);
        self.awaited.append(&mut more.awaited);
        self.tenants.append(&mut more.tenants);
    }
}

/// See the module's description.
#[derive(Default)]
pub(super) struct Exchange {
    state: Lock<State>,
    /// Markers that wait for edges.
    hungry: AtomicU32,
    /// Whether markers are to leave: somebody needs the heap to stand still, or a `trace` panicked.
    is_stopped: AtomicBool,
}

#[derive(Clone, Default)]
struct State {
    edges: EdgeStack,
    spill: Spill,
    findings: Findings,
    /// Whether there is a cycle that is marking and whose edges may be followed by anybody.
    is_open: bool,
    /// Whether a `trace` panicked, so that edges are lost.
    has_failed: bool,
    /// Markers that came and have not left.
    inside: u32,
    /// Those of them that may have edges.
    busy: u32,
    /// Those that need the heap to stand still.
    holding: u32,
}

impl State {
    fn is_empty(&self) -> bool {
        self.edges.len(&self.spill) == 0
    }
}

/// A marker may give edges back: it came to [`Exchange::enter`], and leaves when this is dropped.
pub(super) struct Inside<'a> {
    exchange: &'a Exchange,
    is_busy: bool,
    has_finished: bool,
}

/// So many edges are taken at once.
const TAKEN: usize = 512;
/// With fewer in hand a marker gives none away.
const LEAST_GIVEN: usize = if cfg!(loom) { 1 } else { 16 };

impl Exchange {
    /// Puts edges here for anybody to follow.
    pub(super) fn offer(&mut self, edges: &mut EdgeStack, spill: &mut Spill) {
        self.state.with(|state| {
            core::mem::swap(&mut state.edges, edges);
            core::mem::swap(&mut state.spill, spill);
            state.is_open = true;
        });
    }

    /// Takes all edges back; nobody is inside, since this has the heap to itself. Returns what was found
    /// meanwhile.
    pub(super) fn take_back(&mut self, edges: &mut EdgeStack, spill: &mut Spill) -> Findings {
        self.state.with(|state| {
            debug_assert_eq!((state.inside, state.busy), (0, 0), "a marker is inside beside `&mut Heap`");
            if state.is_open {
                core::mem::swap(&mut state.edges, edges);
                core::mem::swap(&mut state.spill, spill);
                state.is_open = false;
            }
            core::mem::take(&mut state.findings)
        })
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Whether a `trace` panicked, so that the cycle is void.
    pub(super) fn has_failed(&self) -> bool {
        self.state.with(|state| state.has_failed)
    }

    /// Comes in, if there may be something to do.
    pub(super) fn enter(&self) -> Option<Inside<'_>> {
        self.state.with(|state| {
            let is_needed = state.is_open && !state.has_failed && state.holding == 0;
            let has_work = !state.is_empty() || state.busy > 0;
            (is_needed && has_work).then(|| {
                state.inside += 1;
                Inside { exchange: self, is_busy: false, has_finished: false }
            })
        })
    }

    /// Waits until all markers have left, and keeps others from coming until the guard is dropped: what is
    /// copied meanwhile is of one moment.
    pub(super) fn hold(&self) -> Held<'_> {
        self.state.with(|state| state.holding += 1);
        // Relaxed: a hint to leave soon. That they left is seen under the lock.
        self.is_stopped.store(true, Ordering::Relaxed);
        let mut tries = 0;
        while self.state.with(|state| state.inside > 0) {
            wait(tries);
            tries += 1;
        }
        Held(self)
    }

    /// Whether a marker should look at what others need, now and then.
    #[inline]
    pub(super) fn wants_attention(&self) -> bool {
        // Relaxed, both: hints, acted upon under the lock.
        self.is_stopped.load(Ordering::Relaxed) || self.hungry.load(Ordering::Relaxed) > 0
    }
}

/// A clone of what is at rest: of a heap that stands still.
impl Clone for Exchange {
    fn clone(&self) -> Self {
        let state = self.state.with(|state| State { inside: 0, busy: 0, holding: 0, ..state.clone() });
        Self { state: Lock::new(state), ..Self::default() }
    }
}

/// See [`Exchange::hold`].
pub(crate) struct Held<'a>(&'a Exchange);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.state.with(|state| {
            state.holding -= 1;
            if state.holding == 0 {
                // Relaxed: as in `hold`.
                self.0.is_stopped.store(state.has_failed, Ordering::Relaxed);
            }
        });
    }
}

impl Inside<'_> {
    /// Takes edges to follow. With none at hand it waits for what other markers give, so many times at most;
    /// `false` if it came to nothing.
    pub(super) fn take(&mut self, edges: &mut EdgeStack, spill: &mut Spill, patience: u32) -> bool {
        let (mut tries, mut is_hungry) = (0, false);
        let got_some = loop {
            let step = self.exchange.state.with(|state| {
                state.busy -= u32::from(core::mem::replace(&mut self.is_busy, false));
                if state.has_failed || state.holding > 0 {
                    return Some(false);
                }
                if state.is_empty() {
                    return (state.busy == 0 || tries >= patience).then_some(false);
                }
                let most = (state.edges.len(&state.spill) / 2 + 1).min(TAKEN);
                state.edges.give(&mut state.spill, most, edges, spill);
                state.busy += 1;
                self.is_busy = true;
                Some(true)
            });
            if let Some(step) = step {
                break step;
            }
            if !core::mem::replace(&mut is_hungry, true) {
                // Relaxed, here and below: a hint for those who have edges.
                self.exchange.hungry.fetch_add(1, Ordering::Relaxed);
            }
            wait(tries);
            tries += 1;
        };
        if is_hungry {
            self.exchange.hungry.fetch_sub(1, Ordering::Relaxed);
        }
        got_some
    }

    /// Gives some of many edges to others who have none; `false` if it is time to leave.
    #[inline]
    pub(super) fn share(&self, edges: &mut EdgeStack, spill: &mut Spill) -> bool {
        !self.exchange.wants_attention() || self.give(edges, spill)
    }

    #[cold]
    fn give(&self, edges: &mut EdgeStack, spill: &mut Spill) -> bool {
        self.exchange.state.with(|state| {
            if state.has_failed || state.holding > 0 {
                return false;
            }
            let half = edges.len(spill) / 2;
            if half >= LEAST_GIVEN && state.is_empty() {
                // The oldest, which lead to the most.
                edges.give_oldest(spill, half, &mut state.edges, &mut state.spill);
            }
            true
        })
    }

    /// Leaves what is not followed, and what was found.
    pub(super) fn leave(mut self, edges: EdgeStack, spill: &mut Spill, findings: Findings) {
        self.exchange.state.with(|state| {
            edges.give_all(spill, &mut state.edges, &mut state.spill);
            state.findings.append(findings);
        });
        self.has_finished = true;
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.exchange.state.with(|state| {
            state.inside -= 1;
            state.busy -= u32::from(self.is_busy);
            if !self.has_finished {
                // A panic: what was in hand is lost.
                state.has_failed = true;
                // Relaxed: a hint to leave soon.
                self.exchange.is_stopped.store(true, Ordering::Relaxed);
            }
        });
    }
}
