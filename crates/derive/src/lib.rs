//! `#[derive(Trace)]` for slotgc, which re-exports it: depend on `slotgc`, not on this crate.
//!
//! The expansion contains no `unsafe`: `Trace` is a safe trait, and a derived impl is an ordinary one.

mod attr;
mod bounds;
mod expand;
mod types;

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, parse_macro_input};

/// Implements `Trace` for a struct or an enum, from its fields.
///
/// `trace` reports the handles in every field of the variant at hand, `prune` passes on to every field, and
/// `NEEDS_TRACE` is true if it is for one of the fields. So each field's type must implement `Trace` itself,
/// or be skipped. Unions are refused, and so are types with a lifetime, since objects are `'static`.
///
/// # Attributes
///
/// On a field or a variant:
///
/// - `#[trace(skip)]`: not looked at; the types in there need no `Trace`. For foreign types that hold no
///   handles: a handle in a skipped field keeps nothing alive. The whole type still has to be `Send`, `Sync`
///   and `'static`, so `skip` does not admit a `Cell`. (`Untraced<T>` is the same inside a container.)
///
/// On the type:
///
/// - `#[trace(recursive)]`: `NEEDS_TRACE` is true, and not computed from the fields. Needed where types
///   contain each other in a circle, see below.
/// - `#[trace(bound = "T: Trace, U: Clone")]`: these bounds instead of the ones that the derive would add to
///   the where clause, see below. May be empty.
/// - `#[trace(crate = "path")]`: where `slotgc` is found, if it is not a direct dependency by that name.
///
/// ```
/// use std::collections::HashMap;
/// use slotgc::{Gc, Trace, Untraced, Weak};
///
/// # #[derive(PartialEq, Eq, Hash)]
/// # struct Entity(u32);
/// # struct Mesh;
/// #[derive(Trace)]
/// struct Mob {
///     goals: Vec<Gc<Goal>>,                          // keeps the goals alive
///     target: Weak<Mob>,                             // keeps nothing alive
///     seen: HashMap<Untraced<Entity>, Gc<Mob>>,      // `Entity` and `Mesh` are of another crate
///     #[trace(skip)]
///     mesh: Mesh,
/// }
///
/// #[derive(Trace)]
/// enum Goal {
///     Sleep,
///     Follow { whom: Gc<Mob>, distance: f32 },
///     #[trace(skip)]
///     Show(Mesh, Mesh),
/// }
///
/// #[derive(Trace)]
/// struct Position(f32, f32);
///
/// const { assert!(Mob::NEEDS_TRACE && Goal::NEEDS_TRACE) };
/// const { assert!(!Position::NEEDS_TRACE) }; // objects of this type are never visited
/// ```
///
/// # Generic types
///
/// A type parameter that occurs in the type of a traced field gets the bound `Trace`. So does a type named
/// through it, like `G::Item` in a field. All other parameters, in `PhantomData`, say, or in skipped fields,
/// get `Send + Sync + 'static`, which `Trace` asks of the whole type. `#[trace(bound = "..")]` replaces all
/// of these where they ask too much:
///
/// ```
/// use std::marker::PhantomData;
/// use slotgc::{Gc, Trace};
///
/// #[derive(Trace)]
/// struct Slot<T, Tag, const N: usize> {
///     items: [Option<Gc<T>>; N],   // T: Trace
///     tag: PhantomData<Tag>,       // Tag: Send + Sync + 'static
/// }
///
/// // A family of types says itself what it asks of them.
/// trait Game: 'static {
///     type Item: Trace;
///     type Mesh: Send + Sync;
/// }
///
/// #[derive(Trace)]
/// #[trace(bound = "")]
/// struct Chest<G: Game> {
///     items: Vec<G::Item>,
///     #[trace(skip)]
///     mesh: G::Mesh,
/// }
/// ```
///
/// # Recursive types
///
/// `NEEDS_TRACE` is a constant, and a constant cannot depend on itself. A field whose type mentions the type
/// being derived, by its name or as `Self`, is therefore not asked, but taken to need tracing. A circle of
/// several types, or of one by way of an alias, cannot be seen by a macro. If one of the types in it has a
/// field that is a `Gc` or an `AnyGc` (or an `Option`, `Vec`, `VecDeque`, `Box`, array or tuple of it)
/// nothing needs to be done. Otherwise the compiler reports a "cycle" (E0391), and one of the types needs
/// `#[trace(recursive)]`:
///
/// ```
/// use slotgc::Trace;
///
/// #[derive(Trace)]
/// struct Tree {
///     children: Vec<Tree>,
/// }
///
/// #[derive(Trace)]
/// #[trace(recursive)]
/// struct Block {
///     statements: Vec<Statement>,
/// }
///
/// #[derive(Trace)]
/// enum Statement {
///     Loop(Block),
///     Print(String),
/// }
///
/// const { assert!(Tree::NEEDS_TRACE && Block::NEEDS_TRACE && Statement::NEEDS_TRACE) };
/// ```
///
/// Handles are no circle: `struct A(Gc<B>)` and `struct B(Gc<A>)` compile as they are.
///
/// # What does not compile
///
/// A `Root` inside an object would keep what it holds alive for ever: store the `Gc`. A `Cell` or `RefCell`
/// is not needed there, since objects are changed through `&mut Heap`, and is not `Sync`; atomics and the
/// locks of std are allowed. An `Rc` belongs to one thread: store a `Gc`, or an `Arc` of data without
/// handles. The compiler's messages say so.
#[proc_macro_derive(Trace, attributes(trace))]
pub fn derive_trace(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::expand(&input).unwrap_or_else(Error::into_compile_error).into()
}
