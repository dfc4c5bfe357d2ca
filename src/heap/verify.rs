//! Checking the heap's own books.

use core::fmt;

use crate::handle::RawHandle;
use crate::heap::Heap;
#[cfg(feature = "inspect")]
use crate::inspect::InspectOps;
use crate::pool::Pool;
use crate::stats::Phase;
#[cfg(feature = "inspect")]
use crate::store::Color;
use crate::store::Tally;
#[cfg(feature = "inspect")]
use crate::tag::Tag;
#[cfg(feature = "inspect")]
use crate::trace::{Recorded, Watcher};

/// # Checking
impl Heap {
    /// Checks the heap's own books: for tests of code that uses a heap in unusual ways, and for reports of
    /// bugs in this crate. O(slots); between two collections, with the feature `inspect`, O(edges): it then
    /// looks for references that the next minor collection would not see.
    ///
    /// # Panics
    /// If something is wrong, which no honest [`Trace`](crate::Trace) can bring about: one that changes
    /// handles behind `&` and does not report that by
    /// [`interior_mutability`](crate::Tracer::interior_mutability) can. The text names the object by its
    /// type, handle and label, and the field if that is what is wrong.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Budget, Heap};
    ///
    /// let mut heap = Heap::new();
    /// heap.alloc("Teddy".to_string());
    /// heap.step(Budget::Objects(1));
    /// heap.verify();
    /// ```
    pub fn verify(&self) {
        let tally = self.verify_books();
        if self.knows_old_from_young() {
            self.verify_old(&tally.unchanged);
        }
    }

    /// As [`verify`](Self::verify), without looking at any object.
    pub(super) fn verify_books(&self) -> Tally {
        // Markers on other threads leave for as long as it takes.
        let _held = self.collector.hold();
        let making = self.collector.making();
        assert!(self.pools.iter().all(|pool| pool.making() == making), "objects are made as {making:?}");
        let mut tally = Tally::default();
        self.pools.iter().for_each(|pool| pool.verify(&self.store, &mut tally));
        if self.knows_old_from_young() {
            if let Some(lost) = self.store.find_lost(&tally.changed) {
                panic!("{} was changed, and the write barrier's list does not have it", self.name(lost));
            }
        }
        if self.collector.has_condemned() {
            for (pool, dead) in self.condemned() {
                let name = pool.info().name;
                assert_eq!(
                    pool.count_condemned(&self.store),
                    dead,
                    "dead objects of {name}, counted and as known"
                );
            }
        }
        let objects = self.pools.iter().map(Pool::live).sum::<usize>();
        assert_eq!(objects, self.counts.objects, "objects in pools and as counted");
        let bytes = self.pools.iter().map(|pool| pool.live() * pool.info().slot_bytes).sum::<usize>();
        assert_eq!(bytes, self.counts.bytes, "bytes in pools and as counted");
        let making = self.collector.building().iter();
        let making: usize =
            making.map(|raw| self.pools[self.store.pool_of(raw.granule()) as usize].info().slot_bytes).sum();
        assert_eq!(making, self.counts.making_bytes, "bytes of objects being made, summed up and as counted");
        tally
    }

    /// Whether a minor collection could begin now.
    fn knows_old_from_young(&self) -> bool {
        self.collector.phase() == Phase::Idle && self.collector.can_do_minor()
    }

    /// Checks that no old object that is unchanged refers to one made since the last collection.
    #[cfg(feature = "inspect")]
    fn verify_old(&self, unchanged: &[RawHandle]) {
        let mut watcher = Watcher::listing();
        for holder in unchanged {
            let young = self.first_young(*holder, &mut watcher, |_| true);
            // A `trace` that reports different edges each time says nothing about this heap.
            let again = |young: &RawHandle| {
                (0..2).all(|_| self.first_young(*holder, &mut watcher, |raw| raw == *young).is_some())
            };
            if let Some(young) = young.filter(again) {
                self.unseen(*holder, young);
            }
        }
    }

    /// The object's first strong edge to one made since the last collection that is `wanted`. `None` if the
    /// object may change unseen.
    #[cfg(feature = "inspect")]
    fn first_young(
        &self,
        holder: RawHandle,
        watcher: &mut Watcher,
        is_wanted: impl Fn(RawHandle) -> bool,
    ) -> Option<RawHandle> {
        let before = watcher.unguarded_values();
        (self.ops_of(holder).trace)(&self.store, holder, watcher);
        let may_change_unseen = watcher.unguarded_values() != before;
        let (mut ephemerons, mut found) = (0, None);
        for recorded in watcher.reported().drain(..) {
            match recorded {
                Recorded::Edge(raw, of) if ephemerons == 0 && found.is_none() && is_wanted(raw) => {
                    let is_young = self.store.color_any(raw) == Color::White
                        && (of == Tag::NONE || of == self.ops_of(raw).tag);
                    found = is_young.then_some(raw);
                }
                Recorded::Edge(..) | Recorded::Gap => {}
                Recorded::Ephemeron(..) => ephemerons += 1,
                Recorded::EndOfEphemeron => ephemerons -= 1,
            }
        }
        found.filter(|_| !may_change_unseen)
    }

    #[cfg(not(feature = "inspect"))]
    fn verify_old(&self, _: &[RawHandle]) {}

    #[cfg(feature = "inspect")]
    #[cold]
    fn unseen(&self, holder: RawHandle, young: RawHandle) -> ! {
        let field = match self.field(holder, young) {
            Some(field) => ::alloc::format!("its field `{field}`"),
            None => "it".into(),
        };
        panic!(
            "{} is old, and {field} was made to refer to {} unseen: the next minor collection would free that. \
             If it was written through `&`, the type must report `interior_mutability` when it is traced",
            self.name(holder),
            self.name(young)
        );
    }

    #[cfg(feature = "inspect")]
    fn ops_of(&self, raw: RawHandle) -> &InspectOps {
        &self.inspect_ops[self.store.pool_of(raw.granule()) as usize]
    }

    /// An object in a panic's text.
    #[cfg(feature = "inspect")]
    fn name(&self, raw: RawHandle) -> impl fmt::Display + '_ {
        self.show_any(raw)
    }

    #[cfg(not(feature = "inspect"))]
    fn name(&self, raw: RawHandle) -> impl fmt::Display + '_ {
        let name = self.pools[self.store.pool_of(raw.granule()) as usize].info().name;
        ::alloc::format!("{name} {raw}")
    }
}
