//! Who was asked where a peer is, and what each of them said.

use std::{fmt, time::Duration};

use crate::discovery::{Answer, WayError, WayName};

/// Who can be asked where a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// Whoever wants the peer, and gave addresses.
    Given,
    /// The node's address book: what it has heard of the peer before.
    AddressBook,
    /// The hubs of this node, which may have a place for the peer too.
    Hubs,
    /// A way of finding peers.
    Way(WayName),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given => f.write_str("the addresses given"),
            Self::AddressBook => f.write_str("the address book"),
            Self::Hubs => f.write_str("hubs"),
            Self::Way(way) => write!(f, "{way}"),
        }
    }
}

/// What one of them said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Said {
    /// Nothing yet when the search ended.
    NotYet,
    /// That it knows no address.
    Nothing,
    /// So many addresses, those counted that others named too.
    Addresses(usize),
    /// It could not say.
    Failed(WayError),
}

/// One who was asked, with the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who.
    pub source: Source,
    /// The answer.
    pub said: Said,
    /// After what time it came; zero for what is known here.
    pub took: Duration,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, said, took } = self;
        match said {
            Said::NotYet => write!(f, "{source}: no answer yet")?,
            Said::Nothing => write!(f, "{source}: nothing")?,
            Said::Addresses(1) => write!(f, "{source}: 1 address")?,
            Said::Addresses(many) => write!(f, "{source}: {many} addresses")?,
            Said::Failed(error) => write!(f, "{source}: {error}")?,
        }
        match took.is_zero() {
            true => Ok(()),
            false => write!(f, " after {} ms", took.as_millis()),
        }
    }
}

/// All who were asked: each once, whatever it says in the course of a search.
#[derive(Debug, Default)]
pub(super) struct Inquiry(Vec<Asked>);

impl Inquiry {
    /// Notes what is known without asking anybody.
    pub(super) fn known(&mut self, source: Source, addresses: usize) {
        let said = if addresses == 0 { Said::Nothing } else { Said::Addresses(addresses) };
        *self.entry(source) = Asked { source, said, took: Duration::ZERO };
    }

    /// Notes that these ways are being asked.
    pub(super) fn ask(&mut self, ways: impl IntoIterator<Item = WayName>) {
        for way in ways {
            self.entry(Source::Way(way));
        }
    }

    /// Notes what a way says. What it has found counts for more than that a part
    /// of it has failed.
    pub(super) fn note(&mut self, answer: &Answer) {
        let (way, said, took) = match answer {
            Answer::Found(found) => (found.way, Said::Addresses(found.addresses.len()), found.took),
            Answer::Failed { way, error: WayError::Unsupported, .. } => {
                return self.0.retain(|asked| asked.source != Source::Way(*way));
            }
            Answer::Failed { way, error, took } => (*way, Said::Failed(error.clone()), *took),
            Answer::Ended { way, took, .. } => (*way, Said::Nothing, *took),
        };
        let source = Source::Way(way);
        let Some(asked) = self.0.iter_mut().find(|asked| asked.source == source) else { return };
        let said = match (&asked.said, said) {
            (Said::Addresses(before), Said::Addresses(more)) => Said::Addresses(before + more),
            (Said::Addresses(_), _) | (Said::Failed(_), Said::Nothing) => return,
            (_, Said::Addresses(0)) => Said::Nothing,
            (_, said) => said,
        };
        (asked.said, asked.took) = (said, took);
    }

    /// All of it, in the order in which they were asked.
    pub(super) fn into_asked(self) -> Vec<Asked> {
        self.0
    }

    fn entry(&mut self, source: Source) -> &mut Asked {
        let at = self.0.iter().position(|asked| asked.source == source);
        let at = at.unwrap_or_else(|| {
            self.0.push(Asked { source, said: Said::NotYet, took: Duration::ZERO });
            self.0.len() - 1
        });
        &mut self.0[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOK: Duration = Duration::from_millis(7);

    fn failed(way: WayName, error: WayError) -> Answer {
        Answer::Failed { way, error, took: TOOK }
    }

    fn ended(way: WayName) -> Answer {
        Answer::Ended { way, findings: 0, took: TOOK }
    }

    #[test]
    fn each_is_told_with_what_it_said_and_when() {
        let mut inquiry = Inquiry::default();
        inquiry.known(Source::Given, 1);
        inquiry.known(Source::AddressBook, 0);
        inquiry.ask([WayName::Lan, WayName::Tracker, WayName::Dns, WayName::Static]);
        inquiry.note(&ended(WayName::Lan));
        inquiry.note(&failed(WayName::Tracker, WayError::TimedOut(Duration::from_secs(10))));
        inquiry.note(&ended(WayName::Tracker));
        inquiry.note(&failed(WayName::Dns, WayError::Unsupported));
        inquiry.note(&ended(WayName::Dns));
        let told: Vec<String> = inquiry.into_asked().iter().map(ToString::to_string).collect();
        let expected = [
            "the addresses given: 1 address",
            "the address book: nothing",
            "lan: nothing after 7 ms",
            "tracker: no answer within 10 s after 7 ms",
            "static: no answer yet",
        ];
        assert_eq!(told, expected);
    }
}
