//! Pages to read: no code, and every example runs as a test.
//!
//! - [`coming_from_weakref`]: each name of Python's `weakref` module and what it is here.
//! - [`shapes`]: how programs are put together around a heap.
//! - [`questions`]: what users ask.
//! - [`finding_a_leak`]: who still holds an object, and how to put the question into a test.
//! - [`guarantees`]: what holds whatever a program does, and the tests that attack it.

/// Coming from Python's `weakref`: each of its names, what it is here, and what is different on purpose.
///
/// The example `weakref_tour` is a tutorial of that module told again, printing the same lines:
/// `cargo run --example weakref_tour`.
///
/// | Python | here | |
/// |---|---|---|
/// | a name, an attribute, an item (strong) | [`Root`], or a [`Gc`] in a field of a live object | a `Gc` in a local variable keeps nothing alive |
/// | `del name`, end of a scope | drop the `Root`, then [`Heap::collect`] | [`Heap::destroy`] kills at once |
/// | `ref(o)` | [`Weak`]: `root.downgrade()`, `gc.downgrade()` | 8 bytes, `Copy`; nobody keeps a list of them |
/// | `r()` | [`Heap::get`] to look, [`Heap::root`] to keep, [`Heap::upgrade`] to store | all three give `None` for the dead |
/// | `ref(o, callback)` | [`Heap::on_death`] | a registration of its own: it outlives every handle |
/// | the reference dies, hence no callback | [`Heap::cancel`], or a [`WatchGuard`] that is dropped | |
/// | `r.__callback__` | none | keep the [`Watch`] instead |
/// | subclass of `ref` | a struct with a `Weak` in it | |
/// | `ReferenceType` | the type [`Weak`] | |
/// | `proxy(o)` | `heap[weak]`, [`Heap::try_get`], [`Heap::try_get_mut`] | every handle can be used so |
/// | `proxy(o, callback)` | [`Heap::on_death`] | |
/// | `ProxyType`, `CallableProxyType`, `ProxyTypes` | none | there are no proxy objects; [`Handle`] is what all handles implement |
/// | `ReferenceError` | [`Dead`] | the text begins with Python's and names the type and the handle; indexing panics with it |
/// | `getweakrefcount(o)` | [`Heap::watch_count`] | counts who will be told of the death; handles cannot be counted |
/// | `getweakrefs(o)` | none | as above |
/// | `WeakValueDictionary` | [`WeakValueMap`] | a plain value: give it a slot, or a field of an object |
/// | `valuerefs()`, `itervaluerefs()` | [`WeakValueMap::values`] | values are always given as `Weak` |
/// | `setdefault(key, o)` | [`WeakValueMap::entry`], or [`Heap::get_or_alloc`] to make `o` only when it is missing | |
/// | `pop(key)`, `update`, `copy` | `remove`, `extend`, `clone` | of all three collections |
/// | `popitem()`, `WeakSet.pop()` | none | take one from `iter` and `remove` it, or `drain` all |
/// | `WeakKeyDictionary` | [`WeakKeyMap`] | keys by identity; values may refer to keys |
/// | `keyrefs()` | [`WeakKeyMap::keys`] | |
/// | `KeyedRef` | none | the maps find dead entries by themselves |
/// | `WeakSet` | [`WeakSet`] | elements by identity |
/// | `add`, `discard`, `remove` | `insert`, `remove` | `remove` says whether the element was there |
/// | `union`, `\|`, `\|=`, `issubset`, ... | `union`, `\|`, `\|=`, `is_subset`, ... | the operators take references |
/// | `WeakMethod(o.method)` | a `Weak` and a function | see [below](#weakmethod) |
/// | `finalize(o, f, *args)` | [`Heap::finalizer`], which gives a [`Finalizer`] | arguments are captured by the closure |
/// | `f()` | [`Finalizer::call`] | `Some(result)` once, then `None` |
/// | `f.detach()`, `f.peek()` | [`Finalizer::detach`], [`Finalizer::peek`] | give the target alone |
/// | `f.alive` | [`Finalizer::is_alive`] | |
/// | `f.atexit` | [`Finalizer::set_at_exit`] | true unless set, as in Python; the exit is [`Heap::shutdown`], or the drop of the heap |
/// | `__weakref__` in `__slots__` | nothing to declare | everything in a heap has weak handles: numbers, strings and tuples too |
///
/// Without counterpart there: [`DeathQueue`] and [`Graveyard`], for when no code should run during a
/// collection, or the dead value itself is wanted, and [`Interner`], one object for all equal values.
///
/// # References and proxies
/// ```
/// use slotgc::Heap;
///
/// let mut heap = Heap::new();
/// let bear = heap.alloc_root("Teddy".to_string());
/// let weak = bear.downgrade();
/// assert_eq!(heap.get(weak).map(String::as_str), Some("Teddy")); // r()
/// heap[weak].push('!'); // a proxy
/// let seen = std::collections::HashSet::from([weak]);
///
/// drop(bear);
/// heap.collect();
/// assert_eq!(heap.get(weak), None);
/// assert!(seen.contains(&weak)); // it is still equal to itself, with the same hash
/// let dead = heap.try_get(weak).unwrap_err(); // ReferenceError
/// assert!(dead.to_string().starts_with("weakly-referenced object no longer exists"));
/// ```
///
/// # Callbacks
/// In Python a callback goes with its reference, and does not run if that is gone first. Here it stands until
/// it is cancelled. A guard brings Python's way back: keep it where the reference would have been.
/// ```
/// use slotgc::{Heap, Trace, WatchGuard, Weak};
///
/// #[derive(Trace)]
/// struct Follower {
///     whom: Weak<&'static str>,
///     #[trace(skip)]
///     watch: WatchGuard, // no callback any more once the follower is dropped
/// }
///
/// let mut heap = Heap::new();
/// let log = heap.alloc_root(Vec::new());
/// let bear = heap.alloc_root("Teddy");
/// let shout = |heap: &mut Heap, text: &'static str| {
///     let log = log.downgrade();
///     heap.on_death(&bear, move |heap, _| heap[log].push(text)).unwrap()
/// };
/// shout(&mut heap, "first");
/// let watch = shout(&mut heap, "never").into();
/// heap.alloc(Follower { whom: bear.downgrade(), watch });
/// shout(&mut heap, "last");
/// assert_eq!(heap.watch_count(&bear), 3); // getweakrefcount
///
/// heap.collect(); // nobody holds the follower
/// assert_eq!(heap.watch_count(&bear), 2);
/// drop(bear);
/// heap.collect();
/// assert_eq!(heap[&log], ["last", "first"]);
/// ```
///
/// # Dictionaries and sets
/// ```
/// use slotgc::{Gc, Heap, Trace, WeakKeyMap, WeakSet, WeakValueMap};
///
/// #[derive(Trace)]
/// struct Bear(&'static str);
/// #[derive(Trace)]
/// struct Cub { of: Gc<Bear> }
///
/// let mut heap = Heap::new();
/// let by_name = heap.alloc_root(WeakValueMap::new());
/// let cubs = heap.alloc_root(WeakKeyMap::new());
/// let hungry = heap.alloc_root(WeakSet::new());
///
/// let bear = heap.alloc_root(Bear("Teddy"));
/// let cub = heap.alloc(Cub { of: bear.gc() });
/// heap[&by_name].insert("teddy", &bear);
/// heap[&cubs].insert(&bear, cub); // the value refers to its key: in Python this entry would stay for ever
/// heap[&hungry].insert(&bear);
///
/// heap.collect();
/// assert!(heap.is_alive(cub), "its bear lives");
/// drop(bear);
/// let stats = heap.collect();
/// assert_eq!((stats.pruned, stats.freed), (3, 2));
/// assert!(heap[&by_name].is_empty() && heap[&cubs].is_empty() && heap[&hungry].is_empty());
/// ```
///
/// # `WeakMethod`
/// Python needs it because a bound method is an object of its own that nobody else holds. A function is no
/// object here, and is told whom to work on.
/// ```
/// use slotgc::{Heap, Weak};
///
/// let mut heap = Heap::new();
/// let number = heap.alloc_root(1);
/// let handlers: Vec<(Weak<i32>, fn(&mut i32))> = vec![(number.downgrade(), |n| *n += 1)];
/// for (target, method) in handlers {
///     if let Some(target) = heap.get_mut(target) {
///         method(target);
///     }
/// }
/// assert_eq!(heap[&number], 2);
/// ```
///
/// # `finalize`
/// ```
/// use slotgc::Heap;
///
/// let mut heap = Heap::new();
/// let bear = heap.alloc_root("Teddy");
/// let by_hand = heap.finalizer(&bear, |_| "tidied up").unwrap();
/// let detached = heap.finalizer(&bear, |_| unreachable!()).unwrap();
/// let not_at_exit = heap.finalizer(&bear, |_| unreachable!()).unwrap();
///
/// assert_eq!(by_hand.peek(&heap), Some(bear.gc()));
/// assert_eq!(by_hand.call(&mut heap), Some("tidied up"));
/// assert!(!by_hand.is_alive(&heap) && by_hand.call(&mut heap).is_none());
/// assert_eq!(detached.detach(&mut heap), Some(bear.gc()));
/// not_at_exit.set_at_exit(&mut heap, false);
/// heap.shutdown().unwrap();
/// ```
///
/// # What is different on purpose
///
/// **Nothing is counted.** CPython frees most objects when their last reference goes, and cycles later, when
/// its collector gets to it. Here every object waits for a collection, cycle or not, and all that one
/// collection frees stop resolving in the same step. What must go now: [`Heap::destroy`].
///
/// **Roots are explicit.** A Python variable is a strong reference because the interpreter can see it. No
/// collector sees the local variables of a Rust program, so a strong reference is a [`Root`], or comes from a
/// [root source](crate::RootSource); a bare [`Gc`] is good until the next collection.
///
/// **Callbacks run when all is done.** Every handle to the dead gives `None`, weak collections are pruned and
/// destructors have run before the first callback does. They get `&mut Heap` and may allocate, register,
/// destroy, and ask for a collection, which runs after the last of them. They run in reverse order of
/// registration, over all objects that died in this collection; in Python this holds for one object only.
///
/// **Errors are not swallowed.** Python prints an exception in a callback and goes on. Here the others run
/// too, and then the first panic is raised again, see [`questions`](questions#what-if-a-destructor-panics).
///
/// **Closures keep nothing alive.** The handles that a callback captured are not edges, its own target's
/// included, so there is no leak like that of a `finalize` whose arguments mention its object. What a
/// callback needs must be held elsewhere, or by a `Root` that it owns. A `Root` of its own target would be
/// that leak.
///
/// **Ephemerons.** A `WeakKeyDictionary` holds its values strongly, so a value that leads back to its key
/// keeps the entry for ever. An entry of a [`WeakKeyMap`] counts only while its key is alive for another
/// reason.
///
/// **Keys by identity.** [`WeakKeyMap`] and [`WeakSet`] ask for no `Eq` and no `Hash`: two equal bears are
/// two keys, where Python has one entry that goes with whichever bear came first. To have equal values share
/// an object, intern them.
///
/// **Handles do not change.** A dead handle keeps its hash and stays equal to its copies, so it can still be
/// taken out of a `HashSet`. In Python references compare by object while it lives and by themselves after,
/// and hashing a dead one for the first time raises an error.
///
/// **Nothing resurrects.** `__del__` can store `self` somewhere and be alive again. A destructor here has no
/// heap and no handle of itself. Who wants the value gets it from a [`Graveyard`]; the handle stays dead.
///
/// **Lengths are exact** right after a collection, and equal to what iteration yields. To change a collection
/// while iterating it does not compile, so there is nothing to guard against.
///
/// **Order is the program's.** Weak maps iterate in hash order, not in order of insertion, yet the same
/// program has the same order in each run, of handles, destructors and notifications too.
///
/// [`Dead`]: crate::Dead
/// [`DeathQueue`]: crate::DeathQueue
/// [`Finalizer`]: crate::Finalizer
/// [`Finalizer::call`]: crate::Finalizer::call
/// [`Finalizer::detach`]: crate::Finalizer::detach
/// [`Finalizer::is_alive`]: crate::Finalizer::is_alive
/// [`Finalizer::peek`]: crate::Finalizer::peek
/// [`Finalizer::set_at_exit`]: crate::Finalizer::set_at_exit
/// [`Gc`]: crate::Gc
/// [`Graveyard`]: crate::Graveyard
/// [`Handle`]: crate::Handle
/// [`Heap::cancel`]: crate::Heap::cancel
/// [`Heap::collect`]: crate::Heap::collect
/// [`Heap::destroy`]: crate::Heap::destroy
/// [`Heap::finalizer`]: crate::Heap::finalizer
/// [`Heap::get`]: crate::Heap::get
/// [`Heap::get_or_alloc`]: crate::Heap::get_or_alloc
/// [`Heap::on_death`]: crate::Heap::on_death
/// [`Heap::root`]: crate::Heap::root
/// [`Heap::shutdown`]: crate::Heap::shutdown
/// [`Heap::try_get`]: crate::Heap::try_get
/// [`Heap::try_get_mut`]: crate::Heap::try_get_mut
/// [`Heap::upgrade`]: crate::Heap::upgrade
/// [`Heap::watch_count`]: crate::Heap::watch_count
/// [`Interner`]: crate::Interner
/// [`Root`]: crate::Root
/// [`Watch`]: crate::Watch
/// [`WatchGuard`]: crate::WatchGuard
/// [`Weak`]: crate::Weak
/// [`WeakKeyMap`]: crate::WeakKeyMap
/// [`WeakKeyMap::keys`]: crate::WeakKeyMap::keys
/// [`WeakSet`]: crate::WeakSet
/// [`WeakValueMap`]: crate::WeakValueMap
/// [`WeakValueMap::entry`]: crate::WeakValueMap::entry
/// [`WeakValueMap::values`]: crate::WeakValueMap::values
pub mod coming_from_weakref {}

