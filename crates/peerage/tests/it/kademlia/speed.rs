//! Finding in a network of more peers than one knows. The benchmark `find`
//! measures how long it takes, and the simulator in `sim/` what holds while peers
//! come and go.

#[path = "../../../benches/find/network.rs"]
mod network;

use network::Network;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_found_among_real_nodes() {
    let network = Network::new(24).await.unwrap();
    let times = network.look_ups(30).await;
    let found = times.iter().flatten().count();
    assert_eq!(found, times.len());
}
