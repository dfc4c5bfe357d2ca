//! Handles that no heap returned: made-up bits and keys, handles of other types and of other heaps.
//!
//! The objects here hold their own bits, so an object that a handle resolves to shows whether it should.

use std::collections::HashSet;

use slotgc::{AnyGc, Gc, Heap, HeapConfig, Trace, Tracer, Weak};
use slotmap::KeyData;

use crate::objects::{APART, Dice, Log, Noisy};

/// An object that knows its handle, with `N` words of filler.
struct Known<const N: usize> {
    bits: u64,
    filler: [u64; N],
}

impl<const N: usize> Trace for Known<N> {
    fn trace(&self, _: &mut Tracer<'_>) {}
}

fn make<const N: usize>(heap: &mut Heap) -> Gc<Known<N>> {
    heap.alloc_cyclic(|_, gc: Gc<Known<N>>| Known { bits: gc.to_bits(), filler: [gc.to_bits(); N] })
}

/// Checks what the handle of one type with these bits resolves to: an object with the same bits, or nothing.
/// Returns whether there is one.
fn check_typed<const N: usize>(heap: &Heap, bits: u64) -> bool {
    let gc = Gc::<Known<N>>::from_bits(bits);
    let Some(known) = heap.get(gc) else {
        assert!(!heap.is_alive(gc) && heap.upgrade(gc.downgrade()).is_none() && heap.root(gc).is_none());
        assert!(heap.downcast::<Known<N>>(AnyGc::from_bits(bits)).is_none());
        return false;
    };
    assert_eq!(known.bits, bits, "it resolves to another object");
    assert!(known.filler.iter().all(|word| *word == bits));
    assert_eq!((gc.to_bits(), Weak::<Known<N>>::from_bits(bits)), (bits, gc.downgrade()));
    assert_eq!(heap.downcast::<Known<N>>(AnyGc::from_bits(bits)), Some(gc));
    true
}

/// Checks these bits as a handle of every type. At most one of the handles may resolve.
fn check(heap: &Heap, bits: u64, living: &HashSet<u64>) {
    let found = [
        check_typed::<0>(heap, bits),
        check_typed::<1>(heap, bits),
        check_typed::<7>(heap, bits),
        check_typed::<500>(heap, bits),
        check_typed::<9000>(heap, bits),
    ];
    let found = found.into_iter().filter(|found| *found).count();
    let any = AnyGc::from_bits(bits);
    // Bits that no handle has are normalised, so `to_bits` may return others; such handles resolve to
    // nothing.
    let expected = usize::from(living.contains(&bits));
    assert_eq!(found, expected, "{bits:#x}");
    assert_eq!(heap.is_alive_any(any), expected == 1, "{bits:#x}");
}

/// Objects of five types, some dead, and the bits of the living ones.
fn populated(first_generation: u32) -> (Heap, HashSet<u64>) {
    let mut heap = Heap::with_config(HeapConfig::default().first_generation(first_generation));
    let mut living = HashSet::new();
    for round in 0..3 {
        for number in 0..300 {
            let mut made = vec![
                make::<0>(&mut heap).erase(),
                make::<1>(&mut heap).erase(),
                make::<7>(&mut heap).erase(),
            ];
            if number % 50 == 0 {
                made.extend([make::<500>(&mut heap).erase(), make::<9000>(&mut heap).erase()]);
            }
            for any in made {
                if number % 7 == round {
                    heap.destroy_any(any);
                } else {
                    living.insert(any.to_bits());
                }
            }
        }
        if round == 0 {
            heap.collect();
            living.clear();
        }
    }
    assert_eq!(heap.len(), living.len());
    (heap, living)
}

#[test]
fn every_place_and_generation_resolves_to_its_own_object_or_to_nothing() {
    for first in [1, 1000, HeapConfig::MAX_GENERATION - 2] {
        let (heap, living) = populated(first);
        let first = u64::from(first | 1);
        let pages = heap.stats().pages as u64 + 2;
        let mut seen = 0;
        for granule in 0..pages * 8192 {
            for generation in [first, first + 2, first.wrapping_sub(2)] {
                let bits = granule << 32 | generation & 0xffff_ffff;
                // A full check at every granule where an object is or may be, a cheap one elsewhere.
                if living.contains(&bits) || granule % (64 * APART as u64) < 20 {
                    check(&heap, bits, &living);
                    seen += usize::from(living.contains(&bits));
                } else {
                    assert!(!heap.is_alive_any(AnyGc::from_bits(bits)));
                }
            }
        }
        assert_eq!(seen, living.len(), "every object was visited");
    }
}

#[test]
fn bits_of_every_pattern_resolve_to_nothing_or_to_their_own_object() {
    let (heap, living) = populated(1);
    let mut patterns = vec![0, 1, 2, 3, u64::MAX, u64::MAX - 1, 1 << 63, 1 << 32, 0xffff_ffff, !1 << 32];
    for bit in 0..64 {
        patterns.extend([1 << bit, !(1 << bit), (1 << bit) - 1, 1 << bit | 1, u64::MAX << bit | 1]);
        // Bits that differ from a living handle by one bit.
        patterns.extend(living.iter().take(50).map(|bits| bits ^ 1 << bit));
    }
    let mut dice = Dice::new(5);
    patterns.extend((0..20_000).map(|_| dice.word()));
    patterns.extend((0..20_000).map(|_| dice.word() >> 20 & !0xffff_fff0 | 1));
    patterns.into_iter().for_each(|bits| check(&heap, bits, &living));
}

#[test]
fn made_up_keys_resolve_to_an_object_of_that_type_or_to_nothing() {
    let (heap, living) = populated(1);
    let mut dice = Dice::new(6);
    let mut found = 0;
    let patterns = (0..30_000_u64).map(|index| 3 << 32 | index);
    for ffi in patterns.chain((0..20_000).map(|_| dice.word())).chain([0, u64::MAX, u64::MAX >> 32]) {
        let key = KeyData::from_ffi(ffi);
        let (small, large) = (Gc::<Known<1>>::from(key), Weak::<Known<9000>>::from(key));
        if let Some(known) = heap.get(small) {
            assert_eq!(known.bits, small.to_bits());
            assert!(living.contains(&known.bits));
            found += 1;
        }
        assert!(heap.get(large).is_none_or(|known| known.bits == large.to_bits()));
        // The handle that the key became converts back to the same handle.
        assert_eq!(Gc::<Known<1>>::from(slotmap::Key::data(&small)), small);
    }
    assert!(found > 200, "only {found} of the keys name an object");
}

#[test]
fn made_up_handles_destroy_only_what_they_name() {
    let log = Log::default();
    let (mut heap, mut living) = populated(1);
    let noisy = heap.alloc_root(Noisy::new(1, &log));
    let pages = heap.stats().pages as u64 + 1;
    for granule in (0..pages * 8192).step_by(5) {
        let bits = granule << 32 | 3;
        if bits == noisy.gc().to_bits() {
            continue;
        }
        let was_alive = living.remove(&bits);
        if granule % 2 == 0 {
            assert_eq!(heap.destroy_any(AnyGc::from_bits(bits)), was_alive);
        } else if heap.destroy(Gc::<Known<0>>::from_bits(bits)).is_none() && was_alive {
            living.insert(bits);
        }
    }
    assert_eq!(heap.len(), living.len() + 1);
    assert!(living.iter().all(|bits| heap.is_alive_any(AnyGc::from_bits(*bits))));
    assert!(log.take().is_empty());
    heap.collect();
    assert_eq!((heap.len(), heap[&noisy].number), (1, 1));
}

#[test]
fn a_stray_handle_of_another_heap_resolves_to_its_own_type_or_to_nothing() {
    let (a, in_a) = populated(1);
    let (b, in_b) = populated(1);
    let (c, in_c) = populated(1001);
    for bits in in_a.iter().chain(&in_c) {
        check(&a, *bits, &in_a);
        check(&b, *bits, &in_b);
        check(&c, *bits, &in_c);
    }
    assert!(in_c.iter().all(|bits| !a.is_alive_any(AnyGc::from_bits(*bits))), "the generations differ");
    let mut c = c;
    assert!(in_a.iter().all(|bits| !c.destroy_any(AnyGc::from_bits(*bits))));
}

#[test]
fn a_handle_read_as_one_of_another_type_resolves_to_nothing() {
    let (heap, living) = populated(1);
    for bits in living {
        assert!(heap.get(Gc::<u64>::from_bits(bits)).is_none());
        assert!(heap.get(Gc::<()>::from_bits(bits)).is_none());
        assert!(heap.get(Gc::<[u8; 80_000]>::from_bits(bits)).is_none());
        assert!(heap.get(Gc::<Noisy>::from_bits(bits)).is_none());
    }
}

/// An object of this type takes two pages, so that a number beyond the end of a heap is soon reached.
type Large = [u8; 100_000];

#[test]
#[cfg_attr(miri, ignore = "more than half a million entries")]
fn a_dense_map_keyed_by_handles_of_large_objects_works_beyond_what_a_heap_can_hold() {
    let mut map = slotmap::DenseSlotMap::<Gc<Large>, u32>::with_key();
    let keys: Vec<_> = (0..600_100).map(|number| map.insert(number)).collect();
    for (number, key) in keys.iter().enumerate() {
        let data = slotmap::Key::data(key);
        assert_eq!(Gc::<Large>::from(data), *key, "a key survives the round trip");
        assert_eq!(slotmap::Key::data(&Gc::<Large>::from_bits(key.to_bits())), data, "also through its bits");
        assert_eq!(map.get(*key), Some(&(number as u32)));
    }
    let distinct: HashSet<_> = keys.iter().copied().collect();
    assert_eq!(distinct.len(), keys.len());
    let heap = Heap::new();
    assert!(keys[keys.len() - 10..].iter().all(|key| heap.get(*key).is_none()));
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(map.remove(*key), Some(number as u32));
        assert_eq!(map.remove(*key), None);
    }
    // Used places come again, with later versions.
    let again: Vec<_> = (0..600_100).map(|number| map.insert(number)).collect();
    assert!(keys.iter().all(|key| !map.contains_key(*key)));
    assert!(again.iter().enumerate().all(|(number, key)| map.remove(*key) == Some(number as u32)));
    assert!(map.is_empty());
}

#[test]
fn a_place_beyond_the_heap_that_is_used_again_and_again_keeps_its_keys_apart() {
    // The last numbers, at every version that fits.
    for index in [524_287_u64, 600_000, 1 << 31, u64::from(u32::MAX)] {
        let mut seen = HashSet::new();
        for uses in 0..4095_u64 {
            let data = KeyData::from_ffi((uses << 1 | 1) << 32 | index);
            let key = Gc::<Large>::from(data);
            if key == Gc::default() {
                // slotmap's own null key.
                assert_eq!((uses, index), (0, u64::from(u32::MAX)));
                continue;
            }
            assert_eq!(slotmap::Key::data(&key), data);
            assert!(seen.insert(key));
        }
    }
}
