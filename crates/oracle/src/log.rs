//! Which destructors ran, in what order, and the panics that objects raise on purpose.
//!
//! A run is single-threaded, so the log is a thread-local. Invariant: an event is written before the panic
//! that may accompany it, so a destructor that panicked is in the log, too.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::time::Duration;

use slotgc::WatchGuard;

use crate::kind::UserCode;
use crate::link::ObjectId;

/// What user code inside a heap reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Event {
    /// The destructor of this object ran.
    Dropped(ObjectId),
    /// The destructor ran of an entry that this object's weak collection had set aside.
    EntryDropped(ObjectId),
    /// An armed `trace`, or a root source, is about to panic.
    TracePanicked(ObjectId),
    /// The closure or tag of this registration was dropped.
    NoticeDropped(ObjectId),
    /// An armed clock is about to panic.
    ClockPanicked,
}

thread_local! {
    static LOG: RefCell<Vec<Event>> = const { RefCell::new(Vec::new()) };
    static QUIET: Cell<u32> = const { Cell::new(0) };
    static MARKS: Cell<usize> = const { Cell::new(0) };
    static CLOCK: Cell<Option<u8>> = const { Cell::new(None) };
    static CODE: Cell<Armed> = const { Cell::new(None) };
    static WENT_OFF: Cell<bool> = const { Cell::new(false) };
}

/// What an armed object panics with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Injected(pub(crate) ObjectId);

impl Event {
    /// The object that it is about.
    pub(crate) fn id(self) -> ObjectId {
        match self {
            Event::Dropped(id)
            | Event::EntryDropped(id)
            | Event::TracePanicked(id)
            | Event::NoticeDropped(id) => id,
            Event::ClockPanicked => CLOCK_ID,
        }
    }
}

impl Injected {
    /// Unwinds past the panic hook: the panic is part of the program.
    pub(crate) fn raise(self) -> ! {
        panic::resume_unwind(Box::new(self))
    }
}

/// What an armed clock panics with.
pub(crate) const CLOCK_ID: ObjectId = ObjectId(u32::MAX - 1);

/// A clock for a heap, which panics if this thread armed its clocks.
pub(crate) fn clock(now: fn() -> Duration) -> impl Fn() -> Duration + Send + Sync + 'static {
    move || {
        // At the end of the thread the fuse may be gone already.
        let fuse = CLOCK.try_with(Cell::take).unwrap_or_default();
        match fuse {
            Some(0) => {
                write(Event::ClockPanicked);
                Injected(CLOCK_ID).raise()
            }
            Some(readings) => CLOCK.set(Some(readings - 1)),
            None => {}
        }
        now()
    }
}

/// Makes clocks panic once, at this reading from now; `None`: never.
pub(crate) fn arm_clock(reading: Option<u8>) {
    CLOCK.set(reading);
}

/// User code that panics, once, after so many more calls of it.
pub(crate) type Armed = Option<(UserCode, u8)>;

/// What user code panics with that is armed.
pub(crate) const CODE_ID: ObjectId = ObjectId(u32::MAX - 2);

/// User code runs, which panics if it is armed and this is the call.
pub(crate) fn user_code(code: UserCode) {
    let Some((armed, calls)) = CODE.get().filter(|(armed, _)| *armed == code) else { return };
    let Some(left) = calls.checked_sub(1) else {
        CODE.set(None);
        WENT_OFF.set(true);
        Injected(CODE_ID).raise()
    };
    CODE.set(Some((armed, left)));
}

/// Calls a heap or a weak collection while user code is `armed`. A panic of it comes out of the call in which
/// it happened.
pub(crate) fn breaking<R>(armed: &mut Armed, f: impl FnOnce() -> Result<R, Thrown>) -> Result<R, Thrown> {
    arm_code(armed.take());
    WENT_OFF.set(false);
    let result = f();
    *armed = disarm_code();
    let is_raised = matches!(result, Err(Thrown::Injected(CODE_ID)));
    assert_eq!(WENT_OFF.take(), is_raised, "armed user code panicked (left), and that came out (right)");
    result
}

