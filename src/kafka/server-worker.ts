import { parentPort, workerData } from "node:worker_threads";
import { subscribe } from "../events.ts";
import { BrokerServer, type BrokerServerOptions } from "./broker-server.ts";
import { type FromBroker, packError } from "./server-messages.ts";

/** The broker's own thread: started by server.ts with the options as data; any message from there means "close". */
const port = parentPort!;
const tell = (message: FromBroker): void => port.postMessage(message);

subscribe("server.error", ({ error }) => tell({ type: "server.error", error: packError(error) }));
subscribe("warning", (warning) => tell({ type: "warning", ...warning }));

try {
  const server = await BrokerServer.start(workerData as BrokerServerOptions);
  port.once("message", () => {
    server.close().then(
      () => tell({ type: "closed" }),
      (error: unknown) => tell({ type: "closed", error: packError(error) }),
    );
  });
  tell({ type: "listening", port: server.port });
} catch (error) {
  tell({ type: "failed", error: packError(error) });
}
