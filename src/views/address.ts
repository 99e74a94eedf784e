import type { Connector, Options } from "../connectors/connector.ts";
import { MillraceError } from "../errors.ts";
import type { ViewDefinition } from "./definition.ts";

/** The options of a view's connection, completed from the environment as for sinks. @throws MillraceError MISSING_OPTION */
export function addressOptions(connector: Connector, definition: ViewDefinition): Options {
  const url = connector.options.find((option) => option.name === "url");
  const address = definition.options.url ?? (url?.env === undefined ? undefined : process.env[url.env] || undefined);
  if (address === undefined) {
    throw new MillraceError(
      "MISSING_OPTION",
      `The view ${definition.name} of the ${definition.source} has no address.`,
      {
        hint: `Set ${url?.env}, or give options: { url: ... }.`,
        parameters: { option: "url", view: definition.name },
      },
    );
  }
  return { ...definition.options, url: address };
}
