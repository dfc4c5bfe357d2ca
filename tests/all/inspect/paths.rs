//! `why_alive`, and what a path says.

use std::collections::BTreeMap;
#[cfg(feature = "std")]
use std::sync::Mutex;

use slotgc::inspect::named_roots;
use slotgc::{AnyGc, Budget, Gc, Heap, HeapConfig, Trace, Tracer, Weak, WeakKeyMap, roots};

use super::{Loot, Mob, mob};

fn heap() -> Heap {
    Heap::with_config(HeapConfig::default().root_origins(false))
}

#[derive(Trace)]
struct EventBus {
    listeners: Vec<Gc<Mob>>,
}

#[test]
fn a_path_is_one_line_or_one_line_a_step() {
    let mut heap = heap();
    let loot = heap.alloc(Loot(1));
    let wolf = heap.alloc(Mob { loot: Some(loot), ..mob("wolf") });
    let (a, b) = (heap.alloc(mob("a")), heap.alloc(mob("b")));
    let bus = heap.alloc_root(EventBus { listeners: vec![a, b, a, wolf] }).named("event_bus");
    let path = heap.why_alive(loot).unwrap();
    let line = format!(
        "root \"event_bus\" -> EventBus {bus} .listeners[3] -> Mob {wolf} \"wolf\" .loot -> Loot {loot}"
    );
    assert_eq!(path.to_string(), line);
    let lines = format!(
        "root \"event_bus\"\n  -> EventBus {bus}\n  .listeners[3] -> Mob {wolf} \"wolf\"\n  .loot -> Loot {loot}"
    );
    assert_eq!(format!("{path:#}"), lines);
    let steps: Vec<_> = path.steps().map(|step| (step.type_name(), step.label(), step.edge())).collect();
    let expected =
        [("EventBus", None, None), ("Mob", Some("wolf"), Some("listeners[3]")), ("Loot", None, Some("loot"))];
    assert_eq!(steps, expected);
    assert_eq!((path.root_name(), path.source(), path.len()), (Some("event_bus"), None, 3));
    assert_eq!(path.target(), loot.erase());
}

#[test]
fn a_root_shows_where_it_was_made() {
    let mut heap = Heap::with_config(HeapConfig::default().root_origins(true));
    let line = line!() + 1;
    let root = heap.alloc_root(mob("wolf"));
    let path = heap.why_alive(&root).unwrap();
    let origin = path.origin().unwrap();
    assert_eq!((origin.file(), origin.line()), (file!(), line));
    assert_eq!(path.to_string(), format!("root ({}:{line}) -> Mob {root} \"wolf\"", file!()));
    let line = line!() + 1;
    let again = heap.root(&root).unwrap().named("named");
    drop(root);
    let path = heap.why_alive(&again).unwrap();
    assert_eq!(path.to_string(), format!("root \"named\" ({}:{line}) -> Mob {again} \"wolf\"", file!()));
}

#[test]
fn the_path_is_a_shortest_one() {
    let mut heap = heap();
    let end = heap.alloc(mob("end"));
    let near = heap.alloc(Mob { friends: vec![end], ..mob("near") });
    let mut far = end;
    for _ in 0..10 {
        far = heap.alloc(Mob { friends: vec![far], ..mob("far") });
    }
    let root = heap.alloc_root(Mob { friends: vec![far, near], ..mob("root") });
    assert_eq!(heap.why_alive(end).unwrap().len(), 3);
    heap[near].friends.clear();
    assert_eq!(heap.why_alive(end).unwrap().len(), 12);
    heap[&root].friends.clear();
    assert!(heap.why_alive(end).is_none());
}

#[test]
fn what_is_dead_or_unreachable_has_no_path() {
    let mut heap = heap();
    let (dead, garbage) = (heap.alloc(mob("dead")), heap.alloc(mob("garbage")));
    heap.destroy(dead);
    assert!(heap.why_alive(dead).is_none());
    assert!(heap.why_alive(garbage).is_none());
    assert!(heap.why_alive(Gc::<Mob>::default()).is_none());
    let holder = heap.alloc_root(Mob { target: garbage.downgrade(), ..mob("weakly") });
    assert!(heap.why_alive(garbage).is_none(), "a weak handle keeps nothing alive");
    assert!(heap.why_alive(&holder).is_some());
}

