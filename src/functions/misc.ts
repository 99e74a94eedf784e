import { type CipherGCM, createCipheriv, createDecipheriv, type DecipherGCM, randomBytes } from "node:crypto";
import { MillraceError } from "../errors.ts";
import type { DataType } from "../types/data-type.ts";
import { type FunctionDef, family, type NativeFunction, nativeFunction } from "./define.ts";
import { any, BINARY, BOOLEAN, binary, DATE, DOUBLE, INT, LONG, opt, STRING, string, TIMESTAMP } from "./params.ts";

const cast = family("cast");
const misc = family("misc");

/** `int(x)` and its like: casts written as functions. */
const castTo = (name: string, type: DataType, example: readonly [string, unknown]): FunctionDef =>
  cast(name, [any], type, example, ([x]) => x!, { coerce: () => [type], constant: ([value]) => value });

export const castFunctions: readonly FunctionDef[] = [
  castTo("boolean", BOOLEAN, ["boolean('yes')", true]),
  castTo("tinyint", { kind: "byte" }, ["tinyint('12')", 12]),
  castTo("smallint", { kind: "short" }, ["smallint('12')", 12]),
  castTo("int", INT, ["int('12')", 12]),
  castTo("bigint", LONG, ["bigint('12')", 12n]),
  castTo("float", { kind: "float" }, ["float('1.5')", 1.5]),
  castTo("double", DOUBLE, ["double('1.5')", 1.5]),
  castTo("decimal", { kind: "decimal", precision: 10, scale: 0 }, ["decimal('12.6')", "13"]),
  castTo("string", STRING, ["string(12)", "12"]),
  castTo("binary", BINARY, ["hex(binary('ab'))", "6162"]),
  castTo("date", DATE, ["date('2020-02-29')", new Date("2020-02-29T00:00:00Z")]),
  castTo("timestamp", TIMESTAMP, ["timestamp('2020-02-29 12:00:00')", new Date("2020-02-29T12:00:00Z")]),
];

// ----------------------------------------------------------------------------------------------------------------------- AES

interface Mode {
  readonly name: "ecb" | "cbc" | "gcm";
  readonly ivLength: number;
}

function modeOf(mode: string, padding: string): Mode {
  const m = mode.toUpperCase();
  const p = padding.toUpperCase();
  if (m === "GCM" && (p === "NONE" || p === "DEFAULT")) return { name: "gcm", ivLength: 12 };
  if (m === "ECB" && (p === "PKCS" || p === "DEFAULT")) return { name: "ecb", ivLength: 0 };
  if (m === "CBC" && (p === "PKCS" || p === "DEFAULT")) return { name: "cbc", ivLength: 16 };
  throw new MillraceError(
    "UNSUPPORTED_FEATURE.AES_MODE",
    `AES mode ${mode} with the padding ${padding} by the aes_encrypt/aes_decrypt functions is not supported.`,
    {
      hint: "Use GCM, or ECB or CBC with the padding PKCS.",
    },
  );
}

function cipherName(key: Uint8Array, mode: Mode, functionName: string): string {
  if (![16, 24, 32].includes(key.length)) {
    throw new MillraceError(
      "INVALID_PARAMETER_VALUE.AES_KEY_LENGTH",
      `The value of parameter(s) \`key\` in \`${functionName}\` is invalid: expects a binary value with 16, 24 or 32 bytes, but got ${key.length} bytes.`,
    );
  }
  return `aes-${key.length * 8}-${mode.name}`;
}

const encryptCall = (
  value: Uint8Array,
  key: Uint8Array,
  modeText: string,
  padding: string,
  given: Uint8Array,
  aad: string,
): Uint8Array => {
  const mode = modeOf(modeText, padding);
  const name = cipherName(key, mode, "aes_encrypt");
  if (given.length > 0 && mode.name === "ecb") throw unsupportedIv(modeText);
  if (given.length > 0 && given.length !== mode.ivLength) throw wrongIv(modeText, given.length);
  const iv = given.length > 0 ? given : randomBytes(mode.ivLength);
  const cipher = createCipheriv(name, key, mode.name === "ecb" ? null : iv);
  if (mode.name === "gcm" && aad !== "") (cipher as CipherGCM).setAAD(Buffer.from(aad));
  const body = Buffer.concat([cipher.update(value), cipher.final()]);
  const tag = mode.name === "gcm" ? (cipher as CipherGCM).getAuthTag() : Buffer.alloc(0);
  return Buffer.concat([iv, body, tag]);
};

