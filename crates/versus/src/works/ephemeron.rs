//! A chain of ephemerons: each value is the next one's key, and only the first key is rooted.
//!
//! The chain visits the objects in allocation order. Its entries are inserted from the first to the last, in
//! reverse, or in random order. In reverse order, a collector that scans its entries again and again until
//! nothing changes finds one key per round. (`scattered`: the chain itself leads through memory at random,
//! where each link is a cache miss that waits for the one before.)

use std::rc::Rc;

use slotgc_graphs::Random;

use crate::clock::Stopwatch;
use crate::needs::ephemeron::{Chain, Links};
use crate::peers::weak::{TableChain, WeakKeyChain, boa_gc::BoaChain};
use crate::shape::Inputs;
use crate::work::{Bound, Work, per_object, size_name};

/// In which order entries are inserted, and where the chain leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    /// From the first link to the last.
    Forward,
    /// From the last link to the first.
    Reverse,
    /// In random order.
    Shuffled,
    /// In the order in which keys were allocated, through which the chain leads in random order.
    Scattered,
}

/// The links of a chain, and the order of its entries.
fn links(n: usize, order: Order) -> Links {
    let mut random = Random::new(7);
    let in_sequence: Vec<u32> = (0..n as u32).collect();
    let chain = if order == Order::Scattered { random.order(n) } else { in_sequence };
    let mut insertions: Vec<u32> = (0..n as u32 - 1).collect();
    match order {
        Order::Forward => {}
        Order::Reverse => insertions.reverse(),
        Order::Shuffled => random.shuffle(&mut insertions),
        Order::Scattered => insertions.sort_unstable_by_key(|place| chain[*place as usize]),
    }
    Links { chain, insertions }
}

/// Collections before the one that is timed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum WarmUp {
    None,
    One,
}

fn measure<C: Chain>(n: usize, order: Order, warm_up: WarmUp) -> f64 {
    let links = links(n, order);
    let mut chain = C::build(&links);
    if warm_up == WarmUp::One {
        chain.collect();
    }
    let start = Stopwatch::start();
    chain.collect();
    let time = start.elapsed();
    assert_eq!(chain.steps(), n - 1, "every entry is reached through the one before");
    chain.drop_first();
    chain.collect();
    assert_eq!(chain.living(), 0, "without the first key nothing is reached");
    per_object(time, n)
}

fn case<C: Chain>(n: usize, order: Order) -> impl Fn() -> f64 + 'static {
    move || measure::<C>(n, order, WarmUp::One)
}

/// The greatest ratio of the times of two orders.
const ALIKE: Bound = Bound::Within(3.0);

/// The most time that an entry may take in a full collection.
const MOST_NS: f64 = 80.0;

/// boa_gc can do this many entries in every round, in any order.
const BEARABLE: usize = 10_000;

pub(super) fn works(inputs: &Rc<Inputs>) -> Vec<Work> {
    let n = inputs.objects;
    let mut works = vec![in_a_map(n), in_a_table(n)];
    let smaller = [
        (BEARABLE, "shuffled", Order::Shuffled),
        (BEARABLE, "reverse", Order::Reverse),
        (100_000, "reverse", Order::Reverse),
    ];
    let smaller = smaller.iter().filter(|(size, ..)| *size < n);
    works.extend(smaller.map(|(size, name, order)| against_boa(*size, name, *order)));
    works
}

/// slotgc in all orders.
fn in_all_orders<C: Chain + 'static>(n: usize, name: &str, table: &str) -> Work {
    Work::new(
        format!("weak/ephemerons/{name}"),
        format!("full collection, nothing dies: a chain of {n} ephemerons in {table}"),
    )
    .case("slotgc", case::<C>(n, Order::Forward))
    .case("slotgc:reverse", case::<C>(n, Order::Reverse))
    .case("slotgc:shuffled", case::<C>(n, Order::Shuffled))
    .case("slotgc:scattered", case::<C>(n, Order::Scattered))
    .absent(&["gc-arena", "weak-table", "slotmap"], "have no ephemerons")
    .note(&["slotgc"], "forward")
    .note(&["slotgc:scattered"], "the chain leads through memory at random")
}

fn in_a_map(n: usize) -> Work {
    in_all_orders::<WeakKeyChain>(n, "map", "a weak map")
        .case("boa_gc", case::<BoaChain>(n, Order::Forward))
        .case("limit:80ns", || MOST_NS)
        .target_of("slotgc:shuffled", "limit:80ns", Bound::AtMost(1.0))
        .target_of("slotgc:reverse", "slotgc", ALIKE)
        .target_of("slotgc:shuffled", "slotgc", ALIKE)
        .target_of("slotgc:shuffled", "slotgc:reverse", ALIKE)
        .target_of("slotgc:scattered", "slotgc", ALIKE)
        .target_of("slotgc:scattered", "slotgc:reverse", ALIKE)
        .target_of("slotgc:scattered", "slotgc:shuffled", ALIKE)
        .note(
            &["boa_gc"],
            "forward, in which it finds every key in one round; see the works on fewer entries",
        )
}

fn in_a_table(n: usize) -> Work {
    in_all_orders::<TableChain>(n, "table", "a vector that reports its entries in order").note(
        &["slotgc"],
        "no target here: when each entry comes right after its key was found, nothing has to wait",
    )
}

fn against_boa(n: usize, name: &str, order: Order) -> Work {
    let work = Work::new(
        format!("weak/ephemerons/{name}/{}", size_name(n)),
        format!("full collection, nothing dies: a chain of {n} ephemerons in a weak map, {name}"),
    )
    .case("slotgc", case::<WeakKeyChain>(n, order))
    .case("slotgc:table", case::<TableChain>(n, order))
    .note(&["slotgc:table"], "a vector that reports its entries in order");
    if n <= BEARABLE {
        return work.case("boa_gc", case::<BoaChain>(n, order));
    }
    work.case_once("boa_gc", move || measure::<BoaChain>(n, order, WarmUp::None))
        .target("boa_gc", 0.001)
        .target_of("slotgc:table", "boa_gc", Bound::AtMost(0.001))
        .note(&["boa_gc"], "takes time proportional to the square of the entries: run once")
}
