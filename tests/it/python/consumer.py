"""A consumer of the Python producer that dials the broker instead: every check prints `ok NAME`; the first that fails ends it.

consumer.py BROKER CERTIFICATE KEY BROKER_CA PROTO_DIR PLACES    PLACES: where the producer can send metadata with an OK.
"""

import sys
import threading
import time

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

broker, certificate, key, broker_ca, protos, places = sys.argv[1:]
sys.path.insert(0, protos)
echo_pb2, echo_grpc = grpc.protos_and_services("echo.proto")
Message = echo_pb2.Message


def read(path):
    with open(path, "rb") as file:
        return file.read()


credentials = grpc.ssl_channel_credentials(read(broker_ca), read(key), read(certificate))
channel = grpc.secure_channel(broker, credentials, [("grpc.max_receive_message_length", 64 << 20)])
echo = echo_grpc.EchoServiceStub(channel)


def unary():
    assert echo.Echo(Message(payload=b"ahoy", count=7), timeout=10) == Message(payload=b"ahoy", count=7)


def large_messages():
    payload = bytes(range(256)) * (8 << 12)
    assert echo.Echo(Message(payload=payload), timeout=30).payload == payload


def client_stream():
    sent = (Message(payload=bytes([n])) for n in range(100))
    answer = echo.Collect(sent, timeout=10)
    assert (answer.payload, answer.count) == (bytes(range(100)), 100)


def server_stream():
    counts = [m.count for m in echo.Expand(Message(payload=b"x" * 10_000, count=1_000), timeout=30)]
    assert counts == list(range(1_000))


def bidi_in_lockstep():
    answered = threading.Semaphore(1)

    def questions():
        for word in (b"port", b"star", b"board"):
            answered.acquire()
            yield Message(payload=word)

    heard = []
    for answer in echo.Chat(questions(), timeout=10):
        heard.append(answer.payload)
        answered.release()
        if len(heard) == 3:
            answered.release()
    assert heard == [b"PORT", b"STAR", b"BOARD"], heard


def half_close_without_a_message():
    assert echo.Collect(iter(()), timeout=10).count == 0
    assert list(echo.Chat(iter(()), timeout=10)) == []


def metadata_both_ways():
    sent = [("x-plain", "one"), ("x-plain", "two"), ("x-raw-bin", bytes(range(256))), ("x-raw-bin", b"")]
    _, call = echo.Echo.with_call(Message(), metadata=sent, timeout=10)
    told = {"head": call.initial_metadata(), "trailers": call.trailing_metadata()}
    for place in map(told.get, places.split(",")):
        echoed = [(k, v) for k, v in place if k in ("x-plain", "x-raw-bin")]
        assert sorted(map(repr, echoed)) == sorted(map(repr, sent)), echoed


def empty_messages():
    assert echo.Echo(Message(), timeout=10) == Message()
    assert echo.Collect(iter([Message()] * 50), timeout=10).count == 50
    assert [m.payload for m in echo.Expand(Message(count=50), timeout=10)] == [b""] * 50
    assert [m.payload for m in echo.Chat(iter([Message()] * 50), timeout=10)] == [b""] * 50


def many_small_messages():
    sent = [bytes([n % 251]) for n in range(3_000)]
    heard = [m.payload for m in echo.Chat((Message(payload=p) for p in sent), timeout=30)]
    assert heard == [p.upper() for p in sent]


def every_status_on_every_kind():
    three = lambda: iter([Message(payload=b"a")] * 3)
    for code in grpc.StatusCode:
        asked = dict(metadata=[("x-fail", str(code.value[0]))], timeout=10)
        calls = (
            lambda: echo.Echo(Message(), **asked),
            lambda: echo.Collect(three(), **asked),
            lambda: list(echo.Expand(Message(count=3), **asked)),
            lambda: list(echo.Chat(three(), **asked)),
        )
        for call in calls:
            if code is grpc.StatusCode.OK:
                call()
            else:
                assert expect(code, call).details() == "as asked: 100 % ünlucky"


def early_status_while_still_sending():
    for _ in range(30):
        endless = (Message(payload=bytes(16 << 10)) for _ in range(100_000))
        asked = dict(metadata=[("x-fail", "8"), ("x-early", "1")], timeout=20)
        expect(grpc.StatusCode.RESOURCE_EXHAUSTED, lambda: echo.Collect(endless, **asked))
    unary()


def a_thousand_calls_at_once():
    calls = [echo.Echo.future(Message(count=n), timeout=60) for n in range(1_000)]
    assert [call.result().count for call in calls] == list(range(1_000))


