use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use slotgc_derive::Trace;

use crate::geometry::Granule;
use crate::handle::Generation;
use crate::trace::{TraceDyn, Untraced};
use crate::weak::{WeakKeyMap, WeakSet, WeakValueMap};

use super::*;

/// Records what is reported.
#[derive(Default)]
struct Log {
    path: Vec<String>,
    keys: Vec<RawHandle>,
    heard: Vec<String>,
}

impl Log {
    fn note(&mut self, what: &str, target: RawHandle) {
        let keys: String = self.keys.iter().map(|key| format!(" if {key}")).collect();
        self.heard.push(format!("{}{what} {target}{keys}", self.path.concat()));
    }
}

impl Sink for Log {
    fn enter(&mut self, place: Place<'_>) {
        self.path.push(match place {
            Place::Field(name) => format!(".{name}"),
            Place::Item(index) => format!("[{index}]"),
            Place::Entry(key) => format!("[{key}]"),
        });
    }

    fn leave(&mut self) {
        self.path.pop().expect("as often as `enter`");
    }

    fn edge(&mut self, target: RawHandle, of: Tag) {
        self.note(if of != Tag::NONE { " ->" } else { " -> any" }, target);
    }

    fn weak(&mut self, target: RawHandle, _: Tag) {
        self.note(" ~>", target);
    }

    fn enter_ephemeron(&mut self, key: RawHandle, _: Tag) {
        self.keys.push(key);
    }

    fn leave_ephemeron(&mut self) {
        self.keys.pop().expect("as often as `enter_ephemeron`");
    }

    fn label(&mut self, text: &dyn fmt::Display) {
        assert!(self.path.is_empty());
        self.heard.push(format!("is {text}"));
    }

    fn gap(&mut self) {
        self.heard.push(format!("{} ?", self.path.concat()));
    }
}

fn heard<T: Trace>(value: &T) -> Vec<String> {
    let mut log = Log::default();
    value.inspect(&mut Inspector::new(&mut log));
    assert!(log.path.is_empty() && log.keys.is_empty());
    log.heard
}

/// A handle that shows as this number and `v1`.
fn gc<T>(number: u32) -> Gc<T> {
    let granule = Granule::of_slot::<T>(number, 0);
    Gc::from_raw(RawHandle::new(granule, Generation(1)))
}

#[derive(Trace)]
struct Mob {
    #[trace(label)]
    name: String,
    loot: Vec<Option<Gc<Mob>>>,
    health: u32,
    goal: Goal,
    #[trace(skip)]
    #[expect(dead_code, reason = "it is skipped")]
    r#type: Gc<Mob>,
}

