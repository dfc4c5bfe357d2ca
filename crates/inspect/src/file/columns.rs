//! The long arrays: rows of numbers, read into columns.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};

use super::{EdgeType, Part};

/// The part `snapshot`.
#[derive(Debug, Deserialize)]
pub(super) struct Head {
    meta: MetaHead,
}

#[derive(Debug, Deserialize)]
struct MetaHead {
    node_fields: Vec<String>,
    node_types: Vec<Types>,
    edge_fields: Vec<String>,
    edge_types: Vec<Types>,
}

/// What a field holds: one of these, or what the name says.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Types {
    OneOf(Vec<String>),
    Of(#[expect(dead_code, reason = "`number`, `string`, `node`: known from the field's name")] String),
}

/// The layout of rows.
#[derive(Clone, Debug)]
pub(super) struct Meta {
    pub(super) node_types: Vec<String>,
    edge_types: Vec<EdgeType>,
    node_row: usize,
    /// The positions of these in a node's row: type, name, id, self_size, edge_count.
    node_places: [usize; 5],
    edge_row: usize,
    /// The positions of these in an edge's row: type, name_or_index, to_node.
    edge_places: [usize; 3],
}

impl Meta {
    pub(super) fn of(head: Head) -> Result<Self, String> {
        let MetaHead { node_fields, node_types, edge_fields, edge_types } = head.meta;
        let places = |fields: &[String], name: &str| {
            let place = fields.iter().position(|field| field == name);
            place.ok_or_else(|| format!("no field \"{name}\""))
        };
        let of_node = |name| places(&node_fields, name);
        let of_edge = |name| places(&edge_fields, name);
        let node_places = [
            of_node("type")?,
            of_node("name")?,
            of_node("id")?,
            of_node("self_size")?,
            of_node("edge_count")?,
        ];
        let edge_places = [of_edge("type")?, of_edge("name_or_index")?, of_edge("to_node")?];
        let names = |types: Vec<Types>, place: usize| match types.into_iter().nth(place) {
            Some(Types::OneOf(names)) => Ok(names),
            _ => Err("no list of types".to_string()),
        };
        let edge_types = names(edge_types, edge_places[0])?.iter().map(|name| EdgeType::of(name)).collect();
        Ok(Self {
            node_types: names(node_types, node_places[0])?,
            edge_types,
            node_row: node_fields.len(),
            node_places,
            edge_row: edge_fields.len(),
            edge_places,
        })
    }

    pub(super) fn nodes<'de>(self, columns: &mut NodeColumns) -> impl Part<'de> {
        let types = self.node_types.len() as u64;
        Rows {
            len: self.node_row,
            row: move |row: &[u64]| {
                let [kind, name, id, size, edges] = self.node_places.map(|place| row[place]);
                if kind >= types {
                    return Err(format!("a node of type {kind} of {types}"));
                }
                columns.types.push(narrow(kind, "type")?);
                columns.names.push(narrow(name, "name")?);
                columns.ids.push(id);
                columns.sizes.push(size);
                columns.edge_lens.push(narrow(edges, "edge_count")?);
                Ok(())
            },
        }
    }

    pub(super) fn edges<'de>(self, columns: &mut EdgeColumns) -> impl Part<'de> {
        Rows {
            len: self.edge_row,
            row: move |row: &[u64]| {
                let [kind, name, target] = self.edge_places.map(|place| row[place]);
                let kind = usize::try_from(kind).ok().and_then(|kind| self.edge_types.get(kind));
                let node_row = self.node_row as u64;
                if target % node_row != 0 {
                    return Err(format!("an edge into the middle of a node: {target}"));
                }
                columns.types.push(*kind.ok_or("an edge of an unknown type")?);
                columns.names.push(narrow(name, "name_or_index")?);
                columns.targets.push(narrow(target / node_row, "to_node")?);
                Ok(())
            },
        }
    }
}

impl EdgeType {
    fn of(name: &str) -> Self {
        match name {
            "element" | "hidden" => Self::Indexed,
            "internal" => Self::Internal,
            "shortcut" => Self::Shortcut,
            "weak" => Self::Weak,
            _ => Self::Named,
        }
    }
}

/// The number, if the column is wide enough.
fn narrow<N: TryFrom<u64>>(number: u64, field: &str) -> Result<N, String> {
    N::try_from(number).map_err(|_| format!("{number} is too large for {field}"))
}

/// Nodes, a vector for each of their fields.
#[derive(Debug, Default)]
pub(super) struct NodeColumns {
    pub(super) types: Vec<u16>,
    pub(super) names: Vec<u32>,
    pub(super) ids: Vec<u64>,
    pub(super) sizes: Vec<u64>,
    pub(super) edge_lens: Vec<u32>,
}

impl NodeColumns {
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }
}

/// Edges, a vector for each of their fields.
#[derive(Debug, Default)]
pub(super) struct EdgeColumns {
    pub(super) types: Vec<EdgeType>,
    pub(super) names: Vec<u32>,
    pub(super) targets: Vec<u32>,
}

impl EdgeColumns {
    pub(super) fn len(&self) -> usize {
        self.targets.len()
    }

    /// The names that are texts.
    pub(super) fn text_names(&self) -> impl Iterator<Item = &u32> {
        let named = self.names.iter().zip(&self.types);
        named.filter(|(_, kind)| **kind != EdgeType::Indexed).map(|(name, _)| name)
    }
}

/// An array whose numbers come in rows of this length.
struct Rows<R> {
    len: usize,
    row: R,
}

impl<'de, R: FnMut(&[u64]) -> Result<(), String>> DeserializeSeed<'de> for Rows<R> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de, R: FnMut(&[u64]) -> Result<(), String>> Visitor<'de> for Rows<R> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of numbers, {} a row", self.len)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut numbers: A) -> Result<(), A::Error> {
        let mut row = Vec::with_capacity(self.len.min(64));
        while let Some(number) = numbers.next_element()? {
            row.push(number);
            if row.len() == self.len {
                (self.row)(&row).map_err(A::Error::custom)?;
                row.clear();
            }
        }
        if row.is_empty() { Ok(()) } else { Err(A::Error::custom("an array ends within a row")) }
    }
}
