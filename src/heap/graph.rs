//! Copying graphs of objects, with handles replaced in the copies.
//!
//! All or nothing: if something goes wrong, a panic in a `clone` included, what was made so far is destroyed.

mod copying;
mod relink;

use crate::config::{AllocError, Limit};
use crate::graph::{Care, GraphError, LeaveOut, Relinked, Schema, Stop, path_to};
use crate::handle::{AnyGc, Gc, RawHandle};
use crate::heap::Heap;
use crate::trace::{Handle, Link, Trace};

pub use copying::CloneTypes;
use copying::{Copying, Failure};
#[cfg(feature = "serde")]
pub(super) use relink::HeapTypes;

/// # Copying graphs
impl Heap {
    /// Copies an object and everything that it reaches by strong edges: a prefab. Handles inside the copy
    /// lead to copies, strong and weak ones alike; those to objects outside lead where they led. Handles to
    /// the dead become null. Maps keyed by handles are rebuilt.
    ///
    /// The types must be `Clone`. Their `clone` must copy handles unchanged, as a derived one does. O(objects
    /// and edges). Needs some forty bytes per object beside the heap, half of which [`Relinked`] keeps, and a
    /// few times as much where the originals lie far from each other.
    ///
    /// # Errors
    /// [`GraphError`]; the heap is as it was, except for slots that become free again with the next
    /// collection.
    ///
    /// # Panics
    /// If a `clone`, a `trace` or a `relink` does; what was copied so far is destroyed.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Gc, Heap, Schema, Trace, Weak};
    ///
    /// #[derive(Trace, Clone)]
    /// struct Part { parent: Weak<Part>, children: Vec<Gc<Part>> }
    ///
    /// let mut heap = Heap::new();
    /// let car = heap.alloc(Part { parent: Weak::dangling(), children: vec![] });
    /// let wheel = heap.alloc(Part { parent: car.into(), children: vec![] });
    /// heap[car].children = vec![wheel; 4];
    ///
    /// let (copy, _) = heap.clone_graph(car, &Schema::new().with::<Part>("part")).unwrap();
    /// let wheel = heap[copy].children[0];
    /// assert_eq!(heap[wheel].parent, copy);
    /// assert_eq!(heap.len(), 4);
    /// ```
    #[doc(alias("prefab", "deep clone"))]
    pub fn clone_graph<T: Trace, L: CloneTypes>(
        &mut self,
        h: impl Handle<Target = T>,
        schema: &Schema<L>,
    ) -> Result<(Gc<T>, Relinked), GraphError> {
        self.clone_graph_from(h, schema, None)
    }

    /// As [`clone_graph`](Self::clone_graph), but objects for which `share` returns true are not copied, nor
    /// is what only they reach: the copy refers to the originals. `share` is called once for each object but
    /// the first.
    ///
    /// # Errors
    /// [`GraphError`]; the heap is as it was.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Gc, Heap, Schema, Trace};
    ///
    /// #[derive(Trace, Clone)]
    /// struct Mob { skin: Gc<Texture> }
    /// #[derive(Trace)]
    /// struct Texture(Vec<u8>); // too large to be copied, and not in the schema
    ///
    /// let mut heap = Heap::new();
    /// let skin = heap.alloc(Texture(vec![0; 1 << 20]));
    /// let wolf = heap.alloc(Mob { skin });
    /// let schema = Schema::new().with::<Mob>("mob");
    /// let (copy, _) = heap.clone_graph_until(wolf, &schema, &mut |any| any == skin.erase()).unwrap();
    /// assert_eq!(heap[copy].skin, skin);
    /// ```
    pub fn clone_graph_until<T: Trace, L: CloneTypes>(
        &mut self,
        h: impl Handle<Target = T>,
        schema: &Schema<L>,
        share: &mut dyn FnMut(AnyGc) -> bool,
    ) -> Result<(Gc<T>, Relinked), GraphError> {
        let original = self.local(h).raw();
        let mut leave_out = |raw| raw != original && share(AnyGc::from_raw(raw));
        self.clone_graph_from(h, schema, Some(&mut leave_out))
    }

    fn clone_graph_from<T: Trace, L: CloneTypes>(
        &mut self,
        h: impl Handle<Target = T>,
        schema: &Schema<L>,
        mut leave_out: LeaveOut<'_>,
    ) -> Result<(Gc<T>, Relinked), GraphError> {
        let original = self.local(h).raw();
        if !self.is_alive(h) {
            return Err(GraphError::Dead(self.dead(h)));
        }
        // `leave_out` is called only once per object.
        let mut care = if leave_out.is_some() { Care::Each } else { Care::Late };
        loop {
            match Copying::new(self, schema.types(), L::copiers(), care).run(original, &mut leave_out) {
                Ok(relinked) => {
                    let copy = relinked.map.find(Link { raw: original, typed: None });
                    return Ok((Gc::from_raw(copy.expect("the first has a copy")), relinked));
                }
                Err(Failure::Stop(Stop::Stale)) if care == Care::Late => care = Care::Each,
                // A handle of an object that is gone took room until its turn came, perhaps all there was.
                Err(Failure::Graph(GraphError::Limit(_))) if care == Care::Late => care = Care::Each,
                Err(Failure::Stop(stop)) => return Err(self.graph_error(stop, schema, &[original])),
                Err(Failure::Graph(error)) => return Err(error),
            }
        }
    }

    /// The error for a walk that ended early.
    pub(super) fn graph_error<L>(&self, stop: Stop, schema: &Schema<L>, starts: &[RawHandle]) -> GraphError {
        let path = |raw| path_to(&self.store, &self.pools, schema.types(), starts, raw);
        match stop {
            Stop::NotInSchema(raw) => {
                let pool = &self.pools[usize::from(self.store.pool_of(raw.granule()))];
                GraphError::NotInSchema { type_name: pool.info().name, path: path(raw) }
            }
            Stop::Locked(raw) => GraphError::Locked { path: path(raw) },
            Stop::Stale => unreachable!("the walk was made again with care"),
            #[cfg(feature = "serde")]
            Stop::SourceLocked => GraphError::Locked { path: alloc::string::String::from("the root source") },
        }
    }

    /// Whether there is room for this many more objects, of this many bytes.
    pub(super) fn check_room(&self, objects: usize, bytes: usize) -> Result<(), GraphError> {
        let making = self.making();
        let (most_objects, most_bytes) = (self.config.objects_limit(), self.config.bytes_limit());
        let refused = |limit| Err(GraphError::Limit(AllocError::new((), limit)));
        if objects > most_objects.saturating_sub(self.len() + making.objects) {
            return refused(Limit::Objects(most_objects));
        }
        if bytes > most_bytes.saturating_sub(self.bytes() + making.bytes) {
            return refused(Limit::Bytes(most_bytes));
        }
        Ok(())
    }
}
