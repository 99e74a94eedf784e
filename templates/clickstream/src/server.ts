import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { stopSignal } from "millrace";
import type { KafkaProducer } from "millrace/kafka";
import type { Click } from "./click.ts";

const PORT = Number(process.env.PORT ?? 3000);
const stop = stopSignal();

/**
 * Serves the shop's page, and takes its clicks:
 *
 *   curl -d '{"visitor":"me","page":"/tea"}' http://127.0.0.1:3000/clicks
 *
 * Gives its address; a port that is taken is passed over. It ends with the pipeline.
 */
export async function startServer(producer: KafkaProducer<{ clicks: Click }>): Promise<string> {
  const page = readFileSync(new URL("./shop.html", import.meta.url));
  const server = createServer(async (request, response) => {
    const path = request.url ?? "/";
    if (request.method === "POST" && path === "/clicks") {
      try {
        const click = parse(await bodyOf(request));
        // Answered when it is stored: whoever gets an answer will find the click in the results.
        await producer.send("clicks", { key: click.visitor, value: click });
        response.writeHead(204).end();
      } catch (error) {
        response.writeHead(error instanceof BadRequest ? 400 : 503).end((error as Error).message);
      }
    } else if (request.method === "GET") {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page);
    } else {
      response.writeHead(405).end();
    }
  });
  await listen(server, PORT);
  stop.addEventListener("abort", () => {
    server.close();
    server.closeAllConnections();
    void producer.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

class BadRequest extends Error {}

function parse(text: string): Click {
  let click: Partial<Record<keyof Click, unknown>>;
  try {
    click = JSON.parse(text);
  } catch {
    throw new BadRequest("This is no JSON.");
  }
  const { visitor, page } = click ?? {};
  if (typeof visitor !== "string" || typeof page !== "string") throw new BadRequest("visitor and page must be texts.");
  return { ts: new Date(), visitor, page };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += chunk;
    if (text.length > 10_000) throw new BadRequest("That is too much.");
  }
  return text;
}

async function listen(server: Server, port: number): Promise<void> {
  for (let last = port + 20; ; port++) {
    server.listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE" || port === last) throw error;
    }
  }
}
