//! Holds `src/` to the table of rooms in `ARCHITECTURE.md`: imports point down, floor by floor, without a circle.
//!
//! It reads text, as a careful person would: comments and strings are blanked first, then every `crate::room` path is
//! found, in `use` trees as well as inline, and every `super::` that climbs out of its room.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each room with the rooms that it may import. `*` stands for every room on a lower line.
const ROOMS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    ("cli", &["broker", "client", "lifecycle", "manifest", "descriptors"]),
    ("broker", &["*"]),
    ("api", &["*"]),
    ("portal", &["*"]),
    ("relay", &["model", "lifecycle", "access", "catalog", "uplink", "transport", "usage", "telemetry"]),
    (
        "federation",
        &["model", "lifecycle", "access", "catalog", "descriptors", "uplink", "store", "identity", "wire"],
    ),
    ("operations", &["model", "lifecycle", "access", "catalog", "uplink", "store"]),
    ("status", &["model", "lifecycle", "catalog", "uplink"]),
    ("uplink", &["model", "wire", "identity", "transport", "lifecycle", "telemetry"]),
    ("client", &["model", "wire", "identity", "transport", "lifecycle"]),
    ("usage", &["model", "lifecycle", "store"]),
    ("catalog", &["model"]),
    ("descriptors", &["model"]),
    ("access", &["model"]),
    ("manifest", &["model", "lifecycle"]),
    ("wire", &["model"]),
    ("identity", &["model", "lifecycle"]),
    ("store", &["model", "lifecycle"]),
    ("transport", &["model", "lifecycle"]),
    ("filter", &["model"]),
    ("telemetry", &["model", "lifecycle"]),
    ("model", &[]),
    ("lifecycle", &[]),
];

/// Rooms of one floor may not import each other, so `*` must not reach sideways.
const SIDEWAYS: &[(&str, &str)] = &[("api", "portal")];

/// One import: from which file, from which room, to which room.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Import {
    file: PathBuf,
    from: String,
    to: String,
}

#[test]
fn imports_follow_the_table() {
    let faults = judge(&sources());
    assert!(faults.is_empty(), "the house is out of order:\n  {}", faults.join("\n  "));
}

#[test]
fn every_file_opens_with_a_sentence() {
    let silent: Vec<_> = sources().into_iter().filter(|(_, text)| !text.starts_with("//! ")).collect();
    assert!(silent.is_empty(), "no opening sentence: {:?}", silent.iter().map(|s| &s.0).collect::<Vec<_>>());
}

#[test]
fn a_forbidden_import_is_found_in_every_dress() {
    let dresses = [
        "use crate::broker;",
        "use crate::broker::Broker;",
        "use crate::{model::Digest, broker::{self, Broker}};",
        "use crate::{\n    model,\n    broker,\n};",
        "pub(crate) use crate::broker as b;",
        "fn f() { crate::broker::start() }",
        "fn f() -> crate :: broker :: Broker { crate::model::any() }",
        "mod inner { use super::super::broker::Broker; }",
        "use super::broker;",
        "use portolan::broker::Broker;",
        "macro_rules! m { () => { $crate::broker::start() } }",
        "use crate::r#broker;",
    ];
    for dress in dresses {
        let faults = judge(&[(PathBuf::from("catalog.rs"), format!("//! Rooms.\n{dress}\n"))]);
        assert!(faults.iter().any(|f| f.contains("catalog may not import broker")), "{dress}: {faults:?}");
    }
    let deep = vec![(PathBuf::from("catalog/part.rs"), "use super::super::broker::Broker;".to_owned())];
    assert!(judge(&deep).iter().any(|f| f.contains("catalog may not import broker")));
}

#[test]
fn what_is_no_import_is_left_alone() {
    let innocent = [
        "use crate::model::Digest;",
        "use super::part;",
        "use self::part::Thing;",
        "// use crate::broker;",
        "/* crate::broker /* nested */ crate::broker */",
        "const S: &str = \"crate::broker \\\" crate::broker\";",
        "const R: &str = r#\"use crate::broker; \" \"#;",
        "fn f<'a>(x: &'a str) -> char { let _ = '\"'; 'x' }",
        "use other_crate::broker;",
        "pub(crate) fn f() {}",
        "use crate::catalog::Snapshot;",
    ];
    for line in innocent {
        let files = [(PathBuf::from("catalog/part.rs"), format!("{line}\n"))];
        assert_eq!(judge(&files), Vec::<String>::new(), "{line}");
    }
}

