//! TLS 1.3 as libp2p uses it, with the cheapest cipher first.
//!
//! Speaks `/tls/1.0.0` of the [specification], and peers of other software
//! notice nothing. It exists because `libp2p-tls` 0.7 has its ciphers in a
//! fixed order with ChaCha20-Poly1305 first, and the dialler's order decides:
//! on a processor with AES instructions AES-GCM costs a third of it. (The
//! fault stands in that crate's `verifier.rs`, as the list `CIPHERSUITES`;
//! once it can be set from outside, this file may go.) Certificates are made
//! and read by `libp2p_tls::certificate`.
//!
//! [specification]: https://github.com/libp2p/specs/blob/master/tls/tls.md

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Once};

use futures::{AsyncRead, AsyncWrite};
use futures_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use libp2p::PeerId;
use libp2p::identity::Keypair;
use libp2p_tls::certificate::{self, GenError};
use peerage_core::Advice;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::cipher_suite::{
    TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
};
use rustls::crypto::aws_lc_rs::{default_provider, sign::any_ecdsa_type};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ServerConfig;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, CommonState, DigitallySignedStruct, DistinguishedName, PeerIncompatible,
    SignatureScheme, SupportedCipherSuite,
};

/// The name by which multistream-select agrees on this protocol.
pub const PROTOCOL: &str = "/tls/1.0.0";

/// What TLS itself agrees on within the handshake (ALPN).
const APPLICATION_PROTOCOL: &[u8] = b"libp2p";

const AES_FIRST: [SupportedCipherSuite; 3] =
    [TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256];

const CHACHA_FIRST: [SupportedCipherSuite; 3] =
    [TLS13_CHACHA20_POLY1305_SHA256, TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384];

/// Why TLS could not be set up at the start of a node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No certificate could be made for this identity.
    #[error("no TLS certificate could be made for this identity: {0}")]
    Certificate(#[from] GenError),
    /// The cryptographic library refused the settings.
    #[error("the TLS library refused its settings: {0}")]
    Settings(#[from] rustls::Error),
}

impl Advice for ConfigError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Certificate(_) | Self::Settings(_) => None,
        }
    }
}

/// One identity's settings for both ends of a handshake; cheap to clone.
#[derive(Debug, Clone)]
pub struct Config {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Config {
    /// Makes a fresh certificate that is signed by `identity`, and settings
    /// around it.
    ///
    /// # Errors
    ///
    /// When the certificate cannot be made or signed.
    ///
    /// ```
    /// use peerage::routing::tls::Config;
    /// let identity = libp2p::identity::Keypair::generate_ed25519();
    /// assert!(Config::new(&identity).is_ok());
    /// ```
    pub fn new(identity: &Keypair) -> Result<Self, ConfigError> {
        let (certificate, key) = certificate::generate(identity)?;
        let certified = CertifiedKey::new(vec![certificate], any_ecdsa_type(&key)?);
        let resolver = Arc::new(SingleCertAndKey::from(certified));
        let provider = Arc::new(provider());
        let verifier = Arc::new(Verifier);

        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as _)
            .with_client_cert_resolver(Arc::clone(&resolver) as _);
        client.alpn_protocols = vec![APPLICATION_PROTOCOL.to_vec()];
        // Every server has the same name here, so a ticket of one peer would
        // be offered to another.
        client.resumption = Resumption::disabled();

        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(resolver);
        server.alpn_protocols = vec![APPLICATION_PROTOCOL.to_vec()];
        server.send_tls13_tickets = 0;

        Ok(Self { client: Arc::new(client), server: Arc::new(server) })
    }

    /// The dialler's half of the handshake: who is at the other end, and the
    /// secured stream to them.
    ///
    /// # Errors
    ///
    /// When the connection breaks, or the other end breaks the protocol or
    /// does not prove its identity.
    pub async fn connect<S>(&self, socket: S) -> io::Result<(PeerId, TlsStream<S>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        // The specification forbids a server name; the unspecified address
        // sends none.
        let name = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into());
        let stream = TlsConnector::from(Arc::clone(&self.client)).connect(name, socket).await?;
        let peer = proven_peer(stream.get_ref().1)?;
        Ok((peer, stream.into()))
    }

    /// The listener's half of the handshake; as [`connect`](Self::connect).
    ///
    /// # Errors
    ///
    /// As for [`connect`](Self::connect).
    pub async fn accept<S>(&self, socket: S) -> io::Result<(PeerId, TlsStream<S>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = TlsAcceptor::from(Arc::clone(&self.server)).accept(socket).await?;
        let peer = proven_peer(stream.get_ref().1)?;
        Ok((peer, stream.into()))
    }
}

/// Whether this processor encrypts with AES-GCM by its own instructions.
pub fn has_aes_instructions() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return std::arch::is_x86_feature_detected!("aes")
        && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes")
        && std::arch::is_aarch64_feature_detected!("pmull");
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

