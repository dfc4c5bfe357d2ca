//! Why an object is alive: the calls of [`slotgc::inspect`](crate::inspect) on a heap.

use ::alloc::string::{String, ToString};
use ::alloc::vec::Vec;
use core::fmt;

use crate::handle::{AnyGc, RawHandle, ShortName};
use crate::hash::Map;
use crate::heap::Heap;
use crate::inspect::{
    Found, Holder, Names, ObjectName, Path, PathBuilder, Recorder, RootInfo, Slots, Snapshot, TypeRow, Walk,
};
use crate::trace::{Handle, Inspector, RootSource};

/// # Finding out why something is alive
impl Heap {
    /// The present graph as independent data: all objects, garbage included, the named references between
    /// them, and this heap's [`Root`](crate::Root)s.
    ///
    /// O(objects + edges); writes nothing. Calls every object's [`Trace::inspect`](crate::Trace::inspect)
    /// and, for types that own memory, [`Trace::owned_bytes`](crate::Trace::owned_bytes).
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let chest = heap.alloc_root(vec![1_u64, 2, 3]);
    /// let snapshot = heap.snapshot();
    /// assert_eq!(snapshot.len(), 1);
    /// println!("{}", snapshot.census());
    /// ```
    #[doc(alias("leak", "heap dump", "memory"))]
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_with(&())
    }

    /// As [`snapshot`](Self::snapshot), with what this source holds as roots too.
    pub fn snapshot_with(&self, roots: &dyn RootSource) -> Snapshot {
        let rows = self.pools.iter().zip(&self.inspect_ops).zip(self.type_names());
        let types: Vec<TypeRow> = rows
            .map(|((pool, ops), name)| TypeRow {
                id: ops.id,
                tag: ops.tag,
                name,
                slot_bytes: pool.info().slot_bytes as u32,
            })
            .collect();
        let mut slots = Slots::new();
        for (pool, ops) in self.pools.iter().zip(&self.inspect_ops) {
            (ops.number)(&self.store, pool.pages(), pool.info().slot_granules(), &mut slots);
        }
        slots.seal();
        let mut recorder = Recorder::new(&slots, &types);
        recorder.hints(self.deaths.hints().iter().map(|(raw, bytes)| (*raw, *bytes)));
        self.record_roots(&mut recorder, roots);
        for (pool, ops) in self.pools.iter().zip(&self.inspect_ops) {
            (ops.record)(&self.store, pool.pages(), &mut recorder);
        }
        let recorded = recorder.finish();
        Snapshot::new(slots, recorded, types, self.config.fresh_generation().0)
    }

    fn record_roots(&self, recorder: &mut Recorder<'_>, roots: &dyn RootSource) {
        self.roots.each(|raw, note, clones| recorder.root(raw, note, clones));
        roots.inspect_roots(&mut Inspector::new(recorder));
        recorder.end_row();
    }

    /// A shortest chain of strong edges from a [`Root`](crate::Root) to the object: why it is alive. `None`
    /// if nothing reaches it, so that the next full collection frees it, or if it is dead.
    ///
    /// O(objects + edges); writes nothing. To ask about many objects, take one [`snapshot`](Self::snapshot).
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let sword = heap.alloc("sword");
    /// let chest = heap.alloc_root(vec![sword]).named("chest");
    /// let path = heap.why_alive(sword).unwrap();
    /// assert!(path.to_string().starts_with("root \"chest\""));
    /// drop(chest);
    /// assert!(heap.why_alive(sword).is_none());
    /// ```
    #[doc(alias("leak", "retaining path"))]
    pub fn why_alive(&self, h: impl Handle) -> Option<Path> {
        self.why_alive_with(h, &())
    }

    /// As [`why_alive`](Self::why_alive), with what this source holds as roots too.
    pub fn why_alive_with(&self, h: impl Handle, roots: &dyn RootSource) -> Option<Path> {
        let raw = self.local(h).raw();
        if !self.store.is_alive_any(raw) {
            return None;
        }
        let mut rooted = Vec::new();
        self.roots.each(|raw, _, _| rooted.push(raw));
        match self.walk().find(raw, rooted.into_iter(), roots) {
            Found::Nothing => None,
            Found::Way(way) => self.name_way(&way, roots).or_else(|| self.path_by_snapshot(raw, roots)),
            Found::Uncertain => self.path_by_snapshot(raw, roots),
        }
    }

    fn path_by_snapshot(&self, raw: RawHandle, roots: &dyn RootSource) -> Option<Path> {
        self.snapshot_with(roots).path_to(AnyGc::from_raw(raw))
    }

    fn walk(&self) -> Walk<'_> {
        Walk { store: &self.store, pools: &self.pools, ops: &self.inspect_ops }
    }

    /// The path with names; `None` if `inspect` and `trace` of some object disagree.
    fn name_way(&self, way: &[RawHandle], roots: &dyn RootSource) -> Option<Path> {
        let (walk, mut names) = (self.walk(), Names::default());
        let type_names = self.type_names();
        let mut noted = None;
        self.roots.each(|raw, note, _| {
            if raw == way[0] && noted.is_none() {
                noted = Some(note);
            }
        });
        let mut builder = match &noted {
            Some(note) => {
                PathBuilder::new(Holder::Root { name: note.name.as_deref(), origin: note.origin, clones: 1 })
            }
            None => {
                let step = walk.name_root(way[0], roots, &mut names);
                let name = names.shown(step.name?);
                let name = Some(name.as_str()).filter(|name| !name.is_empty());
                PathBuilder::new(Holder::Source { source: step.source.as_deref(), name })
            }
        };
        let mut edge = String::new();
        for (place, raw) in way.iter().enumerate() {
            let next = way.get(place + 1).copied();
            let step = walk.name_step(*raw, next, &mut names);
            let type_name = type_names[self.store.pool_of(raw.granule()) as usize];
            let object = ObjectName { type_name, handle: *raw, label: step.label.as_deref() };
            builder.step(object, &edge, None);
            edge.clear();
            match (next, step.name) {
                (None, _) => {}
                (Some(_), name) => names.write(name?, &mut edge),
            }
        }
        Some(builder.finish())
    }

    /// Every living [`Root`](crate::Root), with clones counted as one, in the order of the root table: what
    /// keeps objects alive from outside. A root is listed even if its object was destroyed, or is not made
    /// yet ([`alloc_root_later`](Self::alloc_root_later)); the name of the type is then empty. O(roots).
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let door = heap.alloc_root("door").named("front");
    /// let again = door.clone();
    /// let info = heap.roots().next().unwrap();
    /// assert_eq!((info.handle, info.type_name.as_str()), (door.gc().erase(), "&str"));
    /// assert_eq!((info.name.as_deref(), info.clones), (Some("front"), 2));
    /// ```
    pub fn roots(&self) -> impl Iterator<Item = RootInfo> {
        let type_names = self.type_names();
        let (mut infos, mut clones) = (Vec::new(), Map::<AnyGc, usize>::default());
        self.roots.each(|raw, note, len| {
            let handle = AnyGc::from_raw(raw);
            *clones.entry(handle).or_default() += len as usize;
            // Where no object is, the page may have been of another type since.
            let is_alive = self.store.is_alive_any(raw);
            let pool = is_alive.then(|| usize::from(self.store.pool_of(raw.granule())));
            let type_name = pool.map_or("", |pool| type_names[pool]).into();
            infos.push(RootInfo { handle, type_name, name: note.name, origin: note.origin, clones: 0 });
        });
        infos.into_iter().map(move |mut info| {
            info.clones = clones[&info.handle];
            info
        })
    }

    /// For tests: collects, and panics with the path that keeps the object alive.
    ///
    /// # Panics
    /// If the object is alive afterwards.
    ///
    /// # Examples
    /// ```
    /// use slotgc::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let level = heap.alloc_root("cave");
    /// let mob = heap.alloc("wolf");
    /// heap.assert_collected(mob);
    /// ```
    #[track_caller]
    pub fn assert_collected(&mut self, h: impl Handle) {
        self.assert_collected_with(h, &());
    }

    /// As [`assert_collected`](Self::assert_collected), with what this source holds as roots too.
    #[track_caller]
    pub fn assert_collected_with(&mut self, h: impl Handle, roots: &dyn RootSource) {
        self.collect_with(roots);
        let weak = self.local(h);
        if self.is_alive(weak) {
            self.still_alive(AnyGc::from_raw(weak.raw()), roots);
        }
    }

    /// The object for people: `Mob 812v4 "wolf"`, with its type and label, or `Mob 812v4 (dead)`. For
    /// messages and debuggers; `Debug` is the same.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Heap, Trace};
    ///
    /// #[derive(Trace)]
    /// struct Mob { #[trace(label)] name: &'static str }
    ///
    /// let mut heap = Heap::new();
    /// let wolf = heap.alloc(Mob { name: "wolf" });
    /// assert_eq!(heap.show(wolf).to_string(), format!("Mob {wolf} \"wolf\""));
    /// heap.destroy(wolf);
    /// assert_eq!(heap.show(wolf).to_string(), format!("Mob {wolf} (dead)"));
    /// ```
    pub fn show<H: Handle>(&self, h: H) -> impl fmt::Display + fmt::Debug + '_ + use<'_, H> {
        let raw = self.local(h).raw();
        let handle = h.downgrade().raw();
        let is_alive = self.store.is_alive_any(raw);
        let label = is_alive.then(|| self.walk().name_step(raw, None, &mut Names::default()).label);
        let type_name = ShortName::of::<H::Target>().to_string();
        Shown { type_name, handle, label }
    }

    /// As [`show`](Self::show), for a living object of any type.
    pub(super) fn show_any(&self, raw: RawHandle) -> impl fmt::Display + fmt::Debug {
        let type_name = self.type_names()[self.store.pool_of(raw.granule()) as usize].into();
        let label = self.walk().name_step(raw, None, &mut Names::default()).label;
        Shown { type_name, handle: raw, label: Some(label) }
    }

    /// The name of the first field of an object that refers to another, if there is one and it has a name.
    pub(super) fn field(&self, holder: RawHandle, target: RawHandle) -> Option<String> {
        let mut names = Names::default();
        let name = self.walk().name_step(holder, Some(target), &mut names).name?;
        let name = names.shown(name);
        (!name.is_empty()).then_some(name)
    }

    #[cold]
    #[track_caller]
    fn still_alive(&self, any: AnyGc, roots: &dyn RootSource) -> ! {
        let snapshot = self.snapshot_with(roots);
        let node = snapshot.get(any).expect("it is alive");
        match snapshot.path_to(any) {
            Some(path) => panic!("{node} should have been collected, and is alive:\n{path:#}"),
            None => panic!(
                "{node} should have been collected, and is alive though nothing reaches it: \
                 a collection asked for inside a callback runs after it"
            ),
        }
    }
}

/// What [`Heap::show`] returns.
struct Shown {
    type_name: String,
    handle: RawHandle,
    /// `None` if the object is dead.
    label: Option<Option<String>>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { type_name, handle, label } = self;
        let object = ObjectName {
            type_name,
            handle: *handle,
            label: label.as_ref().and_then(|label| label.as_deref()),
        };
        write!(f, "{object}{}", if label.is_some() { "" } else { " (dead)" })
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
