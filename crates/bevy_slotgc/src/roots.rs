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

use std::any::{TypeId, type_name};
use std::cell::RefCell;
use std::cmp::Ordering;
use std::fmt;
use std::marker::PhantomData;

use bevy_ecs::change_detection::{ContiguousComponentTicksRef, DetectChanges, Tick};
use bevy_ecs::entity_disabling::DefaultQueryFilters;
use bevy_ecs::message::Message;
use bevy_ecs::prelude::*;
use slotgc::{AnyGc, Epoch, RootSource, Trace, Tracer};

use crate::GcInFlight;

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

/// Rows in a part. A column with no more rows is reported at once.
const PART: usize = 8192;
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
        // A disabled entity still holds its handles. Without this resource a query skips no entity.
        let rows =
            world.try_resource_scope(|world, _: Mut<DefaultQueryFilters>| world.query::<(Entity, Ref<C>)>());
        let rows = rows.unwrap_or_else(|| world.query::<(Entity, Ref<C>)>());
        self.columns.push(Box::new(Rows::<C, H> {
            rows,
            always,
            is_new: true,
            parts: None,
            changed: Changed::default(),
            holder: PhantomData,
        }));
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

/// A column with its type erased.
trait Column: Send + Sync {
    fn component(&self) -> TypeId;

    fn name(&self) -> &'static str;

    /// Updates the column for new archetypes.
    fn update(&mut self, world: &World);

    /// Whether it has more rows than a part.
    fn is_long(&self, world: &World) -> bool;

