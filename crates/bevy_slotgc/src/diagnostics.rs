//! The heap's figures among Bevy's diagnostics.

use bevy_app::{App, Plugin, PostUpdate};
use bevy_diagnostic::{Diagnostic, DiagnosticPath, Diagnostics, RegisterDiagnostic};
use bevy_ecs::prelude::*;

use crate::{GcFrame, GcHeap};

/// Measures in each frame what the collector did in the previous one. Add it beside
/// [`GcPlugin`](crate::GcPlugin); `LogDiagnosticsPlugin` prints it.
///
/// # Examples
/// ```
/// use bevy_app::App;
/// use bevy_diagnostic::{DiagnosticsPlugin, DiagnosticsStore};
/// use bevy_slotgc::{GcDiagnosticsPlugin, GcHeap, GcPlugin};
///
/// let mut app = App::new();
/// app.add_plugins((DiagnosticsPlugin, GcPlugin::default(), GcDiagnosticsPlugin));
/// app.world_mut().resource_mut::<GcHeap>().alloc(1);
/// app.update();
/// let diagnostics = app.world().resource::<DiagnosticsStore>();
/// assert_eq!(diagnostics.get(&GcDiagnosticsPlugin::LIVE).unwrap().value(), Some(1.0));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct GcDiagnosticsPlugin;

impl GcDiagnosticsPlugin {
    /// Objects in the heap, garbage included.
    pub const LIVE: DiagnosticPath = DiagnosticPath::const_new("gc/live");
    /// How long the world stood still for the collector, in milliseconds.
    pub const PAUSE_MS: DiagnosticPath = DiagnosticPath::const_new("gc/pause_ms");
    /// Bytes by which the heap has grown since the last full cycle.
    pub const DEBT: DiagnosticPath = DiagnosticPath::const_new("gc/debt");
    /// Objects freed in a frame.
    pub const FREED: DiagnosticPath = DiagnosticPath::const_new("gc/freed");
    /// How many frames the last full cycle took.
    pub const CYCLE_FRAMES: DiagnosticPath = DiagnosticPath::const_new("gc/cycle_frames");
}

impl Plugin for GcDiagnosticsPlugin {
    fn build(&self, app: &mut App) {
        app.register_diagnostic(Diagnostic::new(Self::LIVE))
            .register_diagnostic(Diagnostic::new(Self::PAUSE_MS).with_suffix("ms"))
            .register_diagnostic(Diagnostic::new(Self::DEBT).with_suffix("B"))
            .register_diagnostic(Diagnostic::new(Self::FREED))
            .register_diagnostic(Diagnostic::new(Self::CYCLE_FRAMES))
            .add_systems(PostUpdate, measure);
    }
}

fn measure(mut diagnostics: Diagnostics, heap: Res<GcHeap>, frame: Res<GcFrame>) {
    let stats = heap.stats();
    diagnostics.add_measurement(&GcDiagnosticsPlugin::LIVE, || stats.objects as f64);
    diagnostics.add_measurement(&GcDiagnosticsPlugin::PAUSE_MS, || frame.pause.as_secs_f64() * 1e3);
    diagnostics.add_measurement(&GcDiagnosticsPlugin::DEBT, || stats.debt_bytes as f64);
    diagnostics.add_measurement(&GcDiagnosticsPlugin::FREED, || frame.freed as f64);
    diagnostics.add_measurement(&GcDiagnosticsPlugin::CYCLE_FRAMES, || stats.cycle_steps as f64);
}
