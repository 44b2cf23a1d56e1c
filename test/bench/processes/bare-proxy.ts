/** What the gateway is measured against: a streaming reverse proxy of `node:http` and undici that looks at nothing. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";
import { Pool } from "undici";
import { UPSTREAM_HEADER } from "../call.ts";
import { argument, endWithParent, say } from "./parent.ts";

const HOP_BY_HOP: ReadonlySet<string> = new Set(["connection", "keep-alive", "transfer-encoding", "host"]);

/** As many as any measured load has requests under way. */
const CONNECTIONS = 256;

const { upstreams, ca } = argument() as { upstreams: readonly string[]; ca?: string };
const pools = upstreams.map(
  (upstream) =>
    new Pool(upstream, { connections: CONNECTIONS, pipelining: 1, ...(ca === undefined ? {} : { connect: { ca } }) }),
);

function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)));
}

const server = createServer((request, response) => {
  const pool = pools[Number(request.headers[UPSTREAM_HEADER] ?? 0)];
  if (pool === undefined) {
    response.writeHead(404).end();
    return;
  }
  pool
    .request({
      method: request.method === "DELETE" ? "DELETE" : "POST",
      path: "/mcp",
      headers: endToEnd(request.headers),
      body: request,
    })
    .then((answer) => pipeline(answer.body, response.writeHead(answer.statusCode, endToEnd(answer.headers))))
    .catch(() => response.destroy());
});
server.keepAliveTimeout = 120_000;
server.listen(0, "127.0.0.1", () => say({ port: (server.address() as AddressInfo).port }));
endWithParent();
