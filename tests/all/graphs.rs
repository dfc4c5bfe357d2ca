//! Copying graphs of objects: prefabs.

use std::collections::BTreeMap;

use slotgc::{
    AnyGc, Gc, GraphError, Heap, HeapConfig, Interner, Schema, Trace, Tracer, Weak, WeakKeyMap, WeakSet,
    WeakValueMap,
};

use crate::objects::GcMap;

// With its path, since another binary includes this file by itself.
#[path = "graphs/alike.rs"]
mod alike;

#[derive(Trace, Clone, Debug, PartialEq, Default)]
struct Node {
    #[trace(label)]
    name: String,
    next: Vec<Gc<Node>>,
    parent: Weak<Node>,
    any: AnyGc,
}

fn node(name: &str) -> Node {
    Node { name: name.to_string(), ..Node::default() }
}

fn schema() -> Schema<(Node, ())> {
    Schema::new().with::<Node>("node")
}

#[test]
fn a_copy_has_the_shape_of_the_original_and_shares_nothing_with_it() {
    let mut heap = Heap::new();
    let [a, b, c] = ["a", "b", "c"].map(|name| heap.alloc(node(name)));
    heap[a].next = vec![b, c, b];
    heap[c].next = vec![a, c];
    (heap[b].parent, heap[b].any) = (a.into(), c.erase());
    heap.alloc(node("garbage"));
    let before = [a, b, c].map(|gc| heap[gc].clone());

    let (copy, relinked) = heap.clone_graph(a, &schema()).unwrap();
    assert_eq!(heap.len(), 7);
    assert_eq!([a, b, c].map(|gc| heap[gc].clone()), before);
    let [a2, b2, c2] = [a, b, c].map(|old| relinked.get(old).unwrap());
    assert_eq!(copy, a2);
    assert!(![a, b, c].iter().any(|old| [a2, b2, c2].contains(old)));
    assert_eq!(heap[a2], Node { next: vec![b2, c2, b2], ..node("a") });
    assert_eq!(heap[b2], Node { parent: a2.into(), any: c2.erase(), ..node("b") });
    assert_eq!(heap[c2], Node { next: vec![a2, c2], ..node("c") });
    assert_eq!(relinked.roots(), [a2.erase()]);
    assert_eq!((relinked.became_null(), relinked.merged()), (0, 0));
    assert_eq!(relinked.get_any(b), Some(b2.erase()));
    heap.verify();

    let root = heap.root(copy).unwrap();
    heap.collect();
    assert_eq!(heap.len(), 3);
    heap.destroy(&root);
    assert!(matches!(heap.clone_graph(&root, &schema()), Err(GraphError::Dead(_))));
}

#[test]
fn handles_that_lead_out_stay_and_those_to_the_dead_become_null() {
    let mut heap = Heap::new();
    let [outside, dead] = ["outside", "dead"].map(|name| heap.alloc(node(name)));
    let inside = heap.alloc(Node { parent: outside.into(), any: dead.erase(), ..node("inside") });
    let first = heap.alloc(Node { next: vec![inside], parent: dead.into(), ..node("first") });
    heap.destroy(dead);
    let (copy, relinked) = heap.clone_graph(first, &schema()).unwrap();
    let inner = heap[copy].next[0];
    assert_eq!(heap[inner], Node { parent: outside.into(), ..node("inside") });
    assert_eq!(heap[copy].parent, Weak::dangling());
    assert_eq!((relinked.became_null(), relinked.get(outside), heap.len()), (2, None, 5));

    let mut outer = (outside, inside.downgrade(), dead, first);
    relinked.apply(&mut outer);
    assert_eq!(outer, (outside, inner.into(), Gc::default(), copy));
}

