//! Every refusal says where, what and how to mend it.

use super::SCHEMA;
use crate::filter::{DEEPEST, Filter, LONGEST, MOST_TERMS, OrderBy};

/// A filter, the column at fault, and what is said about it.
const BAD: &[(&str, usize, &str)] = &[
    ("AND a", 1, "`AND` needs something before it"),
    ("a AND", 3, "`AND` needs something after it"),
    ("a AND AND b", 7, "`AND` needs something before it"),
    ("a OR", 3, "`OR` needs something after it"),
    ("(a OR ) b", 4, "`OR` needs something after it"),
    ("NOT", 1, "`NOT` needs something after it"),
    ("NOT NOT a", 5, "`NOT` needs something before it"),
    ("NOT(a)", 4, "a space is missing"),
    ("a AND(b)", 6, "a space is missing"),
    ("()", 1, "nothing stands between these parentheses"),
    ("a (b OR c", 3, "this `(` is never closed"),
    ("(", 1, "this `(` is never closed"),
    ("a)", 2, "no `(` belongs to this `)`"),
    (")", 1, "no `(` belongs to this `)`"),
    ("(a)(b)", 4, "a space is missing"),
    ("\"a\"b", 4, "a space is missing"),
    ("name = \"led", 8, "this quote is never closed; add `\"`"),
    ("name = 'it\\", 8, "this quote is never closed; add `'`"),
    ("don't", 4, "a quote in the middle of a word"),
    ("name = don't", 11, "a quote in the middle of a word"),
    ("name = \"a\\n\"", 10, "`\\n` means nothing"),
    ("name = a\\b", 9, "`\\` stands only in quotes"),
    ("name == x", 6, "`==` is not of this language; write `=`"),
    ("name =~ x", 6, "write `=` with `*` for any text"),
    ("name <> x", 6, "`<>` is not of this language; write `!=`"),
    ("a && b", 3, "`&&` is not of this language; write `AND`"),
    ("a||b", 2, "`||` is not of this language; write `OR`"),
    ("!a", 1, "`!` is not of this language; write `NOT` or `-`"),
    ("a - b", 3, "`-` stands directly before what it negates"),
    (".a", 1, "`.` needs a name before it"),
    ("a.", 2, "`.` needs a name after it"),
    ("a..b", 2, "`.` needs a name after it"),
    ("= x", 1, "`=` needs a field before it"),
    ("name =", 7, "`=` needs a value after it"),
    ("(name = )", 9, "`=` needs a value after it"),
    ("name = AND x", 8, "`=` needs a value after it"),
    ("name = a = b", 10, "a value may be compared once"),
    ("1 < weight < 3", 12, "a value may be compared once"),
    ("a, b", 2, "`,` stands only in quotes"),
    ("name = ,", 8, "`,` stands only in quotes"),
    ("\"\"", 1, "an empty text stands everywhere"),
    ("regex(name, 'x')", 1, "there is no function `regex`"),
    ("a math.mem('30mb')", 3, "there is no function `math.mem`"),
    ("weight = size(a)", 10, "there is no function `size`"),
    ("stage = (alpha OR beta)", 9, "a group cannot be a value"),
    ("ünï AND b\u{0}", 10, "stands only in quotes"),
    ("stge = stable", 1, "`stge` is not a field; did you mean `stage`?"),
    ("a AND sunsettime:*", 7, "did you mean `sunset_time`?"),
    ("colour = red", 1, "`colour` is not a field; quote it to find it as text, or take one of name, stage,"),
    ("http://x.example", 1, "`http` is not a field"),
    ("stage.x = y", 1, "`stage` has nothing inside it"),
    ("stage = stabel", 9, "`stabel` is not a word as `stage` is; did you mean `stable`?"),
    ("stage = x", 9, "it is one of alpha, beta, stable, deprecated"),
    ("stage = sta*", 9, "`stage` has no wildcards with `=`"),
    ("stage < stable", 7, "`stage` cannot be compared with `<`"),
    ("describable = yes", 15, "write `true` or `false`"),
    ("describable > false", 13, "`describable` cannot be compared with `>`"),
    (
        "sunset_time < tomorrow",
        15,
        "`tomorrow` is not a time as `sunset_time` is; write `2026-01-31T00:00:00Z`",
    ),
    ("sunset_time < 2026-02-30", 15, "is not a time"),
    ("sunset_time = 2026*", 15, "`sunset_time` has no wildcards"),
    ("weight > heavy", 10, "`heavy` is not a number"),
    ("weight = NaN", 10, "`NaN` is not a number"),
    ("version = 1.2", 11, "write `1.2.0` or `1.2.*`"),
    ("version > 2", 11, "write `2.0.0`"),
    ("version = *.2", 11, "write `1.2.0`, `1.2.*` or `1.*`"),
    ("version = latest", 11, "`latest` is not a semantic version"),
    ("labels = gold", 8, "write `labels:KEY`, or `labels.KEY = …`"),
    ("labels.\"\" = gold", 1, "a name may not be empty"),
    ("services = x", 10, "it holds several values, so write `services:…`"),
    ("services.0 = x", 1, "`services` has nothing inside it"),
    ("name < a*", 8, "`name` has no wildcards with `<`"),
];

