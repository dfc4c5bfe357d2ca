//! Hand-written lower limits: what the work costs when nothing is safe, general or checked. slotgc should
//! stay close to them.
//!
//! [`IndexVec`] is a vector indexed without a check. [`BitmapSlots`] and the markers use slots as slotgc's
//! design has them: an 8-byte header and a 64-byte value, contiguous in memory, on huge pages or not.

mod lookup;
mod mark;
mod slots;

pub(crate) use lookup::{BitmapSlots, IndexVec};
pub(crate) use mark::{StackMark, TwoStageMark, TwoStageSmallPages};