/// How programs are put together around a heap: one example for each shape.
///
/// # A VM that owns its heap
/// The heap is one field, everything that holds handles is another: so the second can be the root source
/// while the first collects. Since [`alloc`](crate::Heap::alloc) never collects, one safe point between two
/// instructions is enough, and an instruction may hold bare [`Gc`](crate::Gc)s. Bytecode belongs in an
/// `Arc<[_]>`: what runs can be read while the heap changes, and the function may even die meanwhile.
/// ```
/// use std::sync::Arc;
/// use slotgc::{Gc, Heap, RootSource, Trace, Tracer};
///
/// #[derive(Clone, Copy, Trace)]
/// enum Value { Number(f64), List(Gc<Vec<Value>>) }
///
/// #[derive(Trace)]
/// enum Op { Push(f64), NewList, Append, Drop }
///
/// #[derive(Trace)]
/// struct Function { code: Arc<[Op]> }
///
/// #[derive(Default)]
/// struct State { stack: Vec<Value> }
///
/// impl RootSource for State {
///     fn trace_roots(&self, tracer: &mut Tracer<'_>) {
///         self.stack.iter().for_each(|value| value.trace(tracer));
///     }
/// }
///
/// #[derive(Default)]
/// struct Vm { heap: Heap, state: State }
///
/// impl Vm {
///     fn run(&mut self, function: Gc<Function>) {
///         let code = Arc::clone(&self.heap[function].code);
///         for op in code.iter() {
///             self.execute(op);
///             self.heap.collect_with(&self.state); // the safe point; a real VM asks whether it is time
///         }
///     }
///
///     fn execute(&mut self, op: &Op) {
///         let Self { heap, state: State { stack } } = self;
///         match op {
///             Op::Push(number) => stack.push(Value::Number(*number)),
///             Op::NewList => stack.push(Value::List(heap.alloc(Vec::new()))),
///             Op::Append => {
///                 let item = stack.pop().expect("the compiler balances the stack");
///                 if let Some(Value::List(list)) = stack.last() {
///                     heap[*list].push(item);
///                 }
///             }
///             Op::Drop => drop(stack.pop()),
///         }
///     }
/// }
///
/// let mut vm = Vm::default();
/// let code = [Op::NewList, Op::Push(1.0), Op::Append, Op::NewList, Op::Append, Op::NewList, Op::Drop];
/// let main = vm.heap.alloc(Function { code: Arc::from(code) });
/// vm.run(main);
/// assert_eq!(vm.heap.len(), 2, "a list in a list");
/// ```
///
/// # An ECS world
/// In components a [`Gc`](crate::Gc) is the normal case, and what visits them is a root source: no cost when
/// entities come and go. A [`Root`](crate::Root) is for singletons, resources, and what travels: a deferred
/// command may arrive after the next collection. A target is a [`Weak`](crate::Weak). In bevy `Handles` is a
/// `#[derive(SystemParam)]` of queries, and the heap a `ResMut<Heap>` beside it.
/// ```
/// use slotgc::{Gc, Heap, Root, RootSource, Tracer, Weak};
///
/// /// A component.
/// struct Mind { plan: Gc<String>, fears: Weak<String> }
///
/// /// All queries that see handles.
/// struct Handles<'w> { minds: &'w [Option<Mind>] }
///
/// impl RootSource for Handles<'_> {
///     fn trace_roots(&self, tracer: &mut Tracer<'_>) {
///         tracer.edges(self.minds.iter().flatten().map(|mind| mind.plan));
///     }
/// }
///
/// #[derive(Default)]
/// struct World {
///     minds: Vec<Option<Mind>>,    // by entity
///     motto: Option<Root<String>>, // a resource
///     commands: Vec<(usize, Root<String>)>,
/// }
///
/// /// A system.
/// fn collect(heap: &mut Heap, handles: Handles<'_>) {
///     heap.collect_with(&handles);
/// }
///
/// let (mut heap, mut world) = (Heap::new(), World::default());
/// world.motto = Some(heap.alloc_root("honey first".to_string()));
/// let plans = [heap.alloc("attack".to_string()), heap.alloc("hide".to_string())];
/// world.minds.push(Some(Mind { plan: plans[0], fears: Weak::dangling() }));
/// world.minds.push(Some(Mind { plan: plans[1], fears: plans[0].downgrade() }));
/// world.commands.push((1, heap.alloc_root("flee".to_string()))); // to be applied at the end of the frame
/// world.minds[0] = None; // despawn
///
/// collect(&mut heap, Handles { minds: &world.minds });
/// let mind = world.minds[1].as_mut().unwrap();
/// assert_eq!((heap[mind.plan].as_str(), heap.get(mind.fears)), ("hide", None));
///
/// for (_, plan) in world.commands.drain(..) {
///     mind.plan = plan.gc();
/// }
/// collect(&mut heap, Handles { minds: &world.minds });
/// assert_eq!(heap.len(), 2, "the motto and one plan");
/// ```
///
/// # A local before a nested allocation
/// [`alloc`](crate::Heap::alloc) borrows the heap while it runs, so what is being allocated, or changed,
/// cannot call it in the middle. The new object goes into a local variable first; nothing can collect it
/// there.
/// ```
/// use slotgc::{Gc, Heap, Trace};
///
/// #[derive(Trace)]
/// struct Node { next: Option<Gc<Node>>, names: Vec<Gc<String>> }
///
/// let mut heap = Heap::new();
/// // not `heap.alloc(Node { next: Some(heap.alloc(..)), .. })`
/// let last = heap.alloc(Node { next: None, names: vec![] });
/// let first = heap.alloc(Node { next: Some(last), names: vec![] });
/// // not `heap[first].names.push(heap.alloc(..))`
/// let name = heap.alloc("Teddy".to_string());
/// heap[first].names.push(name);
/// ```
/// To read one object while changing another there are [`split_mut`](crate::Heap::split_mut),
/// [`get_pair_mut`](crate::Heap::get_pair_mut) and [`get_disjoint_mut`](crate::Heap::get_disjoint_mut). For
/// two objects that refer to each other there is [`alloc_cyclic`](crate::Heap::alloc_cyclic).
///
/// # Dead handles in strong fields
/// To let the collector decide is the default, and then the strong fields of a live object always resolve.
/// [`destroy`](crate::Heap::destroy) is for what must die now, whoever refers to it. It leaves dead handles
/// behind: code that uses it reads with [`get`](crate::Heap::get), not `heap[..]`.
/// ```
/// use slotgc::{Gc, Heap, Trace};
///
/// #[derive(Trace)]
/// struct Team { members: Vec<Gc<String>> }
///
/// let mut heap = Heap::new();
/// let members = ["Teddy", "Mike"].map(|name| heap.alloc(name.to_string())).to_vec();
/// let team = heap.alloc_root(Team { members });
/// let first = heap[&team].members[0];
/// assert_eq!(heap.destroy(first).as_deref(), Some("Teddy"));
///
/// let names: Vec<_> = heap[&team].members.iter().filter_map(|member| heap.get(member)).collect();
/// assert_eq!(names, ["Mike"]);
/// // Tidying up, when somebody cares:
/// let (team, rest) = heap.split_mut(&team).unwrap();
/// team.members.retain(|member| rest.is_alive(member));
/// assert_eq!(team.members.len(), 1);
/// ```
///
/// # An interface that takes `&self`
/// Some interfaces that are called back (a parser's sink, a visitor, a logger) have only `&self` to give.
/// Then it is a `RefCell<Heap>`, or a `Mutex`: `borrow` to read, `borrow_mut` for the shortest time, and
/// never across a call to somebody else's code.
/// ```
/// use std::cell::RefCell;
/// use slotgc::{Gc, Heap, Root, Trace};
///
/// trait Sink {
///     fn element(&self, name: &str) -> Gc<Element>;
///     fn append(&self, parent: Gc<Element>, child: Gc<Element>);
/// }
///
/// #[derive(Trace)]
/// struct Element { name: String, children: Vec<Gc<Element>> }
///
/// struct Document { heap: RefCell<Heap>, root: Root<Element> }
///
/// impl Sink for Document {
///     fn element(&self, name: &str) -> Gc<Element> {
///         self.heap.borrow_mut().alloc(Element { name: name.into(), children: vec![] })
///     }
///     fn append(&self, parent: Gc<Element>, child: Gc<Element>) {
///         self.heap.borrow_mut()[parent].children.push(child);
///     }
/// }
///
/// let mut heap = Heap::new();
/// let root = heap.alloc_root(Element { name: "html".into(), children: vec![] });
/// let document = Document { heap: RefCell::new(heap), root };
/// let body = document.element("body");
/// document.append(document.root.gc(), body);
///
/// let heap = document.heap.borrow(); // any number of readers
/// let html = &heap[&document.root];
/// assert_eq!((html.name.as_str(), heap[html.children[0]].name.as_str()), ("html", "body"));
/// ```
///
/// # Parts that are not `Sync`
/// Objects are `Send + Sync`, so that a heap can be read by several threads. A closure in an object is a
/// `Box<dyn Fn() + Send + Sync>`. What is `Send` but not `Sync`, a channel's end, say, goes into a wrapper
/// that gives only `&mut` access: a `Mutex` of which one uses only `get_mut`, which never locks, or
/// `SyncWrapper` of the crate `sync_wrapper`. What is not even `Send` stays outside, and the object has its
/// index.
/// ```
/// use std::sync::{Mutex, mpsc};
/// use slotgc::{Heap, Trace};
///
/// #[derive(Trace)]
/// struct Button {
///     #[trace(skip)]
///     on_click: Box<dyn Fn(&str) -> String + Send + Sync>,
///     #[trace(skip)]
///     clicks: Mutex<mpsc::Receiver<String>>,
/// }
///
/// let mut heap = Heap::new();
/// let (sender, clicks) = mpsc::channel();
/// let on_click = Box::new(|who: &str| format!("clicked by {who}"));
/// let button = heap.alloc_root(Button { on_click, clicks: Mutex::new(clicks) });
/// sender.send("Teddy".to_string()).unwrap();
///
/// let button = &mut heap[&button];
/// let who = button.clicks.get_mut().unwrap().recv().unwrap();
/// assert_eq!((button.on_click)(&who), "clicked by Teddy");
/// ```
///
/// # Function pointers and other types without handles
/// A type of another crate, or one like `fn(f64) -> f64` that no trait can be implemented for once and for
/// all: `#[trace(skip)]` on the field, and [`Untraced`](crate::Untraced) inside a container. What is skipped
/// is never looked at: a handle in there keeps nothing alive.
/// ```
/// use std::collections::HashMap;
/// use slotgc::{Heap, Trace, Untraced};
///
/// type Native = fn(f64) -> f64;
///
/// #[derive(Trace)]
/// struct Library {
///     natives: HashMap<String, Untraced<Native>>,
///     #[trace(skip)]
///     fallback: Native,
/// }
///
/// impl Library {
///     fn find(&self, name: &str) -> Native {
///         self.natives.get(name).map_or(self.fallback, |native| native.0)
///     }
/// }
///
/// let mut heap = Heap::new();
/// let natives = HashMap::from([("sqrt".to_string(), Untraced(f64::sqrt as Native))]);
/// let library = heap.alloc_root(Library { natives, fallback: |x| x });
/// assert_eq!((heap[&library].find("sqrt")(9.0), heap[&library].find("cbrt")(9.0)), (3.0, 9.0));
/// ```
pub mod shapes {}

