//! `Trace` implementations that lie, panic or report nonsense: inspection is never wrong about what is alive.

use slotgc::{AnyGc, Gc, Heap, HeapConfig, Inspector, Trace, Tracer, Weak};

use super::{Loot, Mob, mob};

fn heap() -> Heap {
    Heap::with_config(HeapConfig::default().root_origins(false))
}

/// Its `trace` and `inspect` report what they are told to.
struct Liar {
    traced: Vec<AnyGc>,
    inspected: Vec<AnyGc>,
}

impl Trace for Liar {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.traced.iter().for_each(|any| tracer.edge_any(*any));
    }

    fn inspect(&self, inspector: &mut Inspector<'_>) {
        inspector.field("told", &self.inspected);
    }
}

#[test]
fn an_edge_that_only_trace_reports_is_found_without_a_name_or_not_at_all() {
    let mut heap = heap();
    let hidden = heap.alloc(mob("hidden"));
    let liar = heap.alloc_root(Liar { traced: vec![hidden.erase()], inspected: vec![] });
    // The two disagree: `inspect` decides what people are shown.
    assert!(heap.why_alive(hidden).is_none());
    assert!(heap.snapshot().get(liar.gc()).unwrap().edges().next().is_none());
    let shown = heap.alloc(mob("shown"));
    heap[&liar].inspected.push(shown.erase());
    assert!(heap.snapshot().path_to(shown).is_some());
}

#[test]
fn made_up_handles_are_no_edges() {
    let mut heap = heap();
    let loot = heap.alloc(Loot(1));
    let real = heap.alloc(mob("real"));
    let bits = real.to_bits();
    let made_up = [bits ^ 2, bits + (1 << 32), bits ^ (1 << 60), u64::MAX, 0].map(AnyGc::from_bits);
    let wrong_type = Gc::<Mob>::from_bits(loot.to_bits());
    let holder = heap.alloc_root((made_up, wrong_type, Weak::<Loot>::from_bits(bits)));
    let snapshot = heap.snapshot();
    assert_eq!(snapshot.get(holder.gc()).unwrap().edges().count(), 0);
    assert!(heap.why_alive(real).is_none() && heap.why_alive(loot).is_none());
    assert!(snapshot.get(AnyGc::from_bits(bits + (1 << 32))).is_none());
}

#[test]
fn a_handle_of_another_type_that_only_trace_reports_is_no_edge() {
    struct ByHand(Gc<Mob>, Weak<Loot>, Gc<Mob>);
    impl Trace for ByHand {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            tracer.edge(self.0);
            tracer.ephemeron(self.1, &self.2);
        }
    }
    let mut heap = heap();
    let (loot, mob_gc) = (heap.alloc(Loot(1)), heap.alloc(mob("real")));
    let value = heap.alloc(mob("value"));
    // The same bits: slots of the two types can begin at the same address.
    let wrong = Gc::<Mob>::from_bits(loot.to_bits());
    assert_eq!(wrong.to_bits(), loot.to_bits());
    let holder = heap.alloc_root(ByHand(wrong, Weak::from_bits(mob_gc.to_bits()), value));
    assert!(heap.why_alive(loot).is_none() && heap.why_alive(value).is_none());
    let snapshot = heap.snapshot();
    assert!(snapshot.get(holder.gc()).unwrap().edges().next().is_none());
    assert_eq!(snapshot.unreachable().count(), 3);
    assert_eq!(heap.collect().freed, 3);
}

#[test]
fn a_stale_handle_does_not_lead_to_the_next_tenant() {
    let mut heap = heap();
    let old = heap.alloc(mob("old"));
    let holder = heap.alloc_root(Mob { friends: vec![old], ..mob("holder") });
    heap.destroy(old);
    // Repeats until a slot is reused although an object names it.
    let mut tenant = heap.alloc(mob("tenant"));
    for _ in 0..10_000 {
        if tenant.to_bits() >> 32 == old.to_bits() >> 32 {
            break;
        }
        heap.destroy(tenant);
        tenant = heap.alloc(mob("tenant"));
    }
    assert!(heap.why_alive(tenant).is_none());
    assert!(heap.why_alive(&holder).is_some());
    // It is still found through an object that does refer to it.
    heap[&holder].friends.push(tenant);
    assert_eq!(heap.why_alive(tenant).unwrap().len(), 2);
}

#[test]
fn a_panic_in_inspect_reaches_the_caller_and_harms_nothing() {
    struct Panics;
    impl Trace for Panics {
        const NEEDS_TRACE: bool = false;
        fn trace(&self, _: &mut Tracer<'_>) {}
        fn inspect(&self, _: &mut Inspector<'_>) {
            panic!("no inspection");
        }
    }
    let mut heap = heap();
    let root = heap.alloc_root(Panics);
    let other = heap.alloc_root(mob("other"));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| heap.snapshot().len()));
    assert!(result.is_err());
    assert!(heap.why_alive(&other).is_some());
    heap.verify();
    drop(root);
    heap.collect();
    assert_eq!(heap.snapshot().len(), 1);
}

#[test]
fn a_reserved_object_is_not_there_yet() {
    let mut heap = heap();
    let friend = heap.alloc_root(mob("friend"));
    let gc = heap.alloc_cyclic(|heap, me: Gc<Mob>| {
        assert!(heap.snapshot().get(me).is_none());
        assert!(heap.why_alive(me).is_none());
        heap[&friend].friends.push(me);
        assert_eq!(heap.snapshot().get(friend.gc()).unwrap().edges().count(), 0);
        mob("cyclic")
    });
    assert_eq!(heap.why_alive(gc).unwrap().len(), 2);
}
