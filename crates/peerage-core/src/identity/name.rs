//! The names that a person gives to identities.

use std::{fmt, str::FromStr};

use crate::advice::Advice;
use crate::limits::MAX_IDENTITY_NAME_CHARS;

/// The name of an identity: 1 to 64 of `a`–`z`, `0`–`9`, `-` and `_`,
/// beginning with a letter or a digit.
///
/// A name becomes a file's name, so it is one that every file system takes
/// and keeps apart from others: lower case only (two names that differ in
/// case alone would be one file on some systems), no dots, and none of the
/// names that Windows reserves for devices.
///
/// ```
/// use peerage_core::identity::IdentityName;
///
/// let name: IdentityName = "work-2".parse()?;
/// assert_eq!(name.as_str(), "work-2");
/// assert!("../work".parse::<IdentityName>().is_err());
/// # Ok::<(), peerage_core::identity::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityName(String);

impl IdentityName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of the identity that is made where there is none: `default`.
impl Default for IdentityName {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl fmt::Display for IdentityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for IdentityName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Why a text can't be the name of an identity.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// It is empty.
    #[error("an identity needs a name of at least one character")]
    Empty,
    /// It is too long.
    #[error("an identity's name has at most {MAX_IDENTITY_NAME_CHARS} characters")]
    TooLong,
    /// A character that is not allowed.
    #[error(
        "{} cannot be in an identity's name",
        .character.escape_default()
    )]
    Character {
        /// The first such character.
        character: char,
    },
    /// It begins with `-` or `_`.
    #[error(
        "an identity's name begins with a letter or a digit, so that it can't be taken for an option"
    )]
    Beginning,
    /// Windows keeps it for a device.
    #[error("Windows reserves this name for a device")]
    Reserved,
}

impl Advice for NameError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Empty => Some("choose one, such as `work`"),
            Self::TooLong => Some("choose a shorter one"),
            Self::Character { .. } => Some("choose one of a-z, 0-9, - and _ (lower case)"),
            Self::Beginning => Some("choose one that does"),
            Self::Reserved => Some("choose another, so that the key can be taken there"),
        }
    }
}

impl FromStr for IdentityName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let first = *text.as_bytes().first().ok_or(NameError::Empty)?;
        if text.chars().nth(MAX_IDENTITY_NAME_CHARS).is_some() {
            return Err(NameError::TooLong);
        }
        if let Some(character) = text.chars().find(|&character| !is_allowed(character)) {
            return Err(NameError::Character { character });
        }
        if !first.is_ascii_alphanumeric() {
            return Err(NameError::Beginning);
        }
        if crate::text::is_windows_device(text) {
            return Err(NameError::Reserved);
        }
        Ok(Self(text.to_owned()))
    }
}

const fn is_allowed(character: char) -> bool {
    matches!(character, 'a'..='z' | '0'..='9' | '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, NameError> {
        text.parse::<IdentityName>().map(|name| name.to_string())
    }

    #[test]
    fn takes_plain_names() {
        let longest = "a".repeat(MAX_IDENTITY_NAME_CHARS);
        for name in ["default", "a", "0", "work-2", "my_phone", "console", &longest] {
            assert_eq!(parse(name), Ok(name.into()));
        }
        assert_eq!(parse(IdentityName::default().as_str()), Ok("default".into()));
    }

    #[test]
    fn refuses_the_rest_with_the_reason() {
        assert_eq!(parse(""), Err(NameError::Empty));
        assert_eq!(parse(&"a".repeat(MAX_IDENTITY_NAME_CHARS + 1)), Err(NameError::TooLong));
        assert_eq!(parse("-rf"), Err(NameError::Beginning));
        assert_eq!(parse("_x"), Err(NameError::Beginning));
        for (name, character) in [
            ("Alice", 'A'),
            ("a/b", '/'),
            ("..", '.'),
            (".x", '.'),
            ("a\\b", '\\'),
            ("a\0", '\0'),
            ("a b", ' '),
            ("é", 'é'),
            ("\u{202e}a", '\u{202e}'),
        ] {
            assert_eq!(parse(name), Err(NameError::Character { character }), "{name:?}");
        }
        for name in ["con", "nul", "com1", "lpt9"] {
            assert_eq!(parse(name), Err(NameError::Reserved));
        }
    }

    #[test]
    fn the_message_shows_no_control_character() {
        let error = parse("\u{1b}[31m").expect_err("refused");
        assert!(!error.to_string().contains('\u{1b}'));
    }
}