#[test]
fn what_is_shared_is_not_copied_nor_what_only_it_reaches() {
    let mut heap = Heap::new();
    let deep = heap.alloc(node("deep"));
    let shared = heap.alloc(Node { next: vec![deep], ..node("shared") });
    let both = heap.alloc(node("both"));
    let first = heap.alloc(Node { next: vec![shared, both, shared], ..node("first") });
    let mut asked = Vec::new();
    let mut share = |any| {
        asked.push(any);
        any == shared.erase()
    };
    let (copy, relinked) = heap.clone_graph_until(first, &schema(), &mut share).unwrap();
    asked.sort_unstable();
    assert_eq!(asked, [shared.erase(), both.erase()]);
    assert_eq!(heap[copy].next, [shared, relinked.get(both).unwrap(), shared]);
    assert_eq!((relinked.get(deep), heap.len()), (None, 6));
}

#[derive(Trace, Clone, Default)]
struct Tables {
    by_handle: GcMap<Gc<Node>, u32>,
    ordered: BTreeMap<(u8, Weak<Node>), Gc<Node>>,
    names: WeakValueMap<String, Node>,
    notes: WeakKeyMap<Node, Gc<Node>>,
    set: WeakSet<Node>,
    keep: Vec<Gc<Node>>,
}

#[test]
fn maps_keyed_by_handles_are_rehashed() {
    let mut heap = Heap::new();
    let [a, b, note, outside, lost] =
        ["a", "b", "note", "outside", "lost"].map(|name| heap.alloc(node(name)));
    let tables = Tables {
        by_handle: GcMap::from_iter([(a, 1), (b, 2)]),
        ordered: BTreeMap::from([((1, a.into()), b), ((1, outside.into()), a)]),
        names: WeakValueMap::from_iter([("a".into(), a), ("outside".into(), outside), ("lost".into(), lost)]),
        notes: WeakKeyMap::from_iter([(a, note), (outside, note), (lost, note)]),
        set: WeakSet::from_iter([a, outside, lost]),
        keep: vec![a, b],
    };
    let tables = heap.alloc(tables);
    heap.destroy(lost);
    let (copy, relinked) = heap.clone_graph(tables, &schema().with::<Tables>("tables")).unwrap();
    let [a2, b2, note2] = [a, b, note].map(|old| relinked.get(old).unwrap());
    let copy = &heap[copy];
    assert_eq!(copy.by_handle, GcMap::from_iter([(a2, 1), (b2, 2)]));
    assert_eq!(copy.ordered, BTreeMap::from([((1, a2.into()), b2), ((1, outside.into()), a2)]));
    assert_eq!((copy.names.get("a"), copy.names.get("outside")), (Some(a2.into()), Some(outside.into())));
    assert_eq!((copy.names.get("lost"), copy.names.len()), (None, 2));
    // The value of an outside key is also reached through an inside key.
    assert_eq!((copy.notes.get(a2), copy.notes.get(outside)), (Some(&note2), Some(&note2)));
    assert_eq!(copy.notes.len(), 2);
    assert_eq!(copy.set, WeakSet::from_iter([a2, outside]));
    assert_eq!(copy.keep, [a2, b2]);
    assert_eq!(relinked.became_null(), 3);
}

#[test]
fn a_value_under_a_key_is_copied_only_if_the_key_is() {
    let mut heap = Heap::new();
    let [outside, inner, value] = ["outside", "inner", "value"].map(|name| heap.alloc(node(name)));
    // The inner key's value is the other key.
    let notes = WeakKeyMap::from_iter([(outside, value), (inner, outside)]);
    let tables = heap.alloc(Tables { notes, ..Tables::default() });
    let schema = schema().with::<Tables>("tables");
    let (copy, relinked) = heap.clone_graph(tables, &schema).unwrap();
    assert_eq!((relinked.get(value), relinked.get(outside)), (None, None));
    assert_eq!(heap[copy].notes.get(outside), Some(&value));

    heap[tables].keep.push(inner);
    let (copy, relinked) = heap.clone_graph(tables, &schema).unwrap();
    let [outside2, inner2, value2] = [outside, inner, value].map(|old| relinked.get(old).unwrap());
    assert_eq!(heap[copy].notes.get(inner2), Some(&outside2));
    assert_eq!(heap[copy].notes.get(outside2), Some(&value2));
}

