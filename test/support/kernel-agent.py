"""Works sockets inside a network namespace for a test: a JSON request per line on standard input, an answer per line.

Every step is asked for and answered, so a test never has to guess when a listener listens. Ends with its input.
"""
import errno
import json
import socket
import subprocess
import sys
import time

TIMEOUT = 30  # seconds that a socket may block: an emulated machine is slow
sockets = {}


def constant(value):
    return getattr(socket, value) if isinstance(value, str) else value


def argument(method, value):
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, str):
        if method in ("setsockopt", "shutdown", "recv"):
            return constant(value) if hasattr(socket, value) else bytes.fromhex(value)
        return value.encode() if method.startswith("send") else value
    return value


def keep(sock, name):
    sock.settimeout(TIMEOUT)
    sockets[name] = sock


def open_socket(ask):
    keep(socket.socket(*[constant(arg) for arg in ask["args"]]), ask["name"])


def accept(ask):
    sock, peer = sockets[ask["name"]].accept()
    keep(sock, ask["as"])
    return peer


def call(ask):
    method = ask["method"]
    result = getattr(sockets[ask["name"]], method)(*[argument(method, arg) for arg in ask["args"]])
    return result.decode("latin-1") if isinstance(result, bytes) else result


def close(ask):
    sockets.pop(ask["name"]).close()


def read(ask):
    # Through the thread: /proc/net is the namespace of the one who reads.
    with open(ask["path"].replace("/proc/net", "/proc/thread-self/net"), encoding="utf-8") as file:
        return file.read()


def command(ask):
    done = subprocess.run(ask["words"], input=ask.get("input"), capture_output=True, text=True, check=False)
    return {"status": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


def send_segment(ask):
    """A TCP segment as asked, past the TCP of this kernel."""
    from scapy.layers.inet import IP, TCP

    options = [(name, tuple(value) if isinstance(value, list) else value) for name, value in ask.pop("options")]
    packet = IP(src=ask["src"], dst=ask["dst"]) / TCP(
        sport=ask["sport"], dport=ask["dport"], flags=ask["flags"], seq=ask["seq"], ack=ask["ack"], options=options
    )
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        sock.sendto(bytes(packet), (ask["dst"], 0))


def receive_segment(ask):
    """The next TCP segment to this port that a packet socket (SOCK_DGRAM, ETH_P_IP) gets."""
    from scapy.layers.inet import IP, TCP

    while True:
        data, address = sockets[ask["name"]].recvfrom(65536)
        packet = IP(data)
        if address[2] != socket.PACKET_OUTGOING and TCP in packet and packet[TCP].dport == ask["port"]:
            tcp = packet[TCP]
            return {"flags": str(tcp.flags), "seq": tcp.seq, "ack": tcp.ack, "options": dict(tcp.options)}


def churn(ask):
    """Short connections to a listener in this namespace, each closed with a reset: nothing stays in TIME_WAIT."""
    linger = bytes.fromhex("0100000000000000")
    address = (ask["address"], ask["port"])
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    listener.listen(16)
    sources = ask["sources"]
    for i in range(ask["count"]):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        client.bind((sources[i // 20000 % len(sources)], 20000 + i % 20000))
        client.connect(address)
        server, _ = listener.accept()
        client.close()
        server.close()
    listener.close()
    return ask["count"]


def knock(ask):
    """Connections to a port that nobody listens on."""
    for i in range(ask["count"]):
        with socket.socket() as client:
            client.bind((ask["sources"][i // 20000 % len(ask["sources"])], 20000 + i % 20000))
            if client.connect_ex((ask["address"], ask["port"])) != errno.ECONNREFUSED:
                raise OSError("somebody listens")


def datagrams(ask):
    """Datagrams from a socket to itself, each received before the next is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((ask["address"], ask["port"]))
        sock.connect((ask["address"], ask["port"]))
        for _ in range(ask["count"]):
            sock.send(b"x")
            sock.recv(1)


def acknowledge(ask):
    """A connection of which one side only acknowledges, what the other sends piece by piece."""
    address = (ask["address"], ask["port"])
    family = socket.AF_INET6 if ":" in ask["address"] else socket.AF_INET
    with socket.socket(family) as listener, socket.socket(family) as client:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1)
        client.connect(address)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server, _ = listener.accept()
        with server:
            for _ in range(ask["count"]):
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                client.sendall(b"x" * 1000)
                left = 1000
                while left > 0:
                    left -= len(server.recv(left))


def unwanted(ask):
    """Datagrams and connections to a port that nobody has bound, for a time."""
    address = (ask["address"], ask["port"])
    end = time.monotonic() + ask["seconds"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        while time.monotonic() < end:
            sock.sendto(b"x", address)
            with socket.socket() as client:
                client.connect_ex(address)


def flood(ask):
    """Datagrams as fast as they go."""
    sock = sockets[ask["name"]]
    for _ in range(ask["count"]):
        sock.send(b"x" * ask["size"])


def rename(ask):
    """Gives this process another name, as ps shows it."""
    with open("/proc/self/comm", "w", encoding="utf-8") as file:
        file.write(ask["comm"])


DO = {f.__name__: f for f in (accept, call, close, read, command, send_segment, receive_segment, churn, knock, datagrams, acknowledge, unwanted, flood, rename)}
DO["socket"] = open_socket

print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"value": DO[request.pop("do")](request)}
    except Exception as error:  # whatever it is, the test has to hear of it
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer, default=str), flush=True)
