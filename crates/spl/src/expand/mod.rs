//! Expands macros and removes comments, to turn the user's text into the text for
//! [`crate::parse()`].
//!
//! Expansion is textual and precedes all parsing, so a macro may contain any fragment: a term, half
//! a clause, or several commands. [`Expansion`] records the origin of each byte, so that every
//! later diagnostic can point into the text that the user wrote.

mod builtin;
mod call;
mod constant;
mod definition;
mod expansion;
mod saved;

use spilltrail_diagnostic::{Code, Diagnostic, Span, similar};

use crate::cursor::closing_quote;
use call::Call;
pub(crate) use call::closing_backtick;
use saved::SavedCall;

pub use definition::{MacroDefinition, MacroSet};
pub use expansion::Expansion;

/// The maximum nesting depth of macros; Splunk's default for `max_macro_depth`.
const MAX_DEPTH: usize = 100;
/// The maximum number of macro calls in one search, and of bytes of all their texts together. Both
/// are far above those of real searches.
///
/// The text of a call counts even if it is only the argument of another call: macros that pass an
/// argument on several times over make it grow without adding to the expanded text.
const MAX_CALLS: usize = 10_000;
const MAX_LENGTH: usize = 4 << 20;

/// Begins and ends a comment.
pub(crate) const COMMENT: &str = "```";

/// Expands the macros of `text` and replaces each comment by one blank.
///
/// Neither happens inside double quotes, with one exception that published detections need: a
/// quoted text that consists of a single call of a known macro is expanded within its quotes. A
/// call without arguments of an unknown macro whose name ends in `_filter` becomes `search *`. The
/// spans of the diagnostics refer to `text`; calls that cannot be expanded are removed.
#[must_use]
pub fn expand_macros(text: &str, macros: &MacroSet) -> (Expansion, Vec<Diagnostic>) {
    let mut expander = Expander {
        macros,
        expansion: Expansion::default(),
        diagnostics: Vec::new(),
        calls: 0,
        filled: 0,
    };
    expander.scan(text, Source::Written, 0);
    (expander.expansion, expander.diagnostics)
}

/// The origin of a text being scanned.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// The user's own text.
    Written,
    /// The text of the macro call with this index, produced by `span` of the user's text.
    Macro { span: Span, call: usize },
}

struct Expander<'m> {
    macros: &'m MacroSet,
    expansion: Expansion,
    diagnostics: Vec<Diagnostic>,
    calls: usize,
    /// The bytes of the texts of all calls so far, with their arguments inserted.
    filled: usize,
}

