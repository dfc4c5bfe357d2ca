//! Types that never hold a handle and own nothing.

use alloc::rc::Rc;
use core::cmp::Ordering;
use core::marker::PhantomData;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::num::NonZero;
use core::sync::atomic;

use crate::sync::Arc;
use crate::trace::{Inspector, Links, Trace, Tracer};

/// Types whose values never hold a handle, and how a value is shown as a key.
macro_rules! plain {
    (|$value:ident, $inspector:ident| $label:expr; $($ty:ty),* $(,)?) => {$(
        impl Trace for $ty {
            const NEEDS_TRACE: bool = false;
            const HOLDS_HANDLES: bool = false;

            #[inline(always)]
            fn trace(&self, _: &mut Tracer<'_>) {}

            fn inspect(&self, $inspector: &mut Inspector<'_>) {
                let $value = self;
                let _ = $label;
            }

            #[inline(always)]
            fn relink(&mut self, _: &mut Links<'_>) {}
        }
    )*};
}
#[allow(unused_imports, reason = "for the types of other crates, behind features")]
pub(super) use plain;

plain! {
    |value, inspector| inspector.label(value);
    bool, char, f32, f64,
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize,
    NonZero<u8>, NonZero<u16>, NonZero<u32>, NonZero<u64>, NonZero<u128>, NonZero<usize>,
    NonZero<i8>, NonZero<i16>, NonZero<i32>, NonZero<i64>, NonZero<i128>, NonZero<isize>,
    IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr,
}

plain! {
    |value, inspector| inspector.label(format_args!("{value:?}"));
    core::time::Duration, Ordering, slotmap::KeyData, slotmap::DefaultKey,
}

plain! {
    |value, _inspector| value;
    (), core::convert::Infallible, core::any::TypeId, core::alloc::Layout,
    atomic::AtomicBool, atomic::AtomicU8, atomic::AtomicU16, atomic::AtomicU32, atomic::AtomicUsize,
    atomic::AtomicI8, atomic::AtomicI16, atomic::AtomicI32, atomic::AtomicIsize,
}

#[cfg(target_has_atomic = "64")]
plain! { |value, _inspector| value; atomic::AtomicU64, atomic::AtomicI64 }

#[cfg(feature = "std")]
plain! { |value, _inspector| value; std::time::Instant, std::time::SystemTime, std::thread::ThreadId }

impl<T: ?Sized + Send + Sync + 'static> Trace for PhantomData<T> {
    const NEEDS_TRACE: bool = false;
    const HOLDS_HANDLES: bool = false;

    #[inline(always)]
    fn trace(&self, _: &mut Tracer<'_>) {}

    #[inline(always)]
    fn relink(&mut self, _: &mut Links<'_>) {}
}

/// The contents of an `Arc` are shared outside the heap, would be visited once for each `Arc`, and cannot be
/// relinked: they must hold no handles. A type that does fails to compile here.
struct NoHandles<T: ?Sized>(PhantomData<Rc<T>>);

impl<T: Trace + ?Sized> NoHandles<T> {
    const CHECK: () = assert!(
        !T::NEEDS_TRACE && !T::HOLDS_HANDLES,
        "slotgc: an `Arc` inside an object must hold no handles; store a `Gc` instead of the `Arc`"
    );
}

impl<T: Trace + ?Sized> Trace for Arc<T> {
    const NEEDS_TRACE: bool = {
        let () = NoHandles::<T>::CHECK;
        false
    };
    const HOLDS_HANDLES: bool = {
        let () = NoHandles::<T>::CHECK;
        false
    };

    #[inline(always)]
    fn trace(&self, _: &mut Tracer<'_>) {
        let () = NoHandles::<T>::CHECK;
    }

    fn inspect(&self, inspector: &mut Inspector<'_>) {
        (**self).inspect(inspector);
    }

    fn relink(&mut self, _: &mut Links<'_>) {}
}
