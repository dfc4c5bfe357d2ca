//! Caches: `get_or_alloc`, `get_or_try_alloc`.

use slotgc::{DeathQueue, Gc, Graveyard, Heap, HeapConfig, Root, WeakValueMap};

use crate::objects::{Log, Node, Noisy, panic_text};

type Cache = WeakValueMap<String, Node>;

const GONE: &str = "weakly-referenced object no longer exists: WeakValueMap<";

fn cache(heap: &mut Heap) -> Root<Cache> {
    heap.alloc_root(Cache::new())
}

#[test]
fn a_key_has_one_object_while_anything_holds_it() {
    // weak-cases 44
    let mut heap = Heap::new();
    let cache = cache(&mut heap);
    let first = heap.get_or_alloc(&cache, "key".into(), |_, key| Node::leaf(key.len() as u64));
    let root = heap.root(first).unwrap();
    heap.collect();
    let again = heap.get_or_alloc(&cache, "key".into(), |_, _| unreachable!("it is in the cache"));
    assert_eq!((first, heap[again].value), (again, 3));
    drop(root);
    heap.collect();
    assert!(heap[&cache].is_empty());
    let next = heap.get_or_alloc(&cache, "key".into(), |_, _| Node::leaf(9));
    assert!(next != first && !heap.is_alive(first));
    assert_eq!((heap[next].value, heap[&cache].get("key")), (9, Some(next.downgrade())));
}

#[test]
fn a_destroyed_value_is_made_again_before_any_collection() {
    // weak-cases: mistakes
    let mut heap = Heap::new();
    let cache = cache(&mut heap);
    let first = heap.get_or_alloc(&cache, "key".into(), |_, _| Node::leaf(1));
    heap.destroy(first);
    let next = heap.get_or_alloc(&cache, "key".into(), |_, _| Node::leaf(2));
    assert_eq!((heap[next].value, heap[&cache].len()), (2, 1));
    let _root = heap.root(next);
    assert_eq!((heap.collect().pruned, heap[&cache].get("key")), (0, Some(next.downgrade())));
}

#[test]
fn any_kind_of_handle_names_the_cache() {
    let mut heap = Heap::new();
    let root = cache(&mut heap);
    let (gc, weak) = (root.gc(), root.downgrade());
    let made = heap.get_or_alloc(gc, "key".into(), |_, _| Node::leaf(1));
    assert_eq!(heap.get_or_alloc(weak, "key".into(), |_, _| unreachable!()), made);
    assert_eq!(heap.get_or_alloc(&root, "key".into(), |_, _| unreachable!()), made);
    assert_eq!(heap.get_or_try_alloc::<_, _, _, _, ()>(&gc, "key", |_| Err(())), Ok(made));
    assert_eq!(heap.get_or_try_alloc::<_, _, _, _, ()>(&weak, "key", |_| Err(())), Ok(made));
}

#[test]
fn the_factory_runs_once_and_its_object_is_alive_even_if_it_collects() {
    // weak-cases 47
    let mut heap = Heap::new();
    let cache = cache(&mut heap);
    let mut runs = 0;
    for _ in 0..2 {
        let made = heap.get_or_alloc(&cache, "key".into(), |heap, key| {
            runs += 1;
            assert_eq!(key, "key");
            heap.alloc(Node::leaf(0));
            assert_eq!(heap.collect().freed, 1);
            Node::leaf(5)
        });
        assert_eq!(heap[made].value, 5);
    }
    assert_eq!((runs, heap.len()), (1, 2));
}

