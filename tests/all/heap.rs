//! The heap as a container: objects made, read, changed and destroyed, without a thought of collecting.

mod access;
mod cyclic;
mod destroy;
mod generations;
mod limits;
mod promises;
mod shapes;
mod split;
