#![doc = include_str!("../README.md")]

mod commands;
mod deaths;
mod handles;
mod heap;
mod in_flight;
mod later;
mod pace;
mod roots;
mod world;

#[cfg(feature = "diagnostics")]
mod diagnostics;
#[cfg(feature = "app")]
mod plugin;

pub use commands::GcCommands;
pub use deaths::ObjectDied;
#[cfg(feature = "diagnostics")]
pub use diagnostics::GcDiagnosticsPlugin;
pub use handles::{GcRef, GcRoot};
pub use heap::GcHeap;
pub use in_flight::{GcInFlight, Kept};
pub use pace::{GcFrame, GcSettings, GcSystems, announce_deaths, flush_later, mark_beside, pace};
#[cfg(feature = "app")]
pub use plugin::{GcAppExt, GcPlugin};
pub use roots::GcColumn;
pub use world::GcWorldExt;

/// The core, so that it needs no dependency of its own.
pub use slotgc;
