//! What the language means: small scripts with what they print after `// ->`, and the error they end with
//! after `// error:`. Each runs on every substrate.

use std::fs;

use slotgc::{Heap, HeapConfig};

use super::{compiler, on_gc_arena, on_indices, on_rc, on_slotgc};

type Answer = Result<String, String>;

/// On all substrates; on slotgc also with a collection at each safe point.
fn run_on_all(source: &str) -> [(&'static str, Answer); 5] {
    let script = match compiler::compile(source) {
        Ok(script) => script,
        Err(error) => return ["the compiler"; 5].map(|name| (name, Err(error.clone()))),
    };
    let stressed = Heap::with_config(HeapConfig::default().stress(true));
    [
        ("slotgc", on_slotgc::run(&script, Heap::new())),
        ("slotgc, stressed", on_slotgc::run(&script, stressed)),
        ("gc-arena", on_gc_arena::run(&script)),
        ("Rc", on_rc::run(&script)),
        ("indices", on_indices::run(&script)),
    ]
}

fn expected(source: &str) -> Answer {
    let after = |mark: &'static str| source.lines().filter_map(move |line| Some(line.split_once(mark)?.1));
    match after("// error: ").next() {
        Some(error) => Err(error.to_owned()),
        None => Ok(after("// -> ").map(|line| format!("{line}\n")).collect()),
    }
}

#[test]
fn scripts_print_what_they_say_on_every_substrate() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/semantics");
    let mut count = 0;
    for file in fs::read_dir(directory).expect("the scripts") {
        let path = file.expect("a file").path();
        let source = fs::read_to_string(&path).expect("text");
        for (name, answer) in run_on_all(&source) {
            assert_eq!(answer, expected(&source), "{} on {name}", path.display());
        }
        count += 1;
    }
    assert!(count >= 50, "only {count} scripts");
}

#[test]
fn too_many_of_anything_is_an_error_of_the_compiler() {
    let list = |count: usize, item: &dyn Fn(usize) -> String, between: &str| {
        (0..count).map(item).collect::<Vec<_>>().join(between)
    };
    let error = |source: String| compiler::compile(&source).expect_err("too many");
    let locals = list(300, &|index| format!("var a{index};"), " ");
    assert!(error(format!("{{ {locals} }}")).ends_with("too many local variables"));
    let arguments = list(300, &|_| "nil".to_owned(), ", ");
    assert!(error(format!("f({arguments});")).ends_with("too many arguments"));
    let numbers = list(70_000, &|index| format!("{index};"), " ");
    assert!(error(numbers).ends_with("too many constants"));
    let body = list(70_000, &|_| "nil;".to_owned(), " ");
    assert!(error(format!("while (true) {{ {body} }}")).ends_with("too much code in one function"));
}
