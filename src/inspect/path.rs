//! A path from a root to an object, for people to read.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::panic::Location;

use crate::handle::{AnyGc, RawHandle};
use crate::inspect::graph::{EdgeIndex, EdgeKind, NodeIndex};
use crate::inspect::names::{TextId, Texts};
use crate::inspect::search::several_paths;
use crate::inspect::snapshot::{HolderView, Snapshot};

/// A chain of strong edges from a root to an object: why it is alive.
///
/// `Display` is one line, with `{:#}` one line per step. It leaves out the middle of a very long chain;
/// [`steps`](Self::steps) does not. Independent data, 24 bytes per step.
///
/// # Examples
/// ```
/// use slotgc::{Gc, Heap, HeapConfig, Trace};
///
/// #[derive(Trace)]
/// struct EventBus { listeners: Vec<Gc<Mob>> }
/// #[derive(Trace)]
/// struct Mob { #[trace(label)] name: &'static str, loot: Option<Gc<Loot>> }
/// #[derive(Trace)]
/// struct Loot;
///
/// let mut heap = Heap::with_config(HeapConfig::default().root_origins(false));
/// let loot = heap.alloc(Loot);
/// let wolf = heap.alloc(Mob { name: "wolf", loot: Some(loot) });
/// let bus = heap.alloc_root(EventBus { listeners: vec![wolf] }).named("event_bus");
///
/// let path = heap.why_alive(loot).unwrap();
/// let line = format!(
///     "root \"event_bus\" -> EventBus {bus} .listeners[0] -> Mob {wolf} \"wolf\" .loot -> Loot {loot}"
/// );
/// assert_eq!(path.to_string(), line);
/// assert_eq!(path.steps().map(|step| step.type_name()).collect::<Vec<_>>(), ["EventBus", "Mob", "Loot"]);
/// assert_eq!(path.root_name(), Some("event_bus"));
/// ```
#[derive(Clone)]
pub struct Path {
    holder: PathHolder,
    steps: Vec<StepData>,
    texts: Texts,
}

/// What the path begins with.
#[derive(Clone, Copy)]
enum PathHolder {
    Root { name: Option<TextId>, origin: Option<&'static Location<'static>> },
    Source { source: Option<TextId>, name: Option<TextId> },
}

#[derive(Clone, Copy)]
struct StepData {
    handle: RawHandle,
    type_name: TextId,
    label: TextId,
    /// The name of the edge that leads here; for the first step empty.
    edge: TextId,
    /// For the edge of an ephemeron, its other end; with the name of the edge if that is the map.
    ephemeron: TextId,
}

const _: () = assert!(size_of::<StepData>() == 24);

/// A path under construction.
#[derive(Debug)]
pub(crate) struct PathBuilder {
    path: Path,
}

impl PathBuilder {
    pub(crate) fn new(holder: HolderView<'_>) -> Self {
        let mut texts = Texts::default();
        let mut intern = |text: Option<&str>| text.map(|text| texts.intern(text));
        let holder = match holder {
            HolderView::Root { name, origin, .. } => PathHolder::Root { name: intern(name), origin },
            HolderView::Source { source, name } => {
                PathHolder::Source { source: intern(source), name: intern(name) }
            }
        };
        Self { path: Path { holder, steps: Vec::new(), texts } }
    }

    /// Adds the next object, and the name of the edge that leads to it.
    pub(crate) fn step(&mut self, object: ObjectName<'_>, edge: &str, ephemeron: Option<&dyn fmt::Display>) {
        let texts = &mut self.path.texts;
        self.path.steps.push(StepData {
            handle: object.handle,
            type_name: texts.intern(object.type_name),
            label: texts.intern(object.label.unwrap_or("")),
            edge: texts.intern(edge),
            ephemeron: ephemeron.map_or(TextId::EMPTY, |ephemeron| texts.intern_shown(ephemeron)),
        });
    }

    pub(crate) fn finish(mut self) -> Path {
        debug_assert!(!self.path.steps.is_empty(), "a path has at least one step");
        self.path.texts.seal();
        self.path.steps.shrink_to_fit();
        self.path
    }
}