#[test]
fn a_refusal_points_at_the_column_and_says_how_to_mend_it() {
    for (text, column, message) in BAD {
        let error = Filter::parse(text).and_then(|filter| filter.check(SCHEMA)).expect_err(text);
        let said = error.to_string();
        assert!(
            error.column == *column && said.contains(message),
            "{text}\n  expected {column}: {message}\n  {said}"
        );
    }
}

#[test]
fn a_refusal_is_drawn_under_the_text() {
    let render = |text: &str| Filter::parse(text).and_then(|f| f.check(SCHEMA)).unwrap_err().render(text);
    let drawn = "a AND stge = stable\n      ^ `stge` is not a field; did you mean `stage`?";
    assert_eq!(render("a\tAND stge = stable"), drawn);
    let far = render(&format!("{}stage = nothing {}", "a ".repeat(60), "b".repeat(90)));
    let (line, caret) = far.split_once('\n').unwrap();
    assert_eq!((line.chars().count(), caret.find('^')), (72, Some(36)), "{far}");
    assert!(line[36..].starts_with("nothing"), "{far}");
}

#[test]
fn what_is_too_much_is_refused() {
    let parse = |text: String| Filter::parse(&text).map(|_| ()).map_err(|error| error.to_string());
    let says = |text: String, what: &str| {
        let error = parse(text).unwrap_err();
        assert!(error.contains(what), "{error}");
    };
    assert_eq!(parse("a ".repeat(MOST_TERMS)), Ok(()));
    says("a ".repeat(MOST_TERMS + 1), "more than 100 terms");
    assert_eq!(parse(format!("\"{}\"", "a".repeat(LONGEST - 2))), Ok(()));
    says(format!("\"{}\"", "ü".repeat(LONGEST / 2)), "column 2050: longer than 4096 bytes");
    assert_eq!(parse(format!("{}a{}", "(".repeat(DEEPEST), ")".repeat(DEEPEST))), Ok(()));
    says("(".repeat(LONGEST), "column 21: parentheses stand deeper than 20");
}

#[test]
fn an_order_is_refused_at_its_column() {
    let table = [
        ("name,", 6, "nothing stands here"),
        (", name", 1, "nothing stands here"),
        ("name down", 6, "`down` is no direction"),
        ("name desc asc", 11, "`asc` is no direction"),
        ("name, stge desc", 7, "did you mean `stage`?"),
        ("stage,  name, stage desc", 15, "`stage` orders already"),
        ("ünï", 1, "`ünï` is not a field"),
        ("name, services", 7, "it holds several values"),
        ("labels", 1, "name a key of it"),
        ("name.x", 1, "`name` has nothing inside it"),
    ];
    for (text, column, message) in table {
        let error = OrderBy::parse(text, SCHEMA).expect_err(text);
        let said = error.to_string();
        assert!(
            error.column == column && said.contains(message),
            "{text}: expected {column}: {message}: {said}"
        );
    }
}
