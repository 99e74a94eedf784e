import { ErrorCode } from "../wire/error-codes.ts";
import { apiVersions as api } from "../wire/messages/api-versions.ts";
import { type Handler, handler } from "./handler.ts";

const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;

/** ApiVersions, over the APIs that `all` lists. */
export function apiVersions(all: () => readonly Handler[]): Handler {
  return handler(api, (request, { version }) => {
    const named = SOFTWARE.test(request.clientSoftwareName) && SOFTWARE.test(request.clientSoftwareVersion);
    return {
      errorCode: version >= 3 && !named ? ErrorCode.INVALID_REQUEST : ErrorCode.NONE,
      apiKeys: supported(all()),
    };
  });
}

export function supported(handlers: readonly Handler[]): { apiKey: number; minVersion: number; maxVersion: number }[] {
  return handlers
    .map(({ api }) => ({ apiKey: api.key, minVersion: api.min, maxVersion: api.max }))
    .sort((a, b) => a.apiKey - b.apiKey);
}
