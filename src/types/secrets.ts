/** Names of options whose values are secret whatever connector they belong to. */
const SECRET =
  /password|passphrase|secret|token|credential|sasl\.jaas|jaas.?config|access\.?_?key|api\.?_?key|private\.?_?key|keystore\.key/i;

/**
 * Options as plans, logs and progress may show them: values of secret ones, by their own names or by the connector's word
 * (`secretNames`, in any case), as `***`, and no passwords in addresses.
 *
 * @example hideSecrets({ url: "postgres://u:pw@h/db", token: "t" }) // { url: "postgres://u:***@h/db", token: "***" }
 */
export function hideSecrets(
  options: Readonly<Record<string, string>>,
  secretNames: Iterable<string> = [],
): Record<string, string> {
  const known = new Set([...secretNames].map((name) => name.toLowerCase()));
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name,
      known.has(name.toLowerCase()) || SECRET.test(name) ? "***" : hidePasswords(String(value)),
    ]),
  );
}

/** Text without the passwords of the addresses in it: `scheme://user:***@host`, `password=***`, `token=***`. */
export function hidePasswords(text: string): string {
  return text
    .replace(/(\/\/[^:/@\s]*:)\S*@/g, "$1***@")
    .replace(/((?:password|pwd|token|secret)=)[^;&\s"]+/gi, "$1***");
}
