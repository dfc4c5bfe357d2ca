//! The handles in a world as a root source: columns of components, resources, messages, and what is in
//! flight.
//!
//! Everything registered is a column: a resource is a component of its own entity, and the messages of one
//! type are a resource. A report visits all rows, or those whose change tick is newer than the last report. A
//! removed row needs nothing: its object lives on if something else that is reported holds it.
//!
//! Invariant: whatever changed up to `Reported::at` was reported in that epoch, or is part of the rest. The
//! world's tick moves on with each report, so that a change made right after it is newer.
//!
//! When an incremental cycle begins, long columns are reported in parts, table by table. Commands move rows
//! from table to table meanwhile, without a new tick. So a column keeps a bit for each entity that it has
//! reported, and at the end looks for those without one. Columns in sparse sets, which have no order to go
//! by, are reported at once.

mod columns;

use std::any::TypeId;
use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;

use bevy_ecs::change_detection::Tick;
use bevy_ecs::prelude::*;
use slotgc::{AnyGc, Epoch, RootSource, Trace, Tracer};

use crate::GcInFlight;
use columns::{Column, Rows};
pub(crate) use columns::{Holder, ItsMessages, Itself};

/// How a component's handles become roots, for
/// [`register_gc_component_with`](crate::GcWorldExt::register_gc_component_with).
///
/// # Examples
/// A body whose object dies with its entity, whatever still refers to it:
/// ```
/// use bevy_ecs::prelude::*;
/// use bevy_slotgc::slotgc::{Gc, Trace};
/// use bevy_slotgc::{GcColumn, GcHeap, GcWorldExt};
///
/// #[derive(Component, Trace)]
/// struct Body(Gc<String>);
///
/// let mut world = World::new();
/// world.init_gc();
/// world.register_gc_component_with(GcColumn::<Body>::new().destroy_on_despawn(|body| [body.0.into()]));
/// let body = world.resource_mut::<GcHeap>().alloc("a wolf".to_string());
/// let entity = world.spawn(Body(body)).id();
/// world.despawn(entity);
/// assert!(!world.resource::<GcHeap>().is_alive(body)); // no collection was needed
/// ```
pub struct GcColumn<C> {
    pub(crate) always: bool,
    pub(crate) destroy: Option<Destroy<C>>,
    component: PhantomData<fn(C)>,
}

/// Which objects die with a component.
pub(crate) type Destroy<C> = Box<dyn Fn(&C) -> Vec<AnyGc> + Send + Sync>;

impl<C: Component + Trace> GcColumn<C> {
    /// What [`register_gc_component`](crate::GcWorldExt::register_gc_component) does: the handles are roots,
    /// change ticks tell which are new, and when an entity despawns, its handles no longer count.
    pub fn new() -> Self {
        Self { always: false, destroy: None, component: PhantomData }
    }

    /// Reports every row whenever the collector asks, not only those that changed: for components whose
    /// handles change past change detection, in a `Mutex` or through `bypass_change_detection`.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.always = true;
        self
    }

    /// Destroys these objects when an entity with this component despawns: every handle to them resolves to
    /// nothing from then on. Strong fields elsewhere may then name dead objects, so read them with `get`, not
    /// `[]`. Without this the collector frees what nothing needs any more, which is right for everything that
    /// need not die at once.
    ///
    /// Removing the component from a living entity destroys nothing.
    #[must_use]
    pub fn destroy_on_despawn<I: IntoIterator<Item = AnyGc>>(
        mut self,
        doomed: impl Fn(&C) -> I + Send + Sync + 'static,
    ) -> Self {
        self.destroy = Some(Box::new(move |component| doomed(component).into_iter().collect()));
        self
    }
}

impl<C: Component + Trace> Default for GcColumn<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> fmt::Debug for GcColumn<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { always, destroy, .. } = self;
        f.debug_struct("GcColumn").field("always", always).field("destroys", &destroy.is_some()).finish()
    }
}

/// All columns that hold handles.
#[derive(Default)]
pub(crate) struct Roots {
    columns: Vec<Box<dyn Column>>,
    reported: Option<Reported>,
    /// Whether some of it is yet to be reported.
    has_rest: bool,
    /// Calls of the heap so far.
    calls: u32,
}

/// Between parts, one in this many calls of the heap looks for changes. Looking reads all ticks; not looking
/// would leave more for the end than fits into a step.
const CALLS: u32 = 4;

/// The last report of all columns.
#[derive(Clone, Copy)]
struct Reported {
    epoch: Epoch,
    /// The world's tick. What changes afterwards has a newer one.
    at: Tick,
}

