//! What people want to know about roots, beside the table: names, and where each was made.
//!
//! Behind a lock that is taken only if origins are remembered or a name is set: an entry of the table knows
//! whether there is a note about it, and forgets the note when its last `Root` is dropped.

use alloc::borrow::Cow;
use core::panic::Location;

use crate::hash::Map;
use crate::sync::Lock;

/// What is known about a root.
#[derive(Clone, Debug, Default)]
pub(crate) struct RootNote {
    pub(crate) name: Option<Cow<'static, str>>,
    /// Where it was made.
    pub(crate) origin: Option<&'static Location<'static>>,
}

/// Notes, by the number of the entry.
#[derive(Debug, Default)]
pub(crate) struct RootNotes {
    remembers_origins: bool,
    notes: Lock<Map<u32, RootNote>>,
}

impl RootNotes {
    pub(crate) fn new(remembers_origins: bool) -> Self {
        Self { remembers_origins, notes: Lock::default() }
    }

    /// Whether every root's origin is noted.
    pub(crate) fn remembers_origins(&self) -> bool {
        self.remembers_origins
    }

    pub(crate) fn change(&self, entry: u32, change: impl FnOnce(&mut RootNote)) {
        self.notes.with(|notes| change(notes.entry(entry).or_default()));
    }

    pub(crate) fn forget(&self, entry: u32) {
        // Dropped outside the lock, since the name may be large.
        let note = self.notes.with(|notes| notes.remove(&entry));
        drop(note);
    }

    #[cfg_attr(not(feature = "inspect"), allow(dead_code, reason = "for the feature `inspect`"))]
    pub(crate) fn get(&self, entry: u32) -> RootNote {
        self.notes.with(|notes| notes.get(&entry).cloned()).unwrap_or_default()
    }
}