#[test]
fn interned_objects_are_shared_or_filed_under_their_new_hash() {
    #[derive(Trace, Clone, PartialEq, Eq, Hash)]
    struct Word(String, Option<Gc<Word>>);

    #[derive(Trace, Clone)]
    struct Dictionary {
        words: Interner<Word>,
        keep: Vec<Gc<Word>>,
    }

    let mut heap = Heap::new();
    let table = heap.alloc_root(Interner::new());
    let stem = heap.intern(&table, Word("stem".into(), None));
    let word = heap.intern(&table, Word("word".into(), Some(stem)));
    let words = heap[&table].clone();
    let dictionary = heap.alloc(Dictionary { words, keep: vec![word] });
    let schema = Schema::new().with::<Word>("word").with::<Dictionary>("dictionary");

    let (copy, relinked) = heap.clone_graph(dictionary, &schema).unwrap();
    let [stem2, word2] = [stem, word].map(|old| relinked.get(old).unwrap());
    let words = heap[copy].words.clone();
    let words = heap.alloc_root(words);
    assert_eq!(heap.interned(&words, &Word("word".into(), Some(stem2))), Some(word2));
    assert_eq!(heap.interned(&words, &Word("word".into(), Some(stem))), None);
    assert_eq!(heap.interned(&words, &Word("stem".into(), None)), Some(stem2));

    let mut share = |any: AnyGc| any == word.erase();
    let (copy, _) = heap.clone_graph_until(dictionary, &schema, &mut share).unwrap();
    assert_eq!(heap[copy].keep, [word]);
    assert!(heap[copy].words.iter().any(|weak| weak == word));
}

#[test]
fn a_type_outside_of_the_schema_is_named_with_the_path_to_it() {
    #[derive(Trace, Clone)]
    struct Level {
        mobs: BTreeMap<String, Gc<Mob>>,
    }
    #[derive(Trace, Clone)]
    struct Mob {
        skins: Vec<Option<Gc<Texture>>>,
    }
    #[derive(Trace)]
    struct Texture;

    let mut heap = Heap::new();
    let texture = heap.alloc(Texture);
    let mob = heap.alloc(Mob { skins: vec![None, Some(texture)] });
    let level = heap.alloc(Level { mobs: BTreeMap::from([("wolf".into(), mob)]) });
    let schema = Schema::new().with::<Mob>("mob").with::<Level>("level");
    let error = heap.clone_graph(level, &schema).unwrap_err();
    let GraphError::NotInSchema { type_name, path } = &error else { panic!("{error}") };
    assert!(type_name.ends_with("Texture"));
    assert_eq!(*path, format!("Level {level} .mobs[\"wolf\"] -> Mob {mob} .skins[1] -> Texture {texture}"));
    assert!(error.to_string().contains("does not list"));
    assert_eq!(heap.len(), 3);
}

#[test]
fn a_copy_that_fails_leaves_nothing_behind() {
    /// Without `relink`.
    #[derive(Clone)]
    struct ByHand(Gc<Node>);

    impl Trace for ByHand {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            tracer.edge(self.0);
        }
    }

    let mut heap = Heap::with_config(HeapConfig::default().max_objects(5));
    let inner = heap.alloc(node("inner"));
    let by_hand = heap.alloc(ByHand(inner));
    let schema = schema().with::<ByHand>("by hand");
    let error = heap.clone_graph(by_hand, &schema).unwrap_err();
    assert!(matches!(&error, GraphError::NotRelinkable { type_name } if type_name.ends_with("ByHand")));
    assert_eq!(heap.len(), 2);

    let outer = heap.alloc(Node { next: vec![inner], ..node("outer") });
    let more = heap.alloc(Node { next: vec![outer], ..node("more") });
    let error = heap.clone_graph(more, &schema).unwrap_err();
    assert!(matches!(error, GraphError::Limit(_)), "{error}");
    assert!(error.to_string().contains("max_objects of 5"), "{error}");
    assert_eq!(heap.len(), 4);
    heap.verify();
}

