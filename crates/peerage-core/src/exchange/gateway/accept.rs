//! Reading an `Accept` header: which of the two formats, and which kind of CAR.

use super::{Format, RequestError};
use crate::limits::MAX_GATEWAY_ACCEPT_RANGES;

const RAW: &str = "application/vnd.ipld.raw";
const CAR: &str = "application/vnd.ipld.car";

/// What an `Accept` header asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) format: Format,
    /// `dups=y` or `dups=n`, where the client said which.
    pub(super) duplicates: Option<bool>,
}

/// One alternative of an `Accept` header.
struct MediaRange<'a> {
    kind: &'a str,
    /// Thousandths, as the header has three decimals.
    quality: u16,
    duplicates: Option<bool>,
    /// Whether the CAR is of a version and an order that is written here.
    writable: bool,
}

/// The alternative that the client likes best among those that are served.
///
/// `None` when the header names no format at all (it is empty or `*/*`).
pub(super) fn negotiate(accept: &str) -> Result<Option<Wanted>, RequestError> {
    let mut best: Option<(u16, Wanted)> = None;
    let mut refused = None;
    for text in accept.split(',').take(MAX_GATEWAY_ACCEPT_RANGES) {
        let Some(range) = MediaRange::parse(text) else { continue };
        let Some(format) = range.format() else {
            if range.kind != "*/*" {
                refused = refused.or(Some(RequestError::Format));
            }
            continue;
        };
        if !range.writable {
            refused = Some(RequestError::CarKind);
        } else if range.quality > 0 && best.is_none_or(|(quality, _)| range.quality > quality) {
            best = Some((range.quality, Wanted { format, duplicates: range.duplicates }));
        }
    }
    match (best, refused) {
        (Some((_, wanted)), _) => Ok(Some(wanted)),
        (None, Some(error)) => Err(error),
        (None, None) => Ok(None),
    }
}

/// `dups=y` in the first CAR of an `Accept` header, for a request whose query
/// already says that it wants a CAR.
pub(super) fn duplicates(accept: &str) -> Option<bool> {
    accept
        .split(',')
        .take(MAX_GATEWAY_ACCEPT_RANGES)
        .filter_map(MediaRange::parse)
        .find(|range| range.format() == Some(Format::Car))
        .and_then(|range| range.duplicates)
}

impl<'a> MediaRange<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let kind = parts.next().filter(|kind| !kind.is_empty())?;
        let mut range = Self { kind, quality: 1000, duplicates: None, writable: true };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            range.parameter(name.trim(), value.trim().trim_matches('"'));
        }
        Some(range)
    }

    fn parameter(&mut self, name: &str, value: &str) {
        match name.to_ascii_lowercase().as_str() {
            "q" => self.quality = quality(value),
            "version" => self.writable &= value == "1",
            "order" => self.writable &= matches!(value, "dfs" | "unk" | ""),
            "dups" => self.duplicates = yes_or_no(value),
            _ => {}
        }
    }

    fn format(&self) -> Option<Format> {
        if self.kind.eq_ignore_ascii_case(RAW) {
            Some(Format::Raw)
        } else if self.kind.eq_ignore_ascii_case(CAR) {
            Some(Format::Car)
        } else {
            None
        }
    }
}

/// `y` or `n`; `None` for anything else.
pub(super) fn yes_or_no(value: &str) -> Option<bool> {
    match value {
        "y" => Some(true),
        "n" => Some(false),
        _ => None,
    }
}

/// A weight such as `0.25` in thousandths; what cannot be read counts as 1.
fn quality(value: &str) -> u16 {
    match value.split_once('.') {
        None if value == "0" => 0,
        Some(("0", decimals)) => {
            let digits: String = decimals.chars().chain("000".chars()).take(3).collect();
            digits.parse().unwrap_or(1000)
        }
        _ => 1000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(accept: &str) -> Option<Format> {
        negotiate(accept).unwrap().map(|wanted| wanted.format)
    }

    #[test]
    fn picks_what_the_client_likes_best() {
        assert_eq!(wanted(RAW), Some(Format::Raw));
        assert_eq!(wanted("Application/VND.ipld.car; version=1"), Some(Format::Car));
        assert_eq!(
            wanted("application/vnd.ipld.raw;q=0.5, application/vnd.ipld.car;q=0.75"),
            Some(Format::Car)
        );
        assert_eq!(wanted("text/html, application/vnd.ipld.raw"), Some(Format::Raw));
        assert_eq!(wanted("*/*"), None);
        assert_eq!(wanted(""), None);
    }

    #[test]
    fn skips_the_kinds_of_car_that_are_not_written() {
        let accept =
            "application/vnd.ipld.car;order=foo, application/vnd.ipld.car;order=dfs;dups=y;q=0.5";
        let wanted = negotiate(accept).unwrap().unwrap();
        assert_eq!(wanted, Wanted { format: Format::Car, duplicates: Some(true) });
        assert_eq!(negotiate("application/vnd.ipld.car;version=2"), Err(RequestError::CarKind));
        assert_eq!(negotiate("text/html"), Err(RequestError::Format));
    }

    #[test]
    fn reads_weights_of_every_shape() {
        for (text, thousandths) in
            [("1", 1000), ("0", 0), ("0.", 0), ("0.5", 500), ("0.123456", 123), ("x", 1000)]
        {
            assert_eq!(quality(text), thousandths, "{text}");
        }
    }
}
