//! `#[derive(Trace)]`: what it reports is what lives, for types of every shape. Its errors are tested in
//! `crates/messages`.
//!
//! Each object under test holds leaves in all its fields; a collection must keep exactly the leaves that it
//! should. `crates/messages/ui/pass/shapes.rs` checks that types of every shape derive without a warning.

#![expect(dead_code, reason = "skipped fields are there to be skipped, some types for their constants")]

use std::collections::{BTreeMap, VecDeque};
use std::marker::PhantomData;

use slotgc::{
    AnyGc, Gc, Heap, Liveness, Root, Trace, TraceDyn, TraceWith, Tracer, Untraced, Weak, trace_dyn,
};

use crate::objects::GcMap;

/// Something to refer to.
#[derive(Trace, Debug, PartialEq)]
struct Leaf(u32);

/// A type without `Trace`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Foreign(u32);

/// A heap and the leaves in it, numbered in allocation order.
#[derive(Default)]
struct Garden {
    heap: Heap,
    leaves: Vec<Gc<Leaf>>,
}

impl Garden {
    fn leaf(&mut self) -> Gc<Leaf> {
        let number = u32::try_from(self.leaves.len()).expect("few");
        let leaf = self.heap.alloc(Leaf(number));
        self.leaves.push(leaf);
        leaf
    }

    fn leaves<const N: usize>(&mut self) -> [Gc<Leaf>; N] {
        std::array::from_fn(|_| self.leaf())
    }

    /// The numbers of the leaves that survive a collection when this object is the only root.
    fn kept_by<T: Trace>(&mut self, object: T) -> Vec<u32> {
        let root = self.heap.alloc_root(object);
        self.heap.collect();
        assert!(self.heap.is_alive(&root));
        let alive = self.leaves.iter().filter_map(|leaf| self.heap.get(leaf));
        alive.map(|Leaf(number)| *number).collect()
    }
}

#[derive(Trace)]
struct Containers {
    plain: Gc<Leaf>,
    any: AnyGc,
    boxes: Vec<Option<Box<Gc<Leaf>>>>,
    map: BTreeMap<u8, Vec<Gc<Leaf>>>,
    tuple: (u8, Gc<Leaf>, [Gc<Leaf>; 2]),
    queue: VecDeque<Result<Gc<Leaf>, String>>,
    keys: BTreeMap<Gc<Leaf>, Untraced<Foreign>>,
    nested: Inner<Vec<Gc<Leaf>>>,
    weak: Vec<Weak<Leaf>>,
    #[trace(skip)]
    skipped: Option<Gc<Leaf>>,
}

#[derive(Trace)]
struct Inner<T>(Option<T>);

