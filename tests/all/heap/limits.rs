//! Limits: `try_alloc`, `alloc_or_collect`, and what a refusal says.

use slotgc::{Gc, Heap, HeapConfig, Trace, Tracer, Weak, roots};

use crate::objects::{Link, Log, Node, Noisy, panic_text};

fn at_most(objects: usize) -> Heap {
    Heap::with_config(HeapConfig::default().max_objects(objects))
}

#[test]
fn a_refused_value_is_returned_unharmed() {
    let log = Log::default();
    let mut heap = at_most(2);
    assert!(heap.try_alloc(Noisy::new(1, &log)).is_ok());
    assert!(heap.try_alloc(Noisy::new(2, &log)).is_ok());
    let refused = heap.try_alloc(Noisy::new(3, &log)).unwrap_err();
    assert!(log.take().is_empty());
    assert_eq!(refused.into_inner().number, 3);
    assert_eq!(log.take(), [3]);
    assert_eq!((heap.len(), heap.allocated()), (2, 2));
    heap.collect();
    assert!(heap.try_alloc(Noisy::new(4, &log)).is_ok());
}

#[test]
fn the_text_names_the_limit_and_its_number() {
    let mut heap = at_most(1);
    heap.alloc(Node::leaf(1));
    let error = heap.try_alloc(Node::leaf(2)).unwrap_err();
    let text = "cannot allocate Node: max_objects of 1 objects reached";
    assert_eq!(error.to_string(), text);
    assert!(format!("{error:?}").contains("max_objects of 1 objects"));
    let boxed: Box<dyn std::error::Error> = error.into();
    assert_eq!(boxed.to_string(), text);
    assert!(panic_text(|| heap.alloc(Node::leaf(2))).contains(text));
    assert!(panic_text(|| heap.alloc_root(Node::leaf(2))).contains(text));

    let mut heap = Heap::with_config(HeapConfig::default().max_bytes(100));
    let text = "cannot allocate [u8; 200]: max_bytes of 100 bytes reached";
    assert_eq!(heap.try_alloc([0_u8; 200]).unwrap_err().to_string(), text);
    assert!(panic_text(|| heap.alloc([0_u8; 200])).contains(text));
}

