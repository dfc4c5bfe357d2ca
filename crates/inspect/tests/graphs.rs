//! Heaps written to files and read again: the heap that is made of a file agrees with the one that wrote it.

use slotgc::inspect::{Snapshot, named_roots};
use slotgc::{AnyGc, Gc, Heap, HeapConfig, Root, Trace, Weak, WeakKeyMap};
use slotgc_inspect::file::File;
use slotgc_inspect::graph::FileGraph;

#[derive(Trace)]
struct Mob {
    #[trace(label)]
    name: String,
    friends: Vec<Gc<Mob>>,
    target: Weak<Mob>,
    luggage: Vec<u8>,
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(mixed ^ (mixed >> 31)) * limit as u128) >> 64) as usize
    }
}

struct World {
    heap: Heap,
    _roots: Vec<Root<Mob>>,
    _table: Root<WeakKeyMap<Mob, Gc<Mob>>>,
    source: Vec<Gc<Mob>>,
}

/// A sparse random graph, so that dominators are interesting.
fn world(seed: u64, len: usize) -> World {
    let mut random = Random(seed);
    let mut heap = Heap::with_config(HeapConfig::default().root_origins(true));
    let mobs: Vec<Gc<Mob>> = (0..len)
        .map(|number| {
            let name = ["wolf", "Bär \"x\"", "\u{1f43b}", ""][number % 4].to_string();
            let luggage = vec![0; random.below(100)];
            heap.alloc(Mob { name, friends: Vec::new(), target: Weak::dangling(), luggage })
        })
        .collect();
    for mob in &mobs {
        let friends = (0..random.below(3)).map(|_| mobs[random.below(len)]).collect();
        heap[*mob].friends = friends;
        heap[*mob].target = mobs[random.below(len)].downgrade();
    }
    let mut entries = WeakKeyMap::new();
    for _ in 0..len / 8 {
        entries.insert(mobs[random.below(len)], mobs[random.below(len)]);
    }
    let table = heap.alloc_root(entries);
    let mut roots: Vec<Root<Mob>> =
        (0..1 + len / 20).filter_map(|_| heap.root(mobs[random.below(len)])).collect();
    let named = roots.pop().expect("at least one").named("a \"name\"");
    roots.push(named);
    let source = vec![mobs[random.below(len)], mobs[random.below(len)]];
    World { heap, _roots: roots, _table: table, source }
}

fn graph_of(snapshot: &Snapshot) -> FileGraph {
    let mut bytes = Vec::new();
    snapshot.write_heapsnapshot(&mut bytes).unwrap();
    FileGraph::of(File::read(&bytes[..]).unwrap(), |_| {})
}

#[test]
fn a_file_read_again_has_the_same_dominators_and_retained_sizes() {
    for seed in 0..40 {
        let world = world(seed, 10 + 7 * seed as usize);
        let snapshot = world.heap.snapshot_with(&named_roots("world", &world.source));
        let graph = graph_of(&snapshot);
        let synthetic = graph.file().nodes().filter(|node| node.type_name() == "synthetic").count();
        assert_eq!(graph.file().len(), synthetic + snapshot.len());
        // Objects are in the order of the snapshot, after what stands for roots.
        let pairs: Vec<_> = graph.file().nodes().skip(synthetic).zip(snapshot.nodes()).collect();
        let find = |of: AnyGc| pairs.iter().find(|(_, node)| node.handle() == of).map(|(file, _)| *file);
        let garbage = snapshot.unreachable().count();
        assert!(seed < 3 || garbage > 0);
        assert_eq!(graph.kept, graph.file().len() - garbage);
        for (file, node) in &pairs {
            assert_eq!(file.bytes() as usize, node.bytes() + node.owned_bytes());
            assert_eq!(graph.retained_bytes(*file) as usize, node.retained_bytes(), "{node}");
            assert_eq!(graph.node(*file).retained_len(), node.retained_len(), "{node}");
            let dominator = graph.node(*file).dominator().map(|node| graph.place(node.handle()));
            let dominator = dominator.filter(|file| file.type_name() != "synthetic").map(|file| file.id());
            let expected = node.dominator().and_then(|node| find(node.handle())).map(|file| file.id());
            assert_eq!(dominator, expected, "{node}");
            // Below the root, `(GC roots)` and the root's own node come first.
            let distance = graph.node(*file).distance().map(|distance| distance - 3);
            assert_eq!(distance, node.distance(), "{node}");
            assert_eq!(file.edges().len(), node.edges().count());
            let name = match (node.type_name(), node.label()) {
                ("Mob", None) => "<Mob>".to_string(),
                (name, None) => name.to_string(),
                (name, Some(label)) => format!("<{name} {label:?}>"),
            };
            assert_eq!(file.name(), name);
            assert!(matches!(file.class_name().as_str(), "<Mob>" | "WeakKeyMap<Mob, Gc<Mob>>"));
        }
        // For a check by hand with other programs.
        if let Some(folder) = std::env::var_os("SLOTGC_FILES") {
            let path = std::path::Path::new(&folder).join(format!("random_{seed}.heapsnapshot"));
            snapshot.write_heapsnapshot(std::fs::File::create(path).unwrap()).unwrap();
        }
    }
}

#[test]
fn answers_are_found_by_id() {
    let mut heap = Heap::with_config(HeapConfig::default().root_origins(false));
    let mob = |name: &str, friends| Mob {
        name: name.into(),
        friends,
        target: Weak::dangling(),
        luggage: Vec::new(),
    };
    let end = heap.alloc(mob("end", vec![]));
    let root = heap.alloc_root(mob("root", vec![end])).named("start");
    let before = graph_of(&heap.snapshot());
    let id = before.file().nodes().find(|node| node.name().contains("end")).unwrap().id();
    let root_id = before.file().nodes().find(|node| node.name() == "<Mob \"root\">").unwrap().id();
    let path = slotgc_inspect::report::path(&before, id);
    let group = before.file().nodes().find(|node| node.name() == "root \"start\"").unwrap().id();
    let expected = format!(
        "(root) @1\n  [1] -> (GC roots) @3\n  [1] -> root \"start\" @{group}\n  [1] -> <Mob \"root\"> @{root_id}\n  \
         .friends[0] -> <Mob \"end\"> @{id}\n"
    );
    assert_eq!(path, expected);
    assert!(
        slotgc_inspect::report::node(&before, id).contains(&format!("kept by <Mob \"root\"> @{root_id}"))
    );
    assert!(slotgc_inspect::report::path(&before, 12345).contains("no node"));
    heap[&root].friends.clear();
    heap.collect();
    heap[&root].friends = vec![];
    let new = heap.alloc_root(mob("new", vec![]));
    let after = graph_of(&heap.snapshot());
    let diff = slotgc_inspect::report::diff(before.file(), after.file(), 20);
    let row = diff.lines().find(|line| line.ends_with("<Mob>")).expect("labels are of one class");
    assert_eq!(row.split_whitespace().take(2).collect::<Vec<_>>(), ["1", "1"], "new and gone: {diff}");
    assert!(slotgc_inspect::report::census(after.file(), 1).contains("classes more"));
    assert!(slotgc_inspect::report::biggest(&after, 10).contains("<Mob \"root\">"));
    drop(new);
}
