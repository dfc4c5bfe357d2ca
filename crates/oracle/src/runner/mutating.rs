//! Making, reading and changing objects.

use std::mem;
use std::panic::{self, AssertUnwindSafe};

use slotgc::{Heap, Tracer};

use crate::contents::Contents;
use crate::dyn_heap::{self, Gone, Made, kept_by};
use crate::kind::{Fuse, Kind};
use crate::link::{Entry, Link, ObjectId};
use crate::log::{Injected, Thrown};
use crate::model::{Index, Life};
use crate::ops::{Access, Block, Edit, Ending, How, Make, Pick, Shape};
use crate::runner::state::{HeldRoot, MANY_OBJECTS, Runner, World};
use crate::types::view::View;

impl Runner {
    pub(super) fn alloc(&mut self, heap: usize, make: &Make, how: How) {
        let id = self.next_id();
        let contents = self.contents_of(heap, id, make);
        self.alloc_with(heap, make.kind, id, contents, how);
    }

    /// Makes an object; `None` if a limit or a panic prevented it.
    fn alloc_with(
        &mut self,
        heap: usize,
        kind: Kind,
        id: ObjectId,
        contents: Contents,
        how: How,
    ) -> Option<Index> {
        let kept: Vec<Link> = kept_by(how).map(|pick| self.typed_link(heap, pick)).into_iter().collect();
        let may_collect = kept_by(how).is_some() && !self.model(heap).deaths.is_telling;
        let mut extra = contents.clone();
        extra.edges.extend(&kept);
        if may_collect && self.model(heap).refusal(kind).is_some() && self.model(heap).collections > 0 {
            // A minor collection that frees enough would leave garbage that the model does not know. So
            // nothing is young here.
            let source = |tracer: &mut Tracer<'_>| extra.trace(tracer);
            self.collecting(heap, &extra, None, |heap| heap.collect_with(&source))?;
        }
        let collects = may_collect && self.model(heap).refusal(kind).is_some();
        let made = if collects {
            let before = self.worlds[heap].heap.stats().collections;
            let expected = self.model(heap).collections;
            let collected = self.collecting(heap, &extra, None, |heap| {
                match dyn_heap::alloc(heap, kind, id, &contents, how, &kept) {
                    Made::Panicked(Thrown::Injected(id)) => Injected(id).raise(),
                    made => made,
                }
            });
            // A minor one came first, and freed too little.
            let World { heap: real, model, .. } = &mut self.worlds[heap];
            let is_twice = real.stats().collections.wrapping_sub(before) == model.collections - expected + 1;
            model.collections += u64::from(is_twice);
            let Some((made, _)) = collected else {
                self.expect_drop(kind, id);
                return None;
            };
            made
        } else {
            dyn_heap::alloc(&mut self.worlds[heap].heap, kind, id, &contents, how, &kept)
        };
        let refusal = self.model(heap).refusal(kind);
        self.judge(heap, kind, id, contents, made, refusal)
    }

    /// Compares the outcome of an allocation with what it had to be.
    pub(super) fn judge(
        &mut self,
        heap: usize,
        kind: Kind,
        id: ObjectId,
        contents: Contents,
        made: Made,
        refusal: Option<String>,
    ) -> Option<Index> {
        let Some((bits, root)) = made.judged(refusal.as_deref()) else {
            self.expect_drop(kind, id);
            return None;
        };
        let world = &mut self.worlds[heap];
        let index = world.model.give_out(id, kind, bits, Life::Alive);
        let link = world.model.objects[index].link();
        world.model.born(index, contents);
        self.noted(bits);
        if let Some(root) = root {
            self.hold(heap, root, link, index);
        }
        Some(index)
    }

    pub(super) fn hold(&mut self, heap: usize, root: Box<dyn dyn_heap::Held>, link: Link, object: Index) {
        assert_eq!(root.bits(), link.bits, "a root has the handle of its object");
        let incarnation = self.worlds[heap].incarnation;
        self.held.push(HeldRoot { root, link, heap, incarnation, object });
        self.worlds[heap].model.roots.push(object);
    }