#[test]
fn a_struct_keeps_what_its_fields_hold_and_nothing_else() {
    let mut garden = Garden::default();
    let [a, b, c, d, e, f, g, h, i, j, weak, skipped, _garbage] = garden.leaves();
    let kept = garden.kept_by(Containers {
        plain: a,
        any: b.erase(),
        boxes: vec![None, Some(Box::new(c))],
        map: BTreeMap::from([(0, vec![]), (1, vec![d, e])]),
        tuple: (0, f, [g, g]),
        queue: VecDeque::from([Err(String::new()), Ok(h)]),
        keys: BTreeMap::from([(i, Untraced(Foreign(1)))]),
        nested: Inner(Some(vec![j])),
        weak: vec![weak.downgrade()],
        skipped: Some(skipped),
    });
    assert_eq!(kept, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[cfg(feature = "std")]
#[test]
fn hashed_collections_and_locks_are_traced() {
    use std::collections::{HashMap, HashSet};
    use std::sync::{Mutex, OnceLock, RwLock};

    #[derive(Trace)]
    struct Hashed<K: std::hash::Hash + Eq> {
        map: HashMap<K, Vec<Gc<Leaf>>>,
        foreign: HashMap<Untraced<Foreign>, Gc<Leaf>>,
        set: HashSet<Gc<Leaf>>,
        mutex: Mutex<Option<Gc<Leaf>>>,
        lock: RwLock<(Gc<Leaf>,)>,
        once: OnceLock<Gc<Leaf>>,
    }

    let mut garden = Garden::default();
    let [a, b, c, d, e, f, _garbage] = garden.leaves();
    let kept = garden.kept_by(Hashed {
        map: HashMap::from([("key", vec![a])]),
        foreign: HashMap::from([(Untraced(Foreign(1)), b)]),
        set: HashSet::from([c]),
        mutex: Mutex::new(Some(d)),
        lock: RwLock::new((e,)),
        once: OnceLock::from(f),
    });
    assert_eq!(kept, [0, 1, 2, 3, 4, 5]);
}

#[derive(Trace)]
enum Goal {
    Sleep,
    Follow(Gc<Leaf>, u32),
    Guard {
        what: Gc<Leaf>,
        with: Vec<Gc<Leaf>>,
        #[trace(skip)]
        since: Foreign,
    },
    Both(Box<Goal>, Box<Goal>),
    #[trace(skip)]
    Remember(Gc<Leaf>, Foreign),
}

#[test]
fn an_enum_keeps_what_its_current_variant_holds() {
    let kept = |make: fn([Gc<Leaf>; 3]) -> Goal| {
        let mut garden = Garden::default();
        let leaves = garden.leaves();
        garden.kept_by(make(leaves))
    };
    assert_eq!(kept(|_| Goal::Sleep), [0; 0]);
    assert_eq!(kept(|[a, ..]| Goal::Follow(a, 1)), [0]);
    assert_eq!(kept(|[a, b, _]| Goal::Guard { what: b, with: vec![a], since: Foreign(1) }), [0, 1]);
    assert_eq!(kept(|[a, _, c]| Goal::Both(Goal::Follow(a, 1).into(), Goal::Follow(c, 1).into())), [0, 2]);
    assert_eq!(kept(|[a, ..]| Goal::Remember(a, Foreign(1))), [0; 0]);
}

#[derive(Trace)]
struct Node<T, U: Copy, const N: usize>
where
    T: Clone,
{
    next: Option<Gc<Node<T, U, N>>>,
    values: [T; N],
    #[trace(skip)]
    foreign: U,
    tag: PhantomData<fn() -> U>,
}

#[test]
fn a_generic_list_lives_as_a_whole() {
    let mut garden = Garden::default();
    let leaves: [_; 20] = garden.leaves();
    let mut next = None;
    for pair in leaves[..18].chunks(2) {
        let values = [pair[0], pair[1]];
        next = Some(garden.heap.alloc(Node { next, values, foreign: Foreign(1), tag: PhantomData }));
    }
    assert_eq!(garden.kept_by(next), Vec::from_iter(0..18));
}

/// A trait whose implementors name types and are never values.
trait Game: 'static {
    type Item: Trace;
    type Mesh: Send + Sync;
}

enum Chess {}

impl Game for Chess {
    type Item = Gc<Leaf>;
    type Mesh = Foreign;
}

#[derive(Trace)]
#[trace(bound = "")]
struct Chest<G: Game> {
    items: Vec<G::Item>,
    #[trace(skip)]
    mesh: G::Mesh,
}

#[derive(Trace)]
struct Pocket<I: Iterator>(Option<I::Item>, Vec<<I as Iterator>::Item>);

#[test]
fn types_named_through_a_parameter_are_traced() {
    let mut garden = Garden::default();
    let [a, b, c, _garbage] = garden.leaves();
    let chest = Chest::<Chess> { items: vec![a], mesh: Foreign(1) };
    let pocket = Pocket::<std::vec::IntoIter<Gc<Leaf>>>(Some(b), vec![c]);
    assert_eq!(garden.kept_by((chest, pocket)), [0, 1, 2]);
}

#[derive(Trace)]
struct Tree<T> {
    value: T,
    children: Vec<Tree<T>>,
}

#[derive(Trace)]
#[trace(recursive)]
struct Block(Vec<Statement>);

#[derive(Trace)]
enum Statement {
    Loop(Option<Box<Expression>>, Block),
    Print(String),
}

#[derive(Trace)]
enum Expression {
    Block(Block),
}

/// A circle that needs no attribute: a type that itself holds a handle does not depend on its fields for
/// that.
#[derive(Trace)]
struct Scope(Vec<Declaration>, Option<Gc<Leaf>>);

#[derive(Trace)]
struct Declaration(Vec<Scope>, Vec<Tree<Gc<Leaf>>>);

type Link = Option<Box<Aliased>>;

#[derive(Trace)]
#[trace(recursive)]
struct Aliased(Link, Weak<Leaf>);

#[test]
fn what_recursive_types_own_is_traced_to_the_bottom() {
    // weak-cases: mistakes
    let mut garden = Garden::default();
    let [a, b, c, d, _garbage] = garden.leaves();
    let tree = Tree { value: b, children: vec![Tree { value: c, children: vec![] }] };
    let inner = Scope(vec![Declaration(vec![], vec![tree])], Some(a));
    let outer = Scope(vec![Declaration(vec![inner], vec![])], None);
    let print = Statement::Print(String::new());
    let loops = Statement::Loop(Some(Box::new(Expression::Block(Block(vec![print])))), Block(vec![]));
    let list = Aliased(Some(Box::new(Aliased(None, d.downgrade()))), d.downgrade());
    assert_eq!(garden.kept_by((outer, Block(vec![loops]), list)), [0, 1, 2]);
}

/// `NEEDS_TRACE` is the OR over the traced fields, and true for a type that mentions itself.
const _: () = {
    assert!(!Leaf::NEEDS_TRACE);
    assert!(Containers::NEEDS_TRACE && Goal::NEEDS_TRACE);
    assert!(!Inner::<u32>::NEEDS_TRACE && !Inner::<Weak<Leaf>>::NEEDS_TRACE);
    assert!(Inner::<Gc<Leaf>>::NEEDS_TRACE && Inner::<Inner<AnyGc>>::NEEDS_TRACE);
    assert!(Tree::<u32>::NEEDS_TRACE && Block::NEEDS_TRACE && Statement::NEEDS_TRACE && Scope::NEEDS_TRACE);

    #[derive(Trace)]
    struct Unit;
    #[derive(Trace)]
    enum Never {}
    #[derive(Trace)]
    struct Plain(u32, String, Vec<(bool, Inner<f32>)>, Weak<Goal>, PhantomData<Gc<Leaf>>);
    #[derive(Trace)]
    struct AllSkipped(#[trace(skip)] Foreign, #[trace(skip)] Gc<Leaf>);
    #[derive(Trace)]
    enum OneOfMany {
        A(u32),
        B { plain: Plain, deep: Inner<BTreeMap<u32, Option<Gc<Leaf>>>> },
    }
    assert!(!Unit::NEEDS_TRACE && !Never::NEEDS_TRACE && !Plain::NEEDS_TRACE && !AllSkipped::NEEDS_TRACE);
    assert!(OneOfMany::NEEDS_TRACE);

    // `HOLDS_HANDLES` counts weak handles too, `OWNS` counts memory outside of the slot.
    assert!(!Leaf::HOLDS_HANDLES && !Leaf::OWNS && !Unit::HOLDS_HANDLES && !AllSkipped::HOLDS_HANDLES);
    assert!(Plain::HOLDS_HANDLES && Plain::OWNS && Inner::<Weak<Leaf>>::HOLDS_HANDLES);
    assert!(!Inner::<u32>::HOLDS_HANDLES && !Inner::<[Gc<Leaf>; 2]>::OWNS && Inner::<Box<u8>>::OWNS);
    assert!(Tree::<u32>::HOLDS_HANDLES && Tree::<u32>::OWNS && Block::OWNS && Declaration::OWNS);
    assert!(!Node::<u32, Foreign, 2>::OWNS && Node::<String, Foreign, 2>::OWNS);
};

#[test]
fn owned_bytes_are_those_of_the_fields_that_are_traced() {
    #[derive(Trace)]
    enum Text {
        None,
        Plain(String, Box<[u64]>),
        Marked {
            text: Vec<Text>,
            #[trace(skip)]
            skipped: String,
        },
    }
    let plain = || Text::Plain(String::with_capacity(100), Box::new([1, 2, 3]));
    assert_eq!((Text::None.owned_bytes(), plain().owned_bytes()), (0, 124));
    let mut text = Vec::with_capacity(4);
    text.extend([plain(), plain()]);
    let marked = Text::Marked { text, skipped: String::with_capacity(1000) };
    assert_eq!(marked.owned_bytes(), 4 * size_of::<Text>() + 2 * 124);
    assert_eq!(std::sync::Arc::<str>::from("shared").owned_bytes(), 0);
}

/// A foreign container: no `Trace`, but handles in it.
struct Grid<T>(Vec<T>);

enum Cells {}

impl<T: Trace> TraceWith<Grid<T>> for Cells {
    const NEEDS_TRACE: bool = T::NEEDS_TRACE;
    const OWNS: bool = true;

    fn trace(grid: &Grid<T>, tracer: &mut Tracer<'_>) {
        grid.0.trace(tracer);
    }

    fn prune(grid: &mut Grid<T>, live: &Liveness<'_>) {
        grid.0.prune(live);
    }

    fn owned_bytes(grid: &Grid<T>) -> usize {
        grid.0.capacity() * size_of::<T>()
    }
}

#[derive(Trace)]
struct Level<T> {
    #[trace(with = Cells)]
    cells: Grid<T>,
    more: Option<Gc<Leaf>>,
}

#[derive(Trace)]
enum Levels {
    Flat(#[trace(with = Cells)] Grid<Gc<Leaf>>),
    Wishes(#[trace(with = Cells)] Grid<Wish>),
}

#[test]
fn an_adapter_traces_prunes_and_weighs_its_field() {
    const { assert!(Level::<u32>::NEEDS_TRACE && Levels::NEEDS_TRACE && Level::<u8>::OWNS) };
    let mut garden = Garden::default();
    let [a, b, c, d, dead] = garden.leaves();
    let level = Level { cells: Grid(vec![(1, a), (2, b)]), more: Some(c) };
    assert_eq!(level.owned_bytes(), 2 * size_of::<(i32, Gc<Leaf>)>());
    let levels = vec![Levels::Flat(Grid(vec![d])), Levels::Wishes(Grid(vec![Wish(Some(dead.downgrade()))]))];
    let levels = garden.heap.alloc_root(levels);
    assert_eq!(garden.kept_by(level), [0, 1, 2, 3]);
    let Levels::Wishes(wishes) = &garden.heap[&levels][1] else { unreachable!("as it was built") };
    assert!(wishes.0[0].0.is_none());
}

trait Behaviour: TraceDyn {
    fn owner(&self) -> Option<u32> {
        None
    }
}

trace_dyn!(dyn Behaviour);

#[derive(Trace)]
struct Follow(Gc<Leaf>);

impl Behaviour for Follow {}
impl Behaviour for Wish {}

#[test]
fn objects_behind_a_trait_are_traced_and_pruned() {
    let mut garden = Garden::default();
    let [a, dead] = garden.leaves();
    let behaviours: Vec<Box<dyn Behaviour>> =
        vec![Box::new(Follow(a)), Box::new(Wish(Some(dead.downgrade())))];
    assert!(behaviours.owned_bytes() >= 2 * size_of::<Box<dyn Behaviour>>() + 2 * size_of::<Gc<Leaf>>());
    let root = garden.heap.alloc_root(behaviours);
    assert_eq!((garden.heap.collect().pruned, garden.heap.is_alive(a)), (1, true));
    assert!(garden.heap[&root].iter().all(|behaviour| behaviour.owner().is_none()));
}

/// Maps and sets need more of their keys than `Trace`; the derive adds those bounds by itself.
#[derive(Trace)]
struct Index<K, V> {
    ordered: BTreeMap<K, Vec<V>>,
    hashed: Option<GcMap<K, V>>,
    nested: BTreeMap<K, Index<K, V>>,
}

#[test]
fn generic_maps_derive_without_explicit_bounds() {
    let mut garden = Garden::default();
    let [a, b, c, _garbage] = garden.leaves();
    let index =
        |leaf| Index { ordered: BTreeMap::from([("x", vec![leaf])]), hashed: None, nested: BTreeMap::new() };
    let mut outer = index(a);
    outer.hashed = Some(GcMap::from_iter([("y", b)]));
    outer.nested.insert("z", index(c));
    assert_eq!(garden.kept_by(outer), [0, 1, 2]);
}

/// Says that it holds no handles, and panics if it is traced.
struct Unasked;

impl Trace for Unasked {
    const NEEDS_TRACE: bool = false;

    fn trace(&self, _: &mut Tracer<'_>) {
        panic!("traced without handles");
    }
}

#[test]
fn fields_without_handles_are_not_visited() {
    #[derive(Trace)]
    struct Half(Unasked, Inner<Unasked>, Vec<Unasked>, Gc<Leaf>);

    let mut garden = Garden::default();
    let [a, _garbage] = garden.leaves();
    assert_eq!(garden.kept_by(Half(Unasked, Inner(Some(Unasked)), vec![Unasked], a)), [0]);
}

/// A minimal weak collection.
struct Wish(Option<Weak<Leaf>>);

impl Trace for Wish {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.weak_collection();
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        if let Some(dead) = self.0.take_if(|wish| !live.is_live(*wish)) {
            live.set_aside(dead);
        }
    }
}

#[derive(Trace)]
enum Wishes {
    None,
    Some {
        first: Wish,
        rest: Vec<Wish>,
        sub: Option<Box<Wishes>>,
        #[trace(skip)]
        vain: Wish,
    },
}

#[test]
fn prune_reaches_every_field_that_is_not_skipped() {
    let mut garden = Garden::default();
    let dead = garden.leaf();
    let wish = || Wish(Some(dead.downgrade()));
    let sub = Wishes::Some { first: wish(), rest: vec![], sub: Some(Box::new(Wishes::None)), vain: wish() };
    let wishes =
        Wishes::Some { first: wish(), rest: vec![wish(), wish()], sub: Some(Box::new(sub)), vain: wish() };
    let root: Root<Wishes> = garden.heap.alloc_root(wishes);
    assert_eq!(garden.heap.collect().pruned, 4);
    assert_eq!(garden.heap.collect().pruned, 0);
    let Wishes::Some { first, vain, .. } = &garden.heap[&root] else {
        unreachable!("as it was built");
    };
    assert!(first.0.is_none() && vain.0.is_some());
}

/// An engine that re-exports the collector under another name.
mod engine {
    pub(super) mod prelude {
        pub(crate) use slotgc as gc;
    }
}

#[test]
fn the_path_to_the_crate_can_be_given() {
    #[derive(Trace)]
    #[trace(crate = "engine::prelude::gc")]
    struct Moved(Gc<Leaf>, Option<Box<Moved>>);

    let mut garden = Garden::default();
    let [a, b, _garbage] = garden.leaves();
    assert_eq!(garden.kept_by(Moved(a, Some(Box::new(Moved(b, None))))), [0, 1]);
}
