//! The heap as a container: allocating, reading, changing and destroying objects, without collections.

mod access;
mod cyclic;
mod destroy;
mod generations;
mod limits;
#[cfg(not(slotgc_few_types))]
mod many_types;
mod promises;
mod shapes;
mod split;
