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

/// How to get something, where the link does not say it.
///
/// ```
/// use peerage::session::GetOptions;
///
/// let options = GetOptions { max_files: Some(10_000_000), ..GetOptions::default() };
/// assert_eq!(options.max_bytes, None); // what the link promised
/// ```
#[derive(Clone, Debug, Default)]
pub struct GetOptions {
    /// Peers to ask besides those that the link names.
    pub extra: Vec<Provider>,
    /// How many files, folders and links it may become; without a number, as
    /// many as [`Allowance::promised`] says.
    pub max_files: Option<u64>,
    /// How many bytes its files may have together; without a number, what
    /// [`Allowance::promised`] makes of the size that the link says.
    pub max_bytes: Option<u64>,
}

impl GetOptions {
    /// How much content that was said to have `size` bytes may become.
    fn allowance(&self, size: Option<u64>) -> Allowance {
        let promised = Allowance::promised(size);
        let counted = match self.max_files {
            Some(most) => promised.with_entries(most),
            None => promised,
        };
        match self.max_bytes {
            Some(most) => counted.with_bytes(most),
            None => counted,
        }
    }
}

/// How long a lost provider is tried again.
const PATIENCE: Duration = Duration::from_secs(60);

impl Session {
    /// Gets what a link or a CID names into `directory`.
    ///
    /// A link is got from the peers that it names and those in `options`, which
    /// are looked for while they cannot be reached; a bare CID from `options` and
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
        options: GetOptions,
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
            allowance: options.allowance(target.size()),
            patience: PATIENCE,
        };
        let named = target.providers().iter().map(|named| self.provider(named));
        let known: Vec<Provider> = named.chain(options.extra).collect();
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
