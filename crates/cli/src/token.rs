//! The `token` command: makes, lists, removes and disables the tokens of senders of events.
//!
//! A running server reads the file again when it changes.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Error, Result, anyhow, bail};
use spilltrail_app::option_file;
use spilltrail_event::Value;
use spilltrail_search::rows::Row;
use spilltrail_server::hec::{Token, Tokens};
use spilltrail_server::{TokenHash, new_token, replace_private};

use crate::arguments::{TokenAddOptions, TokenCommand, TokenListOptions, TokenNamedOptions};
use crate::{output, report, table};

/// The most bytes of the file.
const MAX_BYTES: u64 = 4 << 20;

/// The columns of the list.
const COLUMNS: &[&str] = &["name", "index", "sourcetype", "use_ack", "enabled", "created"];

pub(crate) fn run(command: &TokenCommand) -> Result<ExitCode> {
    match command {
        TokenCommand::Add(options) => add(options),
        TokenCommand::List(options) => list(options),
        TokenCommand::Remove(options) => remove(options),
        TokenCommand::Disable(options) => enable(options, false),
        TokenCommand::Enable(options) => enable(options, true),
    }
}

/// Reads the tokens in a file; none if it is not there.
///
/// # Errors
/// Fails if the file cannot be read, or has something else.
pub(crate) fn read(path: &Path) -> Result<Tokens> {
    let name = path.display();
    match option_file::read(path, MAX_BYTES) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Tokens::default()),
        Err(error) => Err(error).with_context(|| format!("the tokens in {name} cannot be read")),
        Ok(bytes) => serde_json::from_slice(&bytes)
            .with_context(|| format!("{name} has no tokens that can be used")),
    }
}

fn write(path: &Path, tokens: &Tokens) -> Result<()> {
    let text = serde_json::to_string_pretty(tokens)?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    }
    replace_private(path, &format!("{text}\n"))
        .with_context(|| format!("the tokens in {} cannot be written", path.display()))
}

fn add(options: &TokenAddOptions) -> Result<ExitCode> {
    let path = options.data.folder()?.tokens();
    let mut tokens = read(&path)?.list().to_vec();
    let name = &options.name;
    if tokens.iter().any(|token| token.name == *name) {
        bail!(
            "there is a token `{name}` already; choose another name, or remove that one first with \
             `spilltrail token remove {name}`"
        );
    }
    let secret = new_token()?;
    let created = jiff::Timestamp::now().as_microsecond();
    tokens.push(Token {
        index: options.index.clone(),
        sourcetype: options.sourcetype.clone(),
        source: options.source.clone(),
        host: options.host.clone(),
        query_string: options.query_string,
        indexes: options.allow_index.clone(),
        use_ack: options.use_ack,
        ..Token::new(options.name.clone(), TokenHash::of(&secret), created)
    });
    write(&path, &Tokens::new(tokens)?)?;
    output::print(&format!("{secret}\n"))?;
    report::line(format_args!(
        "note: this is the token `{}`; it is not shown again. A sender puts it in the header \
         `Authorization: Splunk …`",
        options.name
    ));
    let folder = options.data.folder()?;
    if !folder.store().is_file() {
        report::line(format_args!(
            "note: no server has worked in {} yet; `spilltrail serve --data {0}` takes this token",
            folder.path().display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn list(options: &TokenListOptions) -> Result<ExitCode> {
    let path = options.data.folder()?.tokens();
    let tokens = read(&path)?;
    let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::text);
    let row = |token: &Token| -> Row {
        let created = jiff::Timestamp::from_microsecond(token.created);
        let created = created.map_or(Value::Null, |time| Value::text(format!("{time:.0}")));
        let values = [
            Value::text(token.name.clone()),
            Value::text(token.default_index().to_owned()),
            text(&token.sourcetype),
            Value::text(token.use_ack.to_string()),
            Value::text(token.enabled.to_string()),
            created,
        ];
        COLUMNS.iter().map(|name| (*name).to_owned()).zip(values).collect()
    };
    let rows: Vec<Row> = tokens.list().iter().map(row).collect();
    table::print(COLUMNS, &rows, options.format)?;
    if rows.is_empty() {
        report::line(format_args!(
            "note: there is no token: nobody can send events; `spilltrail token add NAME` makes one"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn remove(options: &TokenNamedOptions) -> Result<ExitCode> {
    let path = options.data.folder()?.tokens();
    let tokens = read(&path)?;
    let others: Vec<Token> =
        tokens.list().iter().filter(|token| token.name != options.name).cloned().collect();
    if others.len() == tokens.list().len() {
        return Err(unknown(&tokens, &options.name));
    }
    write(&path, &Tokens::new(others)?)?;
    report::line(format_args!("note: the token `{}` is removed", options.name));
    Ok(ExitCode::SUCCESS)
}

fn enable(options: &TokenNamedOptions, is_enabled: bool) -> Result<ExitCode> {
    let path = options.data.folder()?.tokens();
    let tokens = read(&path)?;
    let mut all = tokens.list().to_vec();
    let Some(token) = all.iter_mut().find(|token| token.name == options.name) else {
        return Err(unknown(&tokens, &options.name));
    };
    token.enabled = is_enabled;
    write(&path, &Tokens::new(all)?)?;
    let is = if is_enabled { "enabled" } else { "disabled" };
    report::line(format_args!("note: the token `{}` is {is}", options.name));
    Ok(ExitCode::SUCCESS)
}

/// Returns the error that there is no token with a name.
fn unknown(tokens: &Tokens, name: &str) -> Error {
    let names: Vec<&str> = tokens.list().iter().map(|token| token.name.as_str()).collect();
    let known = if names.is_empty() {
        "there are none".to_owned()
    } else {
        format!("there are `{}`", names.join("`, `"))
    };
    anyhow!("there is no token `{name}`; {known}")
}
