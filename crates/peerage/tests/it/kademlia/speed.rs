//! Finding in a network of more peers than one knows. The benchmark `find`
//! measures how long it takes in a large one.

#[path = "../../../benches/find/network.rs"]
mod network;

use network::{Kind, Network};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_found_in_a_network_of_forty() {
    let network = Network::new(Kind::Simulated { delay: (0, 5) }, 40).await.unwrap();
    let times = network.look_ups(40).await;
    let found = times.iter().flatten().count();
    assert_eq!(found, times.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_found_among_real_nodes() {
    let network = Network::new(Kind::Real, 16).await.unwrap();
    let times = network.look_ups(30).await;
    let found = times.iter().flatten().count();
    assert_eq!(found, times.len());
}
