//! From the item to its impl.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Data, DeriveInput, Error, Fields, Member, Path, Result, Type};

use crate::attr::{TypeAttrs, is_skipped};
use crate::bounds::where_clause;
use crate::types::{is_surely_handle, mentions};

/// The impl of `Trace` for the item, or every error that was found in it.
pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let attrs = TypeAttrs::parse(&input.attrs);
    let variants = variants(input);
    let borrows = refuse_lifetimes(input);
    let ((attrs, variants), ()) = both(both(attrs, variants), borrows)?;

    let name = &input.ident;
    let krate = &attrs.krate;
    let traced: Vec<&Type> =
        variants.iter().flat_map(|variant| variant.fields.iter().map(|field| field.ty)).collect();
    let where_clause = where_clause(input, &attrs, &traced);
    let (impl_generics, ty_generics, _) = input.generics.split_for_impl();
    let needs_trace = needs_trace(&attrs, name, &traced);
    let methods = methods(krate, &variants);
    // `deprecated` was reported where the field was declared.
    Ok(quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl #impl_generics #krate::Trace for #name #ty_generics #where_clause {
            const NEEDS_TRACE: bool = #needs_trace;
            #methods
        }
    })
}

/// A variant of an enum; a struct is one variant.
struct Variant<'a> {
    /// `Self` or `Self::Name`.
    path: TokenStream,
    /// The fields that are traced.
    fields: Vec<Field<'a>>,
    /// Whether there are others.
    has_skipped: bool,
}

struct Field<'a> {
    member: Member,
    ty: &'a Type,
}

