//! Learning of a death, and the end of a heap.

use crate::collector::Meter;
use crate::config::{Budget, Dead};
use crate::death::{self, Act, Code, DeathQueue, Graveyard, Removed, Turn, Watch};
use crate::handle::{RawHandle, Weak};
use crate::heap::Heap;
use crate::heap::finalizer::Finalizer;
use crate::panics::Panics;
use crate::store::Store;
use crate::sync::{Arc, AtomicBool, Ordering};
use crate::trace::{Handle, Trace};
use alloc::boxed::Box;

/// A run of callbacks, one after the other. Deaths in the meantime join it.
///
/// Held by the call that runs it and by the heap, which may be another one afterwards: a callback can replace
/// or swap the heap it receives. So the heap is in a batch for as long as the batch has another holder.
#[derive(Clone)]
pub(super) struct Batch(Arc<AtomicBool>);

impl Batch {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicBool::new(false)))
    }

    pub(super) fn is_running(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Relaxed, here and below: set and read only by the holder of the heap.
    fn ask_for_collection(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn wants_collection(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The outcome of delivering notifications.
#[derive(Clone, Copy, Default)]
pub(super) struct Told {
    /// Tags sent, callbacks and finalizers run.
    pub(super) count: usize,
    /// Whether nothing is left to deliver.
    pub(super) is_done: bool,
    /// `false` if a callback put another heap in this one's place.
    pub(super) is_own_heap: bool,
    /// Whether a callback requested a collection.
    pub(super) wants_collection: bool,
}

/// # Learning of deaths
impl Heap {
    /// Calls `f` when the object dies, with the heap and a handle that no longer resolves: the callback of
    /// Python's `weakref.ref(object, callback)`.
    ///
    /// It runs once, after the collection (or inside the `destroy`) in which the object died, when the heap
    /// is in its final state: it may allocate, register, destroy, and request a collection, which runs after
    /// all callbacks. Callbacks and finalizers run in the reverse order of registration, over all objects
    /// that died. A panic in one does not stop the others. `f` may hold handles of the object without keeping
    /// it alive.
    ///
    /// # Errors
    /// [`Dead`] if the object is gone already; `f` is dropped.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let log = heap.alloc_root(Vec::new());
    /// let (bear, log_weak) = (heap.alloc("Teddy"), log.downgrade());
    /// heap.on_death(bear, move |heap, bear| heap[log_weak].push(format!("{bear} is gone"))).unwrap();
    /// heap.collect();
    /// assert_eq!(heap[&log], [format!("{bear} is gone")]);
    /// ```
    #[doc(alias("finalizer", "drop callback", "destructor"))]
    pub fn on_death<H: Handle>(
        &mut self,
        h: H,
        f: impl FnOnce(&mut Heap, Weak<H::Target>) + Send + 'static,
    ) -> Result<Watch, Dead> {
        let (weak, raw) = (h.downgrade(), self.living(h)?);
        let code = Code(Box::new(move |heap: &mut Heap| f(heap, weak)));
        Ok(self.register(raw, death::WatchKind::Callback, Act::Run(Box::new(code))))
    }

    /// Cancels a registration: a callback, a queue watch, a burial. `true` if it was still there; its closure
    /// or tag is then dropped now. O(registrations on the object).
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let bear = heap.alloc("Teddy");
    /// let watch = heap.on_death(bear, |_, _| unreachable!()).unwrap();
    /// assert!(heap.cancel(watch));
    /// assert!(!heap.cancel(watch));
    /// ```
    pub fn cancel(&mut self, watch: Watch) -> bool {
        self.drop_cancelled();
        self.unregister(watch).is_some()
    }

    /// Registers code that runs when the object dies, or when it is called by hand, or at the end of the
    /// heap, whichever comes first: Python's `weakref.finalize`. Dropping the [`Finalizer`] changes nothing.
    ///
    /// # Errors
    /// [`Dead`] if the object is gone already; `f` is dropped.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let file = heap.alloc_root("temporary.txt".to_string());
    /// let finalizer = heap.finalizer(&file, |_| "removed").unwrap();
    /// assert_eq!(finalizer.call(&mut heap), Some("removed"));
    /// assert_eq!(finalizer.call(&mut heap), None);
    /// ```
    #[doc(alias("weakref.finalize"))]
    pub fn finalizer<H: Handle, R: Send + 'static>(
        &mut self,
        h: H,
        f: impl FnOnce(&mut Heap) -> R + Send + 'static,
    ) -> Result<Finalizer<H::Target, R>, Dead> {
        let (weak, raw) = (h.downgrade(), self.living(h)?);
        let code: Code<Heap, R> = Code(Box::new(f));
        let watch = self.register(raw, death::WatchKind::Finalizer, Act::Run(Box::new(code)));
        Ok(Finalizer::new(watch, weak))
    }

    /// Callbacks, finalizers and queue watches on this object; burials do not count. O(their number).
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let bear = heap.alloc("Teddy");
    /// assert_eq!(heap.watch_count(bear), 0);
    /// heap.on_death(bear, |_, _| {}).unwrap();
    /// assert_eq!(heap.watch_count(bear), 1);
    /// ```
    pub fn watch_count(&self, h: impl Handle) -> usize {
        let weak = self.local(h);
        if self.alive(weak) { self.deaths.count_on(weak.raw()) } else { 0 }
    }

    // ---- Registering

    pub(super) fn living<H: Handle>(&self, h: H) -> Result<RawHandle, Dead> {
        if self.is_alive(h) { Ok(h.downgrade().raw()) } else { Err(self.dead(h)) }
    }

    fn register(&mut self, raw: RawHandle, kind: death::WatchKind, act: Act<Heap>) -> Watch {
        self.drop_cancelled();
        self.set_watched(raw);
        self.deaths.register(raw, kind, act)
    }

    /// Removes a registration, and the object's mark if it was its last.
    pub(super) fn unregister(&mut self, watch: Watch) -> Option<Removed<Heap>> {
        let removed = self.deaths.remove(watch)?;
        self.unwatch(removed.target);
        Some(removed)
    }

    /// Drops what guards cancelled.
    pub(super) fn drop_cancelled(&mut self) {
        while let Some(removed) = self.deaths.take_cancelled() {
            self.unwatch(removed.target);
        }
    }

    // ---- Telling

    /// Sends the tags and runs the callbacks and finalizers that are due, and those that become due
    /// meanwhile, until the budget is spent. Does nothing inside a callback: what is due then joins the
    /// running batch.
    pub(super) fn tell(&mut self, meter: &mut Meter<'_>, panics: &mut Panics) -> Told {
        if self.is_telling() || !self.deaths.has_due() {
            return Told { is_done: true, is_own_heap: true, ..Told::default() };
        }
        let (own, batch) = (self.number(), Batch::new());
        self.batch = Some(batch.clone());
        self.joined_tags = 0;
        let (mut count, mut is_done) = (0, false);
        panics.run_all(|| {
            // The rest of this heap's notifications waits for the present owner of the heap.
            if self.number() != own || meter.is_spent() {
                return false;
            }
            self.drop_cancelled();
            let Some(turn) = self.deaths.next_turn() else {
                is_done = true;
                return false;
            };
            meter.spend(1);
            count += usize::from(!matches!(turn, Turn::Drop(_)));
            self.take_turn(turn);
            true
        });
        if self.number() != own {
            return Told { count, ..Told::default() };
        }
        let count = count + self.joined_tags;
        Told { count, is_done, is_own_heap: true, wants_collection: batch.wants_collection() }
    }

    pub(super) fn take_turn(&mut self, turn: Turn<Heap>) {
        match turn {
            Turn::Send(send) => send(),
            Turn::Run(code) if self.closing.is_none() => code.run(self),
            Turn::Run(code) => {
                self.closing = self.closing.map(|uncalled| uncalled + 1);
                drop(code);
            }
            Turn::Drop(act) => drop(act),
        }
    }

    /// Whether callbacks are being run.
    pub(super) fn is_telling(&self) -> bool {
        self.batch.as_ref().is_some_and(Batch::is_running)
    }

    /// Requests a collection after the callbacks, if any are running; what is pending is put into the heap
    /// now, as by any call that collects.
    pub(super) fn collect_later(&mut self) -> bool {
        let running = self.batch.as_ref().filter(|batch| batch.is_running());
        if running.inspect(|batch| batch.ask_for_collection()).is_none() {
            return false;
        }
        self.flush();
        true
    }

    /// An object was destroyed by hand, with something registered on it.
    pub(super) fn mourn_destroyed(&mut self, raw: RawHandle) -> Mourning {
        let mourning = self.begin_mourning();
        self.mourn_one(raw);
        self.settle_owned();
        mourning
    }

    /// Objects are about to be destroyed by hand.
    pub(super) fn begin_mourning(&mut self) -> Mourning {
        // Notifications that an incremental cycle has yet to deliver are not this call's business.
        let has_put_off = !self.is_telling();
        if has_put_off {
            self.deaths.put_off();
        }
        Mourning { has_put_off }
    }

    /// What is registered on the object becomes due.
    pub(super) fn mourn_one(&mut self, raw: RawHandle) {
        self.pools[self.store.pool_of(raw.granule()) as usize].count_watched(false);
        self.deaths.mourn(raw, false);
    }
}

/// The registrations of destroyed objects, to be notified once their values have been moved or dropped.
pub(super) struct Mourning {
    /// Whether other due notifications were postponed, which does not happen inside a callback.
    has_put_off: bool,
}

impl Mourning {
    /// Moves the value to its graveyard, if it has one.
    pub(super) fn bury(&self, heap: &mut Heap) {
        while heap.deaths.bury_next(&mut heap.store) {}
    }

    /// The value goes to the caller, not to a graveyard.
    pub(super) fn give_up_burials(&self, heap: &mut Heap) {
        heap.deaths.bury_nothing();
    }

    /// Sends the tags and runs the callbacks, then the collection that one of them requested.
    pub(super) fn tell(self, heap: &mut Heap, panics: &mut Panics) {
        if !self.has_put_off {
            // Inside a callback: tags go now, callbacks join.
            panics.run_all(|| {
                let turn = heap.deaths.next_tag();
                heap.joined_tags += usize::from(matches!(turn, Some(Turn::Send(_))));
                turn.map(|turn| heap.take_turn(turn)).is_some()
            });
            return;
        }
        let clock = heap.config.timer();
        let told = heap.tell(&mut Meter::new(Budget::Unlimited, &clock, clock.now()), panics);
        if told.is_own_heap {
            heap.deaths.take_up();
            if told.wants_collection {
                // A panic in a `trace` here is not to hide one from a callback before.
                panics.run_once(|panics| {
                    heap.collect_as_requested(&(), &clock, panics);
                });
            }
        }
        clock.end(panics);
    }
}

impl<Tag: Send + 'static> DeathQueue<Tag> {
    /// Puts the tag into the queue when the object dies.
    ///
    /// # Errors
    /// [`Dead`] if the object is gone already; the tag is dropped.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{DeathQueue, Heap};
    ///
    /// let mut heap = Heap::new();
    /// let unload = DeathQueue::new();
    /// let texture = heap.alloc("grass.png".to_string());
    /// unload.watch(&mut heap, texture, 7_u32).unwrap(); // 7: the texture's number on the GPU
    ///
    /// heap.collect();
    /// let renderer = std::thread::spawn(move || unload.drain().collect::<Vec<_>>());
    /// assert_eq!(renderer.join().unwrap(), [7]);
    /// ```
    pub fn watch(&self, heap: &mut Heap, h: impl Handle, tag: Tag) -> Result<Watch, Dead> {
        let raw = heap.living(h)?;
        Ok(heap.register(raw, death::WatchKind::Tag, Act::Send(Box::new(self.sender(tag)))))
    }
}

impl<T: Trace> Graveyard<T> {
    /// Moves the object's value here when the object dies.
    ///
    /// A value that is taken by hand, with [`destroy`](Heap::destroy), goes to the caller.
    ///
    /// # Errors
    /// [`Dead`] if the object is gone already.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Graveyard, Heap};
    ///
    /// let mut heap = Heap::new();
    /// let pool: Graveyard<Vec<u8>> = Graveyard::new(); // buffers to reuse
    /// let buffer = heap.alloc(Vec::with_capacity(4096));
    /// pool.bury(&mut heap, buffer).unwrap();
    /// heap.collect();
    /// assert_eq!(pool.exhume().unwrap().1.capacity(), 4096);
    /// ```
    pub fn bury(&self, heap: &mut Heap, h: impl Handle<Target = T>) -> Result<Watch, Dead> {
        let (weak, raw) = (h.downgrade(), heap.living(h)?);
        let bury = self.receiver(weak, move |store: &mut Store| store.exhume::<T>(raw));
        Ok(heap.register(raw, death::WatchKind::Burial, Act::Bury(Box::new(bury))))
    }
}
