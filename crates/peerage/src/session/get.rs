//! Getting what a link or a CID names.

use std::{convert::Infallible, path::PathBuf, time::Duration};

use futures::{StreamExt as _, stream::BoxStream};
use peerage_core::link::{self, Target};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Session, search};
use crate::exchange::download::{
    self, Allowance, Context, GetError, GetEvent, GetRequest, Got, Provider,
};

/// How long a lost provider is tried again.
const PATIENCE: Duration = Duration::from_secs(60);

impl Session {
    /// Gets what a link or a CID names into `directory`.
    ///
    /// A link is got from the peers that it names and those in `extra`, which
    /// are looked for while they cannot be reached; a bare CID from `extra` and
    /// from whoever is found to have it. While it is being got, others find this
    /// peer under its CID too.
    ///
    /// # Errors
    ///
    /// See [`GetError`].
    pub async fn get(
        &self,
        target: &Target,
        directory: PathBuf,
        extra: Vec<Provider>,
        events: mpsc::Sender<GetEvent>,
        stop: CancellationToken,
    ) -> Result<Got, GetError> {
        let name = match target.name() {
            // Whoever made the link chose it, and nobody has looked at it.
            Some(name) => name.clone().unhidden().as_bytes().to_vec(),
            None => target.cid().to_string().into_bytes(),
        };
        let request = GetRequest {
            root: *target.cid(),
            name,
            directory,
            size: target.size(),
            allowance: Allowance::promised(target.size()),
            patience: PATIENCE,
        };
        let named = target.providers().iter().map(|named| self.provider(named));
        let known: Vec<Provider> = named.chain(extra).collect();
        let inner = &self.inner;
        let context = Context {
            node: inner.node.clone(),
            store: inner.store.clone(),
            bitswap: inner.bitswap.clone(),
        };
        let providers = self.providers(target, known.clone());
        let _found_meanwhile = inner.passing.getting(*target.cid());
        tokio::select! {
            got = download::get(context, request, providers, events, stop) => got,
            never = search::keep_finding(&inner.node, &inner.reacher, known) => {
                let never: Infallible = never;
                match never {}
            }
        }
    }

    /// A provider as somebody's link names it: anybody makes links, so it is dialled
    /// where it can be meant for us.
    fn provider(&self, named: &link::Provider) -> Provider {
        let (peer, told) = (named.peer(), named.addresses());
        self.inner.node.add_hints(peer, told);
        Provider { peer, addresses: self.inner.node.worth_dialling(told) }
    }

    fn providers(&self, target: &Target, known: Vec<Provider>) -> BoxStream<'static, Provider> {
        let is_named = matches!(target, Target::Link(_)) && !known.is_empty();
        let known = futures::stream::iter(known);
        if is_named {
            return known.boxed();
        }
        known.chain(search::providers(&self.inner.finder, *target.cid())).boxed()
    }
}
