//! Types of std in the fields of objects, and fields that an adapter traces: what a collection keeps of them,
//! what they weigh, how a path names their parts, and what becomes of them in the copy of a graph.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, ControlFlow, Range, RangeInclusive};
#[cfg(feature = "std")]
use std::sync::{Mutex, OnceLock, RwLock};

use slotgc::{
    AnyGc, CloneTypes, Gc, GraphError, Heap, Links, Relinked, Root, Schema, Trace, TraceDyn, TraceWith,
    Tracer, WeakKeyMap, WeakSet, trace_dyn,
};

use crate::objects::GcMap;

#[derive(Trace, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Leaf(u32);

/// An object with one field of any type.
#[derive(Trace, Clone)]
struct Holder<T> {
    field: T,
}

/// Whether a collection keeps all that `hold` puts handles to two leaves into, and nothing else.
#[track_caller]
fn assert_keeps<T: Trace>(hold: impl FnOnce(Gc<Leaf>, Gc<Leaf>) -> T, kept: [bool; 2]) {
    let mut heap = Heap::new();
    let [a, b, garbage] = [1, 2, 3].map(|number| heap.alloc(Leaf(number)));
    let _root = heap.alloc_root(Holder { field: hold(a, b) });
    heap.collect();
    assert_eq!([a, b, garbage].map(|leaf| heap.is_alive(leaf)), [kept[0], kept[1], false]);
}

/// The last edge of the path to a leaf that `hold` puts the handle of into a field.
#[cfg(feature = "inspect")]
fn edge_to_leaf<T: Trace>(hold: impl FnOnce(Gc<Leaf>) -> T) -> String {
    let mut heap = Heap::new();
    let leaf = heap.alloc(Leaf(1));
    let _root = heap.alloc_root(Holder { field: hold(leaf) });
    let path = heap.why_alive(leaf).expect("the leaf is held");
    path.steps().last().and_then(|step| step.edge().map(String::from)).unwrap_or_default()
}

/// Copies what `hold` makes of a leaf: the leaf, its copy, and the copied field.
fn copied<T: Trace + Clone>(hold: impl FnOnce(Gc<Leaf>) -> T) -> Result<(Gc<Leaf>, Gc<Leaf>, T), GraphError>
where
    (Leaf, (Holder<T>, ())): CloneTypes,
{
    let mut heap = Heap::new();
    let leaf = heap.alloc(Leaf(1));
    let holder = heap.alloc(Holder { field: hold(leaf) });
    let schema = Schema::new().with::<Holder<T>>("holder").with::<Leaf>("leaf");
    let (copy, relinked): (Gc<Holder<T>>, Relinked) = heap.clone_graph(holder, &schema)?;
    Ok((leaf, relinked.get(leaf).unwrap_or_default(), heap[copy].field.clone()))
}

/// How many entries a collection prunes when the only target of a set dies.
fn pruned<T: Trace>(hold: impl FnOnce(WeakSet<Leaf>) -> T) -> usize {
    let mut heap = Heap::new();
    let dead = heap.alloc(Leaf(1));
    let field = hold(WeakSet::from_iter([&dead]));
    let _root = heap.alloc_root(Holder { field });
    heap.collect().pruned
}

fn text(capacity: usize) -> String {
    String::with_capacity(capacity)
}

#[test]
fn both_ends_of_a_range_are_kept_weighed_and_named() {
    assert_keeps(RangeInclusive::new, [true, true]);
    assert_keeps(|a, _| a..=Gc::default(), [true, false]);
    assert_keeps(|_, b| Gc::default()..=b, [false, true]);
    assert_eq!((text(3)..=text(5)).owned_bytes(), 8);
    #[cfg(feature = "inspect")]
    {
        assert_eq!(edge_to_leaf(|leaf| leaf..=Gc::default()), "field.start");
        assert_eq!(edge_to_leaf(|leaf| Gc::default()..=leaf), "field.end");
    }
}

#[test]
fn a_range_that_includes_its_end_is_copied_only_without_handles() {
    assert!(matches!(copied(|leaf| leaf..=leaf), Err(GraphError::NotRelinkable { .. })));
    assert_eq!(copied(|_| 1..=2).unwrap().2, 1..=2);
}

