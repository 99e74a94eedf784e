import { decodeResponse, encodeResponse } from "../../src/kafka/wire/api.ts";
import { fetch } from "../../src/kafka/wire/messages/fetch.ts";
import { tcpProxy } from "../tcp-proxy.ts";

const PRODUCE = 0;
const FETCH = 1;

/** A proxy before a broker that breaks connections at Produce requests, as a network or a dying broker does. */
export interface CuttingProxy {
  readonly bootstrap: string;
  /** Decides for each Produce request, counted from 1: pass it on, lose it, or lose its answer. */
  onProduce: (number: number) => "pass" | "lost" | "unanswered";
  readonly cuts: number;
  /** Puts an error code in place of a partition's records, for each Fetch answer, counted from 1; 0 leaves them. */
  onFetched: ((number: number, partition: number) => number) | undefined;
  close(): Promise<void>;
}

export async function cuttingProxy(bootstrap: string): Promise<CuttingProxy> {
  const [host, port] = [bootstrap.split(":")[0]!, Number(bootstrap.split(":")[1])];
  let produced = 0;
  let fetched = 0;
  let cuts = 0;
  const proxy: CuttingProxy = {
    bootstrap: "",
    onProduce: () => "pass",
    onFetched: undefined,
    get cuts() {
      return cuts;
    },
    close: () => listening.close(),
  };
  const listening = await tcpProxy(host, port, (connection) => {
    const { client, upstream } = connection;
    const asked: { key: number; version: number }[] = [];
    /** Answers still to be passed on before the one that gets lost. */
    let passing = Number.POSITIVE_INFINITY;
    const cut = (): void => {
      cuts++;
      connection.cut();
    };
    client.on(
      "data",
      frames((frame) => {
        if (passing < Number.POSITIVE_INFINITY || client.destroyed) return;
        const decision = frame.readInt16BE(4) === PRODUCE ? proxy.onProduce(++produced) : "pass";
        if (decision === "lost") return cut();
        if (decision === "unanswered") passing = asked.length;
        asked.push({ key: frame.readInt16BE(4), version: frame.readInt16BE(6) });
        upstream.write(frame);
      }),
    );
    upstream.on(
      "data",
      frames((frame) => {
        // The broker has answered, so the records are stored; the answer is lost.
        if (passing-- <= 0) return cut();
        const { key, version } = asked.shift()!;
        client.write(key === FETCH && proxy.onFetched !== undefined ? meddle(frame, version) : advertise(frame));
      }),
    );
  });
  const mine = listening.port;
  /** Puts the proxy's port where the broker names its own. */
  const advertise = (frame: Buffer): Buffer => {
    const address = Buffer.concat([Buffer.from(host), Buffer.alloc(4)]);
    address.writeInt32BE(port, host.length);
    for (let at = frame.indexOf(address); at >= 0; at = frame.indexOf(address, at + 1)) {
      frame.writeInt32BE(mine, at + host.length);
    }
    return frame;
  };
  const meddle = (frame: Buffer, version: number): Buffer => {
    const { correlationId, body } = decodeResponse(fetch, version, frame.subarray(4));
    fetched++;
    const responses = body.responses.map((topic) => ({
      ...topic,
      partitions: topic.partitions.map((p) => {
        const errorCode = proxy.onFetched!(fetched, p.partitionIndex);
        const records = errorCode !== 0 || p.records === null ? null : [p.records];
        return { ...p, errorCode: errorCode || p.errorCode, records };
      }),
    }));
    return Buffer.concat(encodeResponse(fetch, version, correlationId, { ...body, responses }));
  };
  return Object.defineProperty(proxy, "bootstrap", { value: `127.0.0.1:${mine}` });
}

/** Cuts a stream into frames with their lengths. */
function frames(each: (frame: Buffer) => void): (data: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (data) => {
    rest = Buffer.concat([rest, data]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const size = 4 + rest.readInt32BE(0);
      const frame = Buffer.from(rest.subarray(0, size));
      rest = rest.subarray(size);
      each(frame);
    }
  };
}
