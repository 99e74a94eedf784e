import { apiVersions } from "./api-versions.ts";
import { fetch } from "./fetch.ts";
import type { Handler } from "./handler.ts";
import { listOffsets } from "./list-offsets.ts";
import { metadata } from "./metadata.ts";
import { produce } from "./produce.ts";

/** Every API this broker answers. A new one is a file and a line here. */
export const HANDLERS: readonly Handler[] = [produce, fetch, listOffsets, metadata, apiVersions(() => HANDLERS)];
