import type { ViewInfo } from "../observe/api-views.ts";
import { clientsOf } from "./channel.ts";
import { viewIfServed } from "./hall.ts";
import { definitionOf, viewNames } from "./registry.ts";

/** All declared views, by name. */
export function viewInfos(): ViewInfo[] {
  return viewNames().map((name): ViewInfo => {
    const definition = definitionOf(name)!;
    const { shape, content } = viewIfServed(name) ?? {};
    return {
      name,
      source: definition.source,
      key: shape?.key ?? definition.key ?? [],
      columns: shape?.columns ?? [],
      rows: content?.size ?? null,
      clients: clientsOf(name),
    };
  });
}
