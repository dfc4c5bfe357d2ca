//! The transitions, on a slot outside any page.
#![expect(unsafe_code, reason = "makes a slot of an array")]

use alloc::string::{String, ToString};
use alloc::sync::Arc;

use super::*;
use crate::geometry::Granule;

type Value = Option<Arc<String>>;

/// Room for a header and a value, all zero as in a fresh page.
#[repr(C, align(16))]
struct Room([u8; 64]);

fn with_slot<R>(test: impl FnOnce(&mut SlotMut<'_, Value>) -> R) -> R {
    let mut room = Room([0; 64]);
    // SAFETY: the room is aligned and large enough, reads as zero, and nothing else uses it.
    let slot = unsafe { Slot::<Value>::at(NonNull::from(&mut room.0).cast()) };
    // SAFETY: as above.
    let mut slot = unsafe { slot.exclusive() };
    test(&mut slot)
}

fn handle(generation: u32) -> RawHandle {
    RawHandle::new(Granule::new(0, 0), Generation(generation))
}

fn value(counter: &Arc<String>) -> Value {
    Some(Arc::clone(counter))
}

const FIRST: Generation = Generation(1);

#[test]
fn a_value_is_dropped_once_on_every_way_through_the_states() {
    let counter = Arc::new("x".to_string());
    with_slot(|slot| {
        assert_eq!(slot.occupy(FIRST, Start::Clean, value(&counter)), Generation(1));
        assert!(slot.take(handle(1)).is_some());
        assert!(slot.take(handle(1)).is_none(), "taken already");
        assert_eq!(slot.reserve(FIRST), Generation(3));
        assert!(slot.occupy_reserved(handle(3), value(&counter)).is_ok());
        assert!(slot.doom(handle(3)) && !slot.doom(handle(3)));
        assert!(slot.exhume(handle(1)).is_none(), "another object's handle");
        assert!(slot.exhume(handle(3)).is_some() && slot.exhume(handle(3)).is_none());
        slot.drop_doomed(|_| {});
        slot.occupy(FIRST, Start::Clean, value(&counter));
        assert_eq!(slot.die(false), (Generation(6), true));
        slot.drop_doomed(|value| assert!(value.is_some()));
        slot.drop_doomed(|_| unreachable!("dropped already"));
    });
    assert_eq!(Arc::strong_count(&counter), 1);
}

#[test]
fn a_slot_is_filled_for_the_handle_that_it_was_reserved_for_and_no_other() {
    let counter = Arc::new("x".to_string());
    with_slot(|slot| {
        assert!(slot.occupy_reserved(handle(1), value(&counter)).is_err(), "never reserved");
        assert_eq!(slot.reserve(Generation(7)), Generation(7));
        assert!(slot.occupy_reserved(handle(5), value(&counter)).is_err());
        assert!(!slot.abandon(handle(9)) && slot.abandon(handle(7)) && !slot.abandon(handle(7)));
        assert!(slot.occupy_reserved(handle(7), value(&counter)).is_err(), "abandoned");
        assert_eq!(slot.occupy(FIRST, Start::Clean, value(&counter)), Generation(9));
        assert!(slot.occupy_reserved(handle(9), value(&counter)).is_err(), "occupied");
        assert!(slot.take(handle(9)).is_some());
    });
    assert_eq!(Arc::strong_count(&counter), 1);
}

#[cfg(feature = "std")]
#[test]
fn no_object_is_made_where_one_lives() {
    let counter = Arc::new("x".to_string());
    with_slot(|slot| {
        slot.occupy(FIRST, Start::Clean, value(&counter));
        let again = std::panic::AssertUnwindSafe(|| slot.occupy(FIRST, Start::Clean, value(&counter)));
        assert!(std::panic::catch_unwind(again).is_err());
        let reserve = std::panic::AssertUnwindSafe(|| slot.reserve(FIRST));
        assert!(std::panic::catch_unwind(reserve).is_err());
        assert_eq!(slot.look().get(handle(1)).and_then(Option::as_deref), Some(&*counter));
        drop(slot.take(handle(1)));
    });
    assert_eq!(Arc::strong_count(&counter), 1);
}
