import { type Infer, schema, t } from "millrace";

/** A visitor looked at a page. */
export const Click = schema({ ts: t.notNull(t.timestamp), visitor: t.notNull(t.string), page: t.notNull(t.string) });
export type Click = Infer<typeof Click>;

/** What a visitor did without a longer pause. */
export const Session = schema({
  visitor: t.notNull(t.string),
  started: t.notNull(t.timestamp),
  seconds: t.notNull(t.double),
  clicks: t.notNull(t.int),
  pages: t.notNull(t.array(t.string)),
});
export type Session = Infer<typeof Session>;
