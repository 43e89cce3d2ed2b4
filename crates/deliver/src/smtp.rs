//! Mail over SMTP: plain text, encrypted on the way by default.
//!
//! All mails about a finding refer to one id, so that mail programs show them together.

use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::address::{check_server, host, is_this_machine};
use crate::error::{DeliveryError, Reason};
use crate::facts::facts;
use crate::output::Mistake;
use crate::redact::redact;
use crate::secret::{Secret, SecretKeys};
use crate::text::{self, LINE, LINES};
use crate::{Clients, Message, Receipt};

/// The most bytes of a subject. Programs show fewer.
const MOST_SUBJECT: usize = 200;
/// The most bytes of the description.
const MOST_DESCRIPTION: usize = 20_000;
/// The most bytes of the value of a fact.
const MOST_VALUE: usize = 2000;
/// The most recipients, which is what every server takes at once.
const MOST_RECIPIENTS: usize = 100;

/// A mail server, and who gets mail.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// The name or IP address of the mail server, without a port.
    pub server: String,
    /// The port. By default 587, 465 with `tls`, and 25 with `none`.
    pub port: Option<u16>,
    /// `starttls`, which is the default, `tls` for a connection that is encrypted from its first byte,
    /// or `none`.
    #[serde(default)]
    pub security: Security,
    /// The user, if the server wants one. A password is then needed, too.
    pub user: Option<String>,
    /// The environment variable that has the password.
    pub password_env: Option<String>,
    /// The file that has the password.
    pub password_file: Option<PathBuf>,
    /// The sender, such as `Spilltrail <spilltrail@soc.example>`.
    pub from: String,
    /// The recipients. If the server refuses one, nobody gets the mail.
    pub to: Vec<String>,
}

/// How a connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// Encrypted after the greeting; a server that cannot do it gets nothing.
    #[default]
    StartTls,
    /// Encrypted from the first byte.
    Tls,
    /// Not encrypted.
    None,
}

