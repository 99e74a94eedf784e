# Runs in Spark's Python workers: hands Arrow batches to a Node child that runs the TypeScript function, one child for each worker,
# kept between tasks. No module of this file is installed there; the client sends its text.
import base64, datetime, glob, json, os, select, shutil, signal, struct, subprocess, time, zlib

import_error = None
try:
    import pyarrow as pa
except ImportError as error:
    import_error = error

MINIMUM_NODE = (20, 12)
BOOT = (
    'const{readSync}=require("fs"),vm=require("vm"),fd=+process.argv.at(-2);'
    'const take=n=>{const b=Buffer.alloc(n);for(let i=0;i<n;){const k=readSync(fd,b,i,n-i,null);if(k===0)process.exit(0);i+=k}return b};'
    'const code=take(take(4).readUInt32LE()).toString();'
    'new vm.Script("(function(require){"+code+"\\n})",{filename:"millrace-worker.js",'
    "importModuleDynamically:vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER}).runInThisContext()(require)"
)


class MillraceFunctionError(Exception):
    """Carries the report that the client makes its error of."""

    def __init__(self, report):
        stack = (report.get("cause") or {}).get("stack")
        text = "[%s] %s" % (report["code"], report["message"])
        if stack:
            text += "\n" + stack
        packed = base64.b64encode(json.dumps(report).encode()).decode()
        super().__init__("%s\nmillrace-report:%s:" % (text, packed))


def failure(code, message, hint=None, **parameters):
    report = {"code": code, "message": message if hint is None else message + " " + hint, "parameters": parameters}
    if hint is not None:
        report["hint"] = hint
    return MillraceFunctionError(report)


def node_version(path):
    try:
        found = subprocess.run([path, "--version"], capture_output=True, timeout=20).stdout.decode().strip()
        return tuple(int(part) for part in found.lstrip("v").split(".")[:2])
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def shipped_node(artifact):
    """The program that the client sent with the session, if it did. Its name holds a hash of it."""
    from pyspark import SparkFiles

    root = SparkFiles.getRootDirectory()
    # A streaming query may run under the files of all sessions, or under those of another than the one that it was started in.
    places = [os.path.join(root, artifact), os.path.join(root, "*", artifact), os.path.join(os.path.dirname(root), "*", artifact)]
    found = [path for place in places for path in glob.glob(place)]
    if not found:
        return None
    if not os.access(found[0], os.X_OK):
        os.chmod(found[0], 0o755)
    return found[0]


nodes = {}


def find_node(options):
    key = (options["node"], options["artifact"])
    if key in nodes:
        return nodes[key]
    seen = []
    on_path = shutil.which("node")
    for path in [options["node"]] if options["node"] else [on_path, options["artifact"] and shipped_node(options["artifact"])]:
        if path is None:
            continue
        version = node_version(path)
        if version is not None and version >= MINIMUM_NODE:
            nodes[key] = path
            return path
        seen.append("%s is %s" % (path, "no Node" if version is None else "Node %d.%d" % version))
    raise failure(
        "DEPENDENCY_MISSING",
        "A Spark worker has no Node %d.%d or later%s." % (MINIMUM_NODE + (" (%s)" % "; ".join(seen) if seen else "",)),
        "Install it on every worker, or give its path there with spark.millrace.node.path.",
        dependency="node",
    )