#[cfg(feature = "std")]
#[test]
fn a_clone_that_panics_leaves_nothing_behind() {
    #[derive(Trace)]
    struct Shy(Gc<Node>, u32);

    impl Clone for Shy {
        fn clone(&self) -> Self {
            assert!(self.1 < 3, "too shy");
            Self(self.0, self.1)
        }
    }

    let mut heap = Heap::new();
    let inner = heap.alloc(node("inner"));
    let shy: Vec<_> = (0..5).map(|n| heap.alloc(Shy(inner, n))).collect();
    let all = heap.alloc(shy);
    let schema = schema().with::<Shy>("shy").with::<Vec<Gc<Shy>>>("list");
    let copied =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| heap.clone_graph(all, &schema).is_ok()));
    assert!(copied.is_err());
    assert_eq!(heap.len(), 7);
    heap.verify();
}

#[cfg(feature = "std")]
#[test]
fn a_held_lock_is_an_error_that_names_the_object() {
    use std::sync::{Arc, Mutex};

    #[derive(Trace)]
    struct Locked(Mutex<Option<Gc<Node>>>);

    impl Clone for Locked {
        fn clone(&self) -> Self {
            Self(Mutex::new(*self.0.lock().unwrap()))
        }
    }

    let mut heap = Heap::new();
    let inner = heap.alloc(node("inner"));
    let locked = heap.alloc(Locked(Mutex::new(Some(inner))));
    let schema = schema().with::<Locked>("locked");
    let leaked = Arc::new(());
    std::mem::forget(heap[locked].0.lock());
    let error = heap.clone_graph(locked, &schema).unwrap_err();
    assert!(matches!(&error, GraphError::Locked { path } if *path == format!("Locked {locked}")), "{error}");
    drop(leaked);
}

#[test]
fn a_list_of_a_hundred_thousand_is_copied_during_a_cycle() {
    let mut heap = Heap::new();
    let mut head = None;
    for _ in 0..100_000 {
        head = Some(heap.alloc(Node { next: head.into_iter().collect(), ..Node::default() }));
    }
    let head = heap.root(head.unwrap()).unwrap();
    heap.step(slotgc::Budget::Objects(1000));
    let (copy, _) = heap.clone_graph(&head, &schema()).unwrap();
    let copy = heap.root(copy).unwrap();
    drop(head);
    heap.collect();
    heap.collect();
    assert_eq!(heap.len(), 100_000);
    let (mut len, mut at) = (1, copy.gc());
    while let Some(next) = heap[at].next.first() {
        (len, at) = (len + 1, *next);
    }
    assert_eq!(len, 100_000);
}

