//! V8's format: a JSON object with long arrays of numbers, whose layout its first part describes.
//!
//! Read as a stream, into columns. No size that the file states is trusted: memory grows with what was read.
//! Invariant of a [`File`]: every target is a node, every name is a text, and there are as many edges as the
//! nodes say.

mod columns;

use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use columns::{EdgeColumns, Meta, NodeColumns};

/// The contents of a file.
#[derive(Debug, Default)]
pub struct File {
    types: Vec<String>,
    nodes: NodeColumns,
    /// Where the edges of each node begin, and where the last one's end.
    edge_starts: Vec<usize>,
    edges: EdgeColumns,
    texts: Vec<Box<str>>,
}

/// Why a file cannot be read.
#[derive(Debug)]
pub struct ReadError(serde_json::Error);

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a V8 heap snapshot: {}", self.0)
    }
}

impl std::error::Error for ReadError {}

/// A node of a file.
#[derive(Clone, Copy, Debug)]
pub struct FileNode<'a> {
    file: &'a File,
    index: usize,
}

/// An edge of a file.
#[derive(Clone, Copy, Debug)]
pub struct FileEdge<'a> {
    file: &'a File,
    index: usize,
}

/// The type of an edge in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EdgeType {
    /// `element`, `hidden`: its name is a number.
    Indexed,
    /// `property` and the others: its name is a text.
    Named,
    /// `internal`: named, and not a property that a program sees.
    Internal,
    /// `shortcut`: named, and counted only at the root.
    Shortcut,
    /// `weak`.
    Weak,
}

impl File {
    /// Reads a file.
    ///
    /// # Errors
    /// If it is not JSON, not in this format, truncated or inconsistent.
    pub fn read(from: impl Read) -> Result<Self, ReadError> {
        let mut json = serde_json::Deserializer::from_reader(from);
        let file = json.deserialize_map(FileVisitor).and_then(|file| json.end().map(|()| file));
        file.map_err(ReadError)
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many edges there are.
    pub fn edges_len(&self) -> usize {
        self.edges.len()
    }

    /// The nodes, the root first.
    pub fn nodes(&self) -> impl Iterator<Item = FileNode<'_>> {
        (0..self.len()).map(|index| FileNode { file: self, index })
    }

    /// The node at this place.
    ///
    /// # Panics
    /// If the index is out of range.
    pub fn node(&self, index: usize) -> FileNode<'_> {
        assert!(index < self.len(), "no node {index} in a file of {}", self.len());
        FileNode { file: self, index }
    }

    /// The edge at this place.
    ///
    /// # Panics
    /// If the index is out of range.
    pub fn edge(&self, index: usize) -> FileEdge<'_> {
        assert!(index < self.edges_len(), "no edge {index} in a file of {}", self.edges_len());
        FileEdge { file: self, index }
    }

    /// Checks that the parts agree with each other.
    fn complete(mut self) -> Result<Self, String> {
        let mut end = 0_usize;
        self.edge_starts.push(0);
        for len in &self.nodes.edge_lens {
            end = end.saturating_add(*len as usize);
            self.edge_starts.push(end);
        }
        if end != self.edges.len() {
            return Err(format!("{end} edges by its nodes, {} by its array of edges", self.edges.len()));
        }
        let nodes = self.len();
        if let Some(target) = self.edges.targets.iter().find(|target| **target as usize >= nodes) {
            return Err(format!("an edge to node {target} of {nodes}"));
        }
        let names = self.nodes.names.iter().chain(self.edges.text_names());
        match names.max().filter(|name| **name as usize >= self.texts.len()) {
            Some(name) => Err(format!("text {name} of {}", self.texts.len())),
            None => Ok(self),
        }
    }
}

impl<'a> FileNode<'a> {
    /// Its place in the file.
    pub fn index(self) -> usize {
        self.index
    }

    /// The id, which is the same in other snapshots of the same program.
    pub fn id(self) -> u64 {
        self.file.nodes.ids[self.index]
    }

