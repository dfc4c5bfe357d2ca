//! [`GcCommands`]: deferred commands whose handles are not lost.

use std::ops::{Deref, DerefMut};

use bevy_ecs::event::Event;
use bevy_ecs::prelude::*;
use bevy_ecs::system::SystemParam;
use slotgc::{Heap, Trace};

use crate::{GcHeap, GcInFlight};

/// [`Commands`] for values that hold handles. A command is applied later, and until then the world does not
/// have the component: a collection that comes first would free the object. Values passed to these methods
/// are kept alive until the command is applied, or dropped unapplied.
///
/// It derefs to `Commands`, and can be used beside `ResMut<GcHeap>` in one system.
///
/// # Examples
/// ```
/// use bevy_ecs::prelude::*;
/// use bevy_slotgc::slotgc::{Gc, Trace};
/// use bevy_slotgc::{GcCommands, GcHeap, GcWorldExt};
///
/// #[derive(Component, Trace)]
/// struct Brain(Gc<String>);
///
/// /// The handle exists already: it travels with the command.
/// fn spawn(mut heap: ResMut<GcHeap>, mut commands: GcCommands) {
///     let brain = heap.alloc("honey".to_string());
///     commands.spawn_gc(Brain(brain));
/// }
///
/// /// Or it does not yet: the object is allocated when the command is applied, and this system runs beside
/// /// others that read the heap.
/// fn spawn_in_parallel(mut commands: GcCommands) {
///     commands.spawn_with_heap(|heap| Brain(heap.alloc("more honey".to_string())));
/// }
///
/// let mut world = World::new();
/// world.init_gc();
/// world.register_gc_component::<Brain>();
/// world.run_system_cached(spawn).unwrap();
/// world.run_system_cached(spawn_in_parallel).unwrap();
/// world.collect_gc();
/// assert_eq!(world.resource::<GcHeap>().len(), 2);
/// ```
#[derive(SystemParam)]
pub struct GcCommands<'w, 's> {
    commands: Commands<'w, 's>,
    in_flight: Res<'w, GcInFlight>,
}

impl GcCommands<'_, '_> {
    /// Spawns an entity with these components, as [`Commands::spawn`] does.
    ///
    /// A bundle of components is [`Trace`] if all of them are: insert the others with
    /// [`EntityCommands::insert`] on the returned value.
    pub fn spawn_gc<B: Bundle + Trace>(&mut self, bundle: B) -> EntityCommands<'_> {
        let kept = self.in_flight.keep(bundle);
        let mut entity = self.commands.spawn_empty();
        entity.queue(move |mut entity: EntityWorldMut<'_>| {
            entity.insert(kept.into_inner());
        });
        entity
    }

    /// Inserts these components, as [`EntityCommands::insert`] does.
    pub fn insert_gc<B: Bundle + Trace>(&mut self, entity: Entity, bundle: B) -> EntityCommands<'_> {
        let kept = self.in_flight.keep(bundle);
        let mut entity = self.commands.entity(entity);
        entity.queue(move |mut entity: EntityWorldMut<'_>| {
            entity.insert(kept.into_inner());
        });
        entity
    }

    /// Spawns an entity whose components are made with access to the heap when the command is applied. No
    /// handle is in flight, and the system needs no `ResMut<GcHeap>`. Commands are applied in the order of
    /// their systems, so runs are reproducible.
    pub fn spawn_with_heap<B: Bundle>(
        &mut self,
        make: impl FnOnce(&mut Heap) -> B + Send + 'static,
    ) -> EntityCommands<'_> {
        let mut entity = self.commands.spawn_empty();
        entity.queue(move |mut entity: EntityWorldMut<'_>| {
            let bundle = entity.world_scope(|world| make(&mut world.resource_mut::<GcHeap>()));
            entity.insert(bundle);
        });
        entity
    }

    /// Changes the heap when the command is applied.
    pub fn queue_heap(&mut self, change: impl FnOnce(&mut Heap) + Send + 'static) {
        self.commands.queue(move |world: &mut World| change(&mut world.resource_mut::<GcHeap>()));
    }

    /// Queues any command about a value that holds handles.
    pub fn queue_gc<V: Trace>(&mut self, value: V, apply: impl FnOnce(V, &mut World) + Send + 'static) {
        let kept = self.in_flight.keep(value);
        self.commands.queue(move |world: &mut World| apply(kept.into_inner(), world));
    }

    /// Writes a message, as [`Commands::write_message`] does. Register its type
    /// ([`register_gc_message`](crate::GcWorldExt::register_gc_message)), so that its handles are still seen
    /// afterwards.
    pub fn write_gc_message<M: Message + Trace>(&mut self, message: M) {
        self.queue_gc(message, |message, world| {
            world.write_message(message);
        });
    }

    /// Triggers an event, as [`Commands::trigger`] does. No collection runs while observers do.
    pub fn trigger_gc<E: Trace + for<'a> Event<Trigger<'a>: Default>>(&mut self, event: E) {
        self.queue_gc(event, |event, world| world.trigger(event));
    }
}

impl<'w, 's> Deref for GcCommands<'w, 's> {
    type Target = Commands<'w, 's>;

    fn deref(&self) -> &Self::Target {
        &self.commands
    }
}

impl DerefMut for GcCommands<'_, '_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.commands
    }
}

impl std::fmt::Debug for GcCommands<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GcCommands").field("in_flight", &*self.in_flight).finish_non_exhaustive()
    }
}