impl Snapshot {
    /// A shortest path of strong edges from a root to the object; `None` if there is none, or no such object.
    ///
    /// An ephemeron whose map and key are both reached counts as two strong edges, from each of them to the
    /// value.
    pub fn path_to(&self, any: impl Into<AnyGc>) -> Option<Path> {
        let node = self.slots.find(any.into().raw())?;
        let path = self.shortest().path(&self.graph, node);
        (!path.is_empty()).then(|| Path::of(self, &path))
    }

    /// Several paths from roots to the object, at most `most`: shortest first, no two through the same last
    /// edge, so each is another reason why the object is alive. O(objects + edges).
    pub fn paths_to(&self, any: impl Into<AnyGc>, most: usize) -> Vec<Path> {
        let Some(node) = self.slots.find(any.into().raw()) else { return Vec::new() };
        let paths = several_paths(&self.graph, self.referrers(), node, most);
        paths.iter().map(|path| Path::of(self, path)).collect()
    }
}

impl Path {
    /// The path by these edges of a snapshot, the first of which is a root's.
    fn of(snapshot: &Snapshot, edges: &[EdgeIndex]) -> Self {
        let mut builder = PathBuilder::new(snapshot.holder(edges[0]));
        edges.iter().for_each(|edge| add_step(&mut builder, snapshot, *edge));
        builder.finish()
    }

    /// How many objects are on the path, the last one included.
    #[expect(clippy::len_without_is_empty, reason = "a path has at least the object to which it leads")]
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// The objects on the path, ending with its target.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = Step<'_>> + ExactSizeIterator {
        (0..self.steps.len()).map(|place| Step { path: self, place })
    }

    /// The object to which the path leads.
    pub fn target(&self) -> AnyGc {
        AnyGc::from_raw(self.steps.last().expect("a path has at least one step").handle)
    }

    /// The name of the [`Root`](crate::Root) at the beginning, or the root source's name for the handle.
    pub fn root_name(&self) -> Option<&str> {
        match self.holder {
            PathHolder::Root { name, .. } | PathHolder::Source { name, .. } => {
                name.map(|name| self.texts.get(name))
            }
        }
    }

    /// Where the `Root` at the beginning was made, if the heap remembers.
    pub fn origin(&self) -> Option<&'static Location<'static>> {
        match self.holder {
            PathHolder::Root { origin, .. } => origin,
            PathHolder::Source { .. } => None,
        }
    }

    /// The name of the root source at the beginning; `None` for a `Root`, and for a source without a name.
    pub fn source(&self) -> Option<&str> {
        match self.holder {
            PathHolder::Root { .. } => None,
            PathHolder::Source { source, .. } => source.map(|source| self.texts.get(source)),
        }
    }

    /// Whether the path begins at a root source.
    pub fn is_from_source(&self) -> bool {
        matches!(self.holder, PathHolder::Source { .. })
    }

    fn view(&self) -> HolderView<'_> {
        match self.holder {
            PathHolder::Root { origin, .. } => HolderView::Root { name: self.root_name(), origin, clones: 1 },
            PathHolder::Source { .. } => HolderView::Source { source: self.source(), name: self.root_name() },
        }
    }
}

fn add_step(builder: &mut PathBuilder, snapshot: &Snapshot, edge: EdgeIndex) {
    let graph = &snapshot.graph;
    let (source, target) = (graph.source(edge), graph.target(edge));
    let is_root_edge = source == NodeIndex::ROOT;
    let name = if is_root_edge { "" } else { snapshot.name(graph.name(edge)).unwrap_or("") };
    let object = |node| ObjectName::of(snapshot, node);
    match graph.ephemeron(edge).filter(|_| graph.kind(edge) == EdgeKind::Ephemeron) {
        None => builder.step(object(target), name, None),
        Some(entry) if source == entry.map => {
            builder.step(object(target), name, Some(&format_args!("with key {}", object(entry.key))));
        }
        Some(entry) if entry.map == NodeIndex::ROOT => {
            builder.step(object(target), "", Some(&"a key in a root source"));
        }
        Some(entry) => {
            let map = object(entry.map);
            builder.step(object(target), "", Some(&format_args!("a key in {map}{}", EdgeName(name))));
        }
    }
}

/// An object on a [`Path`], and the edge that leads to it.
///
/// `Display` is `Mob 812v4 "wolf"`.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    path: &'a Path,
    place: usize,
}

impl<'a> Step<'a> {
    fn data(self) -> StepData {
        self.path.steps[self.place]
    }