impl Expander<'_> {
    fn scan(&mut self, text: &str, source: Source, depth: usize) {
        let (mut start, mut index) = (0, 0);
        while let Some(found) = text[index..].find(['"', '`', '\\', '|', '[']) {
            let at = index + found;
            let rest = &text[at..];
            if let Some(escaped) = rest.strip_prefix('\\') {
                index = at + 1 + escaped.chars().next().map_or(0, char::len_utf8);
                continue;
            }
            if let Some(quoted) = rest.strip_prefix('"') {
                let Some(length) = closing_quote(quoted, '"') else { break };
                index = at + length + 2;
                let inner = &quoted[..length];
                if let Some(call) = self.whole_call(inner) {
                    self.copy(text, start, at, source);
                    self.quoted_call(&call, Span::new(at, index), source, depth);
                    start = index;
                }
                continue;
            }
            if rest.starts_with(['|', '[']) {
                index = at + 1;
                let is_first = rest.starts_with('[') || self.begins(&text[start..at]);
                let call = if is_first { SavedCall::parse(&rest[1..]) } else { None };
                if let Some(call) = call {
                    // The pipe goes, a bracket stays.
                    self.copy(text, start, at + usize::from(rest.starts_with('[')), source);
                    index = at + 1 + call.length;
                    let blanks = rest[1..].len() - rest[1..].trim_start().len();
                    let span = place(source, Span::new(at + 1 + blanks, index));
                    self.saved(&call, span, source, depth);
                    start = index;
                }
                continue;
            }
            self.copy(text, start, at, source);
            let length = if rest.starts_with(COMMENT) {
                self.comment(rest, at, source)
            } else {
                self.call(rest, at, source, depth)
            };
            index = at + length;
            start = index;
        }
        self.copy(text, start, text.len(), source);
    }

    /// Returns true if a pipeline begins after the text so far and `part`, the text to be copied next.
    fn begins(&self, part: &str) -> bool {
        let before = if part.trim().is_empty() { self.expansion.text.as_str() } else { part };
        let before = before.trim_end();
        before.is_empty() || before.ends_with('[')
    }

    /// Appends the text of a saved search, which `span` of the user's text calls.
    fn saved(&mut self, call: &SavedCall, span: Span, source: Source, depth: usize) {
        let title = format!("savedsearch {}", call.name);
        let Some(search) = self.macros.search(&call.name) else {
            let message = format!("there is no saved search `{}`", call.name);
            let diagnostic = Diagnostic::error(Code::BAD_ARGUMENT, message).at(span);
            self.diagnostics.push(match similar(&call.name, self.macros.search_names()) {
                Some(name) => {
                    diagnostic.help(format!("a search with a similar name exists: `{name}`"))
                }
                None => diagnostic.help("name a detection or baseline of the content"),
            });
            return self.expansion.push_replaced("search *", span, owner(source));
        };
        self.calls += 1;
        let room = MAX_LENGTH.saturating_sub(self.filled);
        let tokens: Vec<(&str, String)> =
            call.tokens.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let too_much = self.calls > MAX_CALLS || self.expansion.text.len() > MAX_LENGTH;
        let filled = call::fill(search.text.trim(), &tokens, room).filter(|_| !too_much);
        let Some(text) = filled.filter(|_| depth < MAX_DEPTH) else {
            return self.refuse(&title, span, depth < MAX_DEPTH);
        };
        self.filled += text.len();
        let number = self.expansion.begin(title);
        self.expansion.add_search(&search.name);
        let in_macro = Source::Macro { span, call: number };
        let word = text.get(..7).unwrap_or_default();
        if !text.starts_with('|') && !word.eq_ignore_ascii_case("search ") {
            self.expansion.push_replaced("search ", span, Some(number));
        }
        self.scan(&text, in_macro, depth + 1);
        self.expansion.end(number);
    }

    /// Replaces the comment at the start of `rest` by a blank; returns the comment's length.
    fn comment(&mut self, rest: &str, at: usize, source: Source) -> usize {
        let end = rest[COMMENT.len()..].find(COMMENT);
        let length = end.map_or(rest.len(), |end| end + 2 * COMMENT.len());
        if end.is_none() {
            let open = place(source, Span::new(at, at + COMMENT.len()));
            self.diagnostics.push(
                Diagnostic::error(Code::UNBALANCED, "comment is never closed")
                    .label(open, "opened here")
                    .help("close it with three backticks"),
            );
        }
        self.expansion.push_replaced(" ", place(source, Span::new(at, at + length)), owner(source));
        length
    }

    /// Expands the call at the start of `rest`; returns the call's length.
    fn call(&mut self, rest: &str, at: usize, source: Source, depth: usize) -> usize {
        let Some(length) = call::closing_backtick(&rest[1..]) else {
            let open = place(source, Span::new(at, at + 1));
            self.diagnostics.push(
                Diagnostic::error(Code::UNBALANCED, "macro's backtick is never closed")
                    .label(open, "opened here")
                    .help("close the macro's name with a backtick, or quote the text"),
            );
            return rest.len();
        };
        let span = place(source, Span::new(at, at + length + 2));
        match Call::parse(&rest[1..=length]) {
            Some(call) => self.expand(&call, span, source, depth),
            None => self.diagnostics.push(
                Diagnostic::error(
                    Code::EXPECTED,
                    format!("expected a macro, found `{}`", &rest[1..=length]),
                )
                .label(span, "expected a name, with or without `(arguments)`"),
            ),
        }
        length + 2
    }

    /// Returns the call if a quoted text consists of a single call of a known macro.
    fn whole_call(&self, inner: &str) -> Option<Call> {
        let body = inner.strip_prefix('`')?.strip_suffix('`')?;
        if body.contains('`') {
            return None;
        }
        let call = Call::parse(body)?;
        self.macros.get(&call.name, call.arguments.len()).is_some().then_some(call)
    }

    /// Expands a call within double quotes; quotes in the definition replace the surrounding ones.
    fn quoted_call(&mut self, call: &Call, whole: Span, source: Source, depth: usize) {
        let span = place(source, whole);
        let before = self.expansion.text.len();
        self.expansion.push_replaced("\"", span, owner(source));
        self.expand(call, span, source, depth);
        let expanded = &self.expansion.text[before + 1..];
        if expanded.len() > 1 && expanded.starts_with('"') && expanded.ends_with('"') {
            self.expansion.remove(before);
        } else {
            self.expansion.push_replaced("\"", span, owner(source));
        }
    }

    /// Appends the expansion of `call`, which `span` of the user's text produced.
    fn expand(&mut self, call: &Call, span: Span, source: Source, depth: usize) {
        let title = definition::title(&call.name, call.arguments.len());
        self.calls += 1;
        let too_much = self.calls > MAX_CALLS || self.expansion.text.len() > MAX_LENGTH;
        if depth >= MAX_DEPTH || too_much {
            return self.refuse(&title, span, too_much);
        }
        let body = match self.body(call) {
            Ok(Some(body)) => body,
            Ok(None) => return self.refuse(&title, span, true),
            Err(diagnostic) => {
                let diagnostic = diagnostic.at(span);
                self.diagnostics.push(match owner(source) {
                    Some(number) => diagnostic
                        .note(format!("called in macro `{}`", self.expansion.title(number))),
                    None => diagnostic,
                });
                return;
            }
        };
        let number = self.expansion.begin(title);
        self.scan(&body, Source::Macro { span, call: number }, depth + 1);
        self.expansion.end(number);
    }

    /// Reports a call that is beyond the limits.
    fn refuse(&mut self, title: &str, span: Span, too_much: bool) {
        // One message is enough, because the enclosing calls fail for the same reason.
        if !self.diagnostics.iter().any(|diagnostic| diagnostic.code == Code::MACRO_DEPTH) {
            self.diagnostics.push(too_deep(title, span, too_much));
        }
    }

    /// Returns the text of `call` with its arguments inserted and its own macro calls not yet
    /// expanded, or `None` if the texts of all calls are too long.
    fn body(&mut self, call: &Call) -> Result<Option<String>, Diagnostic> {
        let Some(definition) = self.macros.get(&call.name, call.arguments.len()) else {
            if call.arguments.is_empty() && call.name.ends_with("_filter") {
                return Ok(Some("search *".to_owned()));
            }
            return Err(self.unknown(call));
        };
        let arguments = call.bind(definition)?;
        let room = MAX_LENGTH.saturating_sub(self.filled);
        if let Some(validation) = &definition.validation {
            let Some(validation) = call::fill(validation, &arguments, room) else {
                return Ok(None);
            };
            constant::validate(definition, &validation)?;
        }
        let Some(body) = call::fill(&definition.definition, &arguments, room) else {
            return Ok(None);
        };
        let body = if definition.is_eval { constant::text(definition, &body)? } else { body };
        self.filled += body.len();
        Ok(Some(body))
    }

    fn unknown(&self, call: &Call) -> Diagnostic {
        let title = definition::title(&call.name, call.arguments.len());
        let diagnostic = Diagnostic::error(Code::UNKNOWN_MACRO, format!("unknown macro `{title}`"));
        let arities: Vec<_> = self
            .macros
            .iter()
            .filter(|known| known.name == call.name)
            .map(|known| format!("`{}`", known.title()))
            .collect();
        if !arities.is_empty() {
            return diagnostic.help(format!("known with other arguments: {}", arities.join(", ")));
        }
        let names = self.macros.iter().map(|known| known.name.as_str());
        match similar(&call.name, names) {
            Some(name) => diagnostic.help(format!("a macro with a similar name exists: `{name}`")),
            None => diagnostic.help(format!("define it: --macro '{title}=…'")),
        }
    }

    /// Appends an unchanged part of the scanned text.
    fn copy(&mut self, text: &str, start: usize, end: usize, source: Source) {
        let part = &text[start..end];
        match source {
            Source::Written => self.expansion.push_written(part, Span::new(start, end)),
            Source::Macro { span, call } => self.expansion.push_replaced(part, span, Some(call)),
        }
    }
}

