//! Columns of components for `crate::works::ecs`, of the peers that need more than
//! [`crate::needs::ecs::Held`].

pub(crate) mod arena;
pub(crate) mod slotgc;