#[test]
fn a_bound_is_treated_as_what_it_holds() {
    assert_keeps(|a, _| Bound::Included(a), [true, false]);
    assert_keeps(|_, b| Bound::Excluded(b), [false, true]);
    assert_keeps(|_, _| Bound::<Gc<Leaf>>::Unbounded, [false, false]);
    assert_eq!((pruned(Bound::Included), pruned(Bound::Excluded)), (1, 1));
    assert_eq!((Bound::Included(text(3)).owned_bytes(), Bound::Excluded(text(5)).owned_bytes()), (3, 5));
    assert_eq!(Bound::<String>::Unbounded.owned_bytes(), 0);
    #[cfg(feature = "inspect")]
    {
        assert_eq!(edge_to_leaf(Bound::Included), "field.Included.0");
        assert_eq!(edge_to_leaf(Bound::Excluded), "field.Excluded.0");
    }
    for hold in [Bound::Included, Bound::Excluded] {
        let (old, new, copy) = copied(hold).unwrap();
        assert!(new != old && copy == hold(new));
    }
}

/// A handle that is relinked and not traced: no edge.
#[derive(Clone)]
struct NoEdge(Gc<Leaf>);

impl Trace for NoEdge {
    fn trace(&self, _: &mut Tracer<'_>) {}

    fn relink(&mut self, links: &mut Links<'_>) {
        links.gc(&mut self.0);
    }
}

#[test]
fn a_bound_or_a_box_of_what_is_no_edge_leads_nowhere() {
    let (old, new, Bound::Included(copy)) = copied(|leaf| Bound::Included(NoEdge(leaf))).unwrap() else {
        unreachable!("as it was made");
    };
    assert_eq!((new, copy.0), (Gc::default(), old));
    let (old, new, copy) = copied(|leaf| Box::new(NoEdge(leaf))).unwrap();
    assert_eq!((new, copy.0), (Gc::default(), old));
}

#[cfg(feature = "std")]
#[test]
fn a_cell_that_is_set_once_is_treated_as_what_it_holds() {
    assert_keeps(|a, _| OnceLock::from(a), [true, false]);
    assert_keeps(|_, _| OnceLock::<Gc<Leaf>>::new(), [false, false]);
    assert_eq!(pruned(OnceLock::from), 1);
    assert_eq!((OnceLock::from(text(3)).owned_bytes(), OnceLock::<String>::new().owned_bytes()), (3, 0));
    #[cfg(feature = "inspect")]
    assert_eq!(edge_to_leaf(OnceLock::from), "field");
    let (old, new, copy) = copied(OnceLock::from).unwrap();
    assert!(new != old && copy.get() == Some(&new));
}

#[cfg(feature = "inspect")]
#[test]
fn a_key_in_shared_memory_names_its_entry() {
    assert_eq!(
        edge_to_leaf(|leaf| BTreeMap::from([(std::sync::Arc::<str>::from("wolf"), leaf)])),
        r#"field["wolf"]"#
    );
}

trait Behaviour: TraceDyn + Send + Sync {
    fn boxed(&self) -> Box<dyn Behaviour>;
    fn target(&self) -> Gc<Leaf>;
}

trace_dyn!(dyn Behaviour);

#[derive(Trace, Clone)]
struct Hunt(Gc<Leaf>);

impl Behaviour for Hunt {
    fn boxed(&self) -> Box<dyn Behaviour> {
        Box::new(self.clone())
    }

