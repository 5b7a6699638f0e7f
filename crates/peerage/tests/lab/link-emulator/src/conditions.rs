//! What a link does to frames.

use std::time::Duration;

/// The longest delay or jitter, in milliseconds.
const MAX_MILLISECONDS: f64 = 60_000.0;
/// The fastest line, in Mbit/s: more than a program in user space carries.
const MAX_RATE: f64 = 100_000.0;
/// The longest queue, in frames.
const MAX_QUEUE: f64 = 1_000_000.0;

/// The conditions of a link, in each direction.
///
/// | name | meaning |
/// | --- | --- |
/// | `delay` | how long a frame takes, in ms |
/// | `jitter` | how much longer or shorter, at most, in ms; keeps the order |
/// | `loss` | how many frames are lost, in % |
/// | `reorder` | how many overtake those before them, by skipping the delay, in % |
/// | `dup` | how many arrive twice, in % |
/// | `rate` | how many Mbit pass in a second; 0 for any |
/// | `queue` | how many frames wait for the line at `rate`; what comes on top is lost |
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Conditions {
    pub(crate) delay: Duration,
    pub(crate) jitter: Duration,
    /// Parts of 1, as the next two.
    pub(crate) loss: f64,
    pub(crate) reorder: f64,
    pub(crate) duplicate: f64,
    /// In bits a second; 0 for any.
    pub(crate) rate: f64,
    pub(crate) queue: f64,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
            reorder: 0.0,
            duplicate: 0.0,
            rate: 0.0,
            queue: 1000.0,
        }
    }
}

impl Conditions {
    /// Reads settings of the form `NAME=NUMBER`.
    ///
    /// # Errors
    ///
    /// A sentence that says which setting is wrong.
    pub(crate) fn read(settings: &[String]) -> Result<Self, String> {
        let mut conditions = Self::default();
        for setting in settings {
            let wrong = || format!("`{setting}` is not a setting such as `delay=20`");
            let (name, number) = setting.split_once('=').ok_or_else(wrong)?;
            let number: f64 = number.parse().map_err(|_| wrong())?;
            conditions.set(name, number).map_err(|why| format!("`{setting}`: {why}"))?;
        }
        Ok(conditions)
    }

    fn set(&mut self, name: &str, number: f64) -> Result<(), String> {
        let up_to = |most: f64| {
            let fits = (0.0..=most).contains(&number);
            fits.then_some(number).ok_or_else(|| format!("must be from 0 to {most}"))
        };
        let milliseconds =
            || up_to(MAX_MILLISECONDS).map(|number| Duration::from_secs_f64(number / 1e3));
        let percent = || up_to(100.0).map(|number| number / 100.0);
        match name {
            "delay" => self.delay = milliseconds()?,
            "jitter" => self.jitter = milliseconds()?,
            "loss" => self.loss = percent()?,
            "reorder" => self.reorder = percent()?,
            "dup" => self.duplicate = percent()?,
            "rate" => self.rate = up_to(MAX_RATE)? * 1e6,
            "queue" => self.queue = up_to(MAX_QUEUE)?,
            _ => return Err(format!("there is no condition `{name}`")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &[&str]) -> Result<Conditions, String> {
        let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
        Conditions::read(&settings)
    }

    #[test]
    fn settings_are_read_in_their_units() {
        let conditions = read(&["delay=20", "loss=1.5", "rate=10"]).unwrap();
        assert_eq!(conditions.delay, Duration::from_millis(20));
        assert!((conditions.loss - 0.015).abs() < 1e-9);
        assert!((conditions.rate - 10e6).abs() < 1e-9);
    }

    #[test]
    fn nonsense_is_refused() {
        for setting in ["delay", "delay=x", "delay=-1", "loss=101", "loss=NaN", "speed=1"] {
            assert!(read(&[setting]).is_err(), "{setting}");
        }
    }
}
