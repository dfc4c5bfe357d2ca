//! The architecture, checked: imports go one way and never in a circle, and `unsafe` stays where it is argued
//! for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The modules from the ground up, separated by spaces and line breaks. A module imports only from those
/// before it, and from itself.
const LAYERS: &str = "
    sync panics clock tag geometry handle hash type_names stats tracing_spans config bitmap space root store trace gc_dyn
    weak death
    pool graph collector inspect heap iter docs
";

/// Where `unsafe` may be, and how many exceptions each file has.
const UNSAFE: &[(&str, usize)] = &[
    ("handle.rs", 1),
    ("heap/others.rs", 1),
    ("space.rs", 1),
    ("space/growth.rs", 1),
    ("space/reserved.rs", 1),
    ("space/system_unix.rs", 1),
    ("space/system_windows.rs", 1),
    ("space/table.rs", 1),
    ("store/access.rs", 1),
    ("store/ahead.rs", 1),
    ("store/look.rs", 1),
    ("store/open_page.rs", 1),
    ("store/slot.rs", 1),
    ("store/slot/tests.rs", 1),
];

/// The folder of each crate, and the minimum number of its files.
const CRATES: &[(&str, usize)] = &[
    ("src", 20),
    ("benches", 5),
    ("tests/all", 20),
    ("tests/features", 3),
    ("crates/counts/src", 3),
    ("crates/derive/src", 3),
    ("crates/graphs/src", 1),
    ("crates/oracle/src", 20),
    ("crates/versus/src", 20),
    ("examples/autoremove", 5),
    ("examples/frame_loop", 5),
];

/// The files of the oracle that contain only data: none of them names the crate under test.
const NAIVE: &[&str] = &[
    "contents.rs",
    "kind.rs",
    "link.rs",
    "model.rs",
    "model/deaths.rs",
    "ops.rs",
    "ops/generate.rs",
    "ops/weak.rs",
    "shrink.rs",
    "tables.rs",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// The source files of a crate, by their path in its folder.
fn sources(folder: &str, least: usize) -> BTreeMap<String, String> {
    fn visit(folder: &Path, top: &Path, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).expect("the source is beside the tests") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                visit(&path, top, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(top).expect("below the crate's folder");
                let name = name.to_str().expect("a name in ASCII").replace('\\', "/");
                found.insert(name, std::fs::read_to_string(&path).expect("a readable file"));
            }
        }
    }
    let mut found = BTreeMap::new();
    let top = root().join(folder);
    visit(&top, &top, &mut found);
    assert!(found.len() >= least, "only {} files in {folder}", found.len());
    found
}

fn src() -> BTreeMap<String, String> {
    let (folder, least) = CRATES[0];
    sources(folder, least)
}

/// The text without comments and string literals, so that only code is left.
fn code(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("r#\"") {
            rest.find("\"#").map_or(rest.len(), |end| end + 2)
        } else if first == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|c| {
                let is_end = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                is_end
            });
            end.map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest[1..].find('\'').map_or(rest.len(), |end| end + 2)
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        rest = &rest[skip..];
    }
    // `$crate` in a macro for users is not an import of the file.
    code.replace("$crate::", "$")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The paths that a file names with `crate::`, each as its segments: `crate::a::{b, c::d}` is `a b` and
/// `a c d`.
fn paths(code: &str) -> Vec<Vec<&str>> {
    let mut paths = Vec::new();
    for after in code.split("crate::").skip(1) {
        path(after, &[], &mut paths);
    }
    paths
}

/// Reads a path or a tree of paths; returns the text after it.
fn path<'c>(mut code: &'c str, before: &[&'c str], paths: &mut Vec<Vec<&'c str>>) -> &'c str {
    let mut segments = before.to_vec();
    loop {
        if let Some(inside) = code.strip_prefix('{') {
            code = inside.trim_start();
            while !code.starts_with('}') {
                code = path(code, &segments, paths);
                // What is left of an item: `as other`, `::<T>`, a comma.
                code = code.trim_start_matches(|c: char| c != ',' && c != '}');
                code = code.strip_prefix(',').unwrap_or(code).trim_start();
                assert!(!code.is_empty(), "a tree of imports is closed");
            }
            return &code[1..];
        }
        let end = code.find(|c: char| !is_word(c)).unwrap_or(code.len());
        if end == 0 {
            // A glob, or `::<T>`.
            paths.push(segments);
            return code;
        }
        segments.push(&code[..end]);
        code = &code[end..];
        match code.strip_prefix("::") {
            Some(rest) => code = rest,
            None => {
                paths.push(segments);
                return code;
            }
        }
    }
}

