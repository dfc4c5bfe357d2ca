//! The command line.

use std::path::PathBuf;

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
usage: slotgc-versus [options]

  --objects N      objects in a heap (default 1000000)
  --rounds N       rounds that count (default 7), after one that does not
  --only A,B       only works whose name begins with one of these: get, alloc/fresh, collect/graph, weak, memory, ...
  --peers A,B      only these peers; name slotgc among them for ratios
  --quick          20000 objects, 2 rounds: does everything run?
  --markdown       tables in Markdown
  --svg FILE       also draws the ratios into this file, as bars
  --readme         only the table and the works of the picture in the project's README
  --scale          also ten and fifty times as many objects, for works whose time should grow with them alone: scale/*
  --core N         the core to run on (default: the last one allowed)
  --deep           also run where a peer overflows an 8 MiB stack on a list, on a stack of 4 GiB
  --no-probe       do not look for stack overflows first (then nothing is skipped for one)
  --list           what would be run";

/// What to run and how.
#[derive(Debug)]
pub(crate) struct Options {
    /// Objects in a heap.
    pub(crate) objects: usize,
    /// Rounds that count.
    pub(crate) rounds: usize,
    /// Whether a first round that does not count is run.
    pub(crate) warm_up: bool,
    /// Beginnings of names; empty: all.
    pub(crate) only: Vec<String>,
    /// Names; empty: all.
    pub(crate) peers: Vec<String>,
    /// Tables in Markdown.
    pub(crate) markdown: bool,
    /// Where to draw the ratios.
    pub(crate) svg: Option<PathBuf>,
    /// Only what is in the project's README.
    pub(crate) readme: bool,
    /// Also much larger heaps.
    pub(crate) scale: bool,
    /// The core to run on.
    pub(crate) core: Option<usize>,
    /// Measure on a huge stack what overflows one of the usual size.
    pub(crate) deep: bool,
    /// Look for stack overflows first.
    pub(crate) probe: bool,
    /// Print what would be run.
    pub(crate) list: bool,
    /// This process is a helper of another.
    pub(crate) child: Option<Child>,
}

/// What a helper process does.
#[derive(Debug)]
pub(crate) enum Child {
    /// Prints the memory that one peer takes.
    Memory { peer: String, contents: String },
    /// Prints the ratios of the project's README.
    Ratios,
    /// Runs one case on a stack of the usual size.
    Stack { work: String, peer: String },
}

impl Options {
    /// Reads the arguments, without the program's name.
    pub(crate) fn from_args(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            objects: 1_000_000,
            rounds: 7,
            warm_up: true,
            only: Vec::new(),
            peers: Vec::new(),
            markdown: false,
            svg: None,
            readme: false,
            scale: false,
            core: None,
            deep: false,
            probe: true,
            list: false,
            child: None,
        };
        let mut args = args;
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--objects" => options.objects = number(&arg, args.next())?,
                "--rounds" => options.rounds = number(&arg, args.next())?,
                "--only" => options.only = names(&arg, args.next())?,
                "--peers" => options.peers = names(&arg, args.next())?,
                "--core" => options.core = Some(number(&arg, args.next())?),
                "--markdown" => options.markdown = true,
                "--svg" => options.svg = Some(value(&arg, args.next())?.into()),
                "--readme" => options.readme = true,
                "--scale" => options.scale = true,
                "--deep" => options.deep = true,
                "--no-probe" => options.probe = false,
                "--list" => options.list = true,
                "--quick" => (options.objects, options.rounds, options.warm_up) = (20_000, 2, false),
                "--child" => options.child = Some(child(&mut args)?),
                "--help" => return Err("slotgc and its peers on the same work".into()),
                _ => return Err(format!("unknown argument {arg}")),
            }
        }
        if options.objects < 16 || options.rounds == 0 {
            return Err("at least 16 objects and 1 round".into());
        }
        Ok(options)
    }

    /// Whether what slotgc is to reach applies: it is stated for a million objects.
    pub(crate) fn has_targets(&self) -> bool {
        self.objects == 1_000_000
    }

    /// Whether the command line asks for this work.
    pub(crate) fn wants_work(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.starts_with(only.as_str()))
    }

    /// Whether the command line asks for this peer.
    pub(crate) fn wants_peer(&self, name: &str) -> bool {
        self.peers.is_empty() || self.peers.iter().any(|peer| peer == name)
    }
}

fn value(arg: &str, value: Option<String>) -> Result<String, String> {
    value.ok_or_else(|| format!("{arg} needs a value"))
}

fn number(arg: &str, text: Option<String>) -> Result<usize, String> {
    value(arg, text)?.replace('_', "").parse().map_err(|error| format!("{arg}: {error}"))
}

fn names(arg: &str, text: Option<String>) -> Result<Vec<String>, String> {
    Ok(value(arg, text)?.split(',').map(str::to_owned).collect())
}

fn child(args: &mut impl Iterator<Item = String>) -> Result<Child, String> {
    match value("--child", args.next())?.as_str() {
        "memory" => Ok(Child::Memory {
            peer: value("--child memory", args.next())?,
            contents: value("--child memory", args.next())?,
        }),
        "ratios" => Ok(Child::Ratios),
        "stack" => Ok(Child::Stack {
            work: value("--child stack", args.next())?,
            peer: value("--child stack", args.next())?,
        }),
        other => Err(format!("unknown child {other}")),
    }
}
