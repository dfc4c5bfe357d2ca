//! Slots that are set aside from frame to frame, for objects that are made now and then.

use slotgc::{Budget, Heap, HeapConfig, Trace};

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

#[test]
fn pace_does_nothing_while_nothing_is_due_whatever_is_pending() {
    let mut heap = Heap::new();
    for _ in 0..20_000 {
        heap.alloc_later([0_u64; 2]);
    }
    assert!(!heap.is_due());
    assert_eq!((heap.pace(Budget::Unlimited).work, heap.len()), (0, 20_000));
    assert!(heap.is_due(), "now they are in the heap");
    assert!(heap.pace(Budget::Unlimited).work > 0);
    assert!(heap.is_empty());
}

#[test]
fn pending_values_near_a_limit_make_a_collection_due_in_the_same_frame() {
    for budget in [Budget::Unlimited, Budget::Objects(500)] {
        for config in [HeapConfig::default().max_objects(1000), HeapConfig::default().max_bytes(16_000)] {
            let mut heap = Heap::with_config(config);
            let _living: Vec<_> = (0..100_u64).map(|number| heap.alloc_root(number)).collect();
            for frame in 0..200 {
                for number in 0..100_u64 {
                    assert!(heap.try_alloc_later(number).is_ok(), "frame {frame}");
                }
                let is_due = heap.is_due();
                assert_eq!(is_due, heap.pace(budget).work > 0, "frame {frame}");
            }
        }
    }
}

#[test]
fn a_collection_requested_in_a_callback_puts_what_is_pending_into_the_heap_at_once() {
    let calls: [fn(&mut Heap); 4] = [
        |heap| _ = heap.collect(),
        |heap| _ = heap.collect_minor(),
        |heap| _ = heap.step(Budget::Unlimited),
        |heap| _ = heap.pace(Budget::Unlimited),
    ];
    for call in calls {
        let mut heap = Heap::new();
        let object = heap.alloc(1_u8);
        let callback = heap.on_death(object, move |heap, _| {
            let made = heap.alloc_root_later(5_u32);
            call(heap);
            assert!(heap.is_alive(&made));
        });
        callback.unwrap();
        heap.destroy(object);
    }
}