#[test]
fn the_factorys_value_wins_over_one_it_inserted_itself() {
    // weak-cases 48
    let mut heap = Heap::new();
    let cache = cache(&mut heap);
    let weak = cache.downgrade();
    let mut other = None;
    let insert = |heap: &mut Heap, other: &mut Option<Gc<Node>>| {
        let made = heap.alloc(Node::leaf(1));
        *other = Some(made);
        heap[weak].insert("key".into(), made);
    };
    let made = heap.get_or_alloc(&cache, "key".into(), |heap, _| {
        insert(heap, &mut other);
        Node::leaf(2)
    });
    assert_eq!((heap[made].value, heap[&cache].len()), (2, 1));
    assert_eq!(heap[&cache].get("key"), Some(made.downgrade()));
    assert!(heap.is_alive(other.unwrap()));
    heap.destroy(made);
    let made = heap.get_or_try_alloc(&cache, "key", |heap| {
        insert(heap, &mut other);
        Ok::<_, ()>(heap.alloc(Node::leaf(3)))
    });
    assert_eq!((heap[made.unwrap()].value, heap[&cache].len()), (3, 1));
}

#[test]
fn a_factory_that_panics_leaves_the_map_as_it_made_it() {
    // weak-cases 48
    let mut heap = Heap::new();
    let cache = cache(&mut heap);
    let weak = cache.downgrade();
    for way in 0..2 {
        let text = panic_text(|| {
            let change = |heap: &mut Heap| {
                let other = heap.alloc(Node::leaf(1));
                heap[weak].insert(format!("other {way}"), other);
                panic!("way {way}")
            };
            match way {
                0 => heap.get_or_alloc(&cache, "key".into(), |heap, _| change(heap)),
                _ => heap
                    .get_or_try_alloc(&cache, "key", |heap| -> Result<_, ()> {
                        let made = change(heap);
                        Ok(heap.alloc(made))
                    })
                    .unwrap(),
            }
        });
        assert_eq!(text, format!("way {way}"));
        assert_eq!((heap[&cache].get("key"), heap[&cache].len()), (None, way + 1));
        assert!(heap[&cache].contains_key(format!("other {way}").as_str()));
    }
    heap.collect();
    assert!(heap[&cache].is_empty());
}

#[test]
fn a_factory_may_use_the_cache_for_other_keys() {
    let mut heap = Heap::new();
    let cache = cache(&mut heap);
    fn tree(heap: &mut Heap, cache: &Root<Cache>, depth: usize) -> Gc<Node> {
        heap.get_or_alloc(cache, format!("{depth}"), |heap, _| match depth {
            0 => Node::leaf(0),
            _ => Node::with([tree(heap, cache, depth - 1), tree(heap, cache, depth - 1)]),
        })
    }
    let top = tree(&mut heap, &cache, 20);
    assert_eq!((heap[&cache].len(), heap.len_of::<Node>()), (21, 21));
    let root = heap.root(top).unwrap();
    assert_eq!(heap.collect().pruned, 0);
    drop(root);
    assert_eq!((heap.collect().pruned, heap[&cache].len()), (21, 0));
}

#[test]
fn a_dead_cache_panics_with_the_message_of_dead_and_allocates_nothing() {
    let mut heap = Heap::new();
    let cache = heap.alloc(Cache::new());
    heap.collect();
    let text = panic_text(|| heap.get_or_alloc(cache, "key".into(), |_, _| unreachable!()));
    assert!(text.starts_with(GONE), "{text}");
    let text = panic_text(|| heap.get_or_try_alloc::<_, _, _, _, ()>(cache, "key", |_| unreachable!()));
    assert!(
        text.starts_with(GONE) && text.contains(&format!("({cache})")) && !text.contains("(it was"),
        "{text}"
    );
    assert_eq!((heap.len(), heap.collect().freed), (0, 0));
}

#[test]
fn a_cache_that_dies_meanwhile_leaves_the_object_uncached() {
    for way in 0..2 {
        for collected in [false, true] {
            let mut heap = Heap::new();
            let cache = heap.alloc(Cache::new());
            let end = |heap: &mut Heap| {
                if collected {
                    heap.collect();
                } else {
                    heap.destroy(cache);
                }
            };
            let made = match way {
                0 => heap.get_or_alloc(cache, "key".into(), |heap, _| {
                    end(heap);
                    Node::leaf(1)
                }),
                _ => heap
                    .get_or_try_alloc(cache, "key", |heap| {
                        end(heap);
                        Ok::<_, ()>(heap.alloc(Node::leaf(1)))
                    })
                    .unwrap(),
            };
            assert!(!heap.is_alive(cache));
            assert_eq!((heap[made].value, heap.len()), (1, 1));
        }
    }
}

