import { QUEUED, type Reply } from "../resp.ts";
import type { Session } from "../session.ts";
import { CommandError } from "../store.ts";
import { type Command, type CommandTable, wrongArity } from "./command.ts";
import { connection } from "./connection.ts";
import { expiry } from "./expiry.ts";
import { hashes } from "./hashes.ts";
import { keys } from "./keys.ts";
import { pubSub } from "./pub-sub.ts";
import { server } from "./server.ts";
import { strings } from "./strings.ts";
import { transactions } from "./transactions.ts";

/** Every command, by its name in capitals. */
export const commands: CommandTable = Object.assign(
  Object.create(null),
  connection,
  server,
  keys,
  expiry,
  strings,
  hashes,
  transactions,
  pubSub,
);

/** Runs or queues what a client sent. */
export function execute(session: Session, args: string[]): Reply {
  session.server.info.commands++;
  try {
    const command = find(session, args);
    session.lastCommand = args[0]!;
    if (session.queued !== undefined && !command.flags.includes("immediate")) {
      if (command.flags.includes("pubsub") && args[0]!.toUpperCase() !== "PING") {
        throw new CommandError(`ERR ${args[0]!.toUpperCase()} is not allowed in transactions`);
      }
      session.queued.push(args);
      return QUEUED;
    }
    return call(session, args);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (session.queued !== undefined && !isTransactional(args[0]!)) session.queueFailed = true;
    return { error: error.message };
  }
}

/** Errors of these leave the transaction as it was. */
function isTransactional(name: string): boolean {
  return /^(multi|watch|exec|discard)$/i.test(name);
}

/** Runs one command now. */
export function call(session: Session, args: string[]): Reply {
  try {
    return find(session, args).run(session, args);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { error: error.message };
  }
}

function find(session: Session, args: string[]): Command {
  const name = args[0]!;
  const command = commands[name] ?? commands[name.toUpperCase()];
  if (command === undefined) throw unknown(args);
  if (command.arity >= 0 ? args.length !== command.arity : args.length < -command.arity) throw wrongArity(name);
  const failed = session.server.aof?.failed;
  if (failed !== undefined && command.flags.includes("write")) {
    throw new CommandError(`MISCONF Errors writing to the AOF file: ${failed.message}`);
  }
  if (session.subscribed && session.version === 2 && !command.flags.includes("pubsub")) {
    throw new CommandError(
      `ERR Can't execute '${name.toLowerCase()}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
    );
  }
  return command;
}

/** Redis' own words. */
function unknown(args: string[]): CommandError {
  let rest = "";
  for (const a of args.slice(1)) {
    if (rest.length >= 128) break;
    rest += `'${a.slice(0, 128 - rest.length)}' `;
  }
  return new CommandError(`ERR unknown command '${args[0]!.slice(0, 128)}', with args beginning with: ${rest}`);
}
