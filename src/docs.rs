//! Guides. These modules contain no items; every example is tested.
//!
//! - [`questions`]: what users ask, with short answers. When can collections happen? What keeps an object
//!   alive?
//! - [`shapes`]: ways to structure a program around a heap.
//! - [`in_an_ecs`]: a heap beside an entity component system.
//! - [`root_sources`]: handles outside the heap, and what reporting them costs.
//! - [`threads`]: which thread does what; marking and allocating through `&Heap`.
//! - [`finding_a_leak`]: what still holds an object, and how to test that nothing does.
//! - [`guarantees`]: what holds whatever a program does, and the tests that attack it.
//!
//! For those who know another library, a table of its terms and their counterparts here:
//! [slotmap](from_slotmap), [gc-arena](from_gc_arena), [`Arc` and `Weak`](from_arc_and_weak),
//! [Bevy](from_bevy), [Unreal or Unity](from_unreal_or_unity), [Python's `weakref`](from_weakref).

#[expect(unused_imports, reason = "links of the pages resolve here")]
use crate::*;

#[doc = include_str!("../docs/questions.md")]
pub mod questions {}

#[doc = include_str!("../docs/shapes.md")]
pub mod shapes {}

#[doc = include_str!("../docs/in_an_ecs.md")]
pub mod in_an_ecs {}

#[doc = include_str!("../docs/root_sources.md")]
pub mod root_sources {}

#[doc = include_str!("../docs/threads.md")]
#[cfg(feature = "std")]
pub mod threads {}

#[doc = include_str!("../docs/finding_a_leak.md")]
pub mod finding_a_leak {}

#[doc = include_str!("../docs/guarantees.md")]
pub mod guarantees {}

#[doc = include_str!("../docs/from_slotmap.md")]
pub mod from_slotmap {}

#[doc = include_str!("../docs/from_gc_arena.md")]
pub mod from_gc_arena {}

#[doc = include_str!("../docs/from_arc_and_weak.md")]
pub mod from_arc_and_weak {}

#[doc = include_str!("../docs/from_bevy.md")]
pub mod from_bevy {}

#[doc = include_str!("../docs/from_unreal_or_unity.md")]
pub mod from_unreal_or_unity {}

#[doc = include_str!("../docs/from_weakref.md")]
pub mod from_weakref {}
