//! Handwritten programs on weak collections that are hard to get right. Their reports prove that they do what
//! they are meant to do.

use slotgc_oracle::prelude::*;

pub(super) fn make(kind: Kind) -> Make {
    Make { kind, value: 0, edges: [Bits(0, Leaf), Bits(0, Leaf)] }
}

pub(super) fn rooted(kind: Kind) -> Op {
    Alloc { heap: 0, make: make(kind), how: AtRoot }
}

/// This many nodes without roots: `Live(0)` is the last of them.
pub(super) fn nodes(len: u8) -> Op {
    Burst { heap: 0, kind: Node, size: (len - 1) * 8, shape: Loose, rooted: false }
}

fn put(table: u8, key: u8, to: Goal, inner: Option<Pick>) -> Op {
    EditKeys { heap: 0, table, edit: PutKey { key: Live(key), to, inner } }
}

const COLLECT: Op = Collect { heap: 0 };

#[test]
fn a_chain_of_ephemerons_lives_by_its_first_key_whatever_the_order_of_insertion() {
    let mut orders: Vec<Vec<u8>> = vec![(0..9).collect(), (0..9).rev().collect()];
    orders.push(vec![4, 0, 8, 1, 7, 2, 6, 3, 5]);
    for order in orders {
        let mut ops = vec![rooted(KeyMap), nodes(10), Root { heap: 0, target: Live(9) }];
        // Node 9 is rooted; each key's value is the node before it.
        ops.extend(order.iter().map(|key| put(0, key + 1, To(Live(*key)), None)));
        ops.push(COLLECT);
        assert_eq!((run(&ops).freed, run(&ops).pruned), (0, 0));
        ops.extend([DropRoots { index: 1, len: 0 }, COLLECT]);
        assert_eq!((run(&ops).freed, run(&ops).pruned), (10, 9));
    }
}

#[test]
fn a_chain_that_leads_through_maps_which_only_it_reaches_is_followed() {
    let mut ops = vec![rooted(KeyMap)];
    // Maps 1 to 4 are each in a value of the map before; then five nodes, the last of them rooted.
    ops.extend((0..4).map(|_| Alloc { heap: 0, make: make(KeyMap), how: Unrooted }));
    ops.extend([nodes(5), Root { heap: 0, target: Live(4) }]);
    for map in (0..4).rev() {
        // The next map, allocated four minus `map` before the nodes; and the next key.
        ops.push(put(map, 4 - map, To(Live(5 + 3 - map)), None));
        let edit = AddToKey { key: Live(4 - map), to: To(Live(3 - map)), inner: None };
        ops.push(EditKeys { heap: 0, table: map, edit });
    }
    ops.push(COLLECT);
    assert_eq!((run(&ops).freed, run(&ops).pruned), (0, 0));
    ops.extend([DropRoots { index: 1, len: 0 }, COLLECT]);
    // The first map is rooted, and loses its entry; the others are freed with theirs.
    assert_eq!((run(&ops).freed, run(&ops).pruned), (9, 1));
}

#[test]
fn a_value_that_holds_its_own_key_or_its_map_keeps_neither() {
    let report = run(&[
        rooted(KeyMap),
        nodes(2),
        put(0, 0, ToKey, None),
        put(0, 1, ToOwner, Some(Live(1))),
        COLLECT,
        Alloc { heap: 0, make: make(KeyMap), how: Unrooted },
        nodes(1),
        Root { heap: 0, target: Live(0) },
        // The key lives, and the map that only its own value refers to does not.
        put(1, 0, ToOwner, None),
        COLLECT,
    ]);
    assert_eq!((report.freed, report.pruned), (3, 2));
}

#[test]
fn a_nested_value_needs_both_keys_and_is_pruned_by_the_inner_one() {
    // Nodes 0 and 1 are keys, 2 is what the inner map leads to.
    let begin = [rooted(KeyMap), nodes(3), put(0, 0, To(Live(2)), Some(Live(1)))];
    let root = |target: &[u8]| {
        let roots = target.iter().map(|target| Root { heap: 0, target: Live(*target) });
        let ops: Vec<Op> = begin.iter().cloned().chain(roots).chain([COLLECT]).collect();
        let report = run(&ops);
        (report.freed, report.pruned)
    };
    assert_eq!(root(&[0, 1]), (0, 0));
    assert_eq!(root(&[0]), (2, 1));
    assert_eq!(root(&[1]), (2, 1));
    assert_eq!(root(&[]), (3, 1));
}

