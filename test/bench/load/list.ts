import { performance } from "node:perf_hooks";
import { Client } from "./client.ts";
import { Connection } from "./connection.ts";
import type { Listed, Listing } from "./job.ts";

/** Reads the whole of `tools/list`, page after page. */
export async function list({ port, token, times }: Listing): Promise<Listed> {
  const line = await Connection.open(port);
  const client = new Client(line, token);
  await client.initialize();
  const pages: number[] = [];
  let [id, tools] = [0, 0];
  for (let time = 0; time < times; time += 1) {
    tools = 0;
    let cursor: string | undefined;
    do {
      id += 1;
      const params = cursor === undefined ? {} : { cursor };
      const sent = performance.now();
      const { body } = await client.send(JSON.stringify({ jsonrpc: "2.0", id, method: "tools/list", params }));
      pages.push(performance.now() - sent);
      const { result } = JSON.parse(body) as {
        readonly result: { readonly tools: readonly object[]; readonly nextCursor?: string };
      };
      tools += result.tools.length;
      cursor = result.nextCursor;
    } while (cursor !== undefined);
  }
  await client.end();
  line.close();
  return { pages, tools };
}
