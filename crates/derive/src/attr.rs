//! The `#[trace(..)]` attributes.

use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, LitStr, Path, Result, Token, Type, WherePredicate, parse_quote};

/// The attributes of the type.
pub(crate) struct TypeAttrs {
    /// The path of the core: `::slotgc`, or `#[trace(crate = "..")]`.
    pub(crate) krate: Path,
    /// `#[trace(bound = "..")]`: these instead of the bounds that the derive would add.
    pub(crate) bound: Option<Vec<WherePredicate>>,
    /// `#[trace(recursive)]`: the type contains itself in a way that a macro cannot see.
    pub(crate) recursive: bool,
}

impl TypeAttrs {
    pub(crate) fn parse(attrs: &[Attribute]) -> Result<Self> {
        let mut krate = None;
        let mut bound = None;
        let mut recursive = None;
        for attr in attrs_of_ours(attrs) {
            attr.parse_nested_meta(|meta| {
                if meta.path.is_ident("crate") {
                    set_once(&mut krate, &meta, "crate", |meta| {
                        meta.value()?.parse::<LitStr>()?.parse_with(Path::parse_mod_style)
                    })
                } else if meta.path.is_ident("bound") {
                    set_once(&mut bound, &meta, "bound", |meta| {
                        let predicates = meta
                            .value()?
                            .parse::<LitStr>()?
                            .parse_with(Punctuated::<WherePredicate, Token![,]>::parse_terminated)?;
                        Ok(predicates.into_iter().collect())
                    })
                } else if meta.path.is_ident("recursive") {
                    set_once(&mut recursive, &meta, "recursive", flag)
                } else if meta.path.is_ident("skip") {
                    Err(meta.error("`skip` is for fields and for variants, not for the whole type"))
                } else if let Some(name) = ["with", "label"].into_iter().find(|name| meta.path.is_ident(name))
                {
                    Err(meta.error(format!("`{name}` is for fields, not for the whole type")))
                } else {
                    Err(unknown(&meta, "`crate`, `bound` or `recursive`"))
                }
            })?;
        }
        let krate = krate.unwrap_or_else(|| parse_quote!(::slotgc));
        Ok(Self { krate, bound, recursive: recursive.is_some() })
    }
}

/// The attributes of a field.
#[derive(Default)]
pub(crate) struct FieldAttrs {
    /// `#[trace(skip)]`: holds no handles, whatever its type.
    pub(crate) skip: bool,
    /// `#[trace(with = Adapter)]`: what traces the field, if not its own type.
    pub(crate) with: Option<Type>,
    /// `#[trace(label)]`: its `Display` tells objects of this type apart.
    pub(crate) label: bool,
}

impl FieldAttrs {
    pub(crate) fn parse(attrs: &[Attribute]) -> Result<Self> {
        let mut skip = None;
        let mut with = None;
        let mut label = None;
        for attr in attrs_of_ours(attrs) {
            attr.parse_nested_meta(|meta| {
                if meta.path.is_ident("skip") {
                    set_once(&mut skip, &meta, "skip", flag)
                } else if meta.path.is_ident("with") {
                    set_once(&mut with, &meta, "with", |meta| meta.value()?.parse::<Type>())
                } else if meta.path.is_ident("label") {
                    set_once(&mut label, &meta, "label", flag)
                } else {
                    Err(of_type(&meta, "`skip`, `with` or `label`"))
                }
            })?;
        }
        if let (Some(()), Some(with)) = (skip, &with) {
            return Err(Error::new_spanned(
                with,
                "a field is either skipped or traced `with` an adapter, not both",
            ));
        }
        Ok(Self { skip: skip.is_some(), with, label: label.is_some() })
    }
}

/// Whether a variant is `#[trace(skip)]`.
pub(crate) fn is_skipped(attrs: &[Attribute]) -> Result<bool> {
    let mut skip = None;
    for attr in attrs_of_ours(attrs) {
        attr.parse_nested_meta(|meta| {
            let of_field = ["with", "label"].into_iter().find(|name| meta.path.is_ident(name));
            if meta.path.is_ident("skip") {
                set_once(&mut skip, &meta, "skip", flag)
            } else if let Some(name) = of_field {
                Err(meta.error(format!("`{name}` is for fields, not for a variant; expected `skip`")))
            } else {
                Err(of_type(&meta, "`skip`"))
            }
        })?;
    }
    Ok(skip.is_some())
}

/// The error for an attribute that belongs on the whole type, or is unknown.
fn of_type(meta: &ParseNestedMeta<'_>, expected: &str) -> Error {
    match ["crate", "bound", "recursive"].into_iter().find(|name| meta.path.is_ident(name)) {
        Some(name) => meta.error(format!("`{name}` is for the whole type; expected {expected}")),
        None => unknown(meta, expected),
    }
}

fn attrs_of_ours(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("trace"))
}

/// Reads an attribute that may be given once.
fn set_once<T>(
    to: &mut Option<T>,
    meta: &ParseNestedMeta<'_>,
    name: &str,
    read: impl FnOnce(&ParseNestedMeta<'_>) -> Result<T>,
) -> Result<()> {
    if to.is_some() {
        return Err(meta.error(format!("duplicate trace attribute `{name}`")));
    }
    *to = Some(read(meta)?);
    Ok(())
}

/// Reads nothing: only the attribute's presence counts.
fn flag(meta: &ParseNestedMeta<'_>) -> Result<()> {
    if meta.input.is_empty() || meta.input.peek(Token![,]) {
        return Ok(());
    }
    let path = &meta.path;
    let name = quote::quote!(#path).to_string();
    Err(meta.input.error(format!("`{name}` takes no value")))
}

fn unknown(meta: &ParseNestedMeta<'_>, expected: &str) -> Error {
    let path = &meta.path;
    let name = quote::quote!(#path).to_string();
    meta.error(format!("unknown trace attribute `{name}`; expected {expected}"))
}
