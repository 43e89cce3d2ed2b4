//! Serving a router on a listener, with limits on connections.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Extensions, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;

use crate::places::Places;

/// The most bytes of the head of a request, and of what is read of a body at once.
const BUFFER: usize = 64 << 10;

/// For how long no connection is accepted after that failed, as it does without free descriptors.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// The address of the client, as an extension of a request. [`serve`] adds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub SocketAddr);

impl ClientAddress {
    /// Returns the address of the client of a request, if it came over a network. One of IPv4 is always in
    /// the form of IPv4, also if it came to a listener of IPv6: an address has one name.
    pub(crate) fn of(extensions: &Extensions) -> Option<IpAddr> {
        extensions.get::<Self>().map(|address| address.0.ip().to_canonical())
    }
}

/// What is between TCP and HTTP: nothing, as in [`Plain`], or TLS, as in [`crate::tls::TlsWire`].
pub trait Wire: Send + Sync + 'static {
    /// The stream of requests.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Opens a stream over a connection. Other connections do not wait for it.
    fn open(&self, tcp: TcpStream) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Requests as they are, without encryption.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plain;

impl Wire for Plain {
    type Stream = TcpStream;

    async fn open(&self, tcp: TcpStream) -> io::Result<TcpStream> {
        Ok(tcp)
    }
}

/// How connections are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServeOptions {
    /// The most connections; others wait in the queue of the listener.
    pub max_connections: usize,
    /// The most connections of one address; more of them are closed at once.
    pub max_of_address: usize,
    /// For how long TLS may take to begin, and for how long the head of a request is waited for: on a
    /// connection that is used again, from the end of the answer before. So it ends idle connections, too.
    ///
    /// The limits of bodies are those of the collector and of the API.
    pub head_patience: Duration,
    /// For how long a client may read nothing of its answer. After that, the connection ends.
    pub write_patience: Duration,
    /// For how long requests may go on after the server is told to stop.
    pub stop_patience: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            // Behind a proxy, all have one address.
            max_of_address: 768,
            head_patience: Duration::from_secs(15),
            write_patience: Duration::from_mins(1),
            stop_patience: Duration::from_secs(10),
        }
    }
}

/// Serves until `stop` is ready; then accepts no more, and ends when the requests under way have ended or
/// their time is over.
///
/// Requests have the [`ClientAddress`] as an extension. A connection that fails ends alone.
pub async fn serve(
    listener: TcpListener,
    wire: impl Wire,
    router: Router,
    options: ServeOptions,
    stop: impl Future<Output = ()>,
) {
    let wire = Arc::new(wire);
    let places = Arc::new(Semaphore::new(options.max_connections.min(Semaphore::MAX_PERMITS)));
    let addresses = Arc::new(Places::default());
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await;
            let place = place.expect("nobody closes the semaphore");
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            () = &mut stop => break,
            // What ended gives its memory back.
            Some(_) = connections.join_next() => continue,
            accepted = accepted => accepted,
        };
        let (tcp, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                log::warn!("a connection cannot be accepted: {error}");
                sleep(AFTER_FAILURE).await;
                continue;
            }
        };
        let Some(of_address) = addresses.take(address.ip(), options.max_of_address) else {
            log::debug!("{address}: the address has too many connections");
            continue;
        };
        let (wire, router, watcher) = (wire.clone(), router.clone(), graceful.watcher());
        connections.spawn(async move {
            let _places = (place, of_address);
            // Answers are short, and must not wait for more to send.
            if let Err(error) = tcp.set_nodelay(true) {
                log::debug!("{address}: {error}");
            }
            let stream = match timeout(options.head_patience, wire.open(tcp)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => return log::debug!("{address}: {error}"),
                Err(_) => return log::debug!("{address}: the connection was not opened in time"),
            };
            let inner = TowerToHyperService::new(router);
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(options.write_patience));
            let service = service_fn(move |request: Request<Incoming>| {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(ClientAddress(address));
                inner.call(request)
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(options.head_patience)
                .max_buf_size(BUFFER)
                // Simple clients end their side when they have sent all, and wait for the answer.
                .half_close(true)
                .serve_connection(TokioIo::new(Box::pin(stream)), service);
            if let Err(error) = watcher.watch(connection).await {
                log::debug!("{address}: {error}");
            }
        });
    }
    drop(listener);
    if timeout(options.stop_patience, graceful.shutdown()).await.is_err() {
        log::warn!("requests were still under way when the server stopped");
    }
    connections.shutdown().await;
}
