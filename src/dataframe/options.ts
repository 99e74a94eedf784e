import { MillraceError } from "../errors.ts";
import { show } from "../types/show.ts";

/** An option's value as text, as connectors take it. Throws INVALID_OPTION. */
function optionText(name: string, value: unknown): string {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
    case "bigint":
    case "boolean":
      return String(value);
  }
  throw new MillraceError(
    "INVALID_OPTION",
    `The option "${name}" must be text, a number or a boolean, not ${show(value)}.`,
  );
}

export type OptionValue = string | number | bigint | boolean;

/** Options with one more; names are compared without regard to case, the last value stands. */
export function withOption(
  options: Readonly<Record<string, string>>,
  name: string,
  value: OptionValue,
): Readonly<Record<string, string>> {
  const rest = Object.entries(options).filter(([n]) => n.toLowerCase() !== name.toLowerCase());
  return Object.freeze({ ...Object.fromEntries(rest), [name]: optionText(name, value) });
}

export function withOptions(
  options: Readonly<Record<string, string>>,
  more: Readonly<Record<string, OptionValue>>,
): Readonly<Record<string, string>> {
  return Object.entries(more).reduce((all, [name, value]) => withOption(all, name, value), options);
}
