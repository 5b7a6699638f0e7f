//! How often a source may ask.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::limits::MAX_RATED_SOURCES;

/// A rate for each source, in a table of bounded size (the generic cell rate
/// algorithm: one time for each source).
///
/// ```
/// use std::time::Duration;
/// use peerage_core::discovery::RateLimit;
///
/// let mut limit = RateLimit::new(10, 2);
/// let source = "192.0.2.1".parse()?;
/// let ask = |limit: &mut RateLimit, now| limit.allow(source, Duration::from_millis(now));
/// assert!(ask(&mut limit, 0) && ask(&mut limit, 0));
/// assert!(!ask(&mut limit, 0), "two at once and no more");
/// assert!(ask(&mut limit, 100), "and ten a second");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug)]
pub struct RateLimit {
    /// Until when each source has used up its rate.
    used: BTreeMap<IpAddr, Duration>,
    /// The same for all sources that the table has no room for.
    others: Duration,
    swept: Duration,
    interval: Duration,
    tolerance: Duration,
}

/// How often the table is cleared of sources that are silent.
const SWEEP: Duration = Duration::from_secs(1);

impl RateLimit {
    /// `per_second` times a second, and `burst` times at once; both at least
    /// one.
    #[must_use]
    pub fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self {
            used: BTreeMap::new(),
            others: Duration::ZERO,
            swept: Duration::ZERO,
            interval,
            tolerance: interval * (burst.max(1) - 1),
        }
    }

    /// Whether a source may ask now, and if so, counts it. `now` is the time
    /// since any fixed moment. IPv6 sources count by their network of 64 bits,
    /// which is what one customer has at least.
    pub fn allow(&mut self, source: IpAddr, now: Duration) -> bool {
        let source = network(source);
        if self.used.len() >= MAX_RATED_SOURCES && !self.used.contains_key(&source) {
            self.sweep(now);
        }
        let room = self.used.len() < MAX_RATED_SOURCES || self.used.contains_key(&source);
        let used = if room { self.used.entry(source).or_default() } else { &mut self.others };
        if *used > now + self.tolerance {
            return false;
        }
        *used = (*used).max(now) + self.interval;
        true
    }

    /// Forgets the sources that may ask as if they never had.
    fn sweep(&mut self, now: Duration) {
        if now >= self.swept + SWEEP {
            self.swept = now;
            self.used.retain(|_, used| *used > now);
        }
    }
}

fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        ip @ IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn source(number: usize) -> IpAddr {
        Ipv4Addr::from(u32::try_from(number).unwrap()).into()
    }

    #[test]
    fn one_source_does_not_use_up_anothers_rate() {
        let mut limit = RateLimit::new(1, 1);
        assert!(limit.allow(source(1), Duration::ZERO));
        assert!(!limit.allow(source(1), Duration::ZERO));
        assert!(limit.allow(source(2), Duration::ZERO));
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let mut limit = RateLimit::new(1, 1);
        assert!(limit.allow("2001:db8:0:1::1".parse().unwrap(), Duration::ZERO));
        assert!(!limit.allow("2001:db8:0:1:ffff::1".parse().unwrap(), Duration::ZERO));
        assert!(limit.allow("2001:db8:0:2::1".parse().unwrap(), Duration::ZERO));
    }

    #[test]
    fn a_flood_of_sources_shares_one_rate_until_some_fall_silent() {
        let mut limit = RateLimit::new(1, 1);
        for number in 0..MAX_RATED_SOURCES {
            assert!(limit.allow(source(number), Duration::ZERO));
        }
        assert!(limit.allow(source(MAX_RATED_SOURCES), Duration::ZERO));
        assert!(!limit.allow(source(MAX_RATED_SOURCES + 1), Duration::ZERO));
        assert_eq!(limit.used.len(), MAX_RATED_SOURCES);

        let later = Duration::from_secs(2);
        assert!(limit.allow(source(MAX_RATED_SOURCES + 1), later));
        assert!(limit.allow(source(MAX_RATED_SOURCES + 2), later));
        assert_eq!(limit.used.len(), 2);
    }
}
