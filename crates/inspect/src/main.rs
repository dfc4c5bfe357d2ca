//! `slotgc-inspect FILE.heapsnapshot`: questions about a heap snapshot, at a prompt or by flags.

use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use slotgc_inspect::file::File;
use slotgc_inspect::graph::FileGraph;
use slotgc_inspect::report;

const USAGE: &str = "\
usage: slotgc-inspect FILE.heapsnapshot [questions]

Reads a heap snapshot of V8's format, written by slotgc, Node or Chrome.

  --census [N]     classes by bytes (default 20)
  --biggest [N]    nodes by retained bytes (default 20)
  --path ID        the path from the root to a node
  --node ID        what is known of a node
  --diff EARLIER   what is new and what is gone since an earlier file of the same program
  --prompt         ask at a prompt: the same words without dashes

Without questions: the prompt at a terminal, else the census and the biggest.";

/// Rows of a table, unless another number is given.
const ROWS: usize = 20;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), String> {
    let Some((path, questions)) = args.split_first().filter(|(path, _)| !path.starts_with("--")) else {
        return Err(USAGE.to_string());
    };
    let graph = load(path)?;
    println!("{path}: {} nodes, {} edges", graph.file().len(), graph.file().edges_len());
    let mut questions: Vec<&str> = questions.iter().map(String::as_str).collect();
    if questions.is_empty() {
        if std::io::stdin().is_terminal() {
            return prompt(&graph);
        }
        questions = vec!["--census", "--biggest"];
    }
    let mut questions = questions.into_iter().peekable();
    while let Some(word) = questions.next() {
        let word = word.strip_prefix("--").ok_or_else(|| format!("{word}?\n\n{USAGE}"))?;
        if word == "prompt" {
            return prompt(&graph);
        }
        let argument = questions.next_if(|next| !next.starts_with("--"));
        print!("{}", answer(&graph, word, argument)?);
    }
    Ok(())
}

fn answer(graph: &FileGraph, word: &str, argument: Option<&str>) -> Result<String, String> {
    let number = |default: Option<u64>| {
        let text = argument.map(|argument| argument.trim_start_matches('@'));
        let given = text.map(|text| text.parse().map_err(|_| format!("{text}: not a number")));
        given.transpose()?.or(default).ok_or_else(|| format!("{word} of what?"))
    };
    Ok(match word {
        "census" => report::census(graph.file(), number(Some(ROWS as u64))? as usize),
        "biggest" => report::biggest(graph, number(Some(ROWS as u64))? as usize),
        "path" => report::path(graph, number(None)?),
        "node" => report::node(graph, number(None)?),
        "diff" => report::diff(&read(argument.ok_or("diff with which file?")?)?, graph.file(), ROWS),
        _ => return Err(format!("{word}?\n\n{USAGE}")),
    })
}

fn prompt(graph: &FileGraph) -> Result<(), String> {
    let mut lines = std::io::stdin().lock().lines();
    loop {
        print!("> ");
        std::io::stdout().flush().map_err(|error| error.to_string())?;
        let Some(line) = lines.next() else { return Ok(()) };
        let line = line.map_err(|error| error.to_string())?;
        let mut words = line.split_whitespace();
        match words.next() {
            None => {}
            Some("quit" | "exit") => return Ok(()),
            Some(word) => match answer(graph, word, words.next()) {
                Ok(text) => print!("{text}"),
                Err(text) => println!("{text}"),
            },
        }
    }
}

fn load(path: &str) -> Result<FileGraph, String> {
    let file = read(path)?;
    let bar = bar(file.len() as u64, "linking {bar:40} {percent}%");
    let graph = FileGraph::of(file, |nodes| bar.inc(nodes));
    bar.finish_and_clear();
    Ok(graph)
}

fn read(path: &str) -> Result<File, String> {
    let file = std::fs::File::open(path).map_err(|error| format!("{path}: {error}"))?;
    let bytes = file.metadata().map_or(0, |metadata| metadata.len());
    let bar = bar(bytes, "reading {bar:40} {bytes}/{total_bytes} {bytes_per_sec}");
    let read = File::read(BufReader::with_capacity(1 << 20, bar.wrap_read(file)));
    bar.finish_and_clear();
    read.map_err(|error| format!("{path}: {error}"))
}

/// A bar, shown at a terminal only.
fn bar(len: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("a template of ours");
    ProgressBar::new(len).with_style(style)
}
