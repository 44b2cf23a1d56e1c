/** Stands before a server that is far away: passes each request on after a while. */
import { createServer, request as send } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { argument, endWithParent, say } from "./parent.ts";

const { url, delayMs } = argument() as { url: string; delayMs: number };
const server = createServer((request, response) => {
  void delay(delayMs).then(() => {
    const onward = send(
      new URL(request.url ?? "/", url),
      { method: request.method, headers: request.headers },
      (answer) => answer.pipe(response.writeHead(answer.statusCode ?? 502, answer.headers)),
    ).once("error", () => response.destroy());
    request.pipe(onward);
  });
});
server.keepAliveTimeout = 120_000;
server.listen(0, "127.0.0.1", () => say({ port: (server.address() as AddressInfo).port }));
endWithParent();
