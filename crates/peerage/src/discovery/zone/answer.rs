//! A question's bytes in, the answer's bytes out.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::limits::{
    MAX_DNS_UDP_BYTES, MAX_ZONE_ADDRESSES_PER_PEER, MAX_ZONE_PEERS, ZONE_QUESTION_BURST,
    ZONE_QUESTIONS_PER_SECOND, ZONE_SNAPSHOT_SECONDS,
};
use hickory_proto::op::{
    Edns, Header, Message, MessageType, Metadata, OpCode, Query, ResponseCode,
};
use hickory_proto::rr::rdata::{A, AAAA, NS, SOA, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use peerage_core::discovery::zone::{Place, ip_addresses, on_turn, texts};
use peerage_core::discovery::{RateLimit, Scope, SignedPeerRecord};

use super::{LivePeers, ZoneConfig, ZoneError, ZoneStatus};
use crate::sync::lock;

/// The largest answer to a resolver that does not say what it takes (RFC 1035).
const PLAIN_BYTES: usize = 512;

/// The largest answer over TCP; what is answered stays far below.
const TCP_BYTES: usize = 16 * 1024;

/// For how many seconds resolvers may keep that there is nothing: a peer that
/// has just come is found soon.
const NEGATIVE_TTL: u32 = 10;

/// The times of the SOA record, for secondary servers, of which there are none.
const REFRESH: i32 = 3600;
const RETRY: i32 = 600;
const EXPIRE: i32 = 86_400;

/// What a question came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    Udp,
    Tcp,
}

/// Everything that answers are made from.
pub(super) struct Answers {
    zone: Name,
    name_servers: Vec<Name>,
    ttl: u32,
    scope: Scope,
    peers: Arc<dyn LivePeers>,
    /// The live peers, and when that was.
    snapshot: Mutex<Option<(Instant, Arc<Vec<SignedPeerRecord>>)>>,
    rate: Mutex<RateLimit>,
    turn: AtomicU64,
    started: Instant,
    questions: AtomicU64,
    rate_limited: AtomicU64,
    refused: AtomicU64,
}

/// What a name has for a type.
struct Found {
    records: Vec<RData>,
    code: ResponseCode,
    /// Whether a part of the records would mislead, so that whoever asks
    /// should ask again over TCP.
    whole: bool,
}

impl Answers {
    pub(super) fn new(config: &ZoneConfig, peers: Arc<dyn LivePeers>) -> Result<Self, ZoneError> {
        let name_servers: Result<Vec<Name>, ZoneError> =
            config.name_servers.iter().map(|text| name(text)).collect();
        let name_servers = name_servers?;
        if name_servers.is_empty() {
            return Err(ZoneError::NoNameServer);
        }
        Ok(Self {
            zone: name(&config.zone)?,
            name_servers,
            ttl: u32::try_from(config.ttl.as_secs()).unwrap_or(u32::MAX),
            scope: config.scope,
            peers,
            snapshot: Mutex::new(None),
            rate: Mutex::new(RateLimit::new(ZONE_QUESTIONS_PER_SECOND, ZONE_QUESTION_BURST)),
            turn: AtomicU64::new(0),
            started: Instant::now(),
            questions: AtomicU64::new(0),
            rate_limited: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        })
    }

