//! V8's format, read as text. What other programs make of the files is tested in `crates/inspect`.

use std::collections::BTreeMap;

use slotgc::inspect::{Snapshot, named_roots};
use slotgc::{Gc, Heap, HeapConfig, Root, Trace, WeakKeyMap};

use super::{Loot, Mob, VEC_SLOT, mob};
use crate::objects::Claim;

/// The sections of a file, each as the text between its brackets.
struct Sections {
    text: String,
}

impl Sections {
    fn of(snapshot: &Snapshot) -> Self {
        let mut file = Vec::new();
        snapshot.write_heapsnapshot(&mut file).unwrap();
        Self { text: String::from_utf8(file).unwrap() }
    }

    fn numbers(&self, section: &str, row: usize) -> Vec<Vec<u64>> {
        let start = self.text.find(&format!("\n\"{section}\":[")).unwrap() + section.len() + 5;
        let end = start + self.text[start..].find(']').unwrap();
        let numbers: Vec<u64> =
            self.text[start..end].split(',').filter_map(|number| number.trim().parse().ok()).collect();
        assert_eq!(numbers.len() % row, 0);
        numbers.chunks(row).map(<[u64]>::to_vec).collect()
    }

    fn nodes(&self) -> Vec<Vec<u64>> {
        self.numbers("nodes", 7)
    }

    fn edges(&self) -> Vec<Vec<u64>> {
        self.numbers("edges", 3)
    }

    /// Assumes that no string contains escapes.
    fn strings(&self) -> Vec<String> {
        let start = self.text.find("\n\"strings\":[\"").unwrap() + 13;
        let body = self.text[start..].strip_suffix("\"]}").unwrap();
        body.split("\",\n\"").map(str::to_string).collect()
    }

    /// The ids of objects by name.
    fn ids(&self) -> BTreeMap<String, Vec<u64>> {
        let strings = self.strings();
        let mut ids: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for node in self.nodes().iter().filter(|node| node[0] == 3) {
            ids.entry(strings[node[1] as usize].clone()).or_default().push(node[2]);
        }
        ids
    }

    /// The edges of the nodes of this name: type, name or index, and the target's name.
    fn edges_of(&self, name: &str) -> Vec<(u64, String, String)> {
        let (nodes, strings, edges) = (self.nodes(), self.strings(), self.edges());
        let text = |index: u64| strings[index as usize].clone();
        let mut start = 0;
        let mut found = Vec::new();
        for node in &nodes {
            let end = start + node[4] as usize;
            if text(node[1]) == name {
                for edge in &edges[start..end] {
                    let label = if edge[0] == 1 { edge[1].to_string() } else { text(edge[1]) };
                    assert_eq!(edge[2] % 7, 0);
                    found.push((edge[0], label, text(nodes[edge[2] as usize / 7][1])));
                }
            }
            start = end;
        }
        assert_eq!(start, edges.len(), "every edge belongs to a node");
        found
    }
}

const ELEMENT: u64 = 1;
const PROPERTY: u64 = 2;
const INTERNAL: u64 = 3;
const WEAK: u64 = 6;

fn heap() -> Heap {
    Heap::with_config(HeapConfig::default().root_origins(false))
}

fn strings(edges: &[(u64, String, String)]) -> Vec<(u64, &str, &str)> {
    edges.iter().map(|(kind, name, target)| (*kind, name.as_str(), target.as_str())).collect()
}

