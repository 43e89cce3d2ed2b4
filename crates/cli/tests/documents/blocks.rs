//! Extracts fenced code blocks from Markdown, and the commands in them.

/// The kind of a block of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shell {
    /// `console`: the block contains the output of the commands.
    Console,
    /// `sh`: the commands use files of the reader, and their output is not shown.
    Sh,
}

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block<'a> {
    /// The text between the fences, including the last newline.
    pub(crate) text: &'a str,
    /// Why tests do not run the block, from the comment `<!-- not run: … -->` before it.
    pub(crate) not_run: Option<&'a str>,
}

/// Returns the blocks of this kind.
pub(crate) fn of(markdown: &str, shell: Shell) -> Vec<Block<'_>> {
    let fence = match shell {
        Shell::Console => "\n```console\n",
        Shell::Sh => "\n```sh\n",
    };
    let mut blocks = Vec::new();
    let mut rest = markdown;
    while let Some((before, after)) = rest.split_once(fence) {
        let Some(end) = after.find("\n```\n") else { break };
        let comment = before.trim_end().lines().last().unwrap_or_default();
        let not_run =
            comment.strip_prefix("<!-- not run: ").and_then(|text| text.strip_suffix(" -->"));
        blocks.push(Block { text: &after[..=end], not_run });
        rest = &after[end + 1..];
    }
    blocks
}

/// Returns the commands of a console block, without the `$ ` prefix.
pub(crate) fn commands(block: &str) -> Vec<String> {
    block.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect()
}

/// Returns the long options of a command that are not in quotes.
pub(crate) fn options(command: &str) -> Vec<&str> {
    let mut options = Vec::new();
    let mut quote = None;
    for word in command.split(' ') {
        if quote.is_none() && word.starts_with("--") && word.len() > 2 {
            options.push(word.split('=').next().unwrap_or(word));
        }
        word.chars().for_each(|c| quote = quoted(quote, c));
    }
    options
}

/// Returns true if the output is redirected to another command or a file.
pub(crate) fn is_redirected(command: &str) -> bool {
    let mut quote = None;
    command.chars().any(|c| {
        quote = quoted(quote, c);
        quote.is_none() && matches!(c, '|' | '>')
    })
}

/// Returns the quote that is open after `c`.
fn quoted(open: Option<char>, c: char) -> Option<char> {
    match open {
        Some(quote) if c == quote => None,
        Some(quote) => Some(quote),
        None => matches!(c, '\'' | '"').then_some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_their_commands_are_found() {
        let markdown = "A\n\n```console\n$ a b\none\n\n$ c\n```\n\n```sh\nd\n```\n\n\
            <!-- not run: no e -->\n\n```sh\ne\n```\n";
        let console = of(markdown, Shell::Console);
        assert_eq!(console, [Block { text: "$ a b\none\n\n$ c\n", not_run: None }]);
        assert_eq!(commands(console[0].text), ["a b", "c"]);
        let [run, not_run] =
            [Block { text: "d\n", not_run: None }, Block { text: "e\n", not_run: Some("no e") }];
        assert_eq!(of(markdown, Shell::Sh), [run, not_run]);
    }

    #[test]
    fn quotes_hide_options_and_pipes() {
        assert_eq!(options("a --b 'c --d e' --f=g -- h"), ["--b", "--f"]);
        assert!(is_redirected("a 'b | c' | d"));
        assert!(!is_redirected("a 'b | c > d'"));
    }
}
