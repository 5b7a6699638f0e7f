//! Who may connect with a pipe that listens.

use std::{collections::VecDeque, fmt, str::FromStr, time::Duration};

use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use peerage::{
    node::{IncomingStreams, PeerId, Stream},
    pipe,
};
use tokio::{
    task::{AbortHandle, JoinSet},
    time::timeout,
};

use crate::{
    failure::{Code, Failure},
    limits::{MAX_PIPE_CLAIMS, PIPE_CLAIM_SECONDS},
};

/// The bytes of a secret: more than anybody can try.
const SECRET_BYTES: usize = 16;

/// What separates a target from the secret in what is typed to connect.
const SEPARATOR: char = '#';

/// What whoever was handed the command knows, and who only sees the peer does
/// not.
#[derive(Clone, Copy)]
pub(super) struct Secret([u8; SECRET_BYTES]);

impl Secret {
    /// A new one.
    ///
    /// # Errors
    ///
    /// When the system gives no random bytes.
    pub(super) fn new() -> Result<Self, Failure> {
        let mut bytes = [0; SECRET_BYTES];
        match getrandom::fill(&mut bytes) {
            Ok(()) => Ok(Self(bytes)),
            Err(error) => Err(Failure::new(
                Code::Unexpected,
                format!("the system gives no random bytes: {error}"),
                "name who may connect with --from",
            )),
        }
    }

    /// Says it at the beginning of a stream.
    ///
    /// # Errors
    ///
    /// When the stream is lost.
    pub(super) async fn say(self, stream: &mut Stream) -> std::io::Result<()> {
        stream.write_all(&self.0).await?;
        stream.flush().await
    }

    /// Whether the stream begins with it. Takes as long for any wrong one.
    async fn is_said(self, stream: &mut Stream) -> bool {
        let mut said = [0; SECRET_BYTES];
        let read = stream.read_exact(&mut said).await;
        let differ = said.iter().zip(self.0).fold(0, |differ, (one, other)| differ | (one ^ other));
        read.is_ok() && differ == 0
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl FromStr for Secret {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let digits = text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok();
        let number = number.filter(|_| digits && text.len() == 2 * SECRET_BYTES);
        number.map(|number| Self(number.to_be_bytes())).ok_or_else(|| {
            let cause = "the part behind the # is not a secret of `peerage pipe listen`";
            Failure::new(Code::BadTarget, cause, "copy the command whole")
        })
    }
}

/// A target as it is typed, and the secret that may be behind it.
///
/// # Errors
///
/// When what is behind it is no secret.
pub(super) fn split(target: &str) -> Result<(&str, Option<Secret>), Failure> {
    match target.split_once(SEPARATOR) {
        Some((target, secret)) => Ok((target, Some(secret.parse()?))),
        None => Ok((target, None)),
    }
}

/// Whom a pipe lets in.
pub(super) enum Guests {
    /// Who knows the secret: the first peer, and nobody after it.
    Told(Secret),
    /// These peers.
    Named(Vec<PeerId>),
    /// Whoever comes.
    Anybody,
}

impl Guests {
    /// The protocol that they open.
    pub(super) const fn protocol(&self) -> &'static str {
        match self {
            Self::Told(_) => pipe::SECRET_PROTOCOL,
            Self::Named(_) | Self::Anybody => pipe::PROTOCOL,
        }
    }

    /// What follows the target in what is typed to connect.
    pub(super) fn suffix(&self) -> String {
        match self {
            Self::Told(secret) => format!("{SEPARATOR}{secret}"),
            Self::Named(_) | Self::Anybody => String::new(),
        }
    }
}

/// The streams of those who may connect.
pub(super) struct Invited {
    streams: IncomingStreams,
    guests: Guests,
    /// Streams on which the secret is still to be said, the oldest first.
    claims: JoinSet<Option<(PeerId, Stream)>>,
    waiting: VecDeque<AbortHandle>,
    /// Who said the secret.
    first: Option<PeerId>,
}

impl Invited {
    /// Those of the guests among `streams`.
    pub(super) fn new(streams: IncomingStreams, guests: Guests) -> Self {
        let (claims, waiting) = (JoinSet::new(), VecDeque::new());
        Self { streams, guests, claims, waiting, first: None }
    }

    /// The next one; those of others are dropped, which breaks them.
    pub(super) async fn next(&mut self) -> Result<(PeerId, Stream), Failure> {
        loop {
            tokio::select! {
                Some(claim) = self.claims.join_next() => {
                    if let Ok(Some((peer, stream))) = claim
                        && *self.first.get_or_insert(peer) == peer
                    {
                        return Ok((peer, stream));
                    }
                }
                next = self.streams.next() => {
                    let (peer, stream) = next.ok_or_else(super::pipe::node_gone)?;
                    match &self.guests {
                        Guests::Anybody => return Ok((peer, stream)),
                        Guests::Named(peers) if peers.contains(&peer) => return Ok((peer, stream)),
                        Guests::Named(_) => {}
                        Guests::Told(secret) => self.hear(peer, stream, *secret),
                    }
                }
            }
        }
    }

    /// Waits for the secret. Whoever knows it says it at once, so that without
    /// room the stream that has been silent longest goes.
    fn hear(&mut self, peer: PeerId, mut stream: Stream, secret: Secret) {
        self.waiting.retain(|claim| !claim.is_finished());
        if self.waiting.len() == MAX_PIPE_CLAIMS
            && let Some(silent) = self.waiting.pop_front()
        {
            silent.abort();
        }
        let patience = Duration::from_secs(PIPE_CLAIM_SECONDS);
        self.waiting.push_back(self.claims.spawn(async move {
            let said = timeout(patience, secret.is_said(&mut stream)).await;
            said.is_ok_and(|said| said).then_some((peer, stream))
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_behind_any_target() {
        let secret = Secret::new().unwrap();
        let typed = format!("/ip4/1.2.3.4{}", Guests::Told(secret).suffix());
        let (target, read) = split(&typed).unwrap();
        assert_eq!((target, read.unwrap().0), ("/ip4/1.2.3.4", secret.0));
        assert!(matches!(split("12D3"), Ok(("12D3", None))));
        let plus = format!("x#+{}", "0".repeat(31));
        for wrong in ["x#", "x#12", "x##", plus.as_str()] {
            assert!(split(wrong).is_err(), "{wrong}");
        }
    }
}
