import { open, type FileHandle } from "node:fs/promises";
import {
  COMMAND_DEADLINE_MS,
  MAX_MESSAGE_BYTES,
  requireCommandSize,
  tpmUnavailable,
  type TpmTransport,
} from "./transport.ts";

/**
 * A TPM character device of Linux: a command is one write, its response one read. `/dev/tpmrm0` keeps the
 * transient objects of each opening apart; `/dev/tpm0` can be open once only.
 *
 * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE` when it cannot be opened.
 */
export async function openTpmDevice(path: string, deadlineMs: number = COMMAND_DEADLINE_MS): Promise<TpmTransport> {
  let file: FileHandle;
  try {
    file = await open(path, "r+");
  } catch (thrown) {
    throw tpmUnavailable(`device ${path} cannot be opened`, thrown);
  }
  return new TpmDevice(file, deadlineMs);
}

class TpmDevice implements TpmTransport {
  #file: FileHandle | null;
  readonly #deadlineMs: number;

  constructor(file: FileHandle, deadlineMs: number) {
    this.#file = file;
    this.#deadlineMs = deadlineMs;
  }

  async transmit(command: Uint8Array): Promise<Uint8Array> {
    requireCommandSize(command);
    const file = this.#file;
    if (file === null) throw tpmUnavailable("device is closed");
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(tpmUnavailable(`did not answer within ${this.#deadlineMs} ms`)),
        this.#deadlineMs,
      );
    });
    try {
      return await Promise.race([exchange(file, command), late]);
    } catch (thrown) {
      // Not awaited: closing waits for the read under way, which is what took too long.
      void this.close();
      throw thrown;
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    // What closing a device of an answered command could report changes nothing for anybody.
    await file?.close().catch(() => undefined);
  }
}

async function exchange(file: FileHandle, command: Uint8Array): Promise<Uint8Array> {
  const response = new Uint8Array(MAX_MESSAGE_BYTES);
  try {
    const { bytesWritten } = await file.write(command, 0, command.length, null);
    if (bytesWritten !== command.length) throw tpmUnavailable("device took a part of a command");
    const { bytesRead } = await file.read(response, 0, response.length, null);
    return response.subarray(0, bytesRead);
  } catch (thrown) {
    throw tpmUnavailable("device failed", thrown);
  }
}