#[test]
fn sideways_unknown_globbed_and_grandfathered_files_are_found() {
    let fault_of = |file: &str, text: &str| judge(&[(PathBuf::from(file), text.to_owned())]).join("; ");
    assert!(fault_of("api.rs", "use crate::portal::Page;").contains("api may not import portal"));
    assert!(fault_of("model.rs", "use crate::nowhere::X;").contains("no room is called nowhere"));
    assert!(fault_of("attic.rs", "").contains("no room is called attic"));
    assert!(fault_of("model.rs", "use crate::*;").contains("imports everything"));
    assert!(fault_of("model/mod.rs", "").contains("mod.rs"));
    assert!(fault_of("main.rs", "use portolan::broker::Broker;").contains("main may not import broker"));
    assert_eq!(fault_of("main.rs", "use portolan::cli;"), "");
}

#[test]
fn a_circle_is_found() {
    let import = |from: &str, to: &str| Import { file: "x.rs".into(), from: from.into(), to: to.into() };
    let circle = [import("a", "b"), import("b", "c"), import("c", "a"), import("c", "d")];
    assert_eq!(circle_in(&circle).unwrap(), "a -> b -> c -> a");
    assert_eq!(circle_in(&circle[..2]), None);
}

#[test]
fn the_table_itself_has_no_circle() {
    let allowed: Vec<Import> = ROOMS
        .iter()
        .flat_map(|(from, _)| ROOMS.iter().map(move |(to, _)| (from, to)))
        .filter(|(from, to)| from != to && may_import(from, to))
        .map(|(from, to)| Import { file: "table".into(), from: (*from).into(), to: (*to).into() })
        .collect();
    assert_eq!(circle_in(&allowed), None);
}

/// All `.rs` files below `src/`, relative to it, with their text.
fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    assert!(files.len() > 3, "src/ was not found");
    files.sort();
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).unwrap();
        (file.strip_prefix(&root).unwrap().to_path_buf(), text)
    };
    files.into_iter().map(read).collect()
}

/// Everything that is wrong with these files.
fn judge(files: &[(PathBuf, String)]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut imports = BTreeSet::new();
    for (file, text) in files {
        let shown = file.display();
        if file.file_name().is_some_and(|name| name == "mod.rs") {
            faults.push(format!("{shown}: mod.rs is not used here; a room is room.rs and room/part.rs"));
        }
        let room = room_of(file);
        if room == "lib" {
            continue;
        }
        if !is_room(&room) {
            faults.push(format!("{shown}: no room is called {room}; the table is in tests/architecture.rs"));
        }
        for to in imports_in(file, text) {
            if to == "*" {
                faults.push(format!("{shown}: imports everything of the crate; name the rooms"));
            } else if !is_room(&to) {
                faults.push(format!("{shown}: no room is called {to}"));
            } else if to != room {
                if !may_import(&room, &to) {
                    faults.push(format!("{shown}: {room} may not import {to}"));
                }
                imports.insert(Import { file: file.clone(), from: room.clone(), to });
            }
        }
    }
    let imports: Vec<_> = imports.into_iter().collect();
    faults.extend(circle_in(&imports).map(|circle| format!("a circle: {circle}")));
    faults
}

/// The first part of the path: `catalog/part.rs` and `catalog.rs` are the room `catalog`.
fn room_of(file: &Path) -> String {
    let first = file.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.strip_suffix(".rs").map(str::to_owned).unwrap_or(first)
}

fn is_room(name: &str) -> bool {
    ROOMS.iter().any(|(room, _)| *room == name)
}

fn may_import(from: &str, to: &str) -> bool {
    let line = |name: &str| ROOMS.iter().position(|(room, _)| *room == name);
    let (Some(a), Some(b)) = (line(from), line(to)) else { return false };
    if SIDEWAYS.iter().any(|(x, y)| (*x, *y) == (from, to) || (*y, *x) == (from, to)) {
        return false;
    }
    ROOMS[a].1.contains(&to) || (ROOMS[a].1.contains(&"*") && b > a)
}

/// A circle among the rooms, written as a path, if there is one.
fn circle_in(imports: &[Import]) -> Option<String> {
    fn visit<'a>(
        room: &'a str,
        next: &BTreeMap<&'a str, BTreeSet<&'a str>>,
        path: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<String> {
        if let Some(start) = path.iter().position(|seen| *seen == room) {
            return Some([&path[start..], &[room]].concat().join(" -> "));
        }
        if !done.contains(room) {
            path.push(room);
            let circle = next.get(room).into_iter().flatten().find_map(|to| visit(to, next, path, done));
            if circle.is_some() {
                return circle;
            }
            path.pop();
            done.insert(room);
        }
        None
    }
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for import in imports {
        next.entry(&import.from).or_default().insert(&import.to);
    }
    let (mut path, mut done) = (Vec::new(), BTreeSet::new());
    next.keys().find_map(|room| visit(room, &next, &mut path, &mut done))
}