    /// What was asked so far.
    pub(super) fn status(&self) -> ZoneStatus {
        ZoneStatus {
            questions: self.questions.load(Ordering::Relaxed),
            rate_limited: self.rate_limited.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    /// The answer, or `None` for what is no question.
    pub(super) fn answer(&self, bytes: &[u8], source: IpAddr, carrier: Carrier) -> Option<Vec<u8>> {
        let header = Header::read(&mut BinDecoder::new(bytes)).ok()?;
        if header.metadata.message_type != MessageType::Query {
            return None;
        }
        let Ok(request) = Message::from_vec(bytes) else {
            return refusal(&header.metadata, ResponseCode::FormErr).to_vec().ok();
        };
        let mut response = refusal(&request.metadata, ResponseCode::NoError);
        let mut limit = if carrier == Carrier::Tcp { TCP_BYTES } else { PLAIN_BYTES };
        if let Some(edns) = &request.edns {
            let mut ours = Edns::new();
            ours.set_max_payload(u16::try_from(MAX_DNS_UDP_BYTES).unwrap_or(u16::MAX));
            response.set_edns(ours);
            limit = limit.max(usize::from(edns.max_payload()).min(MAX_DNS_UDP_BYTES));
        }
        let allowed = lock(&self.rate).allow(source, self.started.elapsed());
        self.questions.fetch_add(1, Ordering::Relaxed);
        self.rate_limited.fetch_add(u64::from(!allowed), Ordering::Relaxed);
        match self.fault(&request, allowed, carrier) {
            Err(code) => {
                self.refused.fetch_add(u64::from(allowed), Ordering::Relaxed);
                response.metadata.response_code = code;
            }
            Ok(query) => {
                response.add_query(query.clone());
                match allowed {
                    true => self.fill(&mut response, query, limit),
                    // A resolver asks again over TCP; a forged source cannot.
                    false => response.metadata.truncation = true,
                }
            }
        }
        response.to_vec().ok()
    }

    /// The question, if it is one for this zone.
    fn fault<'a>(
        &self,
        request: &'a Message,
        allowed: bool,
        carrier: Carrier,
    ) -> Result<&'a Query, ResponseCode> {
        if request.metadata.op_code != OpCode::Query {
            return Err(ResponseCode::NotImp);
        }
        if request.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
            return Err(ResponseCode::BADVERS);
        }
        let [query] = &request.queries[..] else { return Err(ResponseCode::FormErr) };
        let transfer = matches!(query.query_type(), RecordType::AXFR | RecordType::IXFR);
        let ours = query.query_class() == DNSClass::IN && self.zone.zone_of(query.name());
        if !ours || transfer || (!allowed && carrier == Carrier::Tcp) {
            return Err(ResponseCode::Refused);
        }
        Ok(query)
    }

    /// Adds what was asked for, as much as fits.
    fn fill(&self, response: &mut Message, query: &Query, limit: usize) {
        let found = self.find(query);
        response.metadata.authoritative = true;
        response.metadata.response_code = found.code;
        if found.records.is_empty() {
            let mut soa = Record::from_rdata(self.zone.clone(), NEGATIVE_TTL, self.soa());
            soa.ttl = NEGATIVE_TTL.min(self.ttl);
            response.add_authority(soa);
            return;
        }
        let name = query.name();
        let records = found.records.into_iter();
        response.add_answers(records.map(|data| Record::from_rdata(name.clone(), self.ttl, data)));
        let all = response.answers.len();
        while response.to_vec().is_ok_and(|bytes| bytes.len() > limit) {
            if response.answers.pop().is_none() {
                break;
            }
        }
        let kept = response.answers.len();
        response.metadata.truncation = kept < all && (found.whole || kept == 0);
    }

    fn find(&self, query: &Query) -> Found {
        let count = usize::from(query.name().num_labels() - self.zone.num_labels());
        let labels: Vec<&[u8]> = query.name().iter().take(count).collect();
        let kind = query.query_type();
        match Place::of(&labels) {
            Place::Apex => Found::some(self.apex(kind)),
            Place::List if is_text(kind) => Found::some(self.list()),
            Place::List => Found::some(Vec::new()),
            Place::Peer(peer) => match self.peers.record(&peer) {
                Some(record) if is_text(kind) => {
                    let all = texts(&record, self.scope).into_iter().map(text).collect();
                    Found { whole: true, ..Found::some(all) }
                }
                Some(_) => Found::some(Vec::new()),
                None => Found::nowhere(),
            },
            Place::Above(peer) if self.peers.record(&peer).is_some() => Found::some(Vec::new()),
            Place::Above(_) | Place::Nowhere => Found::nowhere(),
        }
    }

    fn apex(&self, kind: RecordType) -> Vec<RData> {
        match kind {
            // One kind is enough of an answer for `ANY` (RFC 8482).
            RecordType::SOA | RecordType::ANY => vec![self.soa()],
            RecordType::NS => {
                self.name_servers.iter().map(|name| RData::NS(NS(name.clone()))).collect()
            }
            RecordType::A => self.hosts(|ip| match ip {
                IpAddr::V4(ip) => Some(RData::A(A(ip))),
                IpAddr::V6(_) => None,
            }),
            RecordType::AAAA => self.hosts(|ip| match ip {
                IpAddr::V4(_) => None,
                IpAddr::V6(ip) => Some(RData::AAAA(AAAA(ip))),
            }),
            _ => Vec::new(),
        }
    }

    fn soa(&self) -> RData {
        let host = self.name_servers[0].clone();
        let mailbox =
            Name::from_ascii("hostmaster").and_then(|name| name.append_domain(&self.zone));
        let mailbox = mailbox.unwrap_or_else(|_| self.zone.clone());
        RData::SOA(SOA::new(host, mailbox, 1, REFRESH, RETRY, EXPIRE, NEGATIVE_TTL))
    }

    fn list(&self) -> Vec<RData> {
        let mut data = Vec::new();
        let live = self.live();
        for record in on_turn(&live, self.next_turn(), MAX_ZONE_PEERS) {
            let texts = texts(record, self.scope).into_iter();
            data.extend(texts.take(MAX_ZONE_ADDRESSES_PER_PEER).map(text));
        }
        data
    }

    fn hosts(&self, data: impl Fn(IpAddr) -> Option<RData>) -> Vec<RData> {
        let live = self.live();
        let mut hosts: Vec<IpAddr> = live.iter().flat_map(ip_addresses).collect();
        hosts.sort_unstable();
        hosts.dedup();
        let data: Vec<RData> = hosts.into_iter().filter_map(data).collect();
        on_turn(&data, self.next_turn(), MAX_ZONE_PEERS).cloned().collect()
    }

    fn next_turn(&self) -> u64 {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    /// The live peers of some seconds ago at most.
    fn live(&self) -> Arc<Vec<SignedPeerRecord>> {
        let mut snapshot = lock(&self.snapshot);
        let fresh = Duration::from_secs(ZONE_SNAPSHOT_SECONDS);
        match &*snapshot {
            Some((taken, live)) if taken.elapsed() < fresh => live.clone(),
            _ => {
                let mut live = self.peers.live();
                live.sort_unstable_by_key(SignedPeerRecord::peer);
                let live = Arc::new(live);
                *snapshot = Some((Instant::now(), live.clone()));
                live
            }
        }
    }
}

impl Found {
    /// Some records of a name that exists; none of the type, if empty.
    fn some(records: Vec<RData>) -> Self {
        Self { records, code: ResponseCode::NoError, whole: false }
    }

    fn nowhere() -> Self {
        Self { code: ResponseCode::NXDomain, ..Self::some(Vec::new()) }
    }
}

fn is_text(kind: RecordType) -> bool {
    matches!(kind, RecordType::TXT | RecordType::ANY)
}

fn text(text: String) -> RData {
    RData::TXT(TXT::new(vec![text]))
}

fn refusal(request: &Metadata, code: ResponseCode) -> Message {
    let mut response = Message::response(request.id, request.op_code);
    response.metadata.recursion_desired = request.recursion_desired;
    response.metadata.response_code = code;
    response
}

fn name(text: &str) -> Result<Name, ZoneError> {
    let wrong = || ZoneError::Name(text.to_owned());
    let mut name = Name::from_ascii(text).map_err(|_| wrong())?;
    if name.num_labels() == 0 || !text.is_ascii() {
        return Err(wrong());
    }
    name.set_fqdn(true);
    Ok(name)
}
