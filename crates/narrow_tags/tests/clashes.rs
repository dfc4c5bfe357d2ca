//! Tags of seven bits, too few for two hundred types: what happens when tags clash. Only in a build with
//! `--cfg slotgc_narrow_tags`; the tags of other builds have 62 bits.
//!
//! A clash is a clear panic, at the first use of the second type in any way: never a value of another type.
#![cfg(slotgc_narrow_tags)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use slotgc::{AnyGc, Gc, Heap, Trace, Tracer, Weak};
use slotmap::{Key, KeyData};

/// A type for each `N`, that knows its own.
struct Own<const N: usize> {
    number: usize,
}

impl<const N: usize> Trace for Own<N> {
    const NEEDS_TRACE: bool = false;

    fn trace(&self, _: &mut Tracer<'_>) {}
}

/// What the tests do with a type that they know by its number only.
trait Acts {
    /// Makes an object, if the type has a tag of its own.
    fn alloc(&self, heap: &mut Heap) -> Option<AnyGc>;

    /// Uses these bits as a handle in every way there is. Returns the number that the object knows, if one
    /// resolved.
    fn read(&self, heap: &mut Heap, bits: u64) -> Option<usize>;

    /// Checks that whatever is found without a handle from the heap is of this type.
    fn search(&self, heap: &Heap);
}

impl<const N: usize> Acts for Own<N> {
    fn alloc(&self, heap: &mut Heap) -> Option<AnyGc> {
        clear_panic(|| heap.alloc(Own::<N> { number: N }).erase())
    }

    fn read(&self, heap: &mut Heap, bits: u64) -> Option<usize> {
        let any = AnyGc::from_bits(bits);
        let seen = [
            clear_panic(|| heap.get(Gc::<Own<N>>::from_bits(bits)).map(|own| own.number)).flatten(),
            clear_panic(|| heap.get(Weak::<Own<N>>::from_bits(bits)).map(|own| own.number)).flatten(),
            clear_panic(|| heap.downcast::<Own<N>>(any).map(|gc| heap[gc].number)).flatten(),
            clear_panic(|| heap.get_mut(Gc::<Own<N>>::from_bits(bits)).map(|own| own.number)).flatten(),
        ];
        assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "all ways are alike: {seen:?}");
        seen[0]
    }

    fn search(&self, heap: &Heap) {
        // A key names a slot of the type that reads it: the first ones there are.
        for index in 0..16 {
            let by_key = clear_panic(|| {
                let gc = Gc::<Own<N>>::from(KeyData::from_ffi(1 << 32 | index));
                assert!(Weak::<Own<N>>::from(gc.data()) == gc.downgrade());
                heap.get(gc).map(|own| own.number)
            });
            assert!(by_key.flatten().is_none_or(|number| number == N), "a value of another type, by its key");
        }
        let iterated = clear_panic(|| heap.iter::<Own<N>>().map(|(_, own)| own.number).collect::<Vec<_>>());
        assert!(iterated.unwrap_or_default().iter().all(|number| *number == N), "by iteration");
    }
}

const CLASH: &str = "has the same 64-bit tag as another type";

/// Silences the hundred thousand messages of expected panics.
fn keep_quiet() {
    static QUIET: std::sync::Once = std::sync::Once::new();
    QUIET.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !info.payload().downcast_ref::<String>().is_some_and(|text| text.contains(CLASH)) {
                loud(info);
            }
        }));
    });
}

/// Calls `f`. Returns `None` if it panics; the panic must be the one about a clash.
fn clear_panic<R>(f: impl FnOnce() -> R) -> Option<R> {
    keep_quiet();
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(result) => Some(result),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().expect("a panic of the crate has a text");
            assert!(text.contains(CLASH), "{text}");
            None
        }
    }
}

macro_rules! own {
    ($($tens:literal)*) => { vec![$(
        Box::new(Own::<{ $tens * 10 }> { number: 0 }) as Box<dyn Acts + Send>,
        Box::new(Own::<{ $tens * 10 + 1 }> { number: 0 }),
        Box::new(Own::<{ $tens * 10 + 2 }> { number: 0 }),
        Box::new(Own::<{ $tens * 10 + 3 }> { number: 0 }),
        Box::new(Own::<{ $tens * 10 + 4 }> { number: 0 }),
        Box::new(Own::<{ $tens * 10 + 5 }> { number: 0 }),
        Box::new(Own::<{ $tens * 10 + 6 }> { number: 0 }),
        Box::new(Own::<{ $tens * 10 + 7 }> { number: 0 }),
        Box::new(Own::<{ $tens * 10 + 8 }> { number: 0 }),
        Box::new(Own::<{ $tens * 10 + 9 }> { number: 0 }),
    )*] };
}

/// Types are registered once and for all in a process, so the tests take turns.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn every_clash_of_tags_is_a_clear_panic_and_never_a_value_of_another_type() {
    let _turn = TURN.lock();
    let types = own!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
    let mut heap = Heap::new();
    // Every other type is first used through a handle, not by making an object.
    let mut living: Vec<(usize, AnyGc)> = Vec::new();
    for (number, own) in types.iter().enumerate() {
        if number % 2 == 0 {
            living.extend(own.alloc(&mut heap).map(|any| (number, any)));
        } else {
            for (_, any) in &living {
                assert_eq!(own.read(&mut heap, any.to_bits()), None, "type {number} has no objects");
            }
            own.search(&heap);
        }
    }
    assert!((10..=85).contains(&living.len()), "{} types of 85 have a tag of their own", living.len());
    // Now every type reads every handle.
    for (number, own) in types.iter().enumerate() {
        for (of, any) in &living {
            let expected = (*of == number).then_some(number);
            assert_eq!(own.read(&mut heap, any.to_bits()), expected, "type {number} and an object of {of}");
        }
        if let Some(any) = own.alloc(&mut heap) {
            assert_eq!(own.read(&mut heap, any.to_bits()), Some(number));
        }
        own.search(&heap);
    }
    heap.collect();
    heap.verify();
    assert!(heap.is_empty());
}

#[test]
fn a_type_that_clashed_once_clashes_in_every_heap_and_the_first_one_never() {
    let _turn = TURN.lock();
    let types = own!(0 1 2 3 4 5 6 7 8 9 10 11 12 13);
    let mut first = Heap::new();
    let has_tag: Vec<_> = types.iter().map(|own| own.alloc(&mut first).is_some()).collect();
    assert!(has_tag.contains(&false), "140 types and 128 tags");
    for _ in 0..2 {
        let mut heap = Heap::new();
        for (own, has_tag) in types.iter().zip(&has_tag) {
            assert_eq!(own.alloc(&mut heap).is_some(), *has_tag);
        }
        for (gc, own) in heap.iter::<Own<0>>() {
            assert_eq!((own.number, heap.get(gc).is_some()), (0, true));
        }
    }
}

#[test]
fn threads_that_meet_the_same_types_at_once_let_no_two_in_that_clash() {
    let _turn = TURN.lock();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let mut types: Vec<_> = own!(50 51 52 53 54).into_iter().enumerate().collect();
                types.rotate_left(thread * 12);
                let mut heap = Heap::new();
                let living: Vec<_> =
                    types.iter().filter_map(|(number, own)| Some((*number, own.alloc(&mut heap)?))).collect();
                for (number, own) in &types {
                    for (of, any) in &living {
                        let seen = own.read(&mut heap, any.to_bits());
                        // If two types clash at the same moment, both may be refused, from then on in every
                        // thread.
                        assert!(seen.is_none() || (of == number && seen == Some(500 + number)));
                    }
                }
                heap.verify();
            });
        }
    });
}
