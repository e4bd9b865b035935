//! A hint to the processor that memory will be read soon.
//!
//! Thousands of series do not fit into a cache. Their models are visited in a known order, so that each can be on its
//! way while the one before it is computed: without it a step over 10,000 series waits for memory half of its time.
#![expect(unsafe_code, reason = "the instruction takes a raw pointer; it reads nothing and cannot fault")]

/// Bytes that come together.
const LINE: usize = 64;

/// Asks for all of `items`. Has no effect but on time, and none at all where the processor is not known.
#[inline]
pub(crate) fn prefetch<T>(items: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let start = items.as_ptr().cast::<i8>();
        let mut at = 0;
        while at < size_of_val(items) {
            // SAFETY: a prefetch of any address is allowed, and these lie inside `items`.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(start.add(at)) };
            at += LINE;
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = items;
}

/// Asks for one value.
#[inline]
pub(crate) fn prefetch_value<T>(value: &T) {
    prefetch(std::slice::from_ref(value));
}
