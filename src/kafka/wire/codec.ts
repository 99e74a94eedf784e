import { malformed, type Reader, type Writer } from "./buffers.ts";

/**
 * How a value is laid out in a message. Messages are tables of these (`messages/`), read and written by one piece of code:
 * a field says in which versions it exists, and a version is flexible (compact lengths, tagged fields) or not.
 * `Out` is what reading gives, `In` what writing takes.
 */
export interface Type<Out, In = Out> {
  readonly read: (r: Reader, version: number, flexible: boolean) => Out;
  readonly write: (w: Writer, value: In, version: number, flexible: boolean) => void;
  /** What a field has in a version that lacks it. */
  readonly absent: Out;
  readonly min?: number;
  readonly max?: number;
}

/** A field that may be left out when writing. */
export interface OptionalType<Out, In = Out> extends Type<Out, In> {
  readonly optional: true;
}

/** A field that exists in `versions` ("3+", "0-7", "2") only, or has a default value. */
export function since<Out, In>(
  versions: string,
  type: Type<Out, In>,
  absent: Out = type.absent,
): OptionalType<Out, In> {
  const range = /^(\d+)(?:(\+)|-(\d+))?$/.exec(versions);
  if (range === null) throw new TypeError(`not a version range: ${versions}`);
  const min = Number(range[1]);
  const max = range[2] ? Number.MAX_SAFE_INTEGER : Number(range[3] ?? min);
  return { read: type.read, write: type.write, absent, min, max, optional: true };
}

export const bool: Type<boolean> = {
  read: (r) => r.int8() !== 0,
  write: (w, v) => w.int8(v ? 1 : 0),
  absent: false,
};
export const int8: Type<number> = { read: (r) => r.int8(), write: (w, v) => w.int8(v), absent: 0 };
export const int16: Type<number> = { read: (r) => r.int16(), write: (w, v) => w.int16(v), absent: 0 };
export const int32: Type<number> = { read: (r) => r.int32(), write: (w, v) => w.int32(v), absent: 0 };
export const int64: Type<number> = { read: (r) => r.int64(), write: (w, v) => w.int64(v), absent: 0 };

/** 22 characters of URL-safe base64, as Kafka prints topic ids. */
export const uuid: Type<string> = {
  read: (r) => r.bytes(16).toString("base64url"),
  write: (w, v) => w.bytes(Buffer.from(v, "base64url")),
  absent: "AAAAAAAAAAAAAAAAAAAAAA",
};
/** The id that stands for "none". */
export const ZERO_UUID: string = uuid.absent;

/** Length of a string or of bytes, -1 for null. Strings have 16 bits outside flexible versions, bytes and arrays 32. */
function readLength(r: Reader, flexible: boolean, bits: 16 | 32): number {
  if (flexible) return r.uvarint() - 1;
  const n = bits === 16 ? r.int16() : r.int32();
  if (n < -1) throw malformed(`negative length ${n}`);
  return n;
}

function writeLength(w: Writer, n: number, flexible: boolean, bits: 16 | 32): void {
  if (flexible) w.uvarint(n + 1);
  else if (bits === 16) w.int16(n);
  else w.int32(n);
}

export const nullableString: Type<string | null> = {
  read: (r, _version, flexible) => {
    const n = readLength(r, flexible, 16);
    return n < 0 ? null : r.utf8(n);
  },
  write: (w, v, _version, flexible) => {
    if (v === null) return writeLength(w, -1, flexible, 16);
    const n = Buffer.byteLength(v);
    writeLength(w, n, flexible, 16);
    w.utf8(v, n);
  },
  absent: null,
};
export const string: Type<string> = {
  read: (r, version, flexible) => nullableString.read(r, version, flexible) ?? fail("a string is null"),
  write: nullableString.write,
  absent: "",
};

const nullableBytes: Type<Buffer | null, Uint8Array | null> = {
  read: (r, _version, flexible) => {
    const n = readLength(r, flexible, 32);
    return n < 0 ? null : r.bytes(n);
  },
  write: (w, v, _version, flexible) => {
    writeLength(w, v === null ? -1 : v.length, flexible, 32);
    if (v !== null) w.bytes(v);
  },
  absent: null,
};
export const bytes: Type<Buffer, Uint8Array> = {
  read: (r, version, flexible) => nullableBytes.read(r, version, flexible) ?? fail("bytes are null"),
  write: nullableBytes.write,
  absent: Buffer.alloc(0),
};