class Child:
    """One Node process and the two pipes to it. Its standard output is its error output: the worker's log."""

    def __init__(self, options):
        path = find_node(options)
        theirs_in, self.output = os.pipe()
        self.input, theirs_out = os.pipe()
        try:
            self.process = subprocess.Popen(
                [path, "-e", BOOT, str(theirs_in), str(theirs_out)],
                stdin=subprocess.DEVNULL,
                stdout=2,
                pass_fds=(theirs_in, theirs_out),
            )
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        self.known = set()
        self.busy = False
        runtime = zlib.decompress(base64.b64decode(options["runtime"]))
        self.write([struct.pack("<I", len(runtime)), runtime])

    def write(self, parts):
        for part in parts:
            view = memoryview(part).cast("B")
            while len(view) > 0:
                view = view[os.write(self.output, view) :]

    def send(self, kind, *parts):
        size = sum(len(part) for part in parts)
        self.write([struct.pack("<IB", size, ord(kind)), *parts])

    def take(self, size, deadline):
        data = bytearray(size)
        view = memoryview(data)
        at = 0
        while at < size:
            if deadline is not None and not select.select([self.input], [], [], max(0, deadline - time.monotonic()))[0]:
                return None
            n = os.readv(self.input, [view[at:]])
            if n == 0:
                raise EOFError()
            at += n
        return data

    def receive(self, name, limit):
        deadline = None if limit is None else time.monotonic() + limit
        try:
            head = self.take(5, deadline)
            payload = None if head is None else self.take(struct.unpack_from("<I", head)[0], deadline)
        except EOFError:
            self.kill()
            code = self.process.wait()
            how = "by the signal %s" % signal.Signals(-code).name if code < 0 else "with code %d" % code
            raise failure(
                "USER_FUNCTION_FAILED",
                "Function `%s`: the Node process that ran it ended %s." % (name, how),
                "What it said is in the executor's log (stderr). A signal may mean that it had too little memory.",
                function=name,
            ) from None
        if payload is None:
            self.kill()
            raise failure(
                "USER_FUNCTION_FAILED",
                "Function `%s` gave nothing for %g seconds and was ended." % (name, limit),
                "If it needs longer for a batch of rows, raise spark.millrace.function.timeout.",
                function=name,
            )
        return chr(head[4]), payload

    def call(self, kind, name, limit, *parts):
        """Sends a message and gives the answers to it until the call is done."""
        self.busy = True
        try:
            self.send(kind, *parts)
        except BrokenPipeError:
            pass  # it ended: what it left to read, or the end, says how
        while True:
            answer, payload = self.receive(name, limit)
            if answer == "D":
                self.busy = False
                return
            if answer == "E":
                self.busy = False
                raise MillraceFunctionError(json.loads(bytes(payload)))
            yield answer, payload

    def define(self, package):
        if package["id"] not in self.known:
            body = zlib.decompress(base64.b64decode(package["body"]))
            for _ in self.call("F", package["name"], 60, package["id"].encode(), body):
                pass
            self.known.add(package["id"])

    def alive(self):
        return not self.busy and self.process.poll() is None

    def kill(self):
        self.process.kill()
        for fd in (self.input, self.output):
            try:
                os.close(fd)
            except OSError:
                pass
        self.input = self.output = -1


children = {}


def child_for(package, options):
    """The worker's child, started anew when it is gone or was left in the middle of a call."""
    if import_error is not None:
        raise failure(
            "DEPENDENCY_MISSING",
            "TypeScript functions need pyarrow in the Python of the Spark workers: %s." % import_error,
            "Install it there: pip install pyarrow.",
            dependency="pyarrow",
        )
    key = (options["node"], options["artifact"], options["hash"])
    child = children.get(key)
    if child is not None and not child.alive():
        if child.input >= 0:
            child.kill()
        child.process.wait()
        child = None
    if child is None:
        child = children[key] = Child(options)
    child.define(package)
    return child


def to_ipc(batch):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def from_ipc(data):
    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        return reader.read_all()


def map_rows(package, options):
    """The function of mapInArrow."""

    def run(batches):
        for batch in batches:
            if batch.num_rows == 0:
                continue
            child = child_for(package, options)
            for _, data in child.call("B", package["name"], options["limit"], package["id"].encode(), to_ipc(batch)):
                yield from from_ipc(data).to_batches()

    return run


def scalar(package, options):
    """The function of a scalar Arrow UDF: arrays to one array."""

    def run(*arrays):
        batch = pa.RecordBatch.from_arrays([plain(a) for a in arrays], ["_%d" % i for i in range(len(arrays))])
        child = child_for(package, options)
        result = None
        for _, data in child.call("B", package["name"], options["limit"], package["id"].encode(), to_ipc(batch)):
            result = plain(from_ipc(data).column(0))
        return result

    return run


def plain(array):
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