    /// `object`, `string`, `closure`, ..
    pub fn type_name(self) -> &'a str {
        let types = &self.file.types;
        types.get(self.file.nodes.types[self.index] as usize).map_or("", String::as_str)
    }

    /// For an object, the name of its class.
    pub fn name(self) -> &'a str {
        &self.file.texts[self.file.nodes.names[self.index] as usize]
    }

    /// The class that it is counted in, or its type in parentheses. The class of `<div id="x">` is `<div>`,
    /// as in DevTools.
    pub fn class_name(self) -> String {
        match self.type_name() {
            "object" | "native" => match self.name().split_once(' ') {
                Some((class, _)) if class.starts_with('<') => format!("{class}>"),
                _ => self.name().to_string(),
            },
            other => format!("({other})"),
        }
    }

    /// Its own size in bytes.
    pub fn bytes(self) -> u64 {
        self.file.nodes.sizes[self.index]
    }

    /// Its edges.
    pub fn edges(self) -> impl ExactSizeIterator<Item = FileEdge<'a>> {
        let file = self.file;
        let row = file.edge_starts[self.index]..file.edge_starts[self.index + 1];
        row.map(move |index| FileEdge { file, index })
    }
}

impl<'a> FileEdge<'a> {
    /// Its place in the file.
    pub fn index(self) -> usize {
        self.index
    }

    /// What it is.
    pub fn edge_type(self) -> EdgeType {
        self.file.edges.types[self.index]
    }

    /// The node to which it leads.
    pub fn target(self) -> FileNode<'a> {
        self.file.node(self.file.edges.targets[self.index] as usize)
    }

    /// Its name as text; empty for one with a number.
    pub fn text(self) -> &'a str {
        match self.edge_type() {
            EdgeType::Indexed => "",
            _ => &self.file.texts[self.file.edges.names[self.index] as usize],
        }
    }
}

impl fmt::Display for FileNode<'_> {
    /// `Window @17`; long names are truncated.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 60;
        match (self.type_name(), self.name()) {
            ("object" | "native" | "synthetic", "") => f.write_str("(root)")?,
            ("object" | "native" | "synthetic", name) => cut(f, name, MOST)?,
            (other, name) => {
                write!(f, "({other}) ")?;
                cut(f, name, MOST)?;
            }
        }
        write!(f, " @{}", self.id())
    }
}

impl fmt::Display for FileEdge<'_> {
    /// `.length`, `[3]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.edge_type() {
            EdgeType::Indexed => write!(f, "[{}]", self.file.edges.names[self.index]),
            EdgeType::Internal => {
                f.write_str("(")?;
                cut(f, self.text(), 80)?;
                f.write_str(")")
            }
            _ => {
                f.write_str(".")?;
                cut(f, self.text(), 80)
            }
        }
    }
}

/// The beginning of a text, on one line and without control characters.
fn cut(f: &mut fmt::Formatter<'_>, text: &str, most: usize) -> fmt::Result {
    for c in text.chars().take(most) {
        write!(f, "{}", if c.is_control() { ' ' } else { c })?;
    }
    if text.chars().nth(most).is_some() { f.write_str("..") } else { Ok(()) }
}

struct FileVisitor;

impl<'de> Visitor<'de> for FileVisitor {
    type Value = File;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the object of a heap snapshot")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<File, A::Error> {
        let mut file = File::default();
        let mut meta: Option<Meta> = None;
        let (mut has_nodes, mut has_edges, mut has_texts) = (false, false, false);
        let first = |seen: &mut bool, name: &str| {
            let again = core::mem::replace(seen, true);
            if again { Err(A::Error::custom(format!("a second part \"{name}\""))) } else { Ok(()) }
        };
        let meta_of = |meta: &Option<Meta>| -> Result<Meta, A::Error> {
            meta.clone().ok_or_else(|| A::Error::custom("\"snapshot\" does not come first"))
        };
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "snapshot" => {
                    let head: columns::Head = map.next_value()?;
                    meta = Some(Meta::of(head).map_err(A::Error::custom)?);
                }
                "nodes" => {
                    first(&mut has_nodes, "nodes")?;
                    map.next_value_seed(meta_of(&meta)?.nodes(&mut file.nodes))?;
                }
                "edges" => {
                    first(&mut has_edges, "edges")?;
                    map.next_value_seed(meta_of(&meta)?.edges(&mut file.edges))?;
                }
                "strings" => {
                    first(&mut has_texts, "strings")?;
                    file.texts = map.next_value()?;
                }
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        if !(has_nodes && has_edges && has_texts) {
            return Err(A::Error::custom("a part is missing: nodes, edges or strings"));
        }
        file.types = meta_of(&meta)?.node_types;
        file.complete().map_err(A::Error::custom)
    }
}

/// A seed that reads one part of the file.
trait Part<'de>: DeserializeSeed<'de, Value = ()> {}
impl<'de, S: DeserializeSeed<'de, Value = ()>> Part<'de> for S {}
