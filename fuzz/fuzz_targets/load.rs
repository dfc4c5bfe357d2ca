//! Loads any bytes, as JSON and as postcard: the result is an error and an unchanged heap, or a graph that a
//! collection accepts and that is the same after it is saved and loaded again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize};
use slotgc::{AnyGc, Gc, GcMap, Heap, HeapConfig, Interner, Relinked, Schema, Trace, Weak, WeakKeyMap, WeakSet};

#[derive(Trace, Serialize, Deserialize)]
enum Node {
    Leaf(u8),
    Pair(Gc<Node>, Option<Weak<Table>>),
    Any(Vec<AnyGc>),
    Keys(GcMap<Gc<Node>, Weak<Node>>),
}

#[derive(Trace, Serialize, Deserialize, Default)]
struct Table {
    notes: WeakKeyMap<Node, Gc<Table>>,
    set: WeakSet<Table>,
    words: Interner<String>,
}

fn schema() -> Schema<(String, (Table, (Node, ())))> {
    Schema::new().with::<Node>("node").with::<Table>("table").with::<String>("string")
}

/// Loads saved data into a new heap, runs a collection, and saves it again.
fn load_and_save(saved: &[u8]) -> Vec<u8> {
    let (schema, mut heap) = (schema(), Heap::new());
    let loaded = heap.load(&schema, &mut postcard::Deserializer::from_bytes(saved)).unwrap();
    heap.collect_with(&loaded.roots());
    heap.verify();
    postcard::to_stdvec(&heap.save(&schema, &loaded.roots()).unwrap()).unwrap()
}

fuzz_target!(|data: &[u8]| {
    let schema = schema();
    let Some((format, data)) = data.split_first() else { return };
    let mut heap = Heap::with_config(HeapConfig::default().max_objects(10_000));
    heap.alloc(Node::Leaf(1));
    let loaded: Option<Relinked> = match format % 2 {
        0 => heap.load(&schema, &mut serde_json::Deserializer::from_slice(data)).ok(),
        _ => heap.load(&schema, &mut postcard::Deserializer::from_bytes(data)).ok(),
    };
    heap.verify();
    let Some(loaded) = loaded else { return assert_eq!(heap.len(), 1) };
    heap.collect_with(&loaded.roots());
    let saved = postcard::to_stdvec(&heap.save(&schema, &loaded.roots()).unwrap()).unwrap();
    // Loading replaces handles to nothing by null ones and renumbers the objects, which changes the length
    // once. The order of a hash map's entries may change again.
    let first = load_and_save(&saved);
    let [mut first, mut second] = [load_and_save(&first), first];
    first.sort_unstable();
    second.sort_unstable();
    assert_eq!(first, second);
});