    fn target(&self) -> Gc<Leaf> {
        self.0
    }
}

impl Clone for Box<dyn Behaviour> {
    fn clone(&self) -> Self {
        (**self).boxed()
    }
}

#[test]
fn the_copy_of_a_trait_object_holds_the_copies() {
    let (old, new, copy) = copied(|leaf| -> Box<dyn Behaviour> { Box::new(Hunt(leaf)) }).unwrap();
    assert!(new != old && copy.target() == new);
}

#[test]
fn options_weigh_what_they_hold() {
    assert_eq!((Some(text(7)).owned_bytes(), None::<String>.owned_bytes()), (7, 0));
    assert_eq!((Some(text(1)).owned_bytes(), Some(text(0)).owned_bytes()), (1, 0));
}

#[test]
fn copies_of_a_set_count_the_items_that_became_equal() {
    let mut heap = Heap::new();
    let dead = [1, 2, 3].map(|number| heap.alloc(Leaf(number)));
    let living = heap.alloc(Leaf(4));
    let field = BTreeSet::from_iter(dead.into_iter().chain([living]));
    let holder = heap.alloc(Holder { field });
    for leaf in dead {
        heap.destroy(leaf);
    }
    let schema = Schema::new().with::<Holder<BTreeSet<Gc<Leaf>>>>("holder").with::<Leaf>("leaf");
    let (copy, relinked) = heap.clone_graph(holder, &schema).unwrap();
    let living = relinked.get(living).unwrap();
    assert_eq!(heap[copy].field, BTreeSet::from([Gc::default(), living]));
    // The three dead ones are one null.
    assert_eq!((relinked.became_null(), relinked.merged()), (3, 2));
}

#[test]
fn no_two_elements_of_a_weak_set_become_one_in_its_copy() {
    let mut heap = Heap::new();
    let leaves = [1, 2].map(|number| heap.alloc(Leaf(number)));
    let holder = heap.alloc(Holder { field: (leaves, WeakSet::from_iter(&leaves)) });
    let schema = Schema::new().with::<Holder<([Gc<Leaf>; 2], WeakSet<Leaf>)>>("holder").with::<Leaf>("leaf");
    let (copy, relinked) = heap.clone_graph(holder, &schema).unwrap();
    assert_eq!((heap[copy].field.1.len(), relinked.merged()), (2, 0));
    assert!(heap[copy].field.0.iter().all(|leaf| heap[copy].field.1.contains(leaf)));
}

#[test]
fn trees_weigh_their_entries_and_the_room_between_them() {
    assert_eq!(BTreeMap::<u64, u64>::new().owned_bytes(), 0);
    let weight = |len: u64| BTreeMap::from_iter((0..len).map(|n| (n, n))).owned_bytes();
    // At least the entries, and at most twice as much and a node.
    for len in [1, 11, 100, 1000] {
        let entries = usize::try_from(len).unwrap() * 16;
        assert!((entries..=2 * entries + 512).contains(&weight(len)), "{len}: {}", weight(len));
    }
    assert!(weight(1000) > weight(100) && weight(100) > weight(10));
    // A node has links besides: of eight bytes, they are the most of it.
    assert!((8 + 2 * size_of::<usize>()..=64).contains(&BTreeSet::from_iter(0..8_u8).owned_bytes()));
}

/// A foreign container, and an adapter that has nothing but `trace`.
#[derive(Clone)]
struct Foreign<T>(T);

enum Plain {}

impl<T: Trace> TraceWith<Foreign<T>> for Plain {
    const OWNS: bool = true;

    fn trace(field: &Foreign<T>, tracer: &mut Tracer<'_>) {
        field.0.trace(tracer);
    }
}

enum Complete {}

impl<T: Trace> TraceWith<Foreign<T>> for Complete {
    fn trace(field: &Foreign<T>, tracer: &mut Tracer<'_>) {
        field.0.trace(tracer);
    }

    #[cfg(feature = "inspect")]
    fn inspect(field: &Foreign<T>, inspector: &mut slotgc::Inspector<'_>) {
        inspector.field("inside", &field.0);
    }

