//! Learning of deaths, for objects of a type known at run time.

use slotgc::{DeathQueue, Finalizer, Graveyard, Heap, Watch};

use crate::kind::Kind;
use crate::link::Link;
use crate::log::NoticeToken;
use crate::types::of_kind;
use crate::types::view::{Object, View};

/// What a callback or a finalizer does, with the handle that it is given.
pub(crate) type Code = Box<dyn FnOnce(&mut Heap, Option<u64>) + Send>;

/// The tag of a registration.
#[derive(Debug)]
pub(crate) struct Tagged {
    pub(crate) number: u64,
    pub(crate) _token: NoticeToken,
}

/// A registration, or the text that refuses it.
type Registering<T> = Result<T, String>;

pub(crate) fn on_death(heap: &mut Heap, kind: Kind, link: Link, code: Code) -> Registering<Watch> {
    of_kind!(kind, T => on_death_as::<T>(heap, link, code))
}

#[inline(never)]
fn on_death_as<T: Object>(heap: &mut Heap, link: Link, code: Code) -> Registering<Watch> {
    let watch = heap.on_death(link.gc::<T>(), move |heap, weak| {
        assert!(!heap.is_alive(weak), "a callback's handle no longer resolves");
        code(heap, Some(weak.to_bits()));
    });
    watch.map_err(|dead| dead.to_string())
}

/// A `Finalizer` of any type.
pub(crate) trait Finalizing {
    fn call(&self, heap: &mut Heap) -> Option<u64>;
    fn detach(&self, heap: &mut Heap) -> Option<u64>;
    fn is_alive(&self, heap: &Heap) -> bool;
    fn peek(&self, heap: &Heap) -> Option<u64>;
    fn set_at_exit(&self, heap: &mut Heap, at_exit: bool);
}

impl<T: Object> Finalizing for Finalizer<T, u64> {
    fn call(&self, heap: &mut Heap) -> Option<u64> {
        Finalizer::call(self, heap)
    }

    fn detach(&self, heap: &mut Heap) -> Option<u64> {
        Finalizer::detach(self, heap).map(|gc| gc.to_bits())
    }

    fn is_alive(&self, heap: &Heap) -> bool {
        Finalizer::is_alive(self, heap)
    }

    fn peek(&self, heap: &Heap) -> Option<u64> {
        Finalizer::peek(self, heap).map(|gc| gc.to_bits())
    }

    fn set_at_exit(&self, heap: &mut Heap, at_exit: bool) {
        Finalizer::set_at_exit(self, heap, at_exit);
    }
}

/// A finalizer that returns the number.
pub(crate) fn finalizer(
    heap: &mut Heap,
    kind: Kind,
    link: Link,
    number: u64,
    code: Code,
) -> Registering<Box<dyn Finalizing>> {
    of_kind!(kind, T => finalizer_as::<T>(heap, link, number, code))
}

#[inline(never)]
fn finalizer_as<T: Object>(
    heap: &mut Heap,
    link: Link,
    number: u64,
    code: Code,
) -> Registering<Box<dyn Finalizing>> {
    let run = move |heap: &mut Heap| {
        code(heap, None);
        number
    };
    match heap.finalizer(link.gc::<T>().downgrade(), run) {
        Ok(finalizer) => Ok(Box::new(finalizer)),
        Err(dead) => Err(dead.to_string()),
    }
}

pub(crate) fn watch(
    heap: &mut Heap,
    kind: Kind,
    link: Link,
    queue: &DeathQueue<Tagged>,
    tag: Tagged,
) -> Registering<Watch> {
    of_kind!(kind, T => queue.watch(heap, link.gc::<T>(), tag).map_err(|dead| dead.to_string()))
}

/// A `Graveyard` for any type.
pub(crate) trait Graves {
    fn bury(&self, heap: &mut Heap, link: Link) -> Registering<Watch>;
    /// The handle that the object had, and its value.
    fn exhume(&self) -> Option<(u64, Box<dyn View>)>;
    fn len(&self) -> usize;
}

impl<T: Object> Graves for Graveyard<T> {
    #[inline(never)]
    fn bury(&self, heap: &mut Heap, link: Link) -> Registering<Watch> {
        Graveyard::bury(self, heap, link.gc::<T>()).map_err(|dead| dead.to_string())
    }

    #[inline(never)]
    fn exhume(&self) -> Option<(u64, Box<dyn View>)> {
        let (weak, value) = Graveyard::exhume(self)?;
        Some((weak.to_bits(), Box::new(value)))
    }

    fn len(&self) -> usize {
        assert_eq!(Graveyard::len(self) == 0, self.is_empty());
        Graveyard::len(self)
    }
}

pub(crate) fn graveyard(kind: Kind) -> Box<dyn Graves> {
    of_kind!(kind, T => Box::new(Graveyard::<T>::new()) as Box<dyn Graves>)
}
