//! Any file is an error or a graph that can answer every question.
#![no_main]
use libfuzzer_sys::fuzz_target;
use slotgc_inspect::{file::File, graph::FileGraph, report};

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = File::read(bytes) else { return };
    let graph = FileGraph::of(file, |_| {});
    assert_eq!(graph.kept + graph.snapshot().unreachable().count(), graph.file().len());
    report::census(graph.file(), 9);
    report::biggest(&graph, 9);
    report::diff(graph.file(), graph.file(), 9);
    for node in graph.file().nodes().take(20) {
        (report::path(&graph, node.id()), report::node(&graph, node.id()));
    }
});
