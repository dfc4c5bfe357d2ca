//! [`GcHeap`]: the heap as a resource, and what belongs to it rather than to a system.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::ops::{Deref, DerefMut};

use bevy_ecs::prelude::*;
use slotgc::{AnyGc, Heap, HeapConfig};

use crate::later::LaterQueue;
use crate::roots::Roots;

/// The heap of a world, as a resource: `Res<GcHeap>` reads objects, `ResMut<GcHeap>` makes and changes them.
///
/// It derefs to [`Heap`]. Collections go through [`pace`](crate::pace()) and
/// [`GcWorldExt`](crate::GcWorldExt), which know the handles in the world: `heap.collect()` knows only the
/// [`Root`](slotgc::Root)s, and would free what only components hold.
///
/// # Examples
/// ```
/// use bevy_ecs::prelude::*;
/// use bevy_slotgc::slotgc::{Gc, Trace};
/// use bevy_slotgc::{GcHeap, GcWorldExt};
///
/// #[derive(Component, Trace)]
/// struct Brain(Gc<Vec<u32>>);
///
/// fn think(mut heap: ResMut<GcHeap>, brains: Query<&Brain>) {
///     for brain in &brains {
///         heap[brain.0].push(1);
///     }
/// }
///
/// let mut world = World::new();
/// world.init_gc();
/// world.register_gc_component::<Brain>();
/// let brain = world.resource_mut::<GcHeap>().alloc(vec![]);
/// world.spawn(Brain(brain));
/// world.run_system_cached(think).unwrap();
/// world.collect_gc();
/// assert_eq!(world.resource::<GcHeap>()[brain], [1]);
/// ```
#[derive(Resource)]
pub struct GcHeap {
    pub(crate) heap: Heap,
    pub(crate) roots: Roots,
    pub(crate) later: LaterQueue,
    /// A queue for each type whose deaths are announced, by type.
    pub(crate) deaths: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
    /// What announces those deaths to the world.
    pub(crate) announcers: Vec<fn(&mut World)>,
}

impl GcHeap {
    /// A heap with these settings.
    pub fn with_config(config: HeapConfig) -> Self {
        Self {
            heap: Heap::with_config(config),
            roots: Roots::default(),
            later: LaterQueue::default(),
            deaths: HashMap::new(),
            announcers: Vec::new(),
        }
    }

    /// Destroys what a despawned component held.
    pub(crate) fn destroy_all(&mut self, doomed: Vec<AnyGc>) {
        for any in doomed {
            self.heap.destroy_any(any);
        }
    }
}

/// A world's settings by default. Its columns are asked whenever marking ends, so new objects that nothing
/// reaches need not be kept.
pub(crate) fn default_config() -> HeapConfig {
    HeapConfig::default().collect_new(true)
}

impl Default for GcHeap {
    fn default() -> Self {
        Self::with_config(default_config())
    }
}

impl Deref for GcHeap {
    type Target = Heap;

    fn deref(&self) -> &Heap {
        &self.heap
    }
}

impl DerefMut for GcHeap {
    fn deref_mut(&mut self) -> &mut Heap {
        &mut self.heap
    }
}

impl fmt::Debug for GcHeap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { heap, roots, later, .. } = self;
        f.debug_struct("GcHeap")
            .field("objects", &heap.len())
            .field("roots", roots)
            .field("later", later)
            .finish()
    }
}
