//! Slots that are set aside from frame to frame, for objects that are made now and then.

use slotgc::{Budget, Heap, Trace};

/// A heap in which a value was made through `&Heap`.
fn after_one<T: Trace>(value: T) -> Heap {
    let mut heap = Heap::new();
    heap.alloc_later(value);
    assert_eq!(heap.flush(), 1);
    heap
}

/// Such heaps for types with one word of bits a page, with several, with a destructor, and larger than a
/// page.
fn heaps() -> [Heap; 4] {
    [after_one([0_u64; 1100]), after_one([0_u64; 6]), after_one("text".to_string()), after_one([0_u64; 9000])]
}

#[test]
fn frames_in_which_nothing_is_made_take_no_further_page() {
    for mut heap in heaps() {
        heap.pace(Budget::Objects(1));
        let pages = heap.stats().pages;
        for _ in 0..100 {
            heap.pace(Budget::Objects(1));
            heap.flush();
        }
        assert_eq!(heap.stats().pages, pages);
    }
}

#[test]
fn steps_of_one_unit_end_a_cycle_whatever_was_set_aside() {
    for (number, mut heap) in heaps().into_iter().enumerate() {
        let steps = (1..100).find(|_| heap.step(Budget::Objects(1)).finished.is_some());
        assert!(steps.is_some(), "heap {number} is in {:?}", heap.stats().phase);
        assert_eq!(heap.len(), 0);
        heap.verify();
    }
}
