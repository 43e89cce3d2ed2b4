//! Who may ask: the token, the host and the origin of a request, and how often it may be tried.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use axum::http::request::Parts;
use axum::http::uri::Authority;

use super::errors::{ApiError, Code};
use super::limits::{Failures, Rate};
use super::operation::Access as Required;
use crate::audit::{Audit, Limited, Part, Refusal, RefusalReason};
use crate::metrics::Metrics;
use crate::secret::TokenHash;
use crate::serve::ClientAddress;

/// Headers by which proxies name the client. A request with one of them does not come from a program of
/// this machine, though its connection does.
const OF_PROXIES: [&str; 5] =
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

/// Who may ask, and how often.
#[derive(Debug, Clone)]
pub struct AccessOptions {
    /// The hash of the token.
    pub token: TokenHash,
    /// The names by which clients reach this server, without ports, beside those of this machine
    /// (`localhost`, and names that end in `.localhost`) and addresses of IP.
    pub hosts: Vec<String>,
    /// The most requests without a good token from one address within `window`. After them, the address is
    /// refused until the window ends, with a good token, too.
    pub max_failures: u32,
    /// See `max_failures`.
    pub window: Duration,
    /// The most requests with a good token in a second, from all addresses together; after a quiet second,
    /// twice as many.
    pub max_per_second: u32,
    /// The most requests at the same time; more are refused.
    pub max_requests: usize,
    /// The most bytes of a body.
    pub max_body: u64,
}

impl AccessOptions {
    /// Returns the defaults, for a token.
    #[must_use]
    pub fn new(token: TokenHash) -> Self {
        Self {
            token,
            hosts: Vec::new(),
            max_failures: 20,
            window: Duration::from_mins(1),
            max_per_second: 200,
            max_requests: 64,
            max_body: 1 << 20,
        }
    }
}

/// Decides who may ask.
pub(super) struct Access {
    token: RwLock<TokenHash>,
    hosts: Vec<String>,
    failures: Failures,
    rate: Rate,
    audit: Limited,
    metrics: Arc<Metrics>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

impl Access {
    pub(super) fn new(
        options: &AccessOptions,
        audit: Arc<dyn Audit>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let hosts = options.hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        Self {
            token: RwLock::new(options.token),
            hosts,
            failures: Failures::new(options.max_failures, options.window),
            rate: Rate::new(options.max_per_second),
            audit: Limited::new(audit),
            metrics,
        }
    }

    /// Tells all refusals that were only counted.
    pub(super) fn flush(&self) {
        self.audit.flush();
    }

    /// Replaces the token.
    pub(super) fn set_token(&self, token: TokenHash) {
        *self.token.write().unwrap_or_else(PoisonError::into_inner) = token;
    }

    /// Decides whether a request may go on. Returns whether its client is trusted: has the token, or is a
    /// program of this machine.
    ///
    /// # Errors
    /// Fails if it may not.
    pub(super) fn admit(
        &self,
        required: Required,
        parts: &Parts,
        now: Instant,
    ) -> Result<bool, ApiError> {
        let address = ClientAddress::of(&parts.extensions);
        let refused = |reason| Err(self.refuse(reason, address, now));
        let host = host(parts);
        let is_local = is_local(parts, address, host.as_ref());
        if required == Required::Open {
            return Ok(is_local || self.has_token(parts, address, now));
        }
        // Whoever sends a page to a browser can have it reach this machine by a name of theirs, but the
        // name is in the request.
        if !host.as_ref().is_some_and(|host| self.is_ours(host.host())) {
            return refused(RefusalReason::WrongHost);
        }
        if !is_same_origin(parts, host.as_ref()) {
            return refused(RefusalReason::WrongOrigin);
        }
        if required == Required::TokenOrLoopback && is_local {
            return Ok(true);
        }
        // Nobody guesses a token. What is limited is what those who try cost, and a good token passes, so
        // that none of them locks out others behind the same address.
        if let Err(reason) = self.token(parts) {
            if let Some(left) = address.and_then(|address| self.failures.refused(address, now)) {
                let mut error = self.refuse(RefusalReason::TooManyTries, address, now);
                error.retry_after = Some(left.as_secs().max(1));
                return Err(error);
            }
            if let Some(address) = address {
                self.failures.failed(address, now);
            }
            return refused(reason);
        }
        if !self.rate.take(now) {
            let message = "too many requests in a second, from all clients together";
            return Err(ApiError::new(Code::TooManyRequests, message));
        }
        Ok(true)
    }

