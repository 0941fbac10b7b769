//! Records by status, in words.

use eventful::Status;

/// Returns how many records there are, and of each status that has any.
pub(super) fn describe(records: &[(Status, u64)]) -> String {
    let all: u64 = records.iter().map(|(_, count)| count).sum();
    let some: Vec<_> = records.iter().filter(|(_, count)| *count > 0).collect();
    let some: Vec<_> = some.into_iter().map(|(status, count)| format!("{count} {}", status.as_str())).collect();
    if some.is_empty() { "none".to_owned() } else { format!("{all}: {}", some.join(", ")) }
}
