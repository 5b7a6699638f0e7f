//! How fast a roaming connection sends: BBR, told that pauses are pauses.
//!
//! BBR keeps its speed where packets are lost for other reasons than a full
//! queue. It takes the speed of a connection with little to say for that of the
//! path, unless it is told that the application was what limited it. In
//! [`noq-proto` 1.4] every acknowledgement that ends such a phase forgets it,
//! though nothing else waits to be sent; so of the packets of an idle
//! connection every other one counts as a measurement of the path. After six
//! pings it is taken to carry one packet a round trip, and needs minutes to
//! find out that it carries more. This file may go once that is mended.
//!
//! [`noq-proto` 1.4]: https://github.com/n0-computer/noq/blob/main/noq-proto/src/congestion/bbr3/mod.rs

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use noq_proto::RttEstimator;
use noq_proto::congestion::{Bbr3Config, Controller, ControllerFactory, ControllerMetrics};

/// Makes the controllers of new paths.
#[derive(Debug, Default)]
pub(super) struct Bbr(Arc<Bbr3Config>);

impl ControllerFactory for Bbr {
    fn build(self: Arc<Self>, now: Instant, mtu: u16) -> Box<dyn Controller> {
        Box::new(Patient(Arc::clone(&self.0).build(now, mtu)))
    }
}

/// A controller that is told twice that the application had nothing to send.
#[derive(Debug)]
struct Patient(Box<dyn Controller>);

impl Controller for Patient {
    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_acked: Option<u64>,
    ) {
        self.0.on_end_acks(now, in_flight, app_limited, largest_acked);
        if app_limited {
            // The first time it forgot the phase that has ended; now it notes
            // the one that has begun.
            self.0.on_end_acks(now, in_flight, app_limited, largest_acked);
        }
    }

    fn on_sent(&mut self, now: Instant, bytes: u64, largest: u64) {
        self.0.on_sent(now, bytes, largest);
    }

    fn on_packet_sent(&mut self, now: Instant, bytes: u16, packet: u64) {
        self.0.on_packet_sent(now, bytes, packet);
    }

    fn on_cwnd_limited(&mut self) {
        self.0.on_cwnd_limited();
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        packet: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.0.on_ack(now, sent, bytes, packet, app_limited, rtt);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        persistent: bool,
        ecn: bool,
        lost: u64,
        largest_lost: u64,
    ) {
        self.0.on_congestion_event(now, sent, persistent, ecn, lost, largest_lost);
    }

    fn on_packet_lost(&mut self, bytes: u16, packet: u64, now: Instant) {
        self.0.on_packet_lost(bytes, packet, now);
    }

    fn on_spurious_congestion_event(&mut self) {
        self.0.on_spurious_congestion_event();
    }

    fn on_mtu_update(&mut self, mtu: u16) {
        self.0.on_mtu_update(mtu);
    }

    fn on_ack_frequency_update(&mut self, threshold: u64, delay: std::time::Duration) {
        self.0.on_ack_frequency_update(threshold, delay);
    }

    fn window(&self) -> u64 {
        self.0.window()
    }

    fn metrics(&self) -> ControllerMetrics {
        self.0.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self(self.0.clone_box()))
    }

    fn initial_window(&self) -> u64 {
        self.0.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self.0.into_any()
    }
}

#[cfg(test)]
mod tests {
    use iroh::endpoint::{Connection, QuicTransportConfig, presets};
    use iroh::{Endpoint, RelayMode};

    use super::*;

    const ALPN: &[u8] = b"/test";

    /// Far more than mislead BBR by itself.
    const PINGS: usize = 40;

    async fn endpoint() -> Endpoint {
        let bbr = QuicTransportConfig::builder()
            .congestion_controller_factory(Arc::new(Bbr::default()))
            .build();
        Endpoint::builder(presets::Minimal)
            .alpns(vec![ALPN.to_vec()])
            .relay_mode(RelayMode::Disabled)
            .transport_config(bbr)
            .bind_addr((std::net::Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .bind()
            .await
            .unwrap()
    }

    fn window(connection: &Connection) -> u64 {
        connection.paths().iter().map(|path| path.stats().cwnd).max().unwrap()
    }

    #[tokio::test]
    async fn a_connection_with_little_to_say_stays_ready_for_much() {
        let (asking, answering) = (endpoint().await, endpoint().await);
        let echo = tokio::spawn({
            let answering = answering.clone();
            async move {
                let connection = answering.accept().await.unwrap().await.unwrap();
                let (mut send, mut receive) = connection.accept_bi().await.unwrap();
                let mut byte = [0];
                while receive.read_exact(&mut byte).await.is_ok() {
                    send.write_all(&byte).await.unwrap();
                }
            }
        });
        let connection = asking.connect(answering.addr(), ALPN).await.unwrap();
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        let first = window(&connection);
        for _ in 0..PINGS {
            send.write_all(b"?").await.unwrap();
            receive.read_exact(&mut [0]).await.unwrap();
        }
        assert!(window(&connection) >= first, "{} < {first}", window(&connection));
        drop(send);
        connection.close(0_u32.into(), b"");
        echo.await.unwrap();
    }
}
