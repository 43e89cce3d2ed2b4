//! Judges a text that holds no JSON and no table: whether it may hold events after all.
//!
//! A document beside the logs is passed over. What nobody could look at, and what has CloudTrail's
//! fields in another form, is reported: with escapes, packed into other characters, as the dump of
//! a program.

mod escapes;
mod packed;
mod traces;

pub(crate) use traces::is_call;

use crate::report::DamageKind;

/// The first bytes of binary files that hold no events: images, programs, what systems and tools put
/// into folders.
const HARMLESS: &[&[u8]] = &[
    // Images, sound, fonts.
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"GIF8",
    b"RIFF",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"\0\0\x01\0",
    b"OggS",
    b"ID3",
    b"fLaC",
    b"wOFF",
    b"wOF2",
    b"OTTO",
    b"\0\x01\0\0\0",
    // Programs.
    b"\x7fELF",
    b"MZ",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"\0asm",
    // Attributes of files and views of folders, as macOS and Windows keep them.
    b"\0\x05\x16\x07",
    b"\0\x05\x16\0",
    b"\0\0\0\x01Bud1",
    b"L\0\0\0\x01\x14\x02\0",
    // Git's own files.
    b"DIRC",
    b"PACK",
    b"\xfftOc",
    b"blob ",
    b"tree ",
    b"commit ",
    b"tag ",
];
/// One control character in so many bytes shows that a file is not text.
const FEW: usize = 50;
/// The bytes that are looked at to tell text from anything else.
const HEAD: usize = 4096;

/// Names of members that an event always has: one of its time or version, and one of what was called.
const WHEN: [&[u8]; 2] = [b"eventTime", b"eventVersion"];
const WHAT: [&[u8]; 2] = [b"eventName", b"eventSource"];

/// What rows of CSV have that are CloudTrail's, by whose doubled quotes they are told from other texts.
const IN_ROWS: [&[u8]; 2] = [b"\"\"principalId\"\"", b".amazonaws.com"];

/// The bytes of a text that are searched for events in disguise; a file of another kind may be large.
const SEARCHED: usize = 4 * 1024 * 1024;
/// The layers of characters that hold other characters.
const DEPTH: usize = 2;

/// Returns true if a text seems to hold events in a form that is not read.
pub(crate) fn has_events_in_disguise(text: &[u8]) -> bool {
    is_disguise(text, DEPTH)
}

fn is_disguise(text: &[u8], depth: usize) -> bool {
    if traces::are_in(text) {
        return true;
    }
    let plain = escapes::without(text);
    plain.as_ref().is_some_and(|plain| traces::are_in(plain))
        || (depth > 0
            && [Some(text), plain.as_deref()]
                .into_iter()
                .flatten()
                .any(|text| packed::any_in(text, |bytes| is_disguise(bytes, depth - 1))))
}

/// The first bytes of archives that programs have behind them and unpack.
const ARCHIVES: [&[u8]; 4] = [
    b"7z\xbc\xaf\x27\x1c\0\x03",
    b"7z\xbc\xaf\x27\x1c\0\x04",
    b"Rar!\x1a\x07\0",
    b"Rar!\x1a\x07\x01\0",
];

/// Headers with which a mail begins, and those that say that it holds more than a text.
const MAIL: [&[u8]; 12] = [
    b"from:",
    b"to:",
    b"subject:",
    b"date:",
    b"received:",
    b"return-path:",
    b"message-id:",
    b"delivered-to:",
    b"mime-version:",
    b"reply-to:",
    b"dkim-signature:",
    b"x-",
];
const ATTACHED: [&[u8]; 3] =
    [b"content-transfer-encoding: base64", b"content-disposition: attachment", b"multipart/mixed"];

/// Returns true for a mail with something attached.
fn is_mail(head: &[u8]) -> bool {
    let head = head.to_ascii_lowercase();
    let find = |text: &[u8]| memchr::memmem::find(&head, text);
    let begins = MAIL.iter().any(|name| head.starts_with(name)) || head.starts_with(b"from ");
    let is_header = |name: &&[u8]| find(&[&b"\n"[..], *name].concat()).is_some();
    begins && MAIL.iter().any(is_header) && ATTACHED.iter().any(|mark| find(mark).is_some())
}

/// What has been seen of a text so far.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    is_begun: bool,
    is_binary: bool,
    is_mail: bool,
    is_program: bool,
    is_script: bool,
    has_archive: bool,
    is_disguised: bool,
    searched: usize,
    has_when: bool,
    has_what: bool,
    has_rows: bool,
}

impl Foreign {
    /// Looks at a further piece of the text.
    pub(super) fn look(&mut self, piece: &[u8]) {
        if !std::mem::replace(&mut self.is_begun, true) {
            self.is_binary = is_unknown(&piece[..piece.len().min(HEAD)]);
            self.is_mail = is_mail(piece);
            self.is_program = [&b"MZ"[..], b"\x7fELF"].iter().any(|magic| piece.starts_with(magic));
            self.is_script = piece.starts_with(b"#!");
        }
        // A script has no NUL; what it unpacks does.
        self.has_archive |= (self.is_script && piece.contains(&0))
            || (self.is_program
                && ARCHIVES.iter().any(|magic| memchr::memmem::find(piece, magic).is_some()));
        if !self.is_disguised && self.searched < SEARCHED {
            self.is_disguised = has_events_in_disguise(piece);
            self.searched += piece.len();
        }
        self.has_rows |= IN_ROWS.iter().all(|mark| memchr::memmem::find(piece, mark).is_some());
        if !(self.has_when && self.has_what) {
            let is_end = |byte: &u8| {
                byte.is_ascii_whitespace()
                    || matches!(byte, b',' | b';' | b'|' | b'<' | b'{' | b'(')
            };
            for word in piece.split(is_end) {
                self.has_when |= WHEN.iter().any(|name| is_key(word, name));
                self.has_what |= WHAT.iter().any(|name| is_key(word, name));
            }
        }
    }

