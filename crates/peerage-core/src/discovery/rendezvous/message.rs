//! The messages.

use prost::Message as _;

use super::wire::{self, Kind};
use crate::limits::MAX_RENDEZVOUS_ANSWER_BYTES;

/// A message, either way. Each comes after its length as an unsigned varint.
///
/// ```
/// use peerage_core::discovery::rendezvous::Message;
///
/// let request = Message::Unregister { namespace: "lisbon street art".to_owned() };
/// assert_eq!(Message::decode(&request.encode())?, request);
/// # Ok::<(), peerage_core::discovery::rendezvous::DecodeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Keep the sender under a namespace.
    Register(Registration),
    /// It is kept for so many seconds, or refused.
    Registered(Result<u64, Refused>),
    /// Forget the sender under a namespace; this is not answered.
    Unregister {
        /// The namespace.
        namespace: String,
    },
    /// Who is kept under a namespace?
    Discover {
        /// The namespace; `None` asks for all.
        namespace: Option<String>,
        /// How many registrations at most.
        limit: Option<u64>,
        /// From an earlier answer: only what came after it.
        cookie: Option<Vec<u8>>,
    },
    /// Registrations, and a cookie to go on from there; or a refusal.
    Discovered(Result<(Vec<Registration>, Vec<u8>), Refused>),
}

/// A peer under a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The namespace.
    pub namespace: String,
    /// A signed peer record, of either form.
    pub record: Vec<u8>,
    /// For how many seconds it is to be kept, or still is.
    pub ttl: Option<u64>,
}

/// A refusal: its status, and a sentence for people.
pub type Refused = (Status, String);

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// `E_INVALID_NAMESPACE`
    InvalidNamespace,
    /// `E_INVALID_SIGNED_PEER_RECORD`
    InvalidRecord,
    /// `E_INVALID_TTL`
    InvalidTtl,
    /// `E_INVALID_COOKIE`
    InvalidCookie,
    /// `E_NOT_AUTHORIZED`
    NotAuthorized,
    /// `E_INTERNAL_ERROR`, and any that is not known.
    Internal,
    /// `E_UNAVAILABLE`
    Unavailable,
}

const OK: i32 = 0;

impl Status {
    const fn code(self) -> i32 {
        match self {
            Self::InvalidNamespace => 100,
            Self::InvalidRecord => 101,
            Self::InvalidTtl => 102,
            Self::InvalidCookie => 103,
            Self::NotAuthorized => 200,
            Self::Internal => 300,
            Self::Unavailable => 400,
        }
    }

    const fn of(code: i32) -> Self {
        match code {
            100 => Self::InvalidNamespace,
            101 => Self::InvalidRecord,
            102 => Self::InvalidTtl,
            103 => Self::InvalidCookie,
            200 => Self::NotAuthorized,
            400 => Self::Unavailable,
            _ => Self::Internal,
        }
    }
}

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Over [`MAX_RENDEZVOUS_ANSWER_BYTES`].
    #[error("a message of {0} bytes is over the limit of {MAX_RENDEZVOUS_ANSWER_BYTES}")]
    TooLarge(usize),
    /// Not protobuf.
    #[error("it is no message of rendezvous: {0}")]
    Malformed(String),
    /// What its type needs is missing.
    #[error("it is no message of rendezvous: the {0} is missing")]
    Missing(&'static str),
}