impl Smtp {
    pub(crate) fn password(&self) -> SecretKeys<'_> {
        let keys = ["password_env", "password_file"];
        SecretKeys::new(keys, &self.password_env, &self.password_file)
    }

    pub(crate) fn check(&self) -> Result<(), Mistake> {
        check_server(&self.server, self.port)?;
        self.mailboxes().map(drop)?;
        match &self.user {
            Some(user) if user.is_empty() => {
                let help = "give the user, or remove `user` and the password";
                return Err(Mistake::of_key("user", "a name", help));
            }
            Some(_) => self.password().check_required()?,
            None if self.password().is_absent() => return Ok(()),
            None => {
                return Err(Mistake::new(
                    "a password is there, but no `user`",
                    "give the user, or remove the password",
                ));
            }
        }
        if self.security == Security::None && !is_this_machine(&self.server) {
            return Err(Mistake::new(
                "a password would be sent unencrypted",
                "set `security` to `starttls` or `tls`, or remove `user` and the password",
            ));
        }
        Ok(())
    }

    /// Returns the sender and the recipients.
    fn mailboxes(&self) -> Result<(Mailbox, Vec<Mailbox>), Mistake> {
        let help = "give an address, such as `SOC <soc@example.com>`";
        let parse = |key: &str, text: &str| {
            let expected = format!("a mail address, found `{}`", text::fit(text, 100, LINE));
            text.parse::<Mailbox>().map_err(|_| Mistake::of_key(key, &expected, help))
        };
        if !(1..=MOST_RECIPIENTS).contains(&self.to.len()) {
            let expected = format!("1 to {MOST_RECIPIENTS} mail addresses");
            return Err(Mistake::of_key("to", &expected, help));
        }
        let to: Result<Vec<Mailbox>, Mistake> =
            self.to.iter().map(|text| parse("to", text)).collect();
        Ok((parse("from", &self.from)?, to?))
    }

    pub(crate) async fn deliver(
        &self,
        message: &Message,
        now: Timestamp,
        clients: &Clients,
    ) -> Result<Receipt, DeliveryError> {
        let peer = self.server.clone();
        let failed = |detail: String| {
            let detail = text::fit(&detail, 300, LINE);
            DeliveryError::permanent(Reason::Mail { peer: peer.clone(), detail })
        };
        let mail = self.mail(message, now).map_err(failed)?;
        let bytes = mail.formatted().len();
        let password = self.password().read(clients).await?;
        let transport = self
            .transport(password.as_ref(), clients)
            .map_err(|error| failed(error.to_string()))?;
        let sent = clients.within(async {
            transport.send(mail).await.map_err(|error| {
                let secrets = self.secrets(password.as_ref());
                let detail = text::fit(&redact(&error.to_string(), &secrets), 300, LINE);
                let reason = Reason::Mail { peer: peer.clone(), detail };
                if error.is_permanent() || error.is_client() {
                    DeliveryError::permanent(reason)
                } else {
                    DeliveryError::retry(reason)
                }
            })
        });
        sent.await?;
        Ok(Receipt { detail: format!("accepted by `{peer}`"), bytes })
    }

    /// Returns what no error may repeat: the password, and how it is sent.
    fn secrets(&self, password: Option<&Secret>) -> Vec<Secret> {
        let Some(password) = password else { return Vec::new() };
        let user = self.user.as_deref().unwrap_or_default();
        let plain = format!("\0{user}\0{}", password.expose());
        let sent = [plain.as_str(), password.expose()].map(|text| STANDARD.encode(text));
        sent.into_iter().map(Secret::new).chain([password.clone()]).collect()
    }

    fn transport(
        &self,
        password: Option<&Secret>,
        clients: &Clients,
    ) -> Result<AsyncSmtpTransport<Tokio1Executor>, lettre::transport::smtp::Error> {
        let parameters = || TlsParameters::new(host(&self.server).to_owned());
        let (tls, usual_port) = match self.security {
            Security::StartTls => (Tls::Required(parameters()?), 587),
            Security::Tls => (Tls::Wrapper(parameters()?), 465),
            Security::None => (Tls::None, 25),
        };
        // Its name is a warning that it does not encrypt unless it is told to.
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host(&self.server))
                .port(self.port.unwrap_or(usual_port))
                .tls(tls)
                .timeout(Some(clients.limits.answer));
        if let (Some(user), Some(password)) = (&self.user, password) {
            let credentials = Credentials::new(user.clone(), password.expose().to_owned());
            builder = builder.credentials(credentials);
        }
        Ok(builder.build())
    }

    /// Returns the mail.
    fn mail(&self, message: &Message, now: Timestamp) -> Result<lettre::Message, String> {
        let (from, to) = self.mailboxes().map_err(|mistake| mistake.message)?;
        let domain = from.email.domain().to_owned();
        let id = |kind: &str, text: &str| {
            let hash =
                Sha256::new().chain_update(kind).chain_update([0]).chain_update(text).finalize();
            let digits: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
            format!("<{digits}@{domain}>")
        };
        // The same id in every attempt, so that a program that gets a mail twice shows it once.
        let about = id("finding", &message.id);
        let since_epoch = u64::try_from(now.as_second()).unwrap_or_default();
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        let mut builder = lettre::Message::builder()
            .from(from)
            .date(UNIX_EPOCH + Duration::from_secs(since_epoch))
            .subject(text::fit(&message.headline(), MOST_SUBJECT, LINE))
            .message_id(Some(id("delivery", &message.delivery)))
            .in_reply_to(about.clone())
            .references(about)
            // No answers of people who are away.
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()));
        for recipient in to {
            builder = builder.to(recipient);
        }
        let text = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(body(message));
        builder.singlepart(text).map_err(|error| error.to_string())
    }
}

