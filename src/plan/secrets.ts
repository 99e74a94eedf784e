/** Names that are secret whatever connector they belong to. */
const SECRET = /password|secret|token|sasl\.jaas|access\.?key|credential|private\.?key/i;

/** Whether an option's value must not be shown: by its connector's word (`named`) or by its own. */
export function parseSecretNames(named: Iterable<string> = []): (name: string) => boolean {
  const known = new Set([...named].map((n) => n.toLowerCase()));
  return (name) => known.has(name.toLowerCase()) || SECRET.test(name);
}
