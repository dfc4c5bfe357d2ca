//! A walk over what some handles reach: through `&`, without a trace in the heap, and without recursion.
//!
//! Beside the heap it takes a bit a granule, and eight bytes for each object found and not yet followed. Only entries of
//! ephemeron tables whose key was not reached so far take more.

use alloc::vec;
use alloc::vec::Vec;

use hashbrown::HashMap;

use crate::graph::marks::Marks;
use crate::graph::schema::TypeOps;
use crate::handle::RawHandle;
use crate::pool::Pool;
use crate::store::Store;
use crate::tag::Tag;
#[cfg(feature = "serde")]
use crate::trace::RootSource;
use crate::trace::{EdgeStack, Recorded, Spill, Watcher};
use crate::weak::Fixed;

/// Why a walk ended early: at this object.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    NotInSchema(RawHandle),
    Locked(RawHandle),
    /// A root source holds a lock that somebody has.
    #[cfg(feature = "serde")]
    SourceLocked,
}

/// An edge that counts once keys are reached: all that are left of them.
struct Waiting {
    edge: RawHandle,
    more_keys: Vec<RawHandle>,
}

pub(crate) struct Walk<'a> {
    store: &'a Store,
    types: &'a [TypeOps],
    /// The number of each pool's type in the schema, as far as it was looked for.
    of_pools: Vec<Option<Option<usize>>>,
    marks: Marks,
    stack: EdgeStack,
    spill: Spill,
    waiting: HashMap<RawHandle, Vec<Waiting>, Fixed>,
    watcher: Watcher,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(store: &'a Store, pools: &[Pool], types: &'a [TypeOps]) -> Self {
        Self {
            store,
            types,
            of_pools: vec![None; pools.len()],
            marks: Marks::default(),
            stack: EdgeStack::default(),
            spill: Spill::default(),
            waiting: HashMap::default(),
            watcher: Watcher::new(),
        }
    }

    /// The number of the object's type in the schema.
    pub(crate) fn type_of(&mut self, raw: RawHandle) -> Option<usize> {
        let pool = usize::from(self.store.pool_of(raw.granule()));
        let (store, types) = (self.store, self.types);
        *self.of_pools[pool]
            .get_or_insert_with(|| types.iter().position(|ops| (ops.is_page_of)(store, raw.granule())))
    }

    /// What a root source reports, in order and with repeats, null handles and dead ones included; not what it has under
    /// the key of an ephemeron, which waits for that.
    #[cfg(feature = "serde")]
    pub(crate) fn report(&mut self, source: &dyn RootSource) -> Result<Vec<RawHandle>, Stop> {
        self.watcher.watch(|tracer| source.trace_roots(tracer));
        let findings = self.watcher.take();
        let mut handles = Vec::with_capacity(findings.most());
        let mut keys = Vec::new();
        for found in findings {
            match found {
                Recorded::Edge(raw, of) if keys.is_empty() => handles.push(self.of(raw, of)),
                Recorded::Edge(raw, of) => {
                    // Nothing is reached so far.
                    let raw = self.of(raw, of);
                    self.wait(raw, keys.clone());
                }
                Recorded::Ephemeron(key, of) => keys.push(self.of(key, of)),
                Recorded::EndOfEphemeron => drop(keys.pop()),
                Recorded::Gap => return Err(Stop::SourceLocked),
            }
        }
        Ok(handles)
    }

    /// The handle if its object is of this type, else null: a handle of made-up bits may lead to another one, which it
    /// does not name.
    fn of(&mut self, raw: RawHandle, of: Tag) -> RawHandle {
        if of == Tag::NONE || raw.is_null() || !self.store.is_alive_any(raw) {
            return raw;
        }
        let is_of = match self.type_of(raw) {
            Some(index) => self.types[index].tag == of,
            None => !self.types.iter().any(|ops| ops.tag == of),
        };
        if is_of { raw } else { RawHandle::NULL }
    }

    /// The object is reached, if there is one. What waits for it is too.
    pub(crate) fn reach(&mut self, raw: RawHandle, is_left_out: &mut dyn FnMut(RawHandle) -> bool) {
        if self.enter(raw, is_left_out) && !self.waiting.is_empty() {
            self.release(raw, is_left_out);
        }
    }

    /// Notes that the object is reached; `false` if there is none, or that was known.
    fn enter(&mut self, raw: RawHandle, is_left_out: &mut dyn FnMut(RawHandle) -> bool) -> bool {
        let is_new = !raw.is_null() && self.store.is_alive_any(raw) && self.marks.insert(raw.granule());
        if is_new && !is_left_out(raw) {
            self.stack.push(raw, &mut self.spill);
        }
        is_new
    }

    /// Lets go what waits for this object, and what waits for that.
    fn release(&mut self, key: RawHandle, is_left_out: &mut dyn FnMut(RawHandle) -> bool) {
        let mut keys = Vec::from([key]);
        while let Some(key) = keys.pop() {
            for Waiting { edge, more_keys } in self.waiting.remove(&key).into_iter().flatten() {
                let edge = self.wait(edge, more_keys);
                keys.extend(edge.filter(|edge| self.enter(*edge, is_left_out)));
            }
        }
    }

    fn is_reached(&self, raw: RawHandle) -> bool {
        self.store.is_alive_any(raw) && self.marks.contains(raw.granule())
    }

    /// Files an edge under the first of its keys that is not reached; gives it back if there is none.
    fn wait(&mut self, edge: RawHandle, mut keys: Vec<RawHandle>) -> Option<RawHandle> {
        while let Some(key) = keys.pop() {
            if self.is_reached(key) {
                continue;
            }
            if !key.is_null() && self.store.is_alive_any(key) {
                self.waiting.entry(key).or_default().push(Waiting { edge, more_keys: keys });
            }
            return None;
        }
        Some(edge)
    }

    /// Follows all edges; `visit` gets each object that is reached, once, with the number of its type.
    pub(crate) fn follow(
        &mut self,
        is_left_out: &mut dyn FnMut(RawHandle) -> bool,
        visit: &mut dyn FnMut(RawHandle, usize),
    ) -> Result<(), Stop> {
        let mut keys = Vec::new();
        loop {
            let Some(raw) = self.stack.pop() else {
                if self.stack.unspill(&mut self.spill) {
                    continue;
                }
                return Ok(());
            };
            let index = self.type_of(raw).ok_or(Stop::NotInSchema(raw))?;
            visit(raw, index);
            let ops = self.types[index];
            if !ops.needs_trace {
                continue;
            }
            let store = self.store;
            self.watcher.watch(|tracer| (ops.trace)(store, raw, tracer));
            let mut findings = self.watcher.take();
            keys.clear();
            for found in &mut findings {
                match found {
                    Recorded::Edge(edge, _) if self.marks.contains(edge.granule()) && keys.is_empty() => {}
                    Recorded::Edge(edge, of) => {
                        let edge = self.of(edge, of);
                        let edge = if keys.is_empty() { Some(edge) } else { self.wait(edge, keys.clone()) };
                        if let Some(edge) = edge {
                            self.reach(edge, is_left_out);
                        }
                    }
                    Recorded::Ephemeron(key, of) => keys.push(self.of(key, of)),
                    Recorded::EndOfEphemeron => drop(keys.pop()),
                    Recorded::Gap => return Err(Stop::Locked(raw)),
                }
            }
            self.watcher.give_back(findings);
        }
    }

    /// Everything reached, and what was left out.
    #[cfg(feature = "serde")]
    pub(crate) fn into_marks(self) -> Marks {
        self.marks
    }
}
