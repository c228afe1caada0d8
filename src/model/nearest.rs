//! What a misspelt word was meant to be.

/// The known word that a misspelt one stands for, if one is near.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.map(|candidate| (distance(word, candidate), candidate)).min()?;
    (near.0 <= 1 + word.chars().count() / 4).then_some(near.1)
}

/// Edits from one word to the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in to.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_mended_and_another_word_is_not() {
        let known = ["workers", "listen", "locality"];
        let near = |word| nearest(word, known.into_iter());
        assert_eq!(near("worker"), Some("workers"));
        assert_eq!(near("lsiten"), Some("listen"));
        assert_eq!(near("colour"), None);
        assert_eq!(nearest("x", [].into_iter()), None);
    }
}
