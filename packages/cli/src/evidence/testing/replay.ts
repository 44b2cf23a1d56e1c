/** A vendor's service that gives the answers it is told to. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

export type Answer = { readonly body: string | Buffer; readonly header?: readonly [string, string] } | null;

/** A service that gives these answers by path, and what it was asked. */
export async function replay(
  t: TestContext,
  answer: (url: string) => Answer,
): Promise<{ service: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const url = request.url ?? "";
    asked.push(url);
    const given = answer(url);
    if (given?.header !== undefined) response.setHeader(given.header[0], given.header[1]);
    response.writeHead(given === null ? 404 : 200).end(given?.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return { service: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}
