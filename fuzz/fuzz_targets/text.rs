//! Names that come from others: on a terminal, and on a disk.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peerage_core::{
    identity::IdentityName,
    limits::MAX_COMBINING_MARKS,
    text::{FileName, Platform, bytes_for_terminal, for_terminal},
};
use peerage_fuzz::Parts;

fuzz_target!(|input: &[u8]| {
    let mut parts = Parts::of(input);
    let columns = usize::from(parts.byte());
    let bytes = parts.rest();
    show(&bytes_for_terminal(bytes, columns), columns);
    for platform in [Platform::Unix, Platform::Windows] {
        if let Ok(name) = FileName::parse(bytes, platform) {
            check_name(&name, platform);
        }
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    show(&for_terminal(text, columns), columns);
    if let Ok(name) = text.parse::<IdentityName>() {
        assert!(FileName::parse(name.as_str().as_bytes(), Platform::Windows).is_ok());
    }
});

/// What is shown is safe, narrow and stays as it is when it is shown again.
fn show(shown: &str, columns: usize) {
    let steers =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!shown.contains(steers), "{shown:?}");
    // At either side of the cut a name may begin with marks.
    let most = (columns + 2) * (1 + MAX_COMBINING_MARKS);
    assert!(shown.chars().count() <= most, "{shown:?}");
    assert_eq!(for_terminal(shown, columns), shown);
}

fn check_name(name: &FileName, platform: Platform) {
    let bytes = name.as_bytes();
    assert!(!bytes.contains(&b'/') && !bytes.contains(&0) && bytes != b"." && bytes != b"..");
    assert_eq!(FileName::parse(bytes, platform).as_ref(), Ok(name));
    if platform == Platform::Windows {
        assert!(!bytes.contains(&b'\\') && !bytes.contains(&b':'));
    }
    if let Ok(path) = name.as_os_str() {
        assert_eq!(std::path::Path::new(path).components().count(), 1);
    }
    show(&name.to_string(), 80);
}
