//! The handles in a world as a root source: columns of components, resources, messages, and what is in
//! flight.
//!
//! Everything registered is a column: a resource is a component of its own entity, and the messages of one
//! type are a resource. A report visits all rows, or those whose change tick is newer than the last report. A
//! removed row needs nothing: its object lives on if something else that is reported holds it.
//!
//! Invariant: whatever changed up to `Reported::at` was reported in that epoch. The world's tick advances
//! with each report, so that a change made right after it is newer.

use std::any::{TypeId, type_name};
use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;

use bevy_ecs::change_detection::{DetectChanges, Tick};
use bevy_ecs::entity_disabling::DefaultQueryFilters;
use bevy_ecs::message::Message;
use bevy_ecs::prelude::*;
use slotgc::{AnyGc, Epoch, RootSource, Trace, Tracer};

use crate::GcInFlight;

/// How a component's handles are roots, for
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
}

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
        // A disabled entity still holds its handles. Without the resource a query leaves out no entity.
        let rows = world.try_resource_scope(|world, _: Mut<DefaultQueryFilters>| world.query::<Ref<C>>());
        let rows = rows.unwrap_or_else(|| world.query::<Ref<C>>());
        self.columns.push(Box::new(Rows::<C, H> { rows, always, is_new: true, holder: PhantomData }));
    }

    /// The tick of the last report, if there was one that is comparable with this tick.
    pub(crate) fn last_report(&mut self, now: Tick) -> Option<Tick> {
        /// Long before ticks are too old to be told apart.
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
    /// Reports what changed since, or everything.
    fn report(&self, tracer: &mut Tracer<'_>, since: Option<Tick>) {
        let Roots { columns, reported } = &mut **self.roots.borrow_mut();
        for column in columns {
            column.report(self.world, tracer, since, self.now);
        }
        if let Some(epoch) = tracer.epoch() {
            *reported = Some(Reported { epoch, at: self.now });
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
        self.report(tracer, None);
    }

    fn trace_changed_roots(&self, tracer: &mut Tracer<'_>) {
        // Other threads may change those.
        self.in_flight.report(tracer);
        let last = self.last_report(tracer);
        if last != Some(self.now) {
            self.report(tracer, last);
        }
    }
}

/// A column with its type erased.
trait Column: Send + Sync {
    fn component(&self) -> TypeId;

    fn name(&self) -> &'static str;

    /// Updates the column for new archetypes.
    fn update(&mut self, world: &World);

    /// Reports the handles of all rows, or of those that changed since.
    fn report(&mut self, world: &World, tracer: &mut Tracer<'_>, since: Option<Tick>, now: Tick);
}

/// How a component holds its handles: a type, not a function, so that the loops over rows have it inlined.
pub(crate) trait Holder<C>: Send + Sync + 'static {
    fn trace(component: &C, tracer: &mut Tracer<'_>);
}

/// Through its `Trace`.
#[derive(Debug)]
pub(crate) struct Itself;

impl<C: Trace> Holder<C> for Itself {
    #[inline(always)]
    fn trace(component: &C, tracer: &mut Tracer<'_>) {
        component.trace(tracer);
    }
}

/// In the messages that readers can still read.
#[derive(Debug)]
pub(crate) struct ItsMessages;

impl<M: Message + Trace> Holder<Messages<M>> for ItsMessages {
    fn trace(messages: &Messages<M>, tracer: &mut Tracer<'_>) {
        messages.get_cursor().read(messages).for_each(|message| message.trace(tracer));
    }
}

struct Rows<C: Component, H> {
    rows: QueryState<Ref<'static, C>>,
    always: bool,
    /// Whether it was never reported.
    is_new: bool,
    holder: PhantomData<fn(H)>,
}

impl<C: Component, H: Holder<C>> Column for Rows<C, H> {
    fn component(&self) -> TypeId {
        TypeId::of::<C>()
    }

    fn name(&self) -> &'static str {
        type_name::<C>()
    }

    fn update(&mut self, world: &World) {
        self.rows.update_archetypes(world);
    }

    fn report(&mut self, world: &World, tracer: &mut Tracer<'_>, since: Option<Tick>, now: Tick) {
        let since = since.filter(|_| !self.always && !self.is_new);
        self.is_new &= tracer.epoch().is_none();
        let rows = self.rows.query_manual(world);
        match (rows.contiguous_iter(), since) {
            (Ok(tables), None) => {
                tables.for_each(|table| table.iter().for_each(|row| H::trace(row, tracer)));
            }
            (Ok(tables), Some(since)) => {
                tables.for_each(|table| changed_rows(table, since, now, |row| H::trace(row, tracer)))
            }
            // Those in sparse sets.
            (Err(_), since) => {
                for row in &rows {
                    if since.is_none_or(|since| row.last_changed().is_newer_than(since, now)) {
                        H::trace(&row, tracer);
                    }
                }
            }
        }
    }
}

/// Visits the changed rows of a table. Ticks are contiguous, so a block of them without a change is skipped
/// in a few instructions.
fn changed_rows<C: Component>(
    table: ContiguousRef<'_, C>,
    since: Tick,
    now: Tick,
    mut visit: impl FnMut(&C),
) {
    const BLOCK: usize = 64;
    let (rows, ticks) = ContiguousRef::split(table);
    if ticks.summary_tick_is_changed() == Some(false) {
        return;
    }
    for (rows, ticks) in rows.chunks(BLOCK).zip(ticks.changed().chunks(BLOCK)) {
        let is_changed = |tick: &Tick| tick.is_newer_than(since, now);
        if ticks.iter().fold(false, |any, tick| any | is_changed(tick)) {
            rows.iter().zip(ticks).filter(|(_, tick)| is_changed(tick)).for_each(|(row, _)| visit(row));
        }
    }
}
