//! Hash functions on text, which return lower-case hexadecimal digits.

use std::borrow::Cow;
use std::fmt::Write;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::Category::Cryptographic;
use super::{Arity, EvalFunction, doc, each_member, returns, take};

pub(super) static MD5: EvalFunction = EvalFunction::row(
    doc(
        "md5",
        Cryptographic,
        "Return the MD5 hash of a text.",
        "md5(<text>)",
        &[(r#"md5("")"#, "d41d8cd98f00b204e9800998ecf8427e")],
    ),
    Arity::Exactly(1),
    returns::string_per_member,
    |_, arguments| each_member(take(arguments, 0), hash::<Md5>),
);

pub(super) static SHA1: EvalFunction = EvalFunction::row(
    doc(
        "sha1",
        Cryptographic,
        "Return the SHA-1 hash of a text.",
        "sha1(<text>)",
        &[(r#"sha1("")"#, "da39a3ee5e6b4b0d3255bfef95601890afd80709")],
    ),
    Arity::Exactly(1),
    returns::string_per_member,
    |_, arguments| each_member(take(arguments, 0), hash::<Sha1>),
);

pub(super) static SHA256: EvalFunction = EvalFunction::row(
    doc(
        "sha256",
        Cryptographic,
        "Return the SHA-256 hash of a text.",
        "sha256(<text>)",
        &[(r#"substr(sha256(""), 1, 16)"#, "e3b0c44298fc1c14")],
    ),
    Arity::Exactly(1),
    returns::string_per_member,
    |_, arguments| each_member(take(arguments, 0), hash::<Sha256>),
);

pub(super) static SHA512: EvalFunction = EvalFunction::row(
    doc(
        "sha512",
        Cryptographic,
        "Return the SHA-512 hash of a text.",
        "sha512(<text>)",
        &[(r#"substr(sha512(""), 1, 16)"#, "cf83e1357eefb8bd")],
    ),
    Arity::Exactly(1),
    returns::string_per_member,
    |_, arguments| each_member(take(arguments, 0), hash::<Sha512>),
);

fn hash<H: Digest>(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let mut digits = String::new();
    for byte in &H::digest(text.as_bytes()) {
        // Writing to a `String` never fails.
        let _ = write!(digits, "{byte:02x}");
    }
    Some(Cow::Owned(digits))
}
