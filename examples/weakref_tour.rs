//! The tutorial of Python's `weakref`: the same bears, and the same lines on standard output.
//!
//! ```text
//! cargo run --example weakref_tour
//! ```
//!
//! Every line is compared with the one that Python's program prints. Where Python shows the address of an
//! object, this shows the handle's text; where Python ends with a `ReferenceError`, this has `slotgc::Dead`.
//!
//! Two things are different throughout. Python's `del name` is two steps: the `Root` is dropped, which means
//! that this user no longer needs the bear, and a collection finds that nobody else does. Until the program
//! requests a collection, nothing dies. And a bear is reached through its heap: `heap[&bear]`,
//! `heap.get(bear)`.

use std::fmt::{self, Display};

use slotgc::{Heap, Trace, Weak, WeakKeyMap, WeakValueMap};

#[derive(Trace)]
struct Bear {
    name: &'static str,
}

impl Bear {
    const fn new(name: &'static str) -> Self {
        Self { name }
    }

    fn introduction(&self) -> String {
        format!("My name is {}", self.name)
    }
}

impl Display for Bear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bear({})", self.name)
    }
}

/// Prints a line, which must be the one that Python prints here.
#[track_caller]
fn print(line: impl Display, python: &str) {
    let line = line.to_string();
    assert_eq!(line, python);
    println!("{line}");
}

/// What Python prints for `reference()`: the bear, or `None`.
fn call(heap: &Heap, reference: Weak<Bear>) -> String {
    heap.get(reference).map_or_else(|| "None".to_string(), Bear::to_string)
}

/// Bears one after the other, as `print(*bears, sep=', ')` prints them.
fn list(heap: &Heap, bears: impl Iterator<Item = Weak<Bear>>) -> String {
    // Python's dictionaries are in the order of insertion, weak maps in the order of hashes (the same one in
    // every run). Handles are ordered by slot, and in a fresh heap bears get their slots one after the other.
    let mut bears: Vec<_> = bears.collect();
    bears.sort();
    bears.into_iter().map(|bear| call(heap, bear)).collect::<Vec<_>>().join(", ")
}

/// Two names for one bear: it lives until both are gone.
fn a_strong_reference() {
    let mut heap = Heap::new();
    let bear1 = heap.alloc_root(Bear::new("Teddy"));
    let bear2 = bear1.clone();
    print(&heap[&bear2], "Bear(Teddy)");

    drop(bear1);
    assert_eq!(heap.collect().freed, 0);
    print(&heap[&bear2], "Bear(Teddy)");

    drop(bear2); // Python does this when the program ends
    assert_eq!(heap.collect().freed, 1);
}

/// A weak handle keeps nothing alive. Making one registers nothing: it is the root's number, copied.
fn a_weak_reference() {
    let mut heap = Heap::new();
    let bear1 = heap.alloc_root(Bear::new("Teddy"));
    let bear2 = bear1.downgrade();
    print(call(&heap, bear2), "Bear(Teddy)");

    drop(bear1);
    assert!(heap.is_alive(bear2), "not even without a root does a bear die by itself");
    heap.collect();
    print(call(&heap, bear2), "None");
}

/// The handle itself is not a bear. Its text names the type and the slot, where Python's has two addresses.
fn the_reference_itself() {
    let mut heap = Heap::new();
    let bear1 = heap.alloc_root(Bear::new("Teddy"));
    let bear2 = bear1.downgrade();
    let text = format!("{bear2:?}");
    print(&text, &format!("Weak<Bear>({bear2})")); // <weakref at 0x7f456010a1b0; to 'Bear' at 0x7f456011d8d0>

    drop(bear1);
    heap.collect();
    assert_eq!(format!("{bear2:?}"), text, "a dead handle keeps its text, as it keeps its hash");
}

/// Python calls the reference to get the bear; here the heap returns it.
fn calling_the_reference() {
    let mut heap = Heap::new();
    let bear1 = heap.alloc_root(Bear::new("Teddy"));
    let bear2 = bear1.downgrade();
    print(call(&heap, bear2), "Bear(Teddy)");

    // To keep what was found takes a root, as it takes a name in Python.
    let kept = heap.root(bear2).expect("`bear1` keeps it alive");
    drop(bear1);
    heap.collect();
    assert_eq!(heap[&kept].name, "Teddy");
}