/// The file that a path leads into: that of the longest prefix which is a module.
fn file_of<'f>(path: &[&str], files: &'f BTreeMap<String, String>) -> Option<&'f str> {
    (1..=path.len()).rev().find_map(|len| {
        let name = path[..len].join("/") + ".rs";
        files.get_key_value(&name).map(|(name, _)| name.as_str())
    })
}

/// Which files of a crate each of its files imports from.
fn imports(files: &BTreeMap<String, String>) -> BTreeMap<&str, BTreeSet<&str>> {
    let of = |name: &str, text: &str| {
        let code = code(text);
        let files: BTreeSet<_> = paths(&code).iter().filter_map(|path| file_of(path, files)).collect();
        files.into_iter().filter(|file| *file != name).collect()
    };
    files.iter().map(|(name, text)| (name.as_str(), of(name, text))).collect()
}

/// What remains when files whose imports are all removed are removed too, until nothing changes: the circles,
/// and what imports from them.
fn circles<'f>(mut imports: BTreeMap<&'f str, BTreeSet<&'f str>>) -> BTreeMap<&'f str, BTreeSet<&'f str>> {
    loop {
        let left: BTreeSet<&str> = imports.keys().copied().collect();
        imports.values_mut().for_each(|from| from.retain(|file| left.contains(file)));
        imports.retain(|_, from| !from.is_empty());
        if imports.len() == left.len() {
            return imports;
        }
    }
}

/// The module to which a file belongs: that of its folder, or of the file itself.
fn module_of(name: &str) -> &str {
    name.split('/').next().unwrap_or(name).trim_end_matches(".rs")
}

fn layer(module: &str) -> usize {
    let layer = LAYERS.split_whitespace().position(|name| name == module);
    layer.unwrap_or_else(|| {
        panic!(
            "`crate::{module}` names no module in LAYERS: add it, or name the module and not the re-export"
        )
    })
}

/// The modules from which a file imports though they are above it.
fn upward(name: &str, text: &str) -> Vec<String> {
    let own = layer(module_of(name));
    // The tests inside a file may look upward.
    let code = code(&text[..text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len())]);
    let modules: BTreeSet<_> = paths(&code)
        .iter()
        .map(|path| {
            *path.first().expect("one `use crate::..` for each module, so that this test can read it")
        })
        .collect();
    modules.into_iter().filter(|module| layer(module) > own).map(String::from).collect()
}

