/** One promise of a contract, to be run as a test: `for (const { name, run } of sinkContract(...)) test(name, run)`. Works with any test runner. */
export interface ContractCase {
  readonly name: string;
  /** Rejects with an AssertionError when the promise is broken. */
  run(): Promise<void>;
}
