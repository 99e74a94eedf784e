# transformWithState in Spark's Python workers. It is the second half of worker.py, and sent behind it.

# Rows and keys that go to the child at once.
BLOCK_ROWS, BLOCK_KEYS = 10000, 1000
TIME_MODES = {"none": "None", "processing_time": "ProcessingTime", "event_time": "EventTime"}


def arrow_schema(packed):
    with pa.ipc.open_stream(base64.b64decode(packed)) as reader:
        return reader.schema


def outward(value, kind):
    """A value as Spark's Python has it, for Arrow. A timestamp without a zone is one of the worker's own zone."""
    if value is None:
        return None
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return value if value.tzinfo is not None else value.astimezone(datetime.timezone.utc)
    if pa.types.is_struct(kind):
        return {kind.field(i).name: outward(value[i], kind.field(i).type) for i in range(kind.num_fields)}
    if pa.types.is_list(kind):
        return [outward(item, kind.value_type) for item in value]
    if pa.types.is_map(kind):
        return [(outward(k, kind.key_type), outward(v, kind.item_type)) for k, v in value.items()]
    return value


def inward(value, kind):
    """A value from Arrow, as Spark's Python takes it."""
    if value is None:
        return None
    if pa.types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        return tuple(inward(value[f.name], f.type) for f in fields)
    if pa.types.is_list(kind):
        return [inward(item, kind.value_type) for item in value]
    if pa.types.is_map(kind):
        return {inward(k, kind.key_type): inward(v, kind.item_type) for k, v in value}
    return value


def column_of(values, kind, name="value"):
    array = pa.array([outward(value, kind) for value in values], type=kind)
    return pa.RecordBatch.from_arrays([array], names=[name])


class Part:
    """The value of a state variable or the key of a map: Spark keeps rows, one of another type is a row of one column."""

    def __init__(self, declared):
        self.schema = declared["schema"]
        self.kind = arrow_schema(declared["arrow"]).field(0).type
        self.is_row = declared["isRow"]

    def struct(self):
        from pyspark.sql.types import StructType

        return StructType.fromJson(self.schema)

    def out(self, row):
        if row is None:
            return None
        return tuple(row) if self.is_row else row[0]

    def back(self, data):
        """The values of an Arrow stream as rows."""
        rows = [inward(value, self.kind) for value in from_ipc(data).column(0).to_pylist()]
        return rows if self.is_row else [(value,) for value in rows]


class Variable:
    def __init__(self, declared):
        self.kind, self.name, self.ttl = declared["kind"], declared["name"], declared["ttlMs"]
        self.value = Part(declared["value"])
        self.key = Part(declared["key"]) if self.kind == "map" else None

    def declare(self, handle):
        if self.kind == "value":
            return handle.getValueState(self.name, self.value.struct(), self.ttl)
        if self.kind == "list":
            return handle.getListState(self.name, self.value.struct(), self.ttl)
        return handle.getMapState(self.name, self.key.struct(), self.value.struct(), self.ttl)


