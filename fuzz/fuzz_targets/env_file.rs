//! An env file of any bytes, see `fuzz::env_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::env_file::check(bytes));
