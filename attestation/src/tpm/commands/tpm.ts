import { setTimeout as delay } from "node:timers/promises";
import { ByteReader, CmcpError } from "@cmcp/boundary";
import { readPlatform } from "../../machine/read-platform.ts";
import { HEADER_BYTES, type TpmTransport } from "../transport/transport.ts";
import { bareResponseCode, HANDLE, RESPONSE, TAG } from "./codes.ts";
import { CommandWriter } from "./writer.ts";

/** How often a command is sent again that the TPM had no time for, and the pause before each, in milliseconds. */
const MAX_RETRIES = 50;
const RETRY_MS = 20;
const BUSY: ReadonlySet<number> = new Set([RESPONSE.yielded, RESPONSE.testing, RESPONSE.nvRate, RESPONSE.retry]);
/** Session attribute: the session outlives the command (part 2, section 8.4). */
const CONTINUE_SESSION = 0x01;

/** A command the TPM answered with an error. */
export class TpmResponseError extends CmcpError {
  /** TPM_RC without the position of what it speaks of. */
  readonly responseCode: number;

  constructor(command: string, code: number) {
    super("ATTESTATION_REPORT_UNAVAILABLE", `the TPM refused ${command} with 0x${code.toString(16)}`);
    this.responseCode = bareResponseCode(code);
  }
}

/** One command, without its header. */
export interface TpmCommand {
  /** Name as the TPM 2.0 Library gives it, for errors. */
  readonly name: string;
  readonly code: number;
  readonly handles?: readonly number[];
  /** What authorises it: `password` is the empty password, a number the handle of a policy session. */
  readonly authorization?: "password" | number;
  readonly parameters?: Uint8Array;
  /** Whether the response carries a handle before its parameters. */
  readonly makesHandle?: boolean;
}

export interface TpmResponse {
  /** The handle it made; 0 for commands that make none. */
  readonly handle: number;
  readonly parameters: Uint8Array;
}

/** A TPM 2.0 behind a transport: one command at a time, in the order they were asked for. */
export class Tpm {
  readonly #transport: TpmTransport;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(transport: TpmTransport) {
    this.#transport = transport;
  }

  /**
   * Sends a command and waits for its response.
   * @throws TpmResponseError when the TPM refuses it; CmcpError `ATTESTATION_REPORT_UNAVAILABLE` when it cannot be
   * asked or its answer is malformed.
   */
  async run(command: TpmCommand): Promise<TpmResponse> {
    const turn = this.#tail.then(async () => await this.#exchange(command));
    this.#tail = turn.catch(() => undefined);
    return await turn;
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  async #exchange(command: TpmCommand): Promise<TpmResponse> {
    const bytes = encode(command);
    for (let attempt = 0; ; attempt += 1) {
      const response = await this.#transport.transmit(bytes);
      const code = responseCode(command, response);
      if (code === RESPONSE.success) return readResponse(command.name, () => decode(command, response));
      if (!BUSY.has(code) || attempt === MAX_RETRIES) throw new TpmResponseError(command.name, code);
      await delay(RETRY_MS);
    }
  }
}

/** Reads a part of a response; what does not parse is the TPM's fault, not that of evidence. */
export function readResponse<T>(name: string, read: () => T): T {
  return readPlatform(`the TPM's answer to ${name}`, read);
}

function encode({ code, handles = [], authorization, parameters = new Uint8Array() }: TpmCommand): Uint8Array {
  const body = new CommandWriter();
  for (const handle of handles) body.u32(handle);
  if (authorization !== undefined) {
    // TPMS_AUTH_COMMAND (part 2, section 10.13.2): session, nonce, attributes, authorisation value; all values empty.
    const session = authorization === "password" ? HANDLE.password : authorization;
    body.u32(9).u32(session).u16(0).u8(CONTINUE_SESSION).u16(0);
  }
  const bytes = body.bytes(parameters).done();
  return new CommandWriter()
    .u16(authorization === undefined ? TAG.noSessions : TAG.sessions)
    .u32(HEADER_BYTES + bytes.length)
    .u32(code)
    .bytes(bytes)
    .done();
}

function responseCode({ name }: TpmCommand, response: Uint8Array): number {
  return readResponse(name, () => {
    const reader = new ByteReader(response, name, "big");
    reader.u16();
    if (reader.u32() !== response.length) throw new CmcpError("EVIDENCE_MALFORMED", "the size is wrong");
    return reader.u32();
  });
}

function decode({ name, authorization, makesHandle = false }: TpmCommand, response: Uint8Array): TpmResponse {
  const reader = new ByteReader(response, name, "big");
  const tag = reader.u16();
  reader.skip(HEADER_BYTES - 2);
  if (tag !== (authorization === undefined ? TAG.noSessions : TAG.sessions))
    throw new CmcpError("EVIDENCE_MALFORMED", "the tag is wrong");
  const handle = makesHandle ? reader.u32() : 0;
  // With sessions the parameters have their size before them and the sessions' own answer behind them.
  return { handle, parameters: reader.take(authorization === undefined ? reader.remaining : reader.u32()) };
}
