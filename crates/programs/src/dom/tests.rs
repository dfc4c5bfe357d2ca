//! The tree stays a tree whatever is done to it, and the queries find what a naive walk finds.

use slotgc::{Heap, HeapConfig};

use super::benchmark::{Log, Sizes};
use super::edit::Edits;
use super::generate::Generator;
use super::node::{Name, Nodes};
use super::on_indices::IndexNodes;
use super::{on_gc_arena, on_indices, on_rc, on_slotgc, query};

/// All nodes below and the node itself, in document order, with their depths. Every link is checked.
fn list<M: Nodes>(memory: &M, id: &M::Id, depth: usize, into: &mut Vec<(M::Id, usize)>) {
    into.push((id.clone(), depth));
    let node = memory.node(id);
    let (mut previous, mut at, mut count) = (None::<M::Id>, node.first_child.clone(), 0);
    while let Some(id_of_child) = at {
        let child = memory.node(&id_of_child);
        let is = |back: &Option<M::Back>, id: Option<&M::Id>| back.as_ref().map(M::follow).as_ref() == id;
        assert!(
            is(&child.parent, Some(id)) && is(&child.previous, previous.as_ref()),
            "node {}",
            child.serial
        );
        list(memory, &id_of_child, depth + 1, into);
        count += 1;
        at = child.next.clone();
        drop(child);
        previous = Some(id_of_child);
    }
    assert_eq!(node.child_count, count);
    assert!(node.last_child.as_ref().map(M::follow) == previous, "node {}", node.serial);
}

fn edited(nodes: usize, edits: usize) -> (IndexNodes, <IndexNodes as Nodes>::Id, Edits) {
    let (mut memory, mut generator, mut log) = (IndexNodes::default(), Generator::new(3), Edits::default());
    let root = generator.document(&mut memory, nodes);
    for _ in 0..edits {
        log.edit(&mut memory, &root, &mut generator);
    }
    (memory, root, log)
}

#[test]
fn a_document_has_as_many_nodes_as_it_was_asked_for() {
    for nodes in [1, 2, 17, 1000, 30_000] {
        let (memory, root, _) = edited(nodes, 0);
        let mut all = Vec::new();
        list(&memory, &root, 0, &mut all);
        assert_eq!(all.len(), nodes);
    }
}

#[test]
fn edits_of_every_kind_leave_a_tree_of_much_the_same_size_and_depth() {
    let (memory, root, log) = edited(2000, 20_000);
    let mut all = Vec::new();
    list(&memory, &root, 0, &mut all);
    assert!(log.moved > 2000 && log.removed > 2000 && log.inserted > 2000 && log.changed > 2000, "{log:?}");
    assert_eq!(all.len(), 2000 + log.inserted - log.removed);
    assert!((1500..=2000).contains(&all.len()), "{} nodes", all.len());
    let depth = all.iter().map(|(_, depth)| depth).sum::<usize>() / all.len();
    println!("mean depth {depth}");
    assert!((3..30).contains(&depth), "a mean depth of {depth}");
}

#[test]
fn a_query_by_what_is_above_finds_what_a_naive_one_finds() {
    let (memory, root, _) = edited(2000, 500);
    let mut all = Vec::new();
    list(&memory, &root, 0, &mut all);
    let mut some = 0;
    for number in 0..10 {
        let (tag, class) = ((number * 7 % 30) as Name, (number * 7 % 60) as Name);
        let mut above: Vec<bool> = Vec::new();
        let mut expected = 0;
        for (id, depth) in &all {
            let node = memory.node(id);
            above.truncate(*depth);
            expected += u64::from(node.content.has_tag(tag) && above.contains(&true));
            above.push(node.content.has_class(class));
        }
        assert_eq!(query::round(&memory, &root, number)[3].count, expected);
        some += expected;
    }
    assert!(some > 0);
}

#[test]
fn all_substrates_agree_and_slotgc_with_a_collection_after_each_batch() {
    let sizes = Sizes { nodes: 500, batches: 50, edits_a_batch: 10, queries: 4 };
    let stressed = || Heap::with_config(HeapConfig::default().stress(true));
    let run = |run: &dyn Fn(&mut Log)| {
        let mut log = Log::default();
        run(&mut log);
        (log.edits, log.found)
    };
    let expected = run(&|log| on_indices::run(&sizes, log));
    assert_eq!(run(&|log| on_slotgc::run(&sizes, log, Heap::new())), expected);
    assert_eq!(run(&|log| on_slotgc::run(&sizes, log, stressed())), expected);
    assert_eq!(run(&|log| on_gc_arena::run(&sizes, log)), expected);
    assert_eq!(run(&|log| on_rc::run(&sizes, log)), expected);
}