/// Returns the span of the user's text that produced `span` of a scanned text.
fn place(source: Source, span: Span) -> Span {
    match source {
        Source::Written => span,
        Source::Macro { span, .. } => span,
    }
}

fn owner(source: Source) -> Option<usize> {
    match source {
        Source::Written => None,
        Source::Macro { call, .. } => Some(call),
    }
}

fn too_deep(title: &str, span: Span, too_much: bool) -> Diagnostic {
    let message = if too_much {
        format!("macros expand to more than {MAX_CALLS} calls or {} MiB", MAX_LENGTH >> 20)
    } else {
        format!("macros nest deeper than {MAX_DEPTH} levels at `{title}`")
    };
    Diagnostic::error(Code::MACRO_DEPTH, message)
        .at(span)
        .help("look for a macro that calls itself, directly or through others")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn define(name: &str, arguments: &[&str], text: &str) -> MacroDefinition {
        MacroDefinition {
            name: name.to_owned(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            definition: text.to_owned(),
            is_eval: false,
            validation: None,
            error_message: None,
            origin: "test".to_owned(),
        }
    }

    fn macros() -> MacroSet {
        let mut set = MacroSet::new();
        for definition in [
            define("trail", &[], "sourcetype=trail"),
            define("both", &[], "`trail` region=`region`"),
            define("region", &[], "eu-west-1"),
            define("rename_to", &["old", "new"], "rename $old$ as $new$"),
            define("is", &["field"], "$field$=\"$field$\" $other$"),
            define("window", &[], "-30d"),
            define("quoted_window", &[], "\"-30d\""),
            define("loop", &[], "a `loop`"),
            define("bomb", &[], "`bomb1` `bomb1`"),
            define("broken", &[], "a `nobody`"),
            define("empty", &[], ""),
        ] {
            set.insert(definition);
        }
        for level in 1..60 {
            let next = level + 1;
            set.insert(define(&format!("bomb{level}"), &[], &format!("`bomb{next}` `bomb{next}`")));
        }
        set.insert(define("bomb60", &[], ""));
        // Each passes its argument on eight times over.
        for level in 1..60 {
            let text = format!("`grow{}({})`", level + 1, "$a$".repeat(8));
            set.insert(define(&format!("grow{level}"), &["a"], &text));
        }
        set.insert(define("grow60", &["a"], "$a$"));
        set
    }

    fn check(text: &str, expected: &str) {
        let (expansion, diagnostics) = expand_macros(text, &macros());
        assert_eq!(diagnostics, [], "{text}");
        assert_eq!(expansion.text, expected, "{text}");
    }

    fn error(text: &str, macros: &MacroSet) -> Diagnostic {
        let (_, mut diagnostics) = expand_macros(text, macros);
        assert_eq!(diagnostics.len(), 1, "{text}: {diagnostics:?}");
        diagnostics.remove(0)
    }

    #[test]
    fn macros_are_replaced_by_their_text() {
        check("`trail` a=1 | stats count", "sourcetype=trail a=1 | stats count");
        check("`both`|head", "sourcetype=trail region=eu-west-1|head");
        check("| `rename_to(a.b, c)`", "| rename a.b as c");
        check("| `rename_to(new=x,old=y)`", "| rename y as x");
        check("| `rename_to(\"a b\", \"say \\\"hi\\\", you\")`", "| rename a b as say \"hi\", you");
        check("`is(x=1)`", "x=1=\"x=1\" $other$");
        check("`is(f(a, b))`", "f(a, b)=\"f(a, b)\" $other$");
        check("a`empty`b `trail()`", "ab sourcetype=trail");
        check("| `anything_at_all_filter`", "| search *");
    }

    #[test]
    fn quotes_protect_macros_and_comments() {
        check("x=\"`trail` and more\" \"```a```\"", "x=\"`trail` and more\" \"```a```\"");
        check("split(p,\"`\") \"\\\"`\" \\\" `region`", "split(p,\"`\") \"\\\"`\" \\\" eu-west-1");
        check("t(now(), \"`window`\")", "t(now(), \"-30d\")");
        check("t(now(), \"`quoted_window`\")", "t(now(), \"-30d\")");
        check("t(now(), \"`nobody`\")", "t(now(), \"`nobody`\")");
    }

    #[test]
    fn comments_become_a_blank() {
        check("stats```how \"many | `trail` ```count", "stats count");
        check("`region````a```", "eu-west-1 ");
    }

    #[test]
    fn places_lead_back_to_the_written_text() {
        let text = "`both` x=1 ```c``` | `rename_to(a,b)`";
        let (expansion, _) = expand_macros(text, &macros());
        let at = |needle: &str| {
            let start = expansion.text.find(needle).unwrap();
            Span::new(start, start + needle.len())
        };
        let original = |needle: &str| {
            let span = expansion.original_span(at(needle));
            &text[span.start..span.end]
        };
        assert_eq!(original("x=1"), "x=1");
        assert_eq!(original("eu-west"), "`both`");
        assert_eq!(original("rename"), "`rename_to(a,b)`");
        assert_eq!(original("1 x=1"), "`both` x=1");
        assert_eq!(expansion.macro_at(at("eu-west")), Some("region"));
        assert_eq!(expansion.macro_at(at("region=")), Some("both"));
        assert_eq!(expansion.macro_at(at("rename")), Some("rename_to(2)"));
        assert_eq!(expansion.macro_at(at("x=1")), None);
        assert_eq!(expansion.macros_used(), ["both", "trail", "region", "rename_to(2)"]);
        let end = Span::new(expansion.text.len(), expansion.text.len());
        assert_eq!(expansion.original_span(end), Span::new(text.len(), text.len()));
    }

    #[test]
    fn diagnostics_move_to_the_written_text() {
        let (expansion, _) = expand_macros("a | `rename_to(b,c)`", &macros());
        let diagnostic = Diagnostic::error(Code::EXPECTED, "wrong").at(Span::new(4, 10));
        let moved = expansion.relocate(diagnostic);
        assert_eq!(moved.span(), Some(Span::new(4, 20)));
        assert_eq!(moved.notes, ["in macro `rename_to(2)`: `rename b as c`"]);
        let untouched = Diagnostic::error(Code::EXPECTED, "wrong").at(Span::new(0, 1));
        assert_eq!(expansion.relocate(untouched.clone()), untouched);
    }

    #[test]
    fn what_cannot_be_expanded() {
        let cases = [
            (
                "a `trails`",
                "unknown macro `trails`",
                Some("a macro with a similar name exists: `trail`"),
            ),
            (
                "`rename_to(a)`",
                "unknown macro `rename_to(1)`",
                Some("known with other arguments: `rename_to(2)`"),
            ),
            (
                "`rename_to(old=a,b)`",
                "expected `name=value` for every argument of `rename_to(2)`, found `b`",
                None,
            ),
            ("`rename_to(old=a,old=b)`", "argument `old` of `rename_to(2)` is given twice", None),
            ("`broken`", "unknown macro `nobody`", None),
            ("a ` b", "macro's backtick is never closed", None),
            ("a ``` b", "comment is never closed", None),
            ("``", "expected a macro, found ``", None),
            ("`a b`", "expected a macro, found `a b`", None),
            ("`loop`", "macros nest deeper than 100 levels at `loop`", None),
            ("`bomb`", "macros expand to more than 10000 calls or 4 MiB", None),
            ("a `grow1(x)`", "macros expand to more than 10000 calls or 4 MiB", None),
        ];
        for (text, message, help) in cases {
            let diagnostic = error(text, &macros());
            assert_eq!(diagnostic.message, message, "{text}");
            assert!(diagnostic.span().is_some_and(|span| span.end <= text.len()), "{text}");
            if help.is_some() {
                assert_eq!(diagnostic.help.as_deref(), help, "{text}");
            }
        }
    }

    #[test]
    fn the_texts_of_calls_stay_within_the_limit() {
        let set = macros();
        let mut expander = Expander {
            macros: &set,
            expansion: Expansion::default(),
            diagnostics: Vec::new(),
            calls: 0,
            filled: 0,
        };
        expander.scan("`grow1(x)`", Source::Written, 0);
        assert!(expander.filled <= MAX_LENGTH, "{}", expander.filled);
        assert!(expander.calls < 10, "{}", expander.calls);
        // One level less than the limit allows is expanded.
        check("`grow55(x)`", &"x".repeat(8 * 8 * 8 * 8 * 8));
    }

    #[test]
    fn an_unknown_macro_inside_another_names_both() {
        let diagnostic = error("x `broken`", &macros());
        assert_eq!(diagnostic.span(), Some(Span::new(2, 10)));
        assert_eq!(diagnostic.notes, ["called in macro `broken`"]);
    }

    #[test]
    fn evaluated_macros_and_validation() {
        let mut set = MacroSet::new();
        set.insert(MacroDefinition {
            is_eval: true,
            validation: Some("isnum($n$) AND $n$>0".to_owned()),
            error_message: Some("n must be a positive number".to_owned()),
            ..define("top", &["n"], "if($n$>10, \"head 10\", \"head \".$n$)")
        });
        set.insert(MacroDefinition { is_eval: true, ..define("odd", &[], "md5(\"x\")") });
        let (expansion, diagnostics) = expand_macros("| `top(3)` | `top(50)`", &set);
        assert_eq!((expansion.text.as_str(), diagnostics.len()), ("| head 3 | head 10", 0));
        assert_eq!(error("| `top(x)`", &set).message, "n must be a positive number");
        assert_eq!(error("| `top(0)`", &set).message, "n must be a positive number");
        assert!(error("`odd`", &set).message.contains("`md5`"));
    }

    #[test]
    fn saved_searches_are_replaced_by_their_text() {
        let mut set = macros();
        set.insert_search("Logins", "`trail` a=$a$ | head 5");
        set.insert_search("Table of All", "| tstats count");
        set.insert_search("again", "| savedsearch again");
        set.insert_search("plain", "search x");
        for (text, expected) in [
            (
                "| savedsearch Logins a=1 | stats count",
                "search sourcetype=trail a=1 | head 5 | stats count",
            ),
            ("| savedsearch \"ESCU - table of all - Rule\"", "| tstats count"),
            ("| from savedsearch:plain|head", "search x|head"),
            (
                "x | append [savedsearch logins a=2] | y",
                "x | append [search sourcetype=trail a=2 | head 5] | y",
            ),
            ("x | append [ | savedsearch plain ]", "x | append [ search x ]"),
            ("x \"| savedsearch plain\"", "x \"| savedsearch plain\""),
            // Not the first command.
            ("x | savedsearch plain", "x | savedsearch plain"),
        ] {
            let (expansion, diagnostics) = expand_macros(text, &set);
            assert_eq!((expansion.text.trim(), diagnostics.len()), (expected, 0), "{text}");
        }
        let diagnostic = error("| savedsearch Login", &set);
        assert_eq!(diagnostic.message, "there is no saved search `Login`");
        assert_eq!(
            diagnostic.help.as_deref(),
            Some("a search with a similar name exists: `Logins`")
        );
        assert_eq!(error("| savedsearch again", &set).code, Code::MACRO_DEPTH);
    }

    #[test]
    fn the_built_in_set() {
        let set = MacroSet::builtin();
        let text = |spl: &str| expand_macros(spl, &set).0.text;
        assert_eq!(text("| `drop_dm_object_name(\"Web\")`"), "| rename Web.* as *");
        assert_eq!(text("`cim_Change_indexes` a=1"), "() a=1");
        assert_eq!(text("| stats count `comment(\"of `all`, by day\")`"), "| stats count ");
        assert!(
            text("| tstats `security_content_summariesonly` count")
                .contains("summariesonly=false ")
        );
    }
}
