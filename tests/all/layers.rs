//! The architecture, checked: imports go one way, and `unsafe` stays where it is argued for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The modules from the ground up. A module imports only from those before it, and from itself.
const LAYERS: &[&str] = &[
    "sync",
    "clock",
    "panics",
    "handle",
    "hash",
    "stats",
    "tracing_spans",
    "config",
    "tag",
    "bitmap",
    "space",
    "root",
    "page",
    "trace",
    "weak",
    "death",
    "pool",
    "collector",
    "heap",
    "docs",
];

/// Where `unsafe` may be, and how often the exception is made.
const UNSAFE: &[(&str, usize)] = &[
    ("handle.rs", 1),
    ("heap/others.rs", 1),
    ("page.rs", 1),
    ("space.rs", 1),
    ("space/reserved.rs", 1),
    ("space/table.rs", 1),
];

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The source files by their path in `src`, without comments, strings and tests.
fn sources() -> BTreeMap<String, String> {
    fn visit(folder: &Path, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).expect("the source is beside the tests") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                visit(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(src()).expect("below `src`");
                let name = name.to_str().expect("a name in ASCII").replace('\\', "/");
                found.insert(name, std::fs::read_to_string(&path).expect("a readable file"));
            }
        }
    }
    let mut found = BTreeMap::new();
    visit(&src(), &mut found);
    assert!(found.len() > 20, "only {} files", found.len());
    found
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
    code
}

/// The modules that a file names by `crate::`, and not by `$crate::`: that is for the users of a macro.
fn imports(code: &str) -> BTreeSet<&str> {
    let parts = code.split("crate::").collect::<Vec<_>>();
    let own = parts.windows(2).filter(|pair| !pair[0].ends_with('$'));
    let named = own.map(|pair| pair[1]).map(|after| {
        let end = after.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(after.len());
        assert!(end > 0, "one `use crate::..` for each module, so that this test can read it");
        &after[..end]
    });
    named.collect()
}

/// The module to which a file belongs: that of the folder, or of the file.
fn module_of(name: &str) -> &str {
    name.split('/').next().unwrap_or(name).trim_end_matches(".rs")
}

fn layer(module: &str) -> usize {
    let layer = LAYERS.iter().position(|name| *name == module);
    layer.unwrap_or_else(|| {
        panic!(
            "`crate::{module}` names no module in LAYERS: add it, or name the module and not the re-export"
        )
    })
}

/// The imports of one file that go upward.
fn upward(name: &str, text: &str) -> Vec<String> {
    let own = layer(module_of(name));
    // The tests inside a file may look upward.
    let own_text = &text[..text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len())];
    let code = code(own_text);
    imports(&code).into_iter().filter(|module| layer(module) > own).map(String::from).collect()
}

#[test]
fn imports_go_one_way() {
    let mut wrong = Vec::new();
    for (name, text) in sources().iter().filter(|(name, _)| *name != "lib.rs" && *name != "docs.rs") {
        wrong.extend(upward(name, text).into_iter().map(|module| format!("{name} imports {module}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_module_has_a_layer_and_every_layer_a_module() {
    let lib = code(&sources()["lib.rs"]);
    let words: Vec<&str> = lib.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let declared: BTreeSet<&str> =
        words.windows(2).filter(|pair| pair[0] == "mod").map(|pair| pair[1]).collect();
    // What derived code uses is a list of names and no layer.
    let declared = declared.into_iter().filter(|name| *name != "__derive").collect::<BTreeSet<_>>();
    assert_eq!(declared, LAYERS.iter().copied().collect());
}

#[test]
fn an_import_upward_would_be_noticed() {
    assert_eq!(upward("page.rs", "use crate::pool::Pool;"), ["pool"]);
    assert_eq!(
        upward("trace/edges.rs", "use crate::handle::{Gc, Weak};\nuse crate::collector;"),
        ["collector"]
    );
    assert_eq!(upward("page.rs", "fn f() -> crate::heap::Heap {}"), ["heap"]);
    let nothing = Vec::<String>::new();
    assert_eq!(upward("heap/alloc.rs", "use crate::page::Store; use crate::heap::dead;"), nothing);
    assert_eq!(upward("page.rs", "// crate::heap\nlet x = \"crate::heap\";"), nothing);
    assert_eq!(upward("trace.rs", "impl $crate::Trace for $crate::Heap {}"), nothing);
    assert_eq!(upward("page.rs", "pub(crate) fn f() {} pub(in crate::page) struct S;"), nothing);
    assert_eq!(code("a \"b \\\" c\" d // e\nf"), "a  d \nf");
}

#[test]
fn unsafe_is_only_where_it_is_argued_for() {
    let sources = sources();
    let mut exceptions = Vec::new();
    for (name, text) in &sources {
        let code = code(text);
        let words: Vec<&str> = code.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
        let count = words.iter().filter(|word| **word == "unsafe").count();
        // Those of the tests inside a file are no part of the crate.
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
