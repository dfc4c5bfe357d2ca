//! What several markers of one cycle share: edges still to be followed, and what each marker found.
//!
//! Between two calls with `&mut Heap`, all edges found are here. Markers with `&Heap` take some, follow them,
//! and give some back when another marker has none. All of this happens under one lock, which is never held
//! for long and which no reader takes.
//!
//! Invariant: an edge is in here, or held by one marker that is *busy*. So when there is none in here and no
//! marker is busy, all are followed.

use alloc::vec::Vec;

use crate::handle::RawHandle;
use crate::sync::{AtomicBool, AtomicU32, Lock, Ordering, wait};
use crate::trace::{EdgeStack, Spill};

/// What a marker found besides edges.
#[derive(Clone, Default)]
pub(super) struct Findings {
    /// Objects traced.
    pub(super) traced: usize,
    /// What they own outside their slots.
    pub(super) owned: usize,
    /// Objects left to a call with exclusive access to the heap.
    pub(super) left: Vec<RawHandle>,
    /// Traced objects for which ephemerons wait.
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
    /// Whether markers should leave: a thread needs the heap to stand still, or a `trace` panicked.
    is_stopped: AtomicBool,
}

#[derive(Clone, Default)]
struct State {
    edges: EdgeStack,
    spill: Spill,
    findings: Findings,
    /// Whether a cycle is marking whose edges any thread may follow.
    is_open: bool,
    /// Whether a `trace` panicked, so that edges are lost.
    has_failed: bool,
    /// Markers that entered and have not left.
    inside: u32,
    /// How many of them may have edges.
    busy: u32,
    /// Threads that need the heap to stand still.
    holding: u32,
}

impl State {
    fn is_empty(&self) -> bool {
        self.edges.len(&self.spill) == 0
    }
}

/// A marker inside, from [`Exchange::enter`]. It may take edges and give them back, and leaves when this is
/// dropped.
pub(super) struct Inside<'a> {
    exchange: &'a Exchange,
    is_busy: bool,
    has_finished: bool,
}

/// How many edges are taken at once.
const TAKEN: usize = 512;
/// With fewer edges than this, a marker gives none away.
const LEAST_GIVEN: usize = if cfg!(loom) { 1 } else { 16 };

impl Exchange {
    /// Puts edges here for any marker to follow.
    pub(super) fn offer(&mut self, edges: &mut EdgeStack, spill: &mut Spill) {
        self.state.with(|state| {
            core::mem::swap(&mut state.edges, edges);
            core::mem::swap(&mut state.spill, spill);
            state.is_open = true;
        });
    }

    /// Takes all edges back; no marker is inside, since this has exclusive access to the heap. Returns what
    /// was found meanwhile.
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

    /// Whether a `trace` panicked, so that the cycle must be abandoned.
    pub(super) fn has_failed(&self) -> bool {
        self.state.with(|state| state.has_failed)
    }

    /// Enters, if there may be something to do.
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

    /// Waits until all markers have left, and keeps others out until the guard is dropped, so that a copy
    /// made meanwhile is consistent.
    pub(super) fn hold(&self) -> Held<'_> {
        self.state.with(|state| state.holding += 1);
        // Relaxed: a hint to leave soon. Whether they left is read under the lock.
        self.is_stopped.store(true, Ordering::Relaxed);
        let mut tries = 0;
        while self.state.with(|state| state.inside > 0) {
            wait(tries);
            tries += 1;
        }
        Held(self)
    }

    /// Whether a marker should check what others need; called now and then.
    #[inline]
    pub(super) fn wants_attention(&self) -> bool {
        // Relaxed, both: hints, acted upon under the lock.
        self.is_stopped.load(Ordering::Relaxed) || self.hungry.load(Ordering::Relaxed) > 0
    }
}

/// Clones the exchange of a heap that stands still.
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
    /// Takes edges to follow. If there are none, waits for edges from other markers, `patience` times at
    /// most; `false` if it got none.
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
                // Relaxed, here and below: a hint for markers that have edges.
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

    /// Gives some edges to markers that have none, if there are many; `false` if it is time to leave.
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
                // The oldest edges, which lead to the most objects.
                edges.give_oldest(spill, half, &mut state.edges, &mut state.spill);
            }
            true
        })
    }

    /// Hands over what was not followed, and what was found.
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
                // A panic: the edges held are lost.
                state.has_failed = true;
                // Relaxed: a hint to leave soon.
                self.exchange.is_stopped.store(true, Ordering::Relaxed);
            }
        });
    }
}
