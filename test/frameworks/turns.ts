import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** Where the scripts in place of models wait before each of their turns. */
export interface Turns {
  /** `turns` of a task. */
  readonly url: string;
  /** The first error of a turn, which ended the script's run. */
  readonly failed: unknown;
  close(): Promise<void>;
}

/**
 * Serves the turns of one run.
 * @param onTurn does what happens before a turn; it is given what the model was given last, which is empty before the first turn
 */
export async function startTurns(onTurn: (turn: number, given: string) => Promise<void> | void): Promise<Turns> {
  let failed: unknown;
  let turn = 0;
  const server = createServer((request, response) => {
    void text(request)
      .then(async (given) => await onTurn(turn++, given))
      .catch((thrown: unknown) => {
        failed ??= thrown;
        response.statusCode = 500;
      })
      .finally(() => response.end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    get failed() {
      return failed;
    },
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
