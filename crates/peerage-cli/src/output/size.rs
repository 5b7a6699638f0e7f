//! Amounts for people.

use indicatif::DecimalBytes;

/// `bytes` with a decimal unit: `1.07 GB`.
pub(crate) fn amount(bytes: u64) -> String {
    DecimalBytes(bytes).to_string()
}

/// `count` of a thing, in the right number: `1 file`, `2 files`.
pub(super) fn count(count: u64, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// Milliseconds as seconds: `0.35 s`.
#[expect(clippy::cast_precision_loss, reason = "a duration for people")]
pub(super) fn seconds(milliseconds: u64) -> String {
    format!("{:.2} s", milliseconds as f64 / 1000.0)
}

/// How fast `bytes` in `milliseconds` were: `210.00 MB/s`.
pub(super) fn rate(bytes: u64, milliseconds: u64) -> String {
    let rate = u128::from(bytes) * 1000 / u128::from(milliseconds.max(1));
    format!("{}/s", amount(u64::try_from(rate).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_well() {
        assert_eq!(count(1, "file"), "1 file");
        assert_eq!(count(2, "file"), "2 files");
        assert_eq!(seconds(350), "0.35 s");
        assert_eq!(rate(1_000_000, 500), "2.00 MB/s");
        assert_eq!(rate(u64::MAX, 0), format!("{}/s", amount(u64::MAX)));
    }
}