#[test]
fn a_factory_that_fails_leaves_the_map_as_it_was() {
    let mut heap = Heap::new();
    let cache = cache(&mut heap);
    assert_eq!(heap.get_or_try_alloc(&cache, "key", |_| Err("no")), Err("no"));
    assert!(heap[&cache].is_empty());
    let made = heap.get_or_try_alloc(&cache, "key", |heap| Ok::<_, ()>(heap.alloc(Node::leaf(1)))).unwrap();
    assert_eq!(heap.get_or_try_alloc(&cache, "key", |_| Err("not called")), Ok(made));
    heap.destroy(made);
    assert_eq!(heap.get_or_try_alloc(&cache, "key", |_| Err("no")), Err("no"));
    assert_eq!(heap[&cache].get("key"), Some(made.downgrade()));
}

#[test]
fn a_factory_may_watch_and_bury_what_it_made() {
    let log = Log::default();
    let mut heap = Heap::new();
    let cache = heap.alloc_root(WeakValueMap::<u32, Noisy>::new());
    let (dead, graves) = (DeathQueue::new(), Graveyard::new());
    for key in 0..3 {
        heap.get_or_try_alloc(&cache, &key, |heap| {
            let made = heap.alloc(Noisy::new(key, &log));
            dead.watch(heap, made, key)?;
            graves.bury(heap, made)?;
            Ok::<_, slotgc::Dead>(made)
        })
        .unwrap();
    }
    assert_eq!((heap.collect().pruned, log.take()), (3, vec![]));
    assert_eq!(dead.drain().collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(graves.drain().map(|(_, noisy)| noisy.number).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(log.take(), [0, 1, 2]);
}

#[test]
fn a_factory_that_returns_a_dead_object_is_called_again() {
    let mut heap = Heap::new();
    let cache = cache(&mut heap);
    let dead = heap.get_or_try_alloc(&cache, "key", |_| Ok::<_, ()>(Gc::default())).unwrap();
    assert!(!heap.is_alive(dead));
    let made = heap.get_or_try_alloc(&cache, "key", |heap| Ok::<_, ()>(heap.alloc(Node::leaf(1)))).unwrap();
    assert_eq!((heap[made].value, heap[&cache].len()), (1, 1));
}

#[test]
fn a_limit_leaves_the_map_as_it_was() {
    let mut heap = Heap::with_config(HeapConfig::default().max_objects(2));
    let cache = cache(&mut heap);
    let made = heap.get_or_alloc(&cache, "a".into(), |_, _| Node::leaf(1));
    let text = panic_text(|| heap.get_or_alloc(&cache, "b".into(), |_, _| Node::leaf(2)));
    assert!(text.contains("max_objects of 2 objects reached"), "{text}");
    let refused = heap.get_or_try_alloc(&cache, "b", |heap| heap.try_alloc(Node::leaf(2)));
    assert_eq!(refused.unwrap_err().into_inner().value, 2);
    assert_eq!(heap[&cache].iter().collect::<Vec<_>>(), [(&"a".to_string(), made.downgrade())]);
}

#[test]
fn a_factory_that_replaces_the_heap_gets_its_object_from_the_new_one() {
    let mut heap = Heap::new();
    let cache = cache(&mut heap);
    let made = heap.get_or_alloc(&cache, "key".into(), |heap, _| {
        *heap = Heap::new();
        Node::leaf(1)
    });
    assert_eq!((heap[made].value, heap.len(), heap.is_alive(&cache)), (1, 1, false));
}