    fn text(self, id: TextId) -> Option<&'a str> {
        Some(self.path.texts.get(id)).filter(|text| !text.is_empty())
    }

    /// The object's handle.
    pub fn handle(self) -> AnyGc {
        AnyGc::from_raw(self.data().handle)
    }

    /// The short name of the object's type.
    pub fn type_name(self) -> &'a str {
        self.path.texts.get(self.data().type_name)
    }

    /// What tells the object from others of its type.
    pub fn label(self) -> Option<&'a str> {
        self.text(self.data().label)
    }

    /// The previous object's name for this one: `listeners[3]`. `None` at the first step, and if no name is
    /// known.
    pub fn edge(self) -> Option<&'a str> {
        self.text(self.data().edge)
    }

    /// For a step to the value of an ephemeron, its other end: `with key Mob 3v1` from the map, `a key in
    /// Nests 5v1 .of[Mob 3v1]` from the key.
    pub fn ephemeron(self) -> Option<&'a str> {
        self.text(self.data().ephemeron)
    }
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name =
            ObjectName { type_name: self.type_name(), handle: self.data().handle, label: self.label() };
        name.fmt(f)
    }
}

impl fmt::Debug for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `Mob 812v4 "wolf"`.
pub(crate) struct ObjectName<'a> {
    pub(crate) type_name: &'a str,
    pub(crate) handle: RawHandle,
    pub(crate) label: Option<&'a str>,
}

impl<'a> ObjectName<'a> {
    pub(crate) fn of(snapshot: &'a Snapshot, node: NodeIndex) -> Self {
        Self {
            type_name: snapshot.type_row(node).name,
            handle: snapshot.slots.handle(node),
            label: snapshot.label(node),
        }
    }
}

impl fmt::Display for ObjectName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.type_name, self.handle)?;
        self.label.map_or(Ok(()), |label| write!(f, " {label:?}"))
    }
}

/// ` .loot`, ` [3]`, or nothing.
struct EdgeName<'a>(&'a str);

impl fmt::Display for EdgeName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_bytes().first() {
            None => Ok(()),
            Some(b'[') => write!(f, " {}", self.0),
            Some(_) => write!(f, " .{}", self.0),
        }
    }
}

impl fmt::Display for HolderView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HolderView::Root { name, origin, .. } => {
                f.write_str("root")?;
                name.map_or(Ok(()), |name| write!(f, " {name:?}"))?;
                origin.map_or(Ok(()), |origin| write!(f, " ({}:{})", origin.file(), origin.line()))
            }
            HolderView::Source { source, name } => {
                f.write_str("source")?;
                source.map_or(Ok(()), |source| write!(f, " {source:?}"))?;
                EdgeName(name.unwrap_or("")).fmt(f)
            }
        }
    }
}

impl fmt::Display for crate::inspect::snapshot::RootEdge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}

impl fmt::Debug for crate::inspect::snapshot::RootEdge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} -> {:?}", self.target())
    }
}

impl fmt::Display for crate::inspect::snapshot::Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ObjectName::of(self.snapshot, self.index).fmt(f)
    }
}

impl fmt::Debug for crate::inspect::snapshot::Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for crate::inspect::snapshot::Edge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = if self.is_weak() { "-weak->" } else { "->" };
        write!(f, "{}{} {arrow} {}", self.source(), EdgeName(self.name().unwrap_or("")), self.target())
    }
}

/// Steps shown at the beginning and at the end of a longer path.
const SHOWN: usize = 100;

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gap = if f.alternate() { "\n  " } else { " " };
        self.view().fmt(f)?;
        let mut line = String::new();
        for step in self.steps() {
            if self.len() > 2 * SHOWN && step.place == SHOWN {
                write!(f, "{gap}-> ({} more)", self.len() - 2 * SHOWN)?;
            }
            if self.len() > 2 * SHOWN && (SHOWN..self.len() - SHOWN).contains(&step.place) {
                continue;
            }
            line.clear();
            write!(line, "{}", EdgeName(step.edge().unwrap_or("")))?;
            if let Some(ephemeron) = step.ephemeron() {
                write!(line, " ({ephemeron})")?;
            }
            write!(line, " -> {step}")?;
            f.write_str(gap)?;
            f.write_str(line.trim_start())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({self})")
    }
}
