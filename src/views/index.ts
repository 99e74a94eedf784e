/** Live views, for those who serve them. What a pipeline declares is in registry.ts, which is all that a session needs. */
export { clientsOf, type Following, type FrameReader, follow, resetTotals } from "./channel.ts";
export { rowsJson } from "./frames.ts";
export { servedView } from "./hall.ts";
export { viewInfos } from "./overview.ts";
export { viewNames } from "./registry.ts";
export type { ServedView } from "./served-view.ts";
