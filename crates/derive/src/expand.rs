//! From the item to its impl.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Error, Fields, Member, Path, Result, Type};

use crate::attr::{FieldAttrs, TypeAttrs, is_skipped};
use crate::bounds::where_clause;
use crate::types::{holds_only_handles, is_surely_handle, is_surely_strong, mentions};

/// The impl of `Trace` for the item, or all errors found in it.
pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let attrs = TypeAttrs::parse(&input.attrs);
    let variants = variants(input);
    let borrows = refuse_lifetimes(input);
    let ((attrs, variants), ()) = both(both(attrs, variants), borrows)?;

    let name = &input.ident;
    let krate = &attrs.krate;
    let fields: Vec<&Field<'_>> = variants.iter().flat_map(|variant| &variant.fields).collect();
    // An adapter has its own impl, with bounds of its own.
    let traced: Vec<&Type> =
        fields.iter().filter(|field| field.with.is_none()).map(|field| field.ty).collect();
    let where_clause = where_clause(input, &attrs, &traced, &adapted(krate, &fields));
    let (impl_generics, ty_generics, _) = input.generics.split_for_impl();
    let constants = constants(&attrs, name, &fields);
    let methods = methods(krate, &variants);
    let checks = checks(input, krate, &fields);
    // `deprecated` was reported where the field was declared. A bound may name a type that is less visible.
    Ok(quote! {
        #[automatically_derived]
        #[allow(deprecated, private_bounds)]
        impl #impl_generics #krate::Trace for #name #ty_generics #where_clause {
            #constants
            #methods
        }
        #checks
    })
}

/// A variant of an enum; a struct is one variant.
struct Variant<'a> {
    /// `Self` or `Self::Name`.
    path: TokenStream,
    /// The prefix of a field's name when it is shown: `Name.`, or nothing for a struct.
    prefix: String,
    /// The fields that are traced.
    fields: Vec<Field<'a>>,
    /// The field that is the object's label, traced or not.
    label: Option<Label<'a>>,
    /// Whether there are fields that are not traced.
    has_skipped: bool,
}

struct Field<'a> {
    member: Member,
    ty: &'a Type,
    with: Option<Type>,
}

struct Label<'a> {
    member: Member,
    ty: &'a Type,
}

