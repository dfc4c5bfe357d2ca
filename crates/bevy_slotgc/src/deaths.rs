//! [`ObjectDied`]: the deaths of objects, as messages and for observers.

use std::any::TypeId;
use std::fmt;

use bevy_ecs::event::Event;
use bevy_ecs::message::Message;
use bevy_ecs::prelude::*;
use slotgc::{Dead, DeathQueue, Handle, Trace, Watch, Weak};

use crate::GcHeap;

/// A [watched](GcHeap::announce_death) object is gone: a message, and an event for observers.
/// [`announce_deaths`](crate::announce_deaths) sends it after the collection that found the object dead.
///
/// # Examples
/// ```
/// use bevy_ecs::prelude::*;
/// use bevy_slotgc::{GcHeap, GcWorldExt, ObjectDied};
///
/// #[derive(Resource, Default)]
/// struct Graves(Vec<Option<Entity>>);
///
/// let mut world = World::new();
/// world.init_gc();
/// world.add_gc_deaths::<String>();
/// world.init_resource::<Graves>();
/// world.add_observer(|died: On<ObjectDied<String>>, mut graves: ResMut<Graves>| graves.0.push(died.entity));
///
/// let entity = world.spawn_empty().id();
/// let mut heap = world.resource_mut::<GcHeap>();
/// let wolf = heap.alloc("a wolf".to_string());
/// heap.announce_death_of(wolf, entity).unwrap();
///
/// world.collect_gc();
/// assert_eq!(world.resource::<Graves>().0, [Some(entity)]);
/// assert_eq!(world.resource::<Messages<ObjectDied<String>>>().len(), 1);
/// ```
#[derive(Event, Message)]
pub struct ObjectDied<T: Trace> {
    /// The object that died: resolves to nothing, and equals the handles that still exist.
    pub object: Weak<T>,
    /// The entity that it was watched for.
    pub entity: Option<Entity>,
}

impl<T: Trace> Clone for ObjectDied<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Trace> Copy for ObjectDied<T> {}

impl<T: Trace> fmt::Debug for ObjectDied<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, entity } = self;
        f.debug_struct("ObjectDied").field("object", object).field("entity", entity).finish()
    }
}

impl GcHeap {
    /// Announces this object's death by [`ObjectDied`], once. Any number of objects can be watched; each
    /// costs as much as a [`DeathQueue`] watch.
    ///
    /// # Errors
    /// [`Dead`] if the object is gone already.
    pub fn announce_death<T: Trace>(&mut self, h: impl Handle<Target = T>) -> Result<Watch, Dead> {
        self.announce(h, None)
    }

    /// As [`announce_death`](Self::announce_death), with the entity that it concerns.
    ///
    /// # Errors
    /// [`Dead`] if the object is gone already.
    pub fn announce_death_of<T: Trace>(
        &mut self,
        h: impl Handle<Target = T>,
        entity: Entity,
    ) -> Result<Watch, Dead> {
        self.announce(h, Some(entity))
    }

    fn announce<T: Trace>(
        &mut self,
        h: impl Handle<Target = T>,
        entity: Option<Entity>,
    ) -> Result<Watch, Dead> {
        let queue = self.death_queue::<T>();
        queue.watch(&mut self.heap, h, ObjectDied { object: h.downgrade(), entity })
    }

    /// The queue of this type's deaths, made at its first use.
    pub(crate) fn death_queue<T: Trace>(&mut self) -> DeathQueue<ObjectDied<T>> {
        let Self { deaths, announcers, .. } = self;
        let queue = deaths.entry(TypeId::of::<T>()).or_insert_with(|| {
            announcers.push(announce::<T>);
            Box::new(DeathQueue::<ObjectDied<T>>::new())
        });
        queue.downcast_ref::<DeathQueue<ObjectDied<T>>>().expect("filed under its type").clone()
    }
}

/// Announces the deaths of one type.
fn announce<T: Trace>(world: &mut World) {
    let queue = world.resource_mut::<GcHeap>().bypass_change_detection().death_queue::<T>();
    // Only those present now: deaths caused by an observer are announced next time.
    let died: Vec<_> = std::iter::from_fn(|| queue.poll()).take(queue.len()).collect();
    if died.is_empty() {
        return;
    }
    if let Some(mut messages) = world.get_resource_mut::<Messages<ObjectDied<T>>>() {
        messages.write_batch(died.iter().copied());
    }
    died.into_iter().for_each(|died| world.trigger(died));
}
