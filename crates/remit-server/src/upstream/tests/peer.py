"""A server over standard input and output that does as it is told. Its era is its first argument."""
import ctypes, json, os, subprocess, sys, time

ERA = sys.argv[1]
heard = []
held = []


def say(value):
    sys.stdout.write((value if isinstance(value, str) else json.dumps(value)) + "\n")
    sys.stdout.flush()


def result(id, value):
    say({"jsonrpc": "2.0", "id": id, "result": value})


def error(id, code, data=None):
    say({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": "no", "data": data}})


def discover(id):
    if ERA == "modern":
        capabilities = {"tools": {"listChanged": True}}
        result(id, {"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": capabilities})
    elif ERA == "newer":
        error(id, -32022, {"supported": ["2027-01-01"]})
    elif ERA == "dies":
        sys.exit(3)
    elif ERA == "garbles":
        say("{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{},\"result\":{}}" % id)
    elif ERA != "silent":
        error(id, -32602)


def environment():
    buffer = ctypes.c_int(0)
    ctypes.CDLL(None).prctl(2, ctypes.byref(buffer))
    return {
        "env": {name: value for name, value in os.environ.items() if name != "LC_CTYPE"},
        "argv": sys.argv[2:], "cwd": os.getcwd(), "pid": os.getpid(), "leads": os.getsid(0) == os.getpid(),
        "death_signal": buffer.value,
    }


def call(id, message):
    arguments = message["params"].get("arguments", {})
    do = arguments.get("do")
    token = message["params"].get("_meta", {}).get("progressToken")
    if do == "die":
        os._exit(7)
    elif do == "say and die":
        result(id, {"content": [], "last": "breath"})
        os._exit(0)
    elif do == "close output":
        os.close(1)
        time.sleep(60)
    elif do == "close input":
        os.close(0)
        time.sleep(60)
    elif do == "nothing":
        pass
    elif do == "hold":
        held.append((id, arguments["n"]))
        if len(held) == arguments["of"]:
            for id, n in reversed(held):
                result(id, {"content": [], "n": n})
            held.clear()
    elif do == "flood":
        sys.stdout.write("{\"jsonrpc\":\"2.0\"," + ("\"id\":%d," % id if arguments["head"] else "") + "\"result\":{\"x\":\"")
        for _ in range(100):
            sys.stdout.write("x" * 1_000_000)
        say("\"}" + ("" if arguments["head"] else ",\"id\":%d" % id) + "}")
    elif do == "duplicate":
        say("{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{},\"result\":{}}" % id)
    elif do == "noise":
        for line in ["starting", "", "}{", "[]", "null", "{\"id\": 1}", "\x00\x01", "{\"jsonrpc\":\"2.0\",\"id\":%d}" % id]:
            say(line)
        result(999, {"content": "stolen"})
        result(str(id), {"content": "stolen"})
        say({"jsonrpc": "2.0", "method": "notifications/message", "params": {}})
        for n, of in [(1, token), (2, 999), (3, str(token)), (4, token)]:
            say({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": of, "progress": n}})
        result(id, {"content": [], "quiet": True})
    elif do == "ask":
        for foreign, method in [("p", "ping"), (5, "sampling/createMessage"), ("x" * 1000, "ping")]:
            say({"jsonrpc": "2.0", "id": foreign, "method": method})
        result(id, {"content": []})
    elif do == "change":
        say({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
        result(id, {"content": []})
    elif do == "allocate":
        try:
            bytearray(arguments["bytes"])
            result(id, {"content": [], "had": True})
        except MemoryError:
            result(id, {"content": [], "had": False})
    elif do == "fork":
        child = subprocess.Popen(["sleep", "60"])
        result(id, {"content": [], "pids": [os.getpid(), child.pid]})
    elif do == "stay":
        result(id, {"content": [], "pids": [os.getpid()]})
        time.sleep(60)
    elif do == "environment":
        result(id, {"content": [], **environment()})
    else:
        result(id, {"content": [], "heard": heard})


for line in sys.stdin:
    message = json.loads(line)
    id, method = message.get("id"), message.get("method")
    heard.append(message)
    if method == "server/discover":
        discover(id)
    elif method == "initialize" and ERA in ("modern", "neither"):
        error(id, -32601)
    elif method == "initialize":
        result(id, {"protocolVersion": "2024-11-05" if ERA == "old" else "2025-11-25", "capabilities": {"tools": {}}})
    elif method == "tools/list":
        result(id, {"tools": [{"name": "t"}]})
    elif method == "tools/call":
        call(id, message)
