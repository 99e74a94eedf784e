import { api } from "../api.ts";
import { array, int16, int32, since, string, struct } from "../codec.ts";

/** ApiVersions, key 18. */
export const apiVersions = api({
  key: 18,
  name: "ApiVersions",
  versions: "0-4",
  flexible: 3,
  request: struct({
    clientSoftwareName: since("3+", string),
    clientSoftwareVersion: since("3+", string),
  }),
  response: struct({
    errorCode: int16,
    apiKeys: array(
      struct({
        apiKey: int16,
        minVersion: int16,
        maxVersion: int16,
      }),
    ),
    throttleTimeMs: since("1+", int32),
  }),
});
