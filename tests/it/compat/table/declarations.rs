//! Oneofs, reservations, enums, methods, and what methods reach.

use super::{GONE, NONE, ONEOF, RESERVED, TYPE, other, same};
use crate::compat::Change;

/// The rows.
pub const CHANGES: &[Change] = &[
    // Oneofs.
    same("int32 a = 1; int32 b = 2;", "oneof o { int32 a = 1; int32 b = 2; }", ONEOF),
    same("oneof o { int32 a = 1; int32 b = 2; }", "oneof o { int32 a = 1; } int32 b = 2;", ONEOF),
    same("oneof o { int32 a = 1; }", "oneof p { int32 a = 1; }", ONEOF),
    same("oneof o { int32 a = 1; }", "oneof o { int32 a = 1; string b = 2; }", NONE),
    same("optional int32 a = 1;", "oneof _a { int32 a = 1; }", ONEOF),
    // Reservations.
    same("reserved 2;", "reserved 2 to 4;", NONE),
    same("reserved 2, 3;", "reserved 2 to 3;", NONE),
    same("reserved 2 to 4;", "reserved 2 to 3;", RESERVED),
    same("reserved \"b\";", "", RESERVED),
    same("reserved 2 to max;", "reserved 2 to max; int32 a = 1;", NONE),
    // Enums.
    same("message M { E e = 1; } enum E { X = 0; }", "message M { E e = 1; } enum E { X = 0; Y = 1; }", NONE),
    other(
        "message M { E e = 1; } enum E { X = 0; Y = 1; }",
        "message M { E e = 1; } enum E { X = 0; }",
        &["ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED"],
        &["ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED", "ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED"],
        "",
    ),
    same(
        "message M { E e = 1; } enum E { X = 0; Y = 1; }",
        "message M { E e = 1; } enum E { X = 0; reserved 1; }",
        &["ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED"],
    ),
    other(
        "message M { E e = 1; } enum E { X = 0; Y = 1; }",
        "message M { E e = 1; } enum E { X = 0; reserved 1; reserved \"Y\"; }",
        &["ENUM_VALUE_NO_DELETE"],
        NONE,
        GONE,
    ),
    same(
        "message M { E e = 1; } enum E { X = 0; Y = 1; }",
        "message M { E e = 1; } enum E { X = 0; Z = 1; }",
        &["ENUM_VALUE_SAME_NAME"],
    ),
    same(
        "message M { E e = 1; } enum E { X = 0; Y = 1; }",
        "message M { E e = 1; } enum E { option allow_alias = true; X = 0; Y = 1; Z = 1; }",
        NONE,
    ),
    same(
        "message M { E e = 1; } enum E { X = 0; reserved 4 to max; }",
        "message M { E e = 1; } enum E { X = 0; reserved 5 to max; }",
        &["RESERVED_ENUM_NO_DELETE"],
    ),
    // Methods and services.
    same(
        "service S { rpc Do(M) returns (M); } message M {}",
        "service S { rpc Do(M) returns (M); rpc More(M) returns (M); } message M {}",
        NONE,
    ),
    other(
        "service S { rpc Do(M) returns (M); rpc More(M) returns (M); } message M {}",
        "service S { rpc Do(M) returns (M); } message M {}",
        &["RPC_NO_DELETE"],
        NONE,
        "nobody can call what is gone; buf has the rule, and not in WIRE_JSON",
    ),
    other(
        "service S { rpc Do(M) returns (M); } service T { rpc Do(M) returns (M); } message M {}",
        "service S { rpc Do(M) returns (M); } message M {}",
        &["SERVICE_NO_DELETE"],
        NONE,
        "nobody can call what is gone; buf has the rule, and not in WIRE_JSON",
    ),
    same(
        "service S { rpc Do(M) returns (M); } message M {}",
        "service S { rpc Do(stream M) returns (M); } message M {}",
        &["RPC_SAME_CLIENT_STREAMING"],
    ),
    same(
        "service S { rpc Do(M) returns (stream M); } message M {}",
        "service S { rpc Do(M) returns (M); } message M {}",
        &["RPC_SAME_SERVER_STREAMING"],
    ),
    same(
        "service S { rpc Do(M) returns (M); } message M {} message N {}",
        "service S { rpc Do(N) returns (M); } message M {} message N {}",
        &["RPC_SAME_REQUEST_TYPE"],
    ),
    same(
        "service S { rpc Do(M) returns (M); } message M {} message N {}",
        "service S { rpc Do(M) returns (N); } message M {} message N {}",
        &["RPC_SAME_RESPONSE_TYPE"],
    ),
    same(
        "service S { rpc Do(M) returns (M); } message M {}",
        "service S { rpc Do(M) returns (M) { option idempotency_level = NO_SIDE_EFFECTS; } } message M {}",
        &["RPC_SAME_IDEMPOTENCY_LEVEL"],
    ),
    // What methods reach.
    other(
        "message M {} message Unreached { int32 a = 1; }",
        "message M {} message Unreached { string b = 1; }",
        NONE,
        &["FIELD_SAME_JSON_NAME", "FIELD_SAME_NAME", "FIELD_WIRE_JSON_COMPATIBLE_TYPE"],
        "no method of the contract reaches the message",
    ),
    same(
        "message M { repeated N n = 1; } message N { M m = 1; map<string, O> o = 2; } message O { int32 a = 1; }",
        "message M { repeated N n = 1; } message N { M m = 1; map<string, O> o = 2; } message O { int64 a = 1; }",
        TYPE,
    ),
];