    pub(super) fn cyclic(&mut self, heap: usize, make: &Make, inside: &Block, ending: Ending) {
        let kind = make.kind;
        let refusal = self.model(heap).refusal(kind);
        let mut making = None;
        let made = self.with_heap_apart(heap, |runner, apart| {
            dyn_heap::alloc_cyclic(apart, kind, &mut |apart, bits| {
                let (id, index, contents) = runner.inside(heap, apart, bits, make, inside);
                making = Some((id, index, contents.clone()));
                match ending {
                    Ending::Returns => (id, contents),
                    Ending::Panics => Injected(id).raise(),
                }
            })
        });
        match (made, making, refusal) {
            (Ok(bits), Some((_, index, contents)), None) => {
                let model = &mut self.worlds[heap].model;
                assert_eq!(model.objects[index].bits, bits, "the handle is the one that `make` had");
                model.born(index, contents);
            }
            (Err(Thrown::Injected(id)), Some((made, index, _)), None) if id == made => {
                assert_eq!(ending, Ending::Panics);
                self.worlds[heap].model.abandoned(index);
            }
            (Err(Thrown::Text(text)), None, Some(limit)) => assert!(text.contains(&limit), "{text}: {limit}"),
            (made, making, refusal) => panic!("alloc_cyclic returned {made:?} for {making:?}, {refusal:?}"),
        }
    }

    /// What `make` does: it runs ops on the heap that is lent to it, and returns the contents of the object.
    fn inside(
        &mut self,
        heap: usize,
        lent: &mut Heap,
        bits: u64,
        make: &Make,
        inside: &Block,
    ) -> (ObjectId, Index, Contents) {
        let id = self.next_id();
        let index = self.worlds[heap].model.give_out(id, make.kind, bits, Life::Building);
        self.noted(bits);
        self.lending(heap, lent, inside);
        (id, index, self.contents_of(heap, id, make))
    }

    /// Runs ops on a heap that is lent to user code.
    pub(super) fn lending(&mut self, heap: usize, lent: &mut Heap, inside: &Block) {
        mem::swap(lent, &mut self.worlds[heap].heap);
        let ran = panic::catch_unwind(AssertUnwindSafe(|| self.block(inside)));
        mem::swap(lent, &mut self.worlds[heap].heap);
        ran.unwrap_or_else(|payload| panic::resume_unwind(payload));
    }

    pub(super) fn burst(&mut self, heap: usize, kind: Kind, size: u8, shape: Shape, rooted: bool) {
        let hub = match shape {
            Shape::Star(pick) | Shape::Fan(pick) => Some(self.link(heap, pick)),
            Shape::Loose | Shape::Chain => None,
        };
        let mut made = Vec::new();
        for _ in 0..kind.burst_len(size) {
            if self.model(heap).refusal(kind).is_some() || self.model(heap).objects.len() > MANY_OBJECTS {
                break;
            }
            let edge = match shape {
                Shape::Chain => made.last().copied(),
                Shape::Star(_) => hub.map(|(_, link)| link),
                Shape::Loose | Shape::Fan(_) => None,
            };
            let id = self.next_id();
            let value = Self::value_of(id, size);
            let mut contents = Contents { value, edges: Vec::from_iter(edge), ..Contents::default() };
            kind.fit(&mut contents);
            let index = self.alloc_with(heap, kind, id, contents, How::Unrooted).expect("below the limits");
            made.push(self.model(heap).objects[index].link());
        }
        if let (Shape::Fan(_), Some(hub)) = (shape, hub) {
            self.update(heap, hub, Access::ByGc, |contents| contents.edges.extend(&made));
        }
        if let Some(last) = made.last().filter(|_| rooted) {
            self.root_link(heap, kind, *last);
        }
    }

    pub(super) fn read(&mut self, heap: usize, target: Pick, by: Access) {
        let (kind, link) = self.link(heap, target);
        let found = self.model(heap).resolve(link);
        let read = dyn_heap::read(&self.worlds[heap].heap, kind, link, by);
        self.check_access(heap, found, read.map(|object| object as &dyn View), by);
    }

