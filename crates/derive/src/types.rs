//! What can be read off a field's type as it is written.
//!
//! A macro sees names, not what they stand for: an alias hides its type, and any type may be called `Gc` or
//! `Cell`. So nothing here decides whether code compiles, it only picks between ways that are all right.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::{GenericArgument, PathArguments, ReturnType, Type, TypeParamBound, TypePath};

/// Whether one of the names occurs anywhere in the tokens.
pub(crate) fn mentions(tokens: TokenStream, names: &[Ident]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => names.contains(&ident),
        TokenTree::Group(group) => mentions(group.stream(), names),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// Whether the type is a `Gc` or an `AnyGc`, or one of the usual containers of it.
///
/// `NEEDS_TRACE` is then true whatever the other fields are, so theirs need not be asked. That is what lets
/// types compile that own each other in a circle: a constant may not depend on itself.
pub(crate) fn is_surely_handle(ty: &Type) -> bool {
    match ty {
        Type::Group(group) => is_surely_handle(&group.elem),
        Type::Paren(paren) => is_surely_handle(&paren.elem),
        Type::Array(array) => is_surely_handle(&array.elem),
        Type::Tuple(tuple) => tuple.elems.iter().any(is_surely_handle),
        Type::Path(path) if is_named(path, &["Gc", "AnyGc"]) => true,
        Type::Path(path) if is_named(path, &["Box", "Option", "Vec", "VecDeque"]) => {
            parts(ty).into_iter().any(is_surely_handle)
        }
        _ => false,
    }
}

/// Whether the last segment of the path is one of these.
pub(crate) fn is_named(path: &TypePath, names: &[&str]) -> bool {
    path.path.segments.last().is_some_and(|segment| names.iter().any(|name| segment.ident == name))
}

/// Calls `visit` for the type and the types it is made of, from the outside in; it says whether to go on into
/// the type it was given.
pub(crate) fn walk<'a>(ty: &'a Type, visit: &mut impl FnMut(&'a Type) -> bool) {
    if visit(ty) {
        parts(ty).into_iter().for_each(|part| walk(part, visit));
    }
}

/// The types that a type is made of.
fn parts(ty: &Type) -> Vec<&Type> {
    match ty {
        Type::Group(group) => vec![&group.elem],
        Type::Paren(paren) => vec![&paren.elem],
        Type::Array(array) => vec![&array.elem],
        Type::Slice(slice) => vec![&slice.elem],
        Type::Reference(reference) => vec![&reference.elem],
        Type::Ptr(pointer) => vec![&pointer.elem],
        Type::Tuple(tuple) => tuple.elems.iter().collect(),
        Type::BareFn(function) => {
            function.inputs.iter().map(|input| &input.ty).chain(returned(&function.output)).collect()
        }
        Type::Path(path) => {
            let own = path.qself.iter().map(|qself| &*qself.ty);
            own.chain(path.path.segments.iter().flat_map(|segment| arguments(&segment.arguments))).collect()
        }
        Type::TraitObject(object) => object.bounds.iter().flat_map(bound_arguments).collect(),
        _ => Vec::new(),
    }
}

fn bound_arguments(bound: &TypeParamBound) -> Vec<&Type> {
    match bound {
        TypeParamBound::Trait(bound) => {
            bound.path.segments.iter().flat_map(|segment| arguments(&segment.arguments)).collect()
        }
        _ => Vec::new(),
    }
}

fn arguments(arguments: &PathArguments) -> Vec<&Type> {
    match arguments {
        PathArguments::None => Vec::new(),
        PathArguments::AngleBracketed(angle) => angle
            .args
            .iter()
            .filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                GenericArgument::AssocType(assoc) => Some(&assoc.ty),
                _ => None,
            })
            .collect(),
        PathArguments::Parenthesized(function) => {
            function.inputs.iter().chain(returned(&function.output)).collect()
        }
    }
}

fn returned(output: &ReturnType) -> Option<&Type> {
    match output {
        ReturnType::Default => None,
        ReturnType::Type(_, ty) => Some(ty),
    }
}
