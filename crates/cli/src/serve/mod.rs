//! The `serve` command: a server in the foreground, until a signal ends it.

mod audit;
mod printer;
mod tokens;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use spilltrail_app::{CancellationToken, DataFolder, Journal, Server};
use spilltrail_server::hec::{Collector, Options as HecOptions, WalInbox};
use spilltrail_server::tls::{TlsWire, own_certificate};
use spilltrail_server::{Metrics, Plain, ServeOptions as ConnectionOptions};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::arguments::{Listen, ServeOptions};
use crate::report::{self, Detail};
use crate::{content, status};
use audit::JournalAudit;
use printer::Printer;

/// Where senders of events connect, as in Splunk.
const HEC: &str = "127.0.0.1:8088";

pub(crate) async fn run(options: ServeOptions, cancel: CancellationToken) -> Result<ExitCode> {
    let serve = options.serve()?;
    let folder = DataFolder::new(&serve.data);
    let hec = address(options.hec, HEC)?;
    if options.check_config {
        return check(&options);
    }
    let server = Server::open(serve, Arc::new(Printer), cancel.clone()).await?;
    let loaded = server.content().get();
    report::content(&loaded.problems, Detail::Counted);
    let metrics = Arc::new(Metrics::new());
    let mut edges = JoinSet::new();
    if let Some(address) = hec {
        let tokens = crate::token::read(&folder.tokens())?;
        if tokens.list().is_empty() {
            report::line(format_args!(
                "note: no sender can connect yet; `spilltrail token add NAME --data {}` makes a token",
                folder.path().display()
            ));
        }
        let audit = Arc::new(JournalAudit(Journal::new(server.wal())));
        let inbox = Arc::new(WalInbox::new(server.wal()));
        let collector =
            Collector::new(inbox, tokens, audit, metrics.clone(), HecOptions::new(micros));
        let (router, patience) = (collector.router(), ConnectionOptions::default());
        let listener = listen(address, "hec").await?;
        let wire = wire(&options, &folder, address)?;
        let scheme = if wire.is_some() { "https" } else { "http" };
        let local = listener.local_addr().unwrap_or(address);
        report::line(format_args!("note: events are taken at {scheme}://{local}"));
        edges.spawn(tokens::follow(folder.tokens(), collector.clone(), cancel.clone()));
        let stop = {
            let (cancel, collector) = (cancel.clone(), collector);
            async move {
                cancel.cancelled().await;
                collector.shut_down();
            }
        };
        edges.spawn(async move {
            match wire {
                Some(wire) => {
                    spilltrail_server::serve(listener, wire, router, patience, stop).await;
                }
                None => spilltrail_server::serve(listener, Plain, router, patience, stop).await,
            }
        });
    }
    let outcome = server.run().await;
    // What senders have been promised is stored before the program ends.
    cancel.cancel();
    while edges.join_next().await.is_some() {}
    outcome?;
    report::line(format_args!("note: the server has stopped"));
    Ok(status::of_content(&loaded))
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

/// Returns what encrypts connections; `None` on an address that only this machine reaches, unless a
/// certificate is named.
fn wire(
    options: &ServeOptions,
    folder: &DataFolder,
    address: SocketAddr,
) -> Result<Option<TlsWire>> {
    let named = (&options.file.tls_certificate, &options.file.tls_key);
    Ok(match named {
        (Some(certificate), Some(key)) => Some(TlsWire::new(certificate, key)?),
        (Some(_), None) => bail!("`tls_certificate` needs `tls_key`, the file with its key"),
        (None, Some(_)) => {
            bail!("`tls_key` needs `tls_certificate`, the file with its certificate")
        }
        (None, None) if address.ip().is_loopback() => None,
        (None, None) => {
            let mut names = options.file.host_names.clone();
            names.push("localhost".to_owned());
            if !address.ip().is_unspecified() {
                names.push(address.ip().to_string());
            }
            let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
            let own = own_certificate(&folder.path().join("tls"), &names, now)?;
            report::line(format_args!(
                "note: connections are encrypted with a certificate of this server's own; clients \
                 that check it need {}",
                own.public.display()
            ));
            Some(TlsWire::new(&own.pair, &own.pair)?)
        }
    })
}

/// Tells what would run, and what is wrong.
fn check(options: &ServeOptions) -> Result<ExitCode> {
    let content = content::load_for(&options.content, Detail::Full)?;
    let plan = spilltrail_app::schedules_of(&content, &options.serve()?)?;
    for (name, reason) in &plan.left_out {
        report::line(format_args!("note: {name} does not run: {reason}"));
    }
    report::line(format_args!(
        "note: {} would run on schedules",
        report::counted(plan.scheduled as u64, "detection")
    ));
    Ok(status::of_content(&content))
}

fn micros() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}
