//! Checks the five fields of an expression, so that an error names its place.

use super::CronError;

/// The most bytes of an expression, far more than any user writes.
const MAX_BYTES: usize = 512;

/// What a field counts.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    /// The names that other programs take for `first`, `first + 1` and so on.
    words: &'static [&'static str],
    first: u32,
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", least: 0, most: 59, words: &[], first: 0 },
    Field { name: "hour", least: 0, most: 23, words: &[], first: 0 },
    Field { name: "day of the month", least: 1, most: 31, words: &[], first: 0 },
    Field {
        name: "month",
        least: 1,
        most: 12,
        words: &[
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ],
        first: 1,
    },
    Field {
        name: "day of the week",
        least: 0,
        most: 7,
        words: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
        first: 0,
    },
];

/// The nicknames of other programs, and what they stand for.
const NICKNAMES: &[(&str, &str)] = &[
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// The fields of an expression that is valid.
pub(super) struct Fields<'a> {
    /// The texts of the fields, from the minute to the day of the week.
    pub(super) texts: [&'a str; 5],
}

/// Splits an expression into its fields and checks each.
pub(super) fn check(text: &str) -> Result<Fields<'_>, CronError> {
    let fail = |from: usize, to: usize, reason: String, help: String| CronError {
        text: text.to_owned(),
        from,
        to,
        reason,
        help,
    };
    let form =
        || "write `minute hour day-of-month month day-of-week`, such as `0 * * * *`".to_owned();
    if text.len() > MAX_BYTES {
        let error = fail(0, 0, format!("it has more than {MAX_BYTES} bytes"), form());
        return Err(CronError { text: text.chars().take(40).collect::<String>() + "…", ..error });
    }
    let mut found: Vec<(usize, &str)> = Vec::new();
    for part in text.split_whitespace() {
        // The part is a slice of the text, so that its address tells where it is.
        found.push((part.as_ptr() as usize - text.as_ptr() as usize, part));
    }
    if let Some((at, name)) = found.first().filter(|(_, part)| part.starts_with('@')) {
        let known = NICKNAMES.iter().find(|(nickname, _)| nickname.eq_ignore_ascii_case(name));
        let help = known.map_or_else(form, |(_, long)| format!("write `{long}`"));
        return Err(fail(*at, at + name.len(), format!("`{name}` is a nickname"), help));
    }
    let Ok([one, two, three, four, five]) = <[_; 5]>::try_from(found.as_slice()) else {
        let count = found.len();
        let reason = format!("expected 5 fields, found {count}");
        let help = match count {
            6 | 7 => format!("{}; schedules have neither seconds nor years", form()),
            _ => form(),
        };
        let (from, to) = match found.get(5) {
            Some((from, _)) => (*from, text.trim_end().len()),
            None => (0, text.len()),
        };
        return Err(fail(from, to, reason, help));
    };
    for (field, (at, part)) in FIELDS.iter().zip([one, two, three, four, five]) {
        let mut from = at;
        for piece in part.split(',') {
            check_piece(field, piece)
                .map_err(|(reason, help)| fail(from, from + piece.len().max(1), reason, help))?;
            from += piece.len() + 1;
        }
    }
    Ok(Fields { texts: [one.1, two.1, three.1, four.1, five.1] })
}

/// Checks one piece of a list: `*`, `5`, `1-5`, `*/15`, `10-40/15`. The error is a reason and a help.
fn check_piece(field: &Field, piece: &str) -> Result<(), (String, String)> {
    let Field { name, least, most, .. } = field;
    let (range, step) = match piece.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (piece, None),
    };
    let bounds = if range == "*" {
        None
    } else if let Some((first, last)) = range.split_once('-') {
        let (first, last) = (number(field, first)?, number(field, last)?);
        if first > last {
            let help =
                format!("write `{first}-{most},{least}-{last}`, or the smaller number first");
            return Err((format!("`{range}` goes from {first} down to {last}"), help));
        }
        Some((first, last))
    } else {
        let only = number(field, range)?;
        Some((only, only))
    };
    let Some(step) = step else { return Ok(()) };
    if let Some((only, last)) = bounds
        && !range.contains('-')
    {
        let help = format!("write `{only}-{most}/{step}`");
        debug_assert_eq!(only, last, "a range without `-` is one number");
        return Err((format!("`{piece}` has a step, but no range"), help));
    }
    let (first, last) = bounds.unwrap_or((*least, *most));
    let most_step = (last - first).max(1);
    match step.parse::<u32>() {
        Ok(step) if (1..=most_step).contains(&step) => Ok(()),
        _ => Err((
            format!("`{step}` is not a step for the {name}: expected 1 to {most_step}"),
            format!("write a step such as `*/{}`", if *most > 20 { 5 } else { 2 }),
        )),
    }
}

fn number(field: &Field, text: &str) -> Result<u32, (String, String)> {
    let Field { name, least, most, words, first } = field;
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits
        && let Some(number) = text.parse().ok().filter(|number| (least..=most).contains(&number))
    {
        return Ok(number);
    }
    let lower = text.to_ascii_lowercase();
    if let Some(index) = words.iter().position(|word| lower.starts_with(word)) {
        let help = format!("write `{}`", index as u32 + first);
        return Err((format!("`{text}` is a name, and the {name} has to be a number"), help));
    }
    let found = if text.is_empty() { "nothing".to_owned() } else { format!("`{text}`") };
    let reason = format!("expected {least} to {most} for the {name}, found {found}");
    Err((reason, "a field is `*`, `5`, `1-5`, `*/15`, or a list such as `0,30`".to_owned()))
}
