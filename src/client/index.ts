/** Live views in a browser or in Node: `import { client } from "millrace/client"`. Nothing of Node is needed. */
export { client } from "./client.ts";
export type {
  Client,
  ClientOptions,
  KeyValue,
  LiveChange,
  LiveError,
  LiveStatus,
  LiveView,
  NameOf,
  RowOf,
  Views,
  ViewType,
} from "./types.ts";