#[test]
fn nested_ephemerons_wait_for_keys_that_are_reached_late() {
    // A chain of three from a root: the keys are its middle and its end, the value is outside of it.
    for keys in [[1, 2], [2, 1]] {
        let report = run(&[
            nodes(1),
            Burst { heap: 0, kind: Node, size: 16, shape: Chain, rooted: true },
            rooted(KeyMap),
            put(0, keys[0], To(Live(4)), Some(Live(keys[1]))),
            COLLECT,
        ]);
        assert_eq!((report.freed, report.pruned), (0, 0));
    }
}

#[test]
fn a_key_under_construction_counts_as_alive_in_a_map_of_its_own() {
    let key = |edit| EditKeys { heap: 0, table: 0, edit };
    let report = run(&[
        rooted(KeyMap),
        nodes(1),
        Cyclic {
            heap: 0,
            make: make(Node),
            inside: block(&[
                key(EntryKey { key: Recent(0), to: To(Live(0)), inner: None }),
                key(EntryKey { key: Recent(0), to: To(Live(0)), inner: Some(Recent(0)) }),
                COLLECT,
            ]),
            ending: Returns,
        },
        COLLECT,
    ]);
    // Nothing at first; then the object, which nothing refers to any more, and what only it led to.
    assert_eq!((report.freed, report.pruned, report.collections), (2, 1, 2));
}

#[test]
fn weak_collections_in_fields_are_pruned_and_keys_with_handles_are_edges() {
    let plain = |edge| EditValues { heap: 0, table: 0, edit: PutValue { key: 3, edge, to: Live(0) } };
    let report = run(&[
        rooted(Shelf),
        nodes(1),
        Burst { heap: 0, kind: Plain, size: 8, shape: Loose, rooted: false },
        // The key keeps the node alive as long as the plain object lives.
        plain(Some(Live(2))),
        EditSet { heap: 0, table: 0, edit: PutElement(Live(1)) },
        EditKeys { heap: 0, table: 0, edit: EntryKey { key: Live(0), to: ToKey, inner: None } },
        COLLECT,
        COLLECT,
    ]);
    assert_eq!((report.freed, report.pruned), (3, 3));
}

#[test]
fn an_object_is_returned_uncached_when_its_map_dies_while_it_is_made() {
    let get = |table, inside: &[Op]| GetOrAlloc {
        heap: 0,
        table,
        key: 1,
        edge: None,
        make: make(Node),
        inside: block(inside),
        swaps: false,
        ending: Returns,
    };
    let report = run(&[
        Alloc { heap: 0, make: make(ValueMap), how: Unrooted },
        get(0, &[COLLECT]),
        rooted(ValueMap),
        // What the factory inserts there itself is replaced; a hit allocates nothing; a dead map is reported.
        get(0, &[get(0, &[])]),
        get(0, &[]),
        get(1, &[]),
        COLLECT,
    ]);
    assert_eq!((report.freed, report.pruned), (4, 1));
}

#[test]
fn equal_names_share_an_object_until_it_dies() {
    let intern = |name, by| Intern { heap: 0, table: 0, name, by };
    let report = run(&[
        rooted(Names),
        intern(1, ByValue),
        intern(1, ByTrying),
        intern(2, ByMaking(1)),
        intern(2, ByMaking(2)),
        Destroy { heap: 0, target: Live(1), erased: false },
        intern(1, Looking),
        intern(1, ByValue),
        COLLECT,
        Intern { heap: 0, table: 1, name: 1, by: ByValue },
    ]);
    assert_eq!((report.objects, report.freed, report.pruned), (4, 2, 3));
}

#[test]
fn weak_collections_outside_of_the_heap_are_pruned_by_hand() {
    let report = run(&[
        nodes(2),
        EditValues { heap: 0, table: 0, edit: PutValue { key: 1, edge: Some(Live(1)), to: Live(0) } },
        EditKeys { heap: 0, table: 0, edit: PutKey { key: Live(1), to: ToKey, inner: Some(Live(0)) } },
        EditSet { heap: 0, table: 0, edit: PutElement(Live(0)) },
        CopyIn { heap: 0, sort: OfKeys, rooted: true },
        COLLECT,
        PruneOutside { heap: 0 },
        CopyOut { heap: 0, table: 0, sort: OfKeys },
    ]);
    assert_eq!((report.freed, report.pruned), (2, 1));
}