    /// Compares what an access returned with what it had to.
    fn check_access(&self, heap: usize, found: Option<Index>, read: Result<&dyn View, Gone>, by: Access) {
        match (found, read) {
            (Some(index), Ok(object)) => {
                let expected = &self.model(heap).objects[index];
                assert!(object.holds(expected.id, &expected.contents), "reads as {expected:?}");
            }
            (None, Err(text)) => {
                let has_text = matches!(by, Access::ByTry | Access::ByIndex | Access::ByWeakIndex);
                let text = text.unwrap_or_default();
                let says_so = text.starts_with("weakly-referenced object no longer exists");
                assert_eq!(says_so, has_text, "{by:?} of a dead object says: {text}");
            }
            (Some(index), Err(_)) => panic!("{:?} does not resolve", self.model(heap).objects[index]),
            (None, Ok(_)) => panic!("a handle resolves that must not"),
        }
    }

    pub(super) fn change(&mut self, heap: usize, target: Pick, by: Access, edit: Edit) {
        let target = self.link(heap, target);
        let links = self.links_of(heap, edit);
        self.update(heap, target, by, |contents| apply(contents, edit, &links));
    }

    /// Changes an object in the model, and stores what comes out in the heap.
    fn update(
        &mut self,
        heap: usize,
        (kind, link): (Kind, Link),
        by: Access,
        change: impl FnOnce(&mut Contents),
    ) {
        let found = self.model(heap).resolve(link);
        let read = dyn_heap::read(&self.worlds[heap].heap, kind, link, by);
        self.check_access(heap, found, read, by);
        let world = &mut self.worlds[heap];
        let written = dyn_heap::write(&mut world.heap, kind, link, by);
        match (found, written) {
            (Some(index), Ok(object)) => {
                let contents = &mut world.model.objects[index].contents;
                change(contents);
                kind.fit(contents);
                object.store(contents);
            }
            (None, Err(_)) => {}
            (found, _) => panic!("written by {by:?}, unlike read: {found:?}"),
        }
    }

    /// The links that a change names, in the order in which it names them.
    fn links_of(&self, heap: usize, edit: Edit) -> Vec<Link> {
        match edit {
            Edit::Link { to, erased: true } => vec![self.erased_link(heap, to)],
            Edit::Link { to, erased: false } | Edit::Relink { to, .. } | Edit::Listen(to) => {
                vec![self.typed_link(heap, to)]
            }
            Edit::LinkMany(len) => {
                let objects = self.model(heap).objects.iter().rev();
                objects.take(len.into()).map(crate::model::Object::link).collect()
            }
            Edit::Entry { key, value } => [key, value].map(|pick| self.typed_link(heap, pick)).to_vec(),
            Edit::Nested { keys: [key, inner], value } => {
                [key, inner, value].map(|pick| self.typed_link(heap, pick)).to_vec()
            }
            Edit::Value(_) | Edit::Unlink(_) | Edit::Clear => Vec::new(),
        }
    }

    pub(super) fn exchange(&mut self, heap: usize, targets: [Pick; 2]) {
        let [a, mut b] = targets.map(|pick| self.link(heap, pick));
        if b.0 != a.0 && !dyn_heap::PAIRED.contains(&b.0) {
            b = (a.0, Link::typed(a.0, b.1.bits));
        }
        let found = (self.model(heap).resolve(a.1), self.model(heap).resolve(b.1));
        let world = &mut self.worlds[heap];
        let two = dyn_heap::write_two(&mut world.heap, a, b);
        match (found, two) {
            ((Some(x), Some(y)), Some((object_x, object_y))) if x != y => {
                let values = [x, y].map(|index| world.model.objects[index].contents.value);
                for (index, object, value) in [(x, object_x, values[1]), (y, object_y, values[0])] {
                    let contents = &mut world.model.objects[index].contents;
                    contents.value = value;
                    world.model.objects[index].kind.fit(&mut world.model.objects[index].contents);
                    object.store(&world.model.objects[index].contents);
                }
            }
            ((Some(x), Some(y)), None) => assert_eq!(x, y, "two objects are not to be had together"),
            (_, None) => {}
            (found, Some(_)) => panic!("two objects are to be had, one of which is gone: {found:?}"),
        }
    }

