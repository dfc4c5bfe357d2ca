//! Going back to an earlier state of a heap: what becomes of the registrations on its objects.

use alloc::vec::Vec;
use core::cmp::Reverse;

use hashbrown::HashMap;
use slotmap::DefaultKey;

use crate::death::{Act, Deaths, Due, Dues, WatchKind};
use crate::handle::RawHandle;
use crate::hash::HandleHasher;

/// What the program said objects own, in bytes.
pub(crate) type Hints = HashMap<RawHandle, usize, core::hash::BuildHasherDefault<HandleHasher>>;

/// What became of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// It lives, or lives again.
    Alive,
    /// It was already dead then.
    Dead,
    /// It was not made yet.
    Undone,
}

impl<H: 'static> Deaths<H> {
    /// What the program said objects own.
    pub(crate) fn hints(&self) -> &Hints {
        &self.hints
    }

    /// The heap went back. Registrations on an object that lives again stay; those on an object that was
    /// undone are returned, to be dropped. Code that ran does not run again.
    pub(crate) fn go_back(&mut self, hints: &Hints, fate: impl Fn(RawHandle) -> Fate) -> Vec<Act<H>> {
        let mut keys: Vec<(u64, DefaultKey)> =
            self.registrations.iter().map(|(key, registration)| (registration.number, key)).collect();
        keys.sort_unstable();
        self.hints.clone_from(hints);
        self.gone_hints = 0;
        self.by_target.clear();
        self.take_up();
        let Dues { burials, tags, calls, dropped } = &mut self.dues;
        burials.clear();
        tags.clear();
        calls.clear();
        dropped.clear();
        let mut undone = Vec::new();
        for (number, key) in keys {
            let registration = &mut self.registrations[key];
            (registration.earlier, registration.later) = (None, None);
            let fate = fate(registration.target);
            registration.is_due = fate != Fate::Alive;
            let due = Due { number, key };
            match (fate, registration.kind) {
                (Fate::Alive, _) => {
                    let target = registration.target;
                    let earlier = self.by_target.insert(target, key);
                    self.registrations[key].earlier = earlier;
                    if let Some(earlier) = earlier {
                        self.registrations[earlier].later = Some(key);
                    }
                }
                (Fate::Dead, WatchKind::Callback | WatchKind::Finalizer) => self.dues.calls.push(due),
                (Fate::Dead, WatchKind::Burial) => self.dues.burials.push(Reverse(due)),
                (Fate::Dead, WatchKind::Tag) => self.dues.tags.push(Reverse(due)),
                (Fate::Undone, _) => undone.push(self.remove_key(key).act),
            }
        }
        undone
    }

    /// The objects on which anything is registered or noted.
    pub(crate) fn targets(&self) -> impl Iterator<Item = RawHandle> {
        self.by_target.keys().chain(self.hints.keys()).copied()
    }
}
