//! A change of the configuration as people read it: what gets weaker first, then every line that differs.

use super::blocks;
use super::text::{brief, cut, push_json};
use crate::domain::diff::Difference;
use serde_json::Value;

/// Most characters of one line.
const LINE: usize = 240;
/// Most characters of all lines, in their shown form.
const ALL: usize = 2_800;

/// The difference, at most so many lines of it; what is left out is counted.
pub fn blocks(difference: &Difference, most: usize) -> Vec<Value> {
    let mut blocks = Vec::new();
    if !difference.weakens.is_empty() {
        blocks.push(blocks::section(&weaker(&difference.weakens, most.min(10))));
    }
    if !difference.touches.is_empty() {
        let parts = difference.touches.join(", ");
        let words = format!("It changes {parts}. Countersign announces this when it takes effect.");
        blocks.push(blocks::context(&[words]));
    }
    let (shown, listed) = lines(difference, most);
    if listed > 0 {
        blocks.push(blocks::section(&format!("```{shown}```")));
    }
    let left = difference.lines.len() - listed;
    if left > 0 {
        let line = if left == 1 {
            "line differs"
        } else {
            "lines differ"
        };
        blocks.push(blocks::context(&[format!(
            "{left} more {line}, not shown here."
        )]));
    }
    blocks
}

fn weaker(weakens: &[String], most: usize) -> String {
    let mut lines = vec!["*What gets weaker*".to_owned()];
    let listed = weakens.iter().take(most);
    lines.extend(listed.map(|how| format!("⚠ {}", brief(how, LINE))));
    if weakens.len() > most {
        lines.push(format!("⚠ and {} more", weakens.len() - most));
    }
    lines.join("\n")
}

/// The lines as one block of code, and how many they are.
fn lines(difference: &Difference, most: usize) -> (String, usize) {
    let mut shown = String::new();
    let mut listed = 0;
    for line in difference.lines.iter().take(most) {
        let mut next = format!("{} ", line.change.sign());
        cut(&line.text, LINE)
            .chars()
            .for_each(|sign| push_json(&mut next, sign));
        if shown.chars().count() + next.chars().count() + 1 > ALL {
            break;
        }
        if listed > 0 {
            shown.push('\n');
        }
        shown += &next;
        listed += 1;
    }
    (shown, listed)
}