#[test]
fn an_error_can_be_printed_and_thrown_for_a_type_that_cannot() {
    struct Mute;
    impl slotgc::Trace for Mute {
        fn trace(&self, _: &mut slotgc::Tracer<'_>) {}
    }
    let error = at_most(0).try_alloc(Mute).unwrap_err();
    assert!(format!("{error:?} {error}").contains("Mute"));
    let _: &dyn std::error::Error = &error;
}

#[test]
fn each_object_counts_at_least_its_size() {
    for max in [0, 15, 16, 1000, 65_535, 65_536, 1 << 20] {
        let mut heap = Heap::with_config(HeapConfig::default().max_bytes(max));
        let mut bytes = 0;
        while heap.try_alloc([0_u8; 33]).is_ok() {
            bytes += 33;
        }
        while heap.try_alloc(1_u64).is_ok() {
            bytes += 8;
        }
        while heap.try_alloc(()).is_ok() {}
        assert!(bytes <= heap.stats().bytes && heap.stats().bytes <= max, "{bytes} of {max}");
        assert!(heap.stats().bytes + 16 > max, "the limit is used up");
    }
    let mut heap = Heap::with_config(HeapConfig::default().max_bytes(usize::MAX).max_objects(usize::MAX));
    assert!(heap.try_alloc([0_u8; 100_000]).is_ok());
}

#[test]
fn what_dies_makes_room() {
    let mut heap = at_most(1000);
    for _ in 0..5 {
        let made: Vec<_> = (0..1000).map(|value| heap.alloc(value)).collect();
        assert!(heap.try_alloc(0).is_err());
        made.iter().take(10).for_each(|gc| assert!(heap.destroy(gc).is_some()));
        (0..10).for_each(|_| assert!(heap.try_alloc(0).is_ok()));
        assert!(heap.try_alloc(0).is_err());
        assert_eq!(heap.collect().freed, 1000);
    }
}

#[test]
fn at_the_limit_a_collection_makes_room_and_the_values_own_edges_are_kept() {
    let mut heap = at_most(3);
    let kept = heap.alloc(Node::leaf(1));
    let deep = heap.alloc(Node::with([kept]));
    let garbage = heap.alloc(Node::leaf(3));
    let made = heap.alloc_or_collect(Node::with([deep]), &()).unwrap();
    assert!(heap.is_alive(kept) && heap.is_alive(deep) && !heap.is_alive(garbage));
    assert_eq!(heap[made].edges, [deep]);
    assert_eq!(heap.stats().collections, 1);
}

#[test]
fn below_the_limit_nothing_is_collected() {
    let mut heap = at_most(3);
    let garbage = heap.alloc(1);
    assert!(heap.alloc_or_collect(2, &()).is_ok());
    assert!(heap.is_alive(garbage));
    assert_eq!(heap.stats().collections, 0);
}

#[test]
fn at_the_limit_the_source_is_traced() {
    let mut heap = at_most(2);
    let stack = vec![heap.alloc(Node::leaf(1))];
    let weak = heap.alloc(Node::leaf(2)).downgrade();
    let made = heap.alloc_or_collect(Node::leaf(3), &stack).unwrap();
    assert!(heap.is_alive(stack[0]) && !heap.is_alive(weak) && heap.is_alive(made));
}

#[test]
fn when_everything_lives_the_value_is_returned_after_one_collection() {
    let log = Log::default();
    let mut heap = at_most(2);
    let held = [1, 2].map(|number| heap.alloc_root(Noisy::new(number, &log)));
    let refused = heap.alloc_or_collect(Noisy::new(3, &log), &()).unwrap_err();
    assert_eq!((refused.into_inner().number, heap.stats().collections), (3, 1));
    assert_eq!(log.take(), [3]);
    drop(held);
}

#[test]
fn if_the_collection_panics_the_value_is_dropped() {
    let log = Log::default();
    let mut heap = at_most(1);
    heap.alloc(1);
    let source = roots(|_| panic!("source"));
    let text = panic_text(|| heap.alloc_or_collect(Noisy::new(1, &log), &source));
    assert_eq!((text.as_str(), log.take()), ("source", vec![1]));
    assert_eq!(heap.len(), 1);
    assert!(heap.alloc_or_collect(2, &()).is_ok());
}

#[test]
fn a_long_program_at_its_limit_keeps_what_it_roots() {
    let mut heap = at_most(500);
    let root = heap.alloc_root(Link::default());
    let mut lost: Vec<Weak<Link>> = Vec::new();
    for value in 0..20_000 {
        // A list of the last ten.
        let next = heap[&root].next;
        let made: Gc<Link> = heap.alloc_or_collect(Link { value, next }, &()).unwrap();
        heap[&root].next = Some(made);
        if value % 10 == 9 {
            heap[&root].next = None;
        }
        lost.push(made.downgrade());
    }
    assert!(heap.len() <= 500);
    heap.collect();
    assert_eq!(heap.len(), 1);
    assert!(lost.iter().all(|weak| !heap.is_alive(weak)));
}

#[test]
fn a_configuration_can_be_cloned_and_printed() {
    let config = HeapConfig::default().max_objects(1).max_bytes(50).first_generation(8);
    let mut heap = Heap::with_config(config.clone());
    assert!(heap.alloc(1_u8).to_string().ends_with("v9"));
    assert!(heap.try_alloc(2_u8).is_err());
    let text = format!("{config:?}");
    assert!(text.contains("max_objects: 1") && text.contains("50"), "{text}");
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std nobody catches panics")]
fn a_large_object_that_comes_to_nothing_leaves_no_room_for_many_small_ones() {
    struct Unweighable([u64; 40]);
    impl Trace for Unweighable {
        const OWNS: bool = true;
        fn trace(&self, _: &mut Tracer<'_>) {}
        fn owned_bytes(&self) -> usize {
            panic!("the weight of {} words", self.0.len())
        }
    }
    let mut heap = at_most(3);
    heap.alloc_many([1_u8, 2]);
    let text = panic_text(|| _ = heap.alloc(Unweighable([0; 40])));
    assert_eq!(text, "the weight of 40 words");
    assert!(heap.try_alloc(3_u8).is_ok());
    assert!(heap.try_alloc(4_u8).is_err());
    assert_eq!(heap.len(), 3);
}