impl Message {
    /// The bytes, without their length before them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut wire = wire::Message::default();
        let kind = match self {
            Self::Register(registration) => {
                wire.register = Some(registration.to_wire());
                Kind::Register
            }
            Self::Registered(outcome) => {
                wire.register_response = Some(registered_to_wire(outcome));
                Kind::RegisterResponse
            }
            Self::Unregister { namespace } => {
                wire.unregister = Some(wire::Unregister { namespace: Some(namespace.clone()) });
                Kind::Unregister
            }
            Self::Discover { namespace, limit, cookie } => {
                let (namespace, cookie) = (namespace.clone(), cookie.clone());
                wire.discover = Some(wire::Discover { namespace, limit: *limit, cookie });
                Kind::Discover
            }
            Self::Discovered(outcome) => {
                wire.discover_response = Some(discovered_to_wire(outcome));
                Kind::DiscoverResponse
            }
        };
        wire.kind = Some(kind.into());
        wire.encode_to_vec()
    }

    /// Reads a message.
    ///
    /// # Errors
    ///
    /// When it is too large, or no such message.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_RENDEZVOUS_ANSWER_BYTES {
            return Err(DecodeError::TooLarge(bytes.len()));
        }
        let wire = wire::Message::decode(bytes)
            .map_err(|error| DecodeError::Malformed(error.to_string()))?;
        let kind = wire.kind.and_then(|kind| Kind::try_from(kind).ok());
        match kind.ok_or(DecodeError::Missing("type"))? {
            Kind::Register => {
                let register = wire.register.ok_or(DecodeError::Missing("registration"))?;
                Registration::from_wire(register).map(Self::Register)
            }
            Kind::RegisterResponse => {
                let answer = wire.register_response.ok_or(DecodeError::Missing("answer"))?;
                registered_from_wire(answer).map(Self::Registered)
            }
            Kind::Unregister => {
                let namespace = wire.unregister.and_then(|one| one.namespace);
                let namespace = namespace.ok_or(DecodeError::Missing("namespace"))?;
                Ok(Self::Unregister { namespace })
            }
            Kind::Discover => {
                let wire = wire.discover.ok_or(DecodeError::Missing("question"))?;
                let wire::Discover { namespace, limit, cookie } = wire;
                Ok(Self::Discover { namespace, limit, cookie })
            }
            Kind::DiscoverResponse => {
                let answer = wire.discover_response.ok_or(DecodeError::Missing("answer"))?;
                discovered_from_wire(answer).map(Self::Discovered)
            }
        }
    }
}

impl Registration {
    fn to_wire(&self) -> wire::Register {
        wire::Register {
            namespace: Some(self.namespace.clone()),
            record: Some(self.record.clone()),
            ttl: self.ttl,
        }
    }

    fn from_wire(wire: wire::Register) -> Result<Self, DecodeError> {
        let namespace = wire.namespace.ok_or(DecodeError::Missing("namespace"))?;
        let record = wire.record.ok_or(DecodeError::Missing("record"))?;
        Ok(Self { namespace, record, ttl: wire.ttl })
    }
}

fn registered_to_wire(outcome: &Result<u64, Refused>) -> wire::RegisterResponse {
    match outcome {
        Ok(ttl) => {
            wire::RegisterResponse { status: Some(OK), ttl: Some(*ttl), ..Default::default() }
        }
        Err((status, text)) => wire::RegisterResponse {
            status: Some(status.code()),
            status_text: Some(text.clone()),
            ttl: None,
        },
    }
}

fn registered_from_wire(
    answer: wire::RegisterResponse,
) -> Result<Result<u64, Refused>, DecodeError> {
    match answer.status.ok_or(DecodeError::Missing("status"))? {
        OK => Ok(Ok(answer.ttl.ok_or(DecodeError::Missing("time"))?)),
        code => Ok(Err((Status::of(code), answer.status_text.unwrap_or_default()))),
    }
}

fn discovered_to_wire(
    outcome: &Result<(Vec<Registration>, Vec<u8>), Refused>,
) -> wire::DiscoverResponse {
    match outcome {
        Ok((registrations, cookie)) => wire::DiscoverResponse {
            registrations: registrations.iter().map(Registration::to_wire).collect(),
            cookie: Some(cookie.clone()),
            status: Some(OK),
            status_text: None,
        },
        Err((status, text)) => wire::DiscoverResponse {
            status: Some(status.code()),
            status_text: Some(text.clone()),
            ..Default::default()
        },
    }
}

type Discovered = Result<(Vec<Registration>, Vec<u8>), Refused>;

fn discovered_from_wire(answer: wire::DiscoverResponse) -> Result<Discovered, DecodeError> {
    match answer.status.ok_or(DecodeError::Missing("status"))? {
        OK => {
            let registrations = answer.registrations.into_iter().map(Registration::from_wire);
            let registrations = registrations.collect::<Result<_, _>>()?;
            Ok(Ok((registrations, answer.cookie.unwrap_or_default())))
        }
        code => Ok(Err((Status::of(code), answer.status_text.unwrap_or_default()))),
    }
}
