//! The types of objects that live in the heaps under test: every combination of destructor, edges, size and
//! alignment that the heap treats differently.
//!
//! Each is a core (what it holds) in a shape (its size and alignment). The large shapes have few slots a page,
//! so that pages fill, empty and close in short programs too.

use std::sync::atomic::{AtomicBool, Ordering};

use arbitrary::Arbitrary;
use slotgc::{Liveness, Trace, Tracer};

use crate::link::{Contents, Link};
use crate::log::{AsideToken, Injected, ObjectId, Token};

/// A type of objects.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Any number of edges, weak entries, and a destructor.
    Node,
    /// Four edges, no destructor: pages close whole.
    Plain,
    /// No edges, a destructor.
    Leaf,
    /// No edges, no destructor.
    Small,
    /// Zero-sized.
    Zero,
    /// As `Plain`, 7 slots a page.
    Chunk,
    /// As `Node`, 3 slots a page.
    Block,
    /// As `Node`, larger than a page.
    Large,
    /// As `Node`, aligned to 64 bytes.
    Wide,
}

pub(crate) type Node = Shaped<Body, ()>;
pub(crate) type Plain = Shaped<Flat, ()>;
pub(crate) type Leaf = Shaped<Tip, ()>;
pub(crate) type Small = Shaped<Word, ()>;
pub(crate) type Zero = Shaped<Nothing, ()>;
pub(crate) type Chunk = Shaped<Flat, Pad<1100>>;
pub(crate) type Block = Shaped<Body, Pad<2048>>;
pub(crate) type Large = Shaped<Body, Pad<9000>>;
pub(crate) type Wide = Shaped<Body, Line>;

/// Evaluates an expression with a type's name bound to the type that a [`Kind`] stands for.
macro_rules! of_kind {
    ($kind:expr, $T:ident => $body:expr) => {
        match $kind {
            $crate::kinds::Kind::Node => {
                type $T = $crate::kinds::Node;
                $body
            }
            $crate::kinds::Kind::Plain => {
                type $T = $crate::kinds::Plain;
                $body
            }
            $crate::kinds::Kind::Leaf => {
                type $T = $crate::kinds::Leaf;
                $body
            }
            $crate::kinds::Kind::Small => {
                type $T = $crate::kinds::Small;
                $body
            }
            $crate::kinds::Kind::Zero => {
                type $T = $crate::kinds::Zero;
                $body
            }
            $crate::kinds::Kind::Chunk => {
                type $T = $crate::kinds::Chunk;
                $body
            }
            $crate::kinds::Kind::Block => {
                type $T = $crate::kinds::Block;
                $body
            }
            $crate::kinds::Kind::Large => {
                type $T = $crate::kinds::Large;
                $body
            }
            $crate::kinds::Kind::Wide => {
                type $T = $crate::kinds::Wide;
                $body
            }
        }
    };
}
pub(crate) use of_kind;

impl Kind {
    pub(crate) const ALL: [Kind; 9] = [
        Kind::Node,
        Kind::Plain,
        Kind::Leaf,
        Kind::Small,
        Kind::Zero,
        Kind::Chunk,
        Kind::Block,
        Kind::Large,
        Kind::Wide,
    ];

    /// Whether dropping one is seen in the log.
    pub(crate) fn has_destructor(self) -> bool {
        matches!(self, Kind::Node | Kind::Leaf | Kind::Block | Kind::Large | Kind::Wide)
    }

    /// Whether it has weak collections, and any number of edges.
    pub(crate) fn has_body(self) -> bool {
        matches!(self, Kind::Node | Kind::Block | Kind::Large | Kind::Wide)
    }

    /// How many objects a burst of this size makes: mostly a few, one time in four hundreds, so that pages fill and
    /// limbo overflows.
    pub(crate) fn burst_len(self, size: u8) -> usize {
        let size = usize::from(size);
        match self {
            Kind::Large => size / 100 + 1,
            Kind::Block | Kind::Chunk => size / 8 + 1,
            _ if size < 192 => size / 8 + 1,
            _ => (size - 191) * 20,
        }
    }

