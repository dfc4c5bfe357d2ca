//! The heap as a container: allocating, reading, changing and destroying objects, without collections.

mod access;
mod cyclic;
mod destroy;
mod generations;
mod limits;
mod promises;
mod shapes;
mod split;
