//! Programs as users write them: each was once a report of a lost object, of a collection that came too late
//! or never ended, or of a cost that depended on the past. The name of a test is what holds now.

mod ends;
mod late;
// Needs std's locks.
#[cfg(feature = "std")]
mod lost;
mod past;
mod space;
