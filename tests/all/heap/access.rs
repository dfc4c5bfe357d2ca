//! Reading and changing objects: one, two or all of them.

use slotgc::{AnyGc, Dead, Gc, Heap, HeapConfig, Weak};

use crate::objects::{Link, Node, panic_text};
use crate::subprocess;

#[test]
fn an_object_is_what_was_put_in() {
    let mut heap = Heap::new();
    let gc = heap.alloc("Teddy".to_string());
    let root = heap.alloc_root("Bear".to_string());
    assert_eq!(heap.get(gc).unwrap(), "Teddy");
    assert_eq!(heap.get(&gc).unwrap(), "Teddy");
    assert_eq!(heap.get(gc.downgrade()).unwrap(), "Teddy");
    assert_eq!(heap.get(&gc.downgrade()).unwrap(), "Teddy");
    assert_eq!(heap.get(&root).unwrap(), "Bear");
    assert_eq!((heap[gc].as_str(), heap[&root].as_str()), ("Teddy", "Bear"));
}

#[test]
fn a_change_through_any_handle_is_seen_through_every_other() {
    // weak-cases 18
    let mut heap = Heap::new();
    let root = heap.alloc_root(0);
    let (gc, weak) = (root.gc(), root.downgrade());
    let reads = |heap: &Heap| {
        let first = heap[&root];
        let others = [heap[gc], heap[&gc], heap[weak], heap[&weak]];
        assert!(others.iter().all(|other| *other == first));
        first
    };
    heap[weak] = 1;
    assert_eq!(reads(&heap), 1);
    heap[&root] = 2;
    assert_eq!(reads(&heap), 2);
    heap[gc] += 1;
    assert_eq!(reads(&heap), 3);
    heap[&gc] += 1;
    assert_eq!(reads(&heap), 4);
    heap[&weak] += 1;
    assert_eq!(reads(&heap), 5);
    *heap.get_mut(&root).unwrap() += 1;
    assert_eq!(reads(&heap), 6);
    *heap.try_get_mut(weak).unwrap() += 1;
    assert_eq!(reads(&heap), 7);
}

#[test]
fn looking_up_a_dead_object_returns_an_error_that_a_question_mark_propagates() {
    // weak-cases 16
    fn name_len(heap: &Heap, name: Weak<String>) -> Result<usize, Box<dyn std::error::Error + Send + Sync>> {
        Ok(heap.try_get(name)?.len())
    }
    let mut heap = Heap::new();
    let name = heap.alloc("Teddy".to_string()).downgrade();
    assert_eq!(name_len(&heap, name).unwrap(), 5);
    heap.collect();
    let text = name_len(&heap, name).unwrap_err().to_string();
    let when = if cfg!(gc_zeal) { "; it died in collection 1" } else { "" };
    assert_eq!(text, format!("weakly-referenced object no longer exists: String({name}){when}"));
    let dead: Dead = heap.try_get_mut(name).unwrap_err();
    assert_eq!((dead, dead.to_string()), (heap.try_get(name).unwrap_err(), text));
}

