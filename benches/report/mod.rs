//! The output of the benchmarks.

/// Returns whether a short run was asked for: `cargo bench --bench NAME -- --quick`.
pub(crate) fn quick() -> bool {
    std::env::args().any(|argument| argument == "--quick")
}

/// Prints rows under a title, in columns as wide as their widest cell.
pub(crate) fn print_table<const COLUMNS: usize>(title: &str, heads: [&str; COLUMNS], rows: &[[String; COLUMNS]]) {
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).chain([heads[column].chars().count()]).max().unwrap_or(0)
    });
    println!("\n{title}\n");
    print_row(&heads.map(String::from), &widths);
    print_row(&widths.map(|width| "-".repeat(width)), &widths);
    rows.iter().for_each(|row| print_row(row, &widths));
}

fn print_row(cells: &[String], widths: &[usize]) {
    let cells: Vec<_> = cells.iter().zip(widths).map(|(cell, &width)| format!("{cell:>width$}")).collect();
    println!("| {} |", cells.join(" | "));
}
