//! Programs as they are found in the field: each was once a report of a lost object, a collection that came
//! too late or never ended, or a cost that followed the past. The name of a test is what holds now.

mod ends;
mod late;
// Locks are std's.
#[cfg(feature = "std")]
mod lost;
mod past;
mod space;
