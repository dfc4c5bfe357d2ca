//! Reading and changing objects, and destroying them by hand.

use crate::config::{Cause, Dead, Obituary};
use crate::geometry::Geometry;
use crate::handle::{AnyGc, Gc, RawHandle, Weak};
use crate::heap::load::owned;
use crate::heap::{Heap, Others};
use crate::panics::Panics;
use crate::root::Root;
use crate::stats::Phase;
use crate::store::{Age, Barrier, Color, Vacated};
use crate::trace::{Handle, HandleKind, Trace};

/// # Reading, changing and destroying objects
impl Heap {
    /// The object, or `None` if it is gone. O(1); touches the object's slot.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let gc = heap.alloc(1);
    /// assert_eq!(heap.get(gc), Some(&1));
    /// assert_eq!(heap.get(gc.downgrade()), Some(&1));
    /// ```
    #[inline]
    pub fn get<H: Handle>(&self, h: H) -> Option<&H::Target> {
        self.store.look().get::<H::Target>(self.local(h).raw())
    }

    /// The object, mutably, or `None` if it is gone. O(1).
    ///
    /// This is the only way to an object's fields (with its relatives `heap[h]`, `iter_mut` and
    /// `get_disjoint_mut`), so the write barrier is in here and cannot be forgotten. It costs a test of the
    /// object's header. The first change after a collection traced the object records its handle, so that it
    /// is traced again. Types that hold no handles ([`Trace::NEEDS_TRACE`]) need no barrier.
    #[doc(alias("write barrier", "borrow_mut"))]
    #[inline]
    pub fn get_mut<H: Handle>(&mut self, h: H) -> Option<&mut H::Target> {
        self.store.get_mut::<H::Target>(self.local(h).raw(), barrier::<H::Target>())
    }

    /// Several objects of one type at once; `None` if one is dead or two are the same.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let (a, b) = (heap.alloc(1), heap.alloc(2));
    /// let [x, y] = heap.get_disjoint_mut([a, b]).unwrap();
    /// std::mem::swap(x, y);
    /// assert_eq!((heap[a], heap[b]), (2, 1));
    /// assert!(heap.get_disjoint_mut([a, a]).is_none());
    /// ```
    #[doc(alias("get_many_mut"))]
    pub fn get_disjoint_mut<H: Handle, const N: usize>(&mut self, hs: [H; N]) -> Option<[&mut H::Target; N]> {
        self.store.get_disjoint_mut::<H::Target, N>(hs.map(|h| self.local(h).raw()), barrier::<H::Target>())
    }

    /// Two objects of any types at once; `None` if one is dead or the two are the same.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let (sum, item) = (heap.alloc(1_u64), heap.alloc("two".to_string()));
    /// let (sum, item) = heap.get_pair_mut(sum, item).unwrap();
    /// *sum += item.len() as u64;
    /// assert_eq!(*sum, 4);
    /// ```
    pub fn get_pair_mut<A: Trace, B: Trace>(
        &mut self,
        a: impl Handle<Target = A>,
        b: impl Handle<Target = B>,
    ) -> Option<(&mut A, &mut B)> {
        let (a, b) = (self.local(a).raw(), self.local(b).raw());
        self.store.get_pair_mut::<A, B>((a, barrier::<A>()), (b, barrier::<B>()))
    }

    /// One object, and access to all the others; `None` if it is gone.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Heap, Trace, Weak};
    ///
    /// #[derive(Trace)]
    /// struct Npc { listeners: Vec<Weak<Npc>> }
    ///
    /// let mut heap = Heap::new();
    /// let me = heap.alloc_root(Npc { listeners: vec![Weak::dangling()] });
    /// let (npc, rest) = heap.split_mut(&me).unwrap();
    /// npc.listeners.retain(|listener| rest.is_alive(listener)); // no clone, no take-and-put-back
    /// assert!(heap[&me].listeners.is_empty());
    /// ```
    pub fn split_mut<H: Handle>(&mut self, h: H) -> Option<(&mut H::Target, Others<'_>)> {
        Others::split(self, self.local(h))
    }

    /// The object, or [`Dead`]: Python's `weakref.proxy`.
    ///
    /// # Errors
    /// [`Dead`] if the object is gone.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Dead, Heap, Weak};
    ///
    /// fn name_len(heap: &Heap, bear: Weak<String>) -> Result<usize, Dead> {
    ///     Ok(heap.try_get(bear)?.len())
    /// }
    ///
    /// let mut heap = Heap::new();
    /// let bear = heap.alloc_root("Teddy".to_string());
    /// assert_eq!(name_len(&heap, bear.downgrade()), Ok(5));
    /// assert!(name_len(&heap, Weak::dangling()).is_err());
    /// ```
    #[inline]
    pub fn try_get<H: Handle>(&self, h: H) -> Result<&H::Target, Dead> {
        self.get(h).ok_or_else(|| self.dead(h))
    }

