//! Made-up bits through every call that takes a handle: each resolves to the object with exactly these bits,
//! or to nothing.
#![no_main]
use libfuzzer_sys::fuzz_target;
use slotgc::{AnyGc, Budget, DeathQueue, Gc, Graveyard, Heap, Root, Trace, Weak, WeakKeyMap, WeakSet};

/// Its own bits; the filler makes two types of it.
#[derive(Trace)]
struct Known<F: Trace>(u64, F);
fn ask<F: Trace + Copy>(heap: &mut Heap, act: u8, bits: u64, roots: &mut Vec<Root<Known<F>>>, filler: F) {
    let (gc, weak) = (Gc::<Known<F>>::from_bits(bits), Weak::<Known<F>>::from_bits(bits));
    let found = heap.get(gc).map(|known| known.0);
    let is = found == Some(bits);
    assert_eq!([heap.is_alive(weak), heap.upgrade(weak) == Some(gc), heap.root(&weak).is_some()], [is; 3]);
    assert_eq!([heap.downcast(gc.erase()) == Some(gc), heap.try_get_mut(gc).is_ok()], [is, found.is_some()]);
    match act % 16 {
        0..4 => _ = heap.alloc_cyclic(|_, me: Gc<Known<F>>| Known(me.to_bits(), filler)),
        4 => assert_eq!(heap.destroy(weak).map(|known| known.0), found),
        5 => assert!(heap.destroy_any(AnyGc::from_bits(bits)) || !is),
        6 => assert_eq!(DeathQueue::new().watch(heap, weak, bits).is_ok(), is),
        7 => assert_eq!(Graveyard::new().bury(heap, gc).is_ok(), is),
        8 => assert!(heap.get_pair_mut(gc, Weak::<Known<u64>>::from_bits(bits)).is_none()),
        9 => assert_eq!(heap.split_mut(gc).map(|(known, rest)| (known.0, rest.is_alive(gc)).0), found),
        10 => roots.extend(heap.root(gc)),
        11 => _ = heap.collect_with(&[AnyGc::from_bits(bits)]),
        12 => _ = heap.alloc_root((WeakSet::from_iter([weak]), WeakKeyMap::from_iter([(weak, gc)]), gc)),
        13 => _ = heap.step(Budget::Objects(bits as usize % 9)),
        14 => assert_eq!((heap.on_death(gc, |_, _| {}).is_ok(), heap.finalizer(gc, |_| {}).is_ok()), (is, is)),
        _ => _ = (heap.collect_minor(), heap.get_disjoint_mut([gc]).is_some(), roots.pop()),
    }
}
fuzz_target!(|ops: Vec<(u8, u8, u8, u64)>| {
    let (mut heap, mut small, mut large) = (Heap::new(), vec![], vec![]);
    for (act, slot, generation, any) in ops {
        // A place and a generation in which something may be, or any bits.
        let likely = u64::from(slot / 64) << 45 | u64::from(slot % 64) << 32 | u64::from(generation % 16 | 1);
        ask(&mut heap, act % 16, if any % 8 == 0 { any } else { likely }, &mut small, 0_u64);
        ask(&mut heap, act / 16, if any % 8 == 0 { any } else { likely }, &mut large, [AnyGc::from_bits(any); 4]);
        heap.verify();
    }
});
