"""A producer that registers itself:   python examples/producer.py BROKER BROKER_CA CERTIFICATE KEY"""
import sys, time
from concurrent.futures import ThreadPoolExecutor
import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorSet

sys.path += ["examples", "proto"]
greeter, greeter_grpc = grpc.protos_and_services("greeter.proto")
registry, registry_grpc = grpc.protos_and_services("portolan/registry/v1/registry.proto")

class Greeter(greeter_grpc.GreeterServiceServicer):
    def Greet(self, request, context):
        return greeter.GreetResponse(text=f"Ahoy, {request.name}!")

broker = sys.argv[1]
broker_ca, certificate, key = (open(file, "rb").read() for file in sys.argv[2:])
server = grpc.server(ThreadPoolExecutor())
greeter_grpc.add_GreeterServiceServicer_to_server(Greeter(), server)
port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)], broker_ca, True))
server.start()

descriptors = FileDescriptorSet()
greeter.DESCRIPTOR.CopyToProto(descriptors.file.add())
declaration = registry.RegisterProducerRequest(
    platform="payments.example", producer="greeter", endpoints=[{"address": f"127.0.0.1:{port}"}],
    versions=[{"capability": "greeter", "version": "1.0.0", "services": ["payments.greeter.v1.GreeterService"],
               "descriptor_set": descriptors.SerializeToString(), "description": "Greets.", "stage": "STAGE_STABLE",
               "owner": "payments", "contact": "greeter@payments.example", "visibility": ["*"]}])
channel = grpc.secure_channel(broker, grpc.ssl_channel_credentials(broker_ca, key, certificate))
stub = registry_grpc.RegistryServiceStub(channel)
while True:
    registered = stub.RegisterProducer(declaration, wait_for_ready=True)
    print(f"registered {registered.name}", flush=True)
    try:
        while True:
            time.sleep(registered.lease.duration.seconds / 3)
            stub.RenewLease(registry.RenewLeaseRequest(lease_id=registered.lease.id))
    except grpc.RpcError as error:  # The broker was away, or forgot us: declare everything again.
        print(f"lost the lease: {error.details()}", flush=True)
