//! Events and numbers as text.

use serde_json::Value;

/// A table with columns as wide as their widest cell.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|name| name.len())).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let head = line(&mut head.iter().copied());
    std::iter::once(head).chain(rows.iter().map(|row| line(&mut row.iter().map(String::as_str)))).collect()
}

/// Characters of an error in a list: the reason of an open circuit, and the status that the target responded with.
const ERROR_CHARS: usize = 100;

/// The row of an event in a list.
pub(super) fn row(record: &Value) -> Vec<String> {
    let error = text(record, "last_error");
    let error = error.lines().next().unwrap_or_default().chars().take(ERROR_CHARS).collect();
    let columns = ["status", "attempt", "source", "id", "type", "accepted_at"].map(|name| text(record, name));
    columns.into_iter().chain([error]).collect()
}

/// The head of such a list.
pub(super) const HEAD: [&str; 7] = ["STATUS", "ATTEMPT", "SOURCE", "ID", "TYPE", "ACCEPTED", "ERROR"];

/// A member as text, without quotes; empty when it is absent. Control characters are written out: what senders and
/// targets say must not command a terminal.
pub(super) fn text(object: &Value, name: &str) -> String {
    match object.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => visible(text),
        Some(other) => visible(&other.to_string()),
    }
}

fn visible(text: &str) -> String {
    let escape = |char: char| -> String {
        if char.is_control() && char != '\n' { char.escape_default().collect() } else { char.to_string() }
    };
    text.chars().map(escape).collect()
}

/// The members of an event that are shown first.
const FIRST: [&str; 8] = ["id", "source", "type", "status", "explanation", "attempt", "last_error", "payload"];

/// An event, a member a line.
pub(super) fn event(record: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let first = FIRST.into_iter().filter(|name| record.get(name).is_some());
    let others = record.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    let others = others.filter(|name| !FIRST.contains(name) && !["history", "attributes"].contains(name));
    for name in first.chain(others) {
        let indented = text(record, name).replace('\n', "\n                    ");
        lines.push(format!("{name:18}  {indented}"));
    }
    for (name, _) in record["attributes"].as_object().into_iter().flatten() {
        lines.push(format!("{:18}  {} = {}", "attribute", visible(name), text(&record["attributes"], name)));
    }
    for attempt in record["history"].as_array().into_iter().flatten() {
        let error = text(attempt, "error");
        let error = error.lines().next().unwrap_or_default();
        lines.push(format!("{:18}  {} {} {error}", "past attempt", text(attempt, "started_at"), text(attempt, "end")));
    }
    lines
}

/// All numbers, a line each, histograms as their count and mean.
pub(super) fn numbers(stats: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, value) in stats.as_object().into_iter().flatten() {
        match value.as_object() {
            Some(histogram) if histogram.contains_key("bucket") => {
                let (count, sum) = (value["count"].as_u64().unwrap_or(0), value["sum"].as_f64().unwrap_or(0.0));
                let mean = if count == 0 { 0.0 } else { sum / count as f64 };
                lines.push(format!("{name:36}{count} times, {mean:.6} s on average"));
            }
            Some(labels) => {
                // Most labels count nothing, and would push the others off the screen.
                let nonzero = labels.iter().filter(|(_, number)| number.as_u64() != Some(0));
                lines.extend(nonzero.map(|(label, number)| format!("{:36}{number}", format!("{name} {label}"))));
            }
            None => lines.push(format!("{name:36}{value}")),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a".to_owned(), "ä".to_owned()], vec!["long".to_owned(), String::new()]];
        assert_eq!(table(&["X", "YY"], &rows), ["X     YY", "a     ä", "long"]);
    }

    #[test]
    fn control_characters_reach_no_terminal() {
        let record = json!({"id": "a\u{1b}[2J", "last_error": "one\u{7}\ntwo", "attempt": 1});
        assert_eq!(row(&record)[3], "a\\u{1b}[2J");
        assert_eq!(row(&record)[6], "one\\u{7}");
        assert!(event(&record).iter().all(|line| !line.contains('\u{1b}')));
    }

    #[test]
    fn numbers_have_a_line_each() {
        let stats = json!({
            "line_length": 3,
            "records": {"failed": 2, "received": 0},
            "queue_time_seconds": {"bucket": {}, "sum": 3.0, "count": 2}
        });
        let lines = numbers(&stats).join("\n");
        for wanted in ["line_length", "records failed", "2 times, 1.500000 s on average"] {
            assert!(lines.contains(wanted), "{lines}");
        }
        assert!(!lines.contains("received"), "{lines}");
    }
}
