//! proto2, editions, and from one syntax to another.

use super::{BOTH, CARDINALITY, DEFAULT, NAME, NONE, REQUIRED, TYPE, other, same};
use crate::compat::Change;

/// The rows.
pub const CHANGES: &[Change] = &[
    // proto2.
    same(
        "syntax = \"proto2\"; message M { required int32 a = 1; }",
        "syntax = \"proto2\"; message M { required int32 a = 1; optional int32 b = 2; }",
        NONE,
    ),
    same(
        "syntax = \"proto2\"; message M { }",
        "syntax = \"proto2\"; message M { required int32 b = 2; }",
        REQUIRED,
    ),
    other(
        "syntax = \"proto2\"; message M { optional int32 a = 1; }",
        "syntax = \"proto2\"; message M { required int32 a = 1; }",
        REQUIRED,
        BOTH,
        "",
    ),
    other(
        "syntax = \"proto2\"; message M { required int32 a = 1; }",
        "syntax = \"proto2\"; message M { optional int32 a = 1; }",
        REQUIRED,
        BOTH,
        "",
    ),
    same(
        "syntax = \"proto2\"; message M { optional int32 a = 1 [default = 4]; }",
        "syntax = \"proto2\"; message M { optional int32 a = 1 [default = 5]; }",
        DEFAULT,
    ),
    same(
        "syntax = \"proto2\"; message M { optional int32 a = 1; }",
        "syntax = \"proto2\"; message M { optional int32 a = 1 [default = 0]; }",
        NONE,
    ),
    same(
        "syntax = \"proto2\"; message M { optional string a = 1; }",
        "syntax = \"proto2\"; message M { optional string a = 1 [default = \"x\"]; }",
        DEFAULT,
    ),
    same(
        "syntax = \"proto2\"; message M { optional bool a = 1 [default = false]; }",
        "syntax = \"proto2\"; message M { optional bool a = 1; }",
        NONE,
    ),
    same(
        "syntax = \"proto2\"; message M { optional E a = 1; } enum E { X = 0; Y = 1; }",
        "syntax = \"proto2\"; message M { optional E a = 1 [default = Y]; } enum E { X = 0; Y = 1; }",
        DEFAULT,
    ),
    same(
        "syntax = \"proto2\"; message M { optional E a = 1; } enum E { X = 0; Y = 1; }",
        "syntax = \"proto2\"; message M { optional E a = 1 [default = X]; } enum E { X = 0; Y = 1; }",
        NONE,
    ),
    same(
        "syntax = \"proto2\"; message M { optional group G = 1 { optional int32 a = 1; } }",
        "syntax = \"proto2\"; message M { optional group G = 1 { optional int64 a = 1; } }",
        TYPE,
    ),
    same(
        "syntax = \"proto2\"; message M { extensions 10 to 20; } extend M { optional int32 x = 10; }",
        "syntax = \"proto2\"; message M { extensions 10 to 20; } extend M { optional int64 x = 10; }",
        TYPE,
    ),
    other(
        "syntax = \"proto2\"; message M { extensions 10 to 20; } extend M { optional int32 x = 10; }",
        "syntax = \"proto2\"; message M { extensions 10 to 20; }",
        &["EXTENSION_NO_DELETE"],
        NONE,
        "a consumer who sends the extension is not understood any more",
    ),
    same(
        "syntax = \"proto2\"; message M { extensions 10 to 20; } extend M { optional int32 x = 10; }",
        "syntax = \"proto2\"; message M { extensions 10 to 20; } extend M { optional int32 y = 10; }",
        NAME,
    ),
    same(
        "syntax = \"proto2\"; message M { optional int32 a = 1; }",
        "message M { optional int32 a = 1; }",
        NONE,
    ),
    same(
        "message M { optional int32 a = 1; }",
        "syntax = \"proto2\"; message M { optional int32 a = 1; }",
        &["MESSAGE_SAME_JSON_FORMAT"],
    ),
    same(
        "syntax = \"proto2\"; message M { optional E a = 1; } enum E { X = 0; Y = 1; }",
        "message M { optional E a = 1; } enum E { X = 0; Y = 1; }",
        NONE,
    ),
    same(
        "message M { E e = 1; } enum E { X = 0; }",
        "syntax = \"proto2\"; message M { optional E e = 1; } enum E { X = 0; }",
        &["ENUM_SAME_JSON_FORMAT", "MESSAGE_SAME_JSON_FORMAT"],
    ),
    // Editions.
    same(
        "message M { optional int32 a = 1; repeated int32 b = 2; }",
        "edition = \"2023\"; message M { int32 a = 1; repeated int32 b = 2; }",
        NONE,
    ),
    other(
        "edition = \"2023\"; message M { int32 a = 1; }",
        "edition = \"2023\"; message M { int32 a = 1 [features.field_presence = LEGACY_REQUIRED]; }",
        REQUIRED,
        CARDINALITY,
        "",
    ),
    other(
        "syntax = \"proto2\"; message M { required int32 a = 1; }",
        "edition = \"2023\"; message M { int32 a = 1 [features.field_presence = LEGACY_REQUIRED]; }",
        NONE,
        REQUIRED,
        "required on both sides; buf reads only the label",
    ),
    same(
        "edition = \"2023\"; message M { N n = 1; } message N {}",
        "edition = \"2023\"; message M { N n = 1 [features.message_encoding = DELIMITED]; } message N {}",
        TYPE,
    ),
    same(
        "edition = \"2023\"; message M { N n = 1; } message N {}",
        "edition = \"2023\"; option features.message_encoding = DELIMITED; message M { N n = 1; map<string, N> o = 2; } message N {}",
        TYPE,
    ),
    same(
        "edition = \"2023\"; message M { int32 a = 1; }",
        "edition = \"2023\"; message M { option features.json_format = LEGACY_BEST_EFFORT; int32 a = 1; }",
        &["MESSAGE_SAME_JSON_FORMAT"],
    ),
    same(
        "edition = \"2023\"; message M { int32 a = 1; }",
        "edition = \"2023\"; message M { int32 a = 1 [features.field_presence = IMPLICIT]; }",
        NONE,
    ),
    same(
        "edition = \"2023\"; message M { repeated int32 a = 1; }",
        "edition = \"2023\"; message M { repeated int32 a = 1 [features.repeated_field_encoding = EXPANDED]; }",
        NONE,
    ),
];