/// The callback runs at the end of the collection that found the bear dead, with the heap to work on. It
/// belongs to the bear and not to a handle: there may be many handles, and all of them may be gone when it
/// runs.
fn a_callback() {
    let mut heap = Heap::new();
    let bear1 = heap.alloc_root(Bear::new("Teddy"));
    let bear2 = bear1.downgrade();
    let callback = |heap: &mut Heap, reference: Weak<Bear>| {
        assert!(!heap.is_alive(reference), "a callback cannot undo the death");
        print("The object has been deleted", "The object has been deleted");
    };
    heap.on_death(bear2, callback).expect("`bear1` keeps it alive");
    print(call(&heap, bear2), "Bear(Teddy)");

    drop(bear1);
    assert_eq!(heap.collect().notified, 1);
    assert_eq!(heap.collect().notified, 0, "it ran once and for all");
}

/// Any handle is its own proxy: `heap[bear]` is the bear, and panics with the text of `Dead` when it is gone;
/// `try_get` returns `Dead` as an error.
fn a_proxy() {
    let mut heap = Heap::new();
    let t1 = heap.alloc_root(Bear::new("Teddy"));
    print(&heap[&t1], "Bear(Teddy)");
    let proxy = t1.downgrade();
    print(heap[proxy].introduction(), "My name is Teddy");

    drop(t1);
    heap.collect();
    let dead = heap.try_get(proxy).map(Bear::introduction).expect_err("the bear is gone");
    print(dead, &format!("weakly-referenced object no longer exists: Bear({proxy})"));
}

/// A `WeakValueDictionary` of bears. The map is itself an object, with a root; collections that reach it
/// remove the entries of dead bears.
fn weak_values() {
    let mut heap = Heap::new();
    let [b1, b2, b3, b4, b5] =
        ["Teddy", "Mike", "Joe", "Jim", "Ben"].map(|name| heap.alloc_root(Bear::new(name)));
    let entries = [("teddy", &b1), ("mike", &b2), ("joe", &b3), ("jim", &b4), ("ben", &b5)];
    let d = heap.alloc_root(WeakValueMap::<&str, Bear>::from_iter(entries));

    print("Before: ", "Before: ");
    print(list(&heap, heap[&d].values()), "Bear(Teddy), Bear(Mike), Bear(Joe), Bear(Jim), Bear(Ben)");

    drop((b1, b3, b5));
    assert_eq!(heap.collect().pruned, 3);
    print("After: ", "After: ");
    print(list(&heap, heap[&d].values()), "Bear(Mike), Bear(Jim)");
    assert_eq!((heap[&d].len(), heap[&d].get("joe"), heap[&d].get("jim")), (2, None, Some(b4.downgrade())));
}

/// A `WeakKeyDictionary` of bears. A bear is its own key, whatever its name: `Bear` needs no `Eq` and no
/// `Hash`. A value that refers to its key would not keep it alive, as it does in Python.
fn weak_keys() {
    let mut heap = Heap::new();
    let [key1, key2, key3, key4, key5] =
        ["Teddy", "Mike", "Joe", "Jim", "Ben"].map(|name| heap.alloc_root(Bear::new(name)));
    let entries = [(&key1, "teddy"), (&key2, "mike"), (&key3, "joe"), (&key4, "jim"), (&key5, "ben")];
    let d = heap.alloc_root(WeakKeyMap::<Bear, &str>::from_iter(entries));

    print("Before: ", "Before: ");
    print(list(&heap, heap[&d].keys()), "Bear(Teddy), Bear(Mike), Bear(Joe), Bear(Jim), Bear(Ben)");

    drop((key1, key2, key3));
    assert_eq!(heap.collect().pruned, 3);
    print("After: ", "After: ");
    print(list(&heap, heap[&d].keys()), "Bear(Jim), Bear(Ben)");
    assert_eq!((heap[&d].len(), heap[&d].get(&key4)), (2, Some(&"jim")));
}

fn main() {
    let sections: [(&str, fn()); 8] = [
        ("A strong reference", a_strong_reference),
        ("A weak reference", a_weak_reference),
        ("The reference itself", the_reference_itself),
        ("Calling the reference", calling_the_reference),
        ("A callback", a_callback),
        ("A proxy", a_proxy),
        ("A dictionary with weak values", weak_values),
        ("A dictionary with weak keys", weak_keys),
    ];
    for (title, tell) in sections {
        // Not on the standard output, which has Python's lines and no others.
        eprintln!("\n{title}");
        tell();
    }
}
