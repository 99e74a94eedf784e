import { malformed, Reader, Writer } from "./buffers.ts";
import type { Type } from "./codec.ts";

/** One API of the protocol: its key, the versions spoken here, and its two messages. */
export interface Api<Req = any, Res = any, ReqIn = Req, ResIn = Res> {
  readonly key: number;
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** First version with compact lengths and tagged fields. */
  readonly flexible: number;
  readonly request: Type<Req, ReqIn>;
  readonly response: Type<Res, ResIn>;
}

/** Declares an API. `versions` are those spoken here ("3-13"), `flexible` is the first flexible one. */
export function api<Req, Res, ReqIn, ResIn>(spec: {
  key: number;
  name: string;
  versions: `${number}-${number}`;
  flexible: number;
  request: Type<Req, ReqIn>;
  response: Type<Res, ResIn>;
}): Api<Req, Res, ReqIn, ResIn> {
  const [min, max] = spec.versions.split("-").map(Number) as [number, number];
  return {
    key: spec.key,
    name: spec.name,
    min,
    max,
    flexible: spec.flexible,
    request: spec.request,
    response: spec.response,
  };
}

/** The part of the header that has the same place in every version; what follows depends on the API. */
export function readRequestStart(r: Reader): { apiKey: number; apiVersion: number; correlationId: number } {
  return { apiKey: r.int16(), apiVersion: r.int16(), correlationId: r.int32() };
}

/** The rest of the header. The client id never has a compact length, not even in flexible versions. */
export function readRequestRest(r: Reader, flexible: boolean): string | null {
  const n = r.int16();
  const clientId = n < 0 ? null : r.utf8(n);
  if (flexible) r.skipTags();
  return clientId;
}

/** A response frame as buffers, its length in front. Only ApiVersions keeps the old header in flexible versions. */
export function encodeResponse<Res, ResIn>(
  api: Api<any, Res, any, ResIn>,
  version: number,
  correlationId: number,
  body: ResIn,
): Buffer[] {
  const flexible = version >= api.flexible;
  const w = new Writer();
  w.int32(0);
  w.int32(correlationId);
  if (flexible && api.key !== API_VERSIONS_KEY) w.uvarint(0);
  api.response.write(w, body, version, flexible);
  const length = w.length - 4;
  const parts = w.finish();
  parts[0]!.writeInt32BE(length, 0);
  return parts;
}

/** A request frame, its length in front. */
export function encodeRequest<Req, ReqIn>(
  api: Api<Req, any, ReqIn, any>,
  version: number,
  correlationId: number,
  clientId: string | null,
  body: ReqIn,
): Buffer {
  const flexible = version >= api.flexible;
  const w = new Writer();
  w.int32(0);
  w.int16(api.key);
  w.int16(version);
  w.int32(correlationId);
  if (clientId === null) w.int16(-1);
  else {
    const n = Buffer.byteLength(clientId);
    w.int16(n);
    w.utf8(clientId, n);
  }
  if (flexible) w.uvarint(0);
  api.request.write(w, body, version, flexible);
  const length = w.length - 4;
  const frame = Buffer.concat(w.finish());
  frame.writeInt32BE(length, 0);
  return frame;
}

/** Reads a request's body behind its header. Throws KAFKA_PROTOCOL when it does not fit the version's layout. */
export function readRequestBody<Req>(api: Api<Req, any, any, any>, version: number, r: Reader): Req {
  const body = api.request.read(r, version, version >= api.flexible);
  if (r.remaining !== 0) {
    throw malformed(`${r.remaining} bytes are left after ${api.name} v${version}`);
  }
  return body;
}

/** Reads a response frame without its length. */
export function decodeResponse<Res>(
  api: Api<any, Res, any, any>,
  version: number,
  frame: Buffer,
): { correlationId: number; body: Res } {
  const r = new Reader(frame);
  const correlationId = r.int32();
  const flexible = version >= api.flexible;
  if (flexible && api.key !== API_VERSIONS_KEY) r.skipTags();
  const body = api.response.read(r, version, flexible);
  if (r.remaining !== 0) throw malformed(`${r.remaining} bytes are left after the answer of ${api.name} v${version}`);
  return { correlationId, body };
}

export const API_VERSIONS_KEY = 18;
