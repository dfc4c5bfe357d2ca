//! [`GcPlugin`] and [`GcAppExt`]: a heap in an `App`.

use bevy_app::{App, Last, Plugin};
use bevy_ecs::intern::Interned;
use bevy_ecs::message::Message;
use bevy_ecs::prelude::*;
use bevy_ecs::schedule::ScheduleLabel;
use slotgc::{Budget, HeapConfig, Trace};

use crate::heap::default_config;
use crate::{GcColumn, GcSettings, GcSystems, GcWorldExt, ObjectDied, announce_deaths, pace};

/// A heap for the app, and a collector that takes its part of each frame.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use bevy_app::{App, Startup, Update};
/// use bevy_ecs::prelude::*;
/// use bevy_slotgc::slotgc::{Gc, Trace};
/// use bevy_slotgc::{GcAppExt, GcCommands, GcHeap, GcPlugin};
///
/// #[derive(Component, Trace)]
/// struct Brain(Gc<Vec<u32>>);
///
/// fn spawn(mut commands: GcCommands) {
///     for _ in 0..10 {
///         commands.spawn_with_heap(|heap| Brain(heap.alloc(vec![])));
///     }
/// }
///
/// fn think(mut heap: ResMut<GcHeap>, brains: Query<&Brain>) {
///     brains.iter().for_each(|brain| heap[brain.0].push(1));
/// }
///
/// let mut app = App::new();
/// app.add_plugins(GcPlugin::default().budget(Duration::from_micros(500)));
/// app.register_gc_component::<Brain>();
/// app.add_systems(Startup, spawn).add_systems(Update, think);
/// for _frame in 0..100 {
///     app.update();
/// }
/// assert_eq!(app.world().resource::<GcHeap>().len(), 10);
/// ```
#[derive(Clone, Debug)]
pub struct GcPlugin {
    config: HeapConfig,
    budget: Budget,
    schedule: Interned<dyn ScheduleLabel>,
}

impl Default for GcPlugin {
    fn default() -> Self {
        Self { config: default_config(), budget: GcSettings::default().budget, schedule: Last.intern() }
    }
}

impl GcPlugin {
    /// How much of a frame the collector takes at most: a `Duration`, or a [`Budget`]. Default: 1 ms. To
    /// change it later: [`GcSettings::budget`].
    #[must_use]
    pub fn budget(mut self, budget: impl Into<FrameBudget>) -> Self {
        self.budget = budget.into().0;
        self
    }

    /// The schedule that contains the sets [`GcSystems`]. Default: [`Last`].
    #[must_use]
    pub fn schedule(mut self, schedule: impl ScheduleLabel) -> Self {
        self.schedule = schedule.intern();
        self
    }

    /// By how many bytes the heap grows at most before a cycle is finished whatever the budget
    /// ([`HeapConfig::ceiling_bytes`]).
    #[must_use]
    pub fn ceiling_bytes(mut self, bytes: usize) -> Self {
        self.config = self.config.ceiling_bytes(bytes);
        self
    }

    /// All settings of the heap. Default: `HeapConfig::default().collect_new(true)`.
    #[must_use]
    pub fn config(mut self, config: HeapConfig) -> Self {
        self.config = config;
        self
    }
}

/// A [`Budget`], also from a `Duration`.
#[derive(Clone, Copy, Debug)]
pub struct FrameBudget(Budget);

impl From<Budget> for FrameBudget {
    fn from(budget: Budget) -> Self {
        Self(budget)
    }
}

impl From<std::time::Duration> for FrameBudget {
    fn from(time: std::time::Duration) -> Self {
        Self(Budget::Time(time))
    }
}

impl Plugin for GcPlugin {
    fn build(&self, app: &mut App) {
        app.world_mut().init_gc_with(self.config.clone());
        app.insert_resource(GcSettings { budget: self.budget });
        app.configure_sets(self.schedule, (GcSystems::Pace, GcSystems::Announce).chain());
        app.add_systems(
            self.schedule,
            (pace.in_set(GcSystems::Pace), announce_deaths.in_set(GcSystems::Announce)),
        );
    }
}

/// Registering what holds handles, for an [`App`] that has the [`GcPlugin`]. See [`GcWorldExt`].
pub trait GcAppExt {
    /// See [`GcWorldExt::register_gc_component`].
    fn register_gc_component<C: Component + Trace>(&mut self) -> &mut Self;

    /// See [`GcWorldExt::register_gc_component_with`].
    fn register_gc_component_with<C: Component + Trace>(&mut self, column: GcColumn<C>) -> &mut Self;

    /// See [`GcWorldExt::register_gc_resource`].
    fn register_gc_resource<R: Resource + Trace>(&mut self) -> &mut Self;

    /// See [`GcWorldExt::register_gc_message`].
    fn register_gc_message<M: Message + Trace>(&mut self) -> &mut Self;

    /// See [`GcWorldExt::add_gc_deaths`].
    fn add_gc_deaths<T: Trace>(&mut self) -> &mut Self;
}

impl GcAppExt for App {
    fn register_gc_component<C: Component + Trace>(&mut self) -> &mut Self {
        self.world_mut().register_gc_component::<C>();
        self
    }

    fn register_gc_component_with<C: Component + Trace>(&mut self, column: GcColumn<C>) -> &mut Self {
        self.world_mut().register_gc_component_with(column);
        self
    }

    fn register_gc_resource<R: Resource + Trace>(&mut self) -> &mut Self {
        self.world_mut().register_gc_resource::<R>();
        self
    }

    fn register_gc_message<M: Message + Trace>(&mut self) -> &mut Self {
        self.add_message::<M>();
        self.world_mut().register_gc_message::<M>();
        self
    }

    fn add_gc_deaths<T: Trace>(&mut self) -> &mut Self {
        self.add_message::<ObjectDied<T>>();
        self
    }
}