fn variants(input: &DeriveInput) -> Result<Vec<Variant<'_>>> {
    match &input.data {
        Data::Struct(data) => Ok(vec![Variant::new(quote!(Self), String::new(), &data.fields, false)?]),
        Data::Enum(data) => all(data.variants.iter().map(|variant| {
            let name = &variant.ident;
            let prefix = format!("{}.", name.unraw());
            let skipped = is_skipped(&variant.attrs);
            let fields =
                Variant::new(quote!(Self::#name), prefix, &variant.fields, matches!(skipped, Ok(true)));
            both(skipped, fields).map(|(_, fields)| fields)
        })),
        Data::Union(data) => Err(Error::new(
            data.union_token.span,
            "`Trace` cannot be derived for a union: nothing tells which field holds a value; \
             use an enum, or implement `Trace` by hand",
        )),
    }
}

impl<'a> Variant<'a> {
    fn new(path: TokenStream, prefix: String, fields: &'a Fields, skip_all: bool) -> Result<Self> {
        let attrs = all(fields.iter().map(|field| FieldAttrs::parse(&field.attrs)))?;
        let mut traced = Vec::new();
        let mut label = None;
        for ((member, field), attrs) in fields.members().zip(fields).zip(attrs) {
            let ty = &field.ty;
            if attrs.label && label.replace(Label { member: member.clone(), ty }).is_some() {
                return Err(Error::new_spanned(field, "only one field can be the label"));
            }
            if !attrs.skip && !skip_all {
                traced.push(Field { member, ty, with: attrs.with });
            }
        }
        let has_skipped = traced.len() < fields.len();
        Ok(Self { path, prefix, fields: traced, label, has_skipped })
    }
}

/// An error for each lifetime: the compiler's own would be about the impl, and not say what to do.
fn refuse_lifetimes(input: &DeriveInput) -> Result<()> {
    all::<()>(input.generics.lifetimes().map(|param| {
        Err(Error::new_spanned(
            &param.lifetime,
            format!(
                "an object in a GC heap cannot borrow, `Trace` asks for `'static`: instead of `{}`, \
                 store an owned value, or a `Gc` or `Weak` of another object",
                param.lifetime
            ),
        ))
    }))
    .map(drop)
}

/// The constants: the OR of those of the traced fields.
///
/// A constant cannot depend on itself, so a field that mentions the type is assumed to need tracing. If the
/// answer is known to be yes, no field is consulted, which breaks some longer circles too.
fn constants(attrs: &TypeAttrs, name: &Ident, fields: &[&Field<'_>]) -> TokenStream {
    let own = [name.clone(), format_ident!("Self")];
    let is_own = |ty: &Type| mentions(ty.to_token_stream(), &own);
    let any = |is_sure: &dyn Fn(&Type) -> bool, constant: &str| {
        let constant = Ident::new(constant, Span::mixed_site());
        if attrs.recursive || fields.iter().any(|field| field.with.is_none() && is_sure(field.ty)) {
            return quote!(true);
        }
        if fields.is_empty() {
            return quote!(false);
        }
        let fields = fields.iter().map(|field| has_field(&attrs.krate, field));
        quote!(#(#fields::#constant)||*)
    };
    let needs_trace = any(&|ty| is_surely_strong(ty) || is_own(ty), "IF_THIS_IS_A_CYCLE_ADD_TRACE_RECURSIVE");
    let holds_handles =
        any(&|ty| is_surely_handle(ty) || is_own(ty), "IF_THIS_IS_A_CYCLE_ADD_TRACE_RECURSIVE_HOLDS");
    // A type that contains itself does so in a box or a list, or only by handle.
    let owns =
        any(&|ty| is_own(ty) && !holds_only_handles(ty), "IF_THIS_IS_A_CYCLE_ADD_TRACE_RECURSIVE_OWNS");
    quote! {
        const NEEDS_TRACE: bool = #needs_trace;
        const HOLDS_HANDLES: bool = #holds_handles;
        const OWNS: bool = #owns;
    }
}

/// Constants of a type without parameters are evaluated at once, each with the span of its field. So if a
/// field's type rejects its contents (an `Arc` of handles), the error comes at type checking and names the
/// field.
fn checks(input: &DeriveInput, krate: &Path, fields: &[&Field<'_>]) -> TokenStream {
    let is_generic =
        input.generics.type_params().next().is_some() || input.generics.const_params().next().is_some();
    let own = [input.ident.clone(), format_ident!("Self")];
    let checked = fields.iter().filter(|field| {
        let tokens = field.ty.to_token_stream();
        field.with.is_none() && !mentions(tokens, &own) && !holds_only_handles(field.ty)
    });
    let checks = checked.map(|field| {
        let has_field = has_field(krate, field);
        let (_, last) = ends(field.ty.to_token_stream());
        let constant = quote_spanned!(last=> ::IF_THIS_IS_A_CYCLE_ADD_TRACE_RECURSIVE_HOLDS);
        quote!(const _: bool = #has_field #constant;)
    });
    let checks: TokenStream = if is_generic { TokenStream::new() } else { checks.collect() };
    if checks.is_empty() {
        return checks;
    }
    quote! {
        #[allow(deprecated)]
        const _: () = { #checks };
    }
}

/// `With<Adapter>: HasField<F>` for each field that has an adapter.
fn adapted(krate: &Path, fields: &[&Field<'_>]) -> Vec<TokenStream> {
    let adapted = fields.iter().filter_map(|field| {
        let (with, ty) = (field.with.as_ref()?, field.ty);
        Some(quote!(#with: #krate::TraceWith<#ty>))
    });
    adapted.collect()
}

/// The methods.
fn methods(krate: &Path, variants: &[Variant<'_>]) -> TokenStream {
    let inspect = inspect(krate, variants);
    if variants.iter().all(|variant| variant.fields.is_empty()) {
        return quote! {
            #[inline]
            fn trace(&self, _: &mut #krate::Tracer<'_>) {}
            #inspect
            #[inline]
            fn relink(&mut self, _: &mut #krate::Links<'_>) {}
        };
    }
    let trace = each_field(variants, |field, binding| {
        let has_field = has_field(krate, field);
        quote!(#has_field::trace(#binding, tracer);)
    });
    let prune = each_field(variants, |field, binding| {
        let has_field = has_field(krate, field);
        quote!(#has_field::prune(#binding, live);)
    });
    let owned_bytes = each_field(variants, |field, binding| {
        let has_field = has_field(krate, field);
        // Any number is a legal answer.
        quote! {
            bytes = ::core::primitive::usize::saturating_add(bytes, #has_field::owned_bytes(#binding));
        }
    });
    let relink = each_field(variants, |field, binding| {
        let has_field = has_field(krate, field);
        quote!(#has_field::relink(#binding, links);)
    });
    let relinks_edges = relinks_edges(krate, variants);
    quote! {
        // Always inlined into the marker's loop, which then keeps the tracer in registers.
        #[inline(always)]
        fn trace(&self, tracer: &mut #krate::Tracer<'_>) {
            #trace
        }
        #[inline]
        fn prune(&mut self, live: &#krate::Liveness<'_>) {
            #prune
        }
        fn owned_bytes(&self) -> ::core::primitive::usize {
            let mut bytes = 0;
            #owned_bytes
            bytes
        }
        #inspect
        fn relink(&mut self, links: &mut #krate::Links<'_>) {
            #relink
        }
        #relinks_edges
    }
}

/// Whether every field hands out its edges when it is relinked.
fn relinks_edges(krate: &Path, variants: &[Variant<'_>]) -> TokenStream {
    let fields = variants.iter().flat_map(|variant| &variant.fields).map(|field| has_field(krate, field));
    quote! {
        fn relinks_edges(components: &mut #krate::__derive::Components) -> ::core::primitive::bool {
            true #(&& #fields::relinks_edges(components))*
        }
    }
}

/// Names every field, the label first.
fn inspect(krate: &Path, variants: &[Variant<'_>]) -> TokenStream {
    if variants.iter().all(|variant| variant.fields.is_empty() && variant.label.is_none()) {
        return quote! {
            #[inline]
            fn inspect(&self, _: &mut #krate::Inspector<'_>) {}
        };
    }
    let arms = variants.iter().filter_map(|variant| {
        let path = &variant.path;
        let label = variant.label.as_ref().map(|label| {
            let member = &label.member;
            let (first, _) = ends(label.ty.to_token_stream());
            // With the span of the field, whose type may have no `Display`.
            let binding = Ident::new("__label", Span::call_site().located_at(first));
            (quote!(#member: #binding,), quote!(inspector.label(#binding);))
        });
        if variant.fields.is_empty() && label.is_none() {
            return None;
        }
        let (pattern, label) = label.unzip();
        let fields = variant.fields.iter().enumerate().map(|(index, field)| {
            let binding = format_ident!("__{index}");
            let member = &field.member;
            let name = format!("{}{}", variant.prefix, shown(member));
            let has_field = has_field(krate, field);
            (quote!(#member: #binding,), quote!(#has_field::inspect(#binding, #name, inspector);))
        });
        let (patterns, calls): (Vec<_>, Vec<_>) = fields.unzip();
        // A field may have two bindings, so there is one match for each.
        let label_arm = label.map(|call| quote!(if let #path { #pattern .. } = self { #call }));
        let calls =
            (!calls.is_empty()).then(|| quote!(if let #path { #(#patterns)* .. } = self { #(#calls)* }));
        Some(quote!(#label_arm #calls))
    });
    quote! {
        #[allow(irrefutable_let_patterns)]
        fn inspect(&self, inspector: &mut #krate::Inspector<'_>) {
            #(#arms)*
        }
    }
}

/// A field's name as shown to people.
fn shown(member: &Member) -> String {
    match member {
        Member::Named(name) => name.unraw().to_string(),
        Member::Unnamed(index) => index.index.to_string(),
    }
}

/// Calls this for every traced field of the current variant.
fn each_field(variants: &[Variant<'_>], call: impl Fn(&Field<'_>, &Ident) -> TokenStream) -> TokenStream {
    let (traced, idle): (Vec<_>, Vec<_>) = variants.iter().partition(|variant| !variant.fields.is_empty());
    let arms = traced.iter().map(|variant| {
        let path = &variant.path;
        let rest = variant.has_skipped.then(|| quote!(..));
        let members = variant.fields.iter().map(|field| &field.member);
        let bindings: Vec<Ident> =
            (0..variant.fields.len()).map(|index| format_ident!("__{index}")).collect();
        let calls = variant.fields.iter().zip(&bindings).map(|(field, binding)| call(field, binding));
        quote!(#path { #(#members: #bindings,)* #rest } => { #(#calls)* })
    });
    let idle = idle.iter().map(|variant| &variant.path).collect::<Vec<_>>();
    let idle_arm = (!idle.is_empty()).then(|| quote!(#(#idle { .. })|* => {}));
    quote! {
        match self {
            #(#arms)*
            #idle_arm
        }
    }
}

/// `<Object as HasField<F>>`, which the core provides in place of a field's `Trace`, for better error
/// messages. It has the spans of the field's type, so that an error points there. The compiler does not
/// repeat a message, so a type without `Trace` is one error, though several places require it.
fn has_field(krate: &Path, field: &Field<'_>) -> TokenStream {
    let ty = field.ty;
    let (first, last) = ends(field.with.as_ref().unwrap_or(ty).to_token_stream());
    let path = respanned(quote!(#krate::__derive::), first);
    let has_field = quote_spanned!(last=> HasField);
    let object = match &field.with {
        None => quote_spanned!(last=> Object),
        Some(with) => quote_spanned!(last=> With<#with>),
    };
    let (open, close) = (quote_spanned!(first=> <), quote_spanned!(last=> >));
    quote!(#open #path #object as #path #has_field<#ty> #close)
}

/// The spans of the first and the last token.
fn ends(tokens: TokenStream) -> (Span, Span) {
    let mut spans = tokens.into_iter().map(|token| place(token.span()));
    let first = spans.next().unwrap_or_else(Span::mixed_site);
    (first, spans.last().unwrap_or(first))
}

/// The span as a location only: for name resolution and lints it is the macro's own.
fn place(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

/// The tokens with all their spans replaced.
fn respanned(tokens: TokenStream, span: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            token.set_span(span);
            token
        })
        .collect()
}

/// Both values, or the errors of both.
fn both<A, B>(a: Result<A>, b: Result<B>) -> Result<(A, B)> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
        (Err(mut error), Err(other)) => {
            error.combine(other);
            Err(error)
        }
    }
}

/// All values, or the errors of all.
fn all<T>(results: impl IntoIterator<Item = Result<T>>) -> Result<Vec<T>> {
    let mut all = Ok(Vec::new());
    for result in results {
        all = both(all, result).map(|(mut values, value)| {
            values.push(value);
            values
        });
    }
    all
}

#[cfg(test)]
mod tests;
