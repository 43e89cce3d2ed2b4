//! Addresses of services.

use std::net::IpAddr;

use url::{Host, Url};

use crate::output::Mistake;

/// Which schemes an address can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// `https`, or `http` to this machine.
    Encrypted,
    /// `https` or `http`.
    Any,
}

/// Reads the address of a service. The error says what is expected, and does not repeat the address,
/// which can be a secret.
pub(crate) fn parse(text: &str, scheme: Scheme) -> Result<Url, &'static str> {
    let expected = match scheme {
        Scheme::Encrypted => "an address that begins with `https://`",
        Scheme::Any => "an address that begins with `https://` or `http://`",
    };
    let url = Url::parse(text).map_err(|_| expected)?;
    let host = url.host_str().ok_or(expected)?;
    let is_allowed = match url.scheme() {
        "https" => true,
        "http" => scheme == Scheme::Any || is_this_machine(host),
        _ => false,
    };
    if !is_allowed {
        return Err(expected);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address without a user and a password");
    }
    Ok(url)
}

/// Returns how a service is called in messages: its host and port, never the path or query, which can
/// be secrets.
pub(crate) fn peer(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Returns true if a server is this machine, so that nothing can listen in between.
pub(crate) fn is_this_machine(server: &str) -> bool {
    server.eq_ignore_ascii_case("localhost")
        || host(server).parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Returns the host without the brackets of an IPv6 address.
pub(crate) fn host(server: &str) -> &str {
    server.strip_prefix('[').and_then(|server| server.strip_suffix(']')).unwrap_or(server)
}

/// Fails unless a server is a name or an IP address, and the port is one.
pub(crate) fn check_server(server: &str, port: Option<u16>) -> Result<(), Mistake> {
    let is_address = host(server).parse::<IpAddr>().is_ok();
    let is_name = matches!(Host::parse(server), Ok(Host::Domain(_)));
    if !is_address && !is_name {
        let expected = "the name or IP address of a server";
        let help = "give the server without a scheme and a port; `port` has the port";
        return Err(Mistake::of_key("server", expected, help));
    }
    if port == Some(0) {
        let help = "remove `port` for the usual one";
        return Err(Mistake::of_key("port", "a number from 1 to 65535", help));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, encrypted, any) in [
            ("https://a.example/p?q=1", true, true),
            ("http://a.example/", false, true),
            ("http://127.0.0.1:80/", true, true),
            ("http://[::1]/", true, true),
            ("http://localhost/", true, true),
            ("http://localhost.a.example/", false, true),
            ("ftp://a.example/", false, false),
            ("file:///etc/passwd", false, false),
            ("https://user:password@a.example/", false, false),
            ("https://", false, false),
            ("a.example", false, false),
            ("", false, false),
        ] {
            assert_eq!(parse(text, Scheme::Encrypted).is_ok(), encrypted, "{text}");
            assert_eq!(parse(text, Scheme::Any).is_ok(), any, "{text}");
        }
    }

    #[test]
    fn peers_have_no_secrets() {
        for (url, expected) in [
            ("https://hooks.example/T1/s3cret?sig=x", "hooks.example"),
            ("http://[::1]:8080/s3cret", "[::1]:8080"),
        ] {
            assert_eq!(peer(&url.parse().unwrap()), expected);
        }
    }

    #[test]
    fn servers() {
        for (server, is_valid) in [
            ("a.example", true),
            ("localhost", true),
            ("10.0.0.1", true),
            ("::1", true),
            ("[::1]", true),
            ("a.example:514", false),
            ("tcp://a.example", false),
            ("a b", false),
            ("", false),
        ] {
            assert_eq!(check_server(server, None).is_ok(), is_valid, "{server}");
        }
        for (server, is_here) in [
            ("localhost", true),
            ("127.0.0.2", true),
            ("::1", true),
            ("[::1]", true),
            ("localhost.example", false),
            ("127.0.0.1.example", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(is_this_machine(server), is_here, "{server}");
        }
    }
}
