//! A template of any text, see `fuzz::template`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::template::check(bytes));
