import { Duplex } from "node:stream";
import { getSystemErrorName } from "node:util";
import { CmcpError } from "@cmcp/boundary";
import type { NativeSocket, VsockAddon, VsockNotify } from "./vsock-addon.ts";

/**
 * Bytes handed to the kernel in one call. Larger writes from a guest stall in a hybrid vsock daemon, so what is larger
 * goes in pieces.
 */
const MAX_WRITE_BYTES = 32 * 1024;

type Callback = (error?: Error | null) => void;

/** The error of a failed system call, by its number. */
export function vsockFailure(what: string, errno: number): CmcpError {
  return new CmcpError("WIRE_CLOSED", `${what}: ${getSystemErrorName(-errno)}`);
}

/** The system's number in what the addon threw; 0 for anything else. */
export function errnoOf(thrown: unknown): number {
  return thrown instanceof Error && "errno" in thrown && typeof thrown.errno === "number" ? thrown.errno : 0;
}

/** One vsock connection as a stream: reads only while somebody takes, writes only what the kernel takes. */
export class VsockStream extends Duplex {
  readonly #addon: VsockAddon;
  readonly #socket: NativeSocket;
  #rest: { bytes: Uint8Array; written: Callback } | undefined;

  /** Takes over a connected socket. */
  constructor(addon: VsockAddon, socket: NativeSocket) {
    super({ allowHalfOpen: true, emitClose: true });
    this.#addon = addon;
    this.#socket = socket;
  }

  /** Where the addon's events go; bound, so that it can be given before there is a stream. */
  readonly notify: VsockNotify = (...event) => {
    if (this.destroyed) return;
    switch (event[0]) {
      case "data":
        if (!this.push(event[1])) this.#addon.read(this.#socket, false);
        break;
      case "end":
        this.push(null);
        break;
      case "writable":
        this.#continue();
        break;
      case "error":
        this.destroy(vsockFailure("the vsock connection broke", event[1]));
        break;
      case "accepted":
      case "connected":
        break;
    }
  };

  override _read(): void {
    this.#attempt(() => {
      this.#addon.read(this.#socket, true);
    });
  }

  override _write(chunk: Buffer, _encoding: string, written: Callback): void {
    this.#rest = { bytes: chunk, written };
    this.#continue();
  }

  /** Writes on where the kernel had no room. */
  #continue(): void {
    const rest = this.#rest;
    if (rest === undefined) return;
    try {
      while (rest.bytes.length > 0) {
        const piece = rest.bytes.subarray(0, MAX_WRITE_BYTES);
        const taken = this.#addon.write(this.#socket, piece);
        rest.bytes = rest.bytes.subarray(taken);
        if (taken < piece.length) return;
      }
    } catch (thrown) {
      this.#rest = undefined;
      rest.written(vsockFailure("cannot write to the vsock connection", errnoOf(thrown)));
      return;
    }
    this.#rest = undefined;
    rest.written();
  }

  override _final(ended: Callback): void {
    try {
      this.#addon.shutdown(this.#socket);
    } catch {
      // The peer is gone already, which the reading side reports.
    }
    ended();
  }

  override _destroy(error: Error | null, closed: Callback): void {
    this.#attempt(() => {
      this.#addon.close(this.#socket);
    });
    this.#rest?.written(error ?? new CmcpError("WIRE_CLOSED", "the stream was closed"));
    this.#rest = undefined;
    closed(error);
  }

  /** A socket that is closed already needs nothing more. */
  #attempt(call: () => void): void {
    try {
      call();
    } catch (thrown) {
      if (!this.destroyed) this.destroy(vsockFailure("the vsock connection broke", errnoOf(thrown)));
    }
  }
}
