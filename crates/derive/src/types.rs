//! What can be learned from a field's type as it is written.
//!
//! A macro sees names, not what they stand for: an alias hides its type, and any type may be called `Gc` or
//! `Cell`. So nothing here decides whether code compiles; it only chooses between correct alternatives.

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
/// `NEEDS_TRACE` is then true whatever the other fields are, so theirs need not be consulted. That lets types
/// compile that own each other in a circle: a constant may not depend on itself.
pub(crate) fn is_surely_strong(ty: &Type) -> bool {
    surely_holds(ty, &["Gc", "AnyGc"])
}

/// As `is_surely_strong`, weak handles included: for `HOLDS_HANDLES`.
pub(crate) fn is_surely_handle(ty: &Type) -> bool {
    surely_holds(ty, &["Gc", "AnyGc", "Weak"])
}

fn surely_holds(ty: &Type, handles: &[&str]) -> bool {
    match ty {
        Type::Group(group) => surely_holds(&group.elem, handles),
        Type::Paren(paren) => surely_holds(&paren.elem, handles),
        Type::Array(array) => surely_holds(&array.elem, handles),
        Type::Tuple(tuple) => tuple.elems.iter().any(|elem| surely_holds(elem, handles)),
        Type::Path(path) if is_named(path, handles) => true,
        Type::Path(path) if is_named(path, &["Box", "Option", "Vec", "VecDeque"]) => {
            parts(ty).into_iter().any(|part| surely_holds(part, handles))
        }
        _ => false,
    }
}

/// Whether the type is a handle, or a fixed number of them: it owns nothing outside the slot.
pub(crate) fn holds_only_handles(ty: &Type) -> bool {
    match ty {
        Type::Group(group) => holds_only_handles(&group.elem),
        Type::Paren(paren) => holds_only_handles(&paren.elem),
        Type::Array(array) => holds_only_handles(&array.elem),
        Type::Tuple(tuple) => tuple.elems.iter().all(holds_only_handles),
        Type::Path(path) if is_named(path, &["Gc", "AnyGc", "Weak", "PhantomData"]) => true,
        Type::Path(path) if is_named(path, &["Option"]) => parts(ty).into_iter().all(holds_only_handles),
        _ => false,
    }
}

/// The outermost of the types that are ordered or hashed by their first argument.
pub(crate) fn keyed(ty: &Type) -> Option<Keyed<'_>> {
    let mut found = None;
    walk(ty, &mut |part| {
        if found.is_some() {
            return false;
        }
        if let Type::Path(path) = part {
            let is_ordered = is_named(path, &["BTreeMap", "BTreeSet", "BinaryHeap"]);
            if is_ordered || is_named(path, HASHED) {
                found = parts(part).first().map(|key| Keyed { key, is_ordered });
            }
        }
        found.is_none()
    });
    found
}

/// Containers of std and of the core that hash by their first argument.
const HASHED: &[&str] =
    &["HashMap", "HashSet", "IndexMap", "IndexSet", "GcMap", "GcSet", "WeakValueMap", "Interner"];

/// A map or a set, by its key.
pub(crate) struct Keyed<'a> {
    pub(crate) key: &'a Type,
    pub(crate) is_ordered: bool,
}

/// Whether the type consists only of parameters and of types known to depend on no impl of `Trace` but those
/// of their arguments.
pub(crate) fn is_plain(ty: &Type, parameters: &[&Ident]) -> bool {
    const KNOWN: &[&str] = &[
        "Vec",
        "Option",
        "Box",
        "VecDeque",
        "Gc",
        "Weak",
        "AnyGc",
        "PhantomData",
        "String",
        "BTreeMap",
        "BTreeSet",
        "BinaryHeap",
        "LinkedList",
        "Mutex",
        "RwLock",
        "GcRwLock",
        "OnceLock",
        "WeakKeyMap",
        "WeakSet",
        "Untraced",
        "bool",
        "char",
        "f32",
        "f64",
        "u8",
        "u16",
        "u32",
        "u64",
        "u128",
        "usize",
        "i8",
        "i16",
        "i32",
        "i64",
        "i128",
        "isize",
    ];
    let mut is_plain = true;
    walk(ty, &mut |part| {
        is_plain &= match part {
            Type::Path(path) => {
                is_named(path, KNOWN)
                    || is_named(path, HASHED)
                    || path.path.get_ident().is_some_and(|ident| parameters.contains(&ident))
                    || parts(part).is_empty()
            }
            Type::Macro(_) | Type::Verbatim(_) | Type::TraitObject(_) => false,
            _ => true,
        };
        // Nothing is required of a handle's target.
        is_plain && !matches!(part, Type::Path(path) if is_named(path, &["Gc", "Weak", "PhantomData"]))
    });
    is_plain
}

/// Whether the last segment of the path is one of these.
pub(crate) fn is_named(path: &TypePath, names: &[&str]) -> bool {
    path.path.segments.last().is_some_and(|segment| names.iter().any(|name| segment.ident == name))
}

/// Calls `visit` for the type and its component types, from the outside in; `visit` returns whether to
/// descend into its type.
pub(crate) fn walk<'a>(ty: &'a Type, visit: &mut impl FnMut(&'a Type) -> bool) {
    if visit(ty) {
        parts(ty).into_iter().for_each(|part| walk(part, visit));
    }
}

/// The component types of a type.
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
