import { type Infer, schema, t } from "millrace";

/** A departure: when it was announced, from where to where, how late (minutes, negative: early), how far (miles). */
export const Flight = schema({
  ts: t.timestamp,
  origin: t.string,
  destination: t.string,
  delay: t.int,
  distance: t.int,
});

export type Flight = Infer<typeof Flight>;