/// Returns the text of a mail. What a log can put there is either in one line behind a label or
/// indented, so that it does not look like another label.
fn body(message: &Message) -> String {
    let mut body = format!("{}\n\n", text::fit(&message.headline(), MOST_VALUE, LINE));
    for (label, value) in facts(message) {
        let label = format!("{label}:");
        body.push_str(&format!("{label:<14} {}\n", text::fit(&value, MOST_VALUE, LINE)));
    }
    let description = text::fit(message.description.trim(), MOST_DESCRIPTION, LINES);
    if !description.is_empty() {
        body.push_str("\nDescription:\n");
    }
    for line in description.lines() {
        body.push_str(&format!("    {line}\n"));
    }
    // The mail ends with a line break of its own.
    body.trim_end().to_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::State;
    use crate::loopback::tls_acceptor;
    use crate::message::tests::example;
    use crate::secret::tests::assert_no_secret;

    fn smtp(keys: &str) -> Smtp {
        let addresses =
            "from = 'Spilltrail <a@soc.example>'\nto = ['B <b@x.example>', 'c@x.example']";
        let smtp: Smtp = toml::from_str(&format!("{keys}\n{addresses}")).unwrap();
        smtp.check().unwrap();
        smtp
    }

    fn formatted(message: &Message) -> String {
        let now = Timestamp::from_second(1_700_000_100).unwrap();
        let mail = smtp("server = 'mail.example'").mail(message, now).unwrap();
        String::from_utf8(mail.formatted()).unwrap()
    }

    #[test]
    fn shape() {
        let expected = "\
            From: Spilltrail <a@soc.example>\n\
            Date: Tue, 14 Nov 2023 22:15:00 +0000\n\
            Subject: [high] Keys made for mallory\n\
            Message-ID: <81e3594aa6096217a8bf28c67e9112fe@soc.example>\n\
            In-Reply-To: <0487deb22471badce62c8d24f56272df@soc.example>\n\
            References: <0487deb22471badce62c8d24f56272df@soc.example>\n\
            Auto-Submitted: auto-generated\n\
            To: B <b@x.example>, c@x.example\n\
            MIME-Version: 1.0\n\
            Content-Type: text/plain; charset=utf-8\n\
            Content-Transfer-Encoding: 7bit\n\
            \n\
            [high] Keys made for mallory\n\
            \n\
            State:         new\n\
            Severity:      high\n\
            Detection:     AWS Keys Made (TTP)\n\
            Time:          2023-11-14T22:13:20.250Z\n\
            Risk score:    80\n\
            Risk objects:  mallory (user, 80)\n\
            Entities:      user=mallory\n\
            ATT&CK:        T1098, T1136.003\n\
            Finding:       f-1\n\
            \n\
            Description:\n    mallory made access keys for bob\n";
        assert_eq!(formatted(&example()), expected.replace('\n', "\r\n"));
    }

    #[test]
    fn mails_about_a_finding_belong_together() {
        let headers = |message: &Message| {
            let mail = formatted(message);
            let header = |name: &str| {
                let line = mail.lines().find(|line| line.starts_with(name)).unwrap();
                line.to_owned()
            };
            [header("Message-ID: "), header("References: ")]
        };
        let new = headers(&example());
        let changed =
            headers(&Message { delivery: "d-2".to_owned(), state: State::Changed, ..example() });
        assert_ne!(new[0], changed[0]);
        assert_eq!(new[1], changed[1]);
        assert_ne!(new[1], headers(&Message { id: "f-2".to_owned(), ..example() })[1]);
    }

    #[test]
    fn texts_are_inert() {
        let message = Message {
            title: "a\r\nBcc: mallory@evil.example\r\n\r\nHello ü".to_owned(),
            description: "one\n.\nState: https://evil.example\r\nthree".to_owned(),
            ..example()
        };
        let mail = formatted(&message);
        check_rules(&message);
        assert!(!mail.contains("\nBcc:") && !mail.contains("\nState: https://evil"), "{mail}");
        assert!(body(&message).ends_with(
            "Description:\n    one\n    .\n    State: https://evil.example \n    three"
        ));
    }

    /// Fails if a mail of any texts has other headers than ours, or lines that are too long.
    pub(crate) fn check_rules(message: &Message) {
        const OURS: [&str; 11] = [
            "From",
            "Date",
            "Subject",
            "Message-ID",
            "In-Reply-To",
            "References",
            "Auto-Submitted",
            "To",
            "MIME-Version",
            "Content-Type",
            "Content-Transfer-Encoding",
        ];
        let mail = formatted(message);
        let (head, body) = mail.split_once("\r\n\r\n").unwrap();
        let mut names = Vec::new();
        for line in head.split("\r\n") {
            assert!(line.is_ascii() && !line.chars().any(|c| c.is_control()), "{line:?}");
            // Others continue the line before.
            if !line.starts_with(' ') {
                names.push(line.split_once(": ").unwrap().0);
            }
        }
        assert_eq!(names, OURS);
        for line in body.split("\r\n") {
            assert!(line.len() <= 998);
            assert!(!line.contains(['\r', '\n']), "{line:?}");
        }
    }

    /// Talks to one client as a mail server that answers lines that begin with the given words as it is
    /// told, and others with success. Returns all lines.
    async fn server(answers: Vec<(&'static str, &'static str)>) -> (u16, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            stream.write_all(b"220 mail.example\r\n").await.unwrap();
            let mut received = Vec::new();
            let mut is_data = false;
            loop {
                let mut line = String::new();
                // Clients may end without a word.
                if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                    return received;
                }
                let line = line.trim_end_matches("\r\n").to_owned();
                received.push(line.clone());
                let told = answers.iter().find(|(words, _)| line.starts_with(words));
                let answer = match told {
                    _ if is_data && line != "." => continue,
                    Some((_, answer)) => answer,
                    None if line.starts_with("EHLO") => "250-mail.example\r\n250 AUTH PLAIN",
                    None if line.starts_with("AUTH") => "235 welcome",
                    None if line == "DATA" => "354 go on",
                    None => "250 fine",
                };
                is_data = line == "DATA" && answer.starts_with('3');
                if stream.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                    return received;
                }
            }
        });
        (port, task)
    }

    #[tokio::test]
    async fn mails_are_sent() {
        let (port, task) = server(vec![]).await;
        let keys = format!(
            "server = '127.0.0.1'\nport = {port}\nsecurity = 'none'\nuser = 'u'\npassword_env = 'P'"
        );
        let smtp = smtp(&keys);
        let clients = Clients::for_tests(&[("P", "s3cret")]);
        let now = Timestamp::from_second(1_700_000_100).unwrap();
        smtp.deliver(&example(), now, &clients).await.unwrap();
        let received = task.await.unwrap();
        let commands: Vec<&str> =
            received.iter().map(String::as_str).filter(|line| !line.starts_with("EHLO ")).collect();
        // `\0u\0s3cret` in Base64.
        let expected = [
            "AUTH PLAIN AHUAczNjcmV0",
            "MAIL FROM:<a@soc.example>",
            "RCPT TO:<b@x.example>",
            "RCPT TO:<c@x.example>",
            "DATA",
        ];
        assert_eq!(commands[..5], expected);
        let mail = String::from_utf8(smtp.mail(&example(), now).unwrap().formatted()).unwrap();
        let lines: Vec<&str> = mail.trim_end().split("\r\n").collect();
        assert_eq!(commands[5..5 + lines.len()], lines);
        assert_eq!(commands[5 + lines.len()..][..2], ["", "."]);
    }

    #[tokio::test]
    async fn refusals_have_a_class() {
        // Which line is answered how, and whether another attempt can succeed.
        for (line, answer, retry) in [
            ("EHLO", "250 mail.example without passwords", false),
            ("AUTH", "535 s3cret is wrong", false),
            ("AUTH", "535 AHUAczNjcmV0 is wrong", false),
            ("AUTH", "535 password czNjcmV0 is wrong", false),
            ("MAIL", "550 S3CRET has no rights", false),
            ("AUTH", "454 try later", true),
            ("MAIL", "550 no", false),
            ("RCPT", "450 busy", true),
            ("RCPT TO:<c", "550 nobody here", false),
            ("DATA", "421 closing", true),
            (".", "552 too large", false),
            (".", "451 disk", true),
            (".", "nonsense", true),
        ] {
            let (port, task) = server(vec![(line, answer)]).await;
            let keys = format!(
                "server = '127.0.0.1'\nport = {port}\nsecurity = 'none'\nuser = 'u'\n\
                 password_env = 'P'"
            );
            let clients = Clients::for_tests(&[("P", "s3cret")]);
            let result = smtp(&keys).deliver(&example(), Timestamp::UNIX_EPOCH, &clients).await;
            let error = result.unwrap_err();
            assert_eq!(error.is_retry(), retry, "{line} {answer}: {error}");
            assert_no_secret(&error, &["s3cret", "AHUAczNjcmV0", "czNjcmV0"]);
            task.await.unwrap();
        }
    }

    #[tokio::test]
    async fn without_encryption_nothing_is_sent() {
        let (port, task) = server(vec![]).await;
        let smtp = smtp(&format!("server = '127.0.0.1'\nport = {port}"));
        let clients = Clients::for_tests(&[]);
        let result = smtp.deliver(&example(), Timestamp::UNIX_EPOCH, &clients).await;
        assert!(!result.unwrap_err().is_retry());
        let received = task.await.unwrap();
        assert!(!received.iter().any(|line| line.starts_with("MAIL")), "{received:?}");
    }

    #[tokio::test]
    async fn certificates_are_verified() {
        let (acceptor, _) = tls_acceptor();
        for security in ["starttls", "tls"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let acceptor = acceptor.clone();
            let server = tokio::spawn(async move {
                let (stream, _) = listener.accept().await.unwrap();
                let mut stream = BufReader::new(stream);
                if security == "starttls" {
                    let mut line = String::new();
                    stream.write_all(b"220 mail.example\r\n").await.unwrap();
                    stream.read_line(&mut line).await.unwrap();
                    stream.write_all(b"250-mail.example\r\n250 STARTTLS\r\n").await.unwrap();
                    line.clear();
                    stream.read_line(&mut line).await.unwrap();
                    assert_eq!(line, "STARTTLS\r\n");
                    stream.write_all(b"220 go on\r\n").await.unwrap();
                }
                acceptor.accept(stream).await.is_err()
            });
            let keys = format!("server = 'localhost'\nport = {port}\nsecurity = '{security}'");
            let (smtp, clients) = (smtp(&keys), Clients::for_tests(&[]));
            let result = smtp.deliver(&example(), Timestamp::UNIX_EPOCH, &clients).await;
            let error = result.unwrap_err();
            assert!(error.is_retry());
            assert!(error.to_string().contains("certificate"), "{error}");
            assert!(server.await.unwrap(), "{security}");
        }
    }
}
