//! What holds after any history of shares: each network has as many places as
//! it has holders and never more than it may, and nothing is kept of the others.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const MOST: u32 = 3;

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter { holder: u8, from: IpAddr },
    Leave { holder: u8 },
}

/// Addresses of few networks; some of one network in different guises.
fn from() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0..3_u8).prop_map(|host| IpAddr::from([192, 0, 2, host])),
        (0..3_u16).prop_map(|host| IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0200 + host])),
        (0..3_u16, any::<u16>()).prop_map(|(net, host)| IpAddr::from([
            0x2001,
            0xdb8,
            0,
            net << 8,
            0,
            0,
            0,
            host
        ])),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..20_u8, from()).prop_map(|(holder, from)| Step::Enter { holder, from }),
        1 => (0..20_u8).prop_map(|holder| Step::Leave { holder }),
    ]
}

/// Who is where; nothing else.
type Model = BTreeMap<u8, Network>;

fn held(model: &Model, network: Network) -> usize {
    model.values().filter(|held| **held == network).count()
}

fn take(shares: &mut Shares<u8>, model: &mut Model, step: Step) {
    match step {
        Step::Enter { holder, from } => {
            let network = Network::of(from);
            let room = held(model, network) < MOST as usize;
            assert_eq!(shares.enter(holder, from, MOST), room);
            if room {
                model.insert(holder, network);
            }
        }
        Step::Leave { holder } => {
            shares.leave(&holder);
            model.remove(&holder);
        }
    }
}

proptest! {
    #[test]
    fn any_history_counts_who_is_there(steps in prop::collection::vec(step(), 1..100)) {
        let (mut shares, mut model) = (Shares::default(), Model::new());
        for step in steps {
            take(&mut shares, &mut model, step);
            prop_assert_eq!(shares.len(), model.len());
            let networks: HashMap<Network, u32> =
                model.values().map(|network| (*network, u32::try_from(held(&model, *network)).unwrap())).collect();
            prop_assert_eq!(&shares.networks, &networks);
        }
        let holders: Vec<u8> = model.into_keys().collect();
        holders.iter().for_each(|holder| shares.leave(holder));
        prop_assert!(shares.holders.is_empty() && shares.networks.is_empty());
    }
}
