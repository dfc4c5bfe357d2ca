//! Files of V8's format, good ones and hostile ones.

use slotgc_inspect::file::File;

const META: &str = r#"{"node_fields":["type","name","id","self_size","edge_count","trace_node_id","detachedness"],"node_types":[["hidden","object","synthetic"],"string","number","number","number","number","number"],"edge_fields":["type","name_or_index","to_node"],"edge_types":[["element","property","weak"],"string_or_number","node"]}"#;

fn file(nodes: &str, edges: &str, texts: &str) -> String {
    format!(
        r#"{{"snapshot":{{"meta":{META},"node_count":9}},"nodes":[{nodes}],"edges":[{edges}],"trace_tree":[{{"a":[1]}}],"strings":[{texts}]}}"#
    )
}

const NODES: &str = "2,0,1,0,1,0,0, 1,1,17,40,1,0,0";
const EDGES: &str = "0,5,7, 1,1,0";
const TEXTS: &str = r#""","M\u00f6b""#;

#[test]
fn a_file_is_read_as_its_meta_part_says() {
    let read = File::read(file(NODES, EDGES, TEXTS).as_bytes()).unwrap();
    assert_eq!((read.len(), read.edges_len()), (2, 2));
    let mob = read.node(1);
    assert_eq!((mob.id(), mob.bytes(), mob.class_name().as_str()), (17, 40, "Möb"));
    assert_eq!(mob.to_string(), "Möb @17");
    let edges: Vec<_> = read.nodes().flat_map(|node| node.edges().map(|edge| edge.to_string())).collect();
    assert_eq!(edges, ["[5]", ".Möb"]);
    // Other fields, in another order.
    let other = r#"{"snapshot":{"meta":{"node_fields":["edge_count","id","name","self_size","type"],"node_types":["number","number","string","number",["object"]],"edge_fields":["to_node","type","name_or_index"],"edge_types":["node",["weak"],"string_or_number"]}},"nodes":[1,3,0,8,0],"edges":[0,0,0],"strings":["a"]}"#;
    let read = File::read(other.as_bytes()).unwrap();
    assert_eq!((read.node(0).id(), read.node(0).bytes(), read.edge(0).text()), (3, 8, "a"));
}

#[test]
fn a_class_is_the_first_word_in_brackets() {
    let texts =
        ["<Mob \\\"a wolf\\\">", "<Mob>", "a wolf", "Mob<A, B>", "<"].map(|text| format!("\"{text}\""));
    let nodes: Vec<String> = (0..5).map(|text| format!("1,{text},{},0,0,0,0", 2 * text + 1)).collect();
    let read = File::read(file(&nodes.join(","), "", &texts.join(",")).as_bytes()).unwrap();
    let classes: Vec<String> = read.nodes().map(|node| node.class_name()).collect();
    assert_eq!(classes, ["<Mob>", "<Mob>", "a wolf", "Mob<A, B>", "<"]);
}

#[test]
fn a_file_that_contradicts_itself_is_an_error_that_says_so() {
    let errors = [
        (file("2,0,1,0,1,0,0, 1,1,17,40,2,0,0", EDGES, TEXTS), "3 edges by its nodes, 2 by its array"),
        (file(NODES, "0,5,7, 1,1,14", TEXTS), "an edge to node 2 of 2"),
        (file(NODES, "0,5,7, 1,1,3", TEXTS), "an edge into the middle of a node"),
        (file(NODES, "0,5,7, 1,2,0", TEXTS), "text 2 of 2"),
        (file(NODES, "0,5,7, 9,1,0", TEXTS), "an edge of an unknown type"),
        (file("9,0,1,0,1,0,0, 1,1,17,40,1,0,0", EDGES, TEXTS), "a node of type 9 of 3"),
        (file("2,0,1,0,1,0,0, 1,1,17,40,1,0", EDGES, TEXTS), "an array ends within a row"),
        (file("2,0,1,0,4294967296,0,0", EDGES, TEXTS), "too large for edge_count"),
        (file("2,0,1,-1,0,0,0", EDGES, TEXTS), "invalid value"),
        (r#"{"nodes":[]}"#.to_string(), "\"snapshot\" does not come first"),
        (format!(r#"{{"snapshot":{{"meta":{META}}},"nodes":[],"nodes":[]}}"#), "a second part \"nodes\""),
        (format!(r#"{{"snapshot":{{"meta":{META}}},"nodes":[]}}"#), "a part is missing"),
        ("[".repeat(100_000), "invalid type"),
        (format!(r#"{{"a":{}"#, "[".repeat(100_000)), "EOF while parsing"),
        (file(NODES, EDGES, TEXTS) + "x", "trailing characters"),
    ];
    for (text, expected) in errors {
        let error = File::read(text.as_bytes()).map(|file| file.len()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}: not {expected}");
    }
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_an_error() {
    let text = file(NODES, EDGES, TEXTS);
    for end in 0..text.len() {
        assert!(File::read(&text.as_bytes()[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn a_changed_file_is_an_error_or_a_graph_that_answers() {
    use slotgc_inspect::{graph::FileGraph, report};
    let good =
        file("2,0,1,0,2,0,0, 1,1,17,40,2,0,0, 1,1,19,8,1,0,0", "0,5,7, 0,6,14, 1,1,0, 2,1,14, 1,0,7", TEXTS);
    let mut state = 1_u64;
    let mut random = |limit: usize| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 33) as usize % limit
    };
    let mut graphs = 0;
    for _ in 0..5000 {
        let mut bytes = good.clone().into_bytes();
        for _ in 0..1 + random(3) {
            let place =
                good.find("\"nodes\"").unwrap() + random(good.len() - good.find("\"nodes\"").unwrap());
            bytes[place] = b"0123456789,,[]\" "[random(16)];
        }
        let Ok(read) = File::read(&bytes[..]) else { continue };
        graphs += 1;
        let graph = FileGraph::of(read, |_| {});
        assert_eq!(graph.kept + graph.snapshot().unreachable().count(), graph.file().len());
        assert!(!report::biggest(&graph, 9).is_empty() && !report::census(graph.file(), 9).is_empty());
        for node in graph.file().nodes() {
            assert!(
                !report::path(&graph, node.id()).is_empty() && !report::node(&graph, node.id()).is_empty()
            );
        }
    }
    assert!(graphs > 100, "{graphs}");
}
