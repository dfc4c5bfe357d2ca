//! Strings and paths: no handles, bytes of their own.

use alloc::borrow::Cow;
use alloc::ffi::CString;
use alloc::string::String;

use crate::trace::{Inspector, Links, Trace, Tracer};

/// Types that hold text, how many bytes of it they own, and how a value is shown as a key.
macro_rules! text {
    ($($ty:ty: |$value:ident, $inspector:ident| owns $owned:expr, shows $label:expr;)*) => {$(
        impl Trace for $ty {
            const NEEDS_TRACE: bool = false;
            const HOLDS_HANDLES: bool = false;
            const OWNS: bool = true;

            #[inline(always)]
            fn trace(&self, _: &mut Tracer<'_>) {}

            fn owned_bytes(&self) -> usize {
                let $value = self;
                $owned
            }

            fn inspect(&self, $inspector: &mut Inspector<'_>) {
                let $value = self;
                $label;
            }

            #[inline(always)]
            fn relink(&mut self, _: &mut Links<'_>) {}
        }
    )*};
}

text! {
    String: |value, inspector| owns value.capacity(), shows inspector.text(value);
    CString: |value, inspector| owns value.as_bytes_with_nul().len(), shows inspector.text(&value.to_string_lossy());
    Cow<'static, str>: |value, inspector| owns match value {
        Cow::Borrowed(_) => 0,
        Cow::Owned(text) => text.capacity(),
    }, shows inspector.text(value);
}

#[cfg(feature = "std")]
text! {
    std::path::PathBuf: |value, inspector| owns value.capacity(), shows inspector.text(&value.to_string_lossy());
    std::ffi::OsString: |value, inspector| owns value.capacity(), shows inspector.text(&value.to_string_lossy());
}

/// Types that borrow, share or box text: they own nothing themselves.
macro_rules! borrowed {
    ($($ty:ty: |$value:ident, $inspector:ident| $label:expr;)*) => {$(
        impl Trace for $ty {
            const NEEDS_TRACE: bool = false;
            const HOLDS_HANDLES: bool = false;

            #[inline(always)]
            fn trace(&self, _: &mut Tracer<'_>) {}

            fn inspect(&self, $inspector: &mut Inspector<'_>) {
                let $value = self;
                $label;
            }

            #[inline(always)]
            fn relink(&mut self, _: &mut Links<'_>) {}
        }
    )*};
}
#[allow(unused_imports, reason = "for the types of other crates, behind features")]
pub(super) use borrowed;

borrowed! {
    str: |value, inspector| inspector.text(value);
    &'static str: |value, inspector| inspector.text(value);
}

#[cfg(feature = "std")]
borrowed! {
    std::path::Path: |value, inspector| inspector.text(&value.to_string_lossy());
}
