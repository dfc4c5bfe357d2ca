//! What a stepped program does to objects besides making them: roots, deaths, registrations, what they own.

use crate::dyn_heap;
use crate::dyn_heap::deaths::{self as death_calls, Tagged};
use crate::kind::Fuse;
use crate::lent;
use crate::log::{self, NoticeToken};
use crate::model::Index;
use crate::ops::Access;
use crate::stepped::program::{Ending, Inside};
use crate::stepped::runner::{Registered, Registration, Runner};

impl Runner {
    pub(super) fn root(&mut self, target: u8) {
        let Some(index) = self.pick(target) else { return };
        let root = dyn_heap::root(&self.heap, self.model.objects[index].kind, self.link(index));
        self.roots.push(root.expect("a living object is rooted"));
        self.model.roots.push(index);
        self.touch(index);
    }

    pub(super) fn destroy(&mut self, target: u8, erased: bool) {
        let Some(index) = self.pick(target) else { return };
        let (kind, link, id) =
            (self.model.objects[index].kind, self.link(index), self.model.objects[index].id);
        self.touch(index);
        self.model.kill(index);
        self.known[index].by_hand = true;
        if kind.has_destructor() {
            self.expected.insert(id);
        }
        let frame = self.by_hand(index);
        let mut value = None;
        self.framed(frame, |heap| {
            if erased {
                assert!(heap.destroy_any(link.any()), "what is destroyed was alive");
            } else {
                value = dyn_heap::destroy(heap, kind, link);
                assert!(value.is_some(), "what is destroyed was alive");
            }
            None
        });
        let dropped = log::catch(|| drop(value));
        assert!(dropped.is_ok() || self.armed.contains(&id), "a destructor panicked that was not to");
    }

    pub(super) fn arm(&mut self, target: u8, fuse: Fuse) {
        let Some(index) = self.pick(target) else { return };
        let object = &mut self.model.objects[index];
        let can = if fuse == Fuse::Trace { object.kind.has_body() } else { object.kind.has_destructor() };
        if !can {
            return;
        }
        let view = dyn_heap::write(&mut self.heap, object.kind, object.link(), Access::ByGc);
        let view = view.unwrap_or_else(|_| panic!("{object:?} is lost"));
        match fuse {
            Fuse::Trace => view.arm_trace(),
            Fuse::Drop => view.token().expect("a destructor").armed = true,
        }
        object.fuses[fuse as usize] = true;
        if fuse == Fuse::Drop {
            self.armed.insert(object.id);
        }
        self.touch(index);
    }

    // ---- Deaths

    pub(super) fn register(
        &mut self,
        target: Index,
        then: Option<Inside>,
        ending: Ending,
        is_callback: bool,
    ) -> (u64, NoticeToken) {
        let (number, id) = (self.watches.len() as u64, self.next_id());
        self.registered.insert(number, Registration { id, target, then, ending, is_callback });
        self.notices.insert(id);
        (number, NoticeToken(id))
    }

    pub(super) fn on_death(&mut self, target: u8, then: &Inside, ending: Ending) {
        let Some(index) = self.pick(target) else { return };
        let (number, token) = self.register(index, Some(then.clone()), ending, true);
        let (kind, link) = (self.model.objects[index].kind, self.link(index));
        let code = lent::code::<Runner>(number, token);
        let watch = death_calls::on_death(&mut self.heap, kind, link, code).expect("a living object");
        self.watches.push(Registered::Watch(watch));
    }

    pub(super) fn finalize(&mut self, target: u8, then: &Inside, ending: Ending) {
        let Some(index) = self.pick(target) else { return };
        let (number, token) = self.register(index, Some(then.clone()), ending, false);
        let (kind, link) = (self.model.objects[index].kind, self.link(index));
        let code = lent::code::<Runner>(number, token);
        let made = death_calls::finalizer(&mut self.heap, kind, link, number, code);
        self.watches.push(Registered::Finalizer(made.expect("a living object")));
    }

    pub(super) fn watch(&mut self, target: u8) {
        let Some(index) = self.pick(target) else { return };
        let (number, token) = self.register(index, None, Ending::Returns, false);
        let (kind, link) = (self.model.objects[index].kind, self.link(index));
        let tag = Tagged { number, _token: token };
        let watch = death_calls::watch(&mut self.heap, kind, link, &self.queue, tag);
        self.watches.push(Registered::Watch(watch.expect("a living object")));
    }

    pub(super) fn cancel(&mut self, number: u8) {
        let Some(number) = usize::from(number).checked_rem(self.watches.len()) else { return };
        let place = number;
        let number = number as u64;
        let known = self.registered.remove(&number);
        self.tags.remove(&number);
        self.due.remove(&number);
        for frame in &mut self.frames {
            frame.forget(number);
        }
        match &self.watches[place] {
            Registered::Watch(watch) => {
                let was_there = self.heap.cancel(*watch);
                assert_eq!(was_there, known.is_some(), "cancel says whether {number} was still there");
            }
            Registered::Finalizer(finalizer) => {
                let target = known.map(|known| self.link(known.target));
                let target = target.filter(|link| self.model.resolve(*link).is_some());
                let detached = finalizer.detach(&mut self.heap);
                assert_eq!(detached, target.map(|link| link.bits), "detach gives a living target");
            }
        }
    }

    pub(super) fn own(&mut self, target: u8, kib: u8) {
        let Some(index) = self.pick(target) else { return };
        let (kind, bytes) = (self.model.objects[index].kind, usize::from(kib) << 10);
        let link = self.link(index);
        assert!(dyn_heap::set_owned_bytes(&mut self.heap, kind, link, bytes), "{link:?} is lost");
        self.owned.insert(index, bytes);
    }

    // ---- Collections
}