    /// Returns why the text may hold events that were not read; `None` if it is just a document.
    pub(super) fn reason(&self) -> Option<(DamageKind, &'static str)> {
        let text = self.reason_of_text().map(|message| (DamageKind::UnknownText, message));
        let message = "nothing was read: this is binary data in no format that is known; decrypt, \
                       decompress or export it first";
        text.or(self.is_binary.then_some((DamageKind::UnknownArchive, message)))
    }

    fn reason_of_text(&self) -> Option<&'static str> {
        if self.has_when && self.has_what {
            return Some(
                "nothing was read: the text has the fields of CloudTrail, but is neither JSON nor a \
                 table; convert it to JSON first",
            );
        }
        if self.has_rows {
            return Some(
                "nothing was read: the text has rows of CloudTrail, but no header in its first lines; \
                 put the names of the columns into the first line",
            );
        }
        if self.is_mail {
            return Some(
                "nothing was read: this is an e-mail message; save its attachments as files first",
            );
        }
        if self.has_archive {
            return Some(
                "nothing was read: this is a program with an archive behind it; unpack it first",
            );
        }
        if self.is_disguised {
            return Some(
                "nothing was read: the text seems to hold events of CloudTrail in a form that is not \
                 read; convert it to JSON first",
            );
        }
        None
    }
}

/// Returns true for the first bytes of a file that is neither text nor known to be harmless.
fn is_unknown(head: &[u8]) -> bool {
    // Compiled Python has a number of its version first, media a length.
    let is_harmless = HARMLESS.iter().any(|magic| head.starts_with(magic))
        || head.get(2..4) == Some(b"\r\n")
            && head.get(4..8).is_some_and(|flags| flags[1..] == [0; 3])
        || head.get(4..8) == Some(b"ftyp");
    let is_control = |byte: &&u8| {
        byte.is_ascii_control() && !matches!(byte, b'\t'..=b'\r' | 0x08 | 0x1b | 0x1e | 0x7f)
    };
    let controls = head.iter().filter(is_control).count();
    !is_harmless && (head.contains(&0) || controls * FEW > head.len())
}

/// Returns true for a word that begins with a name, in quotes or not, and a mark that separates it
/// from a value: `eventName:`, `"eventname"=x`, `eventName>`.
fn is_key(word: &[u8], name: &[u8]) -> bool {
    let word = word.strip_prefix(b"-").unwrap_or(word);
    let word = word.strip_prefix(b"\"").or_else(|| word.strip_prefix(b"'")).unwrap_or(word);
    let Some((start, rest)) = word.split_at_checked(name.len()) else { return false };
    let rest = rest.strip_prefix(b"\"").or_else(|| rest.strip_prefix(b"'")).unwrap_or(rest);
    start.eq_ignore_ascii_case(name) && matches!(rest.first(), Some(b':' | b'=' | b'>'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISGUISED: &[u8] =
        b"%7B%22eventTime%22%3A%222026-03-17T10%3A00%3A00Z%22%2C%22eventName%22%3A%22\
        CreateUser%22%2C%22awsRegion%22%3A%22us-east-1%22%2C%22readOnly%22%3Afalse%7D";

    #[test]
    fn what_may_hold_events() {
        let noise: Vec<u8> = (0..400_u32).map(|n| (n * n * 31 % 251) as u8 | 1).collect();
        for (text, is_reported) in [
            (&b"- eventVersion: '1.08'\n  eventName: CreateUser\n"[..], true),
            (b"eventTime=2026-03-17T10:00:00Z eventName=CreateUser user=ann", true),
            (b"<event><eventTime>x</eventTime><eventName>y</eventName></event>", true),
            (b"\"eventtime\": \"x\"\n\"eventsource\": \"s\"\n", true),
            (b"\x1b\x02\x03\x04\0\x05", true),
            (DISGUISED, true),
            (
                b"From: a@example.com\nSubject: logs\nContent-Transfer-Encoding: base64\n\nAAAA\n",
                true,
            ),
            (b"From: a@example.com\nSubject: no logs\n\nNothing is attached.\n", false),
            (b"Subject: attachments\n\nThe header is `Content-Disposition: attachment`.\n", false),
            (&noise, true),
            (&[0; 700], true),
            (b"1.08,\"{\"\"principalId\"\":\"\"A\"\"}\",0,s3.amazonaws.com,A\n", true),
            (
                b"A user has a `principalId` at iam.amazonaws.com, and rows have \"\"quotes\"\".\n",
                false,
            ),
            // Documents, rules and programs.
            (b"", false),
            (b"The field eventName has the name of the call, and eventTime its time.\n", false),
            (b"selection:\n  eventName: CreateUser\n  eventSource: iam.amazonaws.com\n", false),
            (b"index=a eventName=CreateUser eventSource=iam.amazonaws.com | stats count", false),
            ("Gr\u{fc}\u{df}e, \u{1b}[1mfett\u{1b}[0m\r\n\x0c".as_bytes(), false),
            (b"Gr\xfc\xdfe in Latin-1\n", false),
            (b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", false),
            (b"\0\x05\x16\x07\0\x02\0\0Mac OS X", false),
            (b"\xa7\x0d\r\n\0\0\0\0\x12", false),
            (b"\0\0\0\x18ftypmp42", false),
        ] {
            let mut foreign = Foreign::default();
            foreign.look(text);
            let reason = foreign.reason();
            assert_eq!(reason.is_some(), is_reported, "{:?}", String::from_utf8_lossy(text));
        }
    }
}
