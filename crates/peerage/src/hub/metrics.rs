//! What a hub does, as Prometheus reads it: the [OpenMetrics] text format.
//!
//! [OpenMetrics]: https://prometheus.io/docs/specs/om/open_metrics_spec/

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::{HubStatus, Parts, RelayStatus};
use crate::discovery::ZoneStatus;
use crate::discovery::tracker::TrackerStatus;
use crate::topology::kademlia::Refused;

/// The type of the document.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The whole document.
///
/// # Errors
///
/// When something cannot be written as text; nothing of ours is so.
pub(super) fn document(parts: &Parts) -> Result<String, fmt::Error> {
    let mut page = String::new();
    let mut registry = Registry::with_prefix("peerage");
    registry.register_collector(Box::new(Snapshot(parts.status())));
    text::encode(&mut page, &registry)?;
    Ok(page)
}

/// The numbers of one moment.
#[derive(Debug)]
struct Snapshot(HubStatus);

impl Collector for Snapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        let status = &self.0;
        page.gauge("peers", "Connected peers", status.peers)?;
        page.gauge("connections", "Connections with peers", status.connections)?;
        let refused = status.refused_connections;
        page.counters(
            "connections_refused",
            "Connections of others that were refused",
            [("network", refused.per_network), ("other", refused.others)],
        )?;
        status.relay.iter().try_for_each(|relay| page.relay(relay))?;
        page.tracker(&status.tracker)?;
        status.kademlia.iter().try_for_each(|refused| page.kademlia(refused))?;
        status.zone.iter().try_for_each(|zone| page.zone(zone))
    }
}

/// Writes metrics one after the other.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn gauge(&mut self, name: &str, help: &str, value: usize) -> fmt::Result {
        let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
        gauge.encode(self.0.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let counter = ConstCounter::new(value);
        counter.encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?)
    }

    /// One counter for each reason.
    fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (reason, value) in values {
            let labels = [("reason", reason)];
            ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn relay(&mut self, relay: &RelayStatus) -> fmt::Result {
        self.gauge("relay_clients", "Peers connected with the relay", relay.clients)?;
        for (name, help, value) in [
            ("relay_accepted", "Peers that the relay let in", relay.accepted),
            ("relay_refused", "Connections that the relay refused", relay.refused),
            ("relay_received_bytes", "Bytes that peers sent to the relay", relay.bytes_received),
            ("relay_sent_bytes", "Bytes that the relay passed on", relay.bytes_sent),
            ("relay_dropped_packets", "Packets for nobody who is there", relay.packets_dropped),
            ("relay_slowed_bytes", "Bytes that had to wait", relay.bytes_slowed),
            ("relay_slowed_clients", "Peers that had to wait", relay.clients_slowed),
            ("address_questions", "Peers that were told where they are seen", relay.questions),
        ] {
            self.counter(name, help, value)?;
        }
        Ok(())
    }

    fn tracker(&mut self, tracker: &TrackerStatus) -> fmt::Result {
        let registry = &tracker.registry;
        self.gauge("registry_peers", "Peers in the registry", tracker.peers)?;
        self.gauge("registry_size_bytes", "Bytes of the registry", tracker.bytes)?;
        self.counter("registry_accepted", "Announcements accepted", registry.accepted)?;
        let refused = registry.refused.iter().map(|(reason, count)| (reason.label(), *count));
        self.counters("registry_refused", "Announcements refused", refused)?;
        self.counter("registry_expired", "Registrations that ran out", registry.expired)?;
        self.counter("registry_withdrawn", "Registrations taken back", registry.withdrawn)?;
        self.counter("registry_queries", "Questions", registry.queries)?;
        self.counter("registry_handed_out", "Peers handed out", registry.handed_out)?;
        self.counters(
            "tracker_refused",
            "Streams and requests that the tracker did not serve",
            [
                ("streams", tracker.streams_refused),
                ("requests", tracker.too_many_requests),
                ("malformed", tracker.malformed),
                ("slow", tracker.too_slow),
            ],
        )
    }

    fn kademlia(&mut self, refused: &Refused) -> fmt::Result {
        self.counters(
            "kademlia_refused",
            "What was refused in Kademlia",
            [
                ("bad_records", refused.bad_records),
                ("stale_records", refused.stale_records),
                ("crowded_records", refused.crowded_records),
                ("crowded_providers", refused.crowded_providers),
                ("addresses", refused.addresses),
                ("unreachable_peers", refused.unreachable_peers),
                ("crowding_peers", refused.crowding_peers),
            ],
        )
    }

    fn zone(&mut self, zone: &ZoneStatus) -> fmt::Result {
        self.counter("zone_questions", "Questions to the zone", zone.questions)?;
        self.counters(
            "zone_refused",
            "Questions that the zone did not answer",
            [("rate", zone.rate_limited), ("other", zone.refused)],
        )
    }
}
