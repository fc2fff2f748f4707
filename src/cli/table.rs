//! A table drawn in text, as ThinkPHP's console draws it. Formats only. Counterpart in PHP: `think\console\Table`.

use std::fmt;

/// A table of so many columns.
pub(super) struct Table<const N: usize> {
    head: [&'static str; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(head: [&'static str; N]) -> Self {
        Table { head, rows: Vec::new() }
    }

    pub(super) fn row(&mut self, row: [String; N]) {
        self.rows.push(row);
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths = self.head.map(columns);
        for row in &self.rows {
            widths.iter_mut().zip(row).for_each(|(width, cell)| *width = columns(cell).max(*width));
        }
        let rule = format!("+{}+", widths.map(|width| "-".repeat(width + 2)).join("+"));
        let line = |cells: [&str; N]| {
            let pad = |(cell, width): (&str, usize)| format!(" {cell}{} ", " ".repeat(width - columns(cell)));
            let cells: Vec<String> = cells.into_iter().zip(widths).map(pad).collect();
            format!("|{}|", cells.join("|"))
        };
        writeln!(f, "{rule}\n{}\n{rule}", line(self.head))?;
        for row in &self.rows {
            writeln!(f, "{}", line(row.each_ref().map(String::as_str)))?;
        }
        writeln!(f, "{rule}")
    }
}

/// Columns of a terminal that a text takes: East Asian characters take two.
fn columns(text: &str) -> usize {
    let wide = |char: char| matches!(char, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{ff60}' | '\u{20000}'..='\u{3fffd}');
    text.chars().map(|char| if wide(char) { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["ID", "Queue"]);
        table.row(["1".into(), "邮件-mail".into()]);
        table.row(["12".into(), "a".into()]);
        let drawn = "+----+-----------+\n| ID | Queue     |\n+----+-----------+\n| 1  | 邮件-mail |\n| 12 | a         |\n\
                     +----+-----------+\n";
        assert_eq!(table.to_string(), drawn);
    }
}
