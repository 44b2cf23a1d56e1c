import type { Writable } from "node:stream";
import { pino, type DestinationStream, type LevelWithSilent, type Logger } from "pino";
import type { ErrorCode } from "@cmcp/boundary";
import type { StoreFailure } from "./store/store-error.ts";
import type { WitnessFailure } from "./witness/witness-link.ts";

/**
 * Everything a host log line can say. The list is closed on purpose: no field can carry a body, a
 * header value, a token or a query string, and thrown errors are logged by code, never by text.
 */
export interface LogFields {
  /** Pattern of the forwarded path, such as `/sessions/:id/close`; never the path that was asked for. */
  readonly route?: string | undefined;
  readonly method?: string | undefined;
  readonly status?: number | undefined;
  readonly code?: ErrorCode | undefined;
  readonly durationMs?: number | undefined;
  readonly bytesIn?: number | undefined;
  readonly bytesOut?: number | undefined;
  /** Host name and port of a tool server. */
  readonly destination?: string | undefined;
  readonly pid?: number | undefined;
  readonly exitCode?: number | undefined;
  readonly exitSignal?: string | undefined;
  readonly delayMs?: number | undefined;
  readonly isolation?: string | undefined;
  /** Launcher of the enclave; of a machine, what it is and how its instructions run. */
  readonly launcher?: string | undefined;
  readonly platform?: string | undefined;
  readonly accelerator?: string | undefined;
  readonly stream?: "stdout" | "stderr" | undefined;
  /** One bounded line the enclave printed. */
  readonly line?: string | undefined;
  readonly dropped?: number | undefined;
  readonly sessions?: number | undefined;
  /** Why the store failed, or a witness did not cosign. */
  readonly reason?: StoreFailure | WitnessFailure | undefined;
  /** A witness, by its name in the configuration. */
  readonly witness?: string | undefined;
  /** Records of the log, as a witness says. */
  readonly size?: number | undefined;
  /** The log's public key. */
  readonly key?: string | undefined;
}

/** The host's log: one JSON line an event. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** Most bytes of unread log lines. */
const UNREAD_BYTES = 1024 * 1024;

/** Writes lines while few enough are unread, and drops them otherwise: a slow reader must not fill the memory. */
export function dropWhenUnread(out: Pick<Writable, "write" | "writableLength">): DestinationStream {
  return {
    write: (line) => {
      if (out.writableLength + line.length <= UNREAD_BYTES) out.write(line);
    },
  };
}

/** A log that writes to `destination` (standard output when absent) from `level` upward. */
export function createLog(options: { level: LevelWithSilent; destination?: DestinationStream }): Log {
  const settings = { level: options.level, base: null };
  return fieldsOnly(options.destination === undefined ? pino(settings) : pino(settings, options.destination));
}

function fieldsOnly(logger: Logger): Log {
  return {
    debug: (event, fields = {}) => logger.debug(fields, event),
    info: (event, fields = {}) => logger.info(fields, event),
    warn: (event, fields = {}) => logger.warn(fields, event),
    error: (event, fields = {}) => logger.error(fields, event),
  };
}
