//! The frame's collection: [`pace`], its settings, and what it did.

use std::time::{Duration, Instant};

use bevy_ecs::prelude::*;
use slotgc::{Budget, StepReport};

use crate::{GcHeap, GcWorldExt};

/// How much of a frame [`pace`] may take. A resource: change it as the game goes.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use bevy_ecs::prelude::*;
/// use bevy_slotgc::GcSettings;
/// use bevy_slotgc::slotgc::Budget;
///
/// /// A loading screen has time.
/// fn loading(mut settings: ResMut<GcSettings>) {
///     settings.budget = Budget::Time(Duration::from_millis(10));
/// }
/// ```
#[derive(Resource, Clone, Copy, Debug)]
pub struct GcSettings {
    /// What one call of [`pace`] spends at most. Default: 1 ms. With a budget in objects, runs are
    /// reproducible.
    pub budget: Budget,
}

impl Default for GcSettings {
    fn default() -> Self {
        Self { budget: Budget::Time(Duration::from_millis(1)) }
    }
}

/// What the last call of [`pace`] did, as a resource.
#[derive(Resource, Clone, Copy, Debug, Default)]
pub struct GcFrame {
    /// The heap's own report.
    pub report: StepReport,
    /// How long the world stood still: the step, and the search for handles in the world.
    pub pause: Duration,
    /// Objects freed since the previous call, by hand or by the collector.
    pub freed: u64,
    /// The total freed up to this call.
    pub(crate) freed_in_total: u64,
}

/// When this crate's systems run, in the schedule of [`GcPlugin`](crate::GcPlugin).
///
/// Order systems whose commands carry bare handles `.before(GcSystems::Pace)` if they are in that schedule;
/// commands from other schedules have already been applied.
#[derive(SystemSet, Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum GcSystems {
    /// The collector takes its part of the frame.
    Pace,
    /// [`ObjectDied`](crate::ObjectDied) is sent. After `Pace`.
    Announce,
}

/// The system that paces: a call of [`Heap::pace_with`](slotgc::Heap::pace_with) with the budget of
/// [`GcSettings`] and the handles of the world. First it makes pending objects ([`flush`](GcHeap::flush)).
pub fn pace(world: &mut World) {
    let start = Instant::now();
    let budget = world.get_resource::<GcSettings>().copied().unwrap_or_default().budget;
    let (report, freed_in_total) = world.gc_scope(|heap, roots| {
        let report = heap.pace_with(budget, roots);
        (report, heap.stats().freed)
    });
    let mut frame = world.get_resource_or_insert_with(GcFrame::default);
    let freed = freed_in_total - frame.freed_in_total;
    *frame = GcFrame { report, pause: start.elapsed(), freed, freed_in_total };
}

/// The system that sends [`ObjectDied`](crate::ObjectDied).
pub fn announce_deaths(world: &mut World) {
    let announcers = world.resource::<GcHeap>().announcers.clone();
    announcers.into_iter().for_each(|announce| announce(world));
}

/// A system that makes the objects of [`alloc_later`](slotgc::Heap::alloc_later), for schedules in which they
/// are needed.
pub fn flush_later(mut heap: ResMut<GcHeap>) {
    heap.flush();
}

/// A system that marks beside others that read: with the budget of [`GcSettings`], if a cycle is marking. Put
/// it where the main thread waits (for instance while the render world draws), and before the system that
/// paces: what it marks, [`pace`] need not.
///
/// # Examples
/// ```
/// use bevy_ecs::prelude::*;
/// use bevy_slotgc::{GcHeap, GcWorldExt, mark_beside};
///
/// fn draw(heap: Res<GcHeap>) {
///     // reads the heap
///     # let _ = heap.len();
/// }
///
/// let mut world = World::new();
/// world.init_gc();
/// let mut shadow = Schedule::default();
/// shadow.add_systems((draw, mark_beside)); // both with `Res<GcHeap>`: side by side
/// shadow.run(&mut world);
/// ```
pub fn mark_beside(heap: Res<GcHeap>, settings: Option<Res<GcSettings>>) {
    let budget = settings.map_or_else(GcSettings::default, |settings| *settings).budget;
    heap.step_shared(budget);
}
