//! The graph's algorithms against naive ones that are obviously right.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use crate::inspect::dominators::{Dominators, Visit};
use crate::inspect::graph::{EdgeIndex, EdgeKind, Graph, GraphBuilder, NodeIndex, Tag};
use crate::inspect::names::NameId;
use crate::inspect::search::{Referrers, Shortest, several_paths};

/// An edge as it is reported.
#[derive(Clone, Debug)]
enum Reported {
    Strong(usize),
    Weak(usize),
    /// Keys from the outermost on, and the value.
    Ephemeron(Vec<usize>, usize),
}

fn reported(nodes: usize) -> impl Strategy<Value = Reported> {
    prop_oneof![
        4 => (1..nodes).prop_map(Reported::Strong),
        1 => (1..nodes).prop_map(Reported::Weak),
        1 => (prop::collection::vec(1..nodes, 1..3), 1..nodes)
            .prop_map(|(keys, value)| Reported::Ephemeron(keys, value)),
    ]
}

/// For each node its edges; the first row is the root's.
fn rows() -> impl Strategy<Value = Vec<Vec<Reported>>> {
    (2..14_usize).prop_flat_map(|nodes| {
        let row = prop::collection::vec(reported(nodes), 0..4);
        prop::collection::vec(row, nodes)
    })
}

fn build(rows: &[Vec<Reported>]) -> Graph {
    let node = NodeIndex::from_place;
    let mut builder = GraphBuilder::with_capacity(rows.len(), 0);
    for (map, row) in rows.iter().enumerate() {
        for edge in row {
            match edge {
                Reported::Strong(target) => builder.push(node(*target), Tag::new(EdgeKind::Strong, 0)),
                Reported::Weak(target) => builder.push(node(*target), Tag::new(EdgeKind::Weak, 0)),
                Reported::Ephemeron(keys, value) => {
                    let mut outer = None;
                    for key in keys {
                        outer = Some(builder.ephemeron(node(map), node(*key), NameId::NONE, outer));
                    }
                    let ephemeron = outer.expect("at least one key");
                    builder.push(node(*value), Tag::new(EdgeKind::IdleEphemeron, ephemeron.number()));
                }
            }
        }
        builder.end_row();
    }
    builder.finish()
}

/// What is reached without `removed`, by repeating over everything until nothing is new.
fn reached_without(rows: &[Vec<Reported>], removed: Option<usize>) -> BTreeSet<usize> {
    let mut reached = BTreeSet::from([0]);
    loop {
        let mut more = Vec::new();
        for from in &reached {
            for edge in &rows[*from] {
                more.extend(match edge {
                    Reported::Strong(target) => Some(*target),
                    Reported::Weak(_) => None,
                    Reported::Ephemeron(keys, value) => {
                        keys.iter().all(|key| reached.contains(key)).then_some(*value)
                    }
                });
            }
        }
        let before = reached.len();
        reached.extend(more.into_iter().filter(|node| Some(*node) != removed));
        if reached.len() == before {
            return reached;
        }
    }
}

/// The strong edges, an ephemeron whose ends are all reached as one from each of its ends.
fn strong_edges(rows: &[Vec<Reported>]) -> BTreeSet<(usize, usize)> {
    let reached = reached_without(rows, None);
    let mut edges = BTreeSet::new();
    for (from, edge) in
        rows.iter().enumerate().flat_map(|(from, row)| row.iter().map(move |edge| (from, edge)))
    {
        match edge {
            Reported::Strong(target) => _ = edges.insert((from, *target)),
            Reported::Weak(_) => {}
            Reported::Ephemeron(keys, value) => {
                if reached.contains(&from) && keys.iter().all(|key| reached.contains(key)) {
                    edges.extend(keys.iter().map(|key| (*key, *value)));
                    edges.insert((from, *value));
                }
            }
        }
    }
    edges
}

