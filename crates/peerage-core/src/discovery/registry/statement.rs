//! What a peer says of itself to a registry.

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use super::Refusal;
use crate::discovery::{LegacyPeerRecord, SignedPeerRecord};
use crate::limits::{MAX_ADDRESSES_PER_PEER, MAX_PEER_RECORD_BYTES};

/// Which of the two forms of signed peer records software reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordForm {
    /// The specification's.
    Standard,
    /// That of rust-libp2p's rendezvous.
    Legacy,
}

impl RecordForm {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Standard => Self::Legacy,
            Self::Legacy => Self::Standard,
        }
    }
}

/// Where a peer says that it is: signed in one or both forms, or, by software
/// that knows no signed records, proven by its connection only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub(super) peer: PeerId,
    pub(super) addresses: Vec<Multiaddr>,
    pub(super) record: Option<SignedPeerRecord>,
    pub(super) legacy: Option<LegacyPeerRecord>,
}

impl Statement {
    /// A signed record.
    #[must_use]
    pub fn signed(record: SignedPeerRecord) -> Self {
        let addresses = record.addresses().to_vec();
        Self { peer: record.peer(), addresses, record: Some(record), legacy: None }
    }

    /// A record in rust-libp2p's form.
    #[must_use]
    pub fn legacy(record: LegacyPeerRecord) -> Self {
        let addresses = record.addresses().to_vec();
        Self { peer: record.peer(), addresses, record: None, legacy: Some(record) }
    }

    /// The same record in both forms.
    ///
    /// # Errors
    ///
    /// When they do not say the same.
    pub fn both(record: SignedPeerRecord, legacy: LegacyPeerRecord) -> Result<Self, Refusal> {
        let same = record.peer() == legacy.peer()
            && record.sequence() == legacy.sequence()
            && record.addresses() == legacy.addresses();
        if !same {
            return Err(Refusal::Contradiction);
        }
        Ok(Self { legacy: Some(legacy), ..Self::signed(record) })
    }

    /// Addresses that the connection vouches for alone; those beyond
    /// [`MAX_ADDRESSES_PER_PEER`], and beyond the size of a record, are left
    /// out.
    #[must_use]
    pub fn unsigned(peer: PeerId, addresses: impl IntoIterator<Item = Multiaddr>) -> Self {
        let mut bytes = 0;
        let fits = |address: &Multiaddr| {
            bytes += address.len();
            bytes <= MAX_PEER_RECORD_BYTES
        };
        let addresses = addresses.into_iter().take(MAX_ADDRESSES_PER_PEER);
        let addresses = addresses.take_while(fits).collect();
        Self { peer, addresses, record: None, legacy: None }
    }

    /// Who says it.
    #[must_use]
    pub const fn peer(&self) -> PeerId {
        self.peer
    }

    pub(super) const fn is_signed(&self) -> bool {
        self.record.is_some() || self.legacy.is_some()
    }

    /// The form in which it is signed; the specification's if in both.
    pub(super) fn form(&self) -> Option<RecordForm> {
        [RecordForm::Standard, RecordForm::Legacy].into_iter().find(|form| self.has(*form))
    }

    pub(super) const fn has(&self, form: RecordForm) -> bool {
        match form {
            RecordForm::Standard => self.record.is_some(),
            RecordForm::Legacy => self.legacy.is_some(),
        }
    }

    /// Whether this may take the place of `known`: it is the same, or newer.
    /// rust-libp2p numbers its records by the second, so one with the same
    /// number may say something new. Numbers of different forms do not compare;
    /// there the connection, which proves who speaks, is enough.
    pub(super) fn replaces(&self, known: &Self) -> bool {
        match ((&self.record, &known.record), (&self.legacy, &known.legacy)) {
            ((Some(ours), Some(theirs)), _) => {
                ours.sequence() > theirs.sequence() || ours == theirs
            }
            (_, (Some(ours), Some(theirs))) => ours.sequence() >= theirs.sequence(),
            _ => self.is_signed() || !known.is_signed(),
        }
    }

    /// About how many bytes it takes: decoded, and as it was signed.
    pub(super) fn bytes(&self) -> usize {
        let decoded: usize = self.addresses.iter().map(|address| address.len() + 64).sum();
        let record = self.record.as_ref().map_or(0, |record| record.encode().len() + decoded);
        let legacy = self.legacy.as_ref().map_or(0, |record| record.encode().len() + decoded);
        decoded + record + legacy
    }
}
