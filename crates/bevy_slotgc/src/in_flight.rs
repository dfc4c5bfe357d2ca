//! Values with handles that travel: in a deferred command, in a task, in a queue between two systems.
//!
//! Such a value is in no component and in no resource, so the root source that visits those does not see it,
//! and a collection that comes first would free its objects. A [`Kept`] is seen: the list of all of them is a
//! root source too.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bevy_ecs::prelude::*;
use slotgc::{Trace, Tracer};

/// What is in flight, as a resource. `Res<GcInFlight>` suffices to keep a value's objects alive on its way;
/// it can be used beside `ResMut<GcHeap>`, and costs nothing while nothing is kept.
/// [`GcCommands`](crate::GcCommands) uses it.
///
/// # Examples
/// ```
/// use bevy_ecs::prelude::*;
/// use bevy_slotgc::slotgc::{Gc, Trace};
/// use bevy_slotgc::{GcHeap, GcInFlight, GcWorldExt};
///
/// #[derive(Component, Trace)]
/// struct Brain(Gc<String>);
///
/// let mut world = World::new();
/// world.init_gc();
/// world.register_gc_component::<Brain>();
/// let brain = world.resource_mut::<GcHeap>().alloc("honey".to_string());
///
/// let kept = world.resource::<GcInFlight>().keep(Brain(brain)); // into a task, for example
/// world.collect_gc();
/// world.spawn(kept.into_inner()); // out of it
/// world.collect_gc();
/// assert_eq!(world.resource::<GcHeap>()[brain], "honey");
/// ```
#[derive(Resource, Clone, Default)]
pub struct GcInFlight {
    kept: Arc<Mutex<Vec<Weak<dyn Report>>>>,
}

impl GcInFlight {
    /// Keeps alive what the value's handles name, until the [`Kept`] is taken apart or dropped.
    ///
    /// Time: an allocation and a lock.
    pub fn keep<V: Trace>(&self, value: V) -> Kept<V> {
        let held = Arc::new(Held(Mutex::new(Some(value))));
        let weak: Weak<Held<V>> = Arc::downgrade(&held);
        lock(&self.kept).push(weak);
        Kept { held }
    }

    /// Forgets what has arrived.
    pub(crate) fn tidy(&self) {
        let mut kept = lock(&self.kept);
        kept.retain(|held| held.strong_count() > 0);
        let len = kept.len();
        kept.shrink_to(2 * len + 64);
    }

    /// Reports the handles of all that is in flight.
    pub(crate) fn report(&self, tracer: &mut Tracer<'_>) {
        // Outside the lock, since a `trace` is user code.
        let kept = lock(&self.kept).clone();
        kept.iter().filter_map(Weak::upgrade).for_each(|held| held.report(tracer));
    }
}

impl fmt::Debug for GcInFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = lock(&self.kept).iter().filter(|held| held.strong_count() > 0).count();
        write!(f, "GcInFlight({count})")
    }
}

/// A value in flight, whose handles keep their objects alive. From [`GcInFlight::keep`]; can be moved into
/// closures, tasks and other threads.
pub struct Kept<V> {
    held: Arc<Held<V>>,
}

impl<V> Kept<V> {
    /// The value. From here on its handles keep nothing alive: put them where a root source sees them.
    pub fn into_inner(self) -> V {
        lock(&self.held.0).take().expect("only this takes the value out")
    }
}

impl<V> fmt::Debug for Kept<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept(..)")
    }
}

struct Held<V>(Mutex<Option<V>>);

trait Report: Send + Sync {
    fn report(&self, tracer: &mut Tracer<'_>);
}

impl<V: Trace> Report for Held<V> {
    fn report(&self, tracer: &mut Tracer<'_>) {
        if let Some(value) = &*lock(&self.0) {
            value.trace(tracer);
        }
    }
}

/// A panic in a `trace` leaves the value as it was, so a poisoned lock means nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