const decryptCall = (
  value: Uint8Array,
  key: Uint8Array,
  modeText: string,
  padding: string,
  aad: string,
): Uint8Array => {
  const mode = modeOf(modeText, padding);
  const name = cipherName(key, mode, "aes_decrypt");
  try {
    const iv = value.subarray(0, mode.ivLength);
    const decipher = createDecipheriv(name, key, mode.name === "ecb" ? null : iv);
    let end = value.length;
    if (mode.name === "gcm") {
      end -= 16;
      (decipher as DecipherGCM).setAuthTag(value.subarray(end));
      if (aad !== "") (decipher as DecipherGCM).setAAD(Buffer.from(aad));
    }
    return Buffer.concat([decipher.update(value.subarray(mode.ivLength, end)), decipher.final()]);
  } catch (cause) {
    throw new MillraceError(
      "INVALID_PARAMETER_VALUE.AES_CRYPTO_ERROR",
      "The value cannot be decrypted with this key, mode and additional data.",
      {
        hint: "Use `try_aes_decrypt` to get null instead.",
        cause,
      },
    );
  }
};

const wrongIv = (mode: string, length: number): MillraceError =>
  new MillraceError(
    "INVALID_PARAMETER_VALUE.AES_IV_LENGTH",
    `The value of parameter(s) \`iv\` in \`aes_encrypt\` is invalid: ${mode} expects 16 bytes (CBC) or 12 bytes (GCM), but got ${length} bytes.`,
  );
const unsupportedIv = (mode: string): MillraceError =>
  new MillraceError("UNSUPPORTED_FEATURE.AES_MODE_IV", `AES mode ${mode} does not take an initialization vector.`);

const encrypt = nativeFunction("aes_encrypt", encryptCall);
const decrypt = nativeFunction("aes_decrypt", decryptCall);
const tryDecrypt = nativeFunction("try_aes_decrypt", (...args: Parameters<typeof decryptCall>) => {
  try {
    return decryptCall(...args);
  } catch (error) {
    // A wrong mode or key gives null too.
    if (error instanceof MillraceError) return null;
    throw error;
  }
});

const decryption = (name: string, f: NativeFunction, example: readonly [string, unknown]): FunctionDef =>
  misc(
    name,
    [binary, binary, opt(string), opt(string), opt(string)],
    BINARY,
    example,
    ([value, key, mode = "'GCM'", padding = "'DEFAULT'", aad = "''"], _, call) =>
      call(
        f,
        [
          { sql: value!, type: BINARY },
          { sql: key!, type: BINARY },
          ...[mode, padding, aad].map((sql) => ({ sql, type: STRING })),
        ],
        BINARY,
      ),
    { nullable: "always" },
  );

export const miscFunctions: readonly FunctionDef[] = [
  misc("uuid", [], STRING, ["length(uuid())", 36], () => "CAST(uuid() AS VARCHAR)", {
    nullable: "never",
    nondeterministic: true,
  }),
  misc(
    "aes_encrypt",
    [binary, binary, opt(string), opt(string), opt(binary), opt(string)],
    BINARY,
    ["hex(aes_encrypt('Spark', '0000111122223333', 'ECB'))", "348FF37EBDE05B7880BA339068FBDA5E"],
    ([value, key, mode = "'GCM'", padding = "'DEFAULT'", iv, aad = "''"], _, call) =>
      call(
        encrypt,
        [
          { sql: value!, type: BINARY },
          { sql: key!, type: BINARY },
          { sql: mode, type: STRING },
          { sql: padding, type: STRING },
          { sql: iv ?? "''::BLOB", type: BINARY },
          { sql: aad, type: STRING },
        ],
        BINARY,
      ),
    { nullable: "always" },
  ),
  decryption("aes_decrypt", decrypt, [
    "cast(aes_decrypt(unhex('83F16B2AA704794132802D248E6BFD4E380078182D1544813898AC97E709B28A94'), '0000111122223333') as string)",
    "Spark",
  ]),
  decryption("try_aes_decrypt", tryDecrypt, ["try_aes_decrypt(unhex('00'), '0000111122223333')", null]),
];
