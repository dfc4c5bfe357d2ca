use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{DeriveInput, Expr, File, ImplItem, Item, ItemImpl, parse_quote, parse2};

use super::expand;

/// The derived impl. Asserts that the expansion is this impl, followed by unnamed constants.
fn derived(input: DeriveInput) -> ItemImpl {
    let expansion: File = parse2(expand(&input).expect("derives")).expect("items");
    let mut items = expansion.items.into_iter();
    let Some(Item::Impl(derived)) = items.next() else { panic!("an impl comes first") };
    assert!(items.all(|item| matches!(item, Item::Const(_))), "and then constants without a name");
    derived
}

fn constant(input: DeriveInput, name: &str) -> String {
    let constant: Option<Expr> = derived(input).items.into_iter().find_map(|item| match item {
        ImplItem::Const(constant) if constant.ident == name => Some(constant.expr),
        _ => None,
    });
    constant.expect("the constant").to_token_stream().to_string()
}

fn needs_trace(input: DeriveInput) -> String {
    constant(input, "NEEDS_TRACE")
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
fn a_type_that_contains_itself_owns_unless_by_handle() {
    let owns = |input| constant(input, "OWNS");
    assert_eq!(
        owns(parse_quote!(
            struct Tree(Vec<Tree>);
        )),
        "true"
    );
    let list: DeriveInput = parse_quote!(
        struct List(Option<Gc<List>>, [Weak<Self>; 2]);
    );
    assert!(owns(list.clone()).contains("_OWNS ||"));
    assert_eq!(constant(list, "HOLDS_HANDLES"), "true");
    assert_eq!(
        constant(
            parse_quote!(
                struct Name(Weak<Other>);
            ),
            "HOLDS_HANDLES"
        ),
        "true"
    );
}

#[test]
fn maps_bound_the_type_of_the_field_and_the_key_only_where_that_would_go_round_in_a_circle() {
    assert_eq!(
        bounds(parse_quote!(
            struct S<K>(Option<HashMap<K, u32>>);
        )),
        ["K:::slotgc::Trace", "Option<HashMap<K,u32>>:::slotgc::Trace"]
    );
    assert_eq!(
        bounds(parse_quote!(
            struct S<K>(BTreeMap<K, S<K>>);
        )),
        ["K:::slotgc::Trace", "K:::core::cmp::Ord"]
    );
    assert_eq!(
        bounds(parse_quote!(
            struct S<K>(HashMap<(K, u8), Other<K>>);
        )),
        ["K:::slotgc::Trace", "(K,u8):::core::cmp::Eq+::core::hash::Hash"]
    );
    assert_eq!(
        bounds(parse_quote!(
            struct S<T>(HashMap<String, Vec<T>>);
        )),
        ["T:::slotgc::Trace", "HashMap<String,Vec<T>>:::slotgc::Trace"]
    );
    assert_eq!(
        bounds(parse_quote!(
            struct S<T>(#[trace(with = Cells)] Grid<T>);
        )),
        ["T:::core::marker::Send+::core::marker::Sync+'static", "Cells:::slotgc::TraceWith<Grid<T>>"]
    );
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
