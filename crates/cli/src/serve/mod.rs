//! The `serve` command: a server in the foreground, until a signal ends it.

mod audit;
mod check;
mod health;
mod printer;
mod searches;
mod tls;
mod tokens;
mod traced;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use spilltrail_app::{CancellationToken, DataFolder, Journal, Server};
use spilltrail_server::Router;
use spilltrail_server::api::{AccessOptions, Api, ApiParts, ApiToken, JobOptions, Readers};
use spilltrail_server::hec::{Collector, Options as HecOptions, WalInbox};
use spilltrail_server::{Metrics, Plain, ServeOptions as ConnectionOptions};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::arguments::{Listen, ServeOptions};
use crate::report::{self, Detail};
use crate::status;
use audit::JournalAudit;
use health::Health;
use printer::Printer;
use searches::ServedLake;
use tls::Certificate;
use traced::Traced;

/// Where senders of events connect, as in Splunk.
const HEC: &str = "127.0.0.1:8088";
/// Where the API answers, as in Splunk.
const API: &str = "127.0.0.1:8089";

pub(crate) async fn run(options: ServeOptions, cancel: CancellationToken) -> Result<ExitCode> {
    let mut serve = options.serve()?;
    let folder = DataFolder::new(&serve.data);
    let of_tokens = tokens::sourcetypes(&crate::token::read(&folder.tokens())?);
    serve.sourcetypes.extend(of_tokens.iter().cloned());
    let (hec, api) = (address(options.hec, HEC)?, address(options.api, API)?);
    let mut mistakes = check::mistakes_of_inputs(&serve.inputs);
    mistakes.extend(check::mistakes_of_outputs(&serve.outputs).await?);
    if hec.is_some_and(|hec| api == Some(hec) && hec.port() != 0) {
        mistakes.push(
            "`hec` and `api` have the same address; give one of them another port".to_owned(),
        );
    }
    if options.check_config {
        return check::run(&options, &serve, mistakes).await;
    }
    if let Some(mistake) = mistakes.into_iter().next() {
        bail!(mistake);
    }
    let metrics = Arc::new(Metrics::new());
    let health =
        Arc::new(Health::new(metrics.clone(), Arc::new(Traced(Arc::new(Printer::default())))));
    let (zone, geoip) = (serve.zone.clone(), serve.geoip.clone());
    let (memory_limit, threads) = (serve.memory_limit, serve.threads);
    let offered = serve.offered_sourcetypes();
    let is_first = !folder.store().is_file();
    let data = serve.data.display().to_string();
    let configured = serve.clone();
    let server = Server::open(serve, health.clone(), cancel.clone()).await?;
    if is_first {
        report::line(format_args!(
            "note: detections look at what happens from now on; `spilltrail hunt --lake {data}` looks at all \
             that was before"
        ));
    }
    let loaded = server.content().get();
    report::content(&loaded.problems, Detail::Counted);
    check::doubt(&loaded, &configured);
    let audit = Arc::new(JournalAudit::new(Journal::new(server.wal()), health.clone()));
    let addresses: Vec<SocketAddr> = [hec, api].into_iter().flatten().collect();
    let certificate = Certificate::of(&options.file, &folder, &addresses)?;
    let mut edges = Edges { tasks: JoinSet::new(), certificate, cancel };
    if let Some(certificate) = edges.certificate.clone() {
        edges.tasks.spawn(certificate.follow(health.clone(), edges.cancel.clone()));
    }
    if let Some(address) = hec {
        let tokens = crate::token::read(&folder.tokens())?;
        if tokens.list().is_empty() {
            report::line(format_args!(
                "note: no sender can connect yet; `spilltrail token add NAME --data {}` makes a token",
                folder.path().display()
            ));
        }
        let inbox = Arc::new(WalInbox::new(server.wal()));
        health.watch(inbox.clone());
        let collector =
            Collector::new(inbox, tokens, audit.clone(), metrics.clone(), HecOptions::new(micros));
        let follower = tokens::follow(
            folder.tokens(),
            collector.clone(),
            offered,
            health.clone(),
            edges.cancel.clone(),
        );
        edges.tasks.spawn(follower);
        let router = collector.router();
        let stop = move || collector.shut_down();
        edges.serve(address, ("hec", "events are taken"), router, stop).await?;
    }
    if let Some(address) = api {
        let token = ApiToken::open(&folder.path().join("api-token"))?;
        if let Some(made) = &token.made {
            report::line(format_args!(
                "note: the token of the API is {made}; it is not shown again. A client puts it in \
                 the header `Authorization: Bearer …`"
            ));
        }
        let lake = Arc::new(ServedLake {
            folder: folder.clone(),
            content: server.content(),
            zone,
            geoip,
            memory_limit,
            threads,
            runtime: tokio::runtime::Handle::current(),
        });
        let hosts = options.file.host_names.clone();
        let api = Api::new(ApiParts {
            access: AccessOptions { hosts, ..AccessOptions::new(token.hash) },
            audit,
            metrics,
            readiness: health,
            readers: Readers::new(folder.store()),
            indexes: lake.clone(),
            searches: lake,
            jobs: JobOptions::default(),
            clock: micros,
        });
        let router = api.router();
        let stop = move || api.shut_down();
        edges.serve(address, ("api", "the API answers"), router, stop).await?;
    }
    let Edges { mut tasks, cancel, .. } = edges;
    let outcome = server.run().await;
    // What senders have been promised is stored before the program ends.
    cancel.cancel();
    while tasks.join_next().await.is_some() {}
    outcome?;
    report::line(format_args!("note: the server has stopped"));
    Ok(status::of_content(&loaded))
}

/// What is reached over the network.
struct Edges {
    tasks: JoinSet<()>,
    certificate: Option<Certificate>,
    cancel: CancellationToken,
}

impl Edges {
    /// Serves a router until the server stops. `stop` is called before connections are closed.
    async fn serve(
        &mut self,
        address: SocketAddr,
        (flag, what): (&str, &str),
        router: Router,
        stop: impl FnOnce() + Send + 'static,
    ) -> Result<()> {
        let listener = listen(address, flag).await?;
        let certificate = self.certificate.as_ref();
        let wire = certificate.and_then(|certificate| certificate.wire_of(address));
        let scheme = if wire.is_some() { "https" } else { "http" };
        let local = listener.local_addr().unwrap_or(address);
        report::line(format_args!("note: {what} at {scheme}://{local}"));
        let cancel = self.cancel.clone();
        let stop = async move {
            cancel.cancelled().await;
            stop();
        };
        let patience = ConnectionOptions::default();
        self.tasks.spawn(async move {
            match wire {
                Some(wire) => {
                    spilltrail_server::serve(listener, wire, router, patience, stop).await;
                }
                None => spilltrail_server::serve(listener, Plain, router, patience, stop).await,
            }
        });
        Ok(())
    }
}

/// Returns the address to listen on; `None` for none.
fn address(listen: Option<Listen>, default: &str) -> Result<Option<SocketAddr>> {
    match listen {
        Some(Listen::Off) => Ok(None),
        Some(Listen::On(address)) => Ok(Some(address)),
        None => Ok(Some(default.parse().context("the default address cannot be read")?)),
    }
}

async fn listen(address: SocketAddr, flag: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; `--{flag}` names another address, or `off`")
    })
}

fn micros() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}
