//! Requests to the gateway: a part each for the method, the target and the
//! `Accept` header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peerage_core::{
    data::select::Walk,
    exchange::gateway::{EntityBytes, GatewayRequest, Route},
    limits::{MAX_GATEWAY_PATH_NAMES, MAX_GATEWAY_TARGET_BYTES},
};
use peerage_fuzz::Parts;

fuzz_target!(|input: &[u8]| {
    let mut parts = Parts::of(input);
    let (Some(method), Some(target), Some(accept)) = (parts.text(), parts.text(), parts.text())
    else {
        return;
    };
    read_range(target);
    let accept = (!accept.is_empty()).then_some(accept);
    match Route::parse(method, target, accept) {
        Ok(Route::Content(request)) => check(&request),
        Ok(Route::Protocols) => {}
        Err(error) => assert!((400..600).contains(&error.status())),
    }
});

fn read_range(text: &str) {
    let Ok(range) = text.parse::<EntityBytes>() else { return };
    assert_eq!(range.to_string().parse().as_ref(), Ok(&range));
    for size in [0, 1, 1000, u64::MAX] {
        let resolved = range.resolve(size);
        assert!(resolved.is_none_or(|bytes| bytes.start < bytes.end && bytes.end <= size));
    }
}

/// A request that was read can be written, and is then read as the same.
fn check(request: &GatewayRequest) {
    assert!(request.path.len() <= MAX_GATEWAY_PATH_NAMES);
    for header in [request.etag(), request.content_disposition()] {
        assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{header:?}");
    }
    let target = request.target();
    assert!(target.bytes().all(|byte| byte.is_ascii_graphic()), "{target:?}");
    if target.len() <= MAX_GATEWAY_TARGET_BYTES {
        let again = Route::parse("GET", &target, Some(request.accept()));
        assert_eq!(again, Ok(Route::Content(request.clone())));
    }
    let _ = Walk::new(request.selection()).advance();
}