#[test]
fn a_source_shows_its_name_and_the_names_that_it_reports() {
    #[derive(Trace)]
    struct World {
        player: Gc<Mob>,
        mobs: Vec<Gc<Mob>>,
    }
    let mut heap = heap();
    let (player, other) = (heap.alloc(mob("player")), heap.alloc(mob("other")));
    let world = [World { player, mobs: vec![player, other] }];
    let path = heap.why_alive_with(other, &named_roots("world", &world)).unwrap();
    assert_eq!(path.to_string(), format!("source \"world\" [0].mobs[1] -> Mob {other} \"other\""));
    assert_eq!(
        (path.source(), path.root_name(), path.is_from_source()),
        (Some("world"), Some("[0].mobs[1]"), true)
    );
    // A closure reports no names.
    let path = heap.why_alive_with(other, &roots(|t: &mut Tracer<'_>| t.edge(other))).unwrap();
    assert_eq!(path.to_string(), format!("source -> Mob {other} \"other\""));
    // Several sources, one of them named.
    let closure = roots(|t: &mut Tracer<'_>| t.edge(player));
    let stack = [other];
    let path = heap.why_alive_with(other, &(&closure, &named_roots("stack", &stack))).unwrap();
    assert_eq!(path.to_string(), format!("source \"stack\" [0] -> Mob {other} \"other\""));
    assert!(heap.why_alive(player).is_none());
    // As a root source it keeps alive exactly what the wrapped source does.
    heap.collect_with(&named_roots("world", &world));
    assert_eq!(heap.len(), 2);
}

#[test]
fn labels_are_escaped_and_unicode_stays() {
    let mut heap = heap();
    let root = heap.alloc_root(mob("Bär \"x\"\n🐻"));
    let path = heap.why_alive(&root).unwrap();
    assert_eq!(path.to_string(), format!("root -> Mob {root} \"Bär \\\"x\\\"\\n🐻\""));
}

#[test]
fn maps_name_their_entries_by_key() {
    #[derive(Trace)]
    struct Herds {
        by_name: BTreeMap<String, Gc<Loot>>,
        by_mob: BTreeMap<Gc<Mob>, Gc<Loot>>,
        any: AnyGc,
    }
    let mut heap = heap();
    let (a, b, c) = (heap.alloc(Loot(1)), heap.alloc(Loot(2)), heap.alloc(Loot(3)));
    let key = heap.alloc(mob("key"));
    let herds = heap.alloc_root(Herds {
        by_name: BTreeMap::from([("sheep".to_string(), a)]),
        by_mob: BTreeMap::from([(key, b)]),
        any: c.erase(),
    });
    let edge = |heap: &Heap, h: Gc<Loot>| {
        heap.why_alive(h).unwrap().steps().last().unwrap().edge().map(str::to_string)
    };
    assert_eq!(edge(&heap, a).as_deref(), Some("by_name[\"sheep\"]"));
    assert_eq!(edge(&heap, b), Some(format!("by_mob[Mob {key}]")));
    assert_eq!(edge(&heap, c).as_deref(), Some("any"));
    assert!(heap.why_alive(key).unwrap().len() == 2, "keys are edges too");
    drop(herds);
}

#[test]
fn a_handwritten_trace_reports_edges_without_names() {
    struct ByHand(Gc<Mob>);
    impl Trace for ByHand {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            tracer.edge(self.0);
        }
    }
    let mut heap = heap();
    let wolf = heap.alloc(mob("wolf"));
    let root = heap.alloc_root(ByHand(wolf));
    let path = heap.why_alive(wolf).unwrap();
    assert_eq!(path.to_string(), format!("root -> ByHand {root} -> Mob {wolf} \"wolf\""));
}

#[test]
fn an_ephemeron_names_map_and_key() {
    let mut heap = heap();
    let loot = heap.alloc(Loot(1));
    let key = heap.alloc_root(mob("key")).named("key");
    let table = heap.alloc_root(WeakKeyMap::from_iter([(key.downgrade(), loot)])).named("table");
    let text = heap.why_alive(loot).unwrap().to_string();
    assert!(text.contains(&format!("WeakKeyMap<Mob, Gc<Loot>> {table}")), "{text}");
    assert!(text.contains(&format!("Mob {key}")), "{text}");
    assert_eq!(heap.why_alive(loot).unwrap().len(), 2);
    // Without the key, or without the table, nothing keeps the value.
    let (gc, weak_key) = (key.gc(), key.downgrade());
    drop(key);
    assert!(heap.why_alive(loot).is_none() && heap.why_alive(gc).is_none());
    let key = heap.root(weak_key).unwrap();
    drop(table);
    assert!(heap.why_alive(loot).is_none() && heap.why_alive(&key).is_some());
}

#[test]
fn an_ephemeron_whose_key_is_reached_only_by_its_value_keeps_nothing() {
    let mut heap = heap();
    let key = heap.alloc(mob("key"));
    let value = heap.alloc(Mob { friends: vec![key], ..mob("value") });
    let table = heap.alloc_root(WeakKeyMap::from_iter([(key.downgrade(), value)]));
    assert!(heap.why_alive(value).is_none() && heap.why_alive(key).is_none());
    heap.assert_collected(value);
    drop(table);
}

#[test]
fn why_alive_works_during_a_cycle_and_changes_nothing() {
    let build = || {
        let mut heap = heap();
        let mut all = vec![heap.alloc(mob("first"))];
        for _ in 0..300 {
            let before = *all.last().unwrap();
            all.push(heap.alloc(Mob { friends: vec![before], ..mob("m") }));
        }
        let root = heap.root(all.last().unwrap()).unwrap();
        let garbage: Vec<_> = (0..300).map(|_| heap.alloc(mob("garbage"))).collect();
        (heap, all, root, garbage)
    };
    let (mut looked, all, _root, garbage) = build();
    let (mut left_alone, _, _root2, _) = build();
    loop {
        let path = looked.why_alive(all[0]).unwrap();
        assert_eq!(path.len(), 301);
        assert!(looked.why_alive(garbage[7]).is_none());
        assert_eq!(looked.snapshot().path_to(all[0]).unwrap().to_string(), path.to_string());
        looked.verify();
        let (a, b) = (looked.step(Budget::Objects(10)), left_alone.step(Budget::Objects(10)));
        assert_eq!((a.phase, a.work), (b.phase, b.work));
        if let (Some(a), Some(b)) = (a.finished, b.finished) {
            assert_eq!((a.marked, a.freed, a.kept), (b.marked, b.freed, b.kept));
            break;
        }
    }
}

#[test]
fn why_alive_works_inside_of_callbacks() {
    let mut heap = heap();
    let root = heap.alloc_root(mob("root"));
    let text = heap.alloc_root(Vec::<String>::new());
    let (friend, log) = (root.gc(), text.gc());
    let dying = heap.alloc(Mob { friends: vec![friend], ..mob("dying") });
    heap.on_death(dying, move |heap, dead| {
        assert!(heap.why_alive(dead).is_none());
        let path = heap.why_alive(friend).unwrap().to_string();
        assert_eq!(heap.snapshot().len(), 2);
        heap[log].push(path);
    })
    .unwrap();
    heap.collect();
    assert_eq!(heap[&text], [format!("root -> Mob {root} \"root\"")]);
}

#[cfg(feature = "std")]
#[test]
fn a_held_lock_is_a_gap_and_does_not_block() {
    let mut heap = heap();
    let inner = heap.alloc(mob("inner"));
    let lock = heap.alloc_root(Mutex::new(vec![inner]));
    assert!(heap.why_alive(inner).is_some());
    let snapshot = heap.snapshot();
    assert!(!snapshot.get(lock.gc()).unwrap().has_gap());
    let guard = heap[&lock].lock().unwrap();
    assert!(heap.why_alive(inner).is_none());
    let snapshot = heap.snapshot();
    assert!(snapshot.get(lock.gc()).unwrap().has_gap());
    assert_eq!(snapshot.get(lock.gc()).unwrap().edges().count(), 0);
    drop(guard);
}

#[test]
fn a_long_list_takes_no_stack() {
    struct Link(Option<Gc<Link>>);
    impl Trace for Link {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            self.0.trace(tracer);
        }
    }
    // Ten million objects take too long without optimisation; `crates/inspect/examples/costs.rs` has that
    // size.
    const LEN: usize = 300_000;
    let mut heap = heap();
    let first = heap.alloc(Link(None));
    let mut head = first;
    for _ in 1..LEN {
        head = heap.alloc(Link(Some(head)));
    }
    let root = heap.root(head).unwrap();
    let path = heap.why_alive(first).unwrap();
    assert_eq!((path.len(), path.steps().next_back().unwrap().handle()), (LEN, first.erase()));
    let text = path.to_string();
    assert!(text.len() < 20_000 && text.contains(&format!("({} more)", LEN - 200)), "{}", text.len());
    let snapshot = heap.snapshot();
    assert_eq!(snapshot.get(root.gc()).unwrap().retained_len(), LEN);
    assert_eq!(snapshot.get(first).unwrap().distance(), Some(LEN - 1));
}

#[test]
fn assert_collected_says_who_holds_it() {
    let mut heap = heap();
    let mob_gc = heap.alloc(mob("wolf"));
    let bus = heap.alloc_root(EventBus { listeners: vec![mob_gc] }).named("bus");
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| heap.assert_collected(mob_gc)));
    let text = *panic.unwrap_err().downcast::<String>().unwrap();
    assert!(
        text.contains("Mob") && text.contains(".listeners[0]") && text.contains("root \"bus\""),
        "{text}"
    );
    heap[&bus].listeners.clear();
    heap.assert_collected(mob_gc);
    heap.assert_collected(Weak::<Mob>::dangling());
    let held = heap.alloc(mob("held"));
    heap.assert_collected_with(held, &());
}
