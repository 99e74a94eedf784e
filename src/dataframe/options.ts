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

/** What every reader and writer has: options by name. */
export abstract class OptionsBase {
  /** The options so far, as text. */
  protected given: Readonly<Record<string, string>> = {};

  protected setOption(name: string, value: OptionValue): this {
    this.given = withOption(this.given, name, value);
    return this;
  }
}

/** The same with the methods that set them. */
export abstract class WithOptions extends OptionsBase {
  /** Sets an option; its name is matched without regard to case, the last value stands. Throws INVALID_OPTION. */
  option(name: string, value: OptionValue): this {
    return this.setOption(name, value);
  }
  /** Sets several options. */
  options(options: Readonly<Record<string, OptionValue>>): this {
    for (const [name, value] of Object.entries(options)) this.option(name, value);
    return this;
  }
}

/** What every writer has: a format and columns to partition by as well. */
export abstract class SinkOptions<C extends string> extends WithOptions {
  protected formatName: string | undefined;
  protected partitions: readonly C[] = [];

  /** The format to write, such as "delta" or "postgres". */
  format(name: string): this {
    this.formatName = name;
    return this;
  }
  /** Columns whose values make the folders of formats of files. */
  partitionBy(...columns: C[]): this {
    this.partitions = columns;
    return this;
  }
}

/** Options with one more in place of those of the same name. */
function withOption(
  options: Readonly<Record<string, string>>,
  name: string,
  value: OptionValue,
): Readonly<Record<string, string>> {
  const rest = Object.entries(options).filter(([n]) => n.toLowerCase() !== name.toLowerCase());
  return Object.freeze({ ...Object.fromEntries(rest), [name]: optionText(name, value) });
}