#[test]
fn indexing_by_a_dead_handle_panics_and_harms_nothing() {
    // weak-cases 17
    let mut heap = Heap::new();
    let gc = heap.alloc("Teddy".to_string());
    let root = heap.root(gc).unwrap();
    let weak = gc.downgrade();
    heap.destroy(gc);
    let expected = format!("weakly-referenced object no longer exists: String({gc})");
    // A strong handle promised more, so its message says how this can happen.
    let strong = panic_text(|| heap[gc].len());
    assert!(
        strong.starts_with(&format!("{expected} (it was destroyed, or nothing kept it alive")),
        "{strong}"
    );
    assert!(strong.contains("hold a `Root`"), "{strong}");
    assert_eq!(panic_text(|| heap[&gc].len()), strong);
    let when = if cfg!(gc_zeal) { "; it was destroyed after 0 collections" } else { "" };
    assert!(strong.ends_with(when), "{strong}");
    let expected = expected + when;
    assert_eq!(panic_text(|| heap[weak].len()), expected);
    assert_eq!(panic_text(|| heap[&weak].len()), expected);
    assert_eq!(panic_text(|| heap[&root].len()), expected);
    assert_eq!(panic_text(|| heap[gc].push('x')), strong);
    assert_eq!(panic_text(|| heap[&gc].push('x')), strong);
    assert_eq!(panic_text(|| heap[weak].push('x')), expected);
    assert_eq!(panic_text(|| heap[&weak].push('x')), expected);
    assert_eq!(panic_text(|| heap[&root].push('x')), expected);

    let other = heap.alloc_root("Bear".to_string());
    heap.alloc("garbage".to_string());
    assert_eq!(heap.collect().freed, 1);
    assert_eq!(heap[&other], "Bear");
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn panics_point_to_the_line_of_the_caller() {
    let output = subprocess::run("heap::access::panics_point_to_the_line_of_the_caller", || {
        let mut heap = Heap::with_config(HeapConfig::default().max_objects(0));
        let first = line!() + 1;
        panic_text(|| heap[Gc::<u8>::default()]);
        panic_text(|| heap[Gc::<u8>::default()] = 1);
        panic_text(|| heap.alloc(1));
        panic_text(|| heap.alloc_root(1));
        eprintln!("first line: {first}");
    });
    let Some(output) = output else { return };
    let text = String::from_utf8_lossy(&output.stderr);
    let first: u32 = text.split("first line: ").nth(1).unwrap().trim().parse().unwrap();
    for line in first..first + 4 {
        assert!(text.contains(&format!("access.rs:{line}:")), "no panic at line {line}:\n{text}");
    }
}

#[test]
fn several_objects_can_be_changed_at_once_if_all_live_and_all_differ() {
    let mut heap = Heap::new();
    let [a, b, c] = [1, 2, 3].map(|n| heap.alloc(n));
    let dead = heap.alloc(4);
    heap.destroy(dead);
    let [x, y, z] = heap.get_disjoint_mut([c, a, b]).unwrap();
    (*x, *y, *z) = (*x * 10, *y * 10, *z * 10);
    assert_eq!([heap[a], heap[b], heap[c]], [10, 20, 30]);

    assert_eq!(heap.get_disjoint_mut([a, b, a]), None);
    assert_eq!(heap.get_disjoint_mut([a, a]), None);
    assert_eq!(heap.get_disjoint_mut([a, dead]), None);
    assert_eq!(heap.get_disjoint_mut([dead, dead]), None);
    assert_eq!(heap.get_disjoint_mut([Gc::<i32>::default()]), None);
    assert_eq!(heap.get_disjoint_mut([a.downgrade(), b.downgrade()]), Some([&mut 10, &mut 20]));
    assert!(heap.get_disjoint_mut::<Gc<i32>, 0>([]).is_some());
    let roots = [a, b].map(|gc| heap.root(gc).unwrap());
    assert_eq!(heap.get_disjoint_mut([&roots[0], &roots[1]]), Some([&mut 10, &mut 20]));
}

#[test]
fn two_objects_of_any_types_can_be_changed_at_once_if_both_live_and_differ() {
    let mut heap = Heap::new();
    let (number, text) = (heap.alloc(1_u64), heap.alloc("one".to_string()));
    let other = heap.alloc(2_u64);
    {
        let (n, t) = heap.get_pair_mut(number, text.downgrade()).unwrap();
        *n += t.len() as u64;
        t.push('!');
    }
    assert_eq!((heap[number], heap[text].as_str()), (4, "one!"));
    let (a, b) = heap.get_pair_mut(number, other).unwrap();
    std::mem::swap(a, b);
    assert_eq!((heap[number], heap[other]), (2, 4));

    assert!(heap.get_pair_mut(number, number).is_none());
    assert!(heap.get_pair_mut(number, number.downgrade()).is_none());
    heap.destroy(other);
    assert!(heap.get_pair_mut(number, other).is_none());
    assert!(heap.get_pair_mut(other, text).is_none());
    assert!(heap.get_pair_mut(Gc::<String>::default(), text).is_none());
}

#[test]
fn an_erased_handle_becomes_one_of_its_own_type_and_of_no_other() {
    // weak-cases 9
    let mut heap = Heap::new();
    let number = heap.alloc(1_u64);
    let any: AnyGc = number.into();
    assert_eq!(heap.downcast::<u64>(any), Some(number));
    assert_eq!(heap.downcast::<i64>(any), None);
    assert_eq!(heap.downcast::<[u8; 8]>(any), None);
    assert_eq!(heap.downcast::<Node>(any), None);
    assert!(heap.is_alive_any(any));

    heap.destroy(number);
    assert_eq!(heap.downcast::<u64>(any), None);
    assert!(!heap.is_alive_any(any));
    assert_eq!(heap.downcast::<u64>(AnyGc::default()), None);
    assert!(!heap.is_alive_any(AnyGc::default()));
}

#[test]
fn iteration_yields_every_living_object_of_one_type_in_slot_order() {
    let mut heap = Heap::new();
    let made: Vec<_> = (0..10_000)
        .map(|value| {
            heap.alloc(value as u16);
            heap.alloc(Node::leaf(value))
        })
        .collect();
    for gc in made.iter().step_by(3) {
        heap.destroy(gc);
    }
    let mut expected: Vec<_> = made.iter().copied().filter(|gc| heap.is_alive(gc)).collect();
    expected.sort();
    let seen: Vec<_> = heap.iter::<Node>().map(|(gc, _)| gc).collect();
    assert_eq!(seen, expected);
    assert!(heap.iter::<Node>().all(|(gc, node)| std::ptr::eq(node, &heap[gc])));
    assert_eq!(heap.iter::<u16>().count(), 10_000);
    assert_eq!(heap.iter::<Link>().count(), 0);

    heap.iter_mut::<Node>().for_each(|(gc, node)| node.value = gc.to_bits());
    assert!(seen.iter().all(|gc| heap[gc].value == gc.to_bits()));
    assert_eq!(heap.iter_mut::<Node>().map(|(gc, _)| gc).collect::<Vec<_>>(), expected);
    assert_eq!(heap.iter_mut::<Link>().count(), 0);
}

#[test]
fn references_from_iter_mut_may_be_held_all_at_once() {
    let mut heap = Heap::new();
    for value in 0..1000_u64 {
        heap.alloc(value);
    }
    let mut all: Vec<&mut u64> = heap.iter_mut::<u64>().map(|(_, value)| value).collect();
    all.sort_by_key(|value| std::cmp::Reverse(**value));
    let (first, rest) = all.split_first_mut().unwrap();
    assert_eq!(**first, 999);
    rest.iter_mut().for_each(|value| std::mem::swap(*first, *value));
    assert_eq!(heap.iter::<u64>().map(|(_, value)| *value).sum::<u64>(), 999 * 1000 / 2);
}

#[test]
fn counts_follow_every_birth_and_death() {
    let mut heap = Heap::new();
    assert!(heap.is_empty());
    assert_eq!((heap.len(), heap.allocated(), heap.len_of::<u64>()), (0, 0, 0));
    let kept = heap.alloc_root(1_u64);
    let destroyed = heap.alloc(2_u64);
    heap.alloc(3_u64);
    heap.alloc("x".to_string());
    assert_eq!((heap.len(), heap.len_of::<u64>(), heap.len_of::<String>()), (4, 3, 1));
    assert_eq!(heap.len_of::<i64>(), 0);
    heap.destroy(destroyed);
    assert_eq!((heap.len(), heap.len_of::<u64>()), (3, 2));
    heap.collect();
    assert_eq!((heap.len(), heap.len_of::<u64>(), heap.len_of::<String>()), (1, 1, 0));
    assert!(!heap.is_empty());
    assert_eq!(heap.allocated(), 4);

    let stats = heap.stats();
    assert_eq!((stats.objects, stats.roots, stats.collections, stats.freed), (1, 1, 1, 3));
    assert_eq!((stats.allocated, stats.pauses), (4, 1));
    assert!(stats.bytes >= size_of::<u64>() && stats.bytes <= 16);
    assert_eq!(stats.pages, 2);
    drop(kept);
    heap.collect();
    let stats = heap.stats();
    assert_eq!((stats.objects, stats.bytes, stats.roots, stats.collections), (0, 0, 0, 2));
}

#[test]
fn a_heap_can_be_printed_and_made_by_default() {
    let mut heap = Heap::default();
    heap.alloc(Node::leaf(1));
    let text = format!("{heap:?}");
    assert!(text.starts_with("Heap {") && text.contains("objects: 1"), "{text}");
    let (_, others) = heap.split_mut(Gc::<Node>::from_bits(1)).expect("the first slot");
    assert!(format!("{others:?}").starts_with("Others"));
}
