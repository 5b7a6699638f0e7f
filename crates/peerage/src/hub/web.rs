//! `/metrics` and `/healthz`, over HTTP/1.1.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::limits::{
    MAX_METRICS_CONNECTIONS, MAX_METRICS_HEADER_BYTES, METRICS_CONNECTION_SECONDS,
};
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Parts, metrics};
use crate::exchange::Hosts;

const LIFETIME: Duration = Duration::from_secs(METRICS_CONNECTION_SECONDS);

/// What to wait after no connection could be accepted, so that a lasting fault
/// does not spin.
const PAUSE: Duration = Duration::from_millis(100);

/// The page of metrics, until it is stopped or dropped.
pub(super) struct MetricsServer {
    address: SocketAddr,
    task: JoinSet<()>,
    stop: CancellationToken,
}

impl MetricsServer {
    /// Binds and begins to answer.
    ///
    /// # Errors
    ///
    /// When the socket cannot be bound.
    pub(super) async fn start(
        place: SocketAddr,
        hosts: Hosts,
        parts: Arc<Parts>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(place).await?;
        let address = listener.local_addr()?;
        let (mut task, stop) = (JoinSet::new(), CancellationToken::new());
        task.spawn(accept(listener, hosts, parts, stop.clone()));
        Ok(Self { address, task, stop })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends, and waits for it: then nobody looks at the hub any more.
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        while self.task.join_next().await.is_some() {}
    }
}

async fn accept(listener: TcpListener, hosts: Hosts, parts: Arc<Parts>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let Ok((stream, _)) = accepted else {
            sleep(PAUSE).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        // Without room it is closed.
        if connections.len() < MAX_METRICS_CONNECTIONS {
            connections.spawn(timeout(LIFETIME, serve(stream, hosts.clone(), Arc::clone(&parts))));
        }
    }
    connections.shutdown().await;
}

async fn serve(stream: TcpStream, hosts: Hosts, parts: Arc<Parts>) {
    let Ok(at) = stream.local_addr() else { return };
    let service = service_fn(|request| {
        let (hosts, parts) = (hosts.clone(), Arc::clone(&parts));
        async move {
            Ok::<_, http::Error>(match hosts.allow(at, &request) {
                true => answer(&request, &parts),
                false => said(StatusCode::MISDIRECTED_REQUEST, "see metrics_hosts in hub.toml"),
            })
        }
    });
    let serving = http1::Builder::new()
        .max_buf_size(MAX_METRICS_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = serving.await {
        tracing::debug!(%error, "a connection for metrics failed");
    }
}

fn answer(request: &Request<Incoming>, parts: &Parts) -> Response<Full<Bytes>> {
    if request.method() != Method::GET {
        return said(StatusCode::METHOD_NOT_ALLOWED, "only GET");
    }
    match request.uri().path() {
        "/metrics" => match metrics::document(parts) {
            Ok(page) => typed(StatusCode::OK, metrics::CONTENT_TYPE, page),
            Err(_) => said(StatusCode::INTERNAL_SERVER_ERROR, "no metrics"),
        },
        // A node that has ended listens nowhere.
        "/healthz" if parts.node.listen_addresses().is_empty() => {
            said(StatusCode::SERVICE_UNAVAILABLE, "the node has ended")
        }
        "/healthz" => said(StatusCode::OK, "ok"),
        _ => said(StatusCode::NOT_FOUND, "there are /metrics and /healthz"),
    }
}

fn said(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    typed(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

fn typed(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(kind));
    answer
}
