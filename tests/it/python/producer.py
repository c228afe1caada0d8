"""An unmodified producer: it serves gRPC over mutual TLS, with reflection and health, and knows nothing of a broker.

producer.py CERTIFICATE KEY CLIENT_CA PROTO_DIR [PORT]    prints `listening PORT` and serves until it is killed.
"""

import sys
import threading
from concurrent import futures

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

certificate, key, client_ca, protos, *wanted = sys.argv[1:]
sys.path.insert(0, protos)
echo_pb2, echo_grpc = grpc.protos_and_services("echo.proto")
SERVICE = "dat.echo.v1.EchoService"
CODES = {code.value[0]: code for code in grpc.StatusCode}


class Echo(echo_grpc.EchoServiceServicer):
    def __init__(self):
        self.cancelled = 0
        self.lock = threading.Lock()

    def fail_if_asked(self, context):
        """Fails with the code in `x-fail`, if the call asks for it."""
        code = int(dict(context.invocation_metadata()).get("x-fail", "0"))
        if code:
            context.abort(CODES[code], "as asked: 100 % ünlucky")

    def Echo(self, request, context):
        self.fail_if_asked(context)
        custom = [(k, v) for k, v in context.invocation_metadata() if k.startswith("x-")]
        caller = [("x-caller", v) for k, v in context.invocation_metadata() if k == "portolan-caller"]
        context.send_initial_metadata(custom + caller)
        context.set_trailing_metadata(custom)
        return request

    def Collect(self, requests, context):
        if "x-early" in dict(context.invocation_metadata()):
            self.fail_if_asked(context)
        payloads = [request.payload for request in requests]
        self.fail_if_asked(context)
        return echo_pb2.Message(payload=b"".join(payloads), count=len(payloads))

    def Expand(self, request, context):
        for number in range(request.count):
            yield echo_pb2.Message(payload=request.payload, count=number)
        self.fail_if_asked(context)

    def Chat(self, requests, context):
        for number, request in enumerate(requests):
            yield echo_pb2.Message(payload=request.payload.upper(), count=number)
        self.fail_if_asked(context)

    def Fail(self, request, context):
        detail = any_pb2.Any()
        detail.Pack(error_details_pb2.ErrorInfo(reason="OUT_OF_ECHO", domain="acme.example", metadata={"left": "0"}))
        status = status_pb2.Status(code=request.count, message="no echo: 50 % außer Betrieb", details=[detail])
        rich = rpc_status.to_status(status)
        # `abort_with_status` would drop the producer's own trailers.
        context.set_code(rich.code)
        context.set_details(rich.details)
        context.set_trailing_metadata([*rich.trailing_metadata, ("x-fault", "mine"), ("x-raw-bin", b"\x00\xff\x10")])
        return echo_pb2.Message()

    def Wait(self, request, context):
        gone = threading.Event()
        context.add_callback(gone.set)
        gone.wait(60)
        with self.lock:
            self.cancelled += 1
        return request

    def Report(self, request, context):
        left = context.time_remaining()
        with self.lock:
            return echo_pb2.Message(payload=str(left).encode(), count=self.cancelled)


def read(path):
    with open(path, "rb") as file:
        return file.read()


server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=[("grpc.max_receive_message_length", 64 << 20)])
echo_grpc.add_EchoServiceServicer_to_server(Echo(), server)
healthy = health.HealthServicer()
health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
for name in ("", SERVICE):
    healthy.set(name, health_pb2.HealthCheckResponse.SERVING)
reflection.enable_server_reflection((SERVICE, reflection.SERVICE_NAME, health.SERVICE_NAME), server)
credentials = grpc.ssl_server_credentials([(read(key), read(certificate))], read(client_ca), require_client_auth=True)
port = server.add_secure_port(f"127.0.0.1:{wanted[0] if wanted else 0}", credentials)
server.start()
print(f"listening {port}", flush=True)
server.wait_for_termination()