    /// The object, mutably, or [`Dead`].
    ///
    /// # Errors
    /// [`Dead`] if the object is gone.
    #[inline]
    pub fn try_get_mut<H: Handle>(&mut self, h: H) -> Result<&mut H::Target, Dead> {
        let (heap, obituary) = (self.number(), self.obituary(h));
        self.get_mut(h).ok_or_else(|| dead_in(heap, h, obituary))
    }

    /// Whether the object is still there. O(1).
    #[doc(alias("contains", "contains_key"))]
    #[inline]
    pub fn is_alive(&self, h: impl Handle) -> bool {
        self.alive(self.local(h))
    }

    /// The weak handle of the same object; one that never resolves for a root of another heap.
    #[inline(always)]
    pub(super) fn local<H: Handle>(&self, h: H) -> Weak<H::Target> {
        if h.is_of(self.number()) { h.downgrade() } else { Weak::dangling() }
    }

    /// Why this handle does not resolve.
    #[cold]
    pub(super) fn dead<H: Handle>(&self, h: H) -> Dead {
        dead_in(self.number(), h, self.obituary(h))
    }

    /// When the object died, if that is known.
    #[inline(always)]
    fn obituary<H: Handle>(&self, _h: H) -> Obituary {
        Obituary {
            #[cfg(gc_zeal)]
            death: self.store.death_of(self.local(_h).raw()),
        }
    }

    /// As `get`, or a panic.
    #[inline]
    #[track_caller]
    pub(super) fn at<H: Handle>(&self, h: H) -> &H::Target {
        match self.get(h) {
            Some(value) => value,
            None => raise(self.dead(h)),
        }
    }

    /// As `get_mut`, or a panic.
    #[inline]
    #[track_caller]
    fn at_mut<H: Handle>(&mut self, h: H) -> &mut H::Target {
        let (heap, obituary) = (self.number(), self.obituary(h));
        match self.get_mut(h) {
            Some(value) => value,
            None => raise(dead_in(heap, h, obituary)),
        }
    }

    #[inline(always)]
    pub(super) fn alive<T: Trace>(&self, weak: Weak<T>) -> bool {
        self.store.is_alive::<T>(weak.raw())
    }

    /// A strong handle of the object, if it is still there. O(1).
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let gc = heap.alloc(1);
    /// assert_eq!(heap.upgrade(gc.downgrade()), Some(gc));
    /// heap.collect();
    /// assert_eq!(heap.upgrade(gc.downgrade()), None);
    /// ```
    #[doc(alias("resolve"))]
    #[inline]
    pub fn upgrade<T: Trace>(&self, weak: Weak<T>) -> Option<Gc<T>> {
        self.alive(weak).then(|| weak.assume_strong())
    }

    /// A root for the object, if it is still there. O(1).
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let gc = heap.alloc("Teddy");
    /// let root = heap.root(gc).unwrap();
    /// heap.collect();
    /// assert!(heap.is_alive(&root));
    /// ```
    #[doc(alias("pin", "handle scope", "upgrade"))]
    #[must_use = "dropping the root unroots the object at once"]
    #[track_caller]
    pub fn root<H: Handle>(&self, h: H) -> Option<Root<H::Target>> {
        let gc = self.upgrade(self.local(h))?;
        Some(Root::new(&self.roots, gc))
    }

    /// The handle with its type, if the object is of that type and still there. O(1).
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let gc = heap.alloc(1_u32);
    /// assert_eq!(heap.downcast::<u32>(gc.erase()), Some(gc));
    /// assert_eq!(heap.downcast::<i32>(gc.erase()), None);
    /// ```
    pub fn downcast<T: Trace>(&self, any: AnyGc) -> Option<Gc<T>> {
        let gc = Gc::<T>::from_bits(any.to_bits());
        (gc.erase() == any && self.alive(gc.downgrade())).then_some(gc)
    }

    /// Whether the object is still there. O(1).
    pub fn is_alive_any(&self, any: AnyGc) -> bool {
        self.store.is_alive_any(any.raw())
    }

    /// Destroys the object at once, whatever refers to it, and returns its value; `None` if it was already
    /// gone. O(1).
    ///
    /// Every handle resolves to `None` from here on, also those in strong fields of other objects: code that
    /// uses `destroy` reads with `get`, not `heap[..]`. Normally let the collector decide; `destroy` is for
    /// what must die now. Queue tags are sent and callbacks run before it returns; inside a callback they
    /// join the batch that is running. A collection that a callback requests starts from the `Root`s alone.
    ///
    /// # Panics
    /// If a callback does; the value is then dropped.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let root = heap.alloc_root("Teddy".to_string());
    /// assert_eq!(heap.destroy(&root), Some("Teddy".to_string()));
    /// assert_eq!(heap.get(&root), None);
    /// assert_eq!(heap.destroy(&root), None);
    /// ```
    #[doc(alias("delete", "despawn", "remove", "free"))]
    pub fn destroy<H: Handle>(&mut self, h: H) -> Option<H::Target> {
        let raw = self.local(h).raw();
        let is_watched = self.store.is_watched(raw);
        let is_young = self.is_young(raw);
        let (value, vacated) = self.store.take::<H::Target>(raw)?;
        self.load.destroy(0, self.collector.knows_weak_collections());
        self.count_dead(raw, vacated, Geometry::<H::Target>::SLOT_BYTES, is_young);
        let mut panics = Panics::default();
        if H::Target::OWNS {
            panics.run_once(|_| self.load.destroy(owned(&value), false));
        }
        if is_watched {
            let mourning = self.mourn_destroyed(raw);
            mourning.give_up_burials(self);
            mourning.tell(self, &mut panics);
        }
        panics.raise();
        Some(value)
    }