/** Record batches, verbatim: a view when read, one buffer or several when written. */
export const records: Type<Buffer | null, readonly Uint8Array[] | null> = {
  read: nullableBytes.read,
  write: (w, v, _version, flexible) => {
    if (v === null) return writeLength(w, -1, flexible, 32);
    let n = 0;
    for (const part of v) n += part.length;
    writeLength(w, n, flexible, 32);
    for (const part of v) w.bytes(part);
  },
  absent: null,
};

export function nullableArray<Out, In>(type: Type<Out, In>): Type<Out[] | null, readonly In[] | null> {
  return {
    read: (r, version, flexible) => {
      const n = readLength(r, flexible, 32);
      if (n < 0) return null;
      // Every element takes a byte at least, so a huge count is refused before anything is allocated for it.
      if (n > r.remaining) throw malformed(`an array of ${n} elements in ${r.remaining} bytes`);
      const items: Out[] = [];
      for (let i = 0; i < n; i++) items.push(type.read(r, version, flexible));
      return items;
    },
    write: (w, v, version, flexible) => {
      if (v === null) return writeLength(w, -1, flexible, 32);
      writeLength(w, v.length, flexible, 32);
      for (const item of v) type.write(w, item, version, flexible);
    },
    absent: null,
  };
}

/** As `nullableArray`, null read as empty. */
export function array<Out, In>(type: Type<Out, In>): Type<Out[], readonly In[]> {
  const inner = nullableArray(type);
  return {
    read: (r, version, flexible) => inner.read(r, version, flexible) ?? [],
    write: inner.write,
    // Never changed by anybody: what is read is not written to.
    absent: [],
  };
}

/** A struct that may be null (a byte says so). */
export function nullable<Out, In>(type: Type<Out, In>): Type<Out | null, In | null> {
  return {
    read: (r, version, flexible) => (r.int8() < 0 ? null : type.read(r, version, flexible)),
    write: (w, v, version, flexible) => {
      w.int8(v === null ? -1 : 1);
      if (v !== null) type.write(w, v, version, flexible);
    },
    absent: null,
  };
}

type Fields = Record<string, Type<any, any>>;
type OutOf<T> = T extends Type<infer Out, any> ? Out : never;
type InOf<T> = T extends Type<any, infer In> ? In : never;
type OptionalKeys<F extends Fields> = { [K in keyof F]: F[K] extends { optional: true } ? K : never }[keyof F];
type Simplify<T> = { [K in keyof T]: T[K] } & {};
/** What reading a struct gives: every field, absent ones with their default. */
export type StructOut<F extends Fields> = { [K in keyof F]: OutOf<F[K]> };
/** What writing a struct takes: fields with versions or a default may be left out. */
export type StructIn<F extends Fields> = Simplify<
  { [K in Exclude<keyof F, OptionalKeys<F>>]: InOf<F[K]> } & { [K in OptionalKeys<F>]?: InOf<F[K]> | undefined }
>;

export interface StructType<F extends Fields> extends Type<StructOut<F>, StructIn<F>> {
  readonly fields: F;
}

/** Fields in order. In flexible versions tagged fields follow; unknown ones are skipped and none are written. */
export function struct<F extends Fields>(fields: F): StructType<F> {
  const names = Object.keys(fields);
  const types = Object.values(fields);
  const present = types.map((t) => [t.min ?? 0, t.max ?? Number.MAX_SAFE_INTEGER] as const);
  return {
    fields,
    read: (r, version, flexible) => {
      const out: Record<string, unknown> = {};
      for (let i = 0; i < types.length; i++) {
        const [min, max] = present[i]!;
        const type = types[i]!;
        out[names[i]!] = version >= min && version <= max ? type.read(r, version, flexible) : type.absent;
      }
      if (flexible) r.skipTags();
      return out as StructOut<F>;
    },
    write: (w, value, version, flexible) => {
      const given = value as Record<string, unknown>;
      for (let i = 0; i < types.length; i++) {
        const [min, max] = present[i]!;
        if (version < min || version > max) continue;
        const type = types[i]!;
        const v = given[names[i]!];
        type.write(w, v === undefined ? type.absent : v, version, flexible);
      }
      if (flexible) w.uvarint(0);
    },
    // A struct field that a version lacks does not occur in Kafka's messages.
    absent: undefined as never,
  };
}

function fail(detail: string): never {
  throw malformed(detail);
}
