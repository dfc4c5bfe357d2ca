//! Cores and shapes: what objects hold, and what surrounds it in memory.

use std::sync::atomic::{AtomicBool, Ordering};

use slotgc::{Links, Liveness, Trace, Tracer};

use crate::contents::{Contents, FEW_EDGES};
use crate::kind::UserCode;
use crate::link::{Link, ObjectId};
use crate::log::{self, AsideToken, Event, Injected, Token, user_code};
use crate::types::view::{Object, View};

pub(crate) type Node = Shaped<Body, ()>;
pub(crate) type Plain = Shaped<Flat, ()>;
pub(crate) type Leaf = Shaped<Tip, ()>;
pub(crate) type Small = Shaped<Word, ()>;
pub(crate) type Zero = Shaped<Nothing, ()>;
pub(crate) type Chunk = Shaped<Flat, Pad<1100>>;
pub(crate) type Block = Shaped<Body, Pad<2048>>;
pub(crate) type Large = Shaped<Body, Pad<9000>>;
pub(crate) type Wide = Shaped<Body, Line>;

/// What a type holds.
pub(crate) trait Core: Sized + Send + Sync + 'static {
    const TRACED: bool;

    fn make(id: ObjectId, contents: &Contents) -> Self;
    fn holds(&self, id: ObjectId, contents: &Contents) -> bool;
    fn store(&mut self, contents: &Contents);
    fn arm_trace(&mut self) {}
    fn token(&mut self) -> Option<&mut Token> {
        None
    }
    fn trace(&self, tracer: &mut Tracer<'_>) {
        let _ = tracer;
    }
    fn prune(&mut self, live: &Liveness<'_>) {
        let _ = live;
    }
    /// Hands out the handles, of what can be copied.
    fn relink(&mut self, links: &mut Links<'_>) {
        links.unsupported::<Self>();
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

impl<C: Clone, S: Clone> Clone for Shaped<C, S> {
    fn clone(&self) -> Self {
        user_code(UserCode::Cloning);
        Self { core: self.core.clone(), shape: self.shape.clone() }
    }
}

impl<C: Core, S: Shape> Trace for Shaped<C, S> {
    const NEEDS_TRACE: bool = C::TRACED;

    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.core.trace(tracer);
    }

    fn prune(&mut self, live: &Liveness<'_>) {
        self.core.prune(live);
    }

    fn relink(&mut self, links: &mut Links<'_>) {
        self.core.relink(links);
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

    fn arm_trace(&mut self) {
        self.core.arm_trace();
    }

    fn token(&mut self) -> Option<&mut Token> {
        self.core.token()
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
        Self { contents: contents.clone(), trace_panics: AtomicBool::new(false), token: Token::new(id) }
    }

    fn holds(&self, id: ObjectId, contents: &Contents) -> bool {
        self.token.id == id && self.contents == *contents
    }

    fn store(&mut self, contents: &Contents) {
        self.contents.clone_from(contents);
    }

    fn arm_trace(&mut self) {
        *self.trace_panics.get_mut() = true;
    }

    fn token(&mut self) -> Option<&mut Token> {
        Some(&mut self.token)
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        // Relaxed: one thread.
        if self.trace_panics.load(Ordering::Relaxed) {
            self.trace_panics.store(false, Ordering::Relaxed);
            log::write(Event::TracePanicked(self.token.id));
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
#[derive(Clone, Debug)]
pub(crate) struct Flat {
    id: ObjectId,
    value: u64,
    edges: [Option<Link>; FEW_EDGES],
}

impl Core for Flat {
    const TRACED: bool = true;

    fn make(id: ObjectId, contents: &Contents) -> Self {
        let mut made = Self { id, value: 0, edges: [None; FEW_EDGES] };
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

    fn relink(&mut self, links: &mut Links<'_>) {
        self.edges.iter_mut().flatten().for_each(|edge| edge.relink(links));
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
        Self { value: contents.value, token: Token::new(id) }
    }

    fn holds(&self, id: ObjectId, contents: &Contents) -> bool {
        self.token.id == id && self.value == contents.value
    }

    fn store(&mut self, contents: &Contents) {
        self.value = contents.value;
    }

    fn token(&mut self) -> Option<&mut Token> {
        Some(&mut self.token)
    }
}

/// A value.
#[derive(Clone, Debug)]
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

    fn relink(&mut self, _: &mut Links<'_>) {}
}

/// No value at all.
#[derive(Clone, Debug)]
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

    fn relink(&mut self, _: &mut Links<'_>) {}
}

impl Shape for () {
    fn of(_: u64) -> Self {}

    fn is_of(&self, _: u64) -> bool {
        true
    }
}

/// Words to fill a page with. (Not 1024 of them: LLVM splits arrays of up to 1024 elements, which takes
/// minutes.)
#[derive(Clone, Debug)]
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
