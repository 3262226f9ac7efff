#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    providers::fuzzing::parse_soap(body);
});