/// Distances from the root by strong edges that do not touch `removed`.
fn distances(edges: &BTreeSet<(usize, usize)>, nodes: usize, removed: Option<usize>) -> Vec<Option<u32>> {
    let mut distances = vec![None; nodes];
    distances[0] = Some(0);
    for distance in 0..nodes as u32 {
        for (from, to) in edges {
            if distances[*from] == Some(distance) && distances[*to].is_none() && Some(*to) != removed {
                distances[*to] = Some(distance + 1);
            }
        }
    }
    distances
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn paths_are_shortest_and_made_of_strong_edges(rows in rows()) {
        let graph = build(&rows);
        let edges = strong_edges(&rows);
        let shortest = Shortest::of(&graph);
        for (node, distance) in distances(&edges, rows.len(), None).into_iter().enumerate() {
            let index = NodeIndex::from_place(node);
            prop_assert_eq!(shortest.distance(index), distance);
            let path = shortest.path(&graph, index);
            prop_assert_eq!(path.len() as u32, distance.unwrap_or(0));
            let mut at = NodeIndex::ROOT;
            for edge in path {
                prop_assert_eq!(graph.source(edge), at);
                at = graph.target(edge);
                prop_assert!(edges.contains(&(graph.source(edge).place(), at.place())));
            }
            prop_assert!(distance.is_none() || at == index);
        }
    }

    #[test]
    fn what_is_reached_is_what_a_collector_reaches(rows in rows()) {
        let shortest = Shortest::of(&build(&rows));
        let naive = reached_without(&rows, None);
        for node in 0..rows.len() {
            prop_assert_eq!(shortest.is_reached(NodeIndex::from_place(node)), naive.contains(&node));
        }
    }

    #[test]
    fn several_paths_differ_in_their_last_edge_and_come_shortest_first(rows in rows(), most in 0..5_usize) {
        let graph = build(&rows);
        let (edges, referrers) = (strong_edges(&rows), Referrers::of(&graph));
        for to in 1..rows.len() {
            let paths = several_paths(&graph, &referrers, NodeIndex::from_place(to), most);
            let around = distances(&edges, rows.len(), Some(to));
            // Every strong edge that leads here from what is reached without coming through here is the end
            // of one.
            let all = (0..graph.edges_len() as u32).map(EdgeIndex).filter(|edge| {
                graph.is_strong(*edge) && graph.target(*edge).place() == to
                    && around[graph.source(*edge).place()].is_some()
            });
            let mut lengths: Vec<u32> =
                all.map(|edge| around[graph.source(edge).place()].unwrap() + 1).collect();
            lengths.sort_unstable();
            lengths.truncate(most);
            prop_assert_eq!(paths.iter().map(|path| path.len() as u32).collect::<Vec<_>>(), lengths);
            let last: BTreeSet<_> = paths.iter().map(|path| path.last().copied()).collect();
            prop_assert_eq!(last.len(), paths.len());
            for path in &paths {
                let inner = &path[..path.len() - 1];
                prop_assert!(inner.iter().all(|edge| graph.target(*edge).place() != to));
                prop_assert!(path.windows(2).all(|two| graph.target(two[0]) == graph.source(two[1])));
            }
        }
    }

    #[test]
    fn a_node_dominates_what_is_not_reached_without_it(rows in rows()) {
        let graph = build(&rows);
        let edges = strong_edges(&rows);
        let nodes = rows.len();
        let bytes = |node: NodeIndex| if node == NodeIndex::ROOT { 0 } else { 10 + node.0 as u64 };
        let dominators = Dominators::of(&graph, bytes);
        let reached: Vec<bool> = distances(&edges, nodes, None).iter().map(Option::is_some).collect();
        // dominated[a]: by a.
        let dominated: Vec<BTreeSet<usize>> = (0..nodes).map(|by| {
            let around = distances(&edges, nodes, Some(by));
            (0..nodes).filter(|node| reached[*node] && (by == 0 || around[*node].is_none())).collect()
        }).collect();
        for node in 1..nodes {
            let index = NodeIndex::from_place(node);
            if !reached[node] {
                prop_assert_eq!(dominators.immediate(index), None);
                prop_assert_eq!((dominators.retained_len(index), dominators.retained_bytes(index)), (1, bytes(index)));
                continue;
            }
            // The strict dominator that all others dominate.
            let strict = (0..nodes).filter(|by| *by != node && reached[*by] && dominated[*by].contains(&node));
            let nearest = strict.min_by_key(|by| dominated[*by].len());
            prop_assert_eq!(dominators.immediate(index).map(NodeIndex::place), nearest);
            prop_assert_eq!(dominators.retained_len(index), dominated[node].len());
            let retained = dominated[node].iter().map(|node| bytes(NodeIndex::from_place(*node))).sum::<u64>();
            prop_assert_eq!(dominators.retained_bytes(index), retained);
        }
    }

    #[test]
    fn the_walk_enters_and_leaves_each_node_inside_of_its_dominator(rows in rows()) {
        let graph = build(&rows);
        let dominators = Dominators::of(&graph, |_| 1);
        let mut inside = Vec::new();
        let mut seen = 0;
        dominators.walk(|visit| match visit {
            Visit::Enter(node) => {
                assert_eq!(dominators.immediate(node), inside.last().copied());
                inside.push(node);
                seen += 1;
            }
            Visit::Leave(node) => assert_eq!(inside.pop(), Some(node)),
        });
        prop_assert!(inside.is_empty());
        prop_assert_eq!(seen, Shortest::of(&graph).reached_len());
    }

    #[test]
    fn referrers_are_the_edges_seen_from_the_other_end(rows in rows()) {
        let graph = build(&rows);
        let referrers = Referrers::of(&graph);
        let mut seen = BTreeSet::new();
        for node in (0..graph.nodes_len()).map(NodeIndex::from_place) {
            for edge in referrers.to(node) {
                prop_assert_eq!(graph.target(*edge), node);
                seen.insert(*edge);
            }
            for edge in graph.edges(node) {
                prop_assert_eq!(graph.source(edge), node);
            }
        }
        prop_assert_eq!(seen.len(), graph.edges_len());
    }
}

