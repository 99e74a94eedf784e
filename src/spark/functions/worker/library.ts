/** What of the library can be used inside a function that runs on a Spark worker: `import { schema, t } from "millrace"`. */
export { MillraceError } from "../../../errors.ts";
export { schema, t } from "../../../types/schema.ts";
