//! Wrong attributes, each in its own way.

use slotgc::Trace;

#[derive(Trace)]
#[trace(foo)]
struct UnknownOnType;

#[derive(Trace)]
struct UnknownOnField {
    #[trace(foo)]
    a: u32,
    #[trace(bar = 1)]
    b: u32,
}

#[derive(Trace)]
enum UnknownOnVariant {
    #[trace(ignore)]
    A(#[trace(unsafe_no_trace)] u32),
}

#[derive(Trace)]
#[trace(recursive, recursive)]
struct TwiceOnType;

#[derive(Trace)]
struct TwiceOnField {
    #[trace(skip)]
    #[trace(skip)]
    a: u32,
}

#[derive(Trace)]
#[trace(skip)]
struct SkipOnType;

#[derive(Trace)]
struct BoundOnField<T> {
    #[trace(bound = "T: Clone")]
    a: T,
}

#[derive(Trace)]
struct SkipWithValue {
    #[trace(skip = true)]
    a: u32,
}

#[derive(Trace)]
#[trace(recursive(true))]
struct RecursiveWithValue;

#[derive(Trace)]
#[trace(crate = slotgc)]
struct CrateUnquoted;

#[derive(Trace)]
#[trace(bound = "T Trace")]
struct NoBound<T>(T);

#[derive(Trace)]
#[trace]
struct Bare;

#[derive(Trace)]
#[trace = "skip"]
struct Equals;

#[derive(Trace)]
#[trace(label)]
struct LabelOnType;

#[derive(Trace)]
enum WithOnVariant {
    #[trace(with = Other)]
    A,
}

#[derive(Trace)]
struct SkippedAndTraced {
    #[trace(skip, with = Other)]
    a: u32,
}

#[derive(Trace)]
struct TwoLabels {
    #[trace(label)]
    a: u32,
    #[trace(label)]
    b: u32,
}

#[derive(Trace)]
struct LabelWithValue {
    #[trace(label = "a")]
    a: u32,
}

fn main() {}
