use proptest::prelude::*;

use super::*;

#[test]
fn ordinary_names_in_any_script_are_kept() {
    for name in [
        "summer 2024 (1).jpg",
        "Ångström – “naïve” façade.txt",
        "e\u{301}te\u{301}.png", // decomposed accents
        "Việt Nam.mp4",
        "夏の写真.jpg",
        "한국어 파일.hwp",
        "صورة.jpg",
        "تمونه\u{200c}ها.pdf", // Persian with a non-joiner
        "क्\u{200d}ष.txt",      // Devanagari with a joiner
        "תמונה.jpg",
        "ภาพถ่าย.png",
        "👨\u{200d}👩\u{200d}👧 family ❤\u{fe0f}.heic",
        "🇫🇷.svg",
        "𝒜𝓁𝒾𝒸𝑒",
    ] {
        assert_eq!(for_terminal(name, 200), name);
        assert!(matches!(for_terminal(name, 200), Cow::Borrowed(_)));
    }
}

#[test]
fn what_steers_hides_or_reorders_is_replaced() {
    for (name, shown) in [
        ("a\nb\rc\td", "a�b�c�d"),
        ("\u{1b}]0;title\u{7}", "�]0;title�"),
        ("\u{9b}31m", "�31m"),
        ("photo\u{202e}gpj.exe", "photo�gpj.exe"),
        ("\u{2066}x\u{2069}", "�x�"),
        ("a\u{200b}b\u{feff}c\u{2060}", "a�b�c�"),
        ("pay\u{200d}pal", "pay�pal"),
        ("\u{200d}👩", "�👩"),
        ("a\u{2028}b", "a�b"),
        ("\u{e0041}", "�"),
    ] {
        assert_eq!(for_terminal(name, 200), shown);
    }
}

#[test]
fn piled_up_marks_are_cut() {
    let few = format!("a{}", "\u{301}".repeat(MAX_COMBINING_MARKS));
    assert_eq!(for_terminal(&few, 80), few);
    let shown = for_terminal(&format!("{few}\u{301}"), 80).into_owned();
    assert_eq!(shown, format!("{few}�"));
}

#[test]
fn a_wide_text_loses_its_middle() {
    assert_eq!(for_terminal("0123456789", 10), "0123456789");
    assert_eq!(for_terminal("0123456789", 7), "0123…89");
    assert_eq!(for_terminal("夏の写真の夏", 7), "夏の…夏");
    assert_eq!(for_terminal("0123456789", 1), "…");
    assert_eq!(for_terminal("0123456789", 0), "");
    assert_eq!(bytes_for_terminal(b"a\xffb", 80), "a�b");
}

#[test]
fn unix_keeps_any_bytes_of_one_component() {
    let longest = [b'x'; MAX_NAME_BYTES];
    for name in [
        &b"dawn.jpg"[..],
        b"...",
        b"a\\b",
        b"\xff\xfe",
        b"new\nline",
        b" ",
        b"CON",
        b"-rf",
        &longest,
    ] {
        let parsed = FileName::parse(name, Platform::Unix).expect("a file name");
        assert_eq!(parsed.as_bytes(), name);
    }
    let too_long = [b'x'; MAX_NAME_BYTES + 1];
    for (name, error) in [
        (&b""[..], FileNameError::Empty),
        (b".", FileNameError::Relative),
        (b"..", FileNameError::Relative),
        (b"../x", FileNameError::Separator),
        (b"/etc/passwd", FileNameError::Separator),
        (b"a\0b", FileNameError::Nul),
        (&too_long, FileNameError::TooLong),
    ] {
        assert_eq!(FileName::parse(name, Platform::Unix), Err(error));
        assert_eq!(FileName::parse(name, Platform::Windows), Err(error));
    }
}

#[test]
fn windows_refuses_what_it_would_take_for_something_else() {
    let longest = "é".repeat(MAX_NAME_BYTES);
    for name in ["dawn.jpg", "夏.jpg", "COM", "COM10", "console", ".hidden", &longest] {
        assert!(FileName::parse(name.as_bytes(), Platform::Windows).is_ok(), "{name}");
    }
    let too_long = format!("{longest}é");
    for (name, error) in [
        ("a\\b", FileNameError::Separator),
        ("C:", FileNameError::Character { character: ':' }),
        ("file:stream", FileNameError::Character { character: ':' }),
        ("a\nb", FileNameError::Character { character: '\n' }),
        ("what?", FileNameError::Character { character: '?' }),
        ("dots.", FileNameError::Ending),
        ("space ", FileNameError::Ending),
        ("con", FileNameError::Device),
        ("Nul.txt", FileNameError::Device),
        ("COM¹.log", FileNameError::Device),
        ("aux .c", FileNameError::Device),
        ("lpt0", FileNameError::Device),
        (&too_long, FileNameError::TooLong),
    ] {
        assert_eq!(FileName::parse(name.as_bytes(), Platform::Windows), Err(error), "{name:?}");
    }
    assert_eq!(FileName::parse(b"\xff", Platform::Windows), Err(FileNameError::NotUnicode));
}

#[cfg(unix)]
#[test]
fn a_name_becomes_one_path_component_byte_for_byte() {
    use std::os::unix::ffi::OsStrExt as _;
    let name = FileName::parse(b"a\\\xff\n", Platform::Unix).expect("a file name");
    assert_eq!(name.as_os_str().expect("a component").as_bytes(), name.as_bytes());
    assert_eq!(name.to_string(), "a\\��");
}

proptest! {
    #[test]
    fn what_is_shown_is_safe_and_fits(text in any::<String>(), columns in 0_usize..100) {
        let shown = for_terminal(&text, columns);
        prop_assert!(width(&shown) <= columns);
        prop_assert!(!shown.chars().any(char::is_control));
        let deceives = shown.contains(['\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}']);
        prop_assert!(!deceives);
    }

    #[test]
    fn showing_twice_changes_nothing(text in any::<String>(), columns in 0_usize..100) {
        let once = for_terminal(&text, columns).into_owned();
        prop_assert_eq!(for_terminal(&once, columns), once.as_str());
    }

    #[test]
    fn an_accepted_name_is_one_normal_component(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(name) = FileName::parse(&bytes, Platform::CURRENT) {
            let path = std::path::Path::new(name.as_os_str().expect("a component"));
            let components: Vec<_> = path.components().collect();
            prop_assert_eq!(components.len(), 1);
            prop_assert!(matches!(components[0], std::path::Component::Normal(_)));
        }
    }
}