/// What users ask, with short answers.
///
/// # When can collections happen?
/// In [`collect`], [`collect_with`] and [`alloc_or_collect`], that is, where the program asks for one.
/// [`alloc`] never collects. The places to look at are closures that get `&mut Heap`, since they may ask too:
/// the `make` of [`alloc_cyclic`] and [`get_or_alloc`], and callbacks. What a callback asks for runs after
/// all callbacks: with the roots of the collection that set it off, or, when [`destroy`] did, with [`Root`]s
/// alone. A heap that is dropped or [shut down](crate::Heap::shutdown) frees everything.
///
/// # What keeps an object alive?
/// During a collection: a [`Root`] that has not been dropped, a handle that the root source of this
/// collection reports, a [`Gc`] or [`AnyGc`] in a live object, and the value of a [`WeakKeyMap`]'s entry
/// whose key and map are alive. Nothing else: not a local variable, a [`Weak`], an entry of a weak
/// collection, a skipped field, or what a callback's closure or a queue's tag holds (unless it is a `Root`).
/// Between collections nothing dies but by hand, see [`destroy`].
///
/// # Why is a local `Gc` dead after `collect`?
/// A `Gc` is a number, and the collector does not see the variables of your functions. It is strong where a
/// collection comes across it. Before a call that may collect, put it into an object, make a [`Root`], or
/// report it.
/// ```
/// use slotgc::Heap;
///
/// let mut heap = Heap::new();
/// let (lost, kept, reported) = (heap.alloc(1), heap.alloc(2), heap.alloc(3));
/// let root = heap.root(kept).unwrap();
/// heap.collect_with(&[reported]);
/// assert_eq!((heap.get(lost), heap.get(&root), heap.get(reported)), (None, Some(&2), Some(&3)));
/// ```
///
/// # What does a dead handle do?
/// It resolves to nothing, for ever: [`get`] gives `None`, [`try_get`] an error, `heap[handle]` panics. It
/// never resolves to the next object in its slot, since the slot's generation has moved on; a slot whose
/// generations are used up is never used again. Equality, hash, order and text stay as they were, so a dead
/// handle is still found in a set. As an edge it keeps nothing alive.
///
/// # What about threads?
/// [`Heap`] is `Send` and `Sync`: many threads may read, one may change it. Handles are plain data and go
/// anywhere; a [`Root`] may be cloned and dropped on any thread, even while a collection runs. A
/// [`DeathQueue`] and a [`Graveyard`] can be emptied by a thread that has no heap. To change one heap from
/// several threads, send messages to the thread that owns it, or use a lock; collections do not run in the
/// background.
/// ```
/// use slotgc::Heap;
///
/// let mut heap = Heap::new();
/// let roots: Vec<_> = (0..4).map(|number| heap.alloc_root(number)).collect();
/// let heap = &heap;
/// std::thread::scope(|threads| {
///     for root in roots {
///         threads.spawn(move || assert!(heap[&root] < 4)); // and dropped there
///     }
/// });
/// assert_eq!(heap.stats().roots, 0);
/// ```
///
/// # Can I store a `Root` in an object?
/// No: an object that leads to itself through a root would never be freed, and no collector could tell. So it
/// does not compile; store the [`Gc`], which is as strong there. A [`Root`] belongs to what is outside: the
/// engine's own structs, a job, a message.
/// ```compile_fail,E0277
/// #[derive(slotgc::Trace)]
/// struct Mob {
///     home: slotgc::Root<String>, // error: `Root<String>` cannot be stored inside an object
/// }
/// ```
///
/// # How much memory does it take?
/// Each object has a header of 8 bytes; with it, sizes are rounded up to 8 (or to the type's alignment), and
/// are 16 at least. A few bits a slot are elsewhere. A `Gc`, a `Weak`, and an `Option` of one take 8 bytes, a
/// `Root` 24 and a place in a table. Pages of 64 KiB have objects of one type each, so a type with a single
/// object has a page, of which only the part that was touched is real memory. What is freed is used again for
/// objects of that type; [`shrink_to_fit`] gives empty pages back. The 33 GiB that a heap reserves on 64-bit
/// Unix are addresses, not memory.
/// ```
/// use slotgc::Heap;
///
/// let mut heap = Heap::new();
/// for number in 0..1000_u64 {
///     heap.alloc([number; 6]);
/// }
/// let stats = heap.stats();
/// assert_eq!((stats.bytes, stats.pages), (1000 * (8 + 48), 1));
/// heap.collect();
/// heap.shrink_to_fit();
/// assert_eq!(heap.stats().pages, 0);
/// ```
///
/// # What if a destructor panics?
/// The other destructors, callbacks and finalizers still run; then the first panic is raised again, out of
/// the call that collected. The object is gone like the others, and the heap is as good as before. When a
/// heap is dropped it is the same, but [`shutdown`](crate::Heap::shutdown) gives the panic as an error.
/// Without the feature `std` no panic can be caught: the rest runs while it unwinds, and a second one aborts.
/// A panic in a `trace` abandons the collection, and nothing is freed.
/// ```
/// use std::panic::{AssertUnwindSafe, catch_unwind};
/// use slotgc::{Heap, Trace};
///
/// #[derive(Trace)]
/// struct Bomb;
///
/// impl Drop for Bomb {
///     fn drop(&mut self) {
///         panic!("boom");
///     }
/// }
///
/// let mut heap = Heap::new();
/// heap.alloc(Bomb);
/// let bear = heap.alloc("Teddy");
/// let payload = catch_unwind(AssertUnwindSafe(|| heap.collect())).unwrap_err();
/// assert_eq!(payload.downcast_ref(), Some(&"boom"));
/// assert_eq!((heap.len(), heap.get(bear)), (0, None));
/// assert_eq!(heap.collect().freed, 0);
/// ```
///
/// # Can a destructor use the heap?
/// No: `drop` has the value and nothing else, and it runs when every object that died with it is gone
/// already. What needs the heap is a callback ([`on_death`]), a [`DeathQueue`] that the program polls when it
/// suits, or a [`Graveyard`], which keeps the value itself.
///
/// [`AnyGc`]: crate::AnyGc
/// [`DeathQueue`]: crate::DeathQueue
/// [`Gc`]: crate::Gc
/// [`Graveyard`]: crate::Graveyard
/// [`Heap`]: crate::Heap
/// [`Root`]: crate::Root
/// [`Weak`]: crate::Weak
/// [`WeakKeyMap`]: crate::WeakKeyMap
/// [`alloc`]: crate::Heap::alloc
/// [`alloc_cyclic`]: crate::Heap::alloc_cyclic
/// [`alloc_or_collect`]: crate::Heap::alloc_or_collect
/// [`collect`]: crate::Heap::collect
/// [`collect_with`]: crate::Heap::collect_with
/// [`destroy`]: crate::Heap::destroy
/// [`get`]: crate::Heap::get
/// [`get_or_alloc`]: crate::Heap::get_or_alloc
/// [`on_death`]: crate::Heap::on_death
/// [`shrink_to_fit`]: crate::Heap::shrink_to_fit
/// [`try_get`]: crate::Heap::try_get
pub mod questions {}