fn variants(input: &DeriveInput) -> Result<Vec<Variant<'_>>> {
    match &input.data {
        Data::Struct(data) => Ok(vec![Variant::new(quote!(Self), &data.fields, false)?]),
        Data::Enum(data) => all(data.variants.iter().map(|variant| {
            let name = &variant.ident;
            let skipped = is_skipped(&variant.attrs);
            let fields = Variant::new(quote!(Self::#name), &variant.fields, matches!(skipped, Ok(true)));
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
    fn new(path: TokenStream, fields: &'a Fields, skip_all: bool) -> Result<Self> {
        let skips = all(fields.iter().map(|field| is_skipped(&field.attrs)))?;
        let has_skipped = skips.contains(&true);
        let fields: Vec<Field<'_>> = fields
            .members()
            .zip(fields)
            .zip(skips)
            .filter(|(_, skip)| !skip && !skip_all)
            .map(|((member, field), _)| Field { member, ty: &field.ty })
            .collect();
        Ok(Self { path, has_skipped, fields })
    }
}

/// An error for each lifetime: the compiler's own would be about the impl, not about what to do.
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

/// The constant: whether a traced field may hold a handle.
///
/// A constant cannot depend on itself, so a field that mentions the type is assumed to need tracing. Where
/// the answer is known to be yes no field is asked, which breaks some longer circles too.
fn needs_trace(attrs: &TypeAttrs, name: &Ident, traced: &[&Type]) -> TokenStream {
    let own = [name.clone(), format_ident!("Self")];
    let is_true = |ty: &&Type| is_surely_handle(ty) || mentions(ty.to_token_stream(), &own);
    if attrs.recursive || traced.iter().any(is_true) {
        return quote!(true);
    }
    if traced.is_empty() {
        return quote!(false);
    }
    let fields = traced.iter().map(|ty| has_field(&attrs.krate, ty));
    quote!(#(#fields::IF_THIS_IS_A_CYCLE_ADD_TRACE_RECURSIVE)||*)
}

/// `trace` and `prune`.
fn methods(krate: &Path, variants: &[Variant<'_>]) -> TokenStream {
    if variants.iter().all(|variant| variant.fields.is_empty()) {
        return quote! {
            #[inline]
            fn trace(&self, _: &mut #krate::Tracer<'_>) {}
        };
    }
    let trace = each_field(krate, variants, &quote!(trace), &quote!(tracer));
    let prune = each_field(krate, variants, &quote!(prune), &quote!(live));
    quote! {
        // Always: into the marker's loop, which then keeps the tracer in registers.
        #[inline(always)]
        fn trace(&self, tracer: &mut #krate::Tracer<'_>) {
            #trace
        }
        #[inline]
        fn prune(&mut self, live: &#krate::Liveness<'_>) {
            #prune
        }
    }
}

/// Calls the method for every traced field of whichever variant it is.
fn each_field(
    krate: &Path,
    variants: &[Variant<'_>],
    method: &TokenStream,
    argument: &TokenStream,
) -> TokenStream {
    let (traced, idle): (Vec<_>, Vec<_>) = variants.iter().partition(|variant| !variant.fields.is_empty());
    let arms = traced.iter().map(|variant| {
        let path = &variant.path;
        let rest = variant.has_skipped.then(|| quote!(..));
        let members = variant.fields.iter().map(|field| &field.member);
        let bindings: Vec<Ident> =
            (0..variant.fields.len()).map(|index| format_ident!("__{index}")).collect();
        let types = variant.fields.iter().map(|field| field.ty);
        let calls = types.zip(&bindings).map(|(ty, binding)| {
            let has_field = has_field(krate, ty);
            quote!(#has_field::#method(#binding, #argument);)
        });
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

/// `<Object as HasField<F>>`, which is what the core has for a field's `Trace`, because of the messages that
/// gives. It gets the spans of the field's type, so that an error points there; and as the compiler says
/// nothing twice, a type without `Trace` is one error, though it is asked for in several places.
fn has_field(krate: &Path, ty: &Type) -> TokenStream {
    let (first, last) = ends(ty.to_token_stream());
    let path = respanned(quote!(#krate::__derive::), first);
    let object = quote_spanned!(last=> Object);
    let has_field = quote_spanned!(last=> HasField);
    quote!(<#path #object as #path #has_field<#ty>>)
}

/// The places of the first and the last token.
fn ends(tokens: TokenStream) -> (Span, Span) {
    let mut spans = tokens.into_iter().map(|token| place(token.span()));
    let first = spans.next().unwrap_or_else(Span::mixed_site);
    (first, spans.last().unwrap_or(first))
}

/// The span as a place only: for the names there, and for lints, it is the macro's own.
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
mod tests {
    use proc_macro2::{TokenStream, TokenTree};
    use quote::ToTokens;
    use syn::{DeriveInput, Expr, ImplItem, ItemImpl, parse_quote, parse2};

    use super::expand;

    /// The impl that is derived; that the expansion is an impl and nothing else is checked on the way.
    fn derived(input: DeriveInput) -> ItemImpl {
        parse2(expand(&input).expect("derives")).expect("one impl")
    }

    fn needs_trace(input: DeriveInput) -> String {
        let constant: Option<Expr> = derived(input).items.into_iter().find_map(|item| match item {
            ImplItem::Const(constant) => Some(constant.expr),
            _ => None,
        });
        constant.expect("the constant").to_token_stream().to_string()
    }

    fn bounds(input: DeriveInput) -> Vec<String> {
        let clause = derived(input).generics.where_clause;
        let predicates = clause.into_iter().flat_map(|clause| clause.predicates);
        predicates.map(|predicate| predicate.to_token_stream().to_string().replace(' ', "")).collect()
    }

    fn errors(input: DeriveInput) -> Vec<String> {
        let error = expand(&input).expect_err("must be refused");
        error.into_iter().map(|error| error.to_string()).collect()
    }

    fn has_unsafe(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => ident == "unsafe",
            TokenTree::Group(group) => has_unsafe(group.stream()),
            _ => false,
        })
    }

    #[test]
    fn no_expansion_contains_unsafe() {
        let inputs: [DeriveInput; 5] = [
            parse_quote!(
                struct Unit;
            ),
            parse_quote!(
                enum Never {}
            ),
            parse_quote!(
                struct Pair<T, const N: usize>(Gc<Self>, #[trace(skip)] [T; N])
                where
                    T: Copy;
            ),
            parse_quote!(
                struct Named<T: Clone> {
                    next: Option<Box<Named<T>>>,
                    value: T,
                }
            ),
            parse_quote!(
                enum Mixed<T> {
                    A,
                    B(T, #[trace(skip)] u8),
                    C {
                        c: Vec<T>,
                    },
                    #[trace(skip)]
                    D(Foreign),
                }
            ),
        ];
        for input in inputs {
            assert!(!has_unsafe(derived(input).into_token_stream()));
        }
        // So that the test is known to see one.
        assert!(has_unsafe(parse_quote!(
            fn f() {
                g(|| unsafe {})
            }
        )));
    }

    #[test]
    fn what_needs_no_field_to_answer_is_a_literal() {
        assert_eq!(
            needs_trace(parse_quote!(
                struct Unit;
            )),
            "false"
        );
        assert_eq!(
            needs_trace(parse_quote!(
                enum AllSkipped {
                    #[trace(skip)]
                    A(u8),
                    B(#[trace(skip)] u8),
                }
            )),
            "false"
        );
        for input in [
            parse_quote!(
                struct Tree {
                    value: u32,
                    children: HashMap<String, (u8, Tree)>,
                }
            ),
            parse_quote!(
                struct Tree(u32, Option<Box<Self>>);
            ),
            parse_quote!(
                enum Tree {
                    Leaf,
                    Twig { at: [Box<Tree>; 2] },
                }
            ),
            parse_quote!(
                struct Handle(u32, Option<Vec<(u8, [slotgc::Gc<u8>; 2])>>);
            ),
            parse_quote!(
                struct Handle(Vec<Other>, Box<AnyGc>);
            ),
            parse_quote!(
                #[trace(recursive)]
                struct Marked(Vec<Other>);
            ),
        ] {
            assert_eq!(needs_trace(input), "true");
        }
    }

    #[test]
    fn other_types_are_asked() {
        for input in [
            parse_quote!(
                struct Name(Weak<Other>);
            ),
            parse_quote!(
                struct Trees(Tree);
            ),
            parse_quote!(
                struct Tag(PhantomData<Gc<u8>>);
            ),
        ] {
            let constant = needs_trace(input);
            assert!(constant.starts_with("< :: slotgc :: __derive :: Object as"), "{constant}");
        }
    }

    #[test]
    fn parameters_get_the_bound_that_their_use_needs() {
        let trace = "T:::slotgc::Trace";
        let rest = "T:::core::marker::Send+::core::marker::Sync+'static";
        assert_eq!(
            bounds(parse_quote!(
                struct S<T>(Vec<(u8, Option<T>)>);
            )),
            [trace]
        );
        assert_eq!(
            bounds(parse_quote!(
                struct S<T>([T; 2], PhantomData<T>);
            )),
            [trace]
        );
        assert_eq!(
            bounds(parse_quote!(
                struct S<T>(any!(T));
            )),
            [trace]
        );
        assert_eq!(
            bounds(parse_quote!(
                struct S<T>(PhantomData<fn() -> T>);
            )),
            [rest]
        );
        assert_eq!(
            bounds(parse_quote!(
                enum S<T> {
                    A(#[trace(skip)] T),
                    #[trace(skip)]
                    B(T),
                }
            )),
            [rest]
        );
        assert_eq!(
            bounds(parse_quote!(
                struct S<T: Game>(T::Item);
            )),
            [rest, "T::Item:::slotgc::Trace"]
        );
        assert_eq!(
            bounds(parse_quote!(
                struct S<T: Game>(Vec<<T as Game>::Item>)
                where
                    T: Copy;
            )),
            ["T:Copy", rest, "<TasGame>::Item:::slotgc::Trace"]
        );
        assert_eq!(
            bounds(parse_quote!(
                struct S<const N: usize>([u8; N]);
            )),
            [""; 0]
        );
    }

    #[test]
    fn attributes_of_the_type_change_bounds_and_path() {
        assert_eq!(
            bounds(parse_quote!(
                #[trace(bound = "")]
                struct S<T>(T);
            )),
            [""; 0]
        );
        assert_eq!(
            bounds(parse_quote!(
                #[trace(bound = "T: A, U: B + C,")]
                struct S<T, U>(T, U)
                where
                    T: D;
            )),
            ["T:D", "T:A", "U:B+C"]
        );
        let moved: DeriveInput = parse_quote!(
            #[trace(crate = "engine::gc")]
            struct S<T>(T);
        );
        let expansion = derived(moved).into_token_stream().to_string();
        assert!(expansion.contains("engine :: gc :: Tracer") && !expansion.contains("slotgc"), "{expansion}");
    }

    #[test]
    fn all_errors_are_reported_at_once() {
        let errors = errors(parse_quote! {
            #[trace(odd)]
            enum Wrong<'a> {
                #[trace(even)]
                A(#[trace(skip = 1)] u8),
                B { #[trace(skip, skip)] b: &'a u8 },
            }
        });
        let expected =
            ["unknown trace attribute `odd`", "unknown", "takes no value", "duplicate", "cannot borrow"];
        assert_eq!(errors.len(), expected.len(), "{errors:?}");
        for (error, expected) in errors.iter().zip(expected) {
            assert!(error.contains(expected), "{error}");
        }
    }
}
