import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A relay of bytes that keeps all of them, as a host can. */
export interface RecordingRelay {
  readonly port: number;
  /** Everything that passed, both ways. */
  bytes(): Buffer;
  close(): Promise<void>;
}

/** Starts a relay to a port of this machine. */
export async function recordingRelay(to: number): Promise<RecordingRelay> {
  const passed: Buffer[] = [];
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(to, "127.0.0.1");
    for (const [from, into] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.on("data", (chunk: Buffer) => passed.push(chunk));
      from.on("error", () => into.destroy());
      from.on("close", () => open.delete(from));
      from.pipe(into);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    bytes: () => Buffer.concat(passed),
    close: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