    pub(super) fn change_all(&mut self, heap: usize, kind: Kind, value: u8) {
        let world = &mut self.worlds[heap];
        let indices: Vec<Index> = world.model.alive.iter().copied().collect();
        for index in indices {
            let object = &mut world.model.objects[index];
            if object.kind == kind {
                object.contents.value = Self::value_of(object.id, value);
                kind.fit(&mut object.contents);
            }
        }
        let expected = world.model.of_kind(kind);
        let mut expected = expected.iter();
        dyn_heap::for_each_mut(&mut world.heap, kind, &mut |bits, object| {
            let next = expected.next().expect("iter_mut yields no more than the living");
            assert_eq!(next.bits, bits, "iter_mut yields the living in slot order");
            object.store(&next.contents);
        });
        assert!(expected.next().is_none(), "iter_mut yields all the living");
    }

    pub(super) fn split(&mut self, heap: usize, target: Pick, peek: Pick, make: Option<&Make>, edit: Edit) {
        let (kind, link) = self.link(heap, target);
        let (peek_kind, peek) = self.link(heap, peek);
        let found = self.model(heap).resolve(link);
        let beside = self.model(heap).resolve(peek).filter(|index| Some(*index) != found);
        let links = self.links_of(heap, edit);
        let mut contents = found.map(|index| self.model(heap).objects[index].contents.clone());
        if let Some(contents) = &mut contents {
            apply(contents, edit, &links);
            kind.fit(contents);
        }
        let made = make.map(|make| {
            let id = self.next_id();
            (make.kind, id, self.contents_of(heap, id, make), self.model(heap).refusal(make.kind))
        });
        let mut allocated = None;
        let was_split = self.with_heap_apart(heap, |runner, apart| {
            dyn_heap::split(apart, kind, link, &mut |object, mut rest| {
                let (alive, seen) = dyn_heap::read_beside(&mut rest, peek_kind, peek);
                assert_eq!(
                    alive,
                    runner.model(heap).resolve(peek).is_some(),
                    "alive beside {link:?}: {peek:?}"
                );
                runner.check_access(heap, beside, seen.ok_or(None), Access::ByGc);
                allocated = made
                    .as_ref()
                    .map(|(kind, id, contents, _)| dyn_heap::alloc_beside(&mut rest, *kind, *id, contents));
                object.store(contents.as_ref().expect("only a living object is split off"));
            })
        });
        assert_eq!(was_split, found.is_some(), "an object is split off if it is there");
        let Some(index) = found else { return };
        self.worlds[heap].model.objects[index].contents = contents.expect("of the object found");
        if let (Some(allocated), Some((kind, id, contents, refusal))) = (allocated, made) {
            self.judge(heap, kind, id, contents, allocated, refusal);
        }
    }

    pub(super) fn arm(&mut self, heap: usize, target: Pick, fuse: Fuse) {
        let (kind, link) = self.link(heap, target);
        let can = if fuse == Fuse::Trace { kind.has_body() } else { kind.has_destructor() };
        let Some(index) = self.model(heap).resolve(link).filter(|_| can) else { return };
        let world = &mut self.worlds[heap];
        let object = dyn_heap::write(&mut world.heap, kind, link, Access::ByGc).expect("a living object");
        match fuse {
            Fuse::Trace => object.arm_trace(),
            Fuse::Drop => object.token().expect("a destructor").armed = true,
        }
        world.model.objects[index].fuses[fuse as usize] = true;
        if fuse == Fuse::Drop {
            self.armed.insert(world.model.objects[index].id);
        }
    }
}

/// A change to contents, with the links that it names.
fn apply(contents: &mut Contents, edit: Edit, links: &[Link]) {
    match edit {
        Edit::Value(value) => contents.value = contents.value & !0xff | u64::from(value),
        Edit::Link { .. } | Edit::LinkMany(_) => contents.edges.extend(links),
        Edit::Relink { at, .. } => match contents.edges.len() {
            0 => contents.edges.extend(links),
            len => contents.edges[usize::from(at) % len] = links[0],
        },
        Edit::Unlink(at) => {
            if !contents.edges.is_empty() {
                contents.edges.remove(usize::from(at) % contents.edges.len());
            }
        }
        Edit::Listen(_) => contents.weaks.extend(links),
        Edit::Entry { .. } => contents.entries.push(Entry { key: links[0], inner: None, value: links[1] }),
        Edit::Nested { .. } => {
            contents.entries.push(Entry { key: links[0], inner: Some(links[1]), value: links[2] });
        }
        Edit::Clear => {
            contents.edges.clear();
            contents.weaks.clear();
            contents.entries.clear();
        }
    }
}
