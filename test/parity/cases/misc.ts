import { expressions, type ParityCase } from "../case.ts";

/** What belongs to no family. */
export const cases: readonly ParityCase[] = [
  ...expressions("misc", undefined, [
    "length(uuid())",
    "uuid() <> uuid()",
    "typeof(uuid())",
    "aes_encrypt('a', 'b')",
    "typeof(aes_encrypt('Spark', '0000111122223333'))",
    "CAST(aes_decrypt(aes_encrypt('Spark', '0000111122223333'), '0000111122223333') AS string)",
    "base64(aes_encrypt('Spark', '0000111122223333', 'ECB'))",
    "base64(aes_encrypt('Spark', 'abcdefghijklmnop12345678ABCDEFGH', 'CBC', 'DEFAULT', X'00000000000000000000000000000000'))",
    "hex(aes_encrypt('Spark', 'abcdefghijklmnop12345678ABCDEFGH', 'GCM', 'DEFAULT', X'000000000000000000000000', 'aad'))",
    "CAST(aes_decrypt(unbase64('4A5jOAh9FNGwoMeuJukfllrLdHEZxA2DyuSQAWz77dfn'), 'abcdefghijklmnop12345678ABCDEFGH', 'CBC') AS string)",
    "aes_decrypt(X'00', '0000111122223333')",
    "try_aes_decrypt(X'00', '0000111122223333')",
    "try_aes_decrypt(X'00', '0000111122223333', 'XYZ')",
    "try_aes_decrypt(X'00', '0000')",
    "aes_encrypt('a', '0000111122223333', 'XYZ')",
    "aes_encrypt(NULL, '0000111122223333')",
  ]),
  ...expressions("misc", "strings", [
    "CAST(aes_decrypt(aes_encrypt(a, '0000111122223333'), '0000111122223333') AS string)",
    "hex(aes_encrypt(a, '0000111122223333', 'ECB', 'PKCS'))",
  ]),
];