    /// Cuts contents down to what an object of this kind holds.
    pub(crate) fn fit(self, contents: &mut Contents) {
        let (edges, weak) = match self {
            Kind::Node | Kind::Block | Kind::Large | Kind::Wide => (1 << 12, 32),
            Kind::Plain | Kind::Chunk => (Flat::EDGES, 0),
            Kind::Leaf | Kind::Small | Kind::Zero => (0, 0),
        };
        contents.edges.truncate(edges);
        contents.weaks.truncate(weak);
        contents.entries.truncate(weak);
        if self == Kind::Zero {
            contents.value = 0;
        }
    }
}

/// An object of any kind, looked at.
pub(crate) trait View {
    /// Whether this is that object, with those contents.
    fn holds(&self, id: ObjectId, contents: &Contents) -> bool;
    /// Overwrites the contents.
    fn store(&mut self, contents: &Contents);
    /// Makes its destructor, or its next `trace`, panic.
    fn arm(&mut self, fuse: Fuse);
}

/// An object of any kind, made.
pub(crate) trait Object: Trace + View + Sized {
    fn make(id: ObjectId, contents: &Contents) -> Self;
}

/// Where an armed object panics.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fuse {
    /// The next time it is traced, once.
    Trace,
    /// In its destructor.
    Drop,
}

/// What a type holds.
pub(crate) trait Core: Sized + Send + Sync + 'static {
    const TRACED: bool;

    fn make(id: ObjectId, contents: &Contents) -> Self;
    fn holds(&self, id: ObjectId, contents: &Contents) -> bool;
    fn store(&mut self, contents: &Contents);
    fn arm(&mut self, fuse: Fuse) {
        let _ = fuse;
    }
    fn trace(&self, tracer: &mut Tracer<'_>) {
        let _ = tracer;
    }
    fn prune(&mut self, live: &Liveness<'_>) {
        let _ = live;
    }
}

/// What surrounds it in memory.
pub(crate) trait Shape: Send + Sync + 'static {
    fn of(value: u64) -> Self;
    fn is_of(&self, value: u64) -> bool;
}

/// A core in a shape.
#[derive(Debug)]
pub(crate) struct Shaped<C, S> {
    core: C,
    shape: S,
}

impl<C: Core, S: Shape> Trace for Shaped<C, S> {
    const NEEDS_TRACE: bool = C::TRACED;

    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.core.trace(tracer);
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        self.core.prune(live);
    }
}

impl<C: Core, S: Shape> View for Shaped<C, S> {
    fn holds(&self, id: ObjectId, contents: &Contents) -> bool {
        self.core.holds(id, contents) && self.shape.is_of(contents.value)
    }

    fn store(&mut self, contents: &Contents) {
        self.core.store(contents);
        self.shape = S::of(contents.value);
    }

    fn arm(&mut self, fuse: Fuse) {
        self.core.arm(fuse);
    }
}

impl<C: Core, S: Shape> Object for Shaped<C, S> {
    fn make(id: ObjectId, contents: &Contents) -> Self {
        Self { core: C::make(id, contents), shape: S::of(contents.value) }
    }
}

/// Everything: edges, weak collections, a destructor.
#[derive(Debug)]
pub(crate) struct Body {
    contents: Contents,
    trace_panics: AtomicBool,
    token: Token,
}

impl Core for Body {
    const TRACED: bool = true;

    fn make(id: ObjectId, contents: &Contents) -> Self {
        let token = Token { id, armed: false };
        Self { contents: contents.clone(), trace_panics: AtomicBool::new(false), token }
    }

    fn holds(&self, id: ObjectId, contents: &Contents) -> bool {
        self.token.id == id && self.contents == *contents
    }

    fn store(&mut self, contents: &Contents) {
        self.contents.clone_from(contents);
    }