    /// Returns true if a request that needs no token has one. It cannot be tried more often than elsewhere.
    fn has_token(&self, parts: &Parts, address: Option<IpAddr>, now: Instant) -> bool {
        let may_try = |address| self.failures.refused(address, now).is_none();
        if !parts.headers.contains_key(AUTHORIZATION) {
            return false;
        }
        let Err(reason) = self.token(parts) else { return true };
        if !address.is_none_or(may_try) {
            return false;
        }
        if let Some(address) = address {
            self.failures.failed(address, now);
        }
        self.refuse(reason, address, now);
        false
    }

    /// Returns why the token of a request is refused, if it is.
    fn token(&self, parts: &Parts) -> Result<(), RefusalReason> {
        let mut values = parts.headers.get_all(AUTHORIZATION).iter();
        let value = values.next().ok_or(RefusalReason::Missing)?;
        if values.next().is_some() {
            return Err(RefusalReason::Malformed);
        }
        let value = value.to_str().map_err(|_| RefusalReason::Malformed)?;
        let (word, token) = value.trim().split_once(' ').ok_or(RefusalReason::Malformed)?;
        if !["Bearer", "Splunk"].iter().any(|known| word.eq_ignore_ascii_case(known)) {
            return Err(RefusalReason::Malformed);
        }
        let expected = *self.token.read().unwrap_or_else(PoisonError::into_inner);
        if expected.is(&TokenHash::of(token.trim())) { Ok(()) } else { Err(RefusalReason::Unknown) }
    }

    /// Returns true if clients may reach this server by such a name.
    fn is_ours(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        // A page cannot be behind an address, and then behind another one.
        let is_address = ip(&host).is_some();
        is_address || is_loopback_name(&host) || self.hosts.contains(&host)
    }

    /// Tells of a request that is not understood.
    pub(super) fn invalid(&self, parts: &Parts, now: Instant) {
        self.tell(RefusalReason::Invalid, ClientAddress::of(&parts.extensions), now);
    }

    fn tell(&self, reason: RefusalReason, address: Option<IpAddr>, now: Instant) {
        let refusal = Refusal { part: Part::Api, address, reason, token: None, untold: 0 };
        self.audit.refused(refusal, now);
    }

    fn refuse(&self, reason: RefusalReason, address: Option<IpAddr>, now: Instant) -> ApiError {
        self.tell(reason, address, now);
        let (name, code, message) = match reason {
            RefusalReason::Missing => (
                "missing",
                Code::Unauthorized,
                "the token is missing; expected the header `Authorization: Bearer` with it",
            ),
            RefusalReason::Malformed => (
                "malformed",
                Code::Unauthorized,
                "the header `Authorization` is not understood; expected `Bearer` and the token",
            ),
            RefusalReason::TooManyTries => (
                "too_many_tries",
                Code::TooManyRequests,
                "too many requests from this address had no good token; try again later",
            ),
            RefusalReason::WrongHost => (
                "wrong_host",
                Code::WrongHost,
                "this server does not go by the name in the header `Host`; add the name to its settings",
            ),
            RefusalReason::WrongOrigin => (
                "wrong_origin",
                Code::WrongOrigin,
                "pages of other servers may not send requests to this one",
            ),
            RefusalReason::Unknown
            | RefusalReason::Disabled
            | RefusalReason::InQuery
            | RefusalReason::Invalid => ("unknown", Code::Unauthorized, "the token is unknown"),
        };
        self.metrics.api_refused(name);
        ApiError::new(code, message)
    }
}

/// Returns the host that a request is for; `None` if there is none, or more than one.
fn host(parts: &Parts) -> Option<Authority> {
    let mut values = parts.headers.get_all(HOST).iter();
    let header = values.next();
    if values.next().is_some() {
        return None;
    }
    let of_header = header.and_then(|value| value.to_str().ok()?.parse().ok());
    // A target with a host of its own must not say something else than the header.
    let host: Authority = match (parts.uri.authority(), header) {
        (None, _) => of_header,
        (Some(target), None) => Some(target.clone()),
        (Some(target), Some(_)) => of_header.filter(|host: &Authority| host == target),
    }?;
    (!host.as_str().contains('@')).then_some(host)
}

/// Returns the address that a host is, if it is one.
fn ip(host: &str) -> Option<IpAddr> {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    inner.unwrap_or(host).parse().ok()
}

fn is_loopback_name(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

/// Returns true if the client is a program of this machine, and not a proxy for others.
fn is_local(parts: &Parts, address: Option<IpAddr>, host: Option<&Authority>) -> bool {
    let host = host.map(|host| host.host().to_ascii_lowercase());
    let is_loopback_host = host.is_some_and(|host| {
        is_loopback_name(&host) || ip(&host).is_some_and(|ip| ip.to_canonical().is_loopback())
    });
    address.is_some_and(|address| address.is_loopback())
        && is_loopback_host
        && !OF_PROXIES.iter().any(|name| parts.headers.contains_key(*name))
}

/// Returns true unless a browser says that a page of another server sent the request.
fn is_same_origin(parts: &Parts, host: Option<&Authority>) -> bool {
    let site = parts.headers.get(HeaderName::from_static("sec-fetch-site"));
    if site.is_some_and(|site| !matches!(site.as_bytes(), b"same-origin" | b"none")) {
        return false;
    }
    let Some(origin) = parts.headers.get(ORIGIN) else { return true };
    let origin = origin.to_str().ok().and_then(|origin| {
        origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))
    });
    let origin = origin.and_then(|origin| origin.parse::<Authority>().ok());
    origin.as_ref() == host && host.is_some()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Mutex;

