import { connect, type Socket } from "node:net";
import { ByteReader } from "@cmcp/boundary";
import {
  COMMAND_DEADLINE_MS,
  HEADER_BYTES,
  MAX_MESSAGE_BYTES,
  requireCommandSize,
  tpmUnavailable,
  type TpmTransport,
} from "./transport.ts";

/**
 * The command channel of a software TPM (`swtpm socket --server type=unixio,path=…`). Commands and responses have no
 * framing of their own, so the size in the header says where a response ends.
 *
 * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE` when nobody listens there.
 */
export async function connectTpmSocket(path: string, deadlineMs: number = COMMAND_DEADLINE_MS): Promise<TpmTransport> {
  const socket = connect({ path });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", (error) => reject(tpmUnavailable("socket cannot be connected", error)));
  });
  return new TpmSocket(socket, deadlineMs);
}

/** The one command under way. */
interface Pending {
  readonly resolve: (response: Uint8Array) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

class TpmSocket implements TpmTransport {
  readonly #socket: Socket;
  readonly #deadlineMs: number;
  #received = new Uint8Array();
  #pending: Pending | null = null;
  #failure: Error | null = null;

  constructor(socket: Socket, deadlineMs: number) {
    this.#socket = socket;
    this.#deadlineMs = deadlineMs;
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("error", (error) => this.#fail(tpmUnavailable("socket failed", error)));
    socket.on("close", () => this.#fail(tpmUnavailable("socket is closed")));
  }

  transmit(command: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      requireCommandSize(command);
      if (this.#failure !== null) throw this.#failure;
      if (this.#pending !== null) throw tpmUnavailable("is busy with another command");
      const timer = setTimeout(
        () => this.#fail(tpmUnavailable(`did not answer within ${this.#deadlineMs} ms`)),
        this.#deadlineMs,
      );
      this.#pending = { resolve, reject, timer };
      this.#socket.write(command);
    });
  }

  close(): Promise<void> {
    this.#fail(tpmUnavailable("socket is closed"));
    return Promise.resolve();
  }

  #take(chunk: Uint8Array): void {
    if (this.#pending === null) {
      this.#fail(tpmUnavailable("spoke without being asked"));
      return;
    }
    this.#received = new Uint8Array(Buffer.concat([this.#received, chunk]));
    if (this.#received.length < HEADER_BYTES) return;
    const size = new ByteReader(this.#received, "the header of a TPM response", "big").at(2).u32();
    if (size > MAX_MESSAGE_BYTES || this.#received.length > size) {
      this.#fail(tpmUnavailable("sent a response of impossible size"));
    } else if (this.#received.length === size) {
      const { resolve, timer } = this.#pending;
      clearTimeout(timer);
      this.#pending = null;
      const response = this.#received;
      this.#received = new Uint8Array();
      resolve(response);
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#socket.destroy();
    if (this.#pending !== null) {
      clearTimeout(this.#pending.timer);
      this.#pending.reject(error);
      this.#pending = null;
    }
  }
}