/// Seeds the TLS library's random numbers, on a thread of its own, once in a
/// process.
///
/// aws-lc measures the jitter of the processor for its first seed, which
/// takes some 50 ms of CPU time. Without this the first handshake would wait
/// for it; with it, only one that begins within that time does.
pub(crate) fn warm_up() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let seed = || {
            let _ = default_provider().secure_random.fill(&mut [0; 1]);
        };
        if let Err(error) = std::thread::Builder::new().name("tls-seed".into()).spawn(seed) {
            tracing::debug!(%error, "the first handshake will take longer");
        }
    });
}

fn provider() -> CryptoProvider {
    let suites = if has_aes_instructions() { AES_FIRST } else { CHACHA_FIRST };
    CryptoProvider { cipher_suites: suites.to_vec(), ..default_provider() }
}

fn proven_peer(state: &CommonState) -> io::Result<PeerId> {
    let Some([certificate]) = state.peer_certificates() else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the peer gave no certificate"));
    };
    let certificate = certificate::parse(certificate)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(certificate.peer_id())
}

/// Checks what the specification asks of a certificate: exactly one,
/// self-signed, within its time, with an extension in which the peer's own
/// key vouches for the certificate's key. Which peer it is, is compared by
/// the swarm, which knows whom it dialled.
#[derive(Debug)]
struct Verifier;

fn check_chain(
    certificate: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
) -> Result<(), rustls::Error> {
    if !others.is_empty() {
        return Err(CertificateError::ApplicationVerificationFailure.into());
    }
    certificate::parse(certificate)?;
    Ok(())
}

fn check_signature(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    certificate::parse(certificate)?.verify_signature(
        signed.scheme,
        message,
        signed.signature(),
    )?;
    Ok(HandshakeSignatureValid::assertion())
}

fn schemes() -> Vec<SignatureScheme> {
    vec![
        SignatureScheme::ED25519,
        SignatureScheme::ECDSA_NISTP256_SHA256,
        SignatureScheme::ECDSA_NISTP384_SHA384,
        SignatureScheme::RSA_PSS_SHA256,
        SignatureScheme::RSA_PSS_SHA384,
        SignatureScheme::RSA_PSS_SHA512,
        SignatureScheme::RSA_PKCS1_SHA256,
        SignatureScheme::RSA_PKCS1_SHA384,
        SignatureScheme::RSA_PKCS1_SHA512,
    ]
}

/// TLS 1.2 is never offered, so its signatures never come.
fn no_tls12() -> rustls::Error {
    PeerIncompatible::Tls13RequiredForQuic.into()
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        check_chain(certificate, others).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        check_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes()
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        check_chain(certificate, others).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        check_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_util::compat::TokioAsyncReadCompatExt;

    #[tokio::test]
    async fn both_ends_learn_who_the_other_is() {
        for (ours, theirs) in [
            (Keypair::generate_ed25519(), Keypair::generate_ed25519()),
            (Keypair::generate_secp256k1(), Keypair::generate_ed25519()),
        ] {
            let (near, far) = tokio::io::duplex(64 * 1024);
            let dialler = Config::new(&ours).unwrap();
            let listener = Config::new(&theirs).unwrap();
            let (near, far) =
                futures::join!(dialler.connect(near.compat()), listener.accept(far.compat()));
            let (seen_by_dialler, stream) = near.unwrap();
            assert_eq!(seen_by_dialler, theirs.public().to_peer_id());
            assert_eq!(far.unwrap().0, ours.public().to_peer_id());
            let suite = stream.get_ref().1.negotiated_cipher_suite().unwrap().suite();
            let aes = rustls::CipherSuite::TLS13_AES_128_GCM_SHA256;
            assert_eq!(suite == aes, has_aes_instructions());
        }
    }

    #[test]
    fn a_chain_of_two_certificates_is_refused() {
        let (one, _) = certificate::generate(&Keypair::generate_ed25519()).unwrap();
        assert!(check_chain(&one, &[]).is_ok());
        assert!(check_chain(&one, std::slice::from_ref(&one)).is_err());
    }

    /// Some bytes may be written in two ways; none may make another peer.
    #[test]
    fn a_certificate_that_was_changed_proves_no_other_peer() {
        let identity = Keypair::generate_ed25519();
        let peer = identity.public().to_peer_id();
        let (original, _) = certificate::generate(&identity).unwrap();
        for index in 0..original.len() {
            let mut bytes = original.to_vec();
            bytes[index] ^= 1;
            let changed = CertificateDer::from(bytes);
            if let Ok(parsed) = certificate::parse(&changed) {
                assert_eq!(parsed.peer_id(), peer, "byte {index}");
            }
        }
    }
}
