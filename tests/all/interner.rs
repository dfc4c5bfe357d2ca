//! `Interner`: equal values share one object.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};

use slotgc::{Gc, Heap, HeapConfig, Interner, Root};

use crate::objects::{Log, Noisy, panic_text, traced};

const GONE: &str = "weakly-referenced object no longer exists: Interner<";

fn names(heap: &mut Heap) -> Root<Interner<String>> {
    heap.alloc_root(Interner::new())
}

#[test]
fn equal_values_share_one_object() {
    // weak-cases 63
    let mut heap = Heap::new();
    let names = names(&mut heap);
    let teddy = heap.intern(&names, "Teddy".to_string());
    let mike = heap.intern(&names, "Mike".to_string());
    assert_eq!(heap.intern(&names, "Teddy".to_string()), teddy);
    assert_ne!(teddy, mike);
    assert_eq!((heap[&names].len(), heap.len_of::<String>()), (2, 2));
    assert_eq!((heap.interned(&names, "Mike"), heap.interned(&names, "Anna")), (Some(mike), None));
    let root = heap.root(teddy).unwrap();
    let stats = heap.collect();
    assert_eq!((stats.freed, stats.pruned, heap[&names].len()), (1, 1, 1));
    assert_eq!(heap[&names].iter().collect::<Vec<_>>(), [root.downgrade()]);
    assert_eq!(heap.interned(&names, "Mike"), None);
    assert_ne!(heap.intern(&names, "Mike".to_string()), mike);
}

/// A number and the rest of a list, as in a language whose lists are shared.
#[derive(PartialEq, Eq, Hash)]
struct Cons(u32, Option<Gc<Cons>>);

traced!(Cons { 1 });

fn list(heap: &mut Heap, table: &Root<Interner<Cons>>, len: u32) -> Gc<Cons> {
    let mut list = heap.intern(table, Cons(0, None));
    for number in 1..len {
        list = heap.intern(table, Cons(number, Some(list)));
    }
    list
}

#[test]
fn nested_interned_values_die_in_one_collection() {
    // weak-cases 64
    let mut heap = Heap::new();
    let table = heap.alloc_root(Interner::new());
    let outermost = list(&mut heap, &table, 1000);
    let root = heap.root(outermost).unwrap();
    assert_eq!(list(&mut heap, &table, 1000), outermost);
    assert_eq!((heap.collect().pruned, heap[&table].len()), (0, 1000));
    drop(root);
    let stats = heap.collect();
    assert_eq!((stats.pruned, stats.freed, heap[&table].len()), (1000, 1000, 0));
}

