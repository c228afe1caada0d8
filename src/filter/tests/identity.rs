//! What is printed reads back as the same, for any filter and any text.

use crate::filter::Filter;
use crate::filter::ast::{Column, Node, Op, Restriction};
use crate::filter::text::Pattern;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_printed_filter_reads_back(root in node()) {
        let filter = Filter { root: Some(root) };
        let text = filter.to_string();
        prop_assert_eq!(Filter::parse(&text).map_err(|e| e.render(&text)), Ok(filter), "{}", text);
    }

    #[test]
    fn what_was_read_prints_in_one_form(words in vec(word(), 0..12)) {
        let text = words.concat();
        if let Ok(filter) = Filter::parse(&text) {
            let printed = filter.to_string();
            let again = Filter::parse(&printed).map_err(|e| e.render(&printed));
            prop_assert_eq!(again.as_ref(), Ok(&filter), "{} as {}", text, printed);
            prop_assert_eq!(again.map(|again| again.to_string()), Ok(printed));
        }
    }

    #[test]
    fn no_text_breaks_the_reader(text in any::<String>()) {
        if let Err(error) = Filter::parse(&text) {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.column), "{error}");
            error.render(&text);
        }
    }
}

/// Pieces of which texts are made that are often correct.
fn word() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        " ",
        " ",
        " ",
        "a",
        "b",
        "*",
        "1.2",
        "\"q r\"",
        "'s'",
        "=",
        "!=",
        ":",
        "<=",
        ">",
        "(",
        ")",
        " AND ",
        " OR ",
        " NOT ",
        " -",
        ".",
        "AND",
        "-",
        "\"\\\"\\*\"",
        "ü",
        "\t",
        ",",
        "\"\"",
        "2026-01-01T00:00:00Z",
    ])
}

fn node() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        text()
            .prop_filter("an empty text is no filter", |text| text.literal() != Some(""))
            .prop_map(Node::Text),
        (vec(name(), 1..4), op(), text()).prop_map(|(path, op, value)| {
            let at = [Column(7); 3];
            Node::Restriction(Restriction { path, op, value, at })
        }),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(Node::And),
            vec(inner.clone(), 2..4).prop_map(Node::Sequence),
            vec(inner.clone(), 2..4).prop_map(Node::Or),
            inner.prop_map(|inner| Node::Not(Box::new(inner))),
        ]
    })
}

fn op() -> impl Strategy<Value = Op> {
    use Op::{Equal, Greater, GreaterEqual, Has, Less, LessEqual, NotEqual};
    proptest::sample::select(vec![Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual, Has])
}

fn name() -> impl Strategy<Value = String> {
    let odd =
        ["AND", "OR", "NOT", "-a", "a.b", "a b", "a*", "", "\"", "\\", "a&&b", "labels", "!", "\u{0}", "é"];
    prop_oneof![
        "[a-z_-]{1,6}",
        proptest::sample::select(odd.to_vec()).prop_map(str::to_owned),
        any::<String>()
    ]
}

/// Texts with and without wildcards; `None` is a star.
fn text() -> impl Strategy<Value = Pattern> {
    let letters = vec(proptest::option::weighted(0.9, any::<char>()), 0..4);
    let likely = "[a-zA-Z0-9 .:*\"'\\-=!<>(),&|]{0,8}".prop_map(|text| text.chars().map(Some).collect());
    let words = proptest::sample::select(vec!["AND", "NOT", "OR.x", "a.b", "1.*", "-1", "a..b", "||"]);
    let words = words.prop_map(|word| word.chars().map(|c| Some(c).filter(|c| *c != '*')).collect());
    prop_oneof![letters, likely, words].prop_map(|letters: Vec<Option<char>>| {
        let mut pattern = Pattern::new();
        letters.into_iter().for_each(|letter| match letter {
            Some(c) => pattern.push(c),
            None => pattern.push_star(),
        });
        pattern
    })
}
