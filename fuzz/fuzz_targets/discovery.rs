//! Announcements on the local network: the port, then keys and values.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peerage_core::{
    discovery::Announcement,
    limits::{MAX_DEVICE_DETAIL_BYTES, MAX_DEVICE_NAME_BYTES},
};
use peerage_fuzz::Parts;

fuzz_target!(|input: &[u8]| {
    let mut parts = Parts::of(input);
    let port = u16::from_le_bytes([parts.byte(), parts.byte()]);
    let mut entries = Vec::new();
    while let Some(key) = parts.next() {
        entries.push((std::str::from_utf8(key).unwrap_or("name"), parts.part()));
    }
    if let Ok(announcement) = Announcement::from_txt(entries, port) {
        check(&announcement);
    }
});

fn check(announcement: &Announcement) {
    assert!(announcement.name.len() <= MAX_DEVICE_NAME_BYTES);
    assert!(announcement.os.len() <= MAX_DEVICE_DETAIL_BYTES);
    assert!(announcement.version.len() <= MAX_DEVICE_DETAIL_BYTES);
    let instance = announcement.instance_name();
    assert!(instance.len() <= 63 && !instance.contains(char::is_control), "{instance:?}");
    assert!(announcement.host_name().split('.').all(|label| label.len() <= 63));

    let text = announcement.to_txt();
    let entries = text.iter().map(|(key, value)| (*key, value.as_bytes()));
    assert_eq!(Announcement::from_txt(entries, 0).as_ref(), Ok(announcement));
}
