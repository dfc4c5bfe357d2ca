//! [`GcWorldExt`]: what a `World` can do with a heap in it.

use bevy_ecs::lifecycle::Despawn;
use bevy_ecs::message::{Message, MessageRegistry};
use bevy_ecs::prelude::*;
use bevy_ecs::world::DeferredWorld;
use slotgc::{CollectStats, Heap, HeapConfig, RootSource, Trace};

use crate::heap::default_config;
use crate::roots::{Holder, ItsMessages, Itself};
use crate::{GcColumn, GcFrame, GcHeap, GcInFlight, GcSettings, ObjectDied, announce_deaths};

/// A heap in a [`World`]: registering what holds handles, and collecting. [`GcAppExt`](crate::GcAppExt) is
/// the same for an `App`.
///
/// # Examples
/// ```
/// use bevy_ecs::prelude::*;
/// use bevy_slotgc::slotgc::{Gc, Trace};
/// use bevy_slotgc::{GcHeap, GcWorldExt};
///
/// #[derive(Component, Trace)]
/// struct Brain(Gc<String>);
///
/// #[derive(Resource, Trace)]
/// struct Motto(Gc<String>);
///
/// let mut world = World::new();
/// world.init_gc();
/// world.register_gc_component::<Brain>();
/// world.register_gc_resource::<Motto>();
///
/// let mut heap = world.resource_mut::<GcHeap>();
/// let (brain, motto) = (heap.alloc("sleep".to_string()), heap.alloc("honey first".to_string()));
/// heap.alloc("garbage".to_string());
/// let bear = world.spawn(Brain(brain)).id();
/// world.insert_resource(Motto(motto));
/// assert_eq!(world.collect_gc().freed, 1);
/// world.despawn(bear);
/// assert_eq!(world.collect_gc().freed, 1);
/// ```
pub trait GcWorldExt {
    /// Inserts the resources of this crate: [`GcHeap`], [`GcSettings`], [`GcInFlight`], [`GcFrame`]. Existing
    /// ones stay.
    fn init_gc(&mut self);

    /// The same, with a heap with these settings.
    fn init_gc_with(&mut self, config: HeapConfig);

    /// Makes the handles in this component roots. Once for each type; repeating it does nothing. Costs
    /// nothing when entities come and go; a collection visits what changed.
    ///
    /// # Panics
    /// Without a [`GcHeap`], as do all of these methods.
    fn register_gc_component<C: Component + Trace>(&mut self);

    /// As [`register_gc_component`](Self::register_gc_component), with settings.
    fn register_gc_component_with<C: Component + Trace>(&mut self, column: GcColumn<C>);

    /// Makes the handles in this resource roots, from its insertion until its removal.
    fn register_gc_resource<R: Resource + Trace>(&mut self);

    /// Makes the handles in messages of this type roots for as long as readers can read them. Registers the
    /// message, as `add_message` does.
    fn register_gc_message<M: Message + Trace>(&mut self);

    /// Makes [`ObjectDied<T>`] a message that can be read. Observers are notified of deaths even without
    /// this.
    fn add_gc_deaths<T: Trace>(&mut self);

    /// A full collection with the handles of the world; then deaths are announced. For loading screens and
    /// tests.
    fn collect_gc(&mut self) -> CollectStats;

    /// Runs code with the heap and with the handles of the world as a root source: for all methods that end
    /// in `_with`. First, commands queued in the world are applied and pending objects are made. Inside, the
    /// world has no [`GcHeap`].
    fn gc_scope<U>(&mut self, code: impl FnOnce(&mut Heap, &dyn RootSource) -> U) -> U;
}

impl GcWorldExt for World {
    fn init_gc(&mut self) {
        self.init_gc_with(default_config());
    }

    fn init_gc_with(&mut self, config: HeapConfig) {
        self.get_resource_or_insert_with(|| GcHeap::with_config(config));
        self.init_resource::<GcSettings>();
        self.init_resource::<GcInFlight>();
        self.init_resource::<GcFrame>();
    }

    fn register_gc_component<C: Component + Trace>(&mut self) {
        self.register_gc_component_with(GcColumn::<C>::new());
    }

    fn register_gc_component_with<C: Component + Trace>(&mut self, column: GcColumn<C>) {
        let GcColumn { always, destroy, .. } = column;
        add_column::<C, Itself>(self, always);
        if let Some(doomed) = destroy {
            self.add_observer(move |despawn: On<Despawn<C>>, mut world: DeferredWorld| {
                // Not by a query, which leaves out disabled entities.
                let doomed = world.entity(despawn.entity).get::<C>().map(&doomed);
                if let (Some(doomed), Some(mut heap)) = (doomed, world.get_resource_mut::<GcHeap>()) {
                    heap.destroy_all(doomed);
                }
            });
        }
    }

    fn register_gc_resource<R: Resource + Trace>(&mut self) {
        add_column::<R, Itself>(self, false);
    }

    fn register_gc_message<M: Message + Trace>(&mut self) {
        if !self.contains_resource::<Messages<M>>() {
            MessageRegistry::register_message::<M>(self);
        }
        // All of them if there is a new one: they are those of two frames.
        add_column::<Messages<M>, ItsMessages>(self, false);
    }

    fn add_gc_deaths<T: Trace>(&mut self) {
        if !self.contains_resource::<Messages<ObjectDied<T>>>() {
            MessageRegistry::register_message::<ObjectDied<T>>(self);
        }
    }

    fn collect_gc(&mut self) -> CollectStats {
        let stats = self.gc_scope(|heap, roots| heap.collect_with(roots));
        announce_deaths(self);
        stats
    }

    fn gc_scope<U>(&mut self, code: impl FnOnce(&mut Heap, &dyn RootSource) -> U) -> U {
        self.flush();
        self.resource_scope(|world, mut heap: Mut<GcHeap>| {
            // Systems that react to changes of this resource should not see each frame's collection.
            let heap = heap.bypass_change_detection();
            heap.flush();
            let in_flight = world.resource::<GcInFlight>().clone();
            in_flight.tidy();
            let now = world.increment_change_tick();
            let last_report = heap.roots.last_report(now).unwrap_or(now);
            // Summaries of whole tables are compared with the world's last change tick.
            world.last_change_tick_scope(last_report, |world| {
                code(&mut heap.heap, &heap.roots.source(world, &in_flight, now))
            })
        })
    }
}

fn add_column<C: Component, H: Holder<C>>(world: &mut World, always: bool) {
    world.resource_scope(|world, mut heap: Mut<GcHeap>| heap.roots.add::<C, H>(world, always));
}
