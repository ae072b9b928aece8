#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pw_testkit::parsers::signal(bytes));