    fn relink(field: &mut Foreign<T>, links: &mut Links<'_>) {
        links.field(&mut field.0);
    }
}

#[derive(Trace, Clone)]
struct Plainly<T: Trace> {
    #[trace(with = Plain)]
    foreign: Foreign<T>,
}

#[derive(Trace, Clone)]
struct Completely<T: Trace> {
    #[trace(with = Complete)]
    foreign: Foreign<T>,
}

#[test]
fn an_adapter_without_more_than_trace_weighs_nothing_names_the_field_and_is_not_copied() {
    assert_eq!(Plainly { foreign: Foreign(text(9)) }.owned_bytes(), 0);
    #[cfg(feature = "inspect")]
    assert_eq!(edge_to_leaf(|leaf| Plainly { foreign: Foreign(leaf) }), "field.foreign");
    let refused = copied(|leaf| Plainly { foreign: Foreign(leaf) }).map(|_| ()).unwrap_err();
    let GraphError::NotRelinkable { type_name } = refused else { panic!("{refused}") };
    assert!(type_name.contains("Foreign"), "{type_name}");
}

#[test]
fn an_adapter_names_and_relinks_what_its_field_holds() {
    #[cfg(feature = "inspect")]
    assert_eq!(edge_to_leaf(|leaf| Completely { foreign: Foreign(leaf) }), "field.foreign.inside");
    let (old, new, copy) = copied(|leaf| Completely { foreign: Foreign(leaf) }).unwrap();
    assert!(new != old && copy.foreign.0 == new);
    // Nothing is known about what an adapter relinks: what it does not trace is no edge.
    let (old, new, copy) = copied(|leaf| Completely { foreign: Foreign(NoEdge(leaf)) }).unwrap();
    assert_eq!((new, copy.foreign.0.0), (Gc::default(), old));
}

#[test]
fn a_root_becomes_an_untyped_handle_of_its_object() {
    let mut heap = Heap::new();
    let root: Root<Leaf> = heap.alloc_root(Leaf(1));
    assert_eq!(AnyGc::from(&root), root.gc().erase());
}

/// Says that it is never visited.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Never(u8);

impl Trace for Never {
    const NEEDS_TRACE: bool = false;

    fn trace(&self, _: &mut Tracer<'_>) {
        panic!("visited");
    }
}

#[test]
fn a_type_that_needs_no_trace_is_never_visited_wherever_it_is() {
    type Nest = Box<(Never, Vec<Never>)>;

    #[derive(Trace)]
    struct All {
        pair: (Never, Gc<u8>),
        results: [Result<Never, Gc<u8>>; 2],
        flow: [ControlFlow<Never, Gc<u8>>; 2],
        keys: (BTreeMap<Never, Gc<u8>>, GcMap<Never, Gc<u8>>),
        values: (BTreeMap<Gc<u8>, Never>, GcMap<Gc<u8>, Never>),
        ranges: (Range<Never>, RangeInclusive<Never>),
        alone: (Box<Never>, Bound<Never>, Reverse<Never>),
        nested: Option<(Gc<u8>, Nest)>,
        by_key: WeakKeyMap<u8, (Never, Gc<u8>)>,
    }

    let mut heap = Heap::new();
    let kept: [Gc<u8>; 10] = std::array::from_fn(|number| heap.alloc(number as u8));
    let never = Never(1);
    let all = All {
        pair: (never, kept[0]),
        results: [Ok(never), Err(kept[1])],
        flow: [ControlFlow::Break(never), ControlFlow::Continue(kept[2])],
        keys: (BTreeMap::from([(never, kept[3])]), GcMap::from_iter([(never, kept[4])])),
        values: (BTreeMap::from([(kept[5], never)]), GcMap::from_iter([(kept[6], never)])),
        ranges: (never..never, never..=never),
        alone: (Box::new(never), Bound::Included(never), Reverse(never)),
        nested: Some((kept[7], Box::new((never, vec![never])))),
        by_key: WeakKeyMap::from_iter([(kept[7], (never, kept[8]))]),
    };
    let all = heap.alloc_root(all);
    let also = heap.alloc_root((never, never));
    heap.collect();
    heap.collect_with(&vec![never]);
    heap.collect_with(&(&[never], &Some(never), &&[never][..]));
    heap.collect_minor();
    assert_eq!((heap.len(), heap.is_alive(kept[9])), (11, false));
    #[cfg(feature = "inspect")]
    assert_eq!(heap.snapshot_with(&vec![never]).len(), 11);
    drop((all, also));
}

#[cfg(feature = "std")]
#[test]
fn a_lock_is_no_reason_to_visit_what_needs_no_trace() {
    let mut heap = Heap::new();
    let locks = (Mutex::new(Never(1)), RwLock::new(Never(2)), OnceLock::from(Never(3)));
    let one = heap.alloc(1_u8);
    let locks = heap.alloc_root((locks, one));
    heap.collect();
    heap.collect_with(&[Mutex::new(Never(1))]);
    assert_eq!(heap.len(), 2);
    drop(locks);
}
