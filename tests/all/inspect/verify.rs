//! What `verify` says of a reference that the next minor collection would not see.

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU64, Ordering};

use slotgc::{Budget, Gc, Heap, Inspector, Phase, Trace, Tracer};

use super::mob;

/// Stores a handle behind `&`, and declares that or not.
struct Sly {
    mate: AtomicU64,
    is_honest: bool,
}

impl Trace for Sly {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        if !self.is_honest || tracer.interior_mutability() {
            tracer.edge(self.mate());
        }
    }

    fn inspect(&self, inspector: &mut Inspector<'_>) {
        inspector.label("fox");
        inspector.field("mate", &self.mate());
    }
}

impl Sly {
    fn alone(is_honest: bool) -> Self {
        Self { mate: AtomicU64::new(0), is_honest }
    }

    fn mate(&self) -> Gc<super::Mob> {
        Gc::from_bits(self.mate.load(Ordering::Relaxed))
    }

    fn meet(&self, mate: Gc<super::Mob>) {
        self.mate.store(mate.to_bits(), Ordering::Relaxed);
    }
}

#[test]
fn verify_names_object_and_field_of_a_store_that_no_barrier_saw() {
    let mut heap = Heap::new();
    let sly = heap.alloc_root(Sly::alone(false));
    heap.collect();
    let young = heap.alloc(mob("wolf"));
    heap.verify();
    heap[&sly].meet(young);
    let payload = catch_unwind(std::panic::AssertUnwindSafe(|| heap.verify())).unwrap_err();
    let text = payload.downcast_ref::<String>().unwrap();
    let expected = format!(
        "Sly {sly} \"fox\" is old, and its field `mate` was made to refer to Mob {young} \"wolf\" unseen: \
         the next minor collection would free that. If it was written through `&`, the type must report \
         `interior_mutability` when it is traced"
    );
    assert_eq!(*text, expected);
    heap.collect_minor();
    assert!(!heap.is_alive(young), "the minor collection freed it");
    heap.verify();
}

#[test]
fn verify_accepts_what_is_declared_changed_or_dead() {
    let mut heap = Heap::new();
    let (honest, changed) = (heap.alloc_root(Sly::alone(true)), heap.alloc_root(Sly::alone(false)));
    let forgetful = heap.alloc_root(Sly::alone(false));
    heap.collect();
    let young = heap.alloc(mob("wolf"));
    heap[&honest].meet(young);
    heap.get_mut(&changed).unwrap().meet(young);
    let dead = heap.alloc(mob("hare"));
    heap[&forgetful].meet(dead);
    heap.destroy(dead);
    heap.verify();
    heap.collect_minor();
    assert!(heap.is_alive(young));
    heap.verify();
    // During a cycle `verify` says nothing about old and young.
    while heap.stats().phase != Phase::Sweep {
        heap.step(Budget::Objects(1));
    }
    let late = heap.alloc(mob("late"));
    heap[&forgetful].meet(late);
    heap.verify();
}