#[test]
fn a_copy_beside_dead_objects_and_new_tenants_matches_a_naive_walk() {
    for seed in 0..8 {
        let mut random = slotgc_graphs::Random::new(seed);
        let mut heap = Heap::new();
        let mut nodes = heap.alloc_many((0..4000).map(|n| node(&n.to_string())));
        // More are destroyed than fit in limbo, so slots are reused and stale handles remain; or fewer.
        let gone = if seed == 5 { 500 } else { 2000 };
        let dead: Vec<_> = (0..gone).map(|_| nodes.swap_remove(random.below(nodes.len()))).collect();
        dead.iter().filter(|_| seed > 0).for_each(|gc| _ = heap.destroy(*gc));
        nodes.extend(heap.alloc_many((4000..4900).map(|n| node(&n.to_string()))));
        for gc in &nodes {
            let mut any = |stale: usize| {
                if random.below(100) < stale {
                    dead[random.below(dead.len())]
                } else {
                    nodes[random.below(nodes.len())]
                }
            };
            let stale = if seed < 4 { 0 } else { seed as usize % 4 };
            let (next, parent) = ([any(stale), any(stale)], any(20));
            heap[*gc].next = next[..usize::from(seed % 2 == 0) + 1].to_vec();
            heap[*gc].parent = parent.into();
        }
        let mut reached = std::collections::HashSet::from([nodes[0]]);
        let mut queue = vec![nodes[0]];
        while let Some(gc) = queue.pop() {
            let living = heap[gc].next.iter().copied().filter(|next| heap.is_alive(next));
            queue.extend(living.filter(|next| reached.insert(*next)));
        }
        let (len, allocated) = (heap.len(), heap.allocated());
        let (copy, relinked) = heap.clone_graph(nodes[0], &schema()).unwrap();
        assert_eq!(relinked.get(nodes[0]), Some(copy));
        assert_eq!(heap.len(), len + reached.len());
        assert_eq!(heap.allocated(), allocated + reached.len() as u64);
        for gc in nodes.iter().chain(&dead) {
            assert_eq!(relinked.get(*gc).is_some(), reached.contains(gc));
        }
        let is_alive = |gc: &Gc<Node>| heap.is_alive(gc);
        for gc in &reached {
            let (old, new) = (&heap[*gc], &heap[relinked.get(*gc).unwrap()]);
            assert_eq!(old.name, new.name);
            let next = old.next.iter().map(|next| relinked.get(*next).unwrap_or_default());
            assert_eq!(new.next, next.collect::<Vec<_>>());
            let parent = heap.upgrade(old.parent);
            let parent = parent.map(|parent| relinked.get(parent).unwrap_or(parent));
            assert_eq!(new.parent, parent.filter(is_alive).map_or(Weak::dangling(), Weak::from));
        }
        heap.verify();
        let (copy, first) = (heap.root(copy).unwrap(), heap.root(nodes[0]).unwrap());
        assert_eq!(heap.collect().kept, 2 * reached.len());
        drop((copy, first));
    }
}

#[test]
fn a_strong_handle_to_a_dead_object_becomes_null_in_an_otherwise_plain_copy() {
    let mut heap = Heap::new();
    let [inner, dead] = ["inner", "dead"].map(|name| heap.alloc(node(name)));
    let first = heap.alloc(Node { next: vec![inner, dead], ..node("first") });
    heap.destroy(dead);
    let (copy, mut relinked) = heap.clone_graph(first, &schema()).unwrap();
    assert_eq!(heap[copy].next, [relinked.get(inner).unwrap(), Gc::default()]);
    assert_eq!((relinked.became_null(), relinked.get(dead), heap.len()), (1, None, 4));
    // Again, with the slot of the dead object in use.
    heap.collect_with(&[first, copy]);
    relinked = heap.clone_graph(first, &schema()).unwrap().1;
    assert_eq!((relinked.became_null(), heap.len()), (1, 6));
    heap.verify();
}

#[test]
fn a_copy_fits_exactly_into_the_limits() {
    for (most, dead) in (190..230).flat_map(|most| [(most, 0), (most, 5)]) {
        let mut heap = Heap::with_config(HeapConfig::default().max_objects(most));
        let mut head = heap.alloc(node("last"));
        let mut sides = Vec::new();
        for n in 1..100 {
            let side = if n % 10 == 0 { heap.alloc(node("side")) } else { head };
            sides.extend((n % 10 == 0).then_some(side));
            head = heap.alloc(Node { next: vec![head, side], ..node("inner") });
        }
        // Handles of objects that are gone take no room.
        sides.into_iter().take(dead).for_each(|side| _ = heap.destroy(side));
        let all = heap.len();
        assert_eq!(heap.clone_graph(head, &schema()).is_ok(), 2 * all <= most, "{most}, {dead} dead");
        assert_eq!(heap.len(), if 2 * all <= most { 2 * all } else { all });
        heap.verify();
    }
}