impl Roots {
    /// Adds a column unless there is one of this component.
    pub(crate) fn add<C: Component, H: Holder<C>>(&mut self, world: &mut World, always: bool) {
        if self.columns.iter().any(|column| column.component() == TypeId::of::<C>()) {
            return;
        }
        self.columns.push(Box::new(Rows::<C, H>::new(world, always)));
    }

    /// The tick of the last report, if there was one that is comparable with this tick.
    pub(crate) fn last_report(&mut self, now: Tick) -> Option<Tick> {
        /// Well before ticks are too old to be compared.
        const OLDEST: u32 = 1 << 30;
        self.reported.take_if(|last| now.get().wrapping_sub(last.at.get()) > OLDEST);
        self.reported.map(|last| last.at)
    }

    /// The source of one call of the heap. The world's tick is newer than `now`, and its last change tick is
    /// that of the last report.
    pub(crate) fn source<'a>(
        &'a mut self,
        world: &'a World,
        in_flight: &'a GcInFlight,
        now: Tick,
    ) -> WorldRoots<'a> {
        self.columns.iter_mut().for_each(|column| column.update(world));
        self.calls = self.calls.wrapping_add(1);
        WorldRoots { world, in_flight, now, roots: RefCell::new(self) }
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.columns.iter().map(|column| column.name())).finish()
    }
}

/// The handles of a world, for one call of the heap. Nothing in the world changes meanwhile, so columns are
/// reported once per epoch, however often the heap asks.
pub(crate) struct WorldRoots<'a> {
    world: &'a World,
    in_flight: &'a GcInFlight,
    now: Tick,
    roots: RefCell<&'a mut Roots>,
}

impl WorldRoots<'_> {
    /// Reports everything, except what is left for later.
    fn begin(&self, tracer: &mut Tracer<'_>) {
        let mut roots = self.roots.borrow_mut();
        let Roots { columns, has_rest, reported, .. } = &mut **roots;
        let Some(epoch) = tracer.epoch() else {
            // Somebody only looks, perhaps between two parts.
            return columns.iter_mut().for_each(|column| column.report_all(self.world, tracer));
        };
        *has_rest = columns.iter().any(|column| column.is_long(self.world)) && tracer.leave_rest();
        for column in columns {
            column.begin(self.world, tracer, *has_rest);
        }
        *reported = Some(Reported { epoch, at: self.now });
    }

    /// Reports some of the rest; `false` if nothing of it is left.
    fn go_on(&self, tracer: &mut Tracer<'_>) -> bool {
        let Roots { columns, has_rest, .. } = &mut **self.roots.borrow_mut();
        while *has_rest {
            *has_rest = columns.iter_mut().any(|column| column.report_part(self.world, tracer));
            if *has_rest && tracer.leave_rest() {
                return true;
            }
        }
        false
    }

    /// After all parts: reports what moved past them.
    fn report_unseen(&self, tracer: &mut Tracer<'_>) {
        self.roots
            .borrow_mut()
            .columns
            .iter_mut()
            .for_each(|column| column.report_unseen(self.world, tracer));
    }

    /// Reports what changed since.
    fn report_changes(&self, tracer: &mut Tracer<'_>, since: Tick) {
        let Roots { columns, reported, .. } = &mut **self.roots.borrow_mut();
        for column in columns {
            column.report_changes(self.world, tracer, since, self.now);
        }
        if let Some(reported) = reported {
            reported.at = self.now;
        }
    }

    /// The tick of the last report in the current epoch.
    fn last_report(&self, tracer: &Tracer<'_>) -> Option<Tick> {
        let epoch = tracer.epoch()?;
        self.roots.borrow().reported.filter(|last| last.epoch == epoch).map(|last| last.at)
    }
}

impl RootSource for WorldRoots<'_> {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        self.in_flight.report(tracer);
        self.begin(tracer);
    }

    fn trace_changed_roots(&self, tracer: &mut Tracer<'_>) {
        // Other threads may change those.
        self.in_flight.report(tracer);
        match self.last_report(tracer) {
            None => self.begin(tracer),
            Some(at) => {
                let has_rest = self.go_on(tracer);
                let is_put_off = has_rest && !self.roots.borrow().calls.is_multiple_of(CALLS);
                if at != self.now && !is_put_off {
                    self.report_changes(tracer, at);
                }
                if !has_rest {
                    self.report_unseen(tracer);
                }
            }
        }
    }
}
