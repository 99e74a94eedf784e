import { loadFlights } from "../examples/flights/dataset.ts";
import { createTopics, replay } from "../examples/flights/replay.ts";
import { type Stack, startStack } from "../src/stack.ts";

/** An embedded stack whose topic `flights` holds `count` flights; the log is filled before anything is measured. */
export async function stackWithFlights(
  directory: string,
  count: number,
): Promise<Stack<"kafka"> & { readonly fillPerSecond: number }> {
  const stack = await startStack({ directory, want: ["kafka"], ports: { kafka: 0 } });
  const kafka = process.env.MILLRACE_KAFKA!;
  await createTopics(kafka);
  const flights = await loadFlights(count);
  const startedAt = performance.now();
  await replay(flights, { kafka, speed: Number.POSITIVE_INFINITY });
  return Object.assign(stack, { fillPerSecond: (count / (performance.now() - startedAt)) * 1000 });
}