    /// As [`destroy`](Self::destroy) for an object of any type; the value goes to its graveyard or is
    /// dropped. `true` if it was alive.
    ///
    /// # Panics
    /// If the value's destructor or a callback does; the object is gone and the other notifications are
    /// delivered all the same.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let any = heap.alloc(1).erase();
    /// assert!(heap.destroy_any(any));
    /// assert!(!heap.destroy_any(any));
    /// ```
    pub fn destroy_any(&mut self, any: AnyGc) -> bool {
        if !self.is_alive_any(any) {
            return false;
        }
        let raw = any.raw();
        let index = self.store.pool_of(raw.granule()) as usize;
        let is_watched = self.store.is_watched(raw);
        let slot_bytes = self.pools[index].info().slot_bytes;
        let is_young = self.is_young(raw);
        let Some(vacated) = self.pools[index].kill(&mut self.store, raw) else {
            return false;
        };
        self.count_dead(raw, vacated, slot_bytes, is_young);
        self.load.destroy(0, self.collector.knows_weak_collections());
        let mourning = is_watched.then(|| self.mourn_destroyed(raw));
        if let Some(mourning) = &mourning {
            mourning.bury(self);
        }
        // From here on user code runs, and the heap is consistent.
        let mut panics = Panics::default();
        let mut dropped = false;
        panics.run_all(|| {
            if !core::mem::replace(&mut dropped, true) {
                self.pools[index].drop_slot(&mut self.store, raw.granule());
            }
            false
        });
        self.settle_owned();
        if let Some(mourning) = mourning {
            mourning.tell(self, &mut panics);
        }
        panics.raise();
        true
    }

    /// Whether the object was allocated since the last collection, as far as that is known.
    pub(super) fn is_young(&self, raw: RawHandle) -> bool {
        // Amid marking an old object may be white, too.
        let is_new_white = self.collector.making() == Age::Young && self.collector.phase() != Phase::Mark;
        is_new_white && self.store.color_any(raw) == Color::White
    }

    fn count_dead(&mut self, raw: RawHandle, vacated: Vacated, slot_bytes: usize, was_young: bool) {
        let pool = self.store.pool_of(raw.granule());
        self.pools[pool as usize].count_dead(&mut self.store, raw.granule(), vacated);
        self.count_died(raw, slot_bytes, was_young);
    }

    /// An object was destroyed by hand; its pool already knows.
    pub(super) fn count_died(&mut self, raw: RawHandle, slot_bytes: usize, was_young: bool) {
        self.counts.died(1, slot_bytes);
        #[cfg(gc_zeal)]
        self.store.note_destroyed(raw);
        if !was_young {
            self.collector.note_destroyed(raw);
        }
    }
}

/// Whether changes of a `T` are recorded.
#[inline(always)]
pub(super) const fn barrier<T: Trace>() -> Barrier {
    Barrier::of(T::NEEDS_TRACE)
}

/// `heap[handle]` panics where `get` returns `None`; likewise for `Others`.
macro_rules! index {
    ($indexed:ty: $($handle:ty),*) => {$(
        impl<T: $crate::trace::Trace> core::ops::Index<$handle> for $indexed {
            type Output = T;

            /// # Panics
            /// With the text of [`Dead`](crate::Dead) if the object is gone.
            #[inline]
            #[track_caller]
            fn index(&self, handle: $handle) -> &T {
                self.at(handle)
            }
        }

        impl<T: $crate::trace::Trace> core::ops::IndexMut<$handle> for $indexed {
            /// # Panics
            /// With the text of [`Dead`](crate::Dead) if the object is gone.
            #[inline]
            #[track_caller]
            fn index_mut(&mut self, handle: $handle) -> &mut T {
                self.at_mut(handle)
            }
        }
    )*};
}

pub(super) use index;

index!(Heap: Gc<T>, Weak<T>, &Root<T>, &Gc<T>, &Weak<T>);

/// Why a handle does not resolve in the heap with this number.
#[cold]
fn dead_in<H: Handle>(heap: u64, h: H, obituary: Obituary) -> Dead {
    let cause = match H::KIND {
        HandleKind::Root if h.heap_number() != heap => Cause::OtherHeap,
        HandleKind::Root | HandleKind::Weak => Cause::Gone,
        HandleKind::Strong => Cause::NotKept,
    };
    Dead::new::<H::Target>(h.downgrade().raw(), cause, obituary)
}

#[cold]
#[inline(never)]
#[track_caller]
pub(super) fn raise(dead: Dead) -> ! {
    panic!("{dead}")
}