def large_headers():
    long = [("x-long", "v" * (6 << 10))]
    _, call = echo.Echo.with_call(Message(), metadata=long, timeout=10)
    assert dict(call.initial_metadata())["x-long"] == long[0][1]
    over = [("x-long", "v" * (40 << 10))]
    codes = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL)
    try:
        echo.Echo(Message(), metadata=over, timeout=10)
        raise AssertionError("40 KiB of metadata passed")
    except grpc.RpcError as error:
        assert error.code() in codes, error
    unary()


def the_caller_is_the_certificate_s():
    forged = [("portolan-caller", "spiffe://payments.example/admin")]
    _, call = echo.Echo.with_call(Message(), metadata=forged, timeout=10)
    callers = [v for k, v in call.initial_metadata() if k == "x-caller"]
    assert len(callers) == 1 and callers[0].startswith("spiffe://") and callers[0] != forged[0][1], callers


def status_details():
    try:
        echo.Fail(Message(count=grpc.StatusCode.ABORTED.value[0]), timeout=10)
    except grpc.RpcError as error:
        status = rpc_status.from_call(error)
        assert error.code() is grpc.StatusCode.ABORTED
        assert error.details() == "no echo: 50 % außer Betrieb", error.details()
        info = error_details_pb2.ErrorInfo()
        assert len(status.details) == 1 and status.details[0].Unpack(info)
        assert (info.reason, info.domain, info.metadata["left"]) == ("OUT_OF_ECHO", "acme.example", "0")
        trailers = dict(error.trailing_metadata())
        assert (trailers["x-fault"], trailers["x-raw-bin"]) == ("mine", b"\x00\xff\x10"), trailers
        return
    raise AssertionError("it did not fail")


def a_deadline_ends_the_call_and_reaches_the_producer():
    before = echo.Report(Message(), timeout=10).count
    begin = time.monotonic()
    try:
        echo.Wait(Message(), timeout=0.4)
        raise AssertionError("it did not end")
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED, error
    assert time.monotonic() - begin < 10
    wait_until(lambda: echo.Report(Message(), timeout=10).count == before + 1)


def the_deadline_is_told_to_the_producer():
    left = float(echo.Report(Message(), timeout=10).payload)
    assert 0 < left < 10.5, left  # grpcio rounds up


def a_cancel_reaches_the_producer():
    before = echo.Report(Message(), timeout=10).count
    call = echo.Wait.future(Message())
    time.sleep(0.2)
    call.cancel()
    wait_until(lambda: echo.Report(Message(), timeout=10).count == before + 1)


def an_unknown_method_is_the_producer_s_answer():
    missing = channel.unary_unary("/dat.echo.v1.EchoService/Missing")
    expect(grpc.StatusCode.UNIMPLEMENTED, lambda: missing(b"", timeout=10))


def an_unknown_service_is_unimplemented():
    missing = channel.unary_unary("/acme.nowhere.v1.NowhereService/Get")
    expect(grpc.StatusCode.UNIMPLEMENTED, lambda: missing(b"", timeout=10))


def reflection_lists_and_describes():
    database = ProtoReflectionDescriptorDatabase(channel)
    assert "dat.echo.v1.EchoService" in database.get_services(), database.get_services()
    service = DescriptorPool(database).FindServiceByName("dat.echo.v1.EchoService")
    assert [method.name for method in service.methods][:3] == ["Echo", "Collect", "Expand"]


def health_of_a_federated_service():
    stub = health_pb2_grpc.HealthStub(channel)
    check = lambda: stub.Check(health_pb2.HealthCheckRequest(service="dat.echo.v1.EchoService"), timeout=10).status
    wait_until(lambda: check() == health_pb2.HealthCheckResponse.SERVING)


def expect(code, call):
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() is code, error
        return error
    raise AssertionError(f"{code} was expected")


def wait_until(condition):
    for _ in range(100):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it never came true")


for check in (
    unary,
    large_messages,
    client_stream,
    server_stream,
    bidi_in_lockstep,
    half_close_without_a_message,
    metadata_both_ways,
    empty_messages,
    many_small_messages,
    every_status_on_every_kind,
    early_status_while_still_sending,
    a_thousand_calls_at_once,
    large_headers,
    the_caller_is_the_certificate_s,
    status_details,
    a_deadline_ends_the_call_and_reaches_the_producer,
    the_deadline_is_told_to_the_producer,
    a_cancel_reaches_the_producer,
    an_unknown_method_is_the_producer_s_answer,
    an_unknown_service_is_unimplemented,
    reflection_lists_and_describes,
    health_of_a_federated_service,
):
    check()
    print(f"ok {check.__name__}", flush=True)