#[derive(Trace)]
enum Goal {
    Sleep,
    Guard { r#where: Gc<Mob>, with: Weak<Mob> },
    Follow(u8, Box<Gc<Mob>>),
    Named(#[trace(label)] &'static str),
}

const _: () = assert!(Mob::HOLDS_HANDLES && Mob::OWNS && Mob::NEEDS_TRACE);

#[test]
fn derived_code_names_fields_variants_items_and_the_label() {
    let mob = |goal| Mob {
        name: "wolf".to_string(),
        loot: vec![Some(gc(1)), None, Some(gc(2))],
        health: 3,
        goal,
        r#type: gc(9),
    };
    let loot = |handle: u32| RawHandle::new(Granule::of_slot::<Mob>(handle, 0), Generation(1));
    let (one, two, three) = (loot(1), loot(2), loot(3));
    let guard = mob(Goal::Guard { r#where: gc(3), with: gc(2).downgrade() });
    assert_eq!(
        heard(&guard),
        [
            "is wolf".to_string(),
            format!(".loot[0] -> {one}"),
            format!(".loot[2] -> {two}"),
            format!(".goal.Guard.where -> {three}"),
            format!(".goal.Guard.with ~> {two}"),
        ]
    );
    assert_eq!(heard(&Goal::Follow(1, Box::new(gc(3)))), [format!(".Follow.1 -> {three}")]);
    assert_eq!(heard(&Goal::Named("Teddy")), ["is Teddy"]);
    assert_eq!(heard(&mob(Goal::Named("Teddy"))).len(), 3, "the label of a part is none of the object's");
    assert_eq!(heard(&Goal::Sleep), [""; 0]);
}

#[test]
fn keys_are_shown_by_their_label_as_a_handle_or_by_position() {
    #[derive(Trace, PartialEq, Eq, PartialOrd, Ord)]
    struct Slot(#[trace(label)] u8, u8);

    #[derive(Trace, PartialEq, Eq, PartialOrd, Ord)]
    enum Silent {
        One,
    }

    let target = gc::<u32>(1);
    let to = target.erase();
    let map = |key: &str| [format!("[{key}] -> {to}")];
    assert_eq!(heard(&BTreeMap::from([("a \"sheep\"", target)])), map(r#""a \"sheep\"""#));
    assert_eq!(heard(&BTreeMap::from([("x".to_string(), target)])), map(r#""x""#));
    assert_eq!(heard(&BTreeMap::from([(-3_i8, target)])), map("-3"));
    assert_eq!(heard(&BTreeMap::from([((1_u8, "y"), target)])), map(r#"1, "y""#));
    assert_eq!(heard(&BTreeMap::from([(Slot(7, 8), target)])), map("7"));
    assert_eq!(heard(&BTreeMap::from([(Silent::One, target)])), map("0"));
    assert_eq!(heard(&BTreeMap::from([(Untraced(5), target)])), map("0"));
    let long = heard(&BTreeMap::from([("n".repeat(1000), target)]));
    assert!(long[0].len() < 100 && long[0].contains('…'), "{long:?}");

    let key = gc::<Slot>(2);
    let both = [format!("[Slot {key}] -> {key}"), format!("[Slot {key}] -> {to}")];
    assert_eq!(heard(&BTreeMap::from([(key, target)])), both);
    let weak = [format!("[Slot {key}] ~> {key}")];
    assert_eq!(heard(&BTreeMap::from([(key.downgrade(), 1)])), weak);
    assert_eq!(heard(&BTreeSet::from([key])), [format!("[0] -> {key}")]);
    assert_eq!(heard(&BTreeMap::from([(1, 2)])), [""; 0]);
}

#[test]
fn weak_collections_show_their_entries() {
    let (key, value) = (gc::<u8>(1), gc::<u8>(2));
    let values = WeakValueMap::<_, u8>::from_iter([("a", key)]);
    assert_eq!(heard(&values), [format!("[\"a\"] ~> {key}")]);
    let keys = WeakKeyMap::from_iter([(key, vec![value])]);
    assert_eq!(heard(&keys), [format!("[u8 {key}][0] -> {value} if {key}")]);
    let set = WeakSet::from_iter([key]);
    assert_eq!(heard(&set), [format!("[0] ~> {key}")]);
}

/// Without `inspect`.
struct ByHand(Gc<u32>, WeakKeyMap<u32, WeakKeyMap<u32, Gc<u32>>>, AnyGc);

impl Trace for ByHand {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.edge(self.0);
        self.1.trace(tracer);
        tracer.edge_any(self.2);
        tracer.weak_collection();
    }
}

#[test]
fn what_has_no_inspect_reports_its_edges_without_names() {
    let (one, two, three) = (gc::<u32>(1), gc(2), gc(3));
    let map = WeakKeyMap::from_iter([(two, WeakKeyMap::from_iter([(three, one)]))]);
    let by_hand = ByHand(one, map, gc::<u8>(4).erase());
    let any = by_hand.2;
    assert_eq!(
        heard(&by_hand),
        [format!(" -> {one}"), format!(" -> {one} if {two} if {three}"), format!(" -> any {any}"),]
    );
    assert_eq!(heard(&vec![by_hand])[0], format!("[0] -> {one}"));
}

#[test]
fn trait_objects_are_inspected() {
    let boxed: Box<dyn TraceDyn> = Box::new(vec![gc::<u8>(1)]);
    assert_eq!(heard(&boxed), [format!("[0] -> {}", gc::<u8>(1))]);
    assert_eq!(boxed.owned_bytes(), size_of::<Vec<u8>>() + 8);
}

#[cfg(feature = "std")]
#[test]
fn a_held_lock_is_a_gap_and_a_poisoned_one_is_looked_into() {
    use std::sync::{Arc, Mutex, RwLock};

    let lock = Mutex::new(Some(gc::<u8>(1)));
    let edge = [format!(" -> {}", gc::<u8>(1))];
    assert_eq!(heard(&lock), edge);
    let guard = lock.lock();
    assert_eq!(heard(&lock), [" ?"]);
    let mut watcher = Watcher::new();
    watcher.watch(|tracer| lock.trace(tracer));
    assert_eq!(watcher.take().collect::<Vec<_>>(), [Recorded::Gap]);
    drop(guard);

    let lock = Arc::new(RwLock::new(gc::<u8>(1)));
    let writer = Arc::clone(&lock);
    let panicked = std::thread::spawn(move || {
        let _guard = writer.write();
        panic!("poisons the lock");
    });
    assert!(panicked.join().is_err());
    assert_eq!(heard(&*lock), edge);
}