/// Its comparisons are counted.
#[derive(Debug)]
struct Careful(u32, #[expect(dead_code, reason = "dropped with the value")] Noisy);

static COMPARED: AtomicUsize = AtomicUsize::new(0);

traced!(Careful {});

impl PartialEq for Careful {
    fn eq(&self, other: &Self) -> bool {
        COMPARED.fetch_add(1, Ordering::Relaxed);
        self.0 == other.0
    }
}

impl Eq for Careful {}

impl Hash for Careful {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Borrow<u32> for Careful {
    fn borrow(&self) -> &u32 {
        &self.0
    }
}

#[test]
fn a_value_that_is_there_already_is_dropped_at_once_and_a_collection_compares_nothing() {
    let log = Log::default();
    let mut heap = Heap::new();
    let table = heap.alloc_root(Interner::new());
    for number in 0..100 {
        heap.intern(&table, Careful(number, Noisy::new(number, &log)));
    }
    let first = heap.intern(&table, Careful(7, Noisy::new(1000, &log)));
    assert_eq!((log.take(), heap[first].0), (vec![1000], 7));
    assert_eq!(heap.try_intern(&table, Careful(7, Noisy::new(1001, &log))).unwrap(), first);
    assert_eq!(log.take(), [1001]);
    let root = heap.root(first).unwrap();
    let compared = COMPARED.load(Ordering::Relaxed);
    assert_eq!(heap.collect().pruned, 99);
    assert_eq!((COMPARED.load(Ordering::Relaxed), log.take().len()), (compared, 99));
    assert_eq!(heap.interned(&table, &7), Some(root.gc()));
}

#[test]
fn nothing_is_allocated_on_a_hit() {
    let mut heap = Heap::new();
    let names = names(&mut heap);
    let made = heap.intern_with(&names, "Teddy", |name| {
        assert_eq!(name, "Teddy");
        name.to_string()
    });
    let allocated = heap.allocated();
    assert_eq!(heap.intern_with(&names, "Teddy", |_| unreachable!("it is interned already")), made);
    assert_eq!((heap.interned(&names, "Teddy"), heap.allocated()), (Some(made), allocated));
}

#[test]
fn a_value_other_than_the_requested_one_is_filed_under_its_own_hash() {
    let mut heap = Heap::new();
    let names = names(&mut heap);
    let other = heap.intern_with(&names, "Teddy", |_| "Mike".to_string());
    assert_eq!((heap[other].as_str(), heap[&names].len()), ("Mike", 1));
    assert_eq!((heap.interned(&names, "Mike"), heap.interned(&names, "Teddy")), (Some(other), None));
    // A made value that is equal to one in the table resolves to that one.
    assert_eq!(heap.intern_with(&names, "Anna", |_| "Mike".to_string()), other);
    assert_eq!((heap[&names].len(), heap.len_of::<String>()), (1, 1));
}

#[test]
fn a_make_that_panics_leaves_the_table_as_it_was() {
    let mut heap = Heap::new();
    let names = names(&mut heap);
    let text = panic_text(|| heap.intern_with(&names, "Teddy", |_| panic!("no honey")));
    assert_eq!((text.as_str(), heap[&names].len(), heap.len()), ("no honey", 0, 1));
    heap.intern_with(&names, "Teddy", str::to_string);
    assert_eq!(heap[&names].len(), 1);
}

#[test]
fn a_destroyed_value_is_not_found_and_is_made_again() {
    let mut heap = Heap::new();
    let names = names(&mut heap);
    let old = heap.intern(&names, "Teddy".to_string());
    heap.destroy(old);
    assert_eq!(heap.interned(&names, "Teddy"), None);
    let new = heap.intern(&names, "Teddy".to_string());
    assert_ne!(old, new);
    assert_eq!(heap.intern(&names, "Teddy".to_string()), new);
    let _root = heap.root(new);
    // The next collection removes the old entry; the new one stays.
    assert_eq!((heap.collect().pruned, heap[&names].len()), (1, 1));
    assert_eq!(heap.interned(&names, "Teddy"), Some(new));
}

#[test]
fn a_dead_table_panics_with_the_message_of_dead() {
    let mut heap = Heap::new();
    let names = heap.alloc(Interner::<String>::new());
    heap.collect();
    let texts = [
        panic_text(|| heap.intern(names, "x".to_string())),
        panic_text(|| heap.try_intern(names, "x".to_string())),
        panic_text(|| heap.intern_with(names, "x", |_| unreachable!())),
        panic_text(|| heap.interned(names.downgrade(), "x")),
    ];
    for text in texts {
        assert!(
            text.starts_with(GONE) && text.contains(&format!("({names})")) && !text.contains("(it was"),
            "{text}"
        );
    }
    assert!(heap.is_empty());
}

#[test]
fn a_limit_returns_the_value_unless_it_is_interned_already() {
    let mut heap = Heap::with_config(HeapConfig::default().max_objects(2));
    let names = names(&mut heap);
    let teddy = heap.intern(&names, "Teddy".to_string());
    let refused = heap.try_intern(&names, "Mike".to_string()).unwrap_err();
    assert_eq!(refused.to_string(), "cannot allocate String: max_objects of 2 objects reached");
    assert_eq!((refused.into_inner().as_str(), heap[&names].len()), ("Mike", 1));
    assert_eq!(heap.try_intern(&names, "Teddy".to_string()).unwrap(), teddy);
    let text = panic_text(|| heap.intern(&names, "Mike".to_string()));
    assert_eq!(text, "slotgc: cannot allocate String: max_objects of 2 objects reached");
    heap.collect();
    assert!(heap.try_intern(&names, "Mike".to_string()).is_ok());
}

/// Hashes everything to the same value.
#[derive(Clone, Default)]
struct Worst;

impl BuildHasher for Worst {
    type Hasher = Same;

    fn build_hasher(&self) -> Same {
        Same
    }
}

struct Same;

impl Hasher for Same {
    fn write(&mut self, _: &[u8]) {}

    fn finish(&self) -> u64 {
        0
    }
}

fn shares<S: BuildHasher + Send + Sync + 'static>(table: Interner<String, S>) {
    let mut heap = Heap::new();
    let table = heap.alloc_root(table);
    let roots: Vec<_> = (0..200)
        .map(|n| {
            let gc = heap.intern(&table, n.to_string());
            heap.root(gc).unwrap()
        })
        .collect();
    for (n, root) in roots.iter().enumerate() {
        let text = n.to_string();
        assert_eq!(heap.interned(&table, text.as_str()), Some(root.gc()));
        assert_eq!(heap.intern_with(&table, text.as_str(), |_| unreachable!()), root.gc());
        assert_eq!(heap.intern(&table, text), root.gc());
    }
    let kept: Vec<_> = roots.iter().step_by(2).cloned().collect();
    drop(roots);
    assert_eq!((heap.collect().pruned, heap[&table].len()), (100, 100));
    assert!(kept.iter().all(|root| heap.interned(&table, &heap[root]) == Some(root.gc())));
}

#[test]
fn the_hasher_is_the_users_choice() {
    shares(Interner::new());
    shares(Interner::with_hasher(RandomState::new()));
    shares(Interner::<_, RandomState>::default());
    shares(Interner::with_hasher(Worst));
    let table = Interner::<u32, _>::with_hasher(Worst);
    let _: &Worst = table.hasher();
}

#[test]
fn a_table_that_lost_nearly_all_entries_releases_memory_at_the_next_insertion() {
    // weak-cases 46
    let mut heap = Heap::new();
    let table = heap.alloc_root(Interner::new());
    for n in 0..20_000_u64 {
        heap.intern(&table, n);
    }
    heap.collect();
    let one = heap.intern(&table, 1);
    assert!(heap[&table].capacity() <= 16, "{} places", heap[&table].capacity());
    assert_eq!((heap.interned(&table, &1), heap[&table].len()), (Some(one), 1));
}

#[test]
fn a_clone_is_a_table_of_its_own_and_outside_of_the_heap_it_is_pruned_by_hand() {
    let mut heap = Heap::new();
    let names = names(&mut heap);
    let (teddy, mike) = (heap.intern(&names, "Teddy".to_string()), heap.intern(&names, "Mike".to_string()));
    let mut copy = heap[&names].clone();
    heap.intern(&names, "Anna".to_string());
    assert_eq!((copy.len(), heap[&names].len()), (2, 3));
    let root = heap.root(teddy).unwrap();
    heap.collect();
    assert!(!heap.is_alive(mike));
    assert_eq!((copy.len(), heap[&names].len()), (2, 1));
    copy.prune_dead(&heap);
    assert_eq!(copy.iter().collect::<Vec<_>>(), [root.downgrade()]);
    assert_eq!(format!("{copy:?}"), format!("{{{:?}}}", root.downgrade()));
    assert!(!copy.is_empty() && Interner::<u32>::default().is_empty());
}

#[test]
fn a_table_in_a_field_is_pruned_too() {
    struct Lexer {
        words: Interner<String>,
        first: Option<Gc<String>>,
    }
    traced!(Lexer { words, first });
    let mut heap = Heap::new();
    let table = Interner::new();
    let lexer = heap.alloc_root(Lexer { words: table, first: None });
    // A table in a field has no handle of its own: it is filled in a slot and then moved.
    let table = heap.alloc(Interner::new());
    let (let_, fn_) = (heap.intern(table, "let".to_string()), heap.intern(table, "fn".to_string()));
    heap[&lexer].words = heap.destroy(table).unwrap();
    heap[&lexer].first = Some(let_);
    assert_eq!(heap.collect().pruned, 1);
    assert!(heap.is_alive(let_) && !heap.is_alive(fn_));
    assert_eq!(heap[&lexer].words.iter().collect::<Vec<_>>(), [let_.downgrade()]);
}
