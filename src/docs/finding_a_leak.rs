//! Finding a leak: who still holds this?
//!
//! A collector frees what nothing reaches. What leaks in a program with one is reached by mistake: an event bus keeps a
//! listener, a cache a texture, a script a dialog that was closed long ago. The question is always the same, *who still
//! holds this?*, and [`Heap::why_alive`] answers it. The example `level_leak` is this page as a program:
//! `cargo run --example level_leak`.
//!
//! # 1. Take a snapshot before and after
//! Do the suspicious thing once, so that what is made once is there. Take a [`snapshot`](crate::Heap::snapshot), do it again some
//! times, take another one. What is new and should not be is the leak: [`Snapshot::since`] lists it by type.
//! ```
//! use slotgc::{Gc, Heap, Root, Trace};
//!
//! #[derive(Trace, Default)]
//! struct EventBus { listeners: Vec<Gc<Mob>> }
//! #[derive(Trace)]
//! struct Mob { #[trace(label)] name: String }
//! #[derive(Trace)]
//! struct Level { mobs: Vec<Gc<Mob>> }
//!
//! fn play(heap: &mut Heap, bus: &Root<EventBus>) {
//!     let boss = heap.alloc(Mob { name: "boss".into() });
//!     let level = heap.alloc_root(Level { mobs: vec![boss] });
//!     heap[bus].listeners.push(boss); // nobody takes it out again
//!     drop(level);
//!     heap.collect();
//! }
//!
//! let mut heap = Heap::new();
//! let bus = heap.alloc_root(EventBus::default()).named("event_bus");
//! play(&mut heap, &bus);
//! let before = heap.snapshot();
//! for _ in 0..50 {
//!     play(&mut heap, &bus);
//! }
//! let growth = heap.snapshot().since(&before);
//! println!("{growth}"); // a table: type, new, gone, survived, bytes
//! let row = growth.get("Mob").unwrap();
//! assert_eq!((row.new, row.gone), (50, 0));
//! assert!(growth.get("Level").is_none());
//!
//! // 2. Ask for one of the new objects.
//! let suspect: Gc<Mob> = growth.new_of("Mob").find_map(|any| heap.downcast(any)).unwrap();
//! let path = heap.why_alive(suspect).unwrap();
//! println!("{path:#}");
//! assert_eq!(path.root_name(), Some("event_bus"));
//! assert_eq!(path.steps().last().unwrap().edge(), Some("listeners[1]"));
//! ```
//!
//! # 2. Ask for one of the new objects
//! [`Heap::why_alive`] gives a shortest chain of strong edges, with the names of fields:
//! ```text
//! root "event_bus" (src/game.rs:41)
//!   -> EventBus 0v1
//!   .listeners[1] -> Mob 16386v1 "boss"
//! ```
//! Names come from `#[derive(Trace)]`, labels from `#[trace(label)]`, the place where a [`Root`] was made from
//! [`HeapConfig::root_origins`] (on in builds with debug assertions), its name from [`Root::named`]. Handles kept outside of
//! the heap are shown as well: give the source to [`Heap::why_alive_with`], and a name with
//! [`named_roots`](crate::inspect::named_roots).
//!
//! One path may not be all: [`Snapshot::paths_to`] gives several, no two through the same last edge. After the mend of one,
//! ask again.
//!
//! # 3. Look at what it keeps alive
//! In a [`Snapshot`] every object knows what would be gone without it: [`retained_bytes`](crate::inspect::Node::retained_bytes)
//! and [`dominator`](crate::inspect::Node::dominator). A [`census`](crate::inspect::Snapshot::census) adds it up by type.
//!
//! To look around, [`write_heapsnapshot`](crate::inspect::Snapshot::write_heapsnapshot) writes a file that Chrome opens: DevTools, tab
//! *Memory*, *Load profile*. Load two of them and choose *Comparison*; objects have the same id in both. The command
//! `cargo run -p slotgc-inspect -- FILE` in this crate's repository answers from the same files, or from those of Node.
//!
//! # 4. Mend it, and keep it mended
//! A listener list holds its listeners weakly: [`Weak`], a [`WeakSet`], or a [`WeakKeyMap`] where something belongs to the
//! listener. Then put the question into a test. [`Heap::assert_collected`] collects and panics with the path if the object
//! is still alive:
//! ```
//! use slotgc::{Gc, Heap, Trace, Weak};
//!
//! #[derive(Trace, Default)]
//! struct EventBus { listeners: Vec<Weak<Mob>> }
//! #[derive(Trace)]
//! struct Mob { name: String }
//!
//! let mut heap = Heap::new();
//! let bus = heap.alloc_root(EventBus::default()).named("event_bus");
//! let boss = heap.alloc(Mob { name: "boss".into() });
//! heap[&bus].listeners.push(boss.downgrade());
//! heap.assert_collected(boss);
//! ```
//!
//! # What it costs
//! Nothing while it is not called. `why_alive` walks the whole heap, about as long as four collections; a snapshot takes
//! some six to ten, and 40 to 100 bytes an object. Both only look: they work in the middle of a cycle, inside callbacks,
//! and beside readers on other threads, and change nothing.
//!
//! [`Heap::assert_collected`]: crate::Heap::assert_collected
//! [`Heap::snapshot`]: crate::Heap::snapshot
//! [`Heap::why_alive`]: crate::Heap::why_alive
//! [`Heap::why_alive_with`]: crate::Heap::why_alive_with
//! [`HeapConfig::root_origins`]: crate::HeapConfig::root_origins
//! [`Root`]: crate::Root
//! [`Root::named`]: crate::Root::named
//! [`Weak`]: crate::Weak
//! [`WeakKeyMap`]: crate::WeakKeyMap
//! [`WeakSet`]: crate::WeakSet
//! [`Snapshot`]: crate::inspect::Snapshot
//! [`Snapshot::paths_to`]: crate::inspect::Snapshot::paths_to
//! [`Snapshot::since`]: crate::inspect::Snapshot::since
