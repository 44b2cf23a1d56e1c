import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Pool } from "undici";

function echo(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => response.writeHead(200, { "content-type": "application/json" }).end(Buffer.concat(chunks)));
}

/** One HTTP exchange of `body` and its echo within this process, to be repeated. */
export async function bareRoundTrip(
  body: Uint8Array,
): Promise<{ work: () => Promise<string>; close: () => Promise<void> }> {
  const server = createServer(echo).listen(0, "127.0.0.1");
  await once(server, "listening");
  const pool = new Pool(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { connections: 1 });
  return {
    work: async () =>
      await (
        await pool.request({ method: "POST", path: "/mcp", headers: { "content-type": "application/json" }, body })
      ).body.text(),
    close: async () => {
      await pool.close();
      server.close();
      await once(server, "close");
    },
  };
}
