//! What the types of the crate show of themselves with `{:?}`, and errors with `{}`.

use std::sync::{Mutex, PoisonError};

use slotgc::{Gc, Heap, HeapConfig, Links, Liveness, Schema, Trace, Tracer, WeakValueMap};

/// Writes down how that which it is traced, pruned, inspected or relinked by shows itself.
#[derive(Clone)]
struct Scribe(Gc<Scribe>);

static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn write(what: impl std::fmt::Debug) {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{what:?}"));
}

impl Trace for Scribe {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        write(&*tracer);
        tracer.edge(self.0);
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        write(live);
    }

    #[cfg(feature = "inspect")]
    fn inspect(&self, inspector: &mut slotgc::Inspector<'_>) {
        write(inspector);
    }

    fn relink(&mut self, links: &mut Links<'_>) {
        write(&*links);
        links.gc(&mut self.0);
    }
}

#[test]
fn what_is_passed_to_user_code_shows_its_name() {
    let mut heap = Heap::new();
    let root = heap.alloc_root(Scribe(Gc::default()));
    heap.collect();
    let mut names = vec!["Tracer", "Links"];
    #[cfg(feature = "inspect")]
    {
        heap.snapshot();
        names.push("Inspector");
    }
    heap.clone_graph(&root, &Schema::new().with::<Scribe>("scribe")).unwrap();
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    for name in names {
        assert!(seen.iter().any(|text| text.starts_with(&format!("{name} {{"))), "{name}: {seen:?}");
    }
}

/// Writes down how the `Liveness` shows itself that its table is pruned by.
#[derive(Default)]
struct Pruned(slotgc::WeakSet<u32>, String);

impl Trace for Pruned {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.0.trace(tracer);
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        self.0.prune(live);
        self.1 = format!("{live:?}");
    }
}

#[test]
fn a_liveness_shows_how_much_was_pruned() {
    let mut heap = Heap::new();
    let dead = heap.alloc(7_u32);
    let root = heap.alloc_root(Pruned::default());
    heap[&root].0.insert(dead);
    heap.collect();
    assert!(heap[&root].1.starts_with("Liveness { pruned: "), "{}", heap[&root].1);
}

#[test]
fn entries_show_their_key_and_value() {
    let mut heap = Heap::new();
    let object = heap.alloc(1_u32);
    let mut map = WeakValueMap::<&str, u32>::new();
    assert_eq!(format!("{:?}", map.entry("wolf")), r#"Entry(VacantEntry("wolf"))"#);
    map.insert("wolf", object);
    let shown = format!("{:?}", map.entry("wolf"));
    assert!(shown.starts_with(r#"Entry(OccupiedEntry { key: "wolf", value: "#), "{shown}");
}

#[test]
fn a_checkpoint_shows_how_many_objects_it_keeps() {
    let mut heap = Heap::new();
    heap.alloc_many([1_u32, 2, 3]);
    let checkpoint = heap.checkpoint(&Schema::new().with::<u32>("number")).unwrap();
    assert_eq!(format!("{checkpoint:?}"), "Checkpoint { objects: 3, .. }");
}

#[test]
fn watches_show_their_number_which_is_never_another_ones() {
    let mut heap = Heap::new();
    let object = heap.alloc(1_u32);
    let [a, b] = std::array::from_fn(|_| format!("{:?}", heap.on_death(object, |_, _| {}).unwrap()));
    let number = |text: &str| text.strip_prefix("Watch(").unwrap().strip_suffix(')').unwrap().parse::<u64>();
    assert!(number(&a).unwrap() != number(&b).unwrap());
}

#[test]
fn many_objects_refused_say_after_how_many() {
    let mut heap = Heap::with_config(HeapConfig::default().max_objects(2));
    let refused = heap.try_alloc_many([1_u32, 2, 3]).unwrap_err();
    let text = refused.to_string();
    assert!(text.ends_with(", after 2 of them"), "{text}");
    assert_eq!(format!("{refused:?}"), format!("AllocManyError({text})"));
    assert_eq!(refused.made().iter().map(|gc| heap[*gc]).collect::<Vec<_>>(), [1, 2]);
}

#[cfg(feature = "std")]
#[test]
fn an_error_of_a_shutdown_shows_the_panic_and_what_was_not_called() {
    let mut heap = Heap::new();
    let object = heap.alloc(1_u32);
    heap.on_death(object, |_, _| panic!("oh no")).unwrap();
    let error = heap.shutdown().unwrap_err();
    assert_eq!((error.uncalled(), format!("{error:?}").as_str()), (0, r#"ShutdownError("oh no")"#));

    fn arm(heap: &mut Heap) {
        let next = heap.alloc(1_u32);
        heap.on_death(next, |heap, _| arm(heap)).unwrap();
    }
    let mut heap = Heap::new();
    arm(&mut heap);
    let error = heap.shutdown().unwrap_err();
    assert!(error.uncalled() > 0);
    assert_eq!(format!("{error:?}"), format!("ShutdownError({})", error.uncalled()));
    let text = error.to_string();
    assert!(text.ends_with(&format!(": {} were dropped uncalled", error.uncalled())), "{text}");
}

#[cfg(feature = "inspect")]
#[test]
fn a_handle_is_shown_the_same_with_and_without_a_question_mark() {
    let mut heap = Heap::new();
    let object = heap.alloc("wolf".to_string());
    let shown = heap.show(object);
    assert!(shown.to_string().contains("wolf"));
    assert_eq!(format!("{shown:?}"), shown.to_string());
}
