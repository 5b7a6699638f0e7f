//! What an error tells its reader: what happened, and what to do about it.

use std::error::Error;

/// An error that knows what its reader can do about it.
///
/// [`Display`](std::fmt::Display) says what happened, and may quote others:
/// what a peer said, the name of a file, the system. The hint says what to do,
/// and people follow it. So it is a text of the program itself: its type leaves
/// no room for the words of a peer.
///
/// ```
/// use peerage_core::{Advice as _, link::Target};
///
/// let error = "peerage:1/bafy two".parse::<Target>().unwrap_err();
/// assert_eq!(error.to_string(), "the link has a space or a line break in it");
/// assert_eq!(error.hint(), Some("copy it in one piece"));
/// assert_eq!(error.whole(), format!("{error}; copy it in one piece"));
/// ```
pub trait Advice: Error {
    /// What to do about it: a short request that begins with a verb in lower
    /// case. `None` when nothing helps that could be said in general.
    fn hint(&self) -> Option<&'static str>;

    /// The cause and the hint as one line, for where both have one place: a
    /// log, or a sentence for a peer.
    fn whole(&self) -> String {
        match self.hint() {
            Some(hint) => format!("{self}; {hint}"),
            None => self.to_string(),
        }
    }
}