    /// Reports the handles of all rows, and does not record that.
    fn report_all(&mut self, world: &World, tracer: &mut Tracer<'_>);

    /// Begins a report of everything: at once, or in parts if that is allowed and the column is long.
    fn begin(&mut self, world: &World, tracer: &mut Tracer<'_>, may_be_in_parts: bool);

    /// Reports a part; `false` if all were reported before.
    fn report_part(&mut self, world: &World, tracer: &mut Tracer<'_>) -> bool;

    /// After all parts: reports the handles of the rows that moved past them.
    fn report_unseen(&mut self, world: &World, tracer: &mut Tracer<'_>);

    /// Reports the handles of the rows that changed since.
    fn report_changes(&mut self, world: &World, tracer: &mut Tracer<'_>, since: Tick, now: Tick);
}

/// How a component holds its handles: a type, not a function, so that it is inlined into the loops over rows.
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
    rows: QueryState<(Entity, Ref<'static, C>)>,
    always: bool,
    /// Whether it was never reported.
    is_new: bool,
    /// How far a report in parts has come.
    parts: Option<Parts>,
    /// Room for the rows that changed.
    changed: Changed,
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

    fn is_long(&self, world: &World) -> bool {
        let rows = self.rows.query_manual(world);
        rows.contiguous_iter().is_ok() && rows.iter().size_hint().0 > PART
    }

    fn report_all(&mut self, world: &World, tracer: &mut Tracer<'_>) {
        self.report(world, tracer, None);
    }

    fn begin(&mut self, world: &World, tracer: &mut Tracer<'_>, may_be_in_parts: bool) {
        self.is_new = false;
        self.parts = (may_be_in_parts && self.is_long(world)).then(Parts::default);
        if self.parts.is_none() {
            self.report(world, tracer, None);
        }
    }

    fn report_part(&mut self, world: &World, tracer: &mut Tracer<'_>) -> bool {
        let Some(Parts { seen, table, row }) = &mut self.parts else { return false };
        let rows = self.rows.query_manual(world);
        let Ok(tables) = rows.contiguous_iter() else { return false };
        let mut left = PART;
        for (entities, components) in tables.skip(*table) {
            let start = (*row).min(entities.len());
            let end = entities.len().min(start + left);
            for (entity, component) in
                entities[start..end].iter().zip(&ContiguousRef::split(components).0[start..end])
            {
                seen.insert(*entity);
                H::trace(component, tracer);
            }
            left -= end - start;
            if end < entities.len() {
                *row = end;
                return true;
            }
            (*table, *row) = (*table + 1, 0);
        }
        left < PART
    }

    fn report_changes(&mut self, world: &World, tracer: &mut Tracer<'_>, since: Tick, now: Tick) {
        let is_known = !self.always && !self.is_new;
        self.is_new = false;
        self.report(world, tracer, is_known.then_some((since, now)));
    }

    fn report_unseen(&mut self, world: &World, tracer: &mut Tracer<'_>) {
        let Some(Parts { seen, .. }) = self.parts.take() else { return };
        let rows = self.rows.query_manual(world);
        for (entities, components) in rows.contiguous_iter().into_iter().flatten() {
            let (components, _) = ContiguousRef::split(components);
            let unseen = entities.iter().zip(components).filter(|(entity, _)| !seen.contains(**entity));
            unseen.for_each(|(_, component)| H::trace(component, tracer));
        }
    }
}

impl<C: Component, H: Holder<C>> Rows<C, H> {
    /// Reports the handles of all rows, or of those that changed between two ticks.
    fn report(&mut self, world: &World, tracer: &mut Tracer<'_>, changed: Option<(Tick, Tick)>) {
        let rows = self.rows.query_manual(world);
        match (rows.contiguous_iter(), changed) {
            (Ok(tables), None) => {
                tables.for_each(|(_, table)| table.iter().for_each(|row| H::trace(row, tracer)));
            }
            (Ok(tables), Some((since, now))) => {
                for (number, (entities, table)) in tables.enumerate() {
                    let (rows, ticks) = ContiguousRef::split(table);
                    self.changed.find(&ticks, since, now);
                    let mut changed = self.changed.0.as_slice();
                    if let Some(parts) = &mut self.parts {
                        let reported = parts.reported_rows(number);
                        let later = changed.partition_point(|row| (*row as usize) < reported);
                        // A part will report the others; or if they move before that, whoever looks for what
                        // moved.
                        changed[later..].iter().for_each(|row| parts.seen.remove(entities[*row as usize]));
                        changed = &changed[..later];
                        changed.iter().for_each(|row| parts.seen.insert(entities[*row as usize]));
                    }
                    changed.iter().for_each(|row| H::trace(&rows[*row as usize], tracer));
                }
            }
            // In sparse sets.
            (Err(_), changed) => {
                for (_, row) in &rows {
                    if changed.is_none_or(|(since, now)| row.last_changed().is_newer_than(since, now)) {
                        H::trace(&row, tracer);
                    }
                }
            }
        }
    }
}

/// How far the parts of a report have come.
#[derive(Default)]
struct Parts {
    seen: Seen,
    /// The next table, among those of the column, and its next row.
    table: usize,
    row: usize,
}

impl Parts {
    /// How many rows of a table the parts have reported.
    fn reported_rows(&self, table: usize) -> usize {
        match table.cmp(&self.table) {
            Ordering::Less => usize::MAX,
            Ordering::Equal => self.row,
            Ordering::Greater => 0,
        }
    }
}

/// The entities that were reported, by index. One that reuses the index of a despawned entity is newer, so it
/// is reported as a change.
#[derive(Default)]
struct Seen(Vec<u64>);

impl Seen {
    fn place(entity: Entity) -> (usize, u64) {
        let index = entity.index_u32();
        (index as usize / 64, 1 << (index % 64))
    }

    #[inline]
    fn insert(&mut self, entity: Entity) {
        let (word, bit) = Self::place(entity);
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= bit;
    }

    #[inline]
    fn remove(&mut self, entity: Entity) {
        let (word, bit) = Self::place(entity);
        if let Some(bits) = self.0.get_mut(word) {
            *bits &= !bit;
        }
    }

    #[inline]
    fn contains(&self, entity: Entity) -> bool {
        let (word, bit) = Self::place(entity);
        self.0.get(word).is_some_and(|bits| bits & bit != 0)
    }
}

/// Rows of a table that changed. They are collected first: visiting them waits for memory, and then many do
/// at once.
#[derive(Default)]
struct Changed(Vec<u32>);

impl Changed {
    /// Finds the rows that changed between two ticks, in ascending order. Ticks lie side by side, so a block
    /// of them without a change is skipped in a few instructions.
    fn find(&mut self, ticks: &ContiguousComponentTicksRef<'_>, since: Tick, now: Tick) {
        const BLOCK: usize = 16;
        self.0.clear();
        if ticks.summary_tick_is_changed() == Some(false) {
            return;
        }
        let age = now.get().wrapping_sub(since.get());
        let is_changed = |tick: &Tick| now.get().wrapping_sub(tick.get()) < age;
        for (start, ticks) in (0..).step_by(BLOCK).zip(ticks.changed().chunks(BLOCK)) {
            // Without a branch per tick, so that several are compared at once. Both ages are below half of a
            // tick's range.
            if ticks.iter().fold(false, |any, tick| any | is_changed(tick)) {
                let rows = (start..).zip(ticks).filter(|(_, tick)| is_changed(tick));
                self.0.extend(rows.map(|(row, _)| row));
            }
        }
    }
}