/// The rooms that a file names, its own included; `*` for a glob over the crate.
fn imports_in(file: &Path, text: &str) -> BTreeSet<String> {
    let tokens = tokens(&blank(text));
    let mut rooms = BTreeSet::new();
    let mut blocks: Vec<bool> = Vec::new();
    let depth_of_file = file.components().count() - usize::from(file.components().count() == 1);
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map_or("", |i| tokens[i].as_str());
        match token.as_str() {
            "{" => blocks.push(at >= 2 && tokens[at - 2] == "mod"),
            "}" => drop(blocks.pop()),
            "crate" if before != "::" => first_segments(&tokens, at + 1, &mut rooms),
            "portolan" if before != "::" => first_segments(&tokens, at + 1, &mut rooms),
            "super" if before != "::" => {
                let climbed = supers(&tokens, at);
                let inline = blocks.iter().filter(|is_module| **is_module).count();
                // A room's own file is one below the crate; each folder and each inline module adds one.
                if climbed >= depth_of_file.max(1) + inline {
                    first_segments(&tokens, at + 2 * climbed - 1, &mut rooms);
                }
            }
            _ => {}
        }
    }
    rooms
}

/// How many `super` stand in a row from here.
fn supers(tokens: &[String], at: usize) -> usize {
    let mut count = 1;
    while tokens.get(at + 2 * count - 1).is_some_and(|t| t == "::")
        && tokens.get(at + 2 * count).is_some_and(|t| t == "super")
    {
        count += 1;
    }
    count
}

/// After `crate`: `::room…`, `::{room…, room…}` or `::*`.
fn first_segments(tokens: &[String], at: usize, rooms: &mut BTreeSet<String>) {
    let word = |i: usize| tokens.get(i).map_or("", String::as_str);
    if word(at) != "::" {
        return;
    }
    if word(at + 1) != "{" {
        rooms.insert(word(at + 1).to_owned());
        return;
    }
    let (mut i, mut depth, mut fresh) = (at + 2, 1, true);
    while depth > 0 && i < tokens.len() {
        match word(i) {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => fresh = true,
            name if depth == 1 && fresh => {
                rooms.insert(name.to_owned());
                fresh = false;
            }
            _ => {}
        }
        i += 1;
    }
}

/// Words, `::` and single signs.
fn tokens(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_alphanumeric() || c == '_' {
            let mut word = String::from(c);
            while let Some(more) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                word.push(more);
            }
            if word == "r" && chars.next_if_eq(&'#').is_some() {
                continue;
            }
            found.push(word);
        } else if c == ':' && chars.next_if_eq(&':').is_some() {
            found.push("::".into());
        } else if !c.is_whitespace() {
            found.push(c.into());
        }
    }
    found
}

/// The text with comments, strings and character literals replaced by spaces.
fn blank(text: &str) -> String {
    let c: Vec<char> = text.chars().collect();
    let at = |i: usize| c.get(i).copied().unwrap_or('\0');
    let is_word = |ch: char| ch.is_alphanumeric() || ch == '_';
    let (mut out, mut i) = (String::with_capacity(text.len()), 0);
    while i < c.len() {
        let start = i;
        let follows_word = i > 0 && is_word(c[i - 1]);
        match (c[i], at(i + 1)) {
            ('/', '/') => i = (i..c.len()).find(|i| c[*i] == '\n').unwrap_or(c.len()),
            ('/', '*') => i = end_of_comment(&c, i),
            ('"', _) => i = end_of_string(&c, i),
            ('r', '"' | '#') if !follows_word || matches!(c[i - 1], 'b' | 'c') => {
                i = end_of_raw(&c, i).unwrap_or(i + 1);
                if i == start + 1 {
                    out.push('r');
                    continue;
                }
            }
            ('\'', '\\') => i = (i + 3..c.len()).find(|i| c[*i] == '\'').map_or(c.len(), |i| i + 1),
            ('\'', _) if at(i + 2) == '\'' => i += 3,
            (other, _) => {
                out.push(other);
                i += 1;
                continue;
            }
        }
        out.push(' ');
        out.extend(c[start..i].iter().filter(|c| **c == '\n'));
    }
    out
}

fn end_of_comment(c: &[char], start: usize) -> usize {
    let (mut i, mut depth) = (start + 2, 1);
    while i < c.len() && depth > 0 {
        match (c[i], c.get(i + 1)) {
            ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
            ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
    }
    i
}

fn end_of_string(c: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < c.len() {
        match c[i] {
            '\\' => i += 2,
            '"' => return i + 1,
            _ => i += 1,
        }
    }
    c.len()
}

/// The end of `r"…"` or `r#"…"#`; `None` if this is a raw identifier or a plain word.
fn end_of_raw(c: &[char], start: usize) -> Option<usize> {
    let hashes = c[start + 1..].iter().take_while(|c| **c == '#').count();
    let open = start + 1 + hashes;
    if c.get(open) != Some(&'"') {
        return None;
    }
    let closes =
        |i: &usize| c[*i] == '"' && c[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    (open + 1..c.len()).find(closes).map(|i| i + 1 + hashes)
}
