"""
What runs on the server: `run(df, batch_id)` in the Python process that Spark starts for foreachBatch, `send` in the Python workers of the
executors. CONFIG is set before. Rows go from each partition straight to the bridge as one Parquet file, in row groups of limited size, so
nobody holds a batch. Python 3.9 and later.
"""

import hashlib, hmac, json, os, socket, struct

# what a row group may have: rows, and bytes of Arrow
GROUP_ROWS, GROUP_BYTES = 122880, 16 << 20

class BridgeError(Exception):
    pass

def failure(code, text):
    # the marks let the client find its own message in Spark's
    return BridgeError("<<millrace " + json.dumps({"code": code, "text": text}) + ">>")

def lost(what):
    return failure("BRIDGE_LOST", what)

class Link:
    """A connection to the bridge: frames of a length and as many bytes."""

    def __init__(self, hello):
        host, port, token = CONFIG["host"], CONFIG["port"], CONFIG["token"].encode()
        try:
            self.sock = socket.create_connection((host, port), CONFIG["connectSeconds"])
        except OSError as error:
            raise failure("BRIDGE_UNREACHABLE", str(error) or type(error).__name__) from None
        self.sock.settimeout(CONFIG["silenceSeconds"])
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        mine = os.urandom(16).hex()
        self.say(dict(hello, millrace=1, run=CONFIG["run"], nonce=mine))
        try:
            theirs = self.hear()
        except BridgeError:
            raise failure("BRIDGE_REFUSED", "the connection was closed at once") from None
        # both sides prove that they know the token, which never travels here
        if not hmac.compare_digest(theirs["proof"], self.proof(token, "bridge", mine, theirs["nonce"])):
            raise failure("BRIDGE_REFUSED", "what answers there does not know the query's token")
        self.say({"proof": self.proof(token, "worker", mine, theirs["nonce"])})

    @staticmethod
    def proof(token, side, mine, theirs):
        return hmac.new(token, (side + ":" + mine + ":" + theirs).encode(), hashlib.sha256).hexdigest()

    def put(self, data):
        try:
            self.sock.sendall(struct.pack(">I", len(data)))
            if len(data):
                self.sock.sendall(data)
        except OSError as error:
            raise lost(str(error)) from None

    def say(self, message):
        self.put(json.dumps(message).encode())

    def hear(self):
        return json.loads(self.take(struct.unpack(">I", self.take(4))[0]))

    def take(self, count):
        data = b""
        while len(data) < count:
            try:
                more = self.sock.recv(count - len(data))
            except OSError as error:
                raise lost(str(error) or "no answer") from None
            if not more:
                raise lost("the connection was closed")
            data += more
        return data

    def close(self):
        self.sock.close()

class Output:
    """A file for pyarrow: what is written goes out as frames."""

    def __init__(self, link):
        self.link, self.size, self.closed = link, 0, False

    def write(self, data):
        data = memoryview(data).cast("B")
        # an empty frame is the end
        if len(data):
            self.link.put(data)
            self.size += len(data)
        return len(data)

    def tell(self):
        return self.size

    def flush(self):
        pass

    def writable(self):
        return True

    def readable(self):
        return False

    def seekable(self):
        return False

    def close(self):
        self.closed = True

def sender(batch_id):
    def send(batches):
        import pyarrow
        from pyarrow import parquet
        from pyspark import TaskContext

        task = TaskContext.get()
        partition, attempt = task.partitionId(), task.taskAttemptId()
        link = writer = None
        group, group_rows, group_bytes, rows = [], 0, 0, 0

        def flush():
            table = pyarrow.Table.from_batches(group)
            writer.write_table(table, row_group_size=max(1, table.num_rows))
            group.clear()

        for batch in batches:
            if batch.num_rows == 0:
                continue
            if writer is None:
                link = Link({"kind": "rows", "batch": batch_id, "partition": partition, "attempt": attempt})
                writer = parquet.ParquetWriter(
                    pyarrow.PythonFile(Output(link), "w"), batch.schema, compression="zstd", compression_level=1,
                    use_dictionary=False, write_statistics=False, store_schema=False,
                )
            group.append(batch)
            rows, group_rows, group_bytes = rows + batch.num_rows, group_rows + batch.num_rows, group_bytes + batch.nbytes
            if group_rows >= GROUP_ROWS or group_bytes >= GROUP_BYTES:
                flush()
                group_rows = group_bytes = 0
        if writer is None:
            return
        if group:
            flush()
        writer.close()
        link.put(b"")
        link.say({"rows": rows})
        if link.hear().get("stored") != rows:
            raise lost("the rows of partition " + str(partition) + " were not stored")
        link.close()
        yield pyarrow.RecordBatch.from_arrays(
            [pyarrow.array([partition], pyarrow.int32()), pyarrow.array([attempt], pyarrow.int64()), pyarrow.array([rows], pyarrow.int64())],
            names=["partition", "attempt", "rows"],
        )

    return send

def offsets(df, batch_id):
    """The text of offsets/N: what tells this batch from another of the same number."""
    root = CONFIG["checkpoint"]
    if root is None:
        return None
    path = root.rstrip("/") + "/offsets/" + str(batch_id)
    if path.startswith("file:"):
        path = "/" + path[5:].lstrip("/")
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        # no local disk: Spark can read where it has written
        found = df.sparkSession.read.format("binaryFile").load(path).select("content").collect()
        return bytes(found[0][0]).decode()

def run(df, batch_id):
    link = Link({"kind": "batch", "batch": batch_id})
    try:
        link.say({"offsets": offsets(df, batch_id)})
        wanted = link.hear()
        while "want" not in wanted:
            if "failed" in wanted:
                raise failure("SINK_FAILED", wanted["failed"])
            wanted = link.hear()
        if wanted["want"] == "rows":
            sent = df.mapInArrow(sender(batch_id), "partition int, attempt long, rows long").collect()
            link.say({"parts": [[part.partition, part.attempt, part.rows] for part in sent]})
        else:
            # the rows are stored there already, but state and watermarks must see the batch
            df.write.format("noop").mode("overwrite").save()
            link.say({"parts": []})
        while True:
            verdict = link.hear()
            if "failed" in verdict:
                raise failure("SINK_FAILED", verdict["failed"])
            if "delivered" in verdict:
                return
    finally:
        link.close()