#[test]
fn an_ephemeron_counts_when_all_its_ends_are_reached() {
    // 1 is the table, 2 the key, 3 the value, 4 another key that nothing reaches.
    let rows = |key| vec![vec![Reported::Strong(1), Reported::Strong(2)], vec![key], vec![], vec![], vec![]];
    let good = build(&rows(Reported::Ephemeron(vec![2], 3)));
    let kinds =
        |graph: &Graph| (0..graph.edges_len() as u32).map(|edge| graph.kind(EdgeIndex(edge))).collect();
    let of_good: Vec<EdgeKind> = kinds(&good);
    assert_eq!(of_good, [EdgeKind::Strong, EdgeKind::Strong, EdgeKind::Ephemeron, EdgeKind::Ephemeron]);
    let dominators = Dominators::of(&good, |_| 1);
    assert_eq!(dominators.immediate(NodeIndex(3)), Some(NodeIndex::ROOT));
    let idle: Vec<EdgeKind> = kinds(&build(&rows(Reported::Ephemeron(vec![2, 4], 3))));
    assert_eq!(idle[2..], [EdgeKind::IdleEphemeron; 3]);
}

/// The deepest list that could occur.
#[test]
fn nothing_recurses_on_a_long_chain() {
    const LEN: usize = 1_000_000;
    let mut builder = GraphBuilder::with_capacity(LEN + 1, LEN);
    for node in 1..=LEN {
        builder.push(NodeIndex::from_place(node), Tag::new(EdgeKind::Strong, 0));
        builder.end_row();
    }
    builder.end_row();
    let graph = builder.finish();
    let last = NodeIndex::from_place(LEN);
    assert_eq!(Shortest::of(&graph).path(&graph, last).len(), LEN);
    let dominators = Dominators::of(&graph, |_| 1);
    assert_eq!(dominators.retained_len(NodeIndex(1)), LEN);
    assert_eq!(dominators.immediate(last), Some(NodeIndex::from_place(LEN - 1)));
    let mut deepest = (0, 0);
    dominators.walk(|visit| {
        deepest.0 = match visit {
            Visit::Enter(_) => deepest.0 + 1,
            Visit::Leave(_) => deepest.0 - 1,
        };
        deepest.1 = deepest.0.max(deepest.1);
    });
    assert_eq!(deepest, (0, LEN + 1));
    assert_eq!(several_paths(&graph, &Referrers::of(&graph), last, 3).len(), 1);
    let order: VecDeque<u32> = graph.strong(last).map(|(edge, _)| edge.0).collect();
    assert!(order.is_empty());
}
