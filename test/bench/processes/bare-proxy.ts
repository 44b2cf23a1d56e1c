/** What the gateway is measured against: a streaming reverse proxy that looks at nothing. */
import { serve } from "@hono/node-server";
import type { Readable } from "node:stream";
import { Hono } from "hono";
import { Pool } from "undici";
import { UPSTREAM_HEADER } from "../call.ts";
import { argument, endWithParent, say } from "./parent.ts";

const HOP_BY_HOP: readonly string[] = ["connection", "keep-alive", "transfer-encoding", "host"];

/** As many as any measured load has requests under way. */
const CONNECTIONS = 256;

const { upstreams, ca } = argument() as { upstreams: readonly string[]; ca?: string };
const pools = upstreams.map(
  (upstream) =>
    new Pool(upstream, { connections: CONNECTIONS, pipelining: 1, ...(ca === undefined ? {} : { connect: { ca } }) }),
);

function endToEnd(fields: Iterable<[string, string | string[] | undefined]>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of fields) if (typeof value === "string" && !HOP_BY_HOP.includes(name)) kept[name] = value;
  return kept;
}

const app = new Hono();
app.all("/mcp", async (context) => {
  const { raw } = context.req;
  // undici takes any async iterable of bytes, which its types leave out; a Node stream around it would cost more.
  const body = raw.body as unknown as Readable | null;
  const pool = pools[Number(raw.headers.get(UPSTREAM_HEADER) ?? 0)];
  if (pool === undefined) return new Response(null, { status: 404 });
  const answer = await pool.request({
    method: raw.method === "DELETE" ? "DELETE" : "POST",
    path: "/mcp",
    headers: endToEnd(raw.headers),
    body,
  });
  return new Response(answer.body, { status: answer.statusCode, headers: endToEnd(Object.entries(answer.headers)) });
});
serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) => say({ port }));
endWithParent();
