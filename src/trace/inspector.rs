//! [`Inspector`]: what `Trace::inspect` reports to, and how it passes that on.
//!
//! An inspector knows its place: each name is a step down, and what is reported below belongs to that place.
//! It forwards steps, edges and labels to a [`Sink`] and keeps nothing itself. It reads values and writes
//! nothing: no header, no bit, no table.

use alloc::string::String;
use core::fmt::{self, Write};
use core::mem;

use crate::handle::{AnyGc, Gc, RawHandle, ShortName, Weak};
use crate::tag::Tag;
use crate::trace::findings::Recorded;
use crate::trace::watcher::Watcher;
use crate::trace::{Trace, Tracer};

/// One step from a value to a part of it.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "read by what shows it, which takes that feature")]
pub(crate) enum Place<'a> {
    /// A field: `loot`, `0`, `Variant.field`. No leading dot.
    Field(&'static str),
    /// An item by its position: shown as `[3]`.
    Item(usize),
    /// An entry of a map, by the text of its key: `"sheep"`, `3`, `Mob 3v1`. Shown in brackets.
    Entry(&'a str),
}

/// Receives what an inspector reports.
///
/// A target comes with the type that its handle claims, or [`Tag::NONE`] if it claims none: if the object is
/// of another type, the handle resolves to nothing and is not an edge.
#[cfg_attr(not(feature = "inspect"), allow(dead_code, reason = "for the feature `inspect`"))]
pub(crate) trait Sink {
    /// What is reported until the matching `leave` is one step down.
    fn enter(&mut self, place: Place<'_>);

    fn leave(&mut self);

    /// A strong edge. Counted once for each handle found.
    fn edge(&mut self, target: RawHandle, of: Tag);

    /// A weak handle.
    fn weak(&mut self, target: RawHandle, of: Tag);

    /// What is reported until the matching `leave_ephemeron` counts only while this key lives. These nest.
    fn enter_ephemeron(&mut self, key: RawHandle, of: Tag);

    fn leave_ephemeron(&mut self);

    /// What is reported until the matching `leave_source` belongs to the root source of this name.
    #[cfg(feature = "inspect")]
    fn enter_source(&mut self, name: &'static str) {
        let _ = name;
    }

    #[cfg(feature = "inspect")]
    fn leave_source(&mut self) {}

    /// What tells the object from others of its type. Called only at the object's own level; the last call
    /// counts.
    fn label(&mut self, text: &dyn fmt::Display);

    /// Something could not be read: a lock that is held.
    fn gap(&mut self);
}

/// What [`Trace::inspect`] reports to: it names the parts of a value, so that an edge can be shown as
/// `.listeners[3]`.
///
/// Derived code names every field. A hand-written `Trace` without `inspect` reports its edges all the same,
/// only without names.
///
/// # Examples
/// ```
/// use slotgc::{Gc, Inspector, Trace, Tracer, Weak};
///
/// struct Quest { title: String, stages: Vec<Gc<u32>>, giver: Weak<String> }
///
/// impl Trace for Quest {
///     fn trace(&self, tracer: &mut Tracer<'_>) {
///         self.stages.trace(tracer);
///     }
///     fn inspect(&self, inspector: &mut Inspector<'_>) {
///         inspector.label(&self.title);             // Quest 3v1 "Find the bear"
///         inspector.field("stages", &self.stages);  // .stages[0], .stages[1]
///         inspector.field("giver", &self.giver);    // weak
///     }
/// }
/// ```
pub struct Inspector<'a> {
    sink: &'a mut dyn Sink,
    /// Steps below the object.
    depth: usize,
    /// Entries so far at this place, for keys without a text of their own.
    entries: usize,
    /// Whether parts without handles are inspected as well, for their labels.
    wants_labels: bool,
    /// Whether a key labelled itself.
    has_label: bool,
    /// Room for the text of a key, kept for the next one.
    text: String,
}

impl<'a> Inspector<'a> {
    /// At the level of an object.
    pub(crate) fn new(sink: &'a mut dyn Sink) -> Self {
        Self { sink, depth: 0, entries: 0, wants_labels: false, has_label: false, text: String::new() }
    }

    fn visits<F: Trace + ?Sized>(&self) -> bool {
        F::HOLDS_HANDLES || self.wants_labels
    }

    fn at(&mut self, place: Place<'_>, inspect: impl FnOnce(&mut Self)) {
        self.sink.enter(place);
        self.depth += 1;
        let entries = mem::take(&mut self.entries);
        inspect(self);
        self.entries = entries;
        self.depth -= 1;
        self.sink.leave();
    }

    /// A field: `loot`, of a tuple struct `0`, of an enum `Variant.field`.
    pub fn field<F: Trace + ?Sized>(&mut self, name: &'static str, value: &F) {
        if self.visits::<F>() {
            self.at(Place::Field(name), |inspector| value.inspect(inspector));
        }
    }

    /// A field that another type inspects.
    pub(crate) fn field_with(&mut self, name: &'static str, inspect: impl FnOnce(&mut Self)) {
        self.at(Place::Field(name), inspect);
    }

    /// An item of a list or a set, by its position: `[3]`.
    pub fn item<F: Trace + ?Sized>(&mut self, index: usize, value: &F) {
        if self.visits::<F>() {
            self.at(Place::Item(index), |inspector| value.inspect(inspector));
        }
    }

    /// An entry of a map: `["sheep"]`, `[Mob 3v1]`. The key is shown by the label that its own `inspect` sets
    /// (numbers and strings label themselves), a handle as a handle, and by its position if it sets none.
    /// Edges from the key count as well.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Gc, Inspector, Trace, Tracer};
    ///
    /// /// A map in two parallel lists.
    /// struct Prices(Vec<String>, Vec<Gc<u32>>);
    ///
    /// impl Trace for Prices {
    ///     fn trace(&self, tracer: &mut Tracer<'_>) {
    ///         self.1.trace(tracer);
    ///     }
    ///     fn inspect(&self, inspector: &mut Inspector<'_>) {
    ///         for (name, price) in self.0.iter().zip(&self.1) {
    ///             inspector.entry(name, price);
    ///         }
    ///     }
    /// }
    /// ```
    pub fn entry<K: Trace + ?Sized, F: Trace + ?Sized>(&mut self, key: &K, value: &F) {
        let index = self.entries;
        self.entries += 1;
        if !self.visits::<K>() && !self.visits::<F>() {
            return;
        }
        let text = self.text_of(key);
        let place = if text.is_empty() { Place::Item(index) } else { Place::Entry(&text) };
        self.at(place, |inspector| {
            if inspector.visits::<K>() {
                key.inspect(inspector);
            }
            if inspector.visits::<F>() {
                value.inspect(inspector);
            }
        });
        self.text = text;
    }

    /// A strong edge.
    pub fn edge<T: 'static>(&mut self, gc: Gc<T>) {
        self.sink.edge(gc.raw(), Tag::of::<T>());
        self.show_handle(ShortName::of::<T>(), gc.raw());
    }

    /// A strong edge to an object whose type is known only at run time.
    pub fn edge_any(&mut self, gc: AnyGc) {
        self.sink.edge(gc.raw(), Tag::NONE);
        self.show_handle(ShortName("AnyGc"), gc.raw());
    }

    /// A handle that keeps nothing alive.
    pub fn weak<T: 'static>(&mut self, weak: Weak<T>) {
        self.sink.weak(weak.raw(), Tag::of::<T>());
        self.show_handle(ShortName::of::<T>(), weak.raw());
    }

    /// An entry of an ephemeron table: the value's edges count only while the key lives. Shown as `[Mob
    /// 3v1]`.
    pub fn ephemeron<K: 'static, V: Trace>(&mut self, key: Weak<K>, value: &V) {
        let text = self.text_of(&key);
        self.at(Place::Entry(&text), |inspector| {
            inspector.sink.enter_ephemeron(key.raw(), Tag::of::<K>());
            if inspector.visits::<V>() {
                value.inspect(inspector);
            }
            inspector.sink.leave_ephemeron();
        });
        self.text = text;
    }

    /// The edges that the value's `trace` reports, without names.
    pub fn anonymous<F: Trace + ?Sized>(&mut self, value: &F) {
        if F::NEEDS_TRACE {
            self.anonymous_with(|tracer| value.trace(tracer));
        }
    }

    /// The edges that a trace reports, without names.
    pub(crate) fn anonymous_with(&mut self, trace: impl FnOnce(&mut Tracer<'_>)) {
        let mut watcher = Watcher::new();
        watcher.watch(trace);
        for found in watcher.take() {
            match found {
                Recorded::Edge(target, of) => self.sink.edge(target, of),
                Recorded::Ephemeron(key, of) => self.sink.enter_ephemeron(key, of),
                Recorded::EndOfEphemeron => self.sink.leave_ephemeron(),
                Recorded::Gap => self.sink.gap(),
            }
        }
    }

    /// What tells this object from others of its type, as `Mob 812v4 "wolf"`. A label set by a part of the
    /// object counts if that part is the key of an entry, but not for the object.
    pub fn label(&mut self, text: impl fmt::Display) {
        if self.depth == 0 {
            self.has_label = true;
            self.sink.label(&text);
        } else if self.wants_labels && !self.has_label {
            // For example the parts of a tuple.
            self.sink.label(&text);
        }
    }

    /// The label of what is a text itself: quoted where it is a key.
    pub(crate) fn text(&mut self, text: &str) {
        if self.wants_labels { self.label(format_args!("{text:?}")) } else { self.label(text) }
    }

    /// The roots of a source with a name.
    #[cfg(feature = "inspect")]
    pub(crate) fn source(&mut self, name: &'static str, inspect: impl FnOnce(&mut Self)) {
        self.sink.enter_source(name);
        inspect(self);
        self.sink.leave_source();
    }

    /// Reports that a lock is held, so that what is behind it is not known. See [`Tracer::locked`].
    pub fn locked(&mut self) {
        self.sink.gap();
    }

    /// A key that is a handle is shown as one.
    fn show_handle(&mut self, name: ShortName, raw: RawHandle) {
        if self.wants_labels {
            self.label(format_args!("{name} {raw}"));
        }
    }

    /// How a key is shown: empty if it has no label.
    fn text_of<K: Trace + ?Sized>(&mut self, key: &K) -> String {
        let mut text = mem::take(&mut self.text);
        text.clear();
        let mut sink = KeyText(text);
        let mut inspector = Inspector { wants_labels: true, ..Inspector::new(&mut sink) };
        key.inspect(&mut inspector);
        sink.0
    }
}

impl fmt::Debug for Inspector<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector").field("depth", &self.depth).finish_non_exhaustive()
    }
}

/// Takes the label of a key, and ignores edges.
struct KeyText(String);

/// A longer text of a key is truncated: it is for people.
const MOST_TEXT: usize = 64;

impl Sink for KeyText {
    fn enter(&mut self, _: Place<'_>) {}

    fn leave(&mut self) {}

    fn edge(&mut self, _: RawHandle, _: Tag) {}

    fn weak(&mut self, _: RawHandle, _: Tag) {}

    fn enter_ephemeron(&mut self, _: RawHandle, _: Tag) {}

    fn leave_ephemeron(&mut self) {}

    fn label(&mut self, text: &dyn fmt::Display) {
        if self.0.ends_with('…') {
            return;
        }
        if !self.0.is_empty() {
            self.0.push_str(", ");
        }
        // An error means that the text was long enough.
        if write!(Short(&mut self.0), "{text}").is_err() {
            self.0.push('…');
        }
    }

    fn gap(&mut self) {}
}

/// Text up to a length, whole characters only.
struct Short<'a>(&'a mut String);

impl Write for Short<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.0.len() >= MOST_TEXT {
                return Err(fmt::Error);
            }
            self.0.push(c);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
