//! Fields: come and gone, types, cardinality.

use super::{CARDINALITY, DELETED, GONE, NAME, NAMES, NONE, NUMBER, SAME_TYPE, SIGN, TYPE, other, same};
use crate::compat::Change;

/// The rows.
pub const CHANGES: &[Change] = &[
    // Fields come and go.
    same("int32 a = 1;", "int32 a = 1;", NONE),
    same("int32 a = 1;", "int32 a = 1; int32 b = 2;", NONE),
    same(
        "int32 a = 1;",
        "int32 a = 1; repeated string b = 2; map<string, int32> c = 3; optional bool d = 4;",
        NONE,
    ),
    same("int32 a = 1;", "string z = 9; int32 a = 1;", NONE),
    other("int32 a = 1; int32 b = 2;", "int32 a = 1;", &[NUMBER], DELETED, ""),
    same("int32 a = 1; int32 b = 2;", "int32 a = 1; reserved 2;", &["FIELD_NO_DELETE_UNLESS_NAME_RESERVED"]),
    same("int32 a = 1; int32 b = 2;", "int32 a = 1; reserved \"b\";", &[NUMBER]),
    other(
        "int32 a = 1; int32 b = 2;",
        "int32 a = 1; reserved 2; reserved \"b\";",
        &["FIELD_NO_DELETE"],
        NONE,
        GONE,
    ),
    other(
        "int32 a = 1; int32 b = 2;",
        "int32 a = 1; reserved 1000 to 2000, 2 to 4; reserved \"b\";",
        &["FIELD_NO_DELETE"],
        NONE,
        GONE,
    ),
    other("int32 a = 1;", "int32 a = 2;", &[NUMBER], DELETED, ""),
    other("int32 a = 1;", "int32 b = 1;", NAME, NAMES, ""),
    same("int32 a_b = 1;", "int32 a_b = 1 [json_name = \"c\"];", &["FIELD_SAME_JSON_NAME"]),
    same("int32 a_b = 1;", "int32 a_b = 1 [json_name = \"aB\"];", NONE),
    other("int32 a = 1; int32 b = 2;", "int32 b = 1; int32 a = 2;", NAME, NAMES, ""),
    same("int32 a = 1;", "int32 a = 1 [deprecated = true];", NONE),
    // Types.
    same("int32 a = 1;", "int64 a = 1;", TYPE),
    other("int32 a = 1;", "uint32 a = 1;", SAME_TYPE, NONE, SIGN),
    other("uint64 a = 1;", "int64 a = 1;", SAME_TYPE, NONE, SIGN),
    other("fixed32 a = 1;", "sfixed32 a = 1;", SAME_TYPE, NONE, SIGN),
    other("sfixed64 a = 1;", "fixed64 a = 1;", SAME_TYPE, NONE, SIGN),
    same("int32 a = 1;", "bool a = 1;", TYPE),
    same("int32 a = 1;", "sint32 a = 1;", TYPE),
    same("int64 a = 1;", "fixed64 a = 1;", TYPE),
    same("float a = 1;", "double a = 1;", TYPE),
    same("string a = 1;", "bytes a = 1;", TYPE),
    same("bytes a = 1;", "string a = 1;", TYPE),
    same("string a = 1;", "int32 a = 1;", TYPE),
    same("message M { E a = 1; } enum E { X = 0; }", "message M { int32 a = 1; } enum E { X = 0; }", TYPE),
    same("message M { N a = 1; } message N {}", "message M { bytes a = 1; } message N {}", TYPE),
    same("message M { N a = 1; } message N {}", "message M { O a = 1; } message O {}", TYPE),
    other(
        "message M { E a = 1; message I { enum E { X = 0; } } enum E { Y = 0; } }",
        "message M { I.E a = 1; message I { enum E { X = 0; } } enum E { Y = 0; } }",
        SAME_TYPE,
        TYPE,
        "",
    ),
    other(
        "message M { E a = 1; } enum E { X = 0; }",
        "message M { I.E a = 1; message I { enum E { X = 0; } } }",
        SAME_TYPE,
        NONE,
        "another type, even where its values are the same: what it means is no more held by its name",
    ),
    same("message M { N a = 1; message N {} }", "message M { N a = 1; } message N {}", TYPE),
    // Cardinality.
    same("int32 a = 1;", "repeated int32 a = 1;", CARDINALITY),
    same("repeated string a = 1;", "string a = 1;", CARDINALITY),
    same("int32 a = 1;", "optional int32 a = 1;", NONE),
    same("optional int32 a = 1;", "int32 a = 1;", NONE),
    same("repeated int32 a = 1;", "repeated int32 a = 1 [packed = false];", NONE),
    same("map<string, int32> a = 1;", "map<string, int64> a = 1;", TYPE),
    same("map<string, int32> a = 1;", "map<int32, int32> a = 1;", TYPE),
    same(
        "message M { map<string, int32> a = 1; }",
        "message M { repeated AEntry a = 1; message AEntry { string key = 1; int32 value = 2; } }",
        CARDINALITY,
    ),
];