#[test]
fn imports_go_one_way() {
    let mut wrong = Vec::new();
    // The tests of a file do not count either if they have a file of their own.
    let counts = |name: &str| name != "lib.rs" && name != "docs.rs" && !name.ends_with("/tests.rs");
    for (name, text) in src().iter().filter(|(name, _)| counts(name)) {
        wrong.extend(upward(name, text).into_iter().map(|module| format!("{name} imports {module}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_crate_has_a_circle_of_files() {
    for (folder, least) in CRATES {
        let files = sources(folder, *least);
        let circles = circles(imports(&files));
        assert!(circles.is_empty(), "{folder}: each of these imports from the others: {circles:#?}");
    }
}

#[test]
fn the_model_of_a_heap_does_not_know_the_heap() {
    let files = sources("crates/oracle/src", 20);
    let imports = imports(&files);
    for name in NAIVE {
        assert!(!code(&files[*name]).contains("slotgc"), "{name} names the crate under test");
        let known: Vec<_> = imports[name].iter().filter(|file| !NAIVE.contains(file)).collect();
        assert!(known.is_empty(), "{name} imports from {known:?}");
    }
}

#[test]
fn comments_keep_to_110_columns() {
    let mut long = Vec::new();
    for (folder, least) in CRATES {
        for (name, text) in sources(folder, *least) {
            // Rows of tables cannot be broken.
            let is_long = |line: &&str| {
                let comment = line.trim_start();
                comment.starts_with("//") && !comment.contains(" | ") && line.chars().count() > 110
            };
            long.extend(text.lines().filter(is_long).map(|line| format!("{folder}/{name}: {line}")));
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn every_module_has_a_layer_and_every_layer_a_module() {
    let lib = code(&src()["lib.rs"]);
    let words: Vec<&str> = lib.split(|c: char| !is_word(c)).collect();
    let declared: BTreeSet<&str> =
        words.windows(2).filter(|pair| pair[0] == "mod").map(|pair| pair[1]).collect();
    // What derived code uses is a list of names, not a layer.
    let declared = declared.into_iter().filter(|name| *name != "__derive").collect::<BTreeSet<_>>();
    assert_eq!(declared, LAYERS.split_whitespace().collect());
}

#[test]
fn an_import_upward_would_be_noticed() {
    let [lower, middle, upper] = ["sync", "trace", "heap"];
    let of = |module: &str, text: &str| upward(&format!("{module}.rs"), text);
    assert_eq!(of(middle, &format!("use crate::{upper}::Heap;")), [upper]);
    let two = format!("use crate::{lower}::{{A, B}};\nuse crate::{upper};");
    assert_eq!(upward(&format!("{middle}/edges.rs"), &two), [upper]);
    assert_eq!(of(middle, &format!("fn f() -> crate::{upper}::Heap {{}}")), [upper]);
    let nothing = Vec::<String>::new();
    assert_eq!(of(upper, &format!("use crate::{middle}::X; use crate::{upper}::dead;")), nothing);
    assert_eq!(of(middle, &format!("// crate::{upper}\nlet x = \"crate::{upper}\";")), nothing);
    assert_eq!(of(middle, "impl $crate::heap::Trace for $crate::heap::Heap {}"), nothing);
    assert_eq!(of(middle, &format!("pub(crate) fn f() {{}} pub(in crate::{middle}) struct S;")), nothing);
    assert_eq!(code("a \"b \\\" c\" d // e\nf"), "a  d \nf");
}

#[test]
fn a_circle_of_files_would_be_noticed() {
    let files = |texts: &[(&str, &str)]| -> BTreeMap<String, String> {
        texts.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect()
    };
    let one_way = files(&[
        ("a.rs", "use crate::b::{self, c::{D, E as F}, G};"),
        ("b.rs", "mod c; struct G;"),
        ("b/c.rs", "use crate::d::*; fn f() { crate::d::g::<u8>() }"),
        ("d.rs", "fn g<T>() {}"),
    ]);
    assert_eq!(imports(&one_way)["a.rs"], BTreeSet::from(["b.rs", "b/c.rs"]));
    assert_eq!(imports(&one_way)["b/c.rs"], BTreeSet::from(["d.rs"]));
    assert!(circles(imports(&one_way)).is_empty());
    let mut circle = one_way.clone();
    circle.insert("d.rs".to_string(), "use crate::{x::Y, b::{c::D}};".to_string());
    assert_eq!(circles(imports(&circle)).into_keys().collect::<Vec<_>>(), ["a.rs", "b/c.rs", "d.rs"]);
}

#[test]
fn unsafe_is_only_where_it_is_argued_for() {
    let sources = src();
    let mut exceptions = Vec::new();
    for (name, text) in &sources {
        let code = code(text);
        let words: Vec<&str> = code.split(|c: char| !is_word(c)).collect();
        let count = words.iter().filter(|word| **word == "unsafe").count();
        // Exceptions in the tests inside a file do not count.
        let own = &code[..code.find("#[cfg(test)]").unwrap_or(code.len())];
        let excepted = own.matches("expect(unsafe_code").count();
        assert!(count == 0 || excepted > 0, "{name} has `unsafe` and no exception");
        assert_eq!(code.matches("allow(unsafe_code").count(), 0, "{name}: `expect`, not `allow`");
        if excepted > 0 {
            exceptions.push((name.as_str(), excepted));
        }
    }
    assert_eq!(exceptions, UNSAFE);
}