class StatefulRun:
    """One partition of one batch. Spark calls for each key; keys are gathered and go to the child in blocks."""

    def __init__(self, package, options):
        self.package, self.options = package, options
        self.stateful = package["stateful"]
        self.handle = None
        self.keys, self.rows, self.counts = [], [], []
        self.current = None
        self.started = False

    def run(self, api, mode, key, rows):
        if mode.name == "PRE_INIT":
            return self.declare_only(api)
        self.open(api)
        if mode.name == "PROCESS_DATA":
            before = len(self.rows)
            self.rows.extend(rows)
            self.keys.append(key)
            self.counts.append(len(self.rows) - before)
            full = len(self.rows) >= BLOCK_ROWS or len(self.keys) >= BLOCK_KEYS
            return self.flush() if full else iter(())
        if mode.name == "PROCESS_TIMER":
            return self.finish_data()
        return self.complete()

    def init(self, handle):
        variables = [Variable(declared) for declared in self.stateful["variables"]]
        states = [variable.declare(handle) for variable in variables]
        for name in self.stateful["deleted"]:
            handle.deleteIfExists(name)
        return variables, states

    def declare_only(self, api):
        from pyspark.sql.streaming.stateful_processor import StatefulProcessorHandle

        api.set_handle_state(self.states(api).PRE_INIT)
        self.init(StatefulProcessorHandle(api))
        return iter(())

    def states(self, api):
        from pyspark.sql.streaming.stateful_processor_api_client import StatefulProcessorHandleState

        return StatefulProcessorHandleState

    def open(self, api):
        if self.handle is not None:
            return
        from pyspark import TaskContext
        from pyspark.sql.streaming.stateful_processor import StatefulProcessorHandle

        self.api = api
        self.handle = StatefulProcessorHandle(api)
        self.variables, self.vars = self.init(self.handle)
        api.set_handle_state(self.states(api).INITIALIZED)
        self.input = arrow_schema(self.stateful["input"])
        self.key_schema = arrow_schema(self.stateful["keys"])
        # Nearly every processor reads the values of its keys: they are sent along until it turns out otherwise.
        self.eager = [i for i, variable in enumerate(self.variables) if variable.kind == "value"]
        batch, watermark = api.get_timestamps(TIME_MODES[self.stateful["timeMode"]])
        context = TaskContext.get()
        local = (lambda name: context.getLocalProperty(name) or "") if context is not None else (lambda name: "")
        self.head = {
            "processingTimeMs": batch if batch >= 0 else int(time.time() * 1000),
            "watermarkMs": max(watermark, 0),
            "queryId": local("sql.streaming.queryId"),
            "runId": local("spark.jobGroup.id"),
            "batchId": int(local("streaming.sql.batchId") or 0),
        }
        self.due_until = watermark if self.stateful["timeMode"] == "event_time" else batch

    def at(self, index):
        if self.current != index:
            self.api.set_implicit_key(self.keys[index])
            self.current = index

    def flush(self):
        if self.keys:
            columns = list(zip(*self.rows))
            arrays = [pa.array(column, type=field.type) for column, field in zip(columns, self.input)]
            rows = pa.RecordBatch.from_arrays(arrays, schema=self.input)
            yield from self.exchange("data", rows, {"counts": self.counts})

    def exchange(self, kind, first, more):
        child = child_for(self.package, self.options)
        self.started = True
        values = {index: [] for index in self.eager}
        if self.eager:
            for i in range(len(self.keys)):
                self.at(i)
                for index in self.eager:
                    values[index].append(self.variables[index].value.out(self.vars[index].get()))
        parts = [to_ipc(first)] + [to_ipc(column_of(values[i], self.variables[i].value.kind)) for i in self.eager]
        head = dict(self.head, kind=kind, parts=[len(part) for part in parts], values=self.eager, **more)
        for answer, payload in self.call(child, head, parts):
            if answer == "R":
                from pyspark.sql import Row

                for row in from_ipc(payload).to_pylist():
                    yield Row(**row)
            elif answer == "G":
                child.send("S", self.read(payload))
            else:
                self.apply(payload)
        self.keys, self.rows, self.counts, self.current = [], [], [], None

    def call(self, child, head, parts):
        text = json.dumps(head).encode()
        start = [self.package["id"].encode(), struct.pack("<I", len(text)), text]
        return child.call("K", self.package["name"], self.options["limit"], *start, *parts)

    def read(self, payload):
        """State that the processor asks for."""
        request, parts = open_parts(payload)
        self.at(request["key"])
        if request["what"] == "timers":
            return json.dumps(list(self.handle.listTimers())).encode()
        variable, state = self.variables[request["variable"]], self.vars[request["variable"]]
        value = variable.value
        if request["what"] == "value":
            return to_ipc(column_of([value.out(state.get())], value.kind))
        if request["what"] == "list":
            return to_ipc(column_of([value.out(row) for row in state.get()], value.kind))
        if request["what"] == "entry":
            (key,) = variable.key.back(parts[0])
            found = state.getValue(key) if state.containsKey(key) else None
            return to_ipc(column_of([value.out(found)], value.kind))
        pairs = list(state.iterator())
        keys = column_of([variable.key.out(k) for k, _ in pairs], variable.key.kind, "key").column(0)
        values = column_of([value.out(v) for _, v in pairs], value.kind).column(0)
        return to_ipc(pa.RecordBatch.from_arrays([keys, values], names=["key", "value"]))

    def apply(self, payload):
        """Carries out what the block has changed, key by key."""
        changes, parts = open_parts(payload)
        parts = iter(parts)
        values, keys = {}, {}
        for index in changes["variables"]:
            variable = self.variables[index]
            values[index] = iter(variable.value.back(next(parts)))
            if variable.kind == "map":
                keys[index] = iter(variable.key.back(next(parts)))
        todo = []
        for key, index, op, count in changes["changes"]:
            own = [next(values[index]) for _ in range(count)] if op in ("update", "put", "append", "set") else []
            map_key = next(keys[index]) if op in ("set", "remove") else None
            todo.append((key, op, self.vars[index], own, map_key))
        todo += [(key, op, None, time_ms, None) for key, op, time_ms in changes["timers"]]
        for key, op, state, own, map_key in sorted(todo, key=lambda change: change[0]):
            self.at(key)
            if op == "update":
                state.update(own[0])
            elif op == "clear":
                state.clear()
            elif op == "put":
                state.put(own)
            elif op == "append":
                state.appendList(own)
            elif op == "set":
                state.updateValue(map_key, own[0])
            elif op == "remove":
                state.removeKey(map_key)
            elif op == "delete_timer":
                self.handle.deleteTimer(own)
            else:
                self.handle.registerTimer(own)
        self.eager = changes["read"]

    def finish_data(self):
        yield from self.flush()
        self.api.set_handle_state(self.states(self.api).DATA_PROCESSED)
        if self.stateful["timeMode"] != "none":
            yield from self.expire()

    def expire(self):
        from pyspark.sql.streaming.stateful_processor_api_client import ExpiredTimerIterator

        # All of them first: handling one may register others, which wait for the next batch.
        due = {}
        for key, moment in ExpiredTimerIterator(self.api, self.due_until):
            due.setdefault(tuple(key), []).append(moment)
        keys = list(due)
        for start in range(0, len(keys), BLOCK_KEYS):
            self.keys = keys[start : start + BLOCK_KEYS]
            columns = list(zip(*self.keys))
            arrays = [column_of(column, f.type).column(0) for column, f in zip(columns, self.key_schema)]
            first = pa.RecordBatch.from_arrays(arrays, schema=self.key_schema)
            times = [(i, moment) for i, key in enumerate(self.keys) for moment in sorted(due[key])]
            yield from self.exchange("timers", first, {"due": times})

    def complete(self):
        states = self.states(self.api)
        self.api.set_handle_state(states.TIMER_PROCESSED)
        self.api.remove_implicit_key()
        if self.started:
            child = child_for(self.package, self.options)
            head = dict(self.head, kind="close", parts=[], values=[])
            for _ in self.call(child, head, []):
                pass
        self.api.set_handle_state(states.CLOSED)
        return iter(())


def open_parts(payload):
    (size,) = struct.unpack_from("<I", payload)
    head = json.loads(bytes(payload[4 : 4 + size]))
    parts, start = [], 4 + size
    for length in head["parts"]:
        parts.append(payload[start : start + length])
        start += length
    return head, parts


def stateful(package, options):
    """The function of transformWithState over rows."""

    def run(api, mode, key, rows):
        return state.run(api, mode, key, rows)

    state = StatefulRun(package, options)
    return run
