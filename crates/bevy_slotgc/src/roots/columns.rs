//! One type of component: its handles, all rows of it or those that changed.

use std::any::{TypeId, type_name};
use std::cmp::Ordering;
use std::marker::PhantomData;

use bevy_ecs::change_detection::{ContiguousComponentTicksRef, DetectChanges, Tick};
use bevy_ecs::entity_disabling::DefaultQueryFilters;
use bevy_ecs::message::Message;
use bevy_ecs::prelude::*;
use slotgc::{Trace, Tracer};

/// Rows in a part. A column with no more rows is reported at once.
const PART: usize = 8192;

/// A column with its type erased.
pub(super) trait Column: Send + Sync {
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

/// The rows with one type of component.
pub(super) struct Rows<C: Component, H> {
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
    /// The component's rows in a world, of which none is reported yet.
    pub(super) fn new(world: &mut World, always: bool) -> Self {
        // A disabled entity still holds its handles. Without this resource a query skips no entity.
        let rows =
            world.try_resource_scope(|world, _: Mut<DefaultQueryFilters>| world.query::<(Entity, Ref<C>)>());
        let rows = rows.unwrap_or_else(|| world.query::<(Entity, Ref<C>)>());
        Self { rows, always, is_new: true, parts: None, changed: Changed::default(), holder: PhantomData }
    }

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