    use axum::http::Request;

    use super::*;
    use crate::audit::Change;

    #[derive(Default)]
    struct Told(Mutex<Vec<RefusalReason>>);

    impl Audit for Told {
        fn refused(&self, refusal: Refusal) {
            assert_eq!(refusal.part, Part::Api);
            self.0.lock().unwrap().push(refusal.reason);
        }

        fn changed(&self, _: Change) {}
    }

    fn access() -> (Access, Arc<Told>) {
        let told = Arc::new(Told::default());
        let options = AccessOptions {
            hosts: vec!["Logs.Example.com".into()],
            max_failures: 2,
            ..AccessOptions::new(TokenHash::of("secret"))
        };
        (Access::new(&options, told.clone(), Arc::default()), told)
    }

    fn parts(from: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::get("/metrics");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let address: IpAddr = from.parse().unwrap();
        let request = request.extension(ClientAddress(SocketAddr::new(address, 1)));
        request.body(()).unwrap().into_parts().0
    }

    const LOCAL: (&str, &str) = ("host", "localhost:8089");
    const GOOD: (&str, &str) = ("authorization", "Bearer secret");

    #[test]
    fn tokens() {
        let code = |headers: &[(&str, &str)]| {
            let (access, told) = access();
            let headers = [&[LOCAL], headers].concat();
            let admitted =
                access.admit(Required::Token, &parts("10.0.0.1", &headers), Instant::now());
            let told = told.0.lock().unwrap().first().copied();
            (admitted.map_err(|error| error.code), told)
        };
        let refused = |reason| (Err(Code::Unauthorized), Some(reason));
        for (headers, expected) in [
            (&[GOOD][..], (Ok(true), None)),
            (&[("authorization", "splunk  secret ")], (Ok(true), None)),
            (&[], refused(RefusalReason::Missing)),
            (&[("authorization", "Bearer other")], refused(RefusalReason::Unknown)),
            (&[("authorization", "Bearer")], refused(RefusalReason::Malformed)),
            (&[("authorization", "Basic secret")], refused(RefusalReason::Malformed)),
            (&[("authorization", "Bearer \u{e4}")], refused(RefusalReason::Malformed)),
            (&[GOOD, GOOD], refused(RefusalReason::Malformed)),
        ] {
            assert_eq!(code(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn hosts_and_origins() {
        let code = |headers: &[(&str, &str)]| {
            let headers = [headers, &[GOOD]].concat();
            let admitted =
                access().0.admit(Required::Token, &parts("127.0.0.1", &headers), Instant::now());
            admitted.err().map(|error| error.code.parts().0)
        };
        let host = |host| code(&[("host", host)]);
        for good in [
            "localhost",
            "LOCALHOST:8089",
            "a.localhost",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]:8089",
            "10.0.0.7:8089",
            "logs.example.COM:8089",
        ] {
            assert_eq!(host(good), None, "{good}");
        }
        for bad in [
            "evil.example",
            "evil.example:8089",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "x.logs.example.com",
            "a@localhost",
            "",
            " ",
            "[::1",
            "\u{e4}",
        ] {
            assert_eq!(host(bad), Some("wrong_host"), "{bad}");
        }
        assert_eq!(code(&[]), Some("wrong_host"));
        assert_eq!(code(&[LOCAL, LOCAL]), Some("wrong_host"));
        for (name, value, expected) in [
            ("origin", "http://localhost:8089", None),
            ("origin", "https://localhost:8089", None),
            ("origin", "http://localhost", Some("wrong_origin")),
            ("origin", "http://127.0.0.1:8089", Some("wrong_origin")),
            ("origin", "https://evil.example", Some("wrong_origin")),
            ("origin", "null", Some("wrong_origin")),
            ("origin", "", Some("wrong_origin")),
            ("sec-fetch-site", "same-origin", None),
            ("sec-fetch-site", "none", None),
            ("sec-fetch-site", "cross-site", Some("wrong_origin")),
            ("sec-fetch-site", "same-site", Some("wrong_origin")),
        ] {
            assert_eq!(code(&[LOCAL, (name, value)]), expected, "{name}: {value}");
        }
    }

    #[test]
    fn programs_of_this_machine() {
        let admit = |required, from, headers: &[(&str, &str)]| {
            let admitted = access().0.admit(required, &parts(from, headers), Instant::now());
            admitted.map_err(|error| error.code.status())
        };
        let ask = |from, headers: &[(&str, &str)]| {
            (admit(Required::TokenOrLoopback, from, headers), admit(Required::Open, from, headers))
        };
        let proxied = [LOCAL, ("x-forwarded-for", "10.0.0.1")];
        for (from, headers, expected) in [
            ("127.0.0.1", &[LOCAL][..], (Ok(true), Ok(true))),
            ("::ffff:127.0.0.1", &[("host", "[::1]")], (Ok(true), Ok(true))),
            ("::1", &[LOCAL], (Ok(true), Ok(true))),
            ("127.0.0.1", &proxied, (Err(401), Ok(false))),
            ("127.0.0.1", &[("host", "logs.example.com")], (Err(401), Ok(false))),
            ("127.0.0.1", &[("host", "evil.example")], (Err(403), Ok(false))),
            ("127.0.0.1", &[], (Err(403), Ok(false))),
            ("127.0.0.1", &[LOCAL, ("origin", "http://evil.example")], (Err(403), Ok(true))),
            ("10.0.0.1", &[LOCAL], (Err(401), Ok(false))),
            ("10.0.0.1", &[LOCAL, GOOD], (Ok(true), Ok(true))),
        ] {
            assert_eq!(ask(from, headers), expected, "{from} {headers:?}");
        }
        // Without a network, as in tests, nobody is known to be of this machine.
        let bare = Request::get("/").header("host", "localhost").body(()).unwrap().into_parts().0;
        let admitted = access().0.admit(Required::TokenOrLoopback, &bare, Instant::now());
        assert_eq!(admitted.unwrap_err().code, Code::Unauthorized);
    }

    #[test]
    fn an_address_without_a_good_token_has_to_wait() {
        let (access, told) = access();
        let now = Instant::now();
        let status = |from, token: &str, now| {
            let token = format!("Bearer {token}");
            let parts = parts(from, &[LOCAL, ("authorization", &token)]);
            let admitted = access.admit(Required::Token, &parts, now);
            admitted.map_or_else(|error| (error.code.status(), error.retry_after), |_| (200, None))
        };
        let later = now + Duration::from_mins(1);
        for (from, token, at, expected) in [
            ("10.0.0.1", "bad", now, (401, None)),
            ("10.0.0.1", "secret", now, (200, None)),
            ("10.0.0.1", "bad", now, (401, None)),
            ("10.0.0.1", "bad", now, (429, Some(60))),
            ("10.0.0.1", "secret", now, (200, None)),
            ("10.0.0.2", "secret", now, (200, None)),
            ("10.0.0.1", "secret", later, (200, None)),
        ] {
            assert_eq!(status(from, token, at), expected, "{from} {token}");
        }
        // Each reason is told once a second for an address.
        let reasons = [RefusalReason::Unknown, RefusalReason::TooManyTries];
        assert_eq!(told.0.lock().unwrap()[..], reasons);
        // Nor can tokens be tried where none is needed.
        let open = |token: &str| {
            let parts = parts("10.0.0.4", &[("authorization", token)]);
            access.admit(Required::Open, &parts, now).unwrap()
        };
        assert!(open("Bearer secret"));
        assert!(!open("Bearer bad") && !open("Bearer bad"));
        assert_eq!(status("10.0.0.4", "bad", now), (429, Some(60)));
        assert!(open("Bearer secret"));
        access.set_token(TokenHash::of("other"));
        assert_eq!(status("10.0.0.3", "secret", later), (401, None));
        assert_eq!(status("10.0.0.3", "other", later), (200, None));
    }
}
