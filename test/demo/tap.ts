import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A point on the way of a connection: it passes everything on, and keeps a copy of what passes. */
export interface Tap {
  /** Its base URL, in place of the target's. */
  readonly url: string;
  /** Bytes that passed, in both directions. */
  readonly bytes: number;
  /** Those of `texts` that stand in what passed, as they are. */
  reads(texts: Iterable<string>): string[];
  close(): Promise<void>;
}

/** Starts one on loopback. @param target where it passes connections on to */
export async function startTap(target: string): Promise<Tap> {
  const { hostname, port } = new URL(target);
  const open = new Set<Socket>();
  /** Of each connection and direction, so that a text is found whole wherever it was cut. */
  const passed: Buffer[][] = [];
  const pass = (from: Socket, to: Socket): void => {
    const pieces: Buffer[] = [];
    passed.push(pieces);
    open.add(from);
    from.on("data", (piece: Buffer) => void pieces.push(piece));
    from.once("close", () => open.delete(from));
    from.on("error", () => to.destroy());
    from.pipe(to);
  };
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    pass(near, far);
    pass(far, near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get bytes() {
      return passed.flat().reduce((sum, piece) => sum + piece.length, 0);
    },
    reads: (texts) => {
      const streams = passed.map((pieces) => Buffer.concat(pieces));
      return [...texts].filter((text) => streams.some((stream) => stream.includes(text)));
    },
    close: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
