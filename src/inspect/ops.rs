//! The operations on objects, by type, that inspection needs.

use core::any::TypeId;
use core::fmt;

use crate::handle::{Gc, RawHandle};
use crate::inspect::names::Segment;
use crate::inspect::record::Recorder;
use crate::inspect::slots::Slots;
use crate::store::Store;
use crate::tag::Tag;
use crate::trace::{Inspector, Place, Sink, Trace, Watcher};

/// What a walk does with the objects of one type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InspectOps {
    pub(crate) id: TypeId,
    pub(crate) tag: Tag,
    /// Numbers the objects in these pages, whose slots have this many granules.
    pub(crate) number: fn(&Store, &[u32], u32, &mut Slots),
    /// Records the same objects' rows.
    pub(crate) record: fn(&Store, &[u32], &mut Recorder<'_>),
    /// Inspects one living object.
    pub(crate) inspect: fn(&Store, RawHandle, &mut dyn Sink),
    /// Traces the object of a handle; `false` if it is not a living object of this type.
    pub(crate) trace: fn(&Store, RawHandle, &mut Watcher) -> bool,
}

impl InspectOps {
    pub(crate) fn of<T: Trace>() -> Self {
        Self {
            id: TypeId::of::<T>(),
            tag: Tag::of::<T>(),
            number: |store, pages, slot_granules, slots| {
                slots.add_type(slot_granules, store.iter::<T>(pages).map(|(raw, _)| raw));
            },
            record: |store, pages, recorder| {
                for (_, value) in store.iter::<T>(pages) {
                    value.inspect(&mut Inspector::new(recorder));
                    if T::OWNS {
                        recorder.owned_bytes(value.owned_bytes());
                    }
                    recorder.end_row();
                }
            },
            inspect: |store, raw, sink| {
                if let Some(value) = store.look().get::<T>(raw) {
                    value.inspect(&mut Inspector::new(sink));
                }
            },
            trace: |store, raw, watcher| {
                // The handle may be of an unknown type: it is followed only if it lies on a slot boundary of
                // this type.
                let raw = Gc::<T>::from_bits(raw.to_bits()).raw();
                let value = store.look().get::<T>(raw);
                if let Some(value) = value.filter(|_| T::NEEDS_TRACE) {
                    watcher.watch(|tracer| value.trace(tracer));
                }
                value.is_some()
            },
        }
    }
}

impl<'a> From<Place<'a>> for Segment<'a> {
    fn from(place: Place<'a>) -> Self {
        match place {
            Place::Field(name) => Segment::Field(name),
            Place::Item(index) => Segment::Index(index),
            Place::Entry(key) => Segment::Key(key),
        }
    }
}

impl Sink for Recorder<'_> {
    fn enter(&mut self, place: Place<'_>) {
        self.enter(place.into());
    }

    fn leave(&mut self) {
        self.leave();
    }

    fn edge(&mut self, target: RawHandle, of: Tag) {
        self.edge(target, of);
    }

    fn weak(&mut self, target: RawHandle, of: Tag) {
        self.weak(target, of);
    }

    fn enter_ephemeron(&mut self, key: RawHandle, of: Tag) {
        self.begin_ephemeron(key, of);
    }

    fn leave_ephemeron(&mut self) {
        self.end_ephemeron();
    }

    fn enter_source(&mut self, name: &'static str) {
        self.enter_source(name);
    }

    fn leave_source(&mut self) {
        self.leave_source();
    }

    fn label(&mut self, text: &dyn fmt::Display) {
        self.label(text);
    }

    fn gap(&mut self) {
        self.gap();
    }
}
