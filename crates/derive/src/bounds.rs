//! The where clause of the generated impl.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{DeriveInput, Generics, Path, Type, TypePath, WhereClause, WherePredicate, parse_quote};

use crate::attr::TypeAttrs;
use crate::types::{is_named, is_plain, keyed, mentions, walk};

/// The type's own where clause, plus what the impl needs.
pub(crate) fn where_clause(
    input: &DeriveInput,
    attrs: &TypeAttrs,
    traced: &[&Type],
    adapted: &[TokenStream],
) -> Option<WhereClause> {
    let added = match &attrs.bound {
        Some(bound) => bound.clone(),
        None => inferred(input, &attrs.krate, traced, adapted),
    };
    let mut generics = input.generics.clone();
    if !added.is_empty() {
        generics.make_where_clause().predicates.extend(added);
    }
    generics.where_clause
}

/// `T: Trace` for every type parameter of which a traced field holds values, and for what is named through a
/// parameter (`T::Item`); for the other parameters what `Trace` requires of the whole type. Also what maps
/// and sets require of their keys, and adapters of their fields.
fn inferred(
    input: &DeriveInput,
    krate: &Path,
    traced: &[&Type],
    adapted: &[TokenStream],
) -> Vec<WherePredicate> {
    let generics = &input.generics;
    let whole = whole(input);
    let mut held: Vec<&Ident> = Vec::new();
    let mut projections: Vec<&Type> = Vec::new();
    for ty in traced {
        walk(ty, &mut |part| {
            match part {
                Type::Path(path) if is_named(path, &["PhantomData"]) => return false,
                // Its bounds are those being computed here.
                Type::Path(path) if path.to_token_stream().to_string() == whole => return false,
                Type::Path(path) => match parameter_of(path, generics) {
                    Some(_) if path.path.segments.len() > 1 => {
                        projections.push(part);
                        return false;
                    }
                    Some(param) => held.push(param),
                    None => {}
                },
                // The content is unknown, so every parameter in it must be usable.
                Type::Macro(_) | Type::Verbatim(_) => held.extend(
                    generics
                        .type_params()
                        .map(|param| &param.ident)
                        .filter(|param| mentions(part.to_token_stream(), &[(*param).clone()])),
                ),
                _ => {}
            }
            true
        });
    }
    let of_parameters = generics.type_params().map(|param| {
        let ident = &param.ident;
        if held.contains(&ident) {
            parse_quote!(#ident: #krate::Trace)
        } else {
            parse_quote!(#ident: ::core::marker::Send + ::core::marker::Sync + 'static)
        }
    });
    let of_projections = projections.iter().map(|ty| parse_quote!(#ty: #krate::Trace));
    let is_generic = |tokens: TokenStream| {
        generics.type_params().any(|param| mentions(tokens.clone(), std::slice::from_ref(&param.ident)))
    };
    let of_keyed = traced.iter().filter(|ty| is_generic(ty.to_token_stream()));
    let of_keyed = of_keyed.filter_map(|ty| of_keyed_field(input, krate, ty));
    let of_adapted = adapted.iter().filter(|bound| is_generic((*bound).clone()));
    let of_adapted = of_adapted.map(|bound| parse_quote!(#bound));
    of_parameters.chain(of_projections).chain(of_keyed).chain(of_adapted).collect()
}

/// What a field that is a map or a set, or contains one, requires besides `Trace` of the parameters: its keys
/// are rehashed or reordered when it is relinked.
///
/// The bound is on the field's type, whose impl knows best. Where that might lead back to this very impl (the
/// field mentions the type, or an unknown type), it is on the key.
fn of_keyed_field(input: &DeriveInput, krate: &Path, ty: &Type) -> Option<WherePredicate> {
    let keyed = keyed(ty)?;
    let parameters: Vec<&Ident> = input.generics.type_params().map(|param| &param.ident).collect();
    let own = [input.ident.clone(), Ident::new("Self", input.ident.span())];
    if is_plain(ty, &parameters) && !mentions(ty.to_token_stream(), &own) {
        return Some(parse_quote!(#ty: #krate::Trace));
    }
    let key = keyed.key;
    Some(if keyed.is_ordered {
        parse_quote!(#key: ::core::cmp::Ord)
    } else {
        parse_quote!(#key: ::core::cmp::Eq + ::core::hash::Hash)
    })
}

/// The type as written in its own fields: `Name<T, N>`.
fn whole(input: &DeriveInput) -> String {
    let name = &input.ident;
    let (_, arguments, _) = input.generics.split_for_impl();
    quote!(#name #arguments).to_string()
}

/// The type parameter that a path is, or starts with: `T`, `T::Item`, `<T as Iterator>::Item`.
fn parameter_of<'a>(path: &'a TypePath, generics: &'a Generics) -> Option<&'a Ident> {
    let first = match &path.qself {
        None => path.path.segments.first().map(|segment| &segment.ident),
        Some(qself) => match &*qself.ty {
            Type::Path(own) => own.path.get_ident(),
            _ => None,
        },
    };
    generics.type_params().map(|param| &param.ident).find(|ident| first == Some(*ident))
}
