//! A header of any bytes, see `fuzz::stamp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::stamp::check(bytes));
