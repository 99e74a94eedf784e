import { SparkSession } from "millrace";
import { startObserver } from "../../../src/observe/server.ts";

// In a page the client finds its own server; here it is this one.
const { url } = await startObserver({ port: 0 });
Object.assign(globalThis, { location: new URL(url) });
export const views = {
  customers: SparkSession.builder().getOrCreate().view("customers", { table: "customers" }),
};
