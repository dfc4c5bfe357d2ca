//! The end of a heap: everything dies, and the notifications are delivered.

use alloc::boxed::Box;
use alloc::string::String;
use core::any::Any;
use core::error::Error;
use core::fmt;

use sync_wrapper::SyncWrapper;

use crate::clock::Timer;
use crate::collector::CycleKind;
use crate::death::{Act, Turn};
use crate::heap::Heap;
use crate::heap::death::Batch;
use crate::panics::Panics;

/// # The end
impl Heap {
    /// Ends the heap. Returns the first panic of user code as an error, where dropping the heap would raise
    /// it.
    ///
    /// In this order: at-exit finalizers run, the latest first, including those registered meanwhile, with
    /// their targets readable; every object dies, buried values move to their graveyards, destructors run;
    /// tags go to their queues and callbacks run, on the emptied heap. Finalizers that are not at-exit are
    /// dropped uncalled. All of this is repeated while something was allocated.
    ///
    /// # Errors
    /// [`ShutdownError`] with the first panic. Everything else has run all the same.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let bear = heap.alloc("Teddy");
    /// heap.finalizer(bear, |_| panic!("no honey")).unwrap();
    /// let error = heap.shutdown().unwrap_err();
    /// assert_eq!(error.into_payload().downcast_ref(), Some(&"no honey"));
    /// ```
    pub fn shutdown(mut self) -> Result<(), ShutdownError> {
        let (panics, uncalled) = self.wind_up();
        match (panics.into_first(), uncalled) {
            (None, 0) => Ok(()),
            (payload, uncalled) => Err(ShutdownError::new(payload, uncalled)),
        }
    }

    /// Whether the heap is being shut down or dropped: true inside the callbacks that run then, which have no
    /// reason to register anything again.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Heap, Weak};
    ///
    /// /// A bear that comes back, as long as there is a world.
    /// fn respawn(heap: &mut Heap, _: Weak<&'static str>) {
    ///     if !heap.is_ending() {
    ///         let bear = heap.alloc("Teddy");
    ///         heap.on_death(bear, respawn).unwrap();
    ///     }
    /// }
    ///
    /// let mut heap = Heap::new();
    /// let bear = heap.alloc("Teddy");
    /// heap.on_death(bear, respawn).unwrap();
    /// heap.collect();
    /// assert_eq!(heap.len(), 1);
    /// heap.shutdown().unwrap();
    /// ```
    pub fn is_ending(&self) -> bool {
        self.ending.as_ref().is_some_and(Batch::is_running)
    }

    /// Everything that `shutdown` promises, for the heap that is here at the end if a callback leaves another
    /// one. Returns how many callbacks and finalizers were dropped uncalled because callbacks kept
    /// registering others.
    pub(super) fn wind_up(&mut self) -> (Panics, usize) {
        const ROUNDS: usize = 16;
        let (mut panics, clock) = (Panics::default(), self.config.timer());
        let mut uncalled = 0;
        for round in 0.. {
            let (own, ending) = (self.number(), Batch::new());
            self.ending = Some(ending.clone());
            self.closing = (round >= ROUNDS).then_some(0);
            let is_over = self.wind_up_once(own, &clock, &mut panics);
            if self.number() == own {
                uncalled += self.closing.take().unwrap_or(0);
                if is_over {
                    break;
                }
            }
        }
        self.drop_later(&mut panics);
        clock.end(&mut panics);
        self.has_ended = true;
        (panics, uncalled)
    }

    /// Ends everything that exists now; returns whether nothing new was made.
    fn wind_up_once(&mut self, own: u64, clock: &Timer, panics: &mut Panics) -> bool {
        // Earlier deaths are notified first; a cycle that is marking is abandoned.
        panics.run_once(|panics| {
            self.take_up_later(panics);
            self.finish_committed(&(), clock, panics);
        });
        if self.number() != own {
            return false;
        }
        self.deaths.take_up();
        // A batch, so that deaths caused by a finalizer are notified here and no collection intervenes:
        // targets stay readable.
        let batch = Batch::new();
        self.batch = Some(batch.clone());
        panics.run_all(|| {
            if self.number() != own {
                return false;
            }
            self.drop_cancelled();
            if let Some(turn) = self.deaths.next_turn() {
                self.take_turn(turn);
                return true;
            }
            let Some(removed) = self.deaths.next_at_exit() else {
                return false;
            };
            self.unwatch(removed.target);
            if let Act::Run(code) = removed.act {
                self.take_turn(Turn::Run(code));
            }
            true
        });
        drop(batch);
        if self.number() != own {
            return false;
        }
        self.cycle(CycleKind::Shutdown, &(), clock, panics);
        self.number() == own && self.is_empty()
    }
}

/// User code panicked while a heap was shut down.
///
/// # Examples
/// ```
/// use slotgc::Heap;
///
/// let mut heap = Heap::new();
/// let bear = heap.alloc("Teddy");
/// heap.on_death(bear, |_, _| panic!("oh no")).unwrap();
/// let error = heap.shutdown().unwrap_err();
/// assert_eq!(error.to_string(), "user code panicked while the heap was shut down: oh no");
/// ```
pub struct ShutdownError {
    /// The text of the first panic.
    panic: Option<String>,
    uncalled: usize,
    payload: SyncWrapper<Box<dyn Any + Send>>,
}

impl ShutdownError {
    fn new(payload: Option<Box<dyn Any + Send>>, uncalled: usize) -> Self {
        let panic = payload.as_ref().map(|payload| {
            let text = payload.downcast_ref::<&str>().copied();
            let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
            text.unwrap_or("a panic without a text").into()
        });
        let payload = payload.unwrap_or_else(|| Box::new(ARMING));
        Self { panic, uncalled, payload: SyncWrapper::new(payload) }
    }

    /// How many callbacks and finalizers were dropped uncalled because each round of them kept registering
    /// others.
    pub fn uncalled(&self) -> usize {
        self.uncalled
    }

    /// The first panic, as `std::panic::catch_unwind` returns it; the text of this error if there was none.
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.payload.into_inner()
    }
}

/// What a shutdown reports if it was cut short without a panic.
const ARMING: &str = "callbacks kept arming others while the heap was shut down";

impl fmt::Debug for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut error = f.debug_tuple("ShutdownError");
        if let Some(panic) = &self.panic {
            error.field(panic);
        }
        if self.uncalled > 0 {
            error.field(&self.uncalled);
        }
        error.finish()
    }
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(panic) = &self.panic {
            write!(f, "user code panicked while the heap was shut down: {panic}")?;
        }
        if self.uncalled > 0 {
            let and = if self.panic.is_some() { "; " } else { "" };
            write!(f, "{and}{ARMING}: {} were dropped uncalled", self.uncalled)?;
        }
        Ok(())
    }
}

impl Error for ShutdownError {}
