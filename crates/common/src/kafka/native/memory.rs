//! Giving memory back that librdkafka has freed. glibc keeps what is freed in small pieces, which fetched records are.

/// Gives what is free back to the system. Takes some milliseconds: not to be called in each round of a loop. Does nothing with
/// another C library than glibc.
pub fn release_memory() {
    #[cfg(target_env = "gnu")]
    {
        unsafe extern "C" {
            /// glibc's, `malloc.h`: keeps this many bytes at the end of the heap; 1 when something was given back.
            fn malloc_trim(pad: usize) -> std::ffi::c_int;
        }
        // SAFETY: may be called at any time, by any thread.
        unsafe { malloc_trim(0) };
    }
}
