use proptest::prelude::*;

use super::*;

const CID: &str = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";

fn root() -> Cid {
    CID.parse().unwrap()
}

fn content(target: &str, accept: &str) -> GatewayRequest {
    match Route::parse("GET", target, Some(accept)).unwrap() {
        Route::Content(request) => request,
        Route::Protocols => panic!("{target} is the protocol list"),
    }
}

fn refused(target: &str, accept: &str) -> (RequestError, u16) {
    let error = Route::parse("GET", target, Some(accept)).unwrap_err();
    let status = error.status();
    (error, status)
}

#[test]
fn reads_the_query_and_the_header() {
    let raw = content(&format!("/ipfs/{CID}?format=raw"), "");
    assert_eq!(raw, GatewayRequest::raw(root()));
    assert_eq!(content(&format!("/ipfs/{CID}"), "application/vnd.ipld.raw"), raw);

    let car =
        content(&format!("/ipfs/{CID}/a/b?dag-scope=block"), "application/vnd.ipld.car;dups=y");
    let expected = GatewayRequest::car(root())
        .below([b"a".as_slice(), b"b"])
        .scope(DagScope::Block)
        .duplicates(true);
    assert_eq!(car, expected);
}

#[test]
fn the_query_stands_above_the_header() {
    let car = content(&format!("/ipfs/{CID}?format=car"), "application/vnd.ipld.raw");
    assert_eq!(car, GatewayRequest::car(root()));
    let car = content(&format!("/ipfs/{CID}?car-dups=n"), "application/vnd.ipld.car; dups=y");
    assert!(!car.duplicates);
}

#[test]
fn a_range_makes_the_scope_an_entity() {
    let car = content(&format!("/ipfs/{CID}?format=car&dag-scope=all&entity-bytes=5:-1"), "");
    assert_eq!(car.scope, DagScope::Entity);
    assert_eq!(car.range, Some(EntityBytes { from: 5, to: Some(-1) }));
}

#[test]
fn finds_the_list_of_protocols() {
    assert_eq!(Route::parse("GET", PROTOCOLS_PATH, None), Ok(Route::Protocols));
}

#[test]
fn refuses_with_the_status_of_the_specification() {
    assert_eq!(Route::parse("POST", "/ipfs/x", None), Err(RequestError::Method));
    assert_eq!(refused("/", ""), (RequestError::UnknownPath, 404));
    assert_eq!(refused("/ipns/example.org", ""), (RequestError::Ipns, 501));
    assert_eq!(refused("/ipfs/nonsense?format=raw", "").1, 400);
    assert_eq!(refused(&format!("/ipfs/{CID}"), "*/*"), (RequestError::NoFormat, 400));
    assert_eq!(refused(&format!("/ipfs/{CID}"), "text/html"), (RequestError::Format, 406));
    assert_eq!(refused(&format!("/ipfs/{CID}?format=tar"), ""), (RequestError::Format, 406));
    assert_eq!(refused(&format!("/ipfs/{CID}/a?format=raw"), ""), (RequestError::RawPath, 400));
    assert_eq!(
        refused(&format!("/ipfs/{CID}?format=car&car-version=2"), ""),
        (RequestError::CarKind, 406)
    );
    for query in ["dag-scope=some", "entity-bytes=7", "car-dups=maybe", "filename=%ff"] {
        assert_eq!(refused(&format!("/ipfs/{CID}?format=car&{query}"), "").1, 400, "{query}");
    }
    let long = format!("/ipfs/{CID}?format=raw&x={}", "x".repeat(MAX_GATEWAY_TARGET_BYTES));
    assert_eq!(refused(&long, "").1, 414);
}

#[test]
fn every_part_of_a_request_changes_its_tag() {
    let car = GatewayRequest::car(root());
    let tags = [
        GatewayRequest::raw(root()).etag(),
        car.etag(),
        car.clone().duplicates(true).etag(),
        car.clone().scope(DagScope::Entity).etag(),
        car.clone().bytes(EntityBytes::ALL).etag(),
        car.clone().below([b"a".as_slice()]).etag(),
        car.below([b"b".as_slice()]).etag(),
    ];
    for (index, tag) in tags.iter().enumerate() {
        assert!(tag.ends_with('"') && !tags[..index].contains(tag), "{tag}");
    }
    assert_eq!(tags[0], format!("\"{CID}.raw\""));
}

#[test]
fn a_file_name_cannot_break_out_of_its_header() {
    let target = format!("/ipfs/{CID}?format=car&filename=%22%0d%0a%D1%82.car");
    let header = content(&target, "").content_disposition();
    assert_eq!(header, "attachment; filename=\"____.car\"; filename*=UTF-8''%22%0D%0A%D1%82.car");
    let plain = GatewayRequest::raw(root()).content_disposition();
    assert_eq!(plain, format!("attachment; filename=\"{CID}.bin\""));
}

proptest! {
    #[test]
    fn any_target_is_read_or_refused(target in ".{0,200}", accept in ".{0,100}") {
        let _ = Route::parse("GET", &target, Some(&accept));
        let _ = Route::parse("GET", &format!("/ipfs/{CID}{target}"), Some(&accept));
    }

    #[test]
    fn reads_what_it_writes(
        names in prop::collection::vec("[a-z %?&=#.é]{3,20}", 0..4),
        scope in prop::sample::select(vec![DagScope::Block, DagScope::Entity, DagScope::All]),
        range in prop::option::of((0_i64..1000, prop::option::of(1000_i64..2000))),
        duplicates: bool,
    ) {
        let mut request = GatewayRequest::car(root())
            .below(names.iter().map(String::as_bytes))
            .scope(scope)
            .duplicates(duplicates);
        if let Some((from, to)) = range {
            request = request.bytes(EntityBytes { from, to });
        }
        prop_assert_eq!(content(&request.target(), request.accept()), request);
    }
}
