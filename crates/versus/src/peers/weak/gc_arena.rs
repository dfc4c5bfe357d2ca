//! gc-arena: `GcWeak`, and a hashbrown map of them that is pruned by hand. It has no weak map of its own.

use std::hint::black_box;
use std::marker::PhantomData;
use std::time::Duration;

use gc_arena::{Arena, Collect, Gc, GcWeak, Mutation, Rootable};
use hashbrown::HashMap;
use slotgc_graphs::Random;

use crate::clock::Stopwatch;
use crate::needs::weak::{Maps, Object, Plan, SameHash, object};
use crate::needs::{Field, passes};
use crate::work::sum_of_ids;

/// Which map it is, by what an entry has besides the weak pointer.
pub(crate) trait Kind: for<'gc> Collect<'gc> + Copy + 'static {
    /// What the entry of an object has.
    fn new(id: u64) -> Self;
    /// The key of an object's entry.
    fn key(id: u64, object: Gc<'_, Object>) -> u64;
    /// The number in an entry.
    fn number(self) -> u64;
}

/// From numbers to objects.
impl Kind for () {
    fn new(_: u64) -> Self {}

    #[inline(always)]
    fn key(id: u64, _: Gc<'_, Object>) -> u64 {
        id
    }

    fn number(self) -> u64 {
        0
    }
}

/// From objects, by address, to numbers.
impl Kind for u64 {
    #[inline(always)]
    fn new(id: u64) -> Self {
        id
    }

    #[inline(always)]
    fn key(_: u64, object: Gc<'_, Object>) -> u64 {
        Gc::as_ptr(object) as u64
    }

    #[inline(always)]
    fn number(self) -> u64 {
        self
    }
}

type Map<'gc, X> = HashMap<u64, (GcWeak<'gc, Object>, X), SameHash>;

#[derive(Collect)]
#[collect(no_drop, bound = "where X: Kind")]
struct Roots<'gc, X> {
    objects: Vec<Gc<'gc, Object>>,
    map: Map<'gc, X>,
}

type WithRoots<X> = Arena<Rootable![Roots<'_, X>]>;

/// An arena with a map in its root.
pub(crate) struct WithMap<X>(PhantomData<X>);

/// A map from numbers to objects.
pub(crate) type GcArenaValues = WithMap<()>;

/// A map from objects to numbers.
pub(crate) type GcArenaKeys = WithMap<u64>;

/// Inserts all entries, and returns how long that took.
fn insert<'gc, X: Kind>(roots: &mut Roots<'gc, X>, order: &[u32]) -> Duration {
    let entries = entries(roots, order);
    let start = Stopwatch::start();
    insert_all(&mut roots.map, black_box(&entries));
    let time = start.elapsed();
    assert_eq!(roots.map.len(), order.len());
    time
}

/// The entries in this order, one after the other in memory.
fn entries<'gc, X>(roots: &Roots<'gc, X>, order: &[u32]) -> Vec<(u64, Gc<'gc, Object>)> {
    order.iter().map(|id| (u64::from(*id), roots.objects[*id as usize])).collect()
}

/// A loop that is timed.
#[inline(never)]
fn insert_all<'gc, X: Kind>(map: &mut Map<'gc, X>, entries: &[(u64, Gc<'gc, Object>)]) {
    for (id, object) in entries {
        map.insert(X::key(*id, *object), (Gc::downgrade(*object), X::new(*id)));
    }
}

/// A loop that is timed.
#[inline(never)]
fn get_all<'gc, X: Kind>(map: &Map<'gc, X>, entries: &[(u64, Gc<'gc, Object>)]) -> u64 {
    entries.iter().fold(0, |sum, (id, object)| {
        let (weak, number) = map.get(&X::key(*id, *object)).expect("an entry");
        sum.wrapping_add(weak.as_ptr() as u64).wrapping_add(number.number())
    })
}

fn expected<'gc, X: Kind>(entries: &[(u64, Gc<'gc, Object>)]) -> u64 {
    entries.iter().fold(0, |sum, (id, object)| {
        sum.wrapping_add(Gc::as_ptr(*object) as u64).wrapping_add(X::new(*id).number())
    })
}

/// A loop that is timed.
#[inline(never)]
fn prune<'gc, X: Kind>(mc: &Mutation<'gc>, map: &mut Map<'gc, X>) {
    map.retain(|_, (weak, _)| weak.upgrade(mc).is_some());
}

impl<X: Kind> WithMap<X> {
    fn arena(n: usize) -> WithRoots<X> {
        Arena::new(|mc| Roots {
            objects: (0..n as u64).map(|id| Gc::new(mc, object(id))).collect(),
            map: HashMap::default(),
        })
    }
}

impl<X: Kind> Maps for WithMap<X> {
    fn insert(plan: &Plan<'_>) -> Duration {
        Self::arena(plan.len()).mutate_root(|_, roots| insert(roots, plan.insertions))
    }

    fn get(plan: &Plan<'_>) -> Duration {
        Self::arena(plan.len()).mutate_root(|_, roots| {
            insert(roots, plan.insertions);
            let entries = entries(roots, &plan.lookups);
            let start = Stopwatch::start();
            let found = get_all(black_box(&roots.map), black_box(&entries));
            let time = start.elapsed();
            assert_eq!(found, expected::<X>(&entries));
            time
        })
    }

    fn prune(plan: &Plan<'_>) -> Duration {
        let (_, kept) = plan.split();
        let mut arena = Self::arena(plan.len());
        arena.mutate_root(|_, roots| {
            insert(roots, plan.insertions);
            roots.objects = kept.iter().map(|id| roots.objects[*id as usize]).collect();
        });
        arena.finish_cycle();
        arena.mutate_root(|mc, roots| {
            let start = Stopwatch::start();
            prune(mc, &mut roots.map);
            let time = start.elapsed();
            let entries: Vec<_> =
                kept.iter().zip(&roots.objects).map(|(id, object)| (u64::from(*id), *object)).collect();
            assert_eq!(roots.map.len(), entries.len(), "entries in the map");
            assert_eq!(get_all(&roots.map, &entries), expected::<X>(&entries), "what the entries say");
            time
        })
    }
}

/// From weak pointers in random order to what they point to.
pub(crate) fn resolve<F: Field>(n: usize) -> f64 {
    WithMap::<()>::arena(n).mutate(|mc, roots| {
        let mut weak: Vec<_> = roots.objects.iter().map(|object| Gc::downgrade(*object)).collect();
        Random::new(n as u64).shuffle(&mut weak);
        let expected = F::sum(sum_of_ids(n), n as u64);
        assert_eq!(sum::<F>(mc, &weak), expected);
        passes(n, expected, || sum::<F>(mc, black_box(&weak)))
    })
}

/// A loop that is timed.
#[inline(never)]
fn sum<'gc, F: Field>(mc: &Mutation<'gc>, weak: &[GcWeak<'gc, Object>]) -> u64 {
    weak.iter().fold(0, |sum, weak| {
        let object = weak.upgrade(mc).expect("a living object");
        sum.wrapping_add(F::pick(&object[0], &object[7]))
    })
}