pub(crate) fn arm_code(armed: Armed) {
    CODE.set(armed);
}

/// Until it is armed again user code does not panic.
pub(crate) fn disarm_code() -> Armed {
    CODE.take()
}

/// Takes the events since the last call.
pub(crate) fn take() -> Vec<Event> {
    LOG.with(RefCell::take)
}

/// Whether this happened since they were last taken.
pub(crate) fn has(event: Event) -> bool {
    LOG.with_borrow(|log| log.contains(&event))
}

pub(crate) fn write(event: Event) {
    // When the end of the thread destroys a heap, the log may be gone already. Nobody reads it then.
    let _ = LOG.try_with(|log| log.borrow_mut().push(event));
}

/// Its drop is an object's destructor.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) id: ObjectId,
    /// Whether the destructor panics.
    pub(crate) armed: bool,
    /// Cancel what they guard when the object is dropped, also when the destructor panics.
    pub(crate) guards: Vec<WatchGuard>,
}

impl Token {
    pub(crate) fn new(id: ObjectId) -> Self {
        Self { id, armed: false, guards: Vec::new() }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        write(Event::Dropped(self.id));
        if self.armed && !std::thread::panicking() {
            Injected(self.id).raise();
        }
    }
}

/// Part of an entry that a weak collection set aside.
#[derive(Debug)]
pub(crate) struct AsideToken(pub(crate) ObjectId);

impl Drop for AsideToken {
    fn drop(&mut self) {
        write(Event::EntryDropped(self.0));
    }
}

/// Part of a registration's closure, or its tag, and dropped with it.
#[derive(Debug)]
pub(crate) struct NoticeToken(pub(crate) ObjectId);

impl Drop for NoticeToken {
    fn drop(&mut self) {
        write(Event::NoticeDropped(self.0));
    }
}

/// Part of every key and value of a weak map: they are counted, so that none is leaked or dropped twice
/// unnoticed.
#[derive(Debug)]
pub(crate) struct Mark(());

impl Mark {
    pub(crate) fn new() -> Self {
        MARKS.set(MARKS.get() + 1);
        Self(())
    }

    /// How many there are in this thread.
    pub(crate) fn count() -> usize {
        MARKS.get()
    }

    /// Forgets those that an earlier, failed run has not dropped.
    pub(crate) fn reset() {
        MARKS.set(0);
    }
}

impl Clone for Mark {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let _ = MARKS.try_with(|count| count.set(count.get().wrapping_sub(1)));
    }
}

/// How a call ended that panicked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Thrown {
    /// An armed object panicked.
    Injected(ObjectId),
    /// The heap refused, with this text.
    Text(String),
}

impl Thrown {
    pub(crate) fn of(payload: Box<dyn Any + Send>) -> Self {
        match payload.downcast::<Injected>() {
            Ok(injected) => Thrown::Injected(injected.0),
            Err(payload) => Thrown::Text(text_of(&*payload)),
        }
    }
}

/// The text of a panic.
pub(crate) fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().cloned();
    let text = text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string));
    text.unwrap_or_else(|| "a panic without a text".to_string())
}

/// Calls `f`. A panic in it is an outcome like others: it is returned, not printed.
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Thrown> {
    caught(f).map_err(Thrown::of)
}

/// As [`catch`], with the payload.
pub(crate) fn caught<R>(f: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    silence_expected();
    QUIET.set(QUIET.get() + 1);
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    QUIET.set(QUIET.get() - 1);
    result
}

/// Puts a panic hook before the present one (a fuzzer's aborts), which lets expected panics pass.
fn silence_expected() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if QUIET.try_with(Cell::get).unwrap_or(0) == 0 {
                hook(info);
            }
        }));
    });
}
