//! A record of any bytes, see `fuzz::record_line`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::record_line::check(bytes));