#[cfg(feature = "inspect")]
pub mod finding_a_leak;

/// What holds whatever a program does: each promise in words, its limits, and the tests that attack it.
///
/// "Object" is a value in a [`Heap`], "reachable" is what [a collection keeps](questions#what-keeps-an-object-alive).
/// A "cycle" is a full one: a [`collect`], or [`step`]s from one beginning to `finished`. Tests are named as paths in
/// `tests/all` (`steps::model` is `tests/all/steps/model.rs`), or else in `tests`; besides them, random programs run
/// against a naive model, there in `differential` and without end as fuzz targets (`fuzz/`). `peer_failures` has
/// the defects that others had.
///
/// 1. **Memory safety.** No program without `unsafe` of its own can read freed or uninitialised memory through this
///    crate, see a value as another type, have two `&mut` to one value, or race. This holds for every implementation
///    of [`Trace`], whatever it reports, for made-up bits in every handle, for panics out of every piece of user
///    code, and on every thread.
///    Limits: running out of memory in the heap's own tables, a second panic without the feature `std`, and
///    recursion in user code end the process. Leaks are safe: a forgotten [`Root`] keeps its object.
///    Attacked by: `lies::whatever_is_reported_handles_give_their_own_object_or_none`,
///    `lies::a_liar_among_honest_objects_costs_them_nothing`,
///    `handles::made_up::bits_of_every_pattern_resolve_to_nothing_or_to_their_own_object`,
///    `handles::made_up::made_up_handles_destroy_only_what_they_name`,
///    `peer_failures::gc_what_a_destructor_lets_out_reads_no_freed_memory`,
///    `exhaustion::a_heap_may_go_at_any_step_while_roots_guards_queues_and_graveyards_are_elsewhere`,
///    `layers::unsafe_is_only_where_it_is_argued_for`,
///    `alloc_fails::one_refusal_at_any_call_costs_one_allocation_at_most`,
///    `threads::many_readers_of_one_heap_agree`.
/// 2. **A stale handle never resolves again.** Once [`get`] gave `None` for a handle of a dead object, it does so for
///    as long as the heap lives: not after the slot got its next tenant, after all generations of the slot, or
///    after [`shrink_to_fit`]. No two objects of one heap ever have the same handle. All that one cycle frees stop
///    resolving in the same step.
///    Limits: in one heap. In another heap a handle may name an object of its very type there; heaps that start at
///    different generations ([`HeapConfig::first_generation`]) tell. A handle whose object is
///    [under construction](crate::Heap::alloc_cyclic) resolves later.
///    Attacked by: `heap::destroy::stale_handle_never_sees_the_next_tenant`,
///    `heap::generations::a_slot_whose_generations_are_used_up_is_never_used_again`,
///    `heap::generations::memory_given_back_comes_again_without_a_repeated_handle`,
///    `exhaustion::a_slot_is_used_two_to_the_31_times_and_never_again`,
///    `exhaustion::generations_may_run_out_in_the_midst_of_a_cycle_whatever_watches`,
///    `lies::whatever_is_reported_retired_slots_stay_retired`,
///    `steps::all_that_a_cycle_frees_stops_resolving_in_one_step`,
///    `peer_failures::fyrox_pool_emptying_a_heap_revives_no_stale_handle`.
/// 3. **Nothing reachable is lost.** An object that is reachable at the end of a cycle's marking is not freed by that
///    cycle, whatever the program stored, moved and removed between its steps, and wherever it had the handle from. A
///    [minor collection](crate::Heap::collect_minor) frees nothing reachable either.
///    Limits: reachable by what [`Trace`] and the root source report; what they leave out is lost early, and its
///    handles give `None`. [`destroy`] kills what is reachable. A field changed through `&` (a lock) must be told by
///    [`interior_mutability`], as `Mutex` and `RwLock` do.
///    Attacked by: `steps::model::whatever_the_program_does_between_steps_nothing_reachable_is_lost`,
///    `steps::what_is_upgraded_and_stored_while_marking_is_half_done_survives_with_all_it_reaches`,
///    `steps::a_minor_collection_frees_the_young_and_leaves_the_old`,
///    `threads::roots_passed_on_from_thread_to_thread_keep_their_objects_in_every_phase`,
///    `loom::a_root_passed_on_during_a_collection_keeps_its_object`,
///    `collect::stale::random_graphs_with_stale_edges_keep_exactly_what_is_reachable`,
///    `panics::a_panic_in_trace_abandons_the_collection`,
///    `peer_failures::boa_gc_a_panic_in_a_finalizer_costs_no_live_object_in_the_collections_after`,
///    `peer_failures::safe_gc_a_collection_inside_alloc_frees_no_child_of_the_value_being_allocated`.
/// 4. **Nothing unreachable stays.** An object that is unreachable is gone when two cycles have ended that were not
///    abandoned; [`collect`] alone frees all that is unreachable at the call. Rings, values of weak maps that
///    lead back to their keys, and callbacks that mention their own target are no exceptions.
///    Limits: what is stored again while it still resolves was reachable meanwhile. A cycle that a panic in a
///    `trace` or a root source abandons does not count. A [minor collection](crate::Heap::collect_minor) frees the young
///    alone.
///    Attacked by: `guarantees::what_becomes_unreachable_at_any_step_is_gone_after_two_cycles`,
///    `steps::model::whatever_the_program_does_between_steps_nothing_reachable_is_lost`,
///    `steps::steps_of_one_unit_free_what_a_collection_frees`,
///    `collect::what_is_reachable_lives_and_everything_else_dies`,
///    `key_chains::a_chain_lives_and_dies_with_its_head_in_one_collection_on_a_small_stack`,
///    `peer_failures::cpython_java_and_weak_table_a_map_whose_values_reach_their_keys_empties`.
/// 5. **Every destructor once.** The destructor of each value in a heap, and of each entry that a weak collection lost,
///    runs once: in the cycle that frees it, or when the heap is dropped, in whatever phase that is. What moves out, by
///    [`destroy`] or into a [`Graveyard`], is its new owner's. A destructor that panics stops no other.
///    Limits: a heap that is leaked drops nothing. When a second panic ends the process, nothing more runs.
///    Attacked by: `panics::panics_of_destructors_stop_no_other_and_the_first_is_raised`,
///    `panics::a_heap_whose_objects_panic_when_it_is_dropped_drops_them_all`,
///    `heap::shapes::the_destructor_of_a_zero_sized_object_runs_once_for_each`,
///    `ephemerons::values_that_go_with_their_keys_are_dropped_once_before_the_collection_returns`,
///    `graveyards::values_left_in_a_graveyard_are_dropped_with_it_once`,
///    `exhaustion::a_heap_of_ten_million_objects_is_dropped_whole`,
///    `threads::queues_graveyards_and_guards_on_other_threads_lose_nothing_and_double_nothing`.
/// 6. **Notifications at most once.** A callback, a finalizer and a tag come at most once, after the death of their
///    object, and exactly once if the heap lives on or is dropped, and they were not cancelled.
///    Limits: finalizers that are [not at-exit](crate::Finalizer::set_at_exit) do not run at the end of the heap, and
///    one that is [called](crate::Finalizer::call) by hand runs before the death. Nothing comes from a leaked heap.
///    Attacked by: `deaths::model::random_programs_are_told_what_the_model_says_in_its_order`,
///    `deaths::panics::a_panic_in_a_callback_stops_no_other_and_is_raised_once`,
///    `deaths::guards::a_guard_dropped_by_a_destructor_of_the_same_collection_still_cancels`,
///    `finalizers::called_by_hand_it_gives_its_value_once`,
///    `loom::a_tag_comes_out_of_its_queue_once_whoever_polls_and_when`,
///    `exhaustion::generations_may_run_out_in_the_midst_of_a_cycle_whatever_watches`.
/// 7. **Determinism.** The same program gives the same handles, the same order of destructors and of notifications, and
///    the same order of iteration, in every process and on every thread: none of them depends on addresses, on
///    time, or on a random seed.
///    Limits: with budgets in objects. A budget of time depends on the clock. So does what several threads do with
///    [`Root`]s at the same time, and a weak map with a hasher of your own on that hasher. Other versions of this
///    crate may differ.
///    Attacked by: `guarantees::with_budgets_in_objects_a_run_is_the_same_to_the_last_handle`,
///    `heap::promises::the_same_program_gives_the_same_handles_and_the_same_order_of_destructors`,
///    `heap::promises::another_process_sees_the_same_handles_and_destructors`,
///    `deaths::the_order_is_that_of_registration_whatever_slots_the_objects_have_and_however_they_die`,
///    `weak_maps::std_parity::the_order_of_iteration_is_the_programs`.
/// 8. **No recursion on data.** Marking, freeing and telling take a stack that does not depend on how many objects there
///    are or how they are linked: a list of any length, a chain of ephemerons, a callback that destroys the next
///    object with a callback.
///    Limits: what one object owns without a handle (a `Box` in a `Box`) is traced and dropped by its own code,
///    which recurses if it is written, or derived, that way.
///    Attacked by: `collect::a_list_of_millions_is_marked_and_freed_on_a_small_stack`,
///    `collect::a_list_of_millions_in_the_order_of_slots_is_marked_and_freed_on_a_small_stack`,
///    `peer_failures::gc_and_rc_a_list_of_a_million_with_destructors_overflows_no_stack`,
///    `peer_failures::bacon_rajan_cc_and_dumpster_a_ring_of_a_million_overflows_no_stack`,
///    `peer_failures::boa_gc_a_chain_of_ephemerons_takes_linear_time_in_either_order`,
///    `deaths::a_hundred_thousand_callbacks_each_destroy_the_next_on_a_small_stack`.
/// 9. **The budget.** A [`step`] or [`pace`] stops when its [`Budget`](crate::Budget) is spent: of time to within some
///    microseconds, of objects to within the 64 or so that end the marking, or some entries of a table. Every step does one unit
///    at least, so cycles end. With `pace`, a heap between two calls is no larger than its
///    [ceiling](crate::HeapConfig::ceiling_bytes) allows.
///    Limits: one call of user code is never cut in two: a root source, a destructor, a callback, the `trace` of one
///    object that is no weak collection. Neither is the last look at objects with locks, nor the trace of a weak map
///    that the program changes as a whole in every step of a cycle, nor a minor collection. At the ceiling `pace`
///    finishes the cycle, whatever the budget ([`Rule::Ceiling`](crate::Rule::Ceiling)).
///    Attacked by: `guarantees::a_step_does_as_many_units_as_it_may_and_one_at_least`,
///    `guarantees::a_budget_of_time_is_kept_to_within_microseconds_by_the_programs_own_clock`,
///    `guarantees::pacing_exceeds_its_budget_at_the_ceiling_alone_and_bounds_the_heap`,
///    `steps::tables::no_phase_takes_a_large_table_in_one_step`,
///    `exhaustion::at_the_limit_steps_make_room_and_what_is_rooted_stays`.
///
/// [`Graveyard`]: crate::Graveyard
/// [`Heap`]: crate::Heap
/// [`HeapConfig::first_generation`]: crate::HeapConfig::first_generation
/// [`Root`]: crate::Root
/// [`Trace`]: crate::Trace
/// [`collect`]: crate::Heap::collect
/// [`destroy`]: crate::Heap::destroy
/// [`get`]: crate::Heap::get
/// [`interior_mutability`]: crate::Tracer::interior_mutability
/// [`pace`]: crate::Heap::pace
/// [`shrink_to_fit`]: crate::Heap::shrink_to_fit
/// [`step`]: crate::Heap::step
pub mod guarantees {}