#[test]
fn sections_come_in_the_order_of_v8_and_without_spaces() {
    let mut heap = heap();
    let loot = heap.alloc(Loot(1));
    let _wolf = heap.alloc_root(Mob { loot: Some(loot), ..mob("wolf") });
    let file = Sections::of(&heap.snapshot());
    let sections = [
        "snapshot",
        "nodes",
        "edges",
        "trace_function_infos",
        "trace_tree",
        "samples",
        "locations",
        "strings",
    ];
    let places: Vec<_> =
        sections.iter().map(|name| file.text.find(&format!("\"{name}\":")).expect(name)).collect();
    assert!(places.is_sorted());
    assert!(file.text.starts_with(r#"{"snapshot":{"meta":{"node_fields":["type","name","id","#));
    assert!(!file.text.contains("\": ") && !file.text.contains(", "));
    assert!(file.text.contains(r#""node_count":5,"edge_count":4,"#), "{}", file.text);
    assert_eq!((file.nodes().len(), file.edges().len()), (5, 4));
}

#[test]
fn nodes_are_named_by_type_and_label_and_sized_by_slot_and_what_they_own() {
    let mut heap = heap();
    let list = heap.alloc_root(vec![0_u64; 100]);
    let wolf = heap.alloc_root(mob("wolf"));
    let snapshot = heap.snapshot();
    let file = Sections::of(&snapshot);
    let strings = file.strings();
    let sizes: BTreeMap<_, _> =
        file.nodes().iter().map(|node| (strings[node[1] as usize].clone(), node[3])).collect();
    assert_eq!(sizes["Vec<u64>"], (VEC_SLOT + 800) as u64);
    let slot = snapshot.get(wolf.gc()).unwrap();
    assert_eq!(sizes[r#"<Mob \"wolf\">"#], (slot.bytes() + slot.owned_bytes()) as u64);
    assert!(file.nodes().iter().all(|node| node[5] == 0 && node[6] == 0));
    drop(list);
}

#[test]
fn a_size_is_at_most_what_32_bits_hold_whatever_the_object_claims() {
    let mut heap = heap();
    let _claim = heap.alloc_root(Claim);
    let file = Sections::of(&heap.snapshot());
    assert_eq!(file.nodes().last().map(|node| node[3]), Some(u32::MAX.into()));
}

#[test]
fn what_comes_before_a_space_is_the_type_of_an_object_with_a_label() {
    #[derive(Trace)]
    struct Pair<A: Trace, B: Trace>(A, B, #[trace(label)] &'static str);

    let mut heap = heap();
    let all = heap.alloc_root(Pair(1_u8, 2_u16, "a b"));
    let bare = heap.alloc_root(Pair(1_u8, 2_u16, ""));
    let other = heap.alloc_root(Pair(1_u8, 2_u8, ""));
    let names: Vec<String> = Sections::of(&heap.snapshot()).ids().into_keys().collect();
    let labelled = r#"<Pair<u8,\u00a0u16>"#;
    assert_eq!(
        names,
        [format!(r#"{labelled} \"a b\">"#), format!("{labelled}>"), "Pair<u8, u8>".to_string()]
    );
    drop((all, bare, other));
}

#[test]
fn roots_are_grouped_by_name_or_origin_and_sources_have_their_own() {
    let mut heap = heap();
    let (a, b) = (heap.alloc_root(Loot(1)).named("loot"), heap.alloc_root(Loot(2)).named("loot"));
    let plain = heap.alloc_root(7_u8);
    let world = [heap.alloc(1_u16), heap.alloc(2_u16)];
    let file = Sections::of(&heap.snapshot_with(&named_roots("world", &world)));
    let groups = file.edges_of("(GC roots)");
    let names: Vec<_> = groups.iter().map(|(_, _, name)| name.as_str()).collect();
    assert_eq!(names, [r#"root \"loot\""#, "root", r#"source \"world\""#]);
    assert_eq!(strings(&file.edges_of(names[0])), [(ELEMENT, "1", "Loot"), (ELEMENT, "2", "Loot")]);
    let of_world = file.edges_of(names[2]);
    assert_eq!(
        of_world.iter().map(|edge| edge.0).collect::<Vec<_>>(),
        [ELEMENT; 2],
        "[0] and [1] are indices"
    );
    assert_eq!(file.edges_of("").len(), 1);
    drop((a, b, plain));
}

#[test]
fn edges_are_properties_elements_weak_or_of_ephemerons() {
    let mut heap = heap();
    let loot = heap.alloc(Loot(1));
    let friend = heap.alloc_root(mob("friend"));
    let target = friend.downgrade();
    let wolf = heap.alloc_root(Mob { loot: Some(loot), friends: vec![friend.gc()], target, ..mob("wolf") });
    let list = heap.alloc_root(vec![friend.gc()]);
    let value = heap.alloc(9_u8);
    let table = heap.alloc_root(WeakKeyMap::from_iter([(target, value)]));
    let file = Sections::of(&heap.snapshot());
    let friend_name = r#"<Mob \"friend\">"#;
    assert_eq!(
        strings(&file.edges_of(r#"<Mob \"wolf\">"#)),
        [(PROPERTY, "loot", "Loot"), (PROPERTY, "friends[0]", friend_name), (WEAK, "target", friend_name)]
    );
    assert_eq!(strings(&file.edges_of("Vec<Gc<Mob>>")), [(ELEMENT, "0", friend_name)]);
    let of_table = file.edges_of("WeakKeyMap<Mob, Gc<u8>>");
    assert!(of_table.iter().any(|(kind, _, to)| *kind == PROPERTY && to.starts_with("<u8 ")), "{of_table:?}");
    let of_key = file.edges_of(friend_name);
    assert!(of_key.len() == 1 && of_key[0].0 == INTERNAL, "{of_key:?}");
    drop((wolf, list, table));
}

#[test]
fn garbage_hangs_on_a_node_of_its_own_and_keeps_nothing() {
    let mut heap = heap();
    let kept = heap.alloc_root(Loot(1));
    let other = heap.alloc(mob("other"));
    let garbage = heap.alloc(Mob { loot: Some(kept.gc()), friends: vec![other], ..mob("garbage") });
    let file = Sections::of(&heap.snapshot());
    let of = file.edges_of("(unreachable)");
    assert_eq!(of.len(), 2);
    assert!(of.iter().all(|(kind, _, _)| *kind == WEAK));
    assert_eq!(
        strings(&file.edges_of(r#"<Mob \"garbage\">"#)),
        [(WEAK, "loot", "Loot"), (PROPERTY, "friends[0]", r#"<Mob \"other\">"#)]
    );
    assert!(heap.is_alive(garbage));
    heap.collect();
    assert!(!Sections::of(&heap.snapshot()).text.contains("[9,3,"));
}

#[test]
fn an_id_is_the_same_in_every_file_and_never_reused() {
    for first_generation in [1, 77, HeapConfig::MAX_GENERATION - 1000] {
        let config = HeapConfig::default().root_origins(false).first_generation(first_generation);
        let mut heap = Heap::with_config(config);
        let kept: Vec<Root<Loot>> = (0..100).map(|n| heap.alloc_root(Loot(n))).collect();
        let first = Sections::of(&heap.snapshot()).ids();
        let mut seen: Vec<u64> = first["Loot"].clone();
        let mut before = first["Loot"].clone();
        before.sort_unstable();
        // One slot is reused again and again; the others stay.
        for n in 0..200 {
            let new = heap.alloc_root(Loot(n));
            let ids = Sections::of(&heap.snapshot()).ids().remove("Loot").unwrap();
            let new_ids: Vec<u64> =
                ids.iter().copied().filter(|id| before.binary_search(id).is_err()).collect();
            assert_eq!((ids.len(), new_ids.len()), (101, 1), "the others keep their ids");
            assert!(!seen.contains(&new_ids[0]) && new_ids[0] <= u32::MAX.into());
            seen.push(new_ids[0]);
            drop(new);
            heap.collect();
        }
        drop(kept);
    }
}

#[test]
fn texts_are_escaped_and_ascii() {
    let mut heap = heap();
    let _root = heap.alloc_root(mob("Bär \"x\"\\\n🐻\u{7f}")).named("tab\tquote\"");
    let file = Sections::of(&heap.snapshot());
    assert!(file.text.is_ascii());
    // `Debug` formats the name, which is then escaped for JSON.
    assert!(
        file.text.contains(r#""<Mob \"B\u00e4r \\\"x\\\"\\\\\\n\ud83d\udc3b\\u{7f}\">""#),
        "{}",
        file.text
    );
    assert!(file.text.contains(r#""root \"tab\\tquote\\\"\"""#), "{}", file.text);
}

#[test]
fn an_error_of_the_writer_is_returned() {
    struct Full(usize);
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut heap = heap();
    let list: Vec<Gc<Loot>> = (0..10_000).map(|n| heap.alloc(Loot(n))).collect();
    let snapshot = heap.snapshot();
    let error = snapshot.write_heapsnapshot(Full(100_000)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    assert!(snapshot.write_heapsnapshot(Full(10_000_000)).is_ok() && list.len() == 10_000);
}
