import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Cleanup {
  after(undo: () => void): void;
}

/** A private path for a Unix socket. */
export function socketPath(test: Cleanup): string {
  const folder = mkdtempSync(join(tmpdir(), "cmcp-channel-"));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "s");
}

/** Two ends of one Unix connection: ours, and that of a server whose part the test plays. */
export async function socketPair(test: Cleanup): Promise<{ readonly ours: Socket; readonly theirs: Socket }> {
  const path = socketPath(test);
  const listener = createServer({ allowHalfOpen: true }).listen(path);
  await once(listener, "listening");
  const accepted = once(listener, "connection") as Promise<[Socket]>;
  const ours = connect({ path });
  const [theirs] = await accepted;
  theirs.on("error", () => undefined);
  listener.close();
  test.after(() => {
    ours.destroy();
    theirs.destroy();
  });
  return { ours, theirs };
}
