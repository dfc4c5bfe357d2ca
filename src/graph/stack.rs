//! A walk that only looks, last in, first out: eight bytes for each object found and not yet followed.

use crate::graph::schema::TypeOps;
use crate::graph::walk::{Ahead, Stop, Walk};
use crate::handle::RawHandle;
use crate::store::Store;
use crate::trace::{EdgeStack, Spill, Watcher};

/// What was found and not yet followed.
pub(crate) struct Stack<'a> {
    store: &'a Store,
    types: &'a [TypeOps],
    edges: EdgeStack,
    spill: Spill,
}

impl Ahead for Stack<'_> {
    fn store(&self) -> &Store {
        self.store
    }

    #[inline]
    fn push(&mut self, raw: RawHandle, _: Option<u16>) {
        self.edges.push(raw, &mut self.spill);
    }
}

/// How many objects ahead are prefetched.
const AHEAD: usize = 32;

impl<'a> Stack<'a> {
    pub(crate) fn new(store: &'a Store, types: &'a [TypeOps]) -> Self {
        Self { store, types, edges: EdgeStack::default(), spill: Spill::default() }
    }

    /// Follows all edges from this object on, and counts what is reached by the number of its type.
    pub(crate) fn follow(
        &mut self,
        walk: &mut Walk,
        watcher: &mut Watcher,
        from: RawHandle,
        counts: &mut [usize],
    ) -> Result<(), Stop> {
        walk.reach(from, &mut None, self);
        let mut queue = [RawHandle::NULL; AHEAD];
        let (mut first, mut len) = (0, 0);
        loop {
            while len < AHEAD {
                let Some(raw) = self.edges.pop() else {
                    if self.edges.unspill(&mut self.spill) { continue } else { break }
                };
                walk.prefetch(self.store, raw);
                queue[(first + len) % AHEAD] = raw;
                len += 1;
            }
            if len == 0 {
                return Ok(());
            }
            let raw = queue[first];
            (first, len) = ((first + 1) % AHEAD, len - 1);
            self.follow_one(walk, watcher, raw, counts)?;
        }
    }

    #[inline(always)]
    fn follow_one(
        &mut self,
        walk: &mut Walk,
        watcher: &mut Watcher,
        raw: RawHandle,
        counts: &mut [usize],
    ) -> Result<(), Stop> {
        let Some(index) = walk.index_of(raw).map(usize::from) else {
            return if self.store.is_alive_any(raw) {
                Err(Stop::NotInSchema(raw))
            } else {
                walk.take_back(self.store, raw)
            };
        };
        let ops = &self.types[index];
        if !(ops.trace)(self.store, raw, watcher) {
            return walk.take_back(self.store, raw);
        }
        counts[index] += 1;
        walk.reach_seen(raw, watcher, &mut None, self)
    }
}