    fn arm(&mut self, fuse: Fuse) {
        match fuse {
            Fuse::Trace => *self.trace_panics.get_mut() = true,
            Fuse::Drop => self.token.armed = true,
        }
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        // Relaxed: one thread.
        if self.trace_panics.load(Ordering::Relaxed) {
            self.trace_panics.store(false, Ordering::Relaxed);
            Injected(self.token.id).raise();
        }
        self.contents.trace(tracer);
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        let id = self.token.id;
        for _ in 0..self.contents.prune_with(live) {
            live.set_aside(AsideToken(id));
        }
    }
}

/// A few edges and no destructor.
#[derive(Debug)]
pub(crate) struct Flat {
    id: ObjectId,
    value: u64,
    edges: [Option<Link>; Self::EDGES],
}

impl Flat {
    const EDGES: usize = 4;
}

impl Core for Flat {
    const TRACED: bool = true;

    fn make(id: ObjectId, contents: &Contents) -> Self {
        let mut made = Self { id, value: 0, edges: [None; Self::EDGES] };
        made.store(contents);
        made
    }

    fn holds(&self, id: ObjectId, contents: &Contents) -> bool {
        self.id == id
            && self.value == contents.value
            && self.edges.iter().flatten().eq(&contents.edges)
            && !contents.is_weak_collection()
    }

    fn store(&mut self, contents: &Contents) {
        self.value = contents.value;
        let mut edges = contents.edges.iter().copied();
        self.edges = std::array::from_fn(|_| edges.next());
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.edges.iter().flatten().for_each(|edge| edge.trace(tracer));
    }
}

/// A value and a destructor.
#[derive(Debug)]
pub(crate) struct Tip {
    value: u64,
    token: Token,
}

impl Core for Tip {
    const TRACED: bool = false;

    fn make(id: ObjectId, contents: &Contents) -> Self {
        Self { value: contents.value, token: Token { id, armed: false } }
    }

    fn holds(&self, id: ObjectId, contents: &Contents) -> bool {
        self.token.id == id && self.value == contents.value
    }

    fn store(&mut self, contents: &Contents) {
        self.value = contents.value;
    }

    fn arm(&mut self, fuse: Fuse) {
        self.token.armed |= fuse == Fuse::Drop;
    }
}

/// A value.
#[derive(Debug)]
pub(crate) struct Word(u64);

impl Core for Word {
    const TRACED: bool = false;

    fn make(_: ObjectId, contents: &Contents) -> Self {
        Self(contents.value)
    }

    fn holds(&self, _: ObjectId, contents: &Contents) -> bool {
        self.0 == contents.value
    }

    fn store(&mut self, contents: &Contents) {
        self.0 = contents.value;
    }
}

/// No value at all.
#[derive(Debug)]
pub(crate) struct Nothing;

impl Core for Nothing {
    const TRACED: bool = false;

    fn make(_: ObjectId, _: &Contents) -> Self {
        Self
    }

    fn holds(&self, _: ObjectId, contents: &Contents) -> bool {
        *contents == Contents::default()
    }

    fn store(&mut self, _: &Contents) {}
}

impl Shape for () {
    fn of(_: u64) -> Self {}

    fn is_of(&self, _: u64) -> bool {
        true
    }
}

/// Words to fill a page with. (Not 1024 of them: LLVM takes arrays of up to 1024 elements apart, for minutes.)
#[derive(Debug)]
pub(crate) struct Pad<const N: usize>([u64; N]);

impl<const N: usize> Shape for Pad<N> {
    fn of(value: u64) -> Self {
        Self([value; N])
    }

    fn is_of(&self, value: u64) -> bool {
        [0, N / 2, N - 1].iter().all(|place| self.0[*place] == value)
    }
}

/// Alignment to a cache line.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Line;

impl Shape for Line {
    fn of(_: u64) -> Self {
        Self
    }

    fn is_of(&self, _: u64) -> bool {
        std::ptr::from_ref(self).addr() % 64 == 0
    }
}
